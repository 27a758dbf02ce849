/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared.h - the shared lane of one NIC: its AF_XDP sockets, and which ports take part.
 *
 * Main thread only. Each NIC queue has a socket and a UMEM of its own, and belongs to one worker.
 * What moves frames is lane_shared.h; who decides is lanes.c.
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

struct shared {
	struct shared_queue *queue[VXDP_NIC_QUEUES_MAX]; /* by NIC queue; NULL: none */
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

/** shared_open() - socket and UMEM for @queue, not in the maps yet. Return: 0 or -errno. */
int shared_open(struct sw *sw, unsigned int queue);

/** shared_publish() / shared_unpublish() - let the XDP program send frames there, or no more */
int shared_publish(struct sw *sw, unsigned int queue);
void shared_unpublish(struct sw *sw, unsigned int queue);

/** shared_close() - deliver what was received, close; nobody takes part any more */
void shared_close(struct sw *sw, unsigned int queue);

/**
 * shared_join() - frames of @port that come in there go to @active, frames from it leave there
 *
 * Its frames are kept back until shared_join_release().
 */
void shared_join(struct port *port, struct pair *const *active, unsigned int n_active);
void shared_join_release(struct port *port);

/** shared_leave() - deliver what has come for @port; from then on there is nothing for it */
void shared_leave(struct port *port);

/** shared_fits() - does @port take part with just these pairs? */
bool shared_fits(const struct port *port, struct pair *const *active, unsigned int n_active);

/** shared_queue_fits() - does a chunk hold a frame of the NIC's MTU? */
bool shared_queue_fits(const struct sw *sw, unsigned int queue);

/** shared_refuse() - it does not work on this NIC: note why */
void shared_refuse(struct sw *sw, unsigned int queue, int err);

/** shared_statistics() - the kernel's counters for all sockets, closed ones included */
struct xdp_statistics shared_statistics(const struct sw *sw);

/** shared_gone() - frames that came for ports which had gone */
struct lane_count shared_gone(const struct sw *sw);

/** shared_bytes() - memory of the UMEMs, all of it pinned */
uint64_t shared_bytes(const struct sw *sw);

#endif /* VXDP_LOADER_SHARED_H */
