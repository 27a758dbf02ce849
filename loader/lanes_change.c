/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * plan.h says what every guest should have; what differs is taken away first and given then.
 * Between the two, and for a guest that joins, frames take the kernel lane: a NIC queue has one
 * UMEM at a time, and it takes the kernel a moment to let go of the old one.
 *
 * No flow is reordered by a change. The lane that is left has older frames than the one that comes
 * after it, so the latter is not read until the former is known to be empty:
 *
 *	leaving a fast lane	the guest's tap is held (not read)
 *				socket out of the maps; wait until no program runs that saw it there
 *				take what is in the socket; let the tap go
 *	joining one		socket into the maps, but held
 *				wait until no program runs that did not see it
 *				until the tap has been seen empty; let the socket go
 *
 * A port takes part in the shared lane queue by queue: one that opens, on this uplink or on
 * another, gets the port's frames without any other being disturbed. It leaves all of them at once,
 * but for queues that close.
 *
 * "Wait" is an RCU grace period (membarrier(2)), some 10 ms: XDP programs, and what they have
 * passed on in the same NAPI poll, are over then. What is held meanwhile waits in queues that are
 * long (tap, fill ring); what they cannot hold is dropped there and counted.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "lane_shared.h"
#include "lanes_internal.h"

#define BUSY_TRIES_MAX 100
#define GRACE_NS       (20 * 1000 * 1000) /* where membarrier(2) cannot tell */
#define TAP_TRIES      20		  /* looks at a tap that is to become empty ... */
#define TAP_PAUSE_NS   (2 * 1000 * 1000)  /* ... this far apart */

static void pause_ns(long ns)
{
	const struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

/* ---- Waiting ---- */

static void grace_period(void)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		pause_ns(GRACE_NS);
}

struct tap_change {
	struct pair *pair;
	bool hold, empty;
};

static void worker_tap_hold(void *arg)
{
	struct tap_change *c = arg;

	deliver_lock(c->pair);
	c->pair->tap_held = c->hold;
	deliver_unlock(c->pair);
}

static void taps_hold(struct port *port, bool hold)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		struct tap_change change = {port->pair[i], hold, false};

		if (change.pair)
			worker_call(change.pair->worker, worker_tap_hold, &change);
	}
}

static void worker_tap_expect(void *arg)
{
	struct tap_change *c = arg;

	c->pair->tap_readable = c->pair->tap_fd >= 0; /* until it says it is empty */
}

static void worker_tap_look(void *arg)
{
	struct tap_change *c = arg;
	struct pair *p = c->pair;

	deliver_lock(p);
	c->empty = !p->rx || !p->rx_enabled || (!p->tap_readable && !p->held_bytes);
	deliver_unlock(p);
}

/*
 * Until each tap has been read to its end once. A guest that gives no buffers is not waited for
 * much longer than the kernel lane would.
 */
static void taps_drain(struct pair *const *active, unsigned int n_active)
{
	for (unsigned int i = 0; i < n_active; i++) {
		struct tap_change change = {.pair = active[i]};

		worker_call(change.pair->worker, worker_tap_expect, &change);
	}
	for (unsigned int i = 0, tries = 0; i < n_active; i++) {
		struct tap_change change = {.pair = active[i]};

		worker_call(change.pair->worker, worker_tap_look, &change);
		while (!change.empty && tries++ < TAP_TRIES) {
			pause_ns(TAP_PAUSE_NS);
			worker_call(change.pair->worker, worker_tap_look, &change);
		}
	}
}

/* ---- Taking away ---- */

/* Flags of the ports map follow the sockets. */
void lanes_flags(struct port *port, bool shared)
{
	uint16_t flags =
		port->entry.flags & ~(VXDP_PORT_DIRECT | VXDP_PORT_SHARED | VXDP_PORT_TCP_KERNEL);

	if (port->direct.n_sockets)
		flags |= VXDP_PORT_DIRECT;
	if (shared)
		flags |= VXDP_PORT_SHARED;
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && port->pair[i]->tables.tcp_kernel)
			flags |= VXDP_PORT_TCP_KERNEL;
	if (flags != port->entry.flags) {
		port->entry.flags = flags;
		port_entry_write(port);
	}
}

