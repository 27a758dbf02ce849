/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * wires.bpf.h - a guest's frame out of the NICs: does it fit, and one copy for each.
 */
#ifndef VXDP_WIRES_BPF_H
#define VXDP_WIRES_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"

/* TC: let the next filter, if there is one, and then the stack have the frame. */
#define PASS (-1) /* TC_ACT_UNSPEC */
#define SHOT 2	  /* TC_ACT_SHOT */

#define ENODEV 19

#define VXDP_MARK_TO_HOST 0x76786470 /* "vxdp" */

/* Frames of one VLAN tag more than the netdev's MTU are fine everywhere. */
#define MTU_SLACK ((__s32)sizeof(struct vlan_tag))

/*
 * What of a guest's frame would not fit the wire is dropped here: a redirect asks no questions, and
 * not all drivers bear a frame that is longer than their MTU. Of a GSO frame it is the segments
 * that must fit.
 */
static __always_inline __u32 check_nic(struct __sk_buff *skb, __u32 ifindex, __u32 verdict)
{
	__u32 mtu = 0;
	long fits;

	if (skb->gso_size)
		fits = bpf_check_mtu(skb, ifindex, &mtu, 0, BPF_MTU_CHK_SEGS);
	else
		fits = bpf_check_mtu(skb, ifindex, &mtu, -MTU_SLACK, 0);
	if (fits < 0)
		return VXDP_DROP_REDIRECT;
	return fits == BPF_MTU_CHK_RET_SUCCESS ? verdict : VXDP_DROP_TX_BIG;
}

static __always_inline __u32 leave_action(const struct vxdp_frame *frame, __u32 port)
{
	struct vxdp_policy *out = policy_get(port);

	return out ? vlan_leave(frame, out) : VXDP_VLAN_DROP;
}

/* Give the frame the tag @port wants. Return: false if the port may not have it. */
static __always_inline bool leave_by(struct __sk_buff *skb, struct vxdp_frame *frame, __u32 port)
{
	__u32 action = leave_action(frame, port);

	return action != VXDP_VLAN_DROP && !tag_set(skb, frame, action);
}

/* A guest's frame for all on its way out. */
struct wires {
	struct __sk_buff *skb;
	struct vxdp_config *cfg;
	struct vxdp_frame *frame;
	__u32 fits;    /* uplinks it goes out by, as bits; a standby is not among them */
	__u32 verdict; /* VXDP_FLOODED, or why it fits none of them */
	__u32 self;    /* 1 + the one of them that gets the frame itself, not a copy; 0: none */
};

static long wires_check_one(__u32 slot, void *arg)
{
	struct wires *wires = arg;
	struct vxdp_uplink *up;
	__u32 verdict;

	if (slot >= VXDP_UPLINKS_MAX)
		return 1;
	up = &wires->cfg->uplink[slot];
	if (!up->ifindex || up->standby)
		return 0;
	verdict = check_nic(wires->skb, up->ifindex, VXDP_FLOODED);
	if (verdict != VXDP_FLOODED)
		wires->verdict = verdict;
	else if (leave_action(wires->frame, up->port) != VXDP_VLAN_DROP)
		wires->fits |= 1u << slot;
	if (!wires->self && wires->fits)
		wires->self = slot + 1;
	return 0;
}

/* Return: VXDP_FLOODED if it fits a wire, or if there is none; else why it fits none. */
static __always_inline __u32 wires_check(struct wires *wires)
{
	wires->verdict = VXDP_FLOODED;
	bpf_loop(wires->cfg->n_uplinks_end, wires_check_one, wires, 0);
	return wires->fits ? VXDP_FLOODED : wires->verdict;
}

/* To the host on this NIC, if it is a group address, and to its wire. */
static long wires_flood_one(__u32 slot, void *arg)
{
	struct wires *wires = arg;
	struct __sk_buff *skb = wires->skb;
	struct vxdp_uplink *up;

	if (slot >= VXDP_UPLINKS_MAX)
		return 1;
	up = &wires->cfg->uplink[slot];
	if (!up->ifindex)
		return 0;
	if (mac_is_group(wires->frame->dst.mac) && leave_by(skb, wires->frame, up->host_port)) {
		skb->mark = VXDP_MARK_TO_HOST;
		bpf_clone_redirect(skb, up->ifindex, BPF_F_INGRESS);
		skb->mark = 0;
	}
	if (wires->fits & 1u << slot && wires->self != slot + 1 &&
	    leave_by(skb, wires->frame, up->port))
		bpf_clone_redirect(skb, up->ifindex, 0);
	return 0;
}

static __always_inline int wires_flood(struct wires *wires)
{
	struct vxdp_uplink *up;

	bpf_loop(wires->cfg->n_uplinks_end, wires_flood_one, wires, 0);
	if (!wires->self)
		return SHOT;
	up = &wires->cfg->uplink[(wires->self - 1) & (VXDP_UPLINKS_MAX - 1)];
	return leave_by(wires->skb, wires->frame, up->port) ? bpf_redirect(up->ifindex, 0) : SHOT;
}

#endif /* VXDP_WIRES_BPF_H */
