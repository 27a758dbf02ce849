/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A port on the direct lane has one AF_XDP socket for each NIC queue it owns; NIC queue q feeds
 * the guest's receiving queue pair number q modulo how many there are. The sockets of a port share
 * one UMEM, the guest's memory; the first one that is opened registers it, and any one that is
 * open passes it on.
 *
 * Closing a socket, in an order that never lets anyone write to a buffer the guest has back:
 *
 *   1. out of the XSKMAP, so that no new frame is sent there (they fall back to the kernel lane)
 *   2. the worker takes what was received, lets transmitted frames finish, and forgets the socket
 *   3. rings unmapped, socket closed: the kernel's copy path is through (xsk_release() waits);
 *      for a zero-copy driver wait until the queue is really free
 *   4. only now the buffers that were still posted go back to the guest
 *
 * Which ports get the lane: first come, first served, a NIC queue has one UMEM. Isolation: a
 * zero-copy NIC writes a frame before the XDP program has seen whose it is, so zero copy is for a
 * NIC that was dedicated to one guest; otherwise the socket is bound in copy mode, where the
 * program comes first.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "deliver.h"
#include "memory_left.h"
#include "port.h"
#include "zerocopy.h"

#define BUSY_TRIES_MAX	  100
#define QUEUE_FREE_MS	  1000
#define TX_DRAIN_TRIES	  10
#define TX_DRAIN_PAUSE_NS (1000 * 1000)
#define PAGE_BYTES	  4096
#define STAT_BLOCK_BYTES  512 /* of st_blocks, whatever the file system (stat(2)) */
/* sizeof(struct xdp_buff_xsk) plus the unaligned bookkeeping, for each chunk and queue. */
#define KERNEL_BYTES_A_CHUNK 144

static void reason(struct port *port, const char *text)
{
	snprintf(port->direct.reason, sizeof(port->direct.reason), "%s", text);
}

/* ---- Opening ---- */

/* -EMSGSIZE if the frames are too long for zero copy. */
static int umem_of(const struct port *port, const struct vu_mem *mem, bool zerocopy,
		   struct xsk_umem *umem)
{
	*umem = (struct xsk_umem){
		.base = mem->base,
		.bytes = mem->bytes,
		.chunk_bytes = COPY_CHUNK_BYTES,
	};
	return zerocopy ? zerocopy_chunks(nic_info(port->sw->nic), port->mtu + ETHERNET_OVERHEAD,
					  umem)
			: 0;
}

/* Each NIC queue has chunks of its own in the private area, behind one page that stays empty
 * because a chunk begins up to 512 bytes before the guest's buffer does. */
static void bounce_init(struct direct_socket *s, unsigned int queue)
{
	uint64_t first = BOUNCE_CHUNK_BYTES * (1 + (uint64_t)queue * BOUNCE_CHUNKS);

	for (unsigned int i = 0; i < BOUNCE_CHUNKS / 2; i++) {
		s->rx_bounce[s->n_rx_bounce++] = first + (2 * i) * BOUNCE_CHUNK_BYTES;
		s->tx_bounce[s->n_tx_bounce++] = first + (2 * i + 1) * BOUNCE_CHUNK_BYTES;
	}
}

static const struct xsk *socket_to_share(const struct direct *d)
{
	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
		if (d->socket[q])
			return &d->socket[q]->xsk;
	return NULL;
}

