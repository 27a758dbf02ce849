/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * uplink.bpf.h - the NICs of the switch.
 *
 * Theory of operation
 *
 * No frame goes from one uplink to another (split horizon), so whatever the wires look like, no
 * frame goes round. What is left are frames of the switch's own that come back, when two uplinks
 * lead to one wire that nobody said is one: a guest's broadcast goes out by both and comes in by
 * both. It must neither move the guest's address to the wire nor be delivered again:
 *
 *	A frame from an uplink is one of ours, and dropped, if its source address was seen at a
 *	guest or at the host less than LOOP_NS ago.
 *
 * A guest that has really moved to the wire is followed once that time is over, and earlier if it
 * announces itself: an ARP or RARP broadcast is taken for one of ours only for ANNOUNCE_NS after
 * the last one that was sent from here, which is when it could have come back.
 *
 * Uplinks that are known to lead to one wire do better: one of them carries all frames, the others
 * stand by, and only the host uses them.
 */
#ifndef VXDP_UPLINK_BPF_H
#define VXDP_UPLINK_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

static __always_inline __u64 mac_load(const __u8 *mac)
{
	__u16 part[3];

	__builtin_memcpy(part, mac, sizeof(part));
	return (__u64)part[0] << 32 | (__u64)part[1] << 16 | part[2];
}

/*
 * @slot, or @i if @difference is 0. Without a branch: the verifier would go through the rest of the
 * program once for each uplink that may have been found.
 */
static __always_inline __u32 slot_if_same(__u32 slot, __u32 i, __u64 difference)
{
	__u64 differs = (difference | -difference) >> 63;

	asm volatile("" : "+r"(differs)); /* which the compiler would bring back */
	return (slot & -(__u32)differs) | (i & ((__u32)differs - 1));
}

static __always_inline struct vxdp_uplink *uplink_in_slot(struct vxdp_config *cfg, __u32 slot)
{
	struct vxdp_uplink *up = &cfg->uplink[slot & (VXDP_UPLINKS_MAX - 1)];

	return slot && up->ifindex ? up : NULL;
}

/* The uplink that is this netdev, or NULL. The first one is what most switches have. */
static __always_inline struct vxdp_uplink *uplink_by_ifindex(struct vxdp_config *cfg, __u32 ifindex)
{
	__u32 slot = 0, i;

	if (cfg->uplink[0].ifindex == ifindex)
		return &cfg->uplink[0];
#pragma unroll
	for (i = 1; i < VXDP_UPLINKS_MAX; i++)
		slot = slot_if_same(slot, i, cfg->uplink[i].ifindex ^ ifindex);
	return uplink_in_slot(cfg, slot);
}

/*
 * Whose NIC has this address: 1 + its entry, or 0. A function that the verifier looks at by itself,
 * since it is called often and its ways would multiply.
 */
__noinline __u32 vxdp_host_slot(const struct vxdp_fdb_key *key)
{
	struct vxdp_config *cfg = config_get();
	__u32 slot = 0, i;
	__u64 wanted;

	if (!cfg || !key)
		return 0;
	wanted = mac_load(key->mac);
	if (mac_load(cfg->uplink[0].host_mac) == wanted && cfg->uplink[0].ifindex)
		return 1;
	if (cfg->n_uplinks_end < 2)
		return 0;
#pragma unroll
	for (i = 1; i < VXDP_UPLINKS_MAX; i++)
		slot = slot_if_same(slot, i, mac_load(cfg->uplink[i].host_mac) ^ wanted);
	return uplink_in_slot(cfg, slot) ? 1 + slot : 0;
}

/* The host's stack on the first NIC: where what is meant for the link itself goes. */
static __always_inline __u32 uplink_first_host(const struct vxdp_config *cfg)
{
	__u32 port = VXDP_PORT_NONE, i;

#pragma unroll
	for (i = VXDP_UPLINKS_MAX; i-- > 0;)
		port = slot_if_same(cfg->uplink[i].host_port, port, cfg->uplink[i].host_port);
	return port;
}

#endif /* VXDP_UPLINK_BPF_H */
