// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp fdb: which address is behind which port. Works on the pinned map itself, so also when no
 * process runs; every change raises config.generation (pins.h does), so that workers look again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "fdb_args.h"
#include "out.h"
#include "pins.h"
#include "vxdp/util.h"
#include "words.h"

#define NS_PER_MS 1000000
#define NS_PER_S  1000000000ULL

/* What is shown or flushed. */
struct filter {
	const struct fdb_args *args;
	uint32_t port; /* VXDP_PORT_NONE: any */
	const struct vxdp_pins *pins;
	uint64_t now_ns;
	json_t *entries;
};

static bool matches(const struct filter *f, const struct vxdp_fdb_key *key,
		    const struct vxdp_fdb_entry *entry)
{
	if (f->port != VXDP_PORT_NONE && entry->port != f->port)
		return false;
	return f->args->vlan == FDB_VLAN_ANY || key->vlan == f->args->vlan;
}

static enum vxdp_fdb_next show_entry(void *arg, const struct vxdp_fdb_key *key,
				     const struct vxdp_fdb_entry *entry)
{
	struct filter *f = arg;
	char mac[WORDS_MAC_CHARS], name[VXDP_PORT_NAME_BYTES];
	uint64_t age_ns = f->now_ns > entry->last_seen_ns ? f->now_ns - entry->last_seen_ns : 0;
	uint64_t limit_ns = READ_ONCE(f->pins->mapped_config->ageing_ns);
	bool is_static = entry->flags & VXDP_FDB_STATIC;

	/* What is too old counts no more, whether somebody has removed it or not. */
	if (!matches(f, key, entry) || (!is_static && limit_ns && age_ns > limit_ns))
		return VXDP_FDB_KEEP;
	words_mac_print(key->mac, mac);
	vxdp_port_name(f->pins, entry->port, name);
	json_array_append_new(f->entries,
			      json_pack("{s:s,s:i,s:s,s:i,s:b,s:I}", "mac", mac, "vlan", key->vlan,
					"port", name, "port_id", entry->port, "static", is_static,
					"age_ms", (json_int_t)(age_ns / NS_PER_MS)));
	return VXDP_FDB_KEEP;
}

static enum vxdp_fdb_next flush_entry(void *arg, const struct vxdp_fdb_key *key,
				      const struct vxdp_fdb_entry *entry)
{
	const struct filter *f = arg;

	if (!matches(f, key, entry) || (f->args->is_dynamic && entry->flags & VXDP_FDB_STATIC))
		return VXDP_FDB_KEEP;
	return VXDP_FDB_DELETE;
}

static void print_entries(const json_t *document)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(document, "entries"), i, entry)
	{
		out_text("%s dev %s", out_str(entry, "mac"), out_str(entry, "port"));
		if (out_uint(entry, "vlan"))
			out_text(" vlan %llu", out_uint(entry, "vlan"));
		if (json_is_true(json_object_get(entry, "static")))
			out_text(" static\n");
		else
			out_text(" age %.1fs\n", out_uint(entry, "age_ms") / 1000.0);
	}
}

static int show(struct filter *f, struct vx_error *error)
{
	json_auto_t *document = NULL;
	int err;

	f->now_ns = monotonic_ns();
	f->entries = json_array();
	document = json_pack("{s:s,s:o}", "nic", f->args->nic, "entries", f->entries);
	err = vxdp_fdb_walk(f->pins, show_entry, f);
	if (err < 0)
		return vx_fail_errno(error, err, "cannot read the FDB of %s", f->args->nic);
	out_result(document, print_entries);
	return 0;
}

static void print_change(const json_t *document)
{
	const json_t *n = json_object_get(document, "flushed");

	if (n)
		out_text("%lld entries removed\n", (long long)json_integer_value(n));
}

static void print_ageing(const json_t *document)
{
	if (out_uint(document, "ageing_s"))
		out_text("addresses age after %llu s\n", out_uint(document, "ageing_s"));
	else
		out_text("addresses do not age\n");
}

