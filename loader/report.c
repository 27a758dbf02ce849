/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.c - what `vxdp status` and `vxdp stats` say of a running switch, as JSON.
 *
 * Fields are only ever added; vxdp.8 documents them.
 */
#include <stdlib.h>
#include <string.h>

#include <vxdp/util.h>

#include "policy.h"
#include "port.h"
#include "tap_port.h"

static const char *const state_names[] = {
	[VU_WAITING] = "waiting",
	[VU_CONNECTED] = "connected",
	[VU_RUNNING] = "running",
};

static const char *role_name(enum vu_role role)
{
	switch (role) {
	case VU_ROLE_CLIENT:
		return "client";
	case VU_ROLE_SERVER:
		return "server";
	case VU_ROLE_AUTO:
		break;
	}
	return "auto";
}

/* ---- Status ---- */

static json_t *feature_names(uint64_t bits, const char *(*name)(unsigned int bit))
{
	json_t *names = json_array();

	for (unsigned int bit = 0; bit < 64; bit++)
		if (bits >> bit & 1)
			json_array_append_new(names, name(bit) ? json_string(name(bit))
							       : json_sprintf("BIT_%u", bit));
	return names;
}

static json_t *memory_status(const struct port *port, const struct vu_mem *mem)
{
	uint64_t bytes = 0;
	bool pinned = port->direct.n_sockets;

	for (unsigned int i = 0; mem && i < mem->n_regions; i++)
		bytes += mem->region[i].bytes;
	return json_pack("{sI, si, sI, sI}", "bytes", (json_int_t)bytes, "regions",
			 mem ? (int)mem->n_regions : 0, "pinned_bytes",
			 (json_int_t)(pinned && mem ? mem->bytes : 0), "kernel_bytes",
			 (json_int_t)direct_kernel_bytes(port));
}

/* NIC queues: of the uplink whose lane the port's "lane" is. */
static json_t *queue_status(const struct port *port, const struct pair *p)
{
	const struct uplink *u = uplink_main(port->sw);
	json_t *nic_queues = json_array();
	int first = -1;

	for (unsigned int q = 0; u && q < uplink_places(u); q++) {
		unsigned int place = uplink_place(u, q);

		if (!port->direct.socket[place] || port->direct.pair[place] != p->index)
			continue;
		json_array_append_new(nic_queues, json_integer(q));
		if (first < 0)
			first = (int)q;
	}
	return json_pack("{si, si, si, sb, si, so, si}", "pair", (int)p->index, "rx_size",
			 p->rx ? vu_ring_info(p->rx)->num : 0, "tx_size",
			 p->tx ? vu_ring_info(p->tx)->num : 0, "enabled", p->rx && p->rx_enabled,
			 "nic_queue", first, "nic_queues", nic_queues, "cpu",
			 worker_cpu(p->worker));
}

static bool pair_runs(const struct pair *p)
{
	return p && (p->rx || p->tx);
}

/* A port's lane on one uplink; NULL: the switch has none. */
struct lane_status {
	const char *lane, *reason;
	bool zerocopy;
	unsigned int nic_queues;
};

static struct lane_status lane_of(const struct port *port, const struct uplink *u)
{
	const struct direct_uplink *direct = u ? &port->direct.on[u->slot] : NULL;
	struct lane_status s = {port->entry.flags & VXDP_PORT_UP ? "kernel" : "none",
				u ? port->on[u->slot].reason
				  : "the switch has no NIC that could have AF_XDP sockets",
				false, 0};

	if (!*s.reason)
		s.reason = "no guest yet";
	if (u && direct->n_sockets) {
		s.lane = "direct";
		s.zerocopy = direct->zerocopy;
		s.nic_queues = direct->n_sockets;
	} else if (u && shared_is_on(port, u)) {
		s.lane = "shared";
		s.zerocopy = u->shared.zerocopy;
		s.nic_queues = u->shared.n_queues;
	}
	return s;
}