static int socket_bind(struct port *port, unsigned int queue, struct direct_socket *s)
{
	const struct nic_info *nic = nic_info(port->sw->nic);
	const struct xsk *share = socket_to_share(&port->direct);
	struct vu_dev_info info;
	bool zerocopy;
	int err;

	vu_dev_info(port->dev, &info);
	if (!info.mem)
		return -ENOMEM;
	zerocopy =
		share ? share->zerocopy
		      : port->sw->dedicated && port->sw->want_zerocopy && nic->zerocopy != VXDP_NO;
	s->bare = !vxdp_bpf_writes_headers(port->sw->bpf);
	err = umem_of(port, info.mem, zerocopy, &s->umem);
	if (!err)
		err = xsk_open(nic->ifindex, queue, zerocopy ? XSK_BIND_ZEROCOPY : XSK_BIND_COPY,
			       &s->umem, share, &s->xsk);
	if (err && zerocopy && !share && err != -EBUSY && !port->sw->need_zerocopy) {
		umem_of(port, info.mem, false, &s->umem);
		err = xsk_open(nic->ifindex, queue, XSK_BIND_COPY, &s->umem, NULL, &s->xsk);
	}
	return err;
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

static int socket_open(struct port *port, unsigned int queue, struct pair *pair)
{
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
	err = socket_bind(port, queue, s);
	if (err) {
		free(s);
		return err;
	}
	bounce_init(s, queue);
	change.socket = s;
	worker_call(pair->worker, worker_socket_add, &change);
	if (!change.err)
		change.err = vxdp_queue_owner_set(port->sw->pins, queue, port->id, pair->hdr_bytes);
	d->socket[queue] = s;
	d->pair[queue] = pair->index;
	d->zerocopy = s->xsk.zerocopy;
	if (!d->n_sockets++) {
		vu_dev_info(port->dev, &info);
		blocks_note(port, info.mem);
	}
	port->sw->queue_owner[queue] = port;
	return change.err ? change.err : vxdp_xsk_set(port->sw->pins, queue, s->xsk.fd);
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

static void statistics_add(struct xdp_statistics *sum, const struct xsk *xsk)
{
	struct xdp_statistics s = {};

	if (xsk_statistics(xsk, &s))
		return;
	sum->rx_dropped += s.rx_dropped;
	sum->rx_invalid_descs += s.rx_invalid_descs;
	sum->tx_invalid_descs += s.tx_invalid_descs;
	sum->rx_ring_full += s.rx_ring_full;
	sum->rx_fill_ring_empty_descs += s.rx_fill_ring_empty_descs;
	sum->tx_ring_empty_descs += s.tx_ring_empty_descs;
}

static void socket_close(struct port *port, unsigned int queue)
{
	struct direct *d = &port->direct;
	struct direct_socket *s = d->socket[queue];
	struct socket_change change = {.pair = port->pair[d->pair[queue]], .socket = s};
	bool zerocopy = s->xsk.zerocopy;

	vxdp_xsk_clear(port->sw->pins, queue);
	vxdp_queue_owner_set(port->sw->pins, queue, VXDP_PORT_NONE, 0);
	worker_call(change.pair->worker, worker_socket_remove, &change);
	statistics_add(&port->xsk_past[d->pair[queue]], &s->xsk);
	xsk_close(&s->xsk);
	if (zerocopy && xsk_queue_wait_free(nic_info(port->sw->nic)->ifindex, queue, QUEUE_FREE_MS))
		log_warn("%s: NIC queue %u did not come free within %u ms", port->name, queue,
			 QUEUE_FREE_MS);
	worker_call(change.pair->worker, worker_socket_abandon, &change);
	d->socket[queue] = NULL;
	d->n_sockets--;
	port->sw->queue_owner[queue] = NULL;
	free(s);
}

static void lane_flags(struct port *port)
{
	uint16_t flags = port->entry.flags & ~(VXDP_PORT_DIRECT | VXDP_PORT_TCP_KERNEL);

	if (port->direct.n_sockets)
		flags |= VXDP_PORT_DIRECT;
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && port->pair[i]->tables.tcp_kernel)
			flags |= VXDP_PORT_TCP_KERNEL;
	if (flags != port->entry.flags) {
		port->entry.flags = flags;
		port_entry_write(port);
	}
}

/* Others may have been waiting for the queues that came free. */
static void wake_others(struct port *port)
{
	for (unsigned int i = 0; i < VXDP_PORTS_MAX; i++)
		if (port->sw->port[i] && port->sw->port[i] != port)
			port_settle_soon(port->sw->port[i]);
}

void direct_pair_close(struct port *port, unsigned int pair)
{
	bool any = false;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (!port->direct.socket[q] || port->direct.pair[q] != pair)
			continue;
		socket_close(port, q);
		any = true;
	}
	if (!any)
		return;
	lane_flags(port);
	if (!port->direct.n_sockets)
		wake_others(port);
}

void direct_close(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			direct_pair_close(port, i);
}

/* ---- Deciding ---- */

/*
 * Pinning makes every page of the guest's files real, also those the guest never touched, and
 * files can be made as long as one likes: no more than half of what is left.
 */
static bool memory_affordable(struct port *port, const struct vu_mem *mem)
{
	uint64_t needed = 0, available = memory_left();

	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *r = &mem->region[i];
		struct stat st = {};

		/* Huge pages were set aside beforehand. */
		if (r->page_bytes > PAGE_BYTES || fstat(r->fd, &st))
			continue;
		needed += r->bytes - MIN(r->bytes, (uint64_t)st.st_blocks * STAT_BLOCK_BYTES);
	}
	needed += mem->bytes / COPY_CHUNK_BYTES * KERNEL_BYTES_A_CHUNK;
	if (needed <= available / 2)
		return true;
	snprintf(
		port->direct.reason, sizeof(port->direct.reason),
		"pinning the guest's memory takes %llu MiB more, and %llu are left (machine or MemoryMax)",
		(unsigned long long)needed >> 20, (unsigned long long)available >> 20);
	return false;
}

/* May this port have the lane at all? If not, says why. */
static bool eligible(struct port *port)
{
	struct direct *d = &port->direct;
	struct vu_dev_info info;

	vu_dev_info(port->dev, &info);
	if (port->lane == LANE_KERNEL) {
		reason(port, "asked for with --lane kernel");
	} else if (d->refused) {
		return false; /* the reason stands */
	} else if (port->features & (1ULL << VIRTIO_F_IN_ORDER)) {
		reason(port,
		       "the guest negotiated IN_ORDER, and the direct lane completes out of order");
	} else if (port->mtu > DIRECT_MTU_MAX) {
		snprintf(d->reason, sizeof(d->reason),
			 "an MTU of %u needs more than one buffer a frame (at most %u)", port->mtu,
			 DIRECT_MTU_MAX);
	} else if (port->sw->need_zerocopy && !port->sw->dedicated) {
		reason(port, "zero copy needs the NIC to be this guest's alone: --dedicated");
	} else {
		/* Once it is pinned it is paid for. */
		return d->n_sockets || (info.mem && memory_affordable(port, info.mem));
	}
	return false;
}

