/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A UMEM holds what the kernel may receive into, a chunk for each place of the fill ring, and
 * behind it what is sent from. A guest's memory has no part in it: zero copy is as safe here as
 * one copy, and the NIC's driver decides.
 *
 * A port takes part when each queue, whatever its NIC, knows where its frames go (struct
 * shared_target): what the XDP programs know of a port is the same on all NICs (VXDP_PORT_SHARED).
 * Where its pairs send is said for each uplink, and only for those by which it has the shared lane.
 * NIC queue q feeds pair number q modulo how many there are, as in the
 * direct lane, so that a flow does not change its pair when the NIC changes its lane.
 */
#include "shared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "feeds.h"
#include "lane_shared.h"
#include "lanes.h"
#include "memory_left.h"
#include "port.h"

#define CHUNK_SMALL	2048u
#define ZEROCOPY_BUFFER 3072u
#define QUEUE_FREE_MS	1000

#define for_each_shared_queue(sw, q)                                                               \
	for (unsigned int i_ = 0; i_ < VXDP_NIC_QUEUES_MAX; i_++)                                  \
		if (((q) = (sw)->shared_queue[i_]) != NULL)

/* ---- Sockets ---- */

/*
 * Drivers that count buffers in KiB (zerocopy.c) make 3 KiB of a page, and only one of the smaller
 * chunk, which an ordinary frame does not fit.
 */
static bool may_zerocopy(const struct uplink *u)
{
	return lanes_may_zerocopy(u, true) &&
	       nic_info(u->nic)->mtu + ETHERNET_OVERHEAD <= ZEROCOPY_BUFFER;
}

static uint32_t chunk_bytes(const struct uplink *u)
{
	unsigned int mtu = nic_info(u->nic)->mtu;

	return !may_zerocopy(u) && mtu + SHARED_OVERHEAD <= CHUNK_SMALL ? CHUNK_SMALL
									: SHARED_CHUNK_MAX;
}

static struct xsk_umem umem_make(const struct uplink *u)
{
	struct xsk_umem umem = {
		.chunk_bytes = chunk_bytes(u),
		.aligned = true,
	};

