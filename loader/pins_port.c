// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pins_port.c - ports, queues, sockets and counters from user space.
 *
 * A port's id stays with its name: when a vxdp is killed its ports' entries lose their ifindex and
 * keep their name, and the successor gives the same id to the port of that name. So what the FDB
 * and the counters say of an id stays true.
 */
#include "pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/util.h>

static int read_port(const struct vxdp_pins *pins, uint32_t id, struct vxdp_port *port)
{
	return bpf_map_lookup_elem(pins->ports, &id, port) ? -errno : 0;
}

static int write_port(const struct vxdp_pins *pins, uint32_t id, const struct vxdp_port *port)
{
	if (bpf_map_update_elem(pins->ports, &id, port, BPF_ANY))
		return -errno;
	vxdp_generation_bump(pins);
	return 0;
}

int vxdp_port_get(const struct vxdp_pins *pins, uint32_t id, struct vxdp_port *port)
{
	int err = read_port(pins, id, port);

	if (err)
		return err;
	return port->ifindex ? 0 : -ENOENT;
}

void vxdp_port_name(const struct vxdp_pins *pins, uint32_t id, char name[VXDP_PORT_NAME_BYTES])
{
	struct vxdp_port port = {};

	if (read_port(pins, id, &port) || !port.name[0])
		snprintf(name, VXDP_PORT_NAME_BYTES, "%u", id);
	else
		snprintf(name, VXDP_PORT_NAME_BYTES, "%.15s", port.name);
}

int vxdp_port_find(const struct vxdp_pins *pins, const char *nic, const char *name, uint32_t *id,
		   struct vx_error *error)
{
	struct vxdp_port port;

	for (uint32_t i = VXDP_PORT_NONE + 1; i < VXDP_PORTS_MAX; i++) {
		if (vxdp_port_get(pins, i, &port) || strncmp(port.name, name, sizeof(port.name)))
			continue;
		*id = i;
		return 0;
	}
	vx_fail(error, -ENOENT, "no port '%s' on %s", name, nic);
	vx_hint(error, "ports are uplink, host, and what vxdp status %s shows", nic);
	return -ENOENT;
}

static int clear_stats(const struct vxdp_pins *pins, uint32_t id)
{
	int n_cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct vxdp_port_stats *zero = NULL;

	if (n_cpus < 0)
		return n_cpus;
	zero = calloc(n_cpus, sizeof(*zero));
	if (!zero)
		return -ENOMEM;
	return bpf_map_update_elem(pins->stats, &id, zero, BPF_ANY) ? -errno : 0;
}

/* How well an id suits the port @name; 0: it is taken. */
static int suits(const struct vxdp_port *port, const char *name)
{
	if (port->ifindex)
		return 0;
	if (!strncmp(port->name, name, sizeof(port->name) - 1))
		return 3;
	return port->name[0] ? 1 : 2;
}

int vxdp_port_id(const struct vxdp_pins *pins, const char *name, uint32_t *id)
{
	struct vxdp_port port;
	uint32_t best = 0;
	int best_suits = 0, s;

	for (uint32_t i = VXDP_PORT_FIRST; i < VXDP_PORTS_MAX; i++) {
		if (read_port(pins, i, &port))
			continue;
		s = suits(&port, name);
		if (s > best_suits) {
			best_suits = s;
			best = i;
		}
	}
	if (!best_suits)
		return -ENOSPC;
	if (best_suits == 1)
		vxdp_port_clear(pins, best);
	*id = best;
	return 0;
}

static bool takes_tcp_past_the_stack(const struct vxdp_port *port)
{
	const uint16_t lanes = VXDP_PORT_DIRECT | VXDP_PORT_SHARED;

	return port->kind >= VXDP_KIND_VM && port->flags & lanes &&
	       !(port->flags & VXDP_PORT_TCP_KERNEL);
}

/* What the configuration says of all ports together. */
static void sum_up(const struct vxdp_pins *pins)
{
	struct vxdp_port port;
	uint32_t end = VXDP_PORT_FIRST;
	bool tcp_is_tcs = true;

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++) {
		if (vxdp_port_get(pins, id, &port))
			continue;
		end = id + 1;
		if (takes_tcp_past_the_stack(&port))
			tcp_is_tcs = false;
	}
	WRITE_ONCE(pins->mapped_config->n_ports_end, end);
	WRITE_ONCE(pins->mapped_config->tcp_is_tcs, tcp_is_tcs);
}

