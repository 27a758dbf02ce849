/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * flows.bpf.h - what each CPU remembers of the frames that TC has decided on.
 *
 * Theory of operation
 *
 * For as long as config.generation stays what it is, policy and the address table say the same of
 * an untagged frame with these addresses that comes in here. So what they said is kept, in
 * tc_flows, which is up to five look-ups in hash tables less for a frame. After FLOW_NS it is asked
 * again, which also notes that the source address is still there.
 *
 * Kept is what goes to one port just as it is. Not kept is what more depends on than the
 * generation: who may send from which addresses (port_macs), the time since a guest was last seen
 * where there are several uplinks (loop.bpf.h), an address that could not be learnt yet, and what
 * is recorded for `vxdp dump`.
 *
 * The programs on one CPU take turns, so an entry needs no lock. XDP keeps more of a flow, in
 * fast_flows (fast.bpf.h).
 */
#ifndef VXDP_FLOWS_BPF_H
#define VXDP_FLOWS_BPF_H

#include "capture.bpf.h"
#include "fdb.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"

#define FLOW_BITS 8
#define FLOWS	  (1 << FLOW_BITS)     /* kept by a CPU, in either table */
#define FLOW_NS	  (FDB_REFRESH_NS / 2) /* ageing times are whole seconds */

/* Untagged frames with these addresses that come in here go there. */
struct tc_flow {
	__u64 dst; /* struct vxdp_fdb_key, VLAN 0 */
	__u64 src;
	__u64 generation; /* under which that was so */
	__u64 until_ns;	  /* coarse CLOCK_MONOTONIC; 0: the entry is free */
	__u32 hook;	  /* where they come in: FLOW_HOOK() */
	__u32 verdict;	  /* enum vxdp_verdict */
	__u16 in_port;
	__u16 out_port;
	__u32 pad;
};

/* A netdev, and whether they go into it (the host's, at its NIC) or come from it. */
#define FLOW_HOOK(ifindex, egress) ((ifindex) | (__u32)(egress) << 31)

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWS);
	__type(key, __u32);
	__type(value, struct tc_flow);
} tc_flows SEC(".maps");

/*
 * Where in a table a flow is kept. The topmost bits of the product, as they alone depend on all
 * others: what differs from guest to guest is the end of its address, and so the upper bits of a
 * key.
 */
static __always_inline __u32 flow_slot(__u64 dst, __u64 src)
{
	return ((dst ^ src << 7) * 0x9e3779b97f4a7c15ULL) >> (64 - FLOW_BITS);
}

/* A frame whose flow is looked for: how it was before anything was decided. */
struct flow_look {
	struct tc_flow *flow; /* where it is kept, or may be; NULL: not at all */
	__u64 dst, src;	      /* as in struct tc_flow */
	__u64 generation;
	__u32 hook;
};

/* Return: is it known? Then its verdict is look->flow's, and the frame's ports are set. */
static __always_inline bool flow_find(struct flow_look *look, const struct vxdp_config *cfg,
				      struct vxdp_frame *frame, __u32 hook)
{
	const struct tc_flow *flow;
	__u32 slot;

	if (frame->tag || cfg->n_uplinks_end > 1)
		return false;
	/* Before anything is looked up: a change meanwhile makes what is kept worthless. */
	look->generation = *(const volatile __u64 *)&cfg->generation;
	look->hook = hook;
	__builtin_memcpy(&look->dst, &frame->dst, sizeof(look->dst));
	__builtin_memcpy(&look->src, &frame->src, sizeof(look->src));
	slot = flow_slot(look->dst, look->src);
	flow = look->flow = bpf_map_lookup_elem(&tc_flows, &slot);
	if (!flow || flow->dst != look->dst || flow->src != look->src || flow->hook != hook ||
	    flow->generation != look->generation || flow->until_ns <= frame->now)
		return false;
	frame->in_port = flow->in_port;
	frame->out_port = flow->out_port;
	frame->known = true;
	return true;
}

/* @learnt: its source is known to be at frame->in_port */
static __always_inline void flow_keep(const struct flow_look *look, const struct vxdp_frame *frame,
				      const struct vxdp_policy *in, bool learnt, __u32 verdict)
{
	struct tc_flow *flow = look->flow;

	if (!flow || !learnt || in->flags & VXDP_POLICY_SPOOF_CHECK ||
	    frame->action != VXDP_VLAN_KEEP || mac_is_group(frame->dst.mac) ||
	    (verdict != VXDP_TO_PORT && verdict != VXDP_TO_WIRE && verdict != VXDP_TO_HOST) ||
	    capture_wanted(frame))
		return;
	flow->dst = look->dst;
	flow->src = look->src;
	flow->generation = look->generation;
	flow->until_ns = frame->now + FLOW_NS;
	flow->hook = look->hook;
	flow->verdict = verdict;
	flow->in_port = frame->in_port;
	flow->out_port = frame->out_port;
}

#endif /* VXDP_FLOWS_BPF_H */
