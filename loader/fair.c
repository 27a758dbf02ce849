/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A frame from guest to guest takes some ten nanoseconds, one that is written to the tap
 * microseconds, and a broadcast as many more as there are ports. Were each guest to have as many
 * frames a pass as any other, one that floods would take nearly all of the worker's time. So it is
 * time that is shared, in two ways:
 *
 *   a visit is short   one that took longer than VISIT_NS halves the frames the pair may have in
 *                      the next, a cheap one doubles them, up to BURST: nobody waits for long
 *   shares are equal   what a pair took of a pass more than others on average is held against it,
 *                      and when that is more than VISIT_NS it sends nothing until the others, whose
 *                      passes are shorter now, have had as much
 *
 * No time is left unused: after a pass in which nobody else had anything to do nothing is held
 * against anybody. Nor is more than AHEAD_MAX visits; and of one visit no more than COST_MAX counts
 * at all, since a worker may lose its CPU in the middle of one. What a guest receives is never held
 * up but by the first rule: it did not ask for it.
 */
#include "fair.h"

#include <vxdp/util.h>

#include "pair.h"

#define VISIT_NS  40000.0
#define AHEAD_MAX 2
#define COST_MAX  8

void fair_start(struct fair *fair, uint64_t cycles, uint64_t now_ns)
{
	*fair = (struct fair){.start_cycles = cycles, .start_ns = now_ns};
}

void fair_clock(struct fair *fair, uint64_t cycles, uint64_t now_ns)
{
	const double ns = (double)(now_ns - fair->start_ns);

	if (now_ns > fair->start_ns)
		fair->visit_cycles =
			(uint64_t)((double)(cycles - fair->start_cycles) / ns * VISIT_NS);
}

void fair_join(struct pair *p)
{
	p->fair = (struct fair_share){.burst = BURST};
}

uint64_t fair_visited(struct fair *fair, struct pair *p, uint64_t cost)
{
	struct fair_share *s = &p->fair;

	cost = MIN(cost, COST_MAX * fair->visit_cycles);
	if (unlikely(cost > fair->visit_cycles))
		s->burst = MAX(s->burst / 2, 1u);
	else if (unlikely(s->burst < BURST) && cost < fair->visit_cycles / 2)
		s->burst = MIN(2 * s->burst, (unsigned int)BURST);
	if (unlikely(s->waits))
		return cost; /* it only received */
	s->cost = cost;
	fair->last = s;
	fair->n_moved++;
	return cost;
}

/* One pair's account at the end of a pass. */
static void settle(struct fair *fair, struct fair_share *s, uint64_t share)
{
	const uint64_t had = s->ahead + s->cost;

	s->ahead = MIN(had - MIN(had, share), AHEAD_MAX * fair->visit_cycles);
	s->cost = 0;
	s->waits = s->ahead > fair->visit_cycles;
	fair->n_waiting += s->waits;
}

void fair_pass_end(struct fair *fair, struct pair *const *pairs, unsigned int n)
{
	const unsigned int n_moved = fair->n_moved, n_busy = n_moved + fair->n_waiting;
	uint64_t total = 0;

	fair->n_moved = 0;
	if (likely(n_busy < 2 && n_moved == n_busy)) {
		if (n_moved)
			fair->last->cost = fair->last->ahead = 0;
		return;
	}
	fair->n_waiting = 0;
	for (unsigned int i = 0; i < n; i++)
		total += pairs[i]->fair.cost;
	for (unsigned int i = 0; i < n; i++)
		settle(fair, &pairs[i]->fair, n_moved ? total / n_busy : UINT64_MAX);
}