static json_t *lanes_status(const struct port *port)
{
	json_t *lanes = json_array();

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const struct uplink *u = port->sw->uplink[i];
		struct lane_status s;

		if (!u)
			continue;
		s = lane_of(port, u);
		json_array_append_new(lanes,
				      json_pack("{ss, ss, ss, sb, si}", "nic", u->name, "lane",
						s.lane, "lane_reason", s.reason, "zerocopy",
						s.zerocopy, "nic_queues", (int)s.nic_queues));
	}
	return lanes;
}

static json_t *port_status(const struct port *port)
{
	const struct lane_status lane = lane_of(port, uplink_main(port->sw));
	json_t *queues = json_array();
	const char *ring = NULL;
	struct vu_dev_info info;
	unsigned int n = 0;

	vu_dev_info(port->dev, &info);
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		const struct pair *p = port->pair[i];

		if (!pair_runs(p))
			continue;
		ring = vu_ring_info(p->rx ? p->rx : p->tx)->packed ? "packed" : "split";
		n += p->rx && p->rx_enabled;
		json_array_append_new(queues, queue_status(port, p));
	}
	return json_pack(
		"{ss, sI, ss, ss, ss, ss, ss, si, ss, ss, sb, so, si, ss?, so, so, si, sI, si, ss, sb, so, so}",
		"name", port->name, "id", (json_int_t)port->id, "kind", "vm", "socket",
		port->socket_path, "role", role_name(info.role), "state", state_names[info.state],
		"tap", port->tap.ifname, "ifindex", (int)port->tap.ifindex, "lane", lane.lane,
		"lane_reason", lane.reason, "zerocopy", lane.zerocopy, "lanes", lanes_status(port),
		"queue_pairs", (int)n, "ring", ring, "features",
		feature_names(info.features, vu_feature_name), "protocol_features",
		feature_names(info.protocol_features, vu_protocol_feature_name), "mtu",
		(int)port->mtu, "connects", (json_int_t)info.n_connects, "peer_pid",
		(int)info.peer_pid, "tcp_lane",
		port->entry.flags & VXDP_PORT_TCP_KERNEL || !strcmp(lane.lane, "none") ? "kernel"
										       : lane.lane,
		"guest_lane", deliver_pairs(&port->sw->deliver, port->id) > 0, "memory",
		memory_status(port, info.mem), "queues", queues);
}

static json_t *worker_status(const struct worker *w)
{
	struct worker_stats s = worker_stats(w);

	return json_pack("{si, ss, sI, sI, sI, sI, sf, sI}", "cpu", worker_cpu(w), "state",
			 worker_sleeping(w) ? "sleeping" : "polling", "polls", (json_int_t)s.passes,
			 "busy_polls", (json_int_t)s.busy_passes, "frames", (json_int_t)s.frames,
			 "busy_cycles", (json_int_t)s.busy_cycles, "cycles_per_frame",
			 s.frames ? (double)s.busy_cycles / (double)s.frames : 0.0, "sleeps",
			 (json_int_t)s.sleeps);
}

/* Of all uplinks. */
static json_t *shared_status(const struct sw *sw)
{
	unsigned int n = 0, n_zerocopy = 0;
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const struct uplink *u = sw->uplink[i];

		if (!u)
			continue;
		n += u->shared.n_queues;
		n_zerocopy += u->shared.zerocopy ? u->shared.n_queues : 0;
		bytes += shared_bytes(u);
	}
	return json_pack("{si, sb, sI}", "nic_queues", (int)n, "zerocopy", n && n == n_zerocopy,
			 "bytes", (json_int_t)bytes);
}

/* What was said of the NIC before a switch could have several stays where it was. */
static void first_uplink_status(const struct sw *sw, json_t *status)
{
	static const char *const members[] = {"xdp", "xdp_why", "nic_queues", "carrier"};
	json_t *first = json_array_get(json_object_get(status, "uplinks"), 0);

	for (size_t i = 0; first && i < ARRAY_SIZE(members); i++)
		json_object_set(status, members[i], json_object_get(first, members[i]));
}

