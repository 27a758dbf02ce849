/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A UMEM holds what the kernel may receive into, a chunk for each place of the fill ring, and
 * behind it what is sent from. A guest's memory has no part in it: zero copy is as safe here as
 * one copy, and the NIC's driver decides.
 *
 * A port takes part when each queue knows where its frames go (struct shared_target) and each of
 * its pairs where to send. NIC queue q feeds pair number q modulo how many there are, as in the
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

#include "lane_shared.h"
#include "lanes.h"
#include "memory_left.h"
#include "port.h"

#define CHUNK_SMALL	2048u
#define ZEROCOPY_BUFFER 3072u
#define QUEUE_FREE_MS	1000

/* ---- Sockets ---- */

/*
 * Drivers that count buffers in KiB (zerocopy.c) make 3 KiB of a page, and only one of the smaller
 * chunk, which an ordinary frame does not fit.
 */
static bool may_zerocopy(const struct sw *sw)
{
	return lanes_may_zerocopy(sw, true) &&
	       nic_info(sw->nic)->mtu + ETHERNET_OVERHEAD <= ZEROCOPY_BUFFER;
}

static uint32_t chunk_bytes(const struct sw *sw)
{
	unsigned int mtu = nic_info(sw->nic)->mtu;

	return !may_zerocopy(sw) && mtu + SHARED_OVERHEAD <= CHUNK_SMALL ? CHUNK_SMALL
									 : SHARED_CHUNK_MAX;
}

