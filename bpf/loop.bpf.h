/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * loop.bpf.h - is a frame from an uplink one of the switch's own? The rule is in uplink.bpf.h.
 */
#ifndef VXDP_LOOP_BPF_H
#define VXDP_LOOP_BPF_H

#include "fdb.bpf.h"
#include "uplink.bpf.h"

#define ETH_P_RARP 0x8035

/* last_seen_ns is up to FDB_REFRESH_NS behind, and the way out and in takes its time. */
#define LOOP_NS	    (FDB_REFRESH_NS + 500000000LL)
#define ANNOUNCE_NS 100000000LL

/* Whose frame it is that came by an uplink. */
enum loop_source {
	LOOP_NOT,   /* of a station on the wire */
	LOOP_GUEST, /* of a guest */
	LOOP_HOST,  /* of the host's stack on another NIC, or of what is behind it */
};

static __always_inline bool is_announcement(const struct vxdp_frame *frame, __be16 proto)
{
	return mac_is_group(frame->dst.mac) &&
	       (proto == bpf_htons(ETH_P_ARP) || proto == bpf_htons(ETH_P_RARP));
}

/* An entry that does not move is not followed either. */
static __always_inline bool seen_lately(const struct vxdp_fdb_entry *entry, __u64 now,
					bool announces)
{
	__s64 limit = announces ? ANNOUNCE_NS : LOOP_NS;

	return entry->flags & VXDP_FDB_STATIC || (__s64)(now - entry->last_seen_ns) < limit;
}

static __always_inline enum loop_source loop_source(struct vxdp_config *cfg,
						    const struct vxdp_uplink *from,
						    const struct vxdp_frame *frame, bool announces)
{
	__u32 slot = vxdp_host_slot(&frame->src);
	struct vxdp_fdb_entry *entry;
	struct vxdp_port *port;

	if (slot)
		return cfg->uplink[(slot - 1) & (VXDP_UPLINKS_MAX - 1)].port == from->port
			       ? LOOP_NOT
			       : LOOP_HOST;
	entry = bpf_map_lookup_elem(&fdb, &frame->src);
	if (!entry)
		return LOOP_NOT;
	port = entry->port == from->host_port ? NULL : port_get(entry->port);
	if (!port || port->kind == VXDP_KIND_UPLINK || !seen_lately(entry, frame->now, announces))
		return LOOP_NOT;
	return port->kind == VXDP_KIND_HOST ? LOOP_HOST : LOOP_GUEST;
}

/* A guest announces itself: from now on its frames may come back. */
static __always_inline void loop_note_announcement(const struct vxdp_config *cfg,
						   const struct vxdp_frame *frame, __be16 proto)
{
	struct vxdp_fdb_entry *entry;

	if (cfg->n_uplinks_end < 2 || !is_announcement(frame, proto))
		return;
	entry = bpf_map_lookup_elem(&fdb, &frame->src);
	if (entry && entry->port == frame->in_port)
		entry->last_seen_ns = frame->now;
}

#endif /* VXDP_LOOP_BPF_H */
