/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feeds.h"

#include "pair.h"
#include "worker.h"

struct feed_change {
	struct pair *pair;
	struct shared_queue *q; /* NULL: all of them, when removing */
};

static bool feeds(const struct pair *p, const struct shared_queue *q)
{
	for (unsigned int i = 0; i < p->n_feeds; i++)
		if (p->feed[i].q == q)
			return true;
	return false;
}

static void worker_feed_add(void *arg)
{
	struct feed_change *c = arg;
	struct pair *p = c->pair;

	if (p->n_feeds < PAIR_FEEDS_MAX)
		p->feed[p->n_feeds++] = (struct pair_feed){.q = c->q};
}

void feed_add(struct pair *p, struct shared_queue *q)
{
	struct feed_change change = {p, q};

	if (!feeds(p, q))
		worker_call(p->worker, worker_feed_add, &change);
}

static void worker_feed_remove(void *arg)
{
	struct feed_change *c = arg;
	struct pair *p = c->pair;

	for (unsigned int i = p->n_feeds; i-- > 0;)
		if (!c->q || p->feed[i].q == c->q)
			p->feed[i] = p->feed[--p->n_feeds];
}

static void port_feeds_remove(struct port *port, struct shared_queue *q)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		struct feed_change change = {port->pair[i], q};

		if (change.pair && (q ? feeds(change.pair, q) : change.pair->n_feeds))
			worker_call(change.pair->worker, worker_feed_remove, &change);
	}
}

void feeds_clear(struct port *port)
{
	port_feeds_remove(port, NULL);
}

void feeds_remove(struct sw *sw, struct shared_queue *q)
{
	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++)
		if (sw->port[id])
			port_feeds_remove(sw->port[id], q);
}