static void refuse(struct port *port, unsigned int queue, int err)
{
	struct direct *d = &port->direct;

	switch (err) {
	case -EFAULT:
		reason(port, "the guest's memory cannot be pinned: use memory-backend-memfd or "
			     "hugepages, with share=on");
		break;
	case -ENOBUFS:
	case -ENOMEM:
		reason(port, "not enough lockable memory for the guest's RAM (RLIMIT_MEMLOCK)");
		break;
	case -EBUSY:
		snprintf(d->reason, sizeof(d->reason),
			 "NIC queue %u is used by another AF_XDP program", queue);
		break;
	case -ENETDOWN:
		reason(port, "the NIC is down");
		return; /* not for ever */
	default:
		snprintf(d->reason, sizeof(d->reason), "AF_XDP on NIC queue %u: %s", queue,
			 strerror(-err));
	}
	d->refused = true;
	log_warn("%s: no direct lane: %s", port->name, d->reason);
}

/* Open what is missing. Returns false if it has to be tried again. */
static bool open_missing(struct port *port, struct pair *const *active, unsigned int n_active)
{
	unsigned int n_queues = MIN(nic_info(port->sw->nic)->rx_queues, VXDP_NIC_QUEUES_MAX);
	struct direct *d = &port->direct;

	for (unsigned int q = 0; q < n_queues; q++) {
		struct port *owner = port->sw->queue_owner[q];
		int err;

		if (owner && owner != port) {
			snprintf(d->reason, sizeof(d->reason), "the NIC's queues belong to port %s",
				 owner->name);
			return true;
		}
		if (owner)
			continue;
		err = socket_open(port, q, active[q % n_active]);
		if (err == -EBUSY && d->tries++ < BUSY_TRIES_MAX)
			return false;
		if (err) {
			direct_close(port);
			refuse(port, q, err);
			return true;
		}
	}
	d->tries = 0;
	snprintf(d->reason, sizeof(d->reason), "%s into the guest's memory, %u NIC queue%s",
		 d->zerocopy ? "zero copy" : "one copy by the kernel", d->n_sockets,
		 d->n_sockets == 1 ? "" : "s");
	return true;
}

void direct_settle(struct port *port, struct pair *const *active, unsigned int n_active)
{
	struct direct *d = &port->direct;
	unsigned int before = d->n_sockets;
	bool wanted = eligible(port) && n_active;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		if (d->socket[q] && (!wanted || d->pair[q] != active[q % n_active]->index))
			socket_close(port, q);
	}
	if (wanted && !open_missing(port, active, n_active))
		port_settle_soon(port);
	lane_flags(port);
	if (d->n_sockets != before)
		log_info("%s: %s lane: %s", port->name, d->n_sockets ? "direct" : "kernel",
			 n_active ? d->reason : "the guest receives nothing");
}

/* ---- Looking after it ---- */

/*
 * A hole punched into the file (balloon, free page reporting, virtio-mem) splits guest and UMEM:
 * the guest gets a new page there, and the kernel goes on writing to the old one.
 */
void direct_check_memory(struct port *port)
{
	struct vu_dev_info info;

	vu_dev_info(port->dev, &info);
	if (!port->direct.n_sockets || !info.mem)
		return;
	for (unsigned int i = 0; i < info.mem->n_regions; i++) {
		struct stat st;

		if (fstat(info.mem->region[i].fd, &st) ||
		    (uint64_t)st.st_blocks >= port->direct.blocks[i])
			continue;
		port->direct.refused = true;
		reason(port, "pages were taken out of the guest's memory (balloon?), which an "
			     "AF_XDP UMEM does not notice");
		log_warn("%s: no direct lane any more: %s", port->name, port->direct.reason);
		direct_close(port);
		port_settle_soon(port);
		return;
	}
}

struct xdp_statistics direct_statistics(const struct port *port, unsigned int pair)
{
	struct xdp_statistics sum = port->xsk_past[pair];

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++)
		if (port->direct.socket[q] && port->direct.pair[q] == pair)
			statistics_add(&sum, &port->direct.socket[q]->xsk);
	return sum;
}

uint64_t direct_kernel_bytes(const struct port *port)
{
	uint64_t bytes = 0;

	for (unsigned int q = 0; q < VXDP_NIC_QUEUES_MAX; q++) {
		const struct direct_socket *s = port->direct.socket[q];

		if (s)
			bytes += s->umem.bytes / s->umem.chunk_bytes * KERNEL_BYTES_A_CHUNK;
	}
	return bytes;
}
