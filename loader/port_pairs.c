/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_pairs.c - the queue pairs of a port. A pair belongs to its worker: what changes it is done
 * there, by worker_call(), which returns when it was.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "guest_wait.h"
#include "lane_kernel.h"
#include "port_internal.h"
#include "spread.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static bool tcp_kernel(const struct port *port)
{
	if (port->tcp_lane == TCP_LANE_AUTO)
		return port_has(port, VIRTIO_NET_F_HOST_TSO4) ||
		       port_has(port, VIRTIO_NET_F_GUEST_TSO4);
	return port->tcp_lane == TCP_LANE_KERNEL;
}

/* What the worker has to know of the features; with no ring of the pair running. */
void port_pair_configure(struct port *port, struct pair *p)
{
	p->features = port->features;
	p->mergeable = port_has(port, VIRTIO_NET_F_MRG_RXBUF);
	p->hdr_bytes = vu_net_hdr_bytes(port->features);
	p->gso_rx = port_has(port, VIRTIO_NET_F_GUEST_TSO4) ||
		    port_has(port, VIRTIO_NET_F_GUEST_TSO6) ||
		    port_has(port, VIRTIO_NET_F_GUEST_USO4);
	p->rx_csum = port_has(port, VIRTIO_NET_F_GUEST_CSUM);
	p->rx_ecn = port_has(port, VIRTIO_NET_F_GUEST_ECN);
	p->rx_gso = port_has(port, VIRTIO_NET_F_GUEST_TSO4) << VIRTIO_NET_HDR_GSO_TCPV4 |
		    port_has(port, VIRTIO_NET_F_GUEST_TSO6) << VIRTIO_NET_HDR_GSO_TCPV6;
	/* One type for both IP versions: it takes frames of either. */
	if (port_has(port, VIRTIO_NET_F_GUEST_USO4) && port_has(port, VIRTIO_NET_F_GUEST_USO6))
		p->rx_gso |= 1 << VIRTIO_NET_HDR_GSO_UDP_L4;
	p->frame_bytes_max = port->mtu + ETHERNET_OVERHEAD;
	p->tables.tcp_kernel = tcp_kernel(port);
	p->guest_lane = port->lane != LANE_KERNEL;
}

void port_pair_free(struct pair *p)
{
	if (p) {
		free(p->held);
		free(p->waiting);
		free(p);
	}
}

static int pair_new(struct port *port, unsigned int index, struct pair **out)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->held = malloc(GSO_FRAME_MAX + VNET_HDR_MAX);
	if (!p->held || guest_waiting_new(&p->waiting)) {
		port_pair_free(p);
		return -ENOMEM;
	}
	p->port = port;
	p->index = index;
	p->rx_shared = port->sw->n_workers > 1;
	p->worker = spread_choose(port->sw);
	p->tap_fd = -1;
	p->tx_tap_fd = port->tap.first_fd;
	p->deliver = &port->sw->deliver;
	p->tables = (struct flow_tables){
		.pins = port->sw->pins,
		.port_id = (uint16_t)port->id,
	};
	turn_tap_init(p);
	p->capture = port->capture.fd >= 0 ? &port->capture : NULL;
	*out = p;
	return 0;
}

int port_pair_need(struct port *port, unsigned int i)
{
	int err;

	if (port->pair[i])
		return 0;
	err = pair_new(port, i, &port->pair[i]);
	if (!err)
		port_pair_configure(port, port->pair[i]);
	return err;
}

static void worker_pair_mtu(void *arg)
{
	struct pair *p = arg;

	p->frame_bytes_max = p->port->mtu + ETHERNET_OVERHEAD;
}

void port_pairs_mtu(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			worker_call(port->pair[i]->worker, worker_pair_mtu, port->pair[i]);
}

/* ---- Their rings ---- */

struct ring_change {
	struct pair *pair;
	struct vu_ring *ring;
	bool is_rx;
	bool enabled;
	int err;
};

static void worker_ring_add(void *arg)
{
	struct ring_change *c = arg;
	struct pair *p = c->pair;
	int kick_fd = vu_ring_info(c->ring)->kick_fd;

	if (!p->rx && !p->tx)
		c->err = worker_pair_add(p->worker, p);
	if (c->err)
		return;
	if (c->is_rx)
		p->rx = c->ring;
	else
		p->tx = c->ring;
	if (kick_fd >= 0)
		c->err = worker_watch(p->worker, p, SOURCE_KICK, kick_fd);
	vu_ring_kick_disarm(c->ring);
}

