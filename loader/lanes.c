/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.c - asks what is wanted and possible, has a plan made (plan.h), and carries it out.
 *
 * A guest that comes and goes must not drag another one from lane to lane: the NIC leaves the
 * shared lane only after STAY_NS without a second guest.
 */
#include "lanes.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vxdp/util.h>

#include "lanes_internal.h"

#define SOON_NS (5 * 1000 * 1000)
#define STAY_NS (1000 * 1000 * 1000ULL)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

void lanes_settle_soon(struct sw *sw)
{
	event_timer_set(sw->lanes_timer, SOON_NS, 0);
}

bool lanes_may_zerocopy(const struct sw *sw, bool unknown)
{
	enum vxdp_answer answer = sw->nic ? nic_info(sw->nic)->zerocopy : VXDP_NO;

	return sw->want_zerocopy && vxdp_bpf_xdp_mode(sw->bpf) == VXDP_XDP_NATIVE &&
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

static void ask_ports(struct settling *s)
{
	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++) {
		struct port *port = s->sw->port[id];
		unsigned int i = s->n_ports;

		if (!port)
			continue;
		s->port[i] = port;
		s->n_active[i] = active_pairs(port, s->active[i]);
		s->ask[i] = (struct plan_port){
			.asked = port->lane,
			.up = s->n_active[i],
			.no_fast = lanes_fast_obstacle(port),
			.owns = port->direct.n_sockets,
		};
		if (lanes_can_steer(s->sw)) {
			port->steerable = lanes_address(port, s->mac[i]);
			memcpy(port->steer_mac, s->mac[i], sizeof(port->steer_mac));
			s->ask[i].steerable = port->steerable;
		}
		s->n_ports++;
	}
}

static unsigned int count_wanting(const struct settling *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_ports; i++)
		n += s->ask[i].up && !s->ask[i].no_fast && s->ask[i].asked != LANE_KERNEL;
	return n;
}

static void ask_nic(struct settling *s)
{
	struct sw *sw = s->sw;
	unsigned int n = count_wanting(s);

	if (n > 1)
		sw->crowd_end_ns = UINT64_MAX;
	else if (sw->crowd_end_ns == UINT64_MAX)
		sw->crowd_end_ns = now_ns() + STAY_NS;
	s->nic = (struct plan_nic){
		.n_queues = direct_queues(sw),
		.zerocopy = lanes_may_zerocopy(sw, false) || sw->need_zerocopy,
		.dedicated = sw->dedicated,
		.no_shared = lanes_shared_obstacle(sw),
		.can_steer = lanes_can_steer(sw),
		.stay_shared = n == 1 && sw->shared.n_queues && now_ns() < sw->crowd_end_ns,
	};
	if (s->nic.stay_shared)
		event_timer_set(sw->lanes_timer, STAY_NS, 0);
	/* Looking at a guest's memory is not for free, so only where the answer matters. */
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (s->ask[i].up && (n == 1 || s->ask[i].asked == LANE_DIRECT ||
				     s->ask[i].steerable || s->nic.no_shared))
			s->ask[i].no_direct = !direct_possible(s->port[i]);
}

static void settle_once(struct settling *s)
{
	ask_ports(s);
	ask_nic(s);
	plan_lanes(&s->nic, s->ask, s->n_ports, &s->plan);
	lanes_take_away(s);
	lanes_steer(s);
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
	port->lane_told = PLAN_KERNEL;
	lanes_settle_soon(port->sw);
}

void lanes_close(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			lanes_pair_close(port, i);
}

void lanes_begin(struct sw *sw)
{
	const struct nic_info *nic = nic_info(sw->nic);

	steer_nic_undo(nic->name, nic->ifindex);
	sw->steer_nic.info = nic;
	sw->steer = (struct steer){.ops = &steer_nic_ops, .nic = &sw->steer_nic};
}

void lanes_end(struct sw *sw)
{
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (!sw->shared.queue[q])
			continue;
		shared_unpublish(sw, q);
		shared_close(sw, q);
	}
	if (sw->steer.ops)
		steer_clear(&sw->steer);
}
