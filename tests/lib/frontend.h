/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frontend.h - a vhost-user front end and virtio-net driver for tests: what QEMU and its guest do.
 *
 * It shares no line with vhost/, on purpose: all formats are written down here a second time, from
 * the vhost-user and virtio documents, so that a mistake made on one side is not made on both. It
 * behaves well unless told otherwise, checks that the back end keeps the rules too (fe_bad()), and
 * every field is open, so that a test can scribble wherever it likes.
 *
 * Layers, each usable without the ones above it:
 *
 *   fe_net_*()    start and stop a network device, send and receive frames   frontend_net.c
 *   fe_ring_*()   the driver side of split and packed virtqueues             frontend_ring.c
 *   fe_dev_*()    the ordinary sequences of messages                         frontend_dev.c
 *   fe_mem_*()    guest memory: files, regions, three kinds of address       frontend_mem.c
 *   fe_sock_*()   bytes and descriptors on the socket                        frontend_sock.c
 *
 * Functions return 0 or -errno. One thread per front end.
 */
#ifndef TESTS_FRONTEND_H
#define TESTS_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend_wire.h"

#define FE_PAIRS_MAX   128
#define FE_RINGS_MAX   (2 * FE_PAIRS_MAX)
#define FE_REGIONS_MAX 16

struct fe;

/* What a driver remembers of a buffer it has made available, by its id. */
struct fe_slot {
	bool busy;
	uint16_t n_desc;
	uint32_t writable_bytes;
	uint64_t cookie;
};

struct fe_ring {
	struct fe *fe;
	unsigned int index;
	uint16_t num;
	bool packed;
	bool is_rx;
	bool started; /* the back end was told of it, and not yet told to stop */

	uint64_t desc_gpa;
	uint64_t driver_gpa; /* avail ring, or driver event suppression */
	uint64_t device_gpa; /* used ring, or device event suppression */
	struct fe_desc *desc;
	struct fe_avail *avail;
	struct fe_used *used;
	struct fe_packed_desc *pdesc;
	struct fe_event *driver_event;
	struct fe_event *device_event;

	int kick_fd; /* -1: none, the back end polls */
	int call_fd;
	int err_fd;

	uint32_t base;	    /* for SET_VRING_BASE */
	uint16_t avail_idx; /* next to fill; split: free-running */
	bool avail_wrap;
	uint16_t used_idx; /* next to look at; split: free-running */
	bool used_wrap;
	uint16_t n_since_kick; /* descriptors (packed) or buffers (split) since the last kick */
	uint16_t held_at;      /* packed: first descriptor not published yet */
	uint16_t held_flags;
	bool held;

	struct fe_slot *slot; /* by id */
	uint16_t *next;	      /* split: our own record of each chain */
	uint16_t *free_ids;   /* first in, first out, so that in-order rings stay in order */
	uint32_t free_head, free_tail;
	uint16_t n_free_desc;
	uint16_t *order; /* ids in the order they were made available */
	uint32_t order_head, order_tail;
	uint16_t batch_end; /* IN_ORDER: last id of the batch being handed out */
	uint32_t batch_bytes;
	bool in_batch;
	uint64_t indirect_gpa; /* FE_INDIRECT_MAX descriptors for each id, or 0 */

	/* frontend_net.c */
	uint64_t *pool; /* buffer addresses: by number */
	uint16_t *pool_free;
	uint16_t pool_n;
	uint16_t pool_n_free;
	uint32_t buffer_bytes;

	/* counters */
	uint64_t n_added, n_used, n_kicks, n_calls;
};

#define FE_INDIRECT_MAX 64

struct fe_region {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t uaddr; /* made up: neither our address nor a guest-physical one */
	uint64_t mmap_offset;
	int fd;
	uint8_t *va;
	uint64_t n_allocated;
};

