/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * flood.bpf.h - one copy of a frame for each port that shall have one.
 *
 * Most ports take the frame with the tag it came with, so that is the first pass over them. Only if
 * it left some out is the tag changed and a further pass made: with the tag of the frame's VLAN,
 * and with none.
 */
#ifndef VXDP_FLOOD_BPF_H
#define VXDP_FLOOD_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"

struct flood {
	struct __sk_buff *skb;
	const struct vxdp_frame *frame;
	__u32 barred;	/* VXDP_POLICY_* flags of ports that get none */
	__u32 actions;	/* bits of enum vxdp_vlan_action: who gets a copy in this pass */
	__u32 left_out; /* of those who did not, what they would need */
	__u32 captured; /* longest capture_bytes of the ports that got one */
};

static long flood_port(__u32 index, void *arg)
{
	struct flood *flood = arg;
	__u32 id = VXDP_PORT_FIRST + index, action;
	struct vxdp_port *port = port_get(id);
	struct vxdp_policy *policy = policy_get(id);

	if (!port || !policy || port->kind < VXDP_KIND_VM || id == flood->frame->in_port ||
	    !(port->flags & VXDP_PORT_UP) || policy->flags & flood->barred)
		return 0;
	action = 1u << vlan_leave(flood->frame, policy);
	if (!(action & flood->actions)) {
		flood->left_out |= action;
		return 0;
	}
	if (port->flags & VXDP_PORT_CAPTURE && port->capture_bytes > flood->captured)
		flood->captured = port->capture_bytes;
	bpf_clone_redirect(flood->skb, port->ifindex, 0);
	return 0;
}

/* Copies for the ports that take the frame after @action, if any was left out for that reason. */
static __always_inline void flood_others(struct flood *flood, struct vxdp_frame *frame, __u32 n,
					 __u32 action)
{
	if (!(flood->left_out & 1u << action) || tag_set(flood->skb, frame, action))
		return;
	flood->actions = 1u << action;
	bpf_loop(n, flood_port, flood, 0);
}

/*
 * To every guest that is up, but where it came from. A port whose queue is full loses its copy,
 * which its netdev counts. A function that the verifier looks at by itself, for what it does to the
 * tag is done for each way in which a frame can have come here. Return: 0.
 */
__noinline int vxdp_flood(struct __sk_buff *skb, struct vxdp_frame *frame)
{
	struct vxdp_config *cfg = config_get();
	struct flood flood = {
		.skb = skb,
		.frame = frame,
		.actions = 1u << VXDP_VLAN_KEEP,
	};
	struct vxdp_policy *in;
	__u32 n;

	if (!cfg || !frame)
		return 0;
	in = policy_get(frame->in_port);
	n = cfg->n_ports_end;
	if (!in || n <= VXDP_PORT_FIRST || n > VXDP_PORTS_MAX)
		return 0;
	n -= VXDP_PORT_FIRST;
	flood.barred = in->flags & VXDP_POLICY_ISOLATED;
	if (!mac_is_group(frame->dst.mac))
		flood.barred |= VXDP_POLICY_NO_FLOOD;
	bpf_loop(n, flood_port, &flood, 0);
	flood_others(&flood, frame, n, VXDP_VLAN_PUSH);
	flood_others(&flood, frame, n, VXDP_VLAN_SET);
	flood_others(&flood, frame, n, VXDP_VLAN_POP);
	frame->captured = flood.captured > 0xffff ? 0xffff : flood.captured;
	return 0;
}

#endif /* VXDP_FLOOD_BPF_H */