/* In whole seconds, as it was set. */
static int ageing(struct filter *f)
{
	struct vxdp_config *config = f->pins->mapped_config;
	json_auto_t *document = NULL;

	if (f->args->sets_ageing) {
		WRITE_ONCE(config->ageing_ns, f->args->ageing_s * NS_PER_S);
		vxdp_generation_bump(f->pins);
	}
	document = json_pack("{s:s,s:I}", "nic", f->args->nic, "ageing_s",
			     (json_int_t)(READ_ONCE(config->ageing_ns) / NS_PER_S));
	out_result(document, print_ageing);
	return 0;
}

/* Without "vlan": the one the port's untagged frames belong to. */
static uint16_t entry_vlan(const struct filter *f)
{
	struct vxdp_policy policy;

	if (f->args->vlan != FDB_VLAN_ANY)
		return (uint16_t)f->args->vlan;
	if (f->port == VXDP_PORT_NONE || vxdp_policy_get(f->pins, f->port, &policy) ||
	    policy.pvid == VXDP_VLAN_NONE)
		return 0;
	return policy.pvid;
}

static int change(struct filter *f, struct vx_error *error)
{
	const struct fdb_args *args = f->args;
	struct vxdp_fdb_key key = {.vlan = entry_vlan(f)};
	json_auto_t *document = NULL;
	int err;

	memcpy(key.mac, args->mac, sizeof(key.mac));
	if (args->action == FDB_ADD)
		err = vxdp_fdb_set(f->pins, &key, f->port, args->is_static ? VXDP_FDB_STATIC : 0);
	else if (args->action == FDB_DEL)
		err = vxdp_fdb_del(f->pins, &key);
	else
		err = vxdp_fdb_walk(f->pins, flush_entry, f);
	if (err == -ENOENT)
		return vx_fail(error, err, "the FDB of %s has no such entry", args->nic);
	if (err == -ENOSPC)
		return vx_fail(error, err, "the FDB of %s is full", args->nic);
	if (err < 0)
		return vx_fail_errno(error, err, "cannot change the FDB of %s", args->nic);
	document = json_pack("{s:s}", "nic", args->nic);
	if (args->action == FDB_FLUSH)
		json_object_set_new(document, "flushed", json_integer(err));
	out_result(document, print_change);
	return 0;
}

/* `del ... dev PORT` removes the entry only while it points there, as bridge does. */
static int check_del(const struct filter *f, struct vx_error *error)
{
	struct vxdp_fdb_key key = {.vlan = entry_vlan(f)};
	struct vxdp_fdb_entry entry;

	if (f->args->action != FDB_DEL || f->port == VXDP_PORT_NONE)
		return 0;
	memcpy(key.mac, f->args->mac, sizeof(key.mac));
	if (!vxdp_fdb_get(f->pins, &key, &entry) && entry.port == f->port)
		return 0;
	return vx_fail(error, -ENOENT, "the FDB of %s has no such entry", f->args->nic);
}

static int work(struct filter *f, struct vx_error *error)
{
	int err = 0;

	if (f->args->port)
		err = vxdp_port_find(f->pins, f->args->nic, f->args->port, &f->port, error);
	if (!err)
		err = check_del(f, error);
	if (err)
		return err;
	if (f->args->action == FDB_AGEING)
		return ageing(f);
	return f->args->action == FDB_SHOW ? show(f, error) : change(f, error);
}

static bool writes(const struct fdb_args *args)
{
	return args->action == FDB_AGEING ? args->sets_ageing : args->action != FDB_SHOW;
}

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	struct vxdp_pins pins;
	struct fdb_args args;
	struct filter f = {.args = &args, .pins = &pins, .port = VXDP_PORT_NONE};
	int err = fdb_args_parse(operands, &args, error);

	if (!err)
		err = ask_nic_arg(args.nic, error);
	if (!err)
		err = vxdp_pins_open(args.nic, writes(&args), &pins, error);
	if (err)
		return err;
	err = work(&f, error);
	vxdp_pins_close(&pins);
	return err;
}

const struct command cmd_fdb = {
	.name = "fdb",
	.operands =
		"[show|add|del|flush|ageing] NIC [MAC] [dev PORT] [vlan N] [static|dynamic] [SECONDS]",
	.summary = "show and change which address is behind which port",
	.n_operands_min = 1,
	.n_operands_max = OPERANDS_MAX,
	.run = run,
};
