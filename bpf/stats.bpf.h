/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * stats.bpf.h - the way out of every program: the frame's verdict is counted here, once, under the
 * port it came from.
 */
#ifndef VXDP_STATS_BPF_H
#define VXDP_STATS_BPF_H

#include "capture.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

static __always_inline void count(const struct vxdp_frame *frame, __u32 verdict)
{
	__u32 id = frame->in_port;
	struct vxdp_port_stats *port = bpf_map_lookup_elem(&stats, &id);
	struct vxdp_counter *counter = (struct vxdp_counter *)port;

	if (!port || verdict >= VXDP_N_VERDICTS)
		return;
	counter[verdict].packets += frame->packets;
	counter[verdict].bytes += frame->bytes;
}

static __always_inline int finish_skb(struct __sk_buff *skb, const struct vxdp_frame *frame,
				      __u32 verdict, int action)
{
	count(frame, verdict);
	if (__builtin_expect(!frame->known && capture_wanted(frame), 0))
		capture_skb(skb, frame, verdict);
	return action;
}

static __always_inline void finish_xdp(struct xdp_md *xdp, const struct vxdp_frame *frame,
				       __u32 verdict)
{
	count(frame, verdict);
	if (__builtin_expect(capture_wanted(frame), 0))
		capture_xdp(xdp, frame, verdict);
}

#endif /* VXDP_STATS_BPF_H */
