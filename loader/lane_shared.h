/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_shared.h - guest rings <-> AF_XDP sockets whose UMEM is vxdp's own.
 *
 * The hot half of the shared lane: several guests behind one NIC queue. Receiving is done by the
 * worker that has the NIC queue, sending by the workers of the guests. Opening and closing the
 * sockets, and who joins, is shared.h.
 */
#ifndef VXDP_LOADER_LANE_SHARED_H
#define VXDP_LOADER_LANE_SHARED_H

#include <pthread.h>

#include "pair.h"
#include "xsk.h"

#define SHARED_RX_CHUNKS XSK_RING_ENTRIES
#define SHARED_TX_CHUNKS 1024
#define SHARED_CHUNKS	 (SHARED_RX_CHUNKS + SHARED_TX_CHUNKS)
#define SHARED_BATCH	 64
#define SHARED_STASH_MAX (SHARED_RX_CHUNKS / 2)

/* A frame as it came, behind its struct vxdp_shared_head. */
struct shared_frame {
	uint64_t addr; /* of the frame in the UMEM */
	uint32_t bytes;
	uint16_t port;
};

/* Where the frames of one port go; NULL: nowhere. */
struct shared_target {
	struct pair *pair;
	bool held; /* its frames wait in the stash: older ones are on their way by its tap */
	/* Held since then, for a flow that turned (turn.h); 0: by lanes_change.c, if held. */
	uint64_t turned_ns;
};

struct shared_queue {
	struct xsk xsk;
	struct xsk_umem umem;
	struct uplink *uplink;
	unsigned int queue; /* of the NIC */
	struct worker *worker;

	/* Its worker's. */
	struct turn turn;      /* flows that come here from now on, and came by a tap */
	unsigned int n_turned; /* targets that are held for that */
	struct shared_target target[VXDP_PORTS_MAX];
	unsigned int n_stashed;
	struct shared_frame stash[SHARED_STASH_MAX];
	struct lane_count n_gone; /* frames whose port had gone meanwhile */

	/* Of whoever has the lock. */
	pthread_mutex_t tx_lock;
	unsigned int n_tx_free;	  /* read without it as a hint */
	unsigned int n_tx_flying; /* submitted and not back yet; same */
	uint64_t tx_free[SHARED_TX_CHUNKS];
	bool tx_stuck; /* the NIC takes nothing: frames go to the kernel lane */
};

/** shared_poll() - one pass over a NIC queue: frames to the guests, chunks back. Return: frames. */
unsigned int shared_poll(struct shared_queue *q);

/** shared_rx_all() - deliver what the queue holds, turns or not; for those who hold the taps */
void shared_rx_all(struct shared_queue *q);

/** shared_fill_all() - give the kernel every receive chunk; once, before the queue is bound */
void shared_fill_all(struct shared_queue *q);

/** shared_release() - deliver what waits in the stash for @port, and hold nothing back any more */
void shared_release(struct shared_queue *q, uint32_t port);

/** shared_needs_clock() - has to be looked at again without an event */
bool shared_needs_clock(const struct shared_queue *q);

/* What one burst of a guest sends: chunks taken beforehand, filled, and submitted together. */
struct shared_burst {
	struct shared_queue *q;
	unsigned int n_chunks; /* not used yet */
	unsigned int n_frames;
	uint64_t chunk[BURST];
	struct xdp_desc frame[BURST];
};

static inline void shared_burst_init(struct shared_burst *burst, struct shared_queue *q)
{
	burst->q = q; /* the arrays are long, and mostly not needed */
	burst->n_chunks = 0;
	burst->n_frames = 0;
}

/** shared_tx_room() - frames that can be sent now, at most BURST */
unsigned int shared_tx_room(struct shared_queue *q);

/**
 * shared_tx() - copy one guest frame into a chunk, its checksum finished
 * @head: private copy of its beginning: what was checked is what is sent
 * @head_bytes: of that
 *
 * Counts what became of it. Does not push the buffer.
 */
void shared_tx(struct pair *p, struct shared_burst *burst, const struct vu_net_hdr *hdr,
	       const struct vu_chain *chain, const uint8_t *head, size_t head_bytes);

/** shared_tx_flush() - submit the burst and make the kernel send */
void shared_tx_flush(struct shared_burst *burst);

/** shared_tx_drain() - give frames under way a moment to leave; from the worker of the queue */
void shared_tx_drain(struct shared_queue *q);

#endif /* VXDP_LOADER_LANE_SHARED_H */
