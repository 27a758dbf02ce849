/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * fdb.bpf.h - which port an address is behind: look up, learn, move, age.
 *
 * An entry's last_seen_ns is written at most about once a second, so that a busy flow does not
 * drag the entry's cache line from CPU to CPU. What was not seen for config.ageing_ns counts as
 * unknown at once; the tool removes it, and where no tool runs, the first learning that finds no
 * room does.
 *
 * A new or moved address raises config.generation: flow caches look again. So that nobody can make
 * them do nothing else,
 *
 *	an address moves at most once in FDB_MOVE_HOLD_MS; it stays where it is meanwhile,
 *	a port raises the generation at most 1 s / FDB_RAISE_NS times a second by learning, in
 *	bursts of FDB_RAISE_BURST_NS / FDB_RAISE_NS. Beyond that caches see what it teaches
 *	when they look again on their own, which they do within a second.
 */
#ifndef VXDP_FDB_BPF_H
#define VXDP_FDB_BPF_H

#include "maps.bpf.h"
#include "meter.bpf.h"
#include "parse.bpf.h"
#include "uplink.bpf.h"

#define FDB_REFRESH_NS	   1000000000LL
#define FDB_RAISE_NS	   5000000ULL
#define FDB_RAISE_BURST_NS 250000000ULL
#define FDB_SWEEP_NS	   10000000000ULL
#ifndef FDB_MOVE_HOLD_MS /* else a test makes another version */
#define FDB_MOVE_HOLD_MS 50
#endif

static __always_inline void learned_add(__u32 port, __s32 n)
{
	__u32 *count = bpf_map_lookup_elem(&learned, &port);

	if (count)
		__sync_fetch_and_add(count, n);
}

static __always_inline bool fdb_aged(const struct vxdp_config *cfg,
				     const struct vxdp_fdb_entry *entry, __u64 now)
{
	/* It may have been seen a little ahead of the coarse clock. */
	return cfg->ageing_ns && !(entry->flags & VXDP_FDB_STATIC) &&
	       (__s64)(now - entry->last_seen_ns) > (__s64)cfg->ageing_ns;
}

/* An address is new, or was taken up again, or is somewhere else. */
static __always_inline void fdb_raise(struct vxdp_config *cfg, __u32 port, __u64 now)
{
	struct vxdp_meter *meter = bpf_map_lookup_elem(&meters, &port);

	if (meter && meter_take(&meter->raise_ns, now, FDB_RAISE_NS, FDB_RAISE_BURST_NS))
		__sync_fetch_and_add(&cfg->generation, 1);
}

struct fdb_sweep {
	const struct vxdp_config *cfg;
	__u64 now;
};

static long fdb_sweep_entry(void *map, const struct vxdp_fdb_key *key, struct vxdp_fdb_entry *entry,
			    struct fdb_sweep *sweep)
{
	__u32 port = entry->port;

	if (fdb_aged(sweep->cfg, entry, sweep->now) && !bpf_map_delete_elem(&fdb, key))
		learned_add(port, -1);
	return 0;
}

/* There was no room. Where the tool runs this finds nothing, so it is not done often. */
static __noinline int fdb_sweep(struct vxdp_config *cfg, __u64 now)
{
	struct fdb_sweep sweep = {.cfg = cfg, .now = now};
	__u32 nobody = VXDP_PORT_NONE;
	struct vxdp_meter *meter = bpf_map_lookup_elem(&meters, &nobody);

	if (cfg && meter && meter_take(&meter->raise_ns, now, FDB_SWEEP_NS, 1))
		bpf_for_each_map_elem(&fdb, fdb_sweep_entry, &sweep, 0);
	return 0;
}

/* Not a wire or the host, of which there may be several. */
static __always_inline bool is_guest(__u32 port)
{
	struct vxdp_port *entry = port_get(port);

	return entry && entry->kind >= VXDP_KIND_VM;
}

/*
 * May @port teach one more address? Other CPUs may be asking too, and what the tool adds and
 * removes is counted when it next looks: the limit is not exact, and the count may be below zero
 * meanwhile.
 */
static __always_inline bool fdb_has_room(const struct vxdp_config *cfg,
					 const struct vxdp_policy *policy, __u32 port)
{
	__u32 limit = policy->mac_limit;
	__u32 *count;

	if (!limit)
		limit = is_guest(port) ? cfg->fdb_port_max : VXDP_FDB_WIRE_MAX;
	if (!limit)
		return true;
	count = bpf_map_lookup_elem(&learned, &port);
	return count && (__s32)*count < (__s32)limit;
}

/* Return: was there room? */
static __always_inline bool fdb_add(struct vxdp_config *cfg, const struct vxdp_policy *policy,
				    const struct vxdp_fdb_key *key, __u32 port, __u64 now)
{
	struct vxdp_fdb_entry entry = {.last_seen_ns = now, .port = port};

	if (!fdb_has_room(cfg, policy, port) ||
	    bpf_map_update_elem(&fdb, key, &entry, BPF_NOEXIST)) {
		fdb_sweep(cfg, now);
		return false;
	}
	learned_add(port, 1);
	fdb_raise(cfg, port, now);
	return true;
}

/* Return: is it there now? */
static __always_inline bool fdb_move(struct vxdp_config *cfg, const struct vxdp_policy *policy,
				     struct vxdp_fdb_entry *entry, __u32 port, __u64 now)
{
	__u32 now_ms = now / 1000000;

	if (entry->moved_ms && now_ms - entry->moved_ms < FDB_MOVE_HOLD_MS)
		return false;
	if (!fdb_has_room(cfg, policy, port))
		return false;
	learned_add(entry->port, -1);
	learned_add(port, 1);
	entry->port = port;
	entry->moved_ms = now_ms;
	entry->last_seen_ns = now;
	fdb_raise(cfg, port, now);
	return true;
}

/*
 * Note that @key sends from @port. The host's own address is never behind anything else, and a
 * static entry stays where it is.
 *
 * Return: false if its next frame may well teach what this one could not.
 */
static __always_inline bool fdb_learn(struct vxdp_config *cfg, const struct vxdp_policy *policy,
				      const struct vxdp_fdb_key *key, __u32 port, __u64 now)
{
	struct vxdp_fdb_entry *entry;

	if (policy->flags & VXDP_POLICY_NO_LEARN || mac_is_group(key->mac) ||
	    mac_is_zero(key->mac) || vxdp_host_slot(key))
		return true;
	entry = bpf_map_lookup_elem(&fdb, key);
	if (!entry)
		return fdb_add(cfg, policy, key, port, now);
	if (entry->flags & VXDP_FDB_STATIC)
		return true;
	if (entry->port != port)
		return fdb_move(cfg, policy, entry, port, now);
	if ((__s64)(now - entry->last_seen_ns) > FDB_REFRESH_NS) {
		if (fdb_aged(cfg, entry, now))
			fdb_raise(cfg, port, now);
		entry->last_seen_ns = now;
	}
	return true;
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
static __always_inline __u32 fdb_port(struct vxdp_config *cfg, const struct vxdp_fdb_key *key,
				      __u64 now)
{
	struct vxdp_fdb_entry *entry;
	__u32 slot = vxdp_host_slot(key);

	if (slot)
		return cfg->uplink[(slot - 1) & (VXDP_UPLINKS_MAX - 1)].host_port;
	entry = bpf_map_lookup_elem(&fdb, key);
	return entry && !fdb_aged(cfg, entry, now) ? entry->port : VXDP_PORT_NONE;
}

#endif /* VXDP_FDB_BPF_H */