	umem.bytes = (size_t)umem.chunk_bytes * SHARED_CHUNKS;
	if (umem.bytes > memory_left() / 2)
		return umem;
	umem.base =
		mmap(NULL, umem.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (umem.base == MAP_FAILED)
		umem.base = NULL;
	else
		madvise(umem.base, umem.bytes, MADV_HUGEPAGE);
	return umem;
}

static struct shared_queue *queue_new(struct uplink *u, unsigned int queue)
{
	struct shared_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->uplink = u;
	q->queue = queue;
	q->umem = umem_make(u);
	if (!q->umem.base) {
		free(q);
		return NULL;
	}
	pthread_mutex_init(&q->tx_lock, NULL);
	for (unsigned int i = 0; i < SHARED_TX_CHUNKS; i++)
		q->tx_free[q->n_tx_free++] = (uint64_t)(SHARED_RX_CHUNKS + i) * q->umem.chunk_bytes;
	return q;
}

static void queue_free(struct shared_queue *q)
{
	pthread_mutex_destroy(&q->tx_lock);
	munmap(q->umem.base, q->umem.bytes);
	free(q);
}

static int queue_bind(struct shared_queue *q)
{
	unsigned int ifindex = nic_info(q->uplink->nic)->ifindex;
	const struct shared *shared = &q->uplink->shared;
	bool zerocopy = may_zerocopy(q->uplink) && (!shared->n_queues || shared->zerocopy);
	int err;

	err = xsk_open(ifindex, q->queue, zerocopy ? XSK_BIND_ZEROCOPY : XSK_BIND_COPY, &q->umem,
		       NULL, &q->xsk);
	if (err && zerocopy && err != -EBUSY && !q->uplink->sw->need_zerocopy)
		err = xsk_open(ifindex, q->queue, XSK_BIND_COPY, &q->umem, NULL, &q->xsk);
	return err;
}

static void worker_add(void *arg)
{
	struct shared_queue *q = arg;

	shared_fill_all(q);
	worker_queue_add(q->worker, q);
	xsk_kick_fill(&q->xsk);
}

/* Queues of one number on several NICs go to different workers, if there are any. */
int shared_open(struct uplink *u, unsigned int queue)
{
	struct shared_queue *q = queue_new(u, queue);
	struct sw *sw = u->sw;
	int err;

	if (!q)
		return -ENOMEM;
	err = queue_bind(q);
	if (err) {
		queue_free(q);
		return err;
	}
	turn_init(&q->turn, &sw->pins->mapped_queue_turns[uplink_place(u, queue)]);
	q->worker = sw->worker[(queue + u->slot) % sw->n_workers];
	worker_call(q->worker, worker_add, q);
	u->shared.zerocopy = q->xsk.zerocopy;
	u->shared.n_queues++;
	sw->shared_queue[uplink_place(u, queue)] = q;
	return 0;
}

void shared_publish(struct sw *sw, unsigned int place)
{
	const struct shared_queue *q = sw->shared_queue[place];
	int err = vxdp_queue_owner_set(sw->pins, place, VXDP_QUEUE_SHARED, 0);

	if (!err)
		err = vxdp_xsk_set(sw->pins, place, q->xsk.fd);
	if (err)
		log_error("%s: NIC queue %u has the kernel lane: cannot fill the BPF maps: %s",
			  q->uplink->name, q->queue, strerror(-err));
}

void shared_unpublish(struct sw *sw, unsigned int place)
{
	vxdp_xsk_clear(sw->pins, place);
	vxdp_queue_owner_set(sw->pins, place, VXDP_PORT_NONE, 0);
}

static void worker_remove(void *arg)
{
	struct shared_queue *q = arg;

	shared_rx_all(q);
	for (uint32_t id = 0; id < VXDP_PORTS_MAX && q->n_stashed; id++)
		shared_release(q, id);
	shared_tx_drain(q);
	worker_queue_remove(q->worker, q);
}

/* Guests that send there do so no more: none of their workers has it in hand after this. */
static void senders_stop(struct shared_queue *q);

void shared_close(struct sw *sw, unsigned int place)
{
	struct shared_queue *q = sw->shared_queue[place];
	struct uplink *u = q->uplink;

	senders_stop(q);
	feeds_remove(sw, q);
	worker_call(q->worker, worker_remove, q);
	xsk_statistics_add(&u->shared.past, &q->xsk);
	count(&u->shared.gone_past, q->n_gone.packets, q->n_gone.bytes);
	xsk_close(&q->xsk);
	if (u->shared.zerocopy &&
	    xsk_queue_wait_free(nic_info(u->nic)->ifindex, q->queue, QUEUE_FREE_MS))
		log_warn("%s: NIC queue %u did not come free within %u ms", u->name, q->queue,
			 QUEUE_FREE_MS);
	sw->shared_queue[place] = NULL;
	u->shared.n_queues--;
	queue_free(q);
}

/* ---- Who takes part ---- */

struct target_change {
	struct shared_queue *q;
	struct pair *pair;
	uint32_t port;
};

static void worker_target_set(void *arg)
{
	struct target_change *c = arg;

	c->q->target[c->port] = (struct shared_target){.pair = c->pair, .held = true};
}

static void worker_target_release(void *arg)
{
	struct target_change *c = arg;

	shared_release(c->q, c->port);
}

static void worker_target_clear(void *arg)
{
	struct target_change *c = arg;

	shared_rx_all(c->q);
	shared_release(c->q, c->port);
	c->q->target[c->port].pair = NULL;
}

/* Call @fn in the workers of all queues. */
static void each_queue(struct port *port, void (*fn)(void *arg))
{
	struct shared_queue *q;

	for_each_shared_queue(port->sw, q)
	{
		struct target_change change = {.q = q, .port = port->id};

		worker_call(q->worker, fn, &change);
	}
}

struct sender_change {
	struct pair *pair;
	unsigned int slot; /* of the uplink */
	struct shared_queue *q;
};

static void worker_sender_set(void *arg)
{
	struct sender_change *c = arg;

	c->pair->wire[c->slot].shared = c->q;
	pair_wires_count(c->pair);
}

static void sender_set(struct pair *p, unsigned int slot, struct shared_queue *q)
{
	struct sender_change change = {p, slot, q};

	if (p->wire[slot].shared != q)
		worker_call(p->worker, worker_sender_set, &change);
}

static void senders_stop(struct shared_queue *q)
{
	const struct sw *sw = q->uplink->sw;
	unsigned int slot = q->uplink->slot;

	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++) {
		for (unsigned int i = 0; sw->port[id] && i < VU_PAIRS_MAX; i++) {
			struct pair *p = sw->port[id]->pair[i];

			if (p && p->wire[slot].shared == q)
				sender_set(p, slot, NULL);
		}
	}
}

/* Where a pair sends: a queue its own worker has, if there is one, so that no lock is fought for.
 */