static int port_number(const struct settling *s, const struct port *port)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (s->port[i] == port)
			return (int)i;
	return PLAN_NOBODY;
}

static bool direct_fits(const struct settling *s, const struct settling_uplink *su,
			unsigned int place, unsigned int q)
{
	const struct port *port = s->sw->queue_owner[place];
	int i = port_number(s, port);

	return i >= 0 && su->plan.queue[q] == i &&
	       port->direct.pair[place] == s->active[i][q % s->n_active[i]]->index;
}

/* Uplinks by which port number @i is to have the shared lane, as bits. */
static unsigned int shared_wanted(const struct settling *s, unsigned int i)
{
	unsigned int uplinks = 0;

	for (unsigned int n = 0; n < s->n_uplinks; n++)
		if (s->on[n].plan.port[i].lane == PLAN_SHARED)
			uplinks |= 1u << s->on[n].uplink->slot;
	return uplinks;
}

struct leaving {
	bool direct[VXDP_NIC_QUEUES_MAX], shared[VXDP_NIC_QUEUES_MAX]; /* by place */
	bool port[VXDP_PORTS_MAX]; /* by number: leaves the shared lane */
	bool hold[VXDP_PORTS_MAX]; /* loses anything that has frames for it */
	bool any;
};

static void find_closing(const struct settling *s, struct leaving *l)
{
	const struct sw *sw = s->sw;
	const struct settling_uplink *su;
	unsigned int place, q;

	for_each_queue(s, su, place, q)
	{
		l->direct[place] = sw->queue_owner[place] && !direct_fits(s, su, place, q);
		l->shared[place] =
			sw->shared_queue[place] && (su->plan.queue[q] != PLAN_EVERYONE ||
						    !shared_queue_fits(sw->shared_queue[place]));
		if (l->direct[place])
			l->hold[port_number(s, sw->queue_owner[place])] = true;
		l->any |= l->direct[place] || l->shared[place];
	}
}

/* Does the uplink keep queues of the shared lane? */
static bool keeps_shared(const struct settling *s, const struct leaving *l, const struct uplink *u)
{
	bool keeps = false;

	for (unsigned int q = 0; q < uplink_places(u); q++)
		keeps |= s->sw->shared_queue[uplink_place(u, q)] && !l->shared[uplink_place(u, q)];
	return keeps;
}

/*
 * A port that is to have another lane on one uplink leaves, so that what the queues hold for it
 * there comes first; unless they close, which does the same.
 */
static bool port_leaves(const struct settling *s, const struct leaving *l, unsigned int i)
{
	unsigned int wanted = shared_wanted(s, i);
	const struct port *port = s->port[i];

	if (!port->shared)
		return false;
	if (!wanted || !shared_pairs_fit(port, s->active[i], s->n_active[i]))
		return true;
	for (unsigned int n = 0; n < s->n_uplinks; n++)
		if (port->shared_on & ~wanted & 1u << s->on[n].uplink->slot &&
		    keeps_shared(s, l, s->on[n].uplink))
			return true;
	return false;
}

static void find_leaving(const struct settling *s, struct leaving *l)
{
	find_closing(s, l);
	for (unsigned int i = 0; i < s->n_ports; i++) {
		l->port[i] = port_leaves(s, l, i);
		l->hold[i] |= l->port[i];
		for (unsigned int p = 0; p < VXDP_NIC_QUEUES_MAX && s->port[i]->shared; p++)
			l->hold[i] |= l->shared[p];
		l->any |= l->port[i];
	}
}

static void unpublish(const struct settling *s, const struct leaving *l)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (l->port[i])
			lanes_flags(s->port[i], false);
	for (unsigned int p = 0; p < VXDP_NIC_QUEUES_MAX; p++) {
		if (l->direct[p])
			direct_unpublish(s->sw->queue_owner[p], p);
		if (l->shared[p])
			shared_unpublish(s->sw, p);
	}
}

static void close_leaving(const struct settling *s, const struct leaving *l)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (l->port[i])
			shared_leave(s->port[i]);
	for (unsigned int p = 0; p < VXDP_NIC_QUEUES_MAX; p++) {
		if (l->direct[p])
			direct_close(s->sw->queue_owner[p], p);
		if (l->shared[p])
			shared_close(s->sw, p);
	}
}