int port_ring_add(struct pair *p, struct vu_ring *ring, bool is_rx)
{
	struct ring_change change = {.pair = p, .ring = ring, .is_rx = is_rx};

	worker_call(p->worker, worker_ring_add, &change);
	return change.err;
}

static void held_drop(struct pair *p)
{
	if (p->held_bytes)
		count(&p->stats.drops[VXDP_DROP_RX_STOP], 1, p->held_bytes - p->hdr_bytes);
	p->held_bytes = 0;
}

static void worker_ring_remove(void *arg)
{
	struct ring_change *c = arg;
	struct pair *p = c->pair;
	int kick_fd = vu_ring_info(c->ring)->kick_fd;

	if (kick_fd >= 0)
		worker_unwatch(p->worker, SOURCE_KICK, kick_fd);
	if (c->is_rx) {
		held_drop(p);
		window_empty_into(&p->window, p->rx);
		p->rx = NULL;
	} else {
		guest_stop(p);
		p->tx = NULL;
	}
	vu_ring_flush(c->ring);
	if (!p->rx && !p->tx)
		worker_pair_remove(p->worker, p);
	p->fault_told = false;
	__atomic_store_n(&p->fault, NULL, __ATOMIC_RELEASE);
}

void port_ring_remove(struct pair *p, struct vu_ring *ring, bool is_rx)
{
	struct ring_change change = {.pair = p, .ring = ring, .is_rx = is_rx};

	worker_call(p->worker, worker_ring_remove, &change);
}

static void worker_ring_enable(void *arg)
{
	struct ring_change *c = arg;

	if (c->is_rx)
		c->pair->rx_enabled = c->enabled;
	else
		c->pair->tx_enabled = c->enabled;
}

void port_ring_enable(struct pair *p, bool is_rx, bool enabled)
{
	struct ring_change change = {.pair = p, .is_rx = is_rx, .enabled = enabled};

	worker_call(p->worker, worker_ring_enable, &change);
}

/* ---- Their queues of the tap ---- */

struct tap_change {
	struct pair *pair;
	int tap_fd; /* -1: none */
	int err;
};

static void worker_tap_set(void *arg)
{
	struct tap_change *c = arg;
	struct pair *p = c->pair;

	if (p->tap_fd >= 0)
		worker_unwatch(p->worker, SOURCE_TAP, p->tap_fd);
	/* Other workers read the tap too, see guest_enter(). */
	deliver_lock(p);
	/* The port was not up: what is there now was meant for the guest before this one. */
	if (p->tap_fd < 0 && c->tap_fd >= 0) {
		p->tap_fd = c->tap_fd;
		kernel_rx_discard(p);
	}
	p->tap_fd = c->tap_fd;
	deliver_unlock(p);
	p->tx_tap_fd = c->tap_fd >= 0 ? c->tap_fd : p->port->tap.first_fd;
	p->tap_readable = c->tap_fd >= 0;
	if (c->tap_fd >= 0)
		c->err = worker_watch(p->worker, p, SOURCE_TAP, c->tap_fd);
}

/* Give a pair its queue of the tap, or take it away. Pair 0's keeps the device alive. */
void port_tap_queue_set(struct port *port, struct pair *p, bool wanted)
{
	struct tap_change change = {.pair = p, .tap_fd = -1};
	int old = p->tap_fd;

	if (wanted == (old >= 0))
		return;
	if (wanted)
		change.tap_fd = p->index ? tap_queue_open(&port->tap) : port->tap.first_fd;
	if (wanted && change.tap_fd < 0) {
		log_warn("%s: queue pair %u gets no queue of %s: %s", port->name, p->index,
			 port->tap.ifname, strerror(-change.tap_fd));
		return;
	}
	worker_call(p->worker, worker_tap_set, &change);
	if (change.err)
		log_warn("%s: cannot watch %s: %s", port->name, port->tap.ifname,
			 strerror(-change.err));
	if (p->index && old >= 0)
		close(old);
}