static struct shared_queue *queue_to_send(const struct sw *sw, unsigned int slot,
					  const struct pair *p)
{
	struct shared_queue *own[VXDP_NIC_QUEUES_MAX], *all[VXDP_NIC_QUEUES_MAX], *q;
	unsigned int n_own = 0, n_all = 0;

	for_each_shared_queue(sw, q)
	{
		if (q->uplink->slot != slot)
			continue;
		all[n_all++] = q;
		if (q->worker == p->worker)
			own[n_own++] = q;
	}
	if (n_own)
		return own[p->index / sw->n_workers % n_own];
	return n_all ? all[p->index % n_all] : NULL;
}

/* A pair that has a queue to send to keeps it: what it sent there is not overtaken. */
static void senders_join(struct port *port, unsigned int uplinks)
{
	for (unsigned int slot = 0; slot < VXDP_UPLINKS_MAX; slot++) {
		for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
			struct pair *p = port->pair[i];

			if (!p)
				continue;
			if (!(uplinks >> slot & 1))
				sender_set(p, slot, NULL);
			else if (!p->wire[slot].shared)
				sender_set(p, slot, queue_to_send(port->sw, slot, p));
		}
	}
}

/* Is there a queue of the shared lane on one of these? */
static bool any_open(const struct sw *sw, unsigned int uplinks)
{
	const struct shared_queue *q;

	for_each_shared_queue(sw, q) if (uplinks >> q->uplink->slot & 1) return true;
	return false;
}

bool shared_join(struct port *port, unsigned int uplinks, struct pair *const *active,
		 unsigned int n_active)
{
	struct shared_queue *q;
	bool any = false;

	if (!port->shared && !any_open(port->sw, uplinks))
		return false;
	port->shared = true;
	port->shared_on = uplinks;
	for_each_shared_queue(port->sw, q)
	{
		struct target_change change = {q, active[q->queue % n_active], port->id};

		if (q->target[port->id].pair == change.pair)
			continue;
		worker_call(q->worker, worker_target_set, &change);
		feed_add(change.pair, q);
		any = true;
	}
	senders_join(port, uplinks);
	return any;
}

void shared_join_release(struct port *port)
{
	each_queue(port, worker_target_release);
}

void shared_leave(struct port *port)
{
	senders_join(port, 0);
	each_queue(port, worker_target_clear);
	feeds_clear(port);
	port->shared = false;
	port->shared_on = 0;
}

bool shared_pairs_fit(const struct port *port, struct pair *const *active, unsigned int n_active)
{
	const struct shared_queue *q;

	for_each_shared_queue(port->sw, q)
	{
		const struct pair *pair = q->target[port->id].pair;

		if (pair && (!n_active || pair != active[q->queue % n_active]))
			return false;
	}
	return true;
}

bool shared_is_on(const struct port *port, const struct uplink *u)
{
	return port->shared && port->shared_on >> u->slot & 1 && u->shared.n_queues;
}

bool shared_queue_fits(const struct shared_queue *q)
{
	return q->umem.chunk_bytes == chunk_bytes(q->uplink);
}

void shared_refuse(struct uplink *u, unsigned int queue, int err)
{
	struct shared *s = &u->shared;

	switch (err) {
	case -EBUSY:
		snprintf(s->reason, sizeof(s->reason),
			 "NIC queue %u is used by another AF_XDP program", queue);
		break;
	case -ENOBUFS:
	case -ENOMEM:
		snprintf(s->reason, sizeof(s->reason),
			 "not enough memory for it (machine, MemoryMax or RLIMIT_MEMLOCK)");
		break;
	default:
		snprintf(s->reason, sizeof(s->reason), "AF_XDP on NIC queue %u: %s", queue,
			 strerror(-err));
	}
	s->refused = true;
	log_warn("%s: no shared lane: %s", u->name, s->reason);
}

/* ---- What it counts ---- */

struct xdp_statistics shared_statistics(const struct uplink *u)
{
	struct xdp_statistics sum = u->shared.past;
	const struct shared_queue *q;

	for_each_shared_queue(u->sw, q) if (q->uplink == u) xsk_statistics_add(&sum, &q->xsk);
	return sum;
}

struct lane_count shared_gone(const struct uplink *u)
{
	struct lane_count sum = u->shared.gone_past;
	const struct shared_queue *q;

	for_each_shared_queue(u->sw, q)
	{
		if (q->uplink == u)
			count(&sum, __atomic_load_n(&q->n_gone.packets, __ATOMIC_RELAXED),
			      __atomic_load_n(&q->n_gone.bytes, __ATOMIC_RELAXED));
	}
	return sum;
}

uint64_t shared_bytes(const struct uplink *u)
{
	const struct shared_queue *q;
	uint64_t bytes = 0;

	for_each_shared_queue(u->sw, q) if (q->uplink == u) bytes += q->umem.bytes;
	return bytes;
}
