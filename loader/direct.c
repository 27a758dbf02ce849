/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A port on the direct lane has one AF_XDP socket for each NIC queue that plan.h gave it; NIC
 * queue q feeds the guest's receiving queue pair number q modulo how many there are. The sockets
 * of a port on one NIC share one UMEM, the guest's memory; the first one that is opened registers
 * it, and any one that is open passes it on.
 *
 * Closing a socket, in an order that never lets anyone write to a buffer the guest has back:
 *
 *   1. out of the XSKMAP, so that no new frame is sent there (they fall back to the kernel lane)
 *   2. the worker takes what was received, lets transmitted frames finish, and forgets the socket
 *   3. rings unmapped, socket closed: the kernel's copy path is through (xsk_release() waits);
 *      for a zero-copy driver wait until the queue is really free
 *   4. only now the buffers that were still posted go back to the guest
 *
 * Isolation: a zero-copy NIC writes a frame before the XDP program has seen whose it is, so zero
 * copy is for a NIC that was dedicated to one guest and for queues that a rule gives nothing but
 * this guest's frames. Otherwise the socket is bound in copy mode, where the program comes first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "deliver.h"
#include "port.h"
#include "zerocopy.h"

#define QUEUE_FREE_MS	  1000
#define TX_DRAIN_TRIES	  10
#define TX_DRAIN_PAUSE_NS (1000 * 1000)

/* Room for the queues of a NIC that joins later. */
#define SPARE_QUEUES 4

/* ---- Opening ---- */

size_t direct_private_bytes(struct port *port)
{
	unsigned int n = SPARE_QUEUES;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const struct uplink *u = port->sw->uplink[i];

		if (u)
			n += MIN(nic_info(u->nic)->rx_queues, uplink_places(u));
	}
	port->direct.n_bounces = MIN(n, VXDP_NIC_QUEUES_MAX);
	return BOUNCE_CHUNK_BYTES * (1 + (size_t)port->direct.n_bounces * BOUNCE_CHUNKS);
}

/* -EMSGSIZE if the frames are too long for zero copy. */
static int umem_of(const struct port *port, const struct uplink *u, const struct vu_mem *mem,
		   bool zerocopy, struct xsk_umem *umem)
{
	*umem = (struct xsk_umem){
		.base = mem->base,
		.bytes = mem->bytes,
		.chunk_bytes = COPY_CHUNK_BYTES,
	};
	return zerocopy ? zerocopy_chunks(nic_info(u->nic), port->mtu + ETHERNET_OVERHEAD, umem)
			: 0;
}

/* Each socket has chunks of its own in the private area, behind one page that stays empty
 * because a chunk begins up to 512 bytes before the guest's buffer does. */
static int bounce_take(struct direct *d, struct direct_socket *s)
{
	unsigned int n = 0;
	uint64_t first;

	while (n < d->n_bounces && d->bounce_taken[n])
		n++;
	if (n == d->n_bounces)
		return -ENOSPC;
	d->bounce_taken[n] = true;
	s->bounce = n;
	first = BOUNCE_CHUNK_BYTES * (1 + (uint64_t)n * BOUNCE_CHUNKS);
	for (unsigned int i = 0; i < BOUNCE_CHUNKS / 2; i++) {
		s->rx_bounce[s->n_rx_bounce++] = first + (2 * i) * BOUNCE_CHUNK_BYTES;
		s->tx_bounce[s->n_tx_bounce++] = first + (2 * i + 1) * BOUNCE_CHUNK_BYTES;
	}
	return 0;
}

/* A UMEM is shared by the queues of one NIC: drivers differ in the chunks they take. */
static const struct xsk *socket_to_share(const struct direct *d, const struct uplink *u)
{
	for (unsigned int q = 0; q < uplink_places(u); q++)
		if (d->socket[uplink_place(u, q)])
			return &d->socket[uplink_place(u, q)]->xsk;
	return NULL;
}

