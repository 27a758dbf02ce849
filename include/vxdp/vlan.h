/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * vlan.h - the rules of VLANs, the same for the BPF programs and the lanes in user space.
 *
 * A frame belongs to one VLAN from where it comes in: its tag and the port's policy say which. That
 * VLAN is part of the key of the FDB, and says whether and how the frame may leave by another port.
 *
 *	mode	in: untagged or vid 0	in: tagged	out
 *	ALL	VLAN 0			its vid		VLAN 0 untagged, others tagged
 *	ACCESS	pvid			dropped		pvid untagged, others not at all
 *	TRUNK	pvid, or dropped	if a member	pvid untagged, members tagged
 *
 * A tag with vid 0 carries only a priority. It becomes part of the tag the frame leaves with, and
 *is lost where it leaves without one; ports of mode ALL exchange such frames as they are.
 *
 * Pure functions: no maps, no frames.
 */
#ifndef VXDP_VLAN_H
#define VXDP_VLAN_H

#include "abi.h"

#define VXDP_VLAN_REFUSED (-1) /* the port does not take such a frame */

/* What happens to the outermost tag of a frame that leaves. */
enum vxdp_vlan_action {
	VXDP_VLAN_KEEP, /* as it came */
	VXDP_VLAN_PUSH, /* gets the tag of its VLAN */
	VXDP_VLAN_SET,	/* its priority tag becomes the tag of its VLAN */
	VXDP_VLAN_POP,	/* loses its tag */
	VXDP_VLAN_DROP, /* the port is not in the VLAN */
};

/* May tagged frames of @vlan pass the port? */
static inline _Bool vxdp_vlan_allowed(const struct vxdp_policy *port, __u16 vlan)
{
	vlan &= VXDP_VLAN_MASK;
	return port->vlans[vlan / 64] >> vlan % 64 & 1;
}

/**
 * vxdp_vlan_in() - the VLAN a frame belongs to
 * @in: policy of the port it comes from
 * @tagged: it has a tag
 * @vid: VLAN id of the outermost one
 * Return: the VLAN, or VXDP_VLAN_REFUSED.
 */
static inline int vxdp_vlan_in(const struct vxdp_policy *in, _Bool tagged, __u16 vid)
{
	if (!tagged)
		vid = 0;
	if (in->vlan_mode == VXDP_VLAN_ALL)
		return vid;
	if (!vid)
		return in->pvid == VXDP_VLAN_NONE ? VXDP_VLAN_REFUSED : in->pvid;
	if (in->vlan_mode == VXDP_VLAN_TRUNK && (vid == in->pvid || vxdp_vlan_allowed(in, vid)))
		return vid;
	return VXDP_VLAN_REFUSED;
}

/**
 * vxdp_vlan_out() - how a frame leaves
 * @out: policy of the port it goes to
 * @vlan: what vxdp_vlan_in() said
 */
static inline enum vxdp_vlan_action vxdp_vlan_out(const struct vxdp_policy *out, __u16 vlan,
						  _Bool tagged, __u16 vid)
{
	if (out->vlan_mode == VXDP_VLAN_ALL) {
		if (!vlan)
			return tagged && vid ? VXDP_VLAN_POP : VXDP_VLAN_KEEP;
	} else if (vlan == out->pvid) {
		return tagged ? VXDP_VLAN_POP : VXDP_VLAN_KEEP;
	} else if (out->vlan_mode != VXDP_VLAN_TRUNK || !vxdp_vlan_allowed(out, vlan)) {
		return VXDP_VLAN_DROP;
	}
	if (!tagged)
		return VXDP_VLAN_PUSH;
	return vid == vlan ? VXDP_VLAN_KEEP : VXDP_VLAN_SET;
}

/** vxdp_policy_isolated() - are the two ports kept from talking to each other? */
static inline _Bool vxdp_policy_isolated(const struct vxdp_policy *a, const struct vxdp_policy *b)
{
	return a->flags & b->flags & VXDP_POLICY_ISOLATED;
}

/**
 * vxdp_policy_plain() - do frames with this tag pass from @in to @out just as they are?
 *
 * True: a lane that can only copy may carry them, once the FDB has both addresses in the VLAN of
 * vxdp_vlan_in(). Whether the source is allowed (VXDP_POLICY_SPOOF_CHECK) is in a map: who asks
 * here looks there too.
 */
static inline _Bool vxdp_policy_plain(const struct vxdp_policy *in, const struct vxdp_policy *out,
				      _Bool tagged, __u16 vid)
{
	int vlan = vxdp_vlan_in(in, tagged, vid);

	return vlan != VXDP_VLAN_REFUSED && !vxdp_policy_isolated(in, out) &&
	       vxdp_vlan_out(out, (__u16)vlan, tagged, vid) == VXDP_VLAN_KEEP;
}

#endif /* VXDP_VLAN_H */
