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

static bool direct_fits(const struct settling *s, unsigned int queue)
{
	const struct port *port = s->sw->queue_owner[queue];
	int i = port_number(s, port);

	return i >= 0 && s->plan.queue[queue] == i &&
	       port->direct.pair[queue] == s->active[i][queue % s->n_active[i]]->index;
}

struct leaving {
	bool direct[VXDP_NIC_QUEUES_MAX], shared[VXDP_NIC_QUEUES_MAX];
	bool port[VXDP_PORTS_MAX];	  /* by number: leaves the shared lane */
	bool port_direct[VXDP_PORTS_MAX]; /* loses queues of its own */
	bool any;
};

static void find_leaving(const struct settling *s, struct leaving *l)
{
	const struct sw *sw = s->sw;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		l->direct[q] = sw->queue_owner[q] && !direct_fits(s, q);
		l->shared[q] = sw->shared.queue[q] &&
			       (s->plan.queue[q] != PLAN_EVERYONE || !shared_queue_fits(sw, q));
		if (l->direct[q])
			l->port_direct[port_number(s, sw->queue_owner[q])] = true;
		l->any |= l->direct[q] || l->shared[q];
	}
	for (unsigned int i = 0; i < s->n_ports; i++) {
		bool closes = false;

		for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
			closes |= l->shared[q];
		l->port[i] = s->port[i]->shared &&
			     (closes || s->plan.port[i].lane != PLAN_SHARED ||
			      !shared_fits(s->port[i], s->active[i], s->n_active[i]));
		l->any |= l->port[i];
	}
}

void lanes_take_away(struct settling *s)
{
	struct leaving l = {};

	find_leaving(s, &l);
	if (!l.any)
		return;
	for (unsigned int i = 0; i < s->n_ports; i++) {
		if (l.port[i] || l.port_direct[i])
			taps_hold(s->port[i], true);
		if (l.port[i])
			lanes_flags(s->port[i], false);
	}
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (l.direct[q])
			direct_unpublish(s->sw->queue_owner[q], q);
		if (l.shared[q])
			shared_unpublish(s->sw, q);
	}
	grace_period();
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (l.port[i])
			shared_leave(s->port[i]);
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (l.direct[q])
			direct_close(s->sw->queue_owner[q], q);
		if (l.shared[q])
			shared_close(s->sw, q);
	}
	for (unsigned int i = 0; i < s->n_ports; i++) {
		if (l.port[i] || l.port_direct[i])
			taps_hold(s->port[i], false);
		lanes_flags(s->port[i], s->port[i]->shared);
	}
}

/* ---- Giving ---- */

struct joining {
	bool direct[VXDP_NIC_QUEUES_MAX];
	bool port[VXDP_PORTS_MAX]; /* by number: joins the shared lane */
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

static void give_direct(struct settling *s, struct joining *j, unsigned int q)
{
	int i = s->plan.queue[q];
	struct port *port = s->port[i];
	bool alone = s->sw->dedicated || s->plan.port[i].why == PLAN_STEERED;
	int err = direct_open(port, q, s->active[i][q % s->n_active[i]], alone);

	if (!err)
		err = direct_publish(port, q);
	if (!err) {
		port->direct.tries = 0;
		j->direct[q] = j->tap[i] = j->any = true;
		return;
	}
	retry_or(s, &port->direct.tries, err == -EBUSY);
	if (s->again) {
		direct_refuse(port, q, err);
		s->again = port->direct.refused;
	}
}

static void give_shared(struct settling *s, unsigned int q)
{
	int err = shared_open(s->sw, q);

	if (!err)
		err = shared_publish(s->sw, q);
	if (!err)
		s->sw->shared.tries = 0;
	if (!err || err == -ENETDOWN)
		return;
	retry_or(s, &s->sw->shared.tries, err == -EBUSY);
	if (s->again)
		shared_refuse(s->sw, q, err);
}

static void give_queues(struct settling *s, struct joining *j)
{
	for (unsigned int q = 0; q < s->nic.n_queues && !s->again; q++) {
		int to = s->plan.queue[q];

		if (to >= 0 && !s->sw->queue_owner[q] && !s->sw->shared.queue[q])
			give_direct(s, j, q);
		else if (to == PLAN_EVERYONE && !s->sw->shared.queue[q] && !s->sw->queue_owner[q])
			give_shared(s, q);
	}
}

static void release(struct settling *s, const struct joining *j)
{
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (j->tap[i])
			taps_drain(s->active[i], s->n_active[i]);
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
		if (j->direct[q])
			direct_release(s->sw->queue_owner[q], q);
	for (unsigned int i = 0; i < s->n_ports; i++)
		if (j->port[i])
			shared_join_release(s->port[i]);
}

/* All queues that are to be shared: a port joins once. */
static bool shared_is_complete(const struct settling *s)
{
	bool any = false;

	for (unsigned int q = 0; q < s->nic.n_queues; q++) {
		if (s->plan.queue[q] != PLAN_EVERYONE)
			continue;
		if (!s->sw->shared.queue[q])
			return false;
		any = true;
	}
	return any;
}

void lanes_hand_out(struct settling *s)
{
	struct joining j = {};

	give_queues(s, &j);
	for (unsigned int i = 0; i < s->n_ports; i++) {
		struct port *port = s->port[i];

		if (s->plan.port[i].lane == PLAN_SHARED && shared_is_complete(s) &&
		    !shared_fits(port, s->active[i], s->n_active[i])) {
			shared_join(port, s->active[i], s->n_active[i]);
			j.port[i] = j.tap[i] = j.any = true;
		}
		lanes_flags(port, port->shared);
	}
	if (!j.any)
		return;
	grace_period();
	release(s, &j);
}
