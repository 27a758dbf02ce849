/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_guest.h - a guest's transmit ring -> other guests' receive rings, one copy.
 */
#ifndef VXDP_LOADER_LANE_GUEST_H
#define VXDP_LOADER_LANE_GUEST_H

#include "deliver.h"
#include "pair.h"

#define GUEST_HEAD_BYTES 64 /* virtio-net header and the first bytes of a frame, read once */

/* The part of a frame that is looked at, where nobody can change it any more. */
struct guest_head {
	struct vu_net_hdr hdr;
	uint8_t frame[GUEST_HEAD_BYTES - sizeof(struct vu_net_hdr)];
} __attribute__((aligned(64)));

/* Frames of one burst that were found to go to other guests. */
struct guest_batch {
	unsigned int n;
	struct pair *to[BURST];
	struct flow_entry *flow[BURST];
	struct vu_head buffer[BURST];
	uint32_t hash[BURST]; /* of the flow, if the port has several queue pairs */
	struct deliver_frame frame[BURST];
	struct guest_head head[BURST]; /* by place in the burst */
};

/**
 * guest_route() - the lane of a frame
 * @b: what was found before it; sent if it has to be out of the way of what is asked now
 * @head: the frame's private beginning
 * @bytes: of that, without the virtio-net header
 * @generation: of this burst
 */
struct flow_entry *guest_route(struct pair *p, struct guest_batch *b, const uint8_t *head,
			       size_t bytes, uint32_t generation, uint64_t now_ns);

/**
 * guest_add() - a frame for another guest
 * @i: its place in the burst: its beginning is in b->head[i]
 * @flow: of guest_route()
 * Return: false if that port receives nothing now; the frame is for the kernel lane then.
 */
bool guest_add(struct pair *p, struct guest_batch *b, unsigned int i, const struct vu_chain *c,
	       struct flow_entry *flow, uint64_t now_ns);

/** guest_flush() - deliver what was added; buffers are pushed, but for those that wait */
void guest_flush(struct pair *p, struct guest_batch *b, uint64_t now_ns);

/** guest_before_kernel() - a frame of @flow takes the kernel lane: what is older must go first */
void guest_before_kernel(struct pair *p, struct guest_batch *b, const struct flow_entry *flow,
			 uint64_t now_ns);

#endif /* VXDP_LOADER_LANE_GUEST_H */
