// SPDX-License-Identifier: GPL-2.0-or-later
#include "ask.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vxdp/util.h>

#include "ctl.h"
#include "pins.h"
#include "policy.h"
#include "rundir.h"
#include "tap_port.h"
#include "uplink_owner.h"
#include "verdicts.h"

static int compare(const void *a, const void *b)
{
	return strcmp(json_string_value(*(json_t *const *)a),
		      json_string_value(*(json_t *const *)b));
}

/* The names of @set, an object used as one, in order. */
static json_t *sorted(const json_t *set)
{
	size_t n = json_object_size(set), i = 0;
	_cleanup_free_ json_t **names = calloc(n + 1, sizeof(json_t *));
	json_t *list = json_array();
	const char *name;
	json_t *value;

	if (!names)
		return list;
	json_object_foreach((json_t *)set, name, value) names[i++] = json_string(name);
	qsort(names, n, sizeof(json_t *), compare);
	for (i = 0; i < n; i++)
		json_array_append_new(list, names[i]);
	return list;
}

static void add_subdirs(json_t *set, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char owner[IFNAMSIZ];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_REG && rundir_nic_valid(entry->d_name) &&
		    uplink_owner(entry->d_name, owner))
			json_object_set_new(set, entry->d_name, json_null());
	}
	if (dir)
		closedir(dir);
}

json_t *ask_nics(void)
{
	json_auto_t *set = json_object();
	char path[PATH_MAX];

	add_subdirs(set, rundir_root());
	if (snprintf(path, sizeof(path), "%s/vxdp", vxdp_bpffs()) < (int)sizeof(path))
		add_subdirs(set, path);
	return sorted(set);
}

int ask_nic_arg(const char *nic, struct vx_error *error)
{
	return rundir_nic_valid(nic)
		       ? 0
		       : vx_fail_usage(error, "'%s' cannot be the name of a NIC", nic);
}

int ask_process(const char *nic, const char *cmd, const char *port, struct vx_error *error,
		json_t **reply, bool *runs)
{
	json_auto_t *request = json_pack("{s:s,s:s*}", "cmd", cmd, "port", port);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = rundir_path(path, sizeof(path), nic, "ctl");

	*runs = !request;
	if (!request) /* which only takes UTF-8, as do all ports' names */
		return vx_fail(error, -ENOENT, "%s has no port of that name", nic);
	if (err)
		return vx_fail_errno(error, err, "control socket of %s", nic);
	err = ctl_connect(path, error, &fd);
	if (err)
		return err;
	*runs = true;
	err = ctl_exchange(fd, request, -1, CTL_TIMEOUT_MS, error, reply);
	if (!err && reply)
		json_object_del(*reply, "ok");
	return err;
}

static const char *kind_name(uint16_t kind)
{
	static const char *const names[] = {
		[VXDP_KIND_NONE] = "none", [VXDP_KIND_UPLINK] = "uplink", [VXDP_KIND_HOST] = "host",
		[VXDP_KIND_VM] = "vm",	   [VXDP_KIND_TAP] = "tap",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

static const char *offline_xdp(const struct vxdp_pins *pins)
{
	const struct vxdp_uplink *up = pins->mapped_config->uplink;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (up[i].ifindex)
			return up[i].no_xdp ? "none" : up[i].generic_xdp ? "skb" : "native";
	return "none";
}

static json_t *offline_status(const char *nic, const struct vxdp_pins *pins)
{
	json_t *ports = json_array();
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_FIRST; id < pins->mapped_config->n_ports_end; id++) {
		if (vxdp_port_get(pins, id, &port) || port.kind != VXDP_KIND_VM)
			continue;
		json_array_append_new(ports, json_pack("{s:s,s:i,s:s,s:s,s:s}", "name", port.name,
						       "id", id, "kind", kind_name(port.kind),
						       "state", "dead", "lane", "none"));
	}
	tap_ports_status(pins, ports);
	policy_add(pins, ports);
	return json_pack("{s:s,s:s,s:i,s:s,s:o,s:[]}", "nic", nic, "version", VXDP_VERSION, "pid",
			 0, "xdp", offline_xdp(pins), "ports", ports, "workers");
}

static json_t *offline_stats(const char *nic, const struct vxdp_pins *pins)
{
	json_t *ports = json_array();
	struct vxdp_port_stats stats;
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_UPLINK; id < pins->mapped_config->n_ports_end; id++) {
		if (vxdp_port_get(pins, id, &port) || port.kind == VXDP_KIND_TAP ||
		    vxdp_stats_get(pins, id, &stats))
			continue;
		json_array_append_new(ports, json_pack("{s:s,s:i,s:o}", "name", port.name, "id", id,
						       "verdicts", verdicts_json(&stats)));
	}
	tap_ports_stats(pins, ports);
	return json_pack("{s:s,s:o}", "nic", nic, "ports", ports);
}

static int ask(const char *nic, const char *cmd,
	       json_t *(*offline)(const char *nic, const struct vxdp_pins *pins),
	       struct vx_error *error, json_t **answer)
{
	char owner[IFNAMSIZ];
	struct vxdp_pins pins;
	bool runs;
	int err = ask_process(nic, cmd, NULL, error, answer, &runs);

	if (runs || err != -ENOENT)
		return err;
	err = vxdp_pins_open(nic, false, &pins, error);
	if (err == -ENOENT && !uplink_owner(nic, owner)) {
		vx_fail(error, err, "%s is an uplink of switch %s", nic, owner);
		vx_hint(error, "ask about the switch: %s", owner);
	} else if (err == -ENOENT) {
		vx_fail(error, err, "%s is not attached", nic);
		vx_hint(error, "vxdp attach %s --vm SOCK, or --tap TAP", nic);
	}
	if (err)
		return err;
	*answer = offline(nic, &pins);
	vxdp_pins_close(&pins);
	return 0;
}

int ask_status(const char *nic, struct vx_error *error, json_t **status)
{
	return ask(nic, "status", offline_status, error, status);
}

int ask_stats(const char *nic, struct vx_error *error, json_t **stats)
{
	return ask(nic, "stats", offline_stats, error, stats);
}
