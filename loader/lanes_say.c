/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes_say.c - which lane a guest has, and why: for people.
 */
#include <stdarg.h>
#include <stdio.h>

#include <vxdp/log.h>

#include "lanes_internal.h"

const char *lanes_fast_obstacle(const struct port *port)
{
	if (!port->sw->nic)
		return "the switch has no NIC that could have AF_XDP sockets";
	if (!nic_reads_vlans(port->sw->nic))
		return "the NIC takes VLAN tags out of frames before XDP sees them, and its "
		       "receive VLAN offload cannot be turned off";
	if (port->mtu > DIRECT_MTU_MAX)
		return "an MTU of more than " DIRECT_MTU_MAX_TEXT " needs more than one buffer a "
		       "frame";
	return NULL;
}

const char *lanes_shared_obstacle(const struct sw *sw)
{
	if (sw->shared.refused)
		return sw->shared.reason;
	if (!vxdp_bpf_writes_headers(sw->bpf))
		return "beside this other XDP program ours cannot say whose a frame is";
	return NULL;
}

static enum plan_lane lane_now(const struct port *port)
{
	if (port->direct.n_sockets)
		return PLAN_DIRECT;
	return port->shared ? PLAN_SHARED : PLAN_KERNEL;
}

static void say(struct port *port, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct port *port, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(port->lane_reason, sizeof(port->lane_reason), fmt, ap);
	va_end(ap);
}

static void why_direct(const struct settling *s, unsigned int i)
{
	struct port *port = s->port[i];
	unsigned int n = port->direct.n_sockets;

	say(port, "%s into the guest's memory, %u NIC queue%s%s%s",
	    port->direct.zerocopy ? "zero copy" : "one copy by the kernel", n, n == 1 ? "" : "s",
	    s->plan.port[i].why == PLAN_STEERED ? ", to which its address is steered" : "",
	    s->plan.port[i].why == PLAN_FIRST ? ", which cannot be shared" : "");
}

static void why_shared(const struct settling *s, unsigned int i)
{
	const char *how = s->sw->shared.zerocopy
				  ? "zero copy into vxdp's memory, one copy from there"
				  : "one copy by the kernel into vxdp's memory, one from there";
	struct port *port = s->port[i];

	switch (s->plan.port[i].why) {
	case PLAN_CROWD:
		say(port, "several guests share the NIC's queues: %s", how);
		break;
	case PLAN_ISOLATED:
		say(port,
		    "the driver writes frames before it is known whose they are, and no rule "
		    "keeps others off this guest's queues: %s (--dedicated says that there are "
		    "no others)",
		    how);
		break;
	case PLAN_FALLBACK:
		say(port, "%s: %s", port->direct.reason, how);
		break;
	default:
		say(port, "asked for with --lane shared: %s", how);
	}
}

static void why_kernel(const struct settling *s, unsigned int i)
{
	const char *obstacle = lanes_fast_obstacle(s->port[i]);
	struct port *port = s->port[i];

	switch (s->plan.port[i].why) {
	case PLAN_DOWN:
		say(port, "the guest receives nothing");
		break;
	case PLAN_ASKED:
		say(port, "asked for with --lane kernel");
		break;
	case PLAN_TAKEN:
		say(port, "the NIC's queues belong to port %s", s->port[s->plan.taker]->name);
		break;
	default:
		if (!obstacle && port->lane != LANE_DIRECT)
			obstacle = lanes_shared_obstacle(s->sw);
		if (!obstacle && port->direct.reason[0])
			obstacle = port->direct.reason;
		say(port, "%s", obstacle ? obstacle : "the NIC's queues are not free yet");
	}
}

void lanes_tell(const struct settling *s)
{
	static const char *const names[] = {"kernel", "direct", "shared"};

	for (unsigned int i = 0; i < s->n_ports; i++) {
		struct port *port = s->port[i];
		enum plan_lane now = lane_now(port);

		if (now == PLAN_DIRECT)
			why_direct(s, i);
		else if (now == PLAN_SHARED)
			why_shared(s, i);
		else
			why_kernel(s, i);
		/* On the way to another lane there is nothing to say yet. */
		if (now != s->plan.port[i].lane || now == port->lane_told)
			continue;
		port->lane_told = now;
		if (s->plan.port[i].why != PLAN_DOWN)
			log_info("%s: %s lane: %s", port->name, names[now], port->lane_reason);
	}
}