struct fe_config {
	uint64_t features;	    /* wanted; acknowledged is what is offered of it */
	uint64_t protocol_features; /* the same */
	unsigned int pairs;
	uint16_t rx_num;
	uint16_t tx_num;
	unsigned int n_regions;
	size_t region_bytes;
	size_t hugepage_bytes;	  /* 0: ordinary memory */
	bool one_file;		  /* all regions in one file, as QEMU does */
	uint32_t rx_buffer_bytes; /* header included */
	uint32_t tx_buffer_bytes; /* header included */
	unsigned int rx_parts;	  /* descriptors a receive buffer is made of, 1.. */
	bool no_kick_fd;	  /* make the back end poll */
	bool no_call_fd;
};

/** fe_config_init() - one pair of 256, split, MRG_RXBUF, EVENT_IDX, INDIRECT, two 16 MiB regions */
void fe_config_init(struct fe_config *config);

struct fe {
	struct fe_config config;
	int sock;
	bool closed_by_peer;
	bool trace; /* print every message on standard error */

	uint64_t offered, offered_protocol;
	uint64_t features, protocol_features; /* acknowledged */
	uint64_t n_queue_pairs;		      /* GET_QUEUE_NUM */

	unsigned int n_regions;
	struct fe_region region[FE_REGIONS_MAX];

	unsigned int n_rings;
	struct fe_ring *ring; /* FE_RINGS_MAX of them */

	/* Rules the back end broke, as far as seen from here. */
	unsigned int n_bad;
	char bad[160]; /* the first one */
};

/** fe_open() - a front end with its memory, not connected yet. fe_close() ends it. */
int fe_open(const struct fe_config *config, struct fe **out);
void fe_close(struct fe **fe);

/** fe_bad() - note that the back end broke a rule */
void fe_bad(struct fe *fe, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- frontend_sock.c: the socket
 * ------------------------------------------------------------------ */

/** fe_sock_connect() - connect to @path, trying for up to @timeout_ms */
int fe_sock_connect(struct fe *fe, const char *path, int timeout_ms);

/** fe_sock_listen() - a listening socket for fe_sock_accept(): descriptor or -errno */
int fe_sock_listen(const char *path);
int fe_sock_accept(struct fe *fe, int listen_fd, int timeout_ms);

/** fe_sock_close() - hang up; memory and rings stay */
void fe_sock_close(struct fe *fe);

/** fe_sock_raw() - send these very bytes, with descriptors; -EPIPE if the back end hung up */
int fe_sock_raw(struct fe *fe, const void *bytes, size_t n, const int *fds, unsigned int n_fds);

/** fe_sock_send() - send one message; @flags beside the version, e.g. FE_NEED_REPLY */
int fe_sock_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload,
		 size_t payload_bytes, const int *fds, unsigned int n_fds);

/**
 * fe_sock_recv() - receive one message
 * @fd: filled with a descriptor that came with it, or -1; NULL: close whatever comes
 * Return: 0, -EPIPE if the back end hung up, -ETIMEDOUT, -EPROTO for what is no message
 */
int fe_sock_recv(struct fe *fe, struct fe_msg *msg, int *fd, int timeout_ms);

/** fe_sock_wait_closed() - true if the back end hangs up in time; replies are thrown away */
bool fe_sock_wait_closed(struct fe *fe, int timeout_ms);

/** fe_sock_call() - a request that has a reply of its own */
int fe_sock_call(struct fe *fe, uint32_t request, const void *payload, size_t payload_bytes,
		 struct fe_msg *reply, int *fd);

/**
 * fe_sock_ack() - a request without a reply, and what became of it
 *
 * Asks for an acknowledgement if REPLY_ACK was negotiated, else follows up with GET_FEATURES to be
 * sure that it was worked on.
 * Return: 0, -EREMOTEIO if the answer was not 0, -EPIPE if the back end hung up, -ETIMEDOUT.
 */
int fe_sock_ack(struct fe *fe, uint32_t request, const void *payload, size_t payload_bytes,
		const int *fds, unsigned int n_fds);
int fe_sock_ack_u64(struct fe *fe, uint32_t request, uint64_t value);

/** fe_request_name() - "SET_MEM_TABLE" */
const char *fe_request_name(uint32_t request);

/* --- frontend_mem.c: memory ------------------------------------------------------------------ */