int vxdp_port_set(const struct vxdp_pins *pins, uint32_t id, const struct vxdp_port *port)
{
	struct vxdp_port old;
	int err = read_port(pins, id, &old);

	if (err)
		return err;
	if (old.ifindex && old.ifindex != port->ifindex)
		bpf_map_delete_elem(pins->port_by_ifindex, &old.ifindex);
	err = write_port(pins, id, port);
	if (err)
		return err;
	sum_up(pins);
	if (port->ifindex && port->kind >= VXDP_KIND_VM &&
	    bpf_map_update_elem(pins->port_by_ifindex, &port->ifindex, &id, BPF_ANY))
		return -errno;
	return 0;
}

int vxdp_port_flags(const struct vxdp_pins *pins, uint32_t id, uint16_t set, uint16_t clear)
{
	struct vxdp_port port;
	int err = read_port(pins, id, &port);

	if (err)
		return err;
	port.flags = (port.flags & ~clear) | set;
	err = write_port(pins, id, &port);
	if (!err)
		sum_up(pins);
	return err;
}

unsigned int vxdp_tap_ports(const struct vxdp_pins *pins)
{
	struct vxdp_port port;
	unsigned int n = 0;

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++)
		n += !vxdp_port_get(pins, id, &port) && port.kind == VXDP_KIND_TAP;
	return n;
}

int vxdp_port_clear(const struct vxdp_pins *pins, uint32_t id)
{
	const struct vxdp_policy no_policy = {};
	struct vxdp_port nothing = {};
	struct vxdp_queue queue;
	int err;

	for (uint32_t i = 0; i < VXDP_NIC_QUEUES_MAX; i++) {
		if (!bpf_map_lookup_elem(pins->queues, &i, &queue) && queue.owner == id)
			vxdp_queue_owner_set(pins, i, VXDP_PORT_NONE, 0);
	}
	vxdp_tap_set(pins, id, 0);
	err = vxdp_port_set(pins, id, &nothing);
	vxdp_fdb_flush(pins, id, true);
	vxdp_policy_set(pins, id, &no_policy);
	vxdp_port_macs_set(pins, id, NULL, 0);
	clear_stats(pins, id);
	return err;
}

int vxdp_queue_owner_set(const struct vxdp_pins *pins, uint32_t queue, uint32_t port,
			 uint16_t hdr_bytes)
{
	struct vxdp_queue entry = {.owner = (uint16_t)port, .hdr_bytes = hdr_bytes};

	if (bpf_map_update_elem(pins->queues, &queue, &entry, BPF_ANY))
		return -errno;
	vxdp_generation_bump(pins);
	return 0;
}

int vxdp_xsk_set(const struct vxdp_pins *pins, uint32_t queue, int xsk_fd)
{
	return bpf_map_update_elem(pins->xsks, &queue, &xsk_fd, BPF_ANY) ? -errno : 0;
}

int vxdp_xsk_clear(const struct vxdp_pins *pins, uint32_t queue)
{
	if (bpf_map_delete_elem(pins->xsks, &queue) && errno != ENOENT)
		return -errno;
	return 0;
}

int vxdp_tap_set(const struct vxdp_pins *pins, uint32_t port, uint32_t ifindex)
{
	if (!ifindex)
		return bpf_map_delete_elem(pins->taps, &port) && errno != ENOENT ? -errno : 0;
	return bpf_map_update_elem(pins->taps, &port, &ifindex, BPF_ANY) ? -errno : 0;
}

int vxdp_stats_get(const struct vxdp_pins *pins, uint32_t port, struct vxdp_port_stats *sum)
{
	_cleanup_free_ struct vxdp_port_stats *per_cpu = NULL;
	int n_cpus = libbpf_num_possible_cpus();

	if (n_cpus < 0)
		return n_cpus;
	per_cpu = calloc(n_cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(pins->stats, &port, per_cpu))
		return -errno;
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < n_cpus; cpu++) {
#define SUM_COUNTER(NAME, name, is_drop, text)                                                     \
	sum->name.packets += per_cpu[cpu].name.packets;                                            \
	sum->name.bytes += per_cpu[cpu].name.bytes;
		VXDP_VERDICTS(SUM_COUNTER)
#undef SUM_COUNTER
	}
	return 0;
}
