/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes_say.c - which lane a guest has on an uplink, and why: for people.
 */
#include <stdarg.h>
#include <stdio.h>

#include <vxdp/log.h>

#include "lanes_internal.h"

const char *lanes_fast_obstacle(const struct port *port, const struct uplink *u)
{
	if (!uplink_carries(u))
		return LANES_STANDBY_REASON;
	if (!uplink_has_xdp(u))
		return VXDP_XDP_NONE_REASON;
	if (!uplink_queues(u))
		return "the NICs of the switch have more queues than it can serve";
	if (!nic_reads_vlans(u->nic))
		return "the NIC takes VLAN tags out of frames before XDP sees them, and its "
		       "receive VLAN offload cannot be turned off";
	if (port->mtu > DIRECT_MTU_MAX)
		return "an MTU of more than " DIRECT_MTU_MAX_TEXT " needs more than one buffer a "
		       "frame";
	return NULL;
}

const char *lanes_shared_obstacle(const struct uplink *u)
{
	if (u->shared.refused)
		return u->shared.reason;
	if (!uplink_writes_headers(u))
		return "beside this other XDP program ours cannot say whose a frame is";
	return NULL;
}

static enum plan_lane lane_now(const struct port *port, const struct uplink *u)
{
	if (port->direct.on[u->slot].n_sockets)
		return PLAN_DIRECT;
	return shared_is_on(port, u) ? PLAN_SHARED : PLAN_KERNEL;
}

/* A guest's lane on one uplink. */
struct said {
	const struct settling *s;
	const struct settling_uplink *su;
	unsigned int i; /* the port's number */
	const struct port *port;
	struct port_uplink *on;
	const struct direct_uplink *direct;
	enum plan_why why;
};

static void say(const struct said *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct said *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->on->reason, sizeof(x->on->reason), fmt, ap);
	va_end(ap);
}

static void why_direct(const struct said *x)
{
	unsigned int n = x->direct->n_sockets;

	say(x, "%s into the guest's memory, %u NIC queue%s%s%s",
	    x->direct->zerocopy ? "zero copy" : "one copy by the kernel", n, n == 1 ? "" : "s",
	    x->why == PLAN_STEERED ? ", to which its address is steered" : "",
	    x->why == PLAN_FIRST ? ", which cannot be shared" : "");
}

static void why_shared(const struct said *x)
{
	const char *how = x->su->uplink->shared.zerocopy
				  ? "zero copy into vxdp's memory, one copy from there"
				  : "one copy by the kernel into vxdp's memory, one from there";

	switch (x->why) {
	case PLAN_CROWD:
		say(x, "several guests share the NIC's queues: %s", how);
		break;
	case PLAN_ISOLATED:
		say(x,
		    "the driver writes frames before it is known whose they are, and no rule "
		    "keeps others off this guest's queues: %s (--dedicated says that there are "
		    "no others)",
		    how);
		break;
	case PLAN_FALLBACK:
		say(x, "%s: %s", x->direct->reason, how);
		break;
	default:
		say(x, "asked for with --lane shared: %s", how);
	}
}

static void why_kernel(const struct said *x)
{
	const char *obstacle = lanes_fast_obstacle(x->port, x->su->uplink);

	switch (x->why) {
	case PLAN_DOWN:
		say(x, "the guest receives nothing");
		break;
	case PLAN_ASKED:
		say(x, "asked for with --lane kernel");
		break;
	case PLAN_TAKEN:
		say(x, "the NIC's queues belong to port %s", x->s->port[x->su->plan.taker]->name);
		break;
	default:
		if (!obstacle && x->port->lane != LANE_DIRECT)
			obstacle = lanes_shared_obstacle(x->su->uplink);
		if (!obstacle && x->direct->reason[0])
			obstacle = x->direct->reason;
		say(x, "%s", obstacle ? obstacle : "the NIC's queues are not free yet");
	}
}

static void log_lane(const struct said *x, enum plan_lane now)
{
	static const char *const names[] = {"kernel", "direct", "shared"};
	bool several = x->s->n_uplinks > 1;

	log_info("%s: %s lane%s%s: %s", x->port->name, names[now], several ? " on " : "",
		 several ? x->su->uplink->name : "", x->on->reason);
}

static void tell_one(const struct said *x)
{
	enum plan_lane now = lane_now(x->port, x->su->uplink);

	if (now == PLAN_DIRECT)
		why_direct(x);
	else if (now == PLAN_SHARED)
		why_shared(x);
	else
		why_kernel(x);
	/* On the way to another lane there is nothing to say yet. */
	if (now != x->su->plan.port[x->i].lane || now == x->on->told)
		return;
	x->on->told = now;
	if (x->why != PLAN_DOWN)
		log_lane(x, now);
}

void lanes_tell(const struct settling *s)
{
	for (unsigned int n = 0; n < s->n_uplinks; n++) {
		const struct settling_uplink *su = &s->on[n];

		if (su->uplink->closing)
			continue; /* what is true of it is told afterwards */
		for (unsigned int i = 0; i < s->n_ports; i++) {
			struct said x = {
				.s = s,
				.su = su,
				.i = i,
				.port = s->port[i],
				.on = &s->port[i]->on[su->uplink->slot],
				.direct = &s->port[i]->direct.on[su->uplink->slot],
				.why = su->plan.port[i].why,
			};

			tell_one(&x);
		}
	}
}
