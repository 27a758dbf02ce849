/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.c - asks what is wanted and possible, has a plan made (plan.h), and carries it out.
 *
 * Each uplink has a plan of its own: a guest may have the direct lane on one and the shared lane on
 * another. What is common to all is which pairs receive, and that a port either takes part in the
 * shared lane or not (shared.h).
 *
 * A guest that comes and goes must not drag another one from lane to lane: a NIC leaves the shared
 * lane only after STAY_NS without a second guest.
 */
#include "lanes.h"

#include <stdlib.h>
#include <string.h>

#include <vxdp/util.h>

#include "lanes_internal.h"

#define SOON_NS (5 * 1000 * 1000)
#define STAY_NS (1000 * 1000 * 1000ULL)

void lanes_settle_soon(struct sw *sw)
{
	event_timer_set(sw->lanes_timer, SOON_NS, 0);
}

bool lanes_may_zerocopy(const struct uplink *u, bool unknown)
{
	enum vxdp_answer answer = nic_info(u->nic)->zerocopy;

	return u->sw->want_zerocopy && uplink_is_native(u) &&
	       (answer == VXDP_YES || (answer == VXDP_UNKNOWN && unknown));
}

/* ---- What is asked for, and possible ---- */

static unsigned int active_pairs(struct port *port, struct pair **active)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && port->pair[i]->rx && port->pair[i]->rx_enabled)
			active[n++] = port->pair[i];
	return n;
}

static void find_ports(struct settling *s)
{
	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++) {
		struct port *port = s->sw->port[id];
		unsigned int i = s->n_ports;

		if (!port)
			continue;
		s->port[i] = port;
		s->n_active[i] = active_pairs(port, s->active[i]);
		s->n_ports++;
	}
}

static void ask_ports(const struct settling *s, struct settling_uplink *su)
{
	for (unsigned int i = 0; i < s->n_ports; i++) {
		struct port *port = s->port[i];

		su->ask[i] = (struct plan_port){
			.asked = port->lane,
			.up = s->n_active[i],
			.no_fast = lanes_fast_obstacle(port, su->uplink),
			.owns = port->direct.on[su->uplink->slot].n_sockets,
		};
		if (!lanes_can_steer(su->uplink))
			continue;
		port->steerable = lanes_address(port, su->mac[i]);
		memcpy(port->steer_mac, su->mac[i], sizeof(port->steer_mac));
		su->ask[i].steerable = port->steerable;
	}
}

static unsigned int count_wanting(const struct settling *s, const struct settling_uplink *su)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_ports; i++)
		n += su->ask[i].up && !su->ask[i].no_fast && su->ask[i].asked != LANE_KERNEL;
	return n;
}

static void ask_nic(const struct settling *s, struct settling_uplink *su)
{
	unsigned int n = count_wanting(s, su);
	struct uplink *u = su->uplink;

	if (n > 1)
		u->crowd_end_ns = UINT64_MAX;
	else if (u->crowd_end_ns == UINT64_MAX)
		u->crowd_end_ns = monotonic_ns() + STAY_NS;
	su->nic = (struct plan_nic){
		.n_queues = uplink_queues(u),
		.zerocopy = lanes_may_zerocopy(u, false) || s->sw->need_zerocopy,
		.dedicated = uplink_is_dedicated(u),
		.no_shared = lanes_shared_obstacle(u),
		.can_steer = lanes_can_steer(u),
		.stay_shared = n == 1 && u->shared.n_queues && monotonic_ns() < u->crowd_end_ns,
	};
	if (su->nic.stay_shared)
		event_timer_set(s->sw->lanes_timer, STAY_NS, 0);
	/* Looking at a guest's memory is not for free, so only where the answer matters. */
	for (unsigned int i = 0; i < s->n_ports; i++) {
		struct plan_port *ask = &su->ask[i];

		if (ask->up && !ask->no_fast &&
		    (n == 1 || ask->asked == LANE_DIRECT || ask->steerable || su->nic.no_shared))
			ask->no_direct = !direct_possible(s->port[i], u);
	}
}

static void make_plans(struct settling *s)
{
	find_ports(s);
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		struct settling_uplink *su = &s->on[s->n_uplinks];

		if (!s->sw->uplink[i] || !s->sw->uplink[i]->nic)
			continue;
		su->uplink = s->sw->uplink[i];
		ask_ports(s, su);
		ask_nic(s, su);
		plan_lanes(&su->nic, su->ask, s->n_ports, &su->plan);
		s->n_uplinks++;
	}
}

static void settle_once(struct settling *s)
{
	make_plans(s);
	lanes_take_away(s);
	for (unsigned int i = 0; i < s->n_uplinks; i++)
		lanes_steer(s, &s->on[i]);
	if (s->again)
		return;
	lanes_hand_out(s);
	if (!s->again)
		lanes_tell(s);
}

void lanes_settle(struct sw *sw)
{
	bool again;

	do { /* what fails is not tried again, so this ends */
		struct settling *s = calloc(1, sizeof(*s));

		again = false;
		if (!s)
			break;
		s->sw = sw;
		settle_once(s);
		again = s->again;
		free(s);
	} while (again);
}

/* ---- At once ---- */

void lanes_pair_close(struct port *port, unsigned int pair)
{
	bool any = direct_pair_close(port, pair);

	if (port->shared) {
		lanes_flags(port, false);
		shared_leave(port);
		any = true;
	}
	if (!any)
		return;
	lanes_flags(port, false);
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		port->on[i].told = PLAN_KERNEL;
	lanes_settle_soon(port->sw);
}

void lanes_close(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			lanes_pair_close(port, i);
}

void lanes_begin(struct uplink *u)
{
	const struct nic_info *nic = nic_info(u->nic);

	steer_nic_undo(nic->name, nic->ifindex);
	u->steer_nic.info = nic;
	u->steer = (struct steer){.ops = &steer_nic_ops, .nic = &u->steer_nic};
}

static bool is_open(const struct sw *sw, unsigned int place)
{
	return sw->queue_owner[place] || sw->shared_queue[place];
}

static bool has_open(const struct uplink *u)
{
	bool open = false;

	for (unsigned int q = 0; q < uplink_places(u); q++)
		open |= is_open(u->sw, uplink_place(u, q));
	return open;
}

/* Without a plan, as when there is no memory for one. */
static void close_all(struct uplink *u)
{
	struct sw *sw = u->sw;

	for (unsigned int q = 0; q < uplink_places(u); q++) {
		unsigned int place = uplink_place(u, q);

		if (sw->queue_owner[place]) {
			direct_unpublish(sw->queue_owner[place], place);
			direct_close(sw->queue_owner[place], place);
		}
		if (sw->shared_queue[place]) {
			shared_unpublish(sw, place);
			shared_close(sw, place);
		}
	}
}

void lanes_pause(struct uplink *u)
{
	bool was_closing = u->closing;

	if (!has_open(u))
		return;
	u->closing = true;
	lanes_settle(u->sw);
	close_all(u);
	u->closing = was_closing;
}

void lanes_end(struct uplink *u)
{
	u->closing = true;
	lanes_pause(u);
	if (u->steer.ops)
		steer_clear(&u->steer);
	u->steer = (struct steer){};
}
