/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.h - one queue pair of a guest: what a worker runs.
 *
 * Owner: the worker the pair is given to. The main thread changes a pair only from inside
 * worker_call() (worker.h), that is, in the worker's own thread between two passes; it reads the
 * counters at any time. Other workers deliver into its receive ring (deliver.h), but for that they
 * leave it alone.
 */
#ifndef VXDP_LOADER_PAIR_H
#define VXDP_LOADER_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include <vxdp/abi.h>
#include <vxdp/util.h>

#include "fair.h"
#include "flow.h"
#include "spin.h"
#include "turn.h"
#include "vhost/net.h"
#include "vhost/ring.h"
#include "window.h"

/* Longest GSO frame, its Ethernet header and two VLAN tags included. */
#define GSO_FRAME_MAX	  (65536 + 14 + 8)
#define VNET_HDR_MAX	  12
#define ETHERNET_OVERHEAD 22u /* Ethernet header and two VLAN tags */
#define BURST		  32
#define PAIR_SOCKETS_MAX  64 /* NIC queues that can feed one pair */
#define PAIR_FEEDS_MAX	  64 /* the same, of the shared lane */

struct lane_count {
	uint64_t packets;
	uint64_t bytes;
};

/* tx_* written by the worker, rx_* by whoever has the receive lock; read by anyone. */
struct pair_stats {
	struct lane_count rx_direct, rx_shared, rx_kernel, rx_guest, rx_bounced;
	struct lane_count tx_direct, tx_shared, tx_kernel, tx_guest, tx_bounced;
	struct lane_count drops[VXDP_N_VERDICTS];
};

static inline void count(struct lane_count *c, uint64_t packets, uint64_t bytes)
{
	__atomic_store_n(&c->packets, c->packets + packets, __ATOMIC_RELAXED);
	__atomic_store_n(&c->bytes, c->bytes + bytes, __ATOMIC_RELAXED);
}

struct capture;
struct deliver_table;
struct direct_socket;
struct guest_waiting;
struct port;
struct shared_queue;
struct tell;
struct worker;

/* Where frames for the wire of one uplink are sent; nothing: they take the kernel lane. */
struct pair_wire {
	struct direct_socket *direct;
	struct shared_queue *shared;
};

/* A queue of the shared lane that brings frames. */
struct pair_feed {
	struct shared_queue *q;
	uint32_t until; /* where in its ring those end that the tap's wait for */
};

struct pair {
	struct port *port;
	struct worker *worker;
	unsigned int index;

	/* NULL while stopped. */
	struct vu_ring *rx;
	struct vu_ring *tx;
	bool rx_enabled;
	bool tx_enabled;

	/* What the guest negotiated; constant while a ring runs. */
	uint64_t features;
	uint8_t hdr_bytes; /* 12 or 10 */
	bool mergeable;
	bool gso_rx;	/* the tap may hand us GSO frames */
	bool rx_csum;	/* the guest finishes checksums itself */
	bool rx_ecn;	/* takes GSO frames of TCP with ECN */
	uint8_t rx_gso; /* takes GSO frames: bit n for gso_type n */

	/*
	 * What changes as frames arrive: the receive ring, the window, rx_* of stats, the kernel
	 * lane's half that reads. With several workers whoever touches it has the lock, see
	 * deliver_lock().
	 */
	bool rx_shared;
	struct spin rx_lock;
	bool rx_waited; /* somebody has frames and no buffers: ask the guest for a kick */

	/* Kernel lane. */
	int tap_fd;	   /* this pair's queue, -1 while there is none */
	int tx_tap_fd;	   /* where frames are written: the same, or the port's first queue */
	bool tap_readable; /* until a read says EAGAIN */
	bool tap_held;	   /* not to be read: older frames are in another lane */
	bool rx_starved;   /* a lane waits for receive buffers: ask the guest for a kick */
	uint32_t frame_bytes_max; /* without GSO: MTU, Ethernet header, two tags */
	struct turn tap_turn;	  /* flows that come by the tap from now on */
	bool feeds_marked;	  /* it waits for what is in the sockets now, and in: */
	unsigned int n_feeds;
	struct pair_feed feed[PAIR_FEEDS_MAX];
	uint8_t *held; /* a frame read from the tap that waits for buffers; GSO_FRAME_MAX */
	uint32_t held_bytes;
	uint64_t held_since_ns;

	/* Direct lane. */
	struct direct_socket *socket[PAIR_SOCKETS_MAX];
	unsigned int n_sockets;
	unsigned int posted_max; /* quota of guest buffers in fill rings */

	/* Direct and shared lane: where it sends. Of the latter shared_poll() brings what comes in.
	 */
	struct pair_wire wire[VXDP_UPLINKS_MAX]; /* by entry of config.uplink[] */
	unsigned int n_wires;			 /* one past the last that has something */

	struct flow_tables tables;
	struct flow_cache *flows; /* of its worker */
	struct tell *tell;	  /* likewise */
	struct capture *capture;  /* NULL unless `vxdp dump` listens; see capture.h */

	/* Guest lane. */
	bool guest_lane; /* it may send there */
	const struct deliver_table *deliver;
	struct guest_waiting *waiting;
	bool runs; /* the last burst was one: nothing but plain frames for one guest */

	struct window window;
	struct pair_stats stats;
	struct fair_share fair;
	uint64_t busy_cycles; /* its worker spent on it while it had work */
	uint64_t busy_before; /* the main thread's: what that was a second ago */

	/* A reason to stop, for the main thread to act upon; set once by the worker. */
	const char *fault;
	bool fault_rx;	/* which ring is broken */
	bool fault_mem; /* neither: the guest's memory is gone */
	bool fault_told;
};

/* To be called when one of them has changed. */
static inline void pair_wires_count(struct pair *p)
{
	p->n_wires = 0;
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (p->wire[i].direct || p->wire[i].shared)
			p->n_wires = i + 1;
}

#endif /* VXDP_LOADER_PAIR_H */