static int socket_bind(struct port *port, const struct uplink *u, unsigned int queue,
		       struct direct_socket *s, bool alone)
{
	const struct xsk *share = socket_to_share(&port->direct, u);
	unsigned int ifindex = nic_info(u->nic)->ifindex;
	struct vu_dev_info info;
	bool zerocopy;
	int err;

	vu_dev_info(port->dev, &info);
	if (!info.mem)
		return -ENOMEM;
	zerocopy = share ? share->zerocopy : alone && lanes_may_zerocopy(u, true);
	s->bare = !uplink_writes_headers(u);
	err = umem_of(port, u, info.mem, zerocopy, &s->umem);
	if (!err)
		err = xsk_open(ifindex, queue, zerocopy ? XSK_BIND_ZEROCOPY : XSK_BIND_COPY,
			       &s->umem, share, &s->xsk);
	if (err && zerocopy && !share && err != -EBUSY && !port->sw->need_zerocopy) {
		umem_of(port, u, info.mem, false, &s->umem);
		err = xsk_open(ifindex, queue, XSK_BIND_COPY, &s->umem, NULL, &s->xsk);
	}
	return err;
}

/* Frames to a wire leave by the pair's first socket there. */
static void wires_find(struct pair *p)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		p->wire[i].direct = NULL;
	for (unsigned int i = p->n_sockets; i-- > 0;)
		p->wire[p->socket[i]->slot].direct = p->socket[i];
	pair_wires_count(p);
}

struct socket_change {
	struct pair *pair;
	struct direct_socket *socket;
	int err;
};

static void worker_socket_add(void *arg)
{
	struct socket_change *c = arg;
	struct pair *p = c->pair;

	p->posted_max = vu_ring_info(p->rx)->num / 2;
	c->err = worker_watch(p->worker, p, SOURCE_XSK, c->socket->xsk.fd);
	if (c->err)
		return;
	p->socket[p->n_sockets++] = c->socket;
	wires_find(p);
	deliver_lock(p);
	direct_fill(p, c->socket);
	deliver_unlock(p);
}

/* The memory behind the regions now, to notice when some is taken away. */
static void blocks_note(struct port *port, const struct vu_mem *mem)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		struct stat st = {};

		fstat(mem->region[i].fd, &st);
		port->direct.blocks[i] = (uint64_t)st.st_blocks;
	}
}

int direct_open(struct port *port, struct uplink *u, unsigned int queue, struct pair *pair,
		bool alone)
{
	unsigned int place = uplink_place(u, queue);
	struct direct *d = &port->direct;
	struct socket_change change = {.pair = pair};
	struct vu_dev_info info;
	struct direct_socket *s;
	int err;

	if (pair->n_sockets == PAIR_SOCKETS_MAX)
		return -ENOSPC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	err = bounce_take(d, s);
	if (!err)
		err = socket_bind(port, u, queue, s, alone);
	if (err) {
		if (s->n_rx_bounce)
			d->bounce_taken[s->bounce] = false;
		free(s);
		return err;
	}
	s->slot = u->slot;
	s->held = true;
	turn_init(&s->turn, &port->sw->pins->mapped_queue_turns[place]);
	change.socket = s;
	worker_call(pair->worker, worker_socket_add, &change);
	d->socket[place] = s;
	d->pair[place] = pair->index;
	d->on[u->slot].zerocopy = s->xsk.zerocopy;
	d->on[u->slot].n_sockets++;
	if (!d->n_sockets++) {
		vu_dev_info(port->dev, &info);
		blocks_note(port, info.mem);
	}
	port->sw->queue_owner[place] = port;
	return change.err;
}

int direct_publish(struct port *port, unsigned int place)
{
	const struct direct *d = &port->direct;
	int err = vxdp_queue_owner_set(port->sw->pins, place, port->id,
				       port->pair[d->pair[place]]->hdr_bytes);

	return err ? err : vxdp_xsk_set(port->sw->pins, place, d->socket[place]->xsk.fd);
}

static void worker_socket_release(void *arg)
{
	struct socket_change *c = arg;

	c->socket->held = false;
}

