/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xsk.h - AF_XDP sockets and their rings, close to the kernel's interface.
 *
 * Our own rather than libxdp's, because the direct lane depends on what that hides: a UMEM which
 * is somebody else's memory, unaligned chunks, and closing a socket in steps so that it is known
 * when the kernel has let go of the memory.
 */
#ifndef VXDP_LOADER_XSK_H
#define VXDP_LOADER_XSK_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vxdp/util.h>

#define XSK_RING_ENTRIES 2048 /* of each of the four rings */
/* The kernel leaves this much room in front of a frame (XDP_PACKET_HEADROOM). */
#define XSK_PACKET_HEADROOM 256
/* An unaligned receive address: chunk in the low 48 bits, offset of the frame above. */
#define XSK_ADDR_MASK	 ((1ULL << XSK_UNALIGNED_BUF_OFFSET_SHIFT) - 1)
#define XSK_OFFSET(addr) ((addr) >> XSK_UNALIGNED_BUF_OFFSET_SHIFT)

/* One single-producer single-consumer ring shared with the kernel. */
struct xsk_ring {
	uint32_t *producer;
	uint32_t *consumer;
	uint32_t *flags;
	void *entries;
	uint32_t index;	 /* ours: next entry to produce or consume */
	uint32_t cached; /* the kernel's index when we last looked */
	void *map;
	size_t map_bytes;
};

struct xsk {
	int fd; /* -1: closed */
	unsigned int ifindex;
	unsigned int queue;
	bool zerocopy;
	struct xsk_ring fill; /* we produce: chunks for the kernel to write frames to */
	struct xsk_ring rx;   /* we consume: frames */
	struct xsk_ring tx;   /* we produce: frames to send */
	struct xsk_ring done; /* we consume: sent (completion ring) */
};

struct xsk_umem {
	void *base;
	size_t bytes;
	uint32_t chunk_bytes;
	uint32_t headroom_bytes;
	uint32_t room_bytes; /* what a buffer must have behind the header, whatever the MTU */
	bool aligned; /* chunks begin at multiples of their length, and addresses are plain */
};

enum xsk_bind_mode { XSK_BIND_COPY, XSK_BIND_ZEROCOPY };

/**
 * xsk_open() - socket, rings and bind
 * @umem: memory to register, when @share is NULL
 * @share: a bound socket whose UMEM to use too, or NULL
 * @out: the socket, untouched on error; xsk_close() ends it
 * Return: 0; -EBUSY while another socket holds the queue (also for some 30 ms after it was
 * closed); -EOPNOTSUPP if the driver has no such mode; other -errno.
 */
int xsk_open(unsigned int ifindex, unsigned int queue, enum xsk_bind_mode mode,
	     const struct xsk_umem *umem, const struct xsk *share, struct xsk *out);

/**
 * xsk_close() - unmap the rings, then close
 *
 * In this order: a mapped ring keeps the socket alive. When this returns the kernel's copy path
 * can no longer write to the UMEM (xsk_release() waits for running receivers); a zero-copy driver
 * can, until xsk_queue_wait_free() returns 0.
 */
void xsk_close(struct xsk *x);

/** xsk_queue_wait_free() - wait until nothing is bound to a queue. Return: 0 or -ETIMEDOUT. */
int xsk_queue_wait_free(unsigned int ifindex, unsigned int queue, unsigned int timeout_ms);

/** xsk_statistics() - the kernel's own drop counters. Return: 0 or -errno. */
int xsk_statistics(const struct xsk *x, struct xdp_statistics *stats);

/** xsk_statistics_add() - add them to @sum */
void xsk_statistics_add(struct xdp_statistics *sum, const struct xsk *x);

/** xsk_kick_tx() - make the kernel send. Return: 0, or -errno if not everything left. */
int xsk_kick_tx(const struct xsk *x);

/** xsk_kick_fill() - make a sleeping driver look at the fill ring, if it asked for that */
void xsk_kick_fill(const struct xsk *x);

/* The rings. "free": entries we may still produce; "ready": entries we may consume. */

static inline uint32_t xsk_ring_free(struct xsk_ring *r, uint32_t wanted)
{
	uint32_t n = XSK_RING_ENTRIES - (r->index - r->cached);

	if (n < wanted) {
		r->cached = load_acquire(r->consumer);
		n = XSK_RING_ENTRIES - (r->index - r->cached);
	}
	return n;
}

static inline uint32_t xsk_ring_ready(struct xsk_ring *r)
{
	if (r->cached == r->index)
		r->cached = load_acquire(r->producer);
	return r->cached - r->index;
}

static inline uint64_t *xsk_ring_addr(struct xsk_ring *r, uint32_t i)
{
	return (uint64_t *)r->entries + ((r->index + i) & (XSK_RING_ENTRIES - 1));
}

static inline struct xdp_desc *xsk_ring_desc(struct xsk_ring *r, uint32_t i)
{
	return (struct xdp_desc *)r->entries + ((r->index + i) & (XSK_RING_ENTRIES - 1));
}

static inline void xsk_ring_produced(struct xsk_ring *r, uint32_t n)
{
	r->index += n;
	store_release(r->producer, r->index);
}

static inline void xsk_ring_consumed(struct xsk_ring *r, uint32_t n)
{
	r->index += n;
	store_release(r->consumer, r->index);
}

static inline bool xsk_ring_needs_wakeup(const struct xsk_ring *r)
{
	return __atomic_load_n(r->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP;
}

#endif /* VXDP_LOADER_XSK_H */