json_t *sw_status(const struct sw *sw)
{
	json_t *ports = json_array(), *workers = json_array(), *status;

	for (unsigned int i = 0; i < VXDP_PORTS_MAX; i++)
		if (sw->port[i])
			json_array_append_new(ports, port_status(sw->port[i]));
	tap_ports_status(sw->pins, ports);
	policy_add(sw->pins, ports);
	for (unsigned int i = 0; i < sw->n_workers; i++)
		json_array_append_new(workers, worker_status(sw->worker[i]));
	status = json_pack("{ss, ss, si, ss, ss, si, si, sb, sb, so, so, so, so}", "nic",
			   sw->nic_name, "version", VXDP_VERSION, "pid", (int)getpid(), "xdp",
			   "none", "xdp_why", "the switch has no uplink", "mtu",
			   (int)uplink_mtu(sw), "nic_queues", 0, "carrier", false, "dedicated",
			   sw->dedicated, "uplinks", uplink_status(sw), "ports", ports, "workers",
			   workers, "shared", shared_status(sw));
	first_uplink_status(sw, status);
	return status;
}

/* ---- Statistics ---- */

static json_t *count_json(uint64_t packets, uint64_t bytes)
{
	return json_pack("{sI, sI}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static json_t *lane_json(const struct lane_count *c)
{
	return count_json(__atomic_load_n(&c->packets, __ATOMIC_RELAXED),
			  __atomic_load_n(&c->bytes, __ATOMIC_RELAXED));
}

static json_t *verdicts_json(const struct sw *sw, uint32_t port)
{
	struct vxdp_port_stats s = {};

	vxdp_stats_get(sw->pins, port, &s);
#define VERDICT_PAIR(NAME, name, is_drop, text)                                                    \
	json_object_set_new(o, #name, count_json(s.name.packets, s.name.bytes));
	json_t *o = json_object();

	VXDP_VERDICTS(VERDICT_PAIR)
#undef VERDICT_PAIR
	return o;
}

struct drop_name {
	const char *name;
	bool is_drop;
};

static const struct drop_name drop_names[] = {
#define VERDICT_NAME(NAME, name, is_drop, text) [VXDP_##NAME] = {#name, is_drop},
	VXDP_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

_Static_assert(ARRAY_SIZE(drop_names) == VXDP_N_VERDICTS, "one name a verdict");

/* The kernel drops for the AF_XDP socket on its own: tell them apart by the counters it keeps. */
static void kernel_drops(json_t *drops, const struct xdp_statistics *x)
{
	uint64_t starved = MIN(x->rx_fill_ring_empty_descs, x->rx_dropped);
	json_t *no_buffer = json_object_get(drops, "drop_rx_no_buffer");
	json_int_t counted = json_integer_value(json_object_get(no_buffer, "packets"));

	json_object_set_new(no_buffer, "packets", json_integer(counted + (json_int_t)starved));
	json_object_set_new(drops, "drop_rx_xsk",
			    count_json(x->rx_dropped - starved + x->rx_ring_full, 0));
}

static json_t *drops_json(const struct pair *p, const char *prefix)
{
	json_t *drops = json_object();

	for (unsigned int v = 0; v < VXDP_N_VERDICTS; v++)
		if (!strncmp(drop_names[v].name, prefix, strlen(prefix)))
			json_object_set_new(drops, drop_names[v].name,
					    lane_json(&p->stats.drops[v]));
	return drops;
}

static json_t *xsk_json(const struct xdp_statistics *x)
{
	return json_pack("{sI, sI, sI, sI, sI, sI}", "rx_dropped", (json_int_t)x->rx_dropped,
			 "rx_invalid_descs", (json_int_t)x->rx_invalid_descs, "tx_invalid_descs",
			 (json_int_t)x->tx_invalid_descs, "rx_ring_full",
			 (json_int_t)x->rx_ring_full, "rx_fill_ring_empty_descs",
			 (json_int_t)x->rx_fill_ring_empty_descs, "tx_ring_empty_descs",
			 (json_int_t)x->tx_ring_empty_descs);
}

static json_t *queue_stats(const struct port *port, const struct pair *p)
{
	struct xdp_statistics x = direct_statistics(port, p->index);
	json_t *rx_drops = drops_json(p, "drop_rx_");
	json_t *rx, *tx;

	kernel_drops(rx_drops, &x);
	rx = json_pack("{so, so, so, so, so, so}", "direct", lane_json(&p->stats.rx_direct),
		       "shared", lane_json(&p->stats.rx_shared), "kernel",
		       lane_json(&p->stats.rx_kernel), "guest", lane_json(&p->stats.rx_guest),
		       "bounced", lane_json(&p->stats.rx_bounced), "drops", rx_drops);
	tx = json_pack("{so, so, so, so, so, so}", "direct", lane_json(&p->stats.tx_direct),
		       "shared", lane_json(&p->stats.tx_shared), "kernel",
		       lane_json(&p->stats.tx_kernel), "guest", lane_json(&p->stats.tx_guest),
		       "bounced", lane_json(&p->stats.tx_bounced), "drops",
		       drops_json(p, "drop_tx_"));
	return json_pack("{si, so, so, so}", "pair", (int)p->index, "rx", rx, "tx", tx, "xsk",
			 xsk_json(&x));
}

static json_t *guest_stats(const struct sw *sw, const struct port *port)
{
	json_t *queues = json_array();
	json_t *verdicts = verdicts_json(sw, port->id);

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			json_array_append_new(queues, queue_stats(port, port->pair[i]));
	/* The tap's own queue is where the kernel lane drops for a slow guest. */
	json_object_set_new(verdicts, "drop_rx_tap", count_json(tap_tx_dropped(&port->tap), 0));
	return json_pack("{ss, sI, so, so, sI}", "name", port->name, "id", (json_int_t)port->id,
			 "verdicts", verdicts, "queues", queues, "capture_lost",
			 (json_int_t)port->capture.lost);
}

static void counter_add(json_t *counters, const char *name, uint64_t packets, uint64_t bytes)
{
	json_t *c = json_object_get(counters, name);

	packets += (uint64_t)json_integer_value(json_object_get(c, "packets"));
	bytes += (uint64_t)json_integer_value(json_object_get(c, "bytes"));
	json_object_set_new(counters, name, count_json(packets, bytes));
}

/*
 * A wire. Of what was counted to_shared, some may have been lost before it was known here for
 * whom it was.
 */
static json_t *uplink_stats(const struct uplink *u)
{
	uint32_t id = vxdp_bpf_uplink(u->sw->bpf, u->slot)->port;
	json_t *verdicts = verdicts_json(u->sw, id);
	struct xdp_statistics x = shared_statistics(u);
	struct lane_count gone = shared_gone(u);
	struct vxdp_port port = {};

	vxdp_port_get(u->sw->pins, id, &port);
	counter_add(verdicts, "drop_rx_xsk", x.rx_dropped + x.rx_ring_full, 0);
	counter_add(verdicts, "drop_no_port", gone.packets, gone.bytes);
	return json_pack("{ss, sI, so, so}", "name", port.name, "id", (json_int_t)id, "verdicts",
			 verdicts, "xsk", xsk_json(&x));
}

/* The host's stack on a NIC, or a wire without lanes. */
static void fixed_stats(const struct sw *sw, uint32_t id, json_t *ports)
{
	struct vxdp_port port = {};

	vxdp_port_get(sw->pins, id, &port);
	json_array_append_new(ports, json_pack("{ss, sI, so}", "name", port.name, "id",
					       (json_int_t)id, "verdicts", verdicts_json(sw, id)));
}

json_t *sw_stats(const struct sw *sw)
{
	json_t *ports = json_array();

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const struct vxdp_uplink *up = vxdp_bpf_uplink(sw->bpf, i);

		if (!up->ifindex)
			continue;
		if (sw->uplink[i])
			json_array_append_new(ports, uplink_stats(sw->uplink[i]));
		else
			fixed_stats(sw, up->port, ports);
		fixed_stats(sw, up->host_port, ports);
	}
	for (unsigned int i = 0; i < VXDP_PORTS_MAX; i++)
		if (sw->port[i])
			json_array_append_new(ports, guest_stats(sw, sw->port[i]));
	tap_ports_stats(sw->pins, ports);
	return json_pack("{ss, so}", "nic", sw->nic_name, "ports", ports);
}
