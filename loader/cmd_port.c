// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp port: what each port is allowed. Works on the pinned maps, so also when no process runs, and
 * what it changes holds for the next frame in every lane.
 */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "out.h"
#include "pins.h"
#include "policy.h"
#include "vxdp/util.h"
#include "words.h"

enum action { SHOW, SET };

const char *const port_actions[] = {[SHOW] = "show", [SET] = "set", NULL};

/* What was asked for. */
struct request {
	enum action action;
	const char *nic;
	const char *port; /* NULL: all */
	struct policy_change change;
};

static int take_changes(struct request *r, const struct operands *operands, unsigned int i,
			struct vx_error *error)
{
	int err = 0;

	if (i >= operands->n) {
		vx_fail_usage(error, "port set: what is to change?");
		vx_hint(error, "such as: vxdp port set %s %s vlan 10", r->nic, r->port);
		return -EINVAL;
	}
	for (; i < operands->n && !err; i += 2)
		err = policy_change_take(&r->change, operands->v[i],
					 i + 1 < operands->n ? operands->v[i + 1] : NULL, error);
	return err ? err : policy_change_check(&r->change, error);
}

static int parse(struct request *r, const struct operands *operands, struct vx_error *error)
{
	int action = operands->n ? words_index(port_actions, operands->v[0]) : -1;
	unsigned int i = action >= 0;

	r->action = action >= 0 ? (enum action)action : SHOW;
	if (i >= operands->n)
		return vx_fail_usage(error, "port: of which NIC?");
	r->nic = operands->v[i++];
	if (i < operands->n)
		r->port = operands->v[i++];
	if (r->action == SET && !r->port)
		return vx_fail_usage(error, "port set: which port of %s?", r->nic);
	if (r->action == SET)
		return take_changes(r, operands, i, error);
	if (i < operands->n)
		return vx_fail_usage(error, "port show: '%s' is one too many", operands->v[i]);
	return 0;
}

static void add_port(const struct vxdp_pins *pins, uint32_t id, json_t *ports)
{
	json_t *port = policy_json(pins, id);
	char name[VXDP_PORT_NAME_BYTES];

	vxdp_port_name(pins, id, name);
	json_object_set_new(port, "name", json_string(name));
	json_object_set_new(port, "id", json_integer(id));
	json_array_append_new(ports, port);
}

static void print_ports(const json_t *document)
{
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(document, "ports"), i, port)
	{
		out_text("%s ", out_str(port, "name"));
		policy_print(port);
		out_text("\n");
	}
}

static void print_nothing(const json_t *document)
{
}

/* @only: VXDP_PORT_NONE: all ports */
static void show(const struct request *r, const struct vxdp_pins *pins, uint32_t only)
{
	json_t *ports = json_array();
	json_auto_t *document = json_pack("{s:s,s:o}", "nic", r->nic, "ports", ports);
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_NONE + 1; id < VXDP_PORTS_MAX; id++) {
		if (only == VXDP_PORT_NONE ? !vxdp_port_get(pins, id, &port) : id == only)
			add_port(pins, id, ports);
	}
	out_result(document, r->action == SET ? print_nothing : print_ports);
}

static int work(const struct request *r, const struct vxdp_pins *pins, struct vx_error *error)
{
	uint32_t id = VXDP_PORT_NONE;
	int err = 0;

	if (r->port)
		err = vxdp_port_find(pins, r->nic, r->port, &id, error);
	if (!err && r->action == SET)
		err = policy_change_apply(&r->change, pins, id, r->port, error);
	if (!err)
		show(r, pins, id);
	return err;
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	struct request r = {0};
	struct vxdp_pins pins;
	int err = parse(&r, operands, error);

	if (!err)
		err = ask_nic_arg(r.nic, error);
	if (!err)
		err = vxdp_pins_open(r.nic, r.action == SET, &pins, error);
	if (err)
		return err;
	err = work(&r, &pins, error);
	vxdp_pins_close(&pins);
	return err;
}

const struct command cmd_port = {
	.name = "port",
	.operands = "[show|set] NIC [PORT] [KEY VALUE]...",
	.summary = "show and change what a port is allowed: VLANs, addresses, flooding",
	.n_operands_min = 1,
	.n_operands_max = OPERANDS_MAX,
	.run = run,
};
