/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "turn.h"

#include "lane_direct.h"
#include "lane_kernel.h"
#include "lane_shared.h"

/* What the pair's own sockets have now, which are guest buffers: nothing is waited for. */
static void sockets_read(struct pair *p)
{
	unsigned int frames = 0;

	for (unsigned int i = 0; i < p->n_sockets; i++) {
		if (p->socket[i]->held)
			continue;
		/* The rest of what was seen before, and all that has come since. */
		frames += direct_rx(p, p->socket[i], XSK_RING_ENTRIES);
		frames += direct_rx(p, p->socket[i], XSK_RING_ENTRIES);
	}
	if (frames) {
		vu_ring_flush(p->rx);
		vu_ring_notify(p->rx);
	}
}

static void feeds_mark(struct pair *p)
{
	if (p->feeds_marked)
		return;
	sockets_read(p);
	for (unsigned int i = 0; i < p->n_feeds; i++)
		p->feed[i].until = load_acquire(p->feed[i].q->xsk.rx.producer);
	p->feeds_marked = true;
}

/* Their workers read the queues, and may be others. */
static bool feeds_are_read(const struct pair *p)
{
	for (unsigned int i = 0; i < p->n_feeds; i++) {
		uint32_t read = load_acquire(p->feed[i].q->xsk.rx.consumer);

		if ((int32_t)(read - p->feed[i].until) < 0)
			return false;
	}
	return true;
}

/* The first pair answers for all: XDP may turn flows of the port to sockets again. */
static void turns_done(const struct pair *p)
{
	struct vxdp_turns *turns = &p->tables.pins->mapped_port_turns[p->tables.port_id];

	if (!p->index)
		__atomic_store_n(&turns->done, p->tap_turn.seen, __ATOMIC_RELEASE);
}

void turn_tap_init(struct pair *p)
{
	turn_init(&p->tap_turn, &p->tables.pins->mapped_port_turns[p->tables.port_id]);
	turns_done(p);
}

bool turn_tap_waits(struct pair *p, uint64_t now_ns)
{
	struct turn *t = &p->tap_turn;

	if (likely(!turn_pending(t)))
		return false;
	if (!turn_waited(t, TURN_TAP_NS, now_ns))
		return true;
	feeds_mark(p);
	if (!feeds_are_read(p) && now_ns - t->since_ns < TURN_MAX_NS)
		return true;
	p->feeds_marked = false;
	turn_end(t, now_ns);
	turns_done(p);
	return false;
}

bool turn_socket_waits(struct pair *p, struct direct_socket *s, uint64_t now_ns)
{
	struct turn *t = &s->turn;

	if (likely(!turn_pending(t)))
		return false;
	/* A tap that waits, or is held (lanes_change.c), has frames that are younger. */
	if (turn_pending(&p->tap_turn) || p->tap_held)
		return false;
	if (!turn_waited(t, TURN_SOCKET_NS, now_ns))
		return true;
	if (p->rx_enabled && !kernel_rx_drain(p, now_ns) && now_ns - t->since_ns < TURN_MAX_NS)
		return true;
	turn_end(t, now_ns);
	return false;
}
