/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deliver.h - put frames into a guest's receive ring, from any worker.
 *
 *   table            port id -> the queue pairs that receive; changed by the main thread only
 *   deliver_pair()   which pair of a port takes a frame
 *   deliver_burst()  copy a burst of frames there: one publication, at most one interrupt
 *
 * A pair that is taken out of the table is not touched by any worker but its own once
 * deliver_publish() has returned: the workers were all seen between two passes meanwhile.
 */
#ifndef VXDP_LOADER_DELIVER_H
#define VXDP_LOADER_DELIVER_H

#include "pair.h"
#include "tell.h"

/* A frame in memory the worker may read, for a guest. */
struct deliver_frame {
	struct vu_net_hdr hdr; /* checked; num_buffers is nobody's business */
	uint32_t bytes;	       /* of the frame */
	uint32_t skip;	       /* bytes before it in iov[] */
	uint16_t n_iov;
	uint16_t head_bytes; /* of the frame that head has; only the rest is read from iov[] */
	const struct iovec *iov;
	const uint8_t *head; /* private copy of its beginning: what was checked is what is sent */
};

struct deliver_set {
	unsigned int n;
	struct pair *pair[];
};

struct deliver_table {
	struct deliver_set *set[VXDP_PORTS_MAX];
	bool known[VXDP_PORTS_MAX]; /* a guest has received there: it may do so again at any time */
};

/**
 * deliver_publish() - main thread: these pairs of a port receive from now on
 * @pairs: ring running and enabled, in the order of their numbers
 * @n: 0: none
 * @workers: all there are; they are waited for if a pair is taken away
 * Return: 0; -ENOMEM, and then none receives.
 */
int deliver_publish(struct deliver_table *table, uint32_t port, struct pair *const *pairs,
		    unsigned int n, struct worker *const *workers, unsigned int n_workers);

/** deliver_forget() - main thread: the port is no more */
static inline void deliver_forget(struct deliver_table *table, uint32_t port)
{
	__atomic_store_n(&table->known[port], false, __ATOMIC_RELAXED);
}

/** deliver_comes_back() - if none receives on this port: may one do so in a moment? */
static inline bool deliver_comes_back(const struct deliver_table *table, uint32_t port)
{
	return __atomic_load_n(&table->known[port], __ATOMIC_RELAXED);
}

/** deliver_pair() - the pair for frames of a flow with this hash, or NULL: none receives */
static inline struct pair *deliver_pair(const struct deliver_table *table, uint32_t port,
					uint32_t hash)
{
	const struct deliver_set *set = load_acquire(&table->set[port]);

	if (!set)
		return NULL;
	return set->pair[set->n == 1 ? 0 : hash % set->n];
}

/** deliver_pairs() - how many pairs of the port receive: 1 needs no hash */
static inline unsigned int deliver_pairs(const struct deliver_table *table, uint32_t port)
{
	const struct deliver_set *set = load_acquire(&table->set[port]);

	return set ? set->n : 0;
}

/**
 * deliver_burst() - copy frames into a pair's receive ring
 * @q: of deliver_pair(), in the same pass
 * @lane: where to count what arrived: one of q->stats
 *
 * Offloads the guest has not negotiated are done on the way. Frames that can never be delivered
 * are dropped and counted.
 *
 * Return: how many frames, from the first one on, are dealt with. The others do not fit now.
 */
unsigned int deliver_burst(struct pair *q, const struct deliver_frame *frames, unsigned int n,
			   struct lane_count *lane);

/** deliver_expect() - @n frames are about to come: have buffers for them at hand */
void deliver_expect(struct pair *q, unsigned int n);

/**
 * deliver_packets() - wire packets in one frame
 *
 * Looks at its private beginning where that goes far enough, so that it says the same each time.
 */
uint32_t deliver_packets(const struct deliver_frame *f);

/** deliver_drop() - count frames that were for @q and will not be delivered */
void deliver_drop(struct pair *q, enum vxdp_verdict why, uint64_t packets, uint64_t bytes);

/* With the pair's receive lock held: */

/**
 * deliver_room() - how many of the pair's next receive buffers a frame takes
 * @bytes: header included
 * Return: 0 if there is not enough, or what is there is unusable.
 */
unsigned int deliver_room(struct pair *q, uint32_t bytes);

/** deliver_parts() - of those buffers, which lie side by side from window_first()->iov on */
static inline unsigned int deliver_parts(const struct pair *q, unsigned int chains)
{
	const struct vu_chain *first = &q->window.chain[q->window.head], *last = first + chains - 1;

	return (unsigned int)(last->iov - first->iov) + last->n_iov;
}

/** deliver_room_never() - deliver_room() said 0, and more buffers would not change it */
bool deliver_room_never(const struct pair *q);

/** deliver_done() - the first @bytes of those buffers were written: give them to the guest */
void deliver_done(struct pair *q, uint32_t bytes);

/**
 * deliver_copy() - copy a frame that needs nothing done to it
 * Return: true if delivered; false if there is no room for it now (nothing was changed).
 */
bool deliver_copy(struct pair *q, const struct vu_net_hdr *hdr, const uint8_t *frame,
		  uint32_t bytes);

/* The receive side of a pair belongs to whoever has this; its own worker takes it too. */
static inline void deliver_lock(struct pair *q)
{
	if (q->rx_shared)
		spin_lock(&q->rx_lock);
}

static inline void deliver_unlock(struct pair *q)
{
	if (q->rx_shared)
		spin_unlock(&q->rx_lock);
}

/* Does the guest want to know of what it was given? */
static inline void deliver_tell(struct pair *q)
{
	tell_later(q->rx_shared ? NULL : q->tell, q->rx);
}

#endif /* VXDP_LOADER_DELIVER_H */