static void leaving_hold(const struct settling *s, const struct leaving *l, bool hold)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (l->hold[i])
			taps_hold(s->port[i], hold);
}

void lanes_take_away(struct settling *s)
{
	struct leaving l = {};

	find_leaving(s, &l);
	if (!l.any)
		return;
	leaving_hold(s, &l, true);
	unpublish(s, &l);
	grace_period();
	close_leaving(s, &l);
	leaving_hold(s, &l, false);
	for (unsigned int i = 0; i < s->n_ports; i++)
		lanes_flags(s->port[i], s->port[i]->shared);
}

/* ---- Giving ---- */

struct joining {
	bool direct[VXDP_NIC_QUEUES_MAX], shared[VXDP_NIC_QUEUES_MAX]; /* by place: just opened */
	bool port[VXDP_PORTS_MAX]; /* by number: joins queues of the shared lane */
	bool tap[VXDP_PORTS_MAX];
	bool any;
};

static void retry_or(struct settling *s, unsigned int *tries, bool busy)
{
	if (busy && (*tries)++ < BUSY_TRIES_MAX)
		lanes_settle_soon(s->sw);
	else
		s->again = true;
}

static void give_direct(struct settling *s, struct settling_uplink *su, struct joining *j,
			unsigned int q)
{
	int i = su->plan.queue[q];
	struct port *port = s->port[i];
	struct direct_uplink *on = &port->direct.on[su->uplink->slot];
	unsigned int place = uplink_place(su->uplink, q);
	bool alone = su->nic.dedicated || su->plan.port[i].why == PLAN_STEERED;
	int err = direct_open(port, su->uplink, q, s->active[i][q % s->n_active[i]], alone);

	if (!err)
		err = direct_publish(port, place);
	if (!err) {
		on->tries = 0;
		j->direct[place] = j->tap[i] = j->any = true;
		return;
	}
	retry_or(s, &on->tries, err == -EBUSY);
	if (s->again) {
		direct_refuse(port, su->uplink, q, err);
		s->again = on->refused;
	}
}

/* Published when all who are to get frames by it have joined. */
static void give_shared(struct settling *s, struct settling_uplink *su, struct joining *j,
			unsigned int q)
{
	struct shared *shared = &su->uplink->shared;
	int err = shared_open(su->uplink, q);

	if (!err) {
		shared->tries = 0;
		j->shared[uplink_place(su->uplink, q)] = true;
	}
	if (!err || err == -ENETDOWN)
		return;
	retry_or(s, &shared->tries, err == -EBUSY);
	if (s->again)
		shared_refuse(su->uplink, q, err);
}

static void give_queues(struct settling *s, struct joining *j)
{
	struct settling_uplink *su;
	unsigned int place, q;

	for_each_queue(s, su, place, q)
	{
		int to = su->plan.queue[q];

		if (s->again || s->sw->queue_owner[place] || s->sw->shared_queue[place])
			continue;
		if (to >= 0)
			give_direct(s, su, j, q);
		else if (to == PLAN_EVERYONE)
			give_shared(s, su, j, q);
	}
}

static void join_shared(struct settling *s, struct joining *j)
{
	for (unsigned int i = 0; i < s->n_ports; i++) {
		unsigned int wanted = shared_wanted(s, i);
		struct port *port = s->port[i];

		if (wanted && shared_join(port, wanted, s->active[i], s->n_active[i]))
			j->port[i] = j->tap[i] = j->any = true;
		lanes_flags(port, port->shared);
	}
	for (unsigned int p = 0; p < VXDP_NIC_QUEUES_MAX; p++)
		if (j->shared[p])
			shared_publish(s->sw, p);
}

static void release(struct settling *s, const struct joining *j)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (j->tap[i])
			taps_drain(s->active[i], s->n_active[i]);
	for (unsigned int p = 0; p < VXDP_NIC_QUEUES_MAX; p++)
		if (j->direct[p])
			direct_release(s->sw->queue_owner[p], p);
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (j->port[i])
			shared_join_release(s->port[i]);
}

void lanes_hand_out(struct settling *s)
{
	struct joining j = {};

	give_queues(s, &j);
	join_shared(s, &j);
	if (!j.any)
		return;
	grace_period();
	release(s, &j);
}
