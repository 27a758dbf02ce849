/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * In this order:
 *
 *   1. Who asked for the direct lane gets the whole NIC, first come, first served; the others are
 *      left with the kernel lane. With steering it gets a queue, and nobody has to step aside.
 *   2. The only guest gets the whole NIC, if the program sees a frame before the NIC has written
 *      it anywhere (copy mode), or the NIC carries nothing but its frames.
 *   3. With steering, guests get a queue each from the last one downwards. The first queue always
 *      stays for the host and for addresses there are no rules for.
 *   4. All others share what is left.
 *   5. Where nothing can be shared, the first guest gets the NIC.
 */
#include "plan.h"

#include <vxdp/util.h>

struct planning {
	const struct plan_nic *nic;
	const struct plan_port *port;
	unsigned int n_ports;
	struct plan *plan;
};

static bool is_candidate(const struct plan_port *p)
{
	return p->up && !p->no_fast && p->asked != LANE_KERNEL;
}

static bool wants_direct(const struct plan_port *p)
{
	return is_candidate(p) && !p->no_direct && p->asked != LANE_SHARED;
}

static bool wants_queue(const struct planning *g, const struct plan_port *p)
{
	return g->nic->can_steer && g->nic->n_queues > 1 && p->steerable && wants_direct(p);
}

static void give(struct planning *g, unsigned int i, enum plan_lane lane, enum plan_why why)
{
	g->plan->port[i].lane = lane;
	g->plan->port[i].why = why;
}

/* All queues for port @taker, the kernel lane for the others. */
static void give_all(struct planning *g, int taker, enum plan_why why)
{
	g->plan->taker = taker;
	for (unsigned int q = 0; q < g->nic->n_queues; q++)
		g->plan->queue[q] = taker;
	for (unsigned int i = 0; i < g->n_ports; i++)
		if (is_candidate(&g->port[i]))
			give(g, i, PLAN_KERNEL, PLAN_TAKEN);
	give(g, (unsigned int)taker, PLAN_DIRECT, why);
}

/* The port of all those that want the direct lane which is to have the whole NIC. */
static int first_direct(const struct planning *g, bool asked_only)
{
	int first = PLAN_NOBODY;

	for (unsigned int i = 0; i < g->n_ports; i++) {
		const struct plan_port *p = &g->port[i];

		if (!wants_direct(p) || (asked_only && p->asked != LANE_DIRECT) ||
		    (asked_only && wants_queue(g, p)))
			continue;
		if (first == PLAN_NOBODY || (p->owns && !g->port[first].owns))
			first = (int)i;
	}
	return first;
}

static unsigned int count_candidates(const struct planning *g)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < g->n_ports; i++)
		n += is_candidate(&g->port[i]);
	return n;
}

/* 2: may the only candidate have the whole NIC? */
static bool may_be_alone(const struct planning *g, const struct plan_port *p)
{
	return wants_direct(p) && !g->nic->stay_shared && (!g->nic->zerocopy || g->nic->dedicated);
}

static void give_steered(struct planning *g)
{
	for (unsigned int i = 0; i < g->n_ports; i++) {
		if (!wants_queue(g, &g->port[i]) || g->plan->n_steered + 1 >= g->nic->n_queues)
			continue;
		g->plan->queue[g->nic->n_queues - 1 - g->plan->n_steered++] = (int)i;
		give(g, i, PLAN_DIRECT, PLAN_STEERED);
	}
}

static enum plan_why why_shared(const struct planning *g, const struct plan_port *p)
{
	if (p->asked == LANE_SHARED)
		return PLAN_ASKED;
	if (count_candidates(g) > 1 || g->nic->stay_shared)
		return PLAN_CROWD;
	return p->no_direct ? PLAN_FALLBACK : PLAN_ISOLATED;
}

/* Those without queues of their own share the others. */
static void give_shared(struct planning *g)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < g->n_ports; i++) {
		const struct plan_port *p = &g->port[i];

		if (!is_candidate(p) || g->plan->port[i].lane == PLAN_DIRECT)
			continue;
		/* Who asked for the direct lane is told why not, instead of getting another. */
		if (g->nic->no_shared || p->asked == LANE_DIRECT) {
			give(g, i, PLAN_KERNEL, PLAN_IMPOSSIBLE);
			continue;
		}
		give(g, i, PLAN_SHARED, why_shared(g, p));
		n++;
	}
	for (unsigned int q = 0; n && q < g->nic->n_queues - g->plan->n_steered; q++)
		g->plan->queue[q] = PLAN_EVERYONE;
}

void plan_lanes(const struct plan_nic *nic, const struct plan_port *port, unsigned int n_ports,
		struct plan *plan)
{
	struct planning g = {nic, port, n_ports, plan};
	int taker;

	*plan = (struct plan){.taker = PLAN_NOBODY};
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
		plan->queue[q] = PLAN_NOBODY;
	for (unsigned int i = 0; i < n_ports; i++)
		give(&g, i, PLAN_KERNEL,
		     !port[i].up		    ? PLAN_DOWN
		     : port[i].asked == LANE_KERNEL ? PLAN_ASKED
						    : PLAN_IMPOSSIBLE);
	taker = first_direct(&g, true);
	if (taker != PLAN_NOBODY) {
		give_all(&g, taker, PLAN_ASKED);
		return;
	}
	taker = first_direct(&g, false);
	if (taker != PLAN_NOBODY && count_candidates(&g) == 1 && may_be_alone(&g, &port[taker])) {
		give_all(&g, taker, PLAN_ALONE);
		return;
	}
	give_steered(&g);
	if (nic->no_shared && !plan->n_steered && taker != PLAN_NOBODY)
		give_all(&g, taker, PLAN_FIRST);
	else
		give_shared(&g);
}