int fe_mem_open(struct fe *fe);
void fe_mem_close(struct fe *fe);

/** fe_mem_file() - a memory file of @bytes (huge pages if @hugepage_bytes), or -errno */
int fe_mem_file(size_t bytes, size_t hugepage_bytes);

/** fe_mem_alloc() - guest-physical address of fresh memory, or 0 if there is no more */
uint64_t fe_mem_alloc(struct fe *fe, size_t bytes, size_t align);

/** fe_mem_alloc_in() - the same, in region @index */
uint64_t fe_mem_alloc_in(struct fe *fe, unsigned int index, size_t bytes, size_t align);

/** fe_mem_va() - our address of guest-physical memory, or NULL if it is not all in one region */
void *fe_mem_va(const struct fe *fe, uint64_t gpa, size_t bytes);

/** fe_mem_uaddr() - the address the back end is told; 0 if unmapped */
uint64_t fe_mem_uaddr(const struct fe *fe, uint64_t gpa);

/** fe_mem_describe() - region @index as the messages carry it */
struct fe_mem_desc fe_mem_describe(const struct fe *fe, unsigned int index);

/* --- frontend_dev.c: ordinary message sequences ---------------------------------------------- */

/** fe_dev_negotiate() - features, protocol features, owner, number of queues */
int fe_dev_negotiate(struct fe *fe);

/** fe_dev_set_features() - acknowledge @features */
int fe_dev_set_features(struct fe *fe, uint64_t features);

/** fe_dev_set_status() - SET_STATUS, if the back end knows of it */
int fe_dev_set_status(struct fe *fe, uint64_t status);

/** fe_dev_mem_table() - SET_MEM_TABLE with all regions */
int fe_dev_mem_table(struct fe *fe);

/** fe_dev_mem_add() / fe_dev_mem_remove() - ADD_MEM_REG, REM_MEM_REG of region @index */
int fe_dev_mem_add(struct fe *fe, unsigned int index);
int fe_dev_mem_remove(struct fe *fe, unsigned int index);

/** fe_dev_ring_start() - NUM, BASE, ADDR, ERR, CALL, KICK of a ring made by fe_ring_open() */
int fe_dev_ring_start(struct fe_ring *ring);

/** fe_dev_ring_addr() - the payload of SET_VRING_ADDR */
struct fe_vring_addr fe_dev_ring_addr(const struct fe_ring *ring);

/** fe_dev_ring_fd() - KICK, CALL or ERR; @fd -1: none (bit 8) */
int fe_dev_ring_fd(struct fe *fe, uint32_t request, unsigned int index, int fd);
int fe_dev_ring_enable(struct fe *fe, unsigned int index, bool on);

/** fe_dev_ring_stop() - GET_VRING_BASE; keeps what it says for the next start */
int fe_dev_ring_stop(struct fe_ring *ring);

/** fe_dev_log() - SET_LOG_BASE with a log in @fd */
int fe_dev_log(struct fe *fe, int fd, uint64_t bytes, uint64_t mmap_offset);

int fe_dev_get_u64(struct fe *fe, uint32_t request, uint64_t *value);

/* --- frontend_ring.c: virtqueues ------------------------------------------------------------- */

struct fe_part {
	uint64_t gpa;
	uint32_t bytes;
	bool writable;
};

/* fe_ring_add() flags */
#define FE_ADD_INDIRECT 0x1u /* parts go into an indirect table */
#define FE_ADD_HOLD	0x2u /* not to be seen before fe_ring_publish() */

/** fe_ring_open() - lay out ring @index in guest memory; features must be known */
int fe_ring_open(struct fe *fe, unsigned int index, uint16_t num);
void fe_ring_close(struct fe_ring *ring);

/** fe_ring_reset() - as after fe_ring_open(): empty, in the same memory */
void fe_ring_reset(struct fe_ring *ring);

/** fe_ring_add() - make a buffer available: its id (0..num-1), or -ENOSPC */
int fe_ring_add(struct fe_ring *ring, const struct fe_part *parts, unsigned int n_parts,
		unsigned int flags, uint64_t cookie);