void direct_release(struct port *port, unsigned int place)
{
	struct socket_change change = {
		.pair = port->pair[port->direct.pair[place]],
		.socket = port->direct.socket[place],
	};

	worker_call(change.pair->worker, worker_socket_release, &change);
}

/* ---- Closing ---- */

static void tx_drain(struct pair *p, struct direct_socket *s)
{
	const struct timespec pause = {.tv_nsec = TX_DRAIN_PAUSE_NS};

	for (int i = 0; direct_tx_outstanding(s) && i < TX_DRAIN_TRIES; i++) {
		direct_tx_kick(s);
		if (!direct_tx_reap(p, s))
			nanosleep(&pause, NULL);
	}
}

static void worker_socket_remove(void *arg)
{
	struct socket_change *c = arg;
	struct pair *p = c->pair;

	worker_unwatch(p->worker, SOURCE_XSK, c->socket->xsk.fd);
	deliver_lock(p);
	while (p->rx && direct_rx(p, c->socket, BURST))
		;
	deliver_unlock(p);
	if (p->tx)
		tx_drain(p, c->socket);
	for (unsigned int i = 0; i < p->n_sockets; i++)
		if (p->socket[i] == c->socket)
			p->socket[i--] = p->socket[--p->n_sockets];
	wires_find(p);
}

static void worker_socket_abandon(void *arg)
{
	struct socket_change *c = arg;
	struct pair *p = c->pair;

	deliver_lock(p);
	window_empty_into(&p->window, p->rx);
	direct_abandon(p, c->socket);
	vu_ring_flush(p->rx);
	vu_ring_notify(p->rx);
	deliver_unlock(p);
	if (p->tx) {
		vu_ring_flush(p->tx);
		vu_ring_notify(p->tx);
	}
}

void direct_unpublish(struct port *port, unsigned int place)
{
	vxdp_xsk_clear(port->sw->pins, place);
	vxdp_queue_owner_set(port->sw->pins, place, VXDP_PORT_NONE, 0);
}

void direct_close(struct port *port, unsigned int place)
{
	struct direct *d = &port->direct;
	struct direct_socket *s = d->socket[place];
	struct socket_change change = {.pair = port->pair[d->pair[place]], .socket = s};
	unsigned int ifindex = s->xsk.ifindex, queue = s->xsk.queue;
	bool zerocopy = s->xsk.zerocopy;

	worker_call(change.pair->worker, worker_socket_remove, &change);
	xsk_statistics_add(&port->xsk_past[d->pair[place]], &s->xsk);
	xsk_close(&s->xsk);
	if (zerocopy && xsk_queue_wait_free(ifindex, queue, QUEUE_FREE_MS))
		log_warn("%s: NIC queue %u did not come free within %u ms", port->name, queue,
			 QUEUE_FREE_MS);
	worker_call(change.pair->worker, worker_socket_abandon, &change);
	d->socket[place] = NULL;
	d->on[s->slot].n_sockets--;
	d->n_sockets--;
	d->bounce_taken[s->bounce] = false;
	port->sw->queue_owner[place] = NULL;
	free(s);
}

bool direct_pair_close(struct port *port, unsigned int pair)
{
	bool any = false;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (!port->direct.socket[q] || port->direct.pair[q] != pair)
			continue;
		direct_unpublish(port, q);
		direct_close(port, q);
		any = true;
	}
	return any;
}

struct xdp_statistics direct_statistics(const struct port *port, unsigned int pair)
{
	struct xdp_statistics sum = port->xsk_past[pair];

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
		if (port->direct.socket[q] && port->direct.pair[q] == pair)
			xsk_statistics_add(&sum, &port->direct.socket[q]->xsk);
	return sum;
}

uint64_t direct_kernel_bytes(const struct port *port)
{
	uint64_t bytes = 0;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		const struct direct_socket *s = port->direct.socket[q];

		if (s)
			bytes += s->umem.bytes / s->umem.chunk_bytes * DIRECT_KERNEL_BYTES_A_CHUNK;
	}
	return bytes;
}
