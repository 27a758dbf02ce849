// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pins_fdb.c - the FDB from user space: look up, change, walk, age.
 */
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include <vxdp/util.h>

#define WALK_BATCH 4096 /* entries read by one system call; more than any hash bucket holds */

int vxdp_fdb_get(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key,
		 struct vxdp_fdb_entry *entry)
{
	return bpf_map_lookup_elem(pins->fdb, key, entry) ? -errno : 0;
}

int vxdp_fdb_set(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key, uint16_t port,
		 uint16_t flags)
{
	struct vxdp_fdb_entry entry = {
		.last_seen_ns = monotonic_ns(), .port = port, .flags = flags};

	if (bpf_map_update_elem(pins->fdb, key, &entry, BPF_ANY))
		return errno == E2BIG ? -ENOSPC : -errno;
	vxdp_generation_bump(pins);
	return 0;
}

int vxdp_fdb_refresh(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key, uint16_t port)
{
	/* struct fdb_refresh of bpf/fdb.bpf.h */
	struct {
		struct vxdp_fdb_key key;
		uint32_t port;
		uint32_t pad;
	} request = {.key = *key, .port = port};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &request, .ctx_size_in = sizeof(request));

	if (bpf_prog_test_run_opts(pins->refresh_prog, &run))
		return -errno;
	return run.retval ? 0 : -ENOENT;
}

int vxdp_fdb_del(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key)
{
	if (bpf_map_delete_elem(pins->fdb, key))
		return -errno;
	vxdp_generation_bump(pins);
	return 0;
}

struct walk {
	const struct vxdp_pins *pins;
	vxdp_fdb_fn fn;
	void *arg;
	int n_deleted;
	bool stopped;
	struct vxdp_fdb_key keys[WALK_BATCH];
	struct vxdp_fdb_entry entries[WALK_BATCH];
};

static void walk_batch(struct walk *walk, uint32_t n)
{
	for (uint32_t i = 0; i < n && !walk->stopped; i++) {
		enum vxdp_fdb_next next = walk->fn(walk->arg, &walk->keys[i], &walk->entries[i]);

		if (next == VXDP_FDB_STOP)
			walk->stopped = true;
		else if (next == VXDP_FDB_DELETE &&
			 !bpf_map_delete_elem(walk->pins->fdb, &walk->keys[i]))
			walk->n_deleted++;
	}
}

/*
 * The hash is read bucket by bucket, and the place in it does not depend on any entry: deleting
 * while walking loses nothing.
 */
int vxdp_fdb_walk(const struct vxdp_pins *pins, vxdp_fdb_fn fn, void *arg)
{
	_cleanup_free_ struct walk *walk = calloc(1, sizeof(*walk));
	uint32_t place = 0, n;
	bool first = true;
	int err;

	if (!walk)
		return -ENOMEM;
	walk->pins = pins;
	walk->fn = fn;
	walk->arg = arg;
	do {
		n = WALK_BATCH;
		err = bpf_map_lookup_batch(pins->fdb, first ? NULL : &place, &place, walk->keys,
					   walk->entries, &n, NULL)
			      ? -errno
			      : 0;
		if (err && err != -ENOENT) /* -ENOENT: that was the last of it */
			return err;
		walk_batch(walk, n);
		first = false;
	} while (!err && !walk->stopped);
	if (walk->n_deleted)
		vxdp_generation_bump(pins);
	return walk->n_deleted;
}

struct flush {
	uint32_t port;
	bool statics;
};

static enum vxdp_fdb_next flush_entry(void *arg, const struct vxdp_fdb_key *key,
				      const struct vxdp_fdb_entry *entry)
{
	const struct flush *flush = arg;

	if (flush->port != VXDP_PORT_NONE && entry->port != flush->port)
		return VXDP_FDB_KEEP;
	if (entry->flags & VXDP_FDB_STATIC && !flush->statics)
		return VXDP_FDB_KEEP;
	return VXDP_FDB_DELETE;
}

int vxdp_fdb_flush(const struct vxdp_pins *pins, uint32_t port, bool statics)
{
	struct flush flush = {.port = port, .statics = statics};

	return vxdp_fdb_walk(pins, flush_entry, &flush);
}

struct ageing {
	uint64_t now_ns;
	uint64_t limit_ns; /* 0: nothing ages */
	uint32_t learned[VXDP_PORTS_MAX];
};

static enum vxdp_fdb_next age_entry(void *arg, const struct vxdp_fdb_key *key,
				    const struct vxdp_fdb_entry *entry)
{
	struct ageing *ageing = arg;

	if (entry->flags & VXDP_FDB_STATIC)
		return VXDP_FDB_KEEP;
	/* An entry seen since now_ns was taken is newer than that. */
	if (ageing->limit_ns && ageing->now_ns > entry->last_seen_ns &&
	    ageing->now_ns - entry->last_seen_ns > ageing->limit_ns)
		return VXDP_FDB_DELETE;
	if (entry->port < VXDP_PORTS_MAX)
		ageing->learned[entry->port]++;
	return VXDP_FDB_KEEP;
}

int vxdp_fdb_age(const struct vxdp_pins *pins)
{
	struct ageing ageing = {.now_ns = monotonic_ns(),
				.limit_ns = READ_ONCE(pins->mapped_config->ageing_ns)};
	int n = vxdp_fdb_walk(pins, age_entry, &ageing);

	if (n < 0)
		return n;
	for (uint32_t id = 0; id < VXDP_PORTS_MAX; id++) {
		uint32_t was;

		if (!bpf_map_lookup_elem(pins->learned, &id, &was) && was != ageing.learned[id])
			bpf_map_update_elem(pins->learned, &id, &ageing.learned[id], BPF_ANY);
	}
	return n;
}