/** fe_ring_publish() - let the back end see what was added with FE_ADD_HOLD */
void fe_ring_publish(struct fe_ring *ring);

/** fe_ring_kick() - kick if the back end asked for it; true if it did */
bool fe_ring_kick(struct fe_ring *ring);
void fe_ring_kick_always(struct fe_ring *ring);

/** fe_ring_get() - take one used buffer: 1, 0 if there is none, -EPROTO if it is nonsense */
int fe_ring_get(struct fe_ring *ring, uint64_t *cookie, uint32_t *bytes);

/** fe_ring_wait() - sleep until there is a used buffer: 1, or 0 after @timeout_ms */
int fe_ring_wait(struct fe_ring *ring, int timeout_ms);

/** fe_ring_has_used() - is there a used buffer? */
bool fe_ring_has_used(const struct fe_ring *ring);

/** fe_ring_call_on() / fe_ring_call_off() - ask to be interrupted at the next buffer, or not to */
void fe_ring_call_on(struct fe_ring *ring);
void fe_ring_call_off(struct fe_ring *ring);

/** fe_ring_in_flight() - buffers the back end has */
unsigned int fe_ring_in_flight(const struct fe_ring *ring);

/** fe_ring_error() - has the back end signalled VRING_ERR? Clears it. */
bool fe_ring_error(struct fe_ring *ring);

/* Cookie of a buffer that is in no pool: a test added it by hand. */
#define FE_NO_BUFFER UINT64_MAX

/* --- frontend_net.c: a network device -------------------------------------------------------- */

/* How a frame lies in the descriptors of its chain. */
enum fe_layout {
	FE_LAYOUT_ONE,	  /* header and frame in one */
	FE_LAYOUT_TWO,	  /* header, frame */
	FE_LAYOUT_HEADER, /* header in 5 pieces, frame */
	FE_LAYOUT_MANY,	  /* pieces of 7, 64 and then 300 bytes */
	FE_N_LAYOUTS,
};

/** fe_net_start() - everything: negotiate, memory, rings, receive buffers, enable */
int fe_net_start(struct fe *fe);

/** fe_net_rings_open() - lay out rings and buffers in guest memory, where that was not done yet */
int fe_net_rings_open(struct fe *fe);

/** fe_net_rings_start() / fe_net_rings_stop() - start, or stop with GET_VRING_BASE, all rings */
int fe_net_rings_start(struct fe *fe);
int fe_net_rings_stop(struct fe *fe);

/**
 * fe_net_reconnect() - after fe_sock_close() or the back end's death, on a new socket: everything
 * again, the rings going on where QEMU would let them (split: at the used index)
 */
int fe_net_reconnect(struct fe *fe);

/**
 * fe_net_send() - one frame; kicked by fe_net_flush()
 * @hdr: NULL: all zero
 * @flags: FE_ADD_INDIRECT or 0
 * Return: 0, -EAGAIN if there is no room (wait, then try again), -EMSGSIZE
 */
int fe_net_send(struct fe *fe, unsigned int pair, const struct fe_hdr *hdr, const void *frame,
		size_t bytes, enum fe_layout layout, unsigned int flags);
void fe_net_flush(struct fe *fe, unsigned int pair);

/** fe_net_reclaim() - take sent buffers back; number of them */
int fe_net_reclaim(struct fe *fe, unsigned int pair);

/**
 * fe_net_recv() - take one received frame
 * Return: its length, 0 if there is none, -EMSGSIZE (dropped), -EPROTO
 */
int fe_net_recv(struct fe *fe, unsigned int pair, struct fe_hdr *hdr, void *frame, size_t size);

/** fe_net_refill() - give the back end all receive buffers there are, and kick */
void fe_net_refill(struct fe *fe, unsigned int pair);

static inline struct fe_ring *fe_rx(struct fe *fe, unsigned int pair)
{
	return &fe->ring[2 * pair];
}

static inline struct fe_ring *fe_tx(struct fe *fe, unsigned int pair)
{
	return &fe->ring[2 * pair + 1];
}

#endif /* TESTS_FRONTEND_H */
