/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A pair's load is the time its worker spent on passes of it that moved frames. Once a second the
 * most and the least loaded worker are compared. When they have been apart by more than a tenth
 * of a CPU for PATIENCE seconds, the pair is moved that brings them closest together, one at a
 * time, and only if that halves the difference at least: a single busy pair does not change sides
 * for ever.
 *
 * Moving is stop-and-swap: the old worker lets go between two passes, then the new one takes it.
 * What the pair has taken out of its rings moves with it. Kicks, taps and sockets that became ready
 * in between wake the new worker as soon as it watches them, and it looks at the rings anyway.
 */
#include "spread.h"

#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "cycles.h"
#include "deliver.h"
#include "port.h"

#define PATIENCE       2 /* seconds */
#define APART_PERCENT  10
#define CLOSER_PERCENT 50 /* what a move leaves of the difference, at most */

/* ---- Moving ---- */

struct watched {
	enum worker_source source;
	int fd;
};

#define WATCHED_MAX (3 + PAIR_SOCKETS_MAX)

/* Everything that wakes a worker for this pair. */
static unsigned int watched_of(const struct pair *p, struct watched out[WATCHED_MAX])
{
	const struct vu_ring *rings[] = {p->rx, p->tx};
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(rings); i++)
		if (rings[i] && vu_ring_info(rings[i])->kick_fd >= 0)
			out[n++] = (struct watched){SOURCE_KICK, vu_ring_info(rings[i])->kick_fd};
	if (p->tap_fd >= 0)
		out[n++] = (struct watched){SOURCE_TAP, p->tap_fd};
	for (unsigned int i = 0; i < p->n_sockets; i++)
		out[n++] = (struct watched){SOURCE_XSK, p->socket[i]->xsk.fd};
	return n;
}

static void worker_leave(void *arg)
{
	struct pair *p = arg;
	struct watched watched[WATCHED_MAX];
	unsigned int n = watched_of(p, watched);

	for (unsigned int i = 0; i < n; i++)
		worker_unwatch(p->worker, watched[i].source, watched[i].fd);
	worker_pair_remove(p->worker, p);
}

static void worker_join(void *arg)
{
	struct pair *p = arg;
	struct watched watched[WATCHED_MAX];
	unsigned int n = watched_of(p, watched);
	int err = worker_pair_add(p->worker, p);

	for (unsigned int i = 0; !err && i < n; i++)
		err = worker_watch(p->worker, p, watched[i].source, watched[i].fd);
	p->tap_readable = p->tap_fd >= 0;
	if (err)
		log_error_limited("%s: queue pair %u is not served: %s", p->port->name, p->index,
				  strerror(-err));
}

void spread_move(struct pair *p, struct worker *to)
{
	worker_call(p->worker, worker_leave, p);
	__atomic_store_n(&p->worker, to, __ATOMIC_RELAXED);
	worker_call(to, worker_join, p);
	port_settle_soon(p->port); /* another queue may be nearer now */
}

/* ---- Deciding ---- */

#define for_each_running_pair(sw, p)                                                               \
	for (unsigned int i_ = 0; i_ < VXDP_PORTS_MAX; i_++)                                       \
		for (unsigned int j_ = 0; (sw)->port[i_] && j_ < VU_PAIRS_MAX; j_++)               \
			if (((p) = (sw)->port[i_]->pair[j_]) != NULL && ((p)->rx || (p)->tx))

static unsigned int number_of(const struct sw *sw, const struct worker *w)
{
	unsigned int i = 0;

	while (i < sw->n_workers - 1 && sw->worker[i] != w)
		i++;
	return i;
}

struct worker *spread_choose(const struct sw *sw)
{
	unsigned int pairs[SW_WORKERS_MAX] = {}, best = 0;
	const struct pair *p;

	for_each_running_pair(sw, p) pairs[number_of(sw, p->worker)]++;
	for (unsigned int i = 1; i < sw->n_workers; i++)
		if (pairs[i] < pairs[best])
			best = i;
	return sw->worker[best];
}

static uint64_t load_of(const struct pair *p)
{
	return __atomic_load_n(&p->busy_cycles, __ATOMIC_RELAXED) - p->busy_before;
}

/* The pair of @from that, moved to a worker with @gap less to do, leaves the least difference. */
static struct pair *best_to_move(const struct sw *sw, const struct worker *from, uint64_t gap)
{
	uint64_t least = gap * CLOSER_PERCENT / 100;
	struct pair *p, *best = NULL;

	for_each_running_pair(sw, p)
	{
		uint64_t load = load_of(p), left = gap > 2 * load ? gap - 2 * load : 2 * load - gap;

		if (p->worker != from || left > least)
			continue;
		least = left;
		best = p;
	}
	return best;
}

static void balance(struct sw *sw, uint64_t second)
{
	uint64_t load[SW_WORKERS_MAX] = {}, gap;
	unsigned int most = 0, least = 0;
	struct pair *p;

	for_each_running_pair(sw, p) load[number_of(sw, p->worker)] += load_of(p);
	for (unsigned int i = 1; i < sw->n_workers; i++) {
		most = load[i] > load[most] ? i : most;
		least = load[i] < load[least] ? i : least;
	}
	gap = load[most] - load[least];
	p = gap > second * APART_PERCENT / 100 ? best_to_move(sw, sw->worker[most], gap) : NULL;
	if (!p) {
		sw->uneven_seconds = 0;
		return;
	}
	if (++sw->uneven_seconds < PATIENCE)
		return;
	sw->uneven_seconds = 0;
	log_info("%s: queue pair %u moves from worker %u to worker %u, which has less to do",
		 p->port->name, p->index, most, least);
	spread_move(p, sw->worker[least]);
}

void spread_second(struct sw *sw)
{
	uint64_t now = cycles_now();
	struct pair *p;

	if (sw->n_workers < 2)
		return;
	balance(sw, now - sw->spread_cycles);
	sw->spread_cycles = now;
	for_each_running_pair(sw, p) p->busy_before =
		__atomic_load_n(&p->busy_cycles, __ATOMIC_RELAXED);
}
