/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * policy.bpf.h - what the user allows a port: its VLANs, its addresses, whom it may talk to.
 *
 * The rules of VLANs are those of vxdp/vlan.h; here they are applied to an skb. A frame that goes
 * to several ports is rewritten between the clones, so tag_set() works from any form to any other.
 */
#ifndef VXDP_POLICY_BPF_H
#define VXDP_POLICY_BPF_H

#include <vxdp/vlan.h>

#include "maps.bpf.h"
#include "meter.bpf.h"
#include "parse.bpf.h"

static __always_inline struct vxdp_policy *policy_get(__u32 port)
{
	return bpf_map_lookup_elem(&policies, &port);
}

/* Link control between the host and the wire (spanning tree, LACP, LLDP) is in no VLAN. */
static __always_inline bool is_link_control(const struct vxdp_frame *frame)
{
	return frame->at_nic && mac_is_link_local(frame->dst.mac);
}

/* Put the frame into its VLAN. Return: false if the port does not take it. */
static __always_inline bool vlan_enter(struct vxdp_frame *frame, const struct vxdp_policy *in)
{
	int vlan = vxdp_vlan_in(in, frame->tag & TAG_PRESENT, frame->tag & VXDP_VLAN_MASK);

	if (vlan == VXDP_VLAN_REFUSED)
		return false;
	frame->src.vlan = vlan;
	frame->dst.vlan = vlan;
	return true;
}

/* What has to be done to the frame's tag before it leaves by a port. */
static __always_inline enum vxdp_vlan_action vlan_leave(const struct vxdp_frame *frame,
							const struct vxdp_policy *out)
{
	if (is_link_control(frame))
		return VXDP_VLAN_KEEP;
	return vxdp_vlan_out(out, frame->dst.vlan, frame->tag & TAG_PRESENT,
			     frame->tag & VXDP_VLAN_MASK);
}

static __always_inline bool source_allowed(const struct vxdp_frame *frame,
					   const struct vxdp_policy *in)
{
	struct vxdp_port_mac key = {.port = frame->in_port};

	if (!(in->flags & VXDP_POLICY_SPOOF_CHECK))
		return true;
	__builtin_memcpy(key.mac, frame->src.mac, sizeof(key.mac));
	return bpf_map_lookup_elem(&port_macs, &key);
}

#define SECOND_NS      1000000000ULL
#define STORM_BURST_NS (SECOND_NS / 10)

/*
 * May the port flood one more frame? It may use up a tenth of a second's worth at once, at least
 * one frame; the packets of a GSO frame go together.
 */
static __always_inline bool storm_allows(const struct vxdp_frame *frame,
					 const struct vxdp_policy *in)
{
	__u32 port = frame->in_port;
	struct vxdp_meter *meter;
	__u64 cost;

	if (!in->storm_pps)
		return true;
	meter = bpf_map_lookup_elem(&meters, &port);
	cost = SECOND_NS / in->storm_pps * frame->packets;
	return !meter || meter_take(&meter->storm_ns, bpf_ktime_get_ns(), cost, STORM_BURST_NS);
}

static __always_inline __u32 tag_wanted(const struct vxdp_frame *frame, __u32 action)
{
	__u32 vlan = frame->dst.vlan & VXDP_VLAN_MASK;

	if (action == VXDP_VLAN_KEEP)
		return frame->tag;
	if (action == VXDP_VLAN_POP)
		return 0;
	return TAG_PRESENT | (frame->tag & 0xffff & ~VXDP_VLAN_MASK) | vlan;
}

/* The kernel takes a tag off the data only where skb->protocol says that there is one. */
static __always_inline bool tag_can_go(const struct __sk_buff *skb)
{
	return skb->vlan_present || is_vlan(skb->protocol);
}

/* Give the skb the tag it shall leave with, whatever it was given before. Return: 0 if that worked.
 */
static __always_inline long tag_set(struct __sk_buff *skb, struct vxdp_frame *frame, __u32 action)
{
	__u32 wanted = tag_wanted(frame, action);
	long err = 0;

	if (wanted == frame->tag_now)
		return 0;
	if (frame->tag_now)
		err = tag_can_go(skb) ? bpf_skb_vlan_pop(skb) : -1;
	if (err)
		return err;
	frame->tag_now = 0;
	if (wanted)
		err = bpf_skb_vlan_push(skb, frame->tag_proto, wanted);
	if (!err)
		frame->tag_now = wanted;
	return err;
}

#endif /* VXDP_POLICY_BPF_H */
