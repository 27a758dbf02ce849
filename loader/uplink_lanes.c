// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uplink_lanes.c - what the lanes ask of an uplink, and what is said of it.
 *
 * Each uplink has a range of places in the maps queues and xsks, one for each of its receive queues
 * (struct vxdp_uplink). Whatever here belongs to a NIC queue goes by that place, so that queues of
 * several NICs are as distinct as those of one.
 */
#include <string.h>

#include <vxdp/util.h>

#include "port.h"
#include "xdp.h"

static const struct vxdp_uplink *entry(const struct uplink *u)
{
	return vxdp_bpf_uplink(u->sw->bpf, u->slot);
}

bool uplink_carries(const struct uplink *u)
{
	return u->nic && !u->closing && !entry(u)->standby;
}

struct uplink *uplink_main(const struct sw *sw)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (sw->uplink[i] && uplink_carries(sw->uplink[i]))
			return sw->uplink[i];
	return NULL;
}

unsigned int uplink_queues(const struct uplink *u)
{
	return uplink_carries(u) ? MIN(nic_info(u->nic)->rx_queues, uplink_places(u)) : 0;
}

unsigned int uplink_place(const struct uplink *u, unsigned int queue)
{
	return entry(u)->queue_base + queue;
}

unsigned int uplink_places(const struct uplink *u)
{
	return entry(u)->n_queues;
}

struct uplink *uplink_at(const struct sw *sw, unsigned int place)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		struct uplink *u = sw->uplink[i];

		if (u && place >= uplink_place(u, 0) && place < uplink_place(u, uplink_places(u)))
			return u;
	}
	return NULL;
}

bool uplink_is_native(const struct uplink *u)
{
	return vxdp_bpf_uplink_xdp(u->sw->bpf, u->slot)->mode == VXDP_XDP_NATIVE;
}

bool uplink_has_xdp(const struct uplink *u)
{
	return vxdp_bpf_uplink_xdp(u->sw->bpf, u->slot)->mode != VXDP_XDP_NONE;
}

bool uplink_writes_headers(const struct uplink *u)
{
	return !vxdp_bpf_uplink_xdp(u->sw->bpf, u->slot)->bare;
}

/* It was said with the NIC that the switch began with. */
bool uplink_is_dedicated(const struct uplink *u)
{
	return u->sw->dedicated && !strcmp(u->name, u->sw->nic_name);
}

/* ---- What is said about it ---- */

static json_t *status_of(const struct uplink *u)
{
	const struct xdp_attached *xdp = vxdp_bpf_uplink_xdp(u->sw->bpf, u->slot);
	const struct uplink *leader = u->sw->uplink[entry(u)->leader % VXDP_UPLINKS_MAX];
	const struct nic_info *nic = nic_info(u->nic);

	return json_pack("{ss, si, si, si, ss, ss, si, si, sb, sb, ss, ss*, so}", "nic", u->name,
			 "ifindex", (int)nic->ifindex, "id", entry(u)->port, "host_id",
			 entry(u)->host_port, "xdp", vxdp_xdp_mode_name(xdp->mode), "xdp_why",
			 xdp->why, "mtu", (int)nic->mtu, "nic_queues", (int)nic->rx_queues,
			 "carrier", nic->carrier, "standby", entry(u)->standby, "lane_reason",
			 uplink_carries(u) ? "each port's own" : LANES_STANDBY_REASON,
			 "standby_for", leader && leader != u ? leader->name : NULL, "shared",
			 json_pack("{si, sb, sI}", "nic_queues", (int)u->shared.n_queues,
				   "zerocopy", u->shared.n_queues && u->shared.zerocopy, "bytes",
				   (json_int_t)shared_bytes(u)));
}

json_t *uplink_status(const struct sw *sw)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (sw->uplink[i])
			json_array_append_new(list, status_of(sw->uplink[i]));
	return list;
}
