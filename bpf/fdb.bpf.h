/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * fdb.bpf.h - which port an address is behind: look up, learn, move.
 *
 * An entry's last_seen_ns is written at most about once a second, so that a busy flow does not
 * drag the entry's cache line from CPU to CPU. Ageing is the tool's work. config.generation is
 * raised for each new or moved address: flow caches look again.
 */
#ifndef VXDP_FDB_BPF_H
#define VXDP_FDB_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

#define FDB_REFRESH_NS 1000000000LL

static __always_inline void learned_add(__u32 port, __s32 n)
{
	__u32 *count = bpf_map_lookup_elem(&learned, &port);

	if (count)
		__sync_fetch_and_add(count, n);
}

/*
 * May @port teach one more address? Other CPUs may be asking too, and what the tool adds and
 * removes is counted when it next looks: the limit is not exact, and the count may be below zero
 * meanwhile.
 */
static __always_inline bool fdb_has_room(const struct vxdp_config *cfg, __u32 port)
{
	__u32 *count;

	if (!cfg->fdb_port_max || port < VXDP_PORT_FIRST)
		return true;
	count = bpf_map_lookup_elem(&learned, &port);
	return count && (__s32)*count < (__s32)cfg->fdb_port_max;
}

static __always_inline void fdb_add(struct vxdp_config *cfg, const struct vxdp_fdb_key *key,
				    __u32 port, __u64 now)
{
	struct vxdp_fdb_entry entry = {.last_seen_ns = now, .port = port};

	if (!fdb_has_room(cfg, port) || bpf_map_update_elem(&fdb, key, &entry, BPF_NOEXIST))
		return;
	learned_add(port, 1);
	__sync_fetch_and_add(&cfg->generation, 1);
}

static __always_inline void fdb_move(struct vxdp_config *cfg, struct vxdp_fdb_entry *entry,
				     __u32 port, __u64 now)
{
	if (!fdb_has_room(cfg, port))
		return;
	learned_add(entry->port, -1);
	learned_add(port, 1);
	entry->port = port;
	entry->last_seen_ns = now;
	__sync_fetch_and_add(&cfg->generation, 1);
}

/*
 * Note that @key sends from @port. The host's own address is never behind anything else, and a
 * static entry stays where it is.
 */
static __always_inline void fdb_learn(struct vxdp_config *cfg, const struct vxdp_fdb_key *key,
				      __u32 port)
{
	struct vxdp_fdb_entry *entry;
	__u64 now;

	if (mac_is_group(key->mac) || mac_is_zero(key->mac) || mac_equal(key->mac, cfg->host_mac))
		return;
	now = bpf_ktime_get_coarse_ns();
	entry = bpf_map_lookup_elem(&fdb, key);
	if (!entry)
		fdb_add(cfg, key, port, now);
	else if (entry->flags & VXDP_FDB_STATIC)
		return;
	else if (entry->port != port)
		fdb_move(cfg, entry, port, now);
	else if ((__s64)(now - entry->last_seen_ns) > FDB_REFRESH_NS)
		entry->last_seen_ns = now; /* it may be a little ahead of the coarse clock */
}

/* What vxdp_fdb_refresh is called with; in loader/pins_fdb.c too. */
struct fdb_refresh {
	struct vxdp_fdb_key key;
	__u32 port;
	__u32 pad;
};

/* Return: 1 if the address is known on that port. */
static __always_inline int fdb_refresh(const struct vxdp_fdb_key *request_key, __u32 port)
{
	struct vxdp_fdb_key key = *request_key;
	struct vxdp_fdb_entry *entry = bpf_map_lookup_elem(&fdb, &key);

	if (!entry || entry->port != port)
		return 0;
	entry->last_seen_ns = bpf_ktime_get_ns();
	return 1;
}

/* Port @key is behind, or VXDP_PORT_NONE. */
static __always_inline __u32 fdb_port(const struct vxdp_config *cfg, const struct vxdp_fdb_key *key)
{
	struct vxdp_fdb_entry *entry;

	if (mac_equal(key->mac, cfg->host_mac))
		return VXDP_PORT_HOST;
	entry = bpf_map_lookup_elem(&fdb, key);
	return entry ? entry->port : VXDP_PORT_NONE;
}

#endif /* VXDP_FDB_BPF_H */
