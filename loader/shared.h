/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared.h - the shared lane of a switch: AF_XDP sockets on its NICs, and which ports take part.
 *
 * Main thread only. Each NIC queue has a socket and a UMEM of its own, and belongs to one worker.
 * Queues go by their place (uplink_place()). What moves frames is lane_shared.h; who decides is
 * lanes.c.
 */
#ifndef VXDP_LOADER_SHARED_H
#define VXDP_LOADER_SHARED_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>

#include <vxdp/abi.h>

#include "pair.h"

/* What a chunk has to hold besides a frame of the MTU. */
#define SHARED_OVERHEAD	 (256 + sizeof(struct vxdp_shared_head) + ETHERNET_OVERHEAD)
#define SHARED_CHUNK_MAX 4096u
#define SHARED_MTU_MAX	 (SHARED_CHUNK_MAX - SHARED_OVERHEAD)

struct shared_queue;

/* Of an uplink. The queues themselves are in sw->shared_queue[]. */
struct shared {
	unsigned int n_queues;
	bool zerocopy;
	bool refused;		    /* not on this NIC */
	unsigned int tries;	    /* at a queue that is still busy */
	struct xdp_statistics past; /* of sockets that were closed */
	struct lane_count gone_past;
	char reason[160]; /* why it was refused */
};

struct sw;
struct port;
struct uplink;

/** shared_open() - socket and UMEM for NIC queue @queue, not in the maps yet. Return: 0 or -errno.
 */
int shared_open(struct uplink *u, unsigned int queue);

/** shared_publish() / shared_unpublish() - let the XDP program send frames there, or no more */
void shared_publish(struct sw *sw, unsigned int place);
void shared_unpublish(struct sw *sw, unsigned int place);

/** shared_close() - deliver what was received, close; nobody takes part any more */
void shared_close(struct sw *sw, unsigned int place);

/**
 * shared_join() - frames of @port that come in by any queue there is go to @active
 * @uplinks: as bits: by which of them frames from it leave
 *
 * Its frames are kept back where they came to nobody before, until shared_join_release().
 *
 * Return: are there such?
 */
bool shared_join(struct port *port, unsigned int uplinks, struct pair *const *active,
		 unsigned int n_active);
void shared_join_release(struct port *port);

/** shared_leave() - deliver what has come for @port; from then on there is nothing for it */
void shared_leave(struct port *port);

/** shared_pairs_fit() - does @port take part with just these pairs? */
bool shared_pairs_fit(const struct port *port, struct pair *const *active, unsigned int n_active);

/** shared_is_on() - has @port the shared lane there? */
bool shared_is_on(const struct port *port, const struct uplink *u);

/** shared_queue_fits() - does a chunk hold a frame of the NIC's MTU? */
bool shared_queue_fits(const struct shared_queue *q);

/** shared_refuse() - it does not work on this NIC: note why */
void shared_refuse(struct uplink *u, unsigned int queue, int err);

/** shared_statistics() - the kernel's counters for all sockets, closed ones included */
struct xdp_statistics shared_statistics(const struct uplink *u);

/** shared_gone() - frames that came for ports which had gone */
struct lane_count shared_gone(const struct uplink *u);

/** shared_bytes() - memory of the UMEMs, all of it pinned */
uint64_t shared_bytes(const struct uplink *u);

#endif /* VXDP_LOADER_SHARED_H */
