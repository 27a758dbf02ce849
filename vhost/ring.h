/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.h - the device side of one virtqueue, split or packed, behind one set of functions.
 *
 * Life of a buffer:
 *
 *   guest makes it available -> vu_ring_pop() -> [in flight] -> vu_ring_push() -> vu_ring_flush()
 *                                    ^                |
 *                                    +- vu_ring_unpop() (only the newest ones)
 *
 * Buffers may be pushed in another order than they were popped, unless the guest negotiated
 * IN_ORDER. What is in flight is also kept in memory that outlives the process (inflight.h), so a
 * successor gets exactly the buffers that were never pushed, first thing out of its vu_ring_pop().
 *
 * A ring belongs to one thread at a time: the main thread sets it up and takes it down through
 * dev.h, a worker runs it in between. Nothing here blocks.
 *
 * Everything in the guest's memory is hostile: each word is read once into private memory, then
 * checked, then used. A ring that breaks the rules is broken for good: pop returns -EPROTO with
 * the reason in vu_ring_broken(), and the owner must stop using it.
 */
#ifndef VHOST_RING_H
#define VHOST_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mem.h"

#define VU_RING_NUM_MAX	 32768 /* virtio 1.2, 2.7.1 and 2.8.10.1 */
#define VU_CHAIN_IOV_MAX 1024  /* parts one chain may have; longer ones break the ring */

/* What has to be remembered of a popped buffer to push it. */
struct vu_head {
	uint16_t id;	  /* split: head of the chain; packed: buffer id */
	uint16_t n_slots; /* descriptors it occupies in the ring (split: always 1) */
};

/* A popped buffer: its memory, in our addresses, checked against the memory table. */
struct vu_chain {
	struct vu_head head;
	uint16_t n_iov;
	uint32_t bytes; /* sum of iov[].iov_len; a chain of 4 GiB or more breaks the ring */
	struct iovec
		*iov; /* into the array given to vu_ring_pop(); zero-length parts are left out */
};

struct vu_ring;

/**
 * vu_ring_pop() - take available buffers, oldest first
 * @r: ring; a receive ring (is_rx) must hold device-writable buffers only, a transmit ring
 *     device-readable ones only
 * @chains: filled with up to @max_chains buffers
 * @max_chains: how many to take at most
 * @iov: storage for the parts; a chain that does not fit in what is left stays in the ring
 * @max_iov: its size; at least VU_CHAIN_IOV_MAX guarantees progress
 *
 * Return: number of buffers taken, 0 if there is none, -EPROTO if the ring is broken.
 */
int vu_ring_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		struct iovec *iov, unsigned int max_iov);

/**
 * vu_ring_unpop() - give back the newest popped buffers, as if they had never been taken
 * @heads: those buffers in the order they were popped, none of them pushed
 * @n: how many
 */
void vu_ring_unpop(struct vu_ring *r, const struct vu_head *heads, unsigned int n);

/**
 * vu_ring_push() - hand a buffer back as used; the guest sees it after vu_ring_flush()
 * @head: as popped
 * @bytes_written: to its writable parts (0 for a transmit ring)
 */
void vu_ring_push(struct vu_ring *r, struct vu_head head, uint32_t bytes_written);

/** vu_ring_push_run() - the same for @n buffers; @bytes_written NULL: 0 for each */
void vu_ring_push_run(struct vu_ring *r, const struct vu_chain *chains,
		      const uint32_t *bytes_written, unsigned int n);

/* A buffer in one piece: its memory, in our addresses, checked; and what an entry that is used has.
 */
struct vu_buf {
	uint8_t *base;
	uint32_t id;
	uint32_t bytes;
};

/** vu_chain_buf() - a popped buffer in that form. False: it is in several pieces */
static inline bool vu_chain_buf(const struct vu_chain *c, struct vu_buf *buf)
{
	if (c->n_iov != 1)
		return false;
	*buf = (struct vu_buf){.base = c->iov[0].iov_base, .id = c->head.id, .bytes = c->bytes};
	return true;
}

/**
 * vu_ring_run_start() - take the oldest available buffers for a moment
 * @bufs: filled with up to @max buffers
 *
 * Cheaper than pop and push, for buffers of one piece that are handed back at once and in order.
 * Until vu_ring_run_end() nothing else may be asked of the ring.
 *
 * Return: how many; 0 if there is nothing to take; -EAGAIN if the oldest one, or the ring as it is
 * now, is a case for vu_ring_pop().
 */
int vu_ring_run_start(struct vu_ring *r, struct vu_buf *bufs, unsigned int max);

/** vu_ring_run_ahead() - start loading what a run of @n buffers will touch, if it is known */
void vu_ring_run_ahead(const struct vu_ring *r, unsigned int n);

/**
 * vu_ring_run_end() - hand back the first @n_used of the @n buffers that were taken
 * @written: bufs[].bytes of each were written; false: nothing was (transmit ring)
 *
 * The guest sees them at once, and maybe the first ones before the others. Those that are not
 * handed back are in the ring as if they had never been taken.
 */
void vu_ring_run_end(struct vu_ring *r, const struct vu_buf *bufs, unsigned int n,
		     unsigned int n_used, bool written);

/**
 * vu_ring_prefetch() - start loading what popping and flushing the next @n buffers will touch
 *
 * Worth it when something else is done before: the guest's core wrote those lines last.
 */
void vu_ring_prefetch(const struct vu_ring *r, unsigned int n);

/** vu_ring_flush() - make all pushed buffers visible to the guest, all at once */
void vu_ring_flush(struct vu_ring *r);

/**
 * vu_ring_notify() - interrupt the guest if it asked to be told of what was flushed since the
 * last call
 *
 * Return: true if it was interrupted.
 */
bool vu_ring_notify(struct vu_ring *r);

/** vu_ring_notify_fenced() - the same, for a caller that made a full_fence() since the flush */
bool vu_ring_notify_fenced(struct vu_ring *r);

/**
 * vu_ring_kick_arm() - ask the guest to kick when it makes buffers available
 *
 * Return: true if some are already there: do not sleep, pop.
 */
bool vu_ring_kick_arm(struct vu_ring *r);

/** vu_ring_kick_disarm() - polling: spare the guest the kicks (it may kick all the same) */
void vu_ring_kick_disarm(struct vu_ring *r);

/** vu_ring_in_flight() - buffers popped and not pushed */
unsigned int vu_ring_in_flight(const struct vu_ring *r);

/** vu_ring_broken() - why the ring is broken, or NULL */
const char *vu_ring_broken(const struct vu_ring *r);

/* What the owner may look at; all constant while the ring runs, but for `enabled`. */
struct vu_ring_info {
	uint16_t num; /* size in descriptors */
	bool packed;
	bool is_rx;    /* the guest receives here (even ring index) */
	bool in_order; /* IN_ORDER was negotiated: push in the order of pop */
	int kick_fd;   /* -1: the guest does not kick, poll. For epoll with EPOLLET; never read */
	struct vu_mem *mem;
	uint32_t n_recovered; /* buffers taken over from a process that died */
};

const struct vu_ring_info *vu_ring_info(const struct vu_ring *r);

#endif /* VHOST_RING_H */