static struct xsk_umem umem_make(const struct sw *sw)
{
	struct xsk_umem umem = {
		.chunk_bytes = chunk_bytes(sw),
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

static struct shared_queue *queue_new(const struct sw *sw, unsigned int queue)
{
	struct shared_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->queue = queue;
	q->umem = umem_make(sw);
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

static int queue_bind(struct sw *sw, struct shared_queue *q)
{
	unsigned int ifindex = nic_info(sw->nic)->ifindex;
	bool zerocopy = may_zerocopy(sw) && (!sw->shared.n_queues || sw->shared.zerocopy);
	int err;

	err = xsk_open(ifindex, q->queue, zerocopy ? XSK_BIND_ZEROCOPY : XSK_BIND_COPY, &q->umem,
		       NULL, &q->xsk);
	if (err && zerocopy && err != -EBUSY && !sw->need_zerocopy)
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

int shared_open(struct sw *sw, unsigned int queue)
{
	struct shared_queue *q = queue_new(sw, queue);
	int err;

	if (!q)
		return -ENOMEM;
	err = queue_bind(sw, q);
	if (err) {
		queue_free(q);
		return err;
	}
	q->worker = sw->worker[queue % sw->n_workers];
	worker_call(q->worker, worker_add, q);
	sw->shared.zerocopy = q->xsk.zerocopy;
	sw->shared.queue[queue] = q;
	sw->shared.n_queues++;
	return 0;
}

int shared_publish(struct sw *sw, unsigned int queue)
{
	int err = vxdp_queue_owner_set(sw->pins, queue, VXDP_QUEUE_SHARED, 0);

	return err ? err : vxdp_xsk_set(sw->pins, queue, sw->shared.queue[queue]->xsk.fd);
}

void shared_unpublish(struct sw *sw, unsigned int queue)
{
	vxdp_xsk_clear(sw->pins, queue);
	vxdp_queue_owner_set(sw->pins, queue, VXDP_PORT_NONE, 0);
}

static void worker_remove(void *arg)
{
	struct shared_queue *q = arg;

	while (shared_poll(q))
		;
	for (uint32_t id = 0; id < VXDP_PORTS_MAX && q->n_stashed; id++)
		shared_release(q, id);
	shared_tx_drain(q);
	worker_queue_remove(q->worker, q);
}

/* Guests that send there do so no more: none of their workers has it in hand after this. */
static void senders_stop(struct sw *sw, struct shared_queue *q);

void shared_close(struct sw *sw, unsigned int queue)
{
	struct shared_queue *q = sw->shared.queue[queue];

	senders_stop(sw, q);
	worker_call(q->worker, worker_remove, q);
	xsk_statistics_add(&sw->shared.past, &q->xsk);
	count(&sw->shared.gone_past, q->n_gone.packets, q->n_gone.bytes);
	xsk_close(&q->xsk);
	if (sw->shared.zerocopy &&
	    xsk_queue_wait_free(nic_info(sw->nic)->ifindex, queue, QUEUE_FREE_MS))
		log_warn("%s: NIC queue %u did not come free within %u ms", sw->nic_name, queue,
			 QUEUE_FREE_MS);
	sw->shared.queue[queue] = NULL;
	sw->shared.n_queues--;
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

	while (shared_poll(c->q))
		;
	shared_release(c->q, c->port);
	c->q->target[c->port].pair = NULL;
}

/* Call @fn in the workers of all queues. */
static void each_queue(struct port *port, void (*fn)(void *arg), struct pair *const *active,
		       unsigned int n_active)
{
	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++) {
		struct target_change change = {.q = port->sw->shared.queue[i], .port = port->id};

		if (!change.q)
			continue;
		if (n_active)
			change.pair = active[i % n_active];
		worker_call(change.q->worker, fn, &change);
	}
}

struct sender_change {
	struct pair *pair;
	struct shared_queue *q;
};

static void worker_sender_set(void *arg)
{
	struct sender_change *c = arg;

	c->pair->shared = c->q;
}

static void sender_set(struct pair *p, struct shared_queue *q)
{
	struct sender_change change = {p, q};

	if (p->shared != q)
		worker_call(p->worker, worker_sender_set, &change);
}

static void senders_stop(struct sw *sw, struct shared_queue *q)
{
	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++) {
		for (unsigned int i = 0; sw->port[id] && i < VU_PAIRS_MAX; i++) {
			struct pair *p = sw->port[id]->pair[i];

			if (p && p->shared == q)
				sender_set(p, NULL);
		}
	}
}

/* Where a pair sends: a queue its own worker has, if there is one, so that no lock is fought for.
 */
static struct shared_queue *queue_to_send(const struct sw *sw, const struct pair *p)
{
	struct shared_queue *own[VXDP_NIC_QUEUES_MAX], *all[VXDP_NIC_QUEUES_MAX];
	unsigned int n_own = 0, n_all = 0;

	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++) {
		struct shared_queue *q = sw->shared.queue[i];

		if (!q)
			continue;
		all[n_all++] = q;
		if (q->worker == p->worker)
			own[n_own++] = q;
	}
	if (n_own)
		return own[p->index / sw->n_workers % n_own];
	return n_all ? all[p->index % n_all] : NULL;
}

void shared_join(struct port *port, struct pair *const *active, unsigned int n_active)
{
	each_queue(port, worker_target_set, active, n_active);
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			sender_set(port->pair[i], queue_to_send(port->sw, port->pair[i]));
	port->shared = true;
}

void shared_join_release(struct port *port)
{
	each_queue(port, worker_target_release, NULL, 0);
}

void shared_leave(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			sender_set(port->pair[i], NULL);
	each_queue(port, worker_target_clear, NULL, 0);
	port->shared = false;
}

bool shared_fits(const struct port *port, struct pair *const *active, unsigned int n_active)
{
	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++) {
		const struct shared_queue *q = port->sw->shared.queue[i];

		if (q && (!n_active || q->target[port->id].pair != active[i % n_active]))
			return false;
	}
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && !port->pair[i]->shared)
			return false;
	return port->shared;
}

bool shared_queue_fits(const struct sw *sw, unsigned int queue)
{
	return sw->shared.queue[queue]->umem.chunk_bytes == chunk_bytes(sw);
}

void shared_refuse(struct sw *sw, unsigned int queue, int err)
{
	struct shared *s = &sw->shared;

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
	log_warn("%s: no shared lane: %s", sw->nic_name, s->reason);
}

/* ---- What it counts ---- */

struct xdp_statistics shared_statistics(const struct sw *sw)
{
	struct xdp_statistics sum = sw->shared.past;

	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++)
		if (sw->shared.queue[i])
			xsk_statistics_add(&sum, &sw->shared.queue[i]->xsk);
	return sum;
}

struct lane_count shared_gone(const struct sw *sw)
{
	struct lane_count sum = sw->shared.gone_past;

	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++) {
		const struct shared_queue *q = sw->shared.queue[i];

		if (q)
			count(&sum, __atomic_load_n(&q->n_gone.packets, __ATOMIC_RELAXED),
			      __atomic_load_n(&q->n_gone.bytes, __ATOMIC_RELAXED));
	}
	return sum;
}

uint64_t shared_bytes(const struct sw *sw)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < VXDP_NIC_QUEUES_MAX; i++)
		if (sw->shared.queue[i])
			bytes += sw->shared.queue[i]->umem.bytes;
	return bytes;
}
