/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The device (vhost/dev.h) says when a ring starts and stops; a ring that stops is taken from its
 * worker before the call returns. What follows from the rings that run is settled a moment later,
 * all at once, because they come one by one:
 *
 *   rings that run and are enabled -> tap queues, one for each receiving pair
 *                                  -> AF_XDP sockets (lanes.c)
 *                                  -> carrier of the tap, flag UP in the ports map
 */
#include "port.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "guest_wait.h"
#include "lane_kernel.h"
#include "rundir.h"
#include "spread.h"

#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_HOST_USO 56
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#endif

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define BIT_OF(bit)  (1ULL << (bit))
#define SETTLE_NS    (5 * 1000 * 1000)
#define FRAME_MIN    60 /* without checksum */
#define RARP_BYTES   28
#define RARP_REQUEST 3

static bool has(const struct port *port, unsigned int bit)
{
	return port->features & BIT_OF(bit);
}

void port_entry_write(struct port *port)
{
	int err = vxdp_port_set(port->sw->pins, port->id, &port->entry);

	if (err)
		log_error_limited("%s: cannot write the ports map: %s", port->name, strerror(-err));
}

/* ---- Pairs ---- */

static bool tcp_kernel(const struct port *port)
{
	if (port->tcp_lane == TCP_LANE_AUTO)
		return has(port, VIRTIO_NET_F_HOST_TSO4) || has(port, VIRTIO_NET_F_GUEST_TSO4);
	return port->tcp_lane == TCP_LANE_KERNEL;
}

/* What the worker has to know of the features; with no ring of the pair running. */
static void pair_configure(struct port *port, struct pair *p)
{
	p->features = port->features;
	p->mergeable = has(port, VIRTIO_NET_F_MRG_RXBUF);
	p->hdr_bytes = vu_net_hdr_bytes(port->features);
	p->gso_rx = has(port, VIRTIO_NET_F_GUEST_TSO4) || has(port, VIRTIO_NET_F_GUEST_TSO6) ||
		    has(port, VIRTIO_NET_F_GUEST_USO4);
	p->rx_csum = has(port, VIRTIO_NET_F_GUEST_CSUM);
	p->rx_ecn = has(port, VIRTIO_NET_F_GUEST_ECN);
	p->rx_gso = has(port, VIRTIO_NET_F_GUEST_TSO4) << VIRTIO_NET_HDR_GSO_TCPV4 |
		    has(port, VIRTIO_NET_F_GUEST_TSO6) << VIRTIO_NET_HDR_GSO_TCPV6;
	/* One type for both IP versions: it takes frames of either. */
	if (has(port, VIRTIO_NET_F_GUEST_USO4) && has(port, VIRTIO_NET_F_GUEST_USO6))
		p->rx_gso |= 1 << VIRTIO_NET_HDR_GSO_UDP_L4;
	p->frame_bytes_max = port->mtu + ETHERNET_OVERHEAD;
	p->tables.tcp_kernel = tcp_kernel(port);
	p->guest_lane = port->lane != LANE_KERNEL;
}

static void pair_free(struct pair *p)
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
		pair_free(p);
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
	p->capture = port->capture.fd >= 0 ? &port->capture : NULL;
	*out = p;
	return 0;
}

struct ring_change {
	struct pair *pair;
	struct vu_ring *ring;
	bool is_rx;
	bool enabled;
	int tap_fd;
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

static void worker_ring_enable(void *arg)
{
	struct ring_change *c = arg;

	if (c->is_rx)
		c->pair->rx_enabled = c->enabled;
	else
		c->pair->tx_enabled = c->enabled;
}

static void worker_tap_set(void *arg)
{
	struct ring_change *c = arg;
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
static void tap_queue_set(struct port *port, struct pair *p, bool wanted)
{
	struct ring_change change = {.pair = p, .tap_fd = -1};
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

/* ---- Settling ---- */

static unsigned int active_pairs(struct port *port, struct pair *active[VU_PAIRS_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && port->pair[i]->rx && port->pair[i]->rx_enabled)
			active[n++] = port->pair[i];
	return n;
}

/* Tap queues, carrier and UP follow the pairs that receive. */
static void link_update(struct port *port, unsigned int n)
{
	uint16_t flags = port->entry.flags & ~VXDP_PORT_UP;

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			tap_queue_set(port, port->pair[i],
				      port->pair[i]->rx && port->pair[i]->rx_enabled);
	if (n)
		flags |= VXDP_PORT_UP;
	if (flags != port->entry.flags) {
		tap_carrier_set(&port->tap, n > 0);
		port->entry.flags = flags;
		port_entry_write(port);
	}
}

static void port_settle(void *arg, uint32_t what)
{
	struct pair *active[VU_PAIRS_MAX];
	struct port *port = arg;
	unsigned int n = active_pairs(port, active);

	link_update(port, n);
	if (n != port->n_active)
		log_info("%s: guest is %s, %u queue pair%s", port->name, n ? "up" : "down", n,
			 n == 1 ? "" : "s");
	port->n_active = n;
	lanes_settle(port->sw);
}

void port_settle_soon(struct port *port)
{
	event_timer_set(port->settle_timer, SETTLE_NS, 0);
}

/* The pairs that receive, for the other workers; without @stopping. */
static void port_publish(struct port *port, const struct pair *stopping)
{
	struct pair *active[VU_PAIRS_MAX];
	unsigned int n = active_pairs(port, active), kept = 0;

	for (unsigned int i = 0; i < n && port->lane != LANE_KERNEL; i++)
		if (active[i] != stopping)
			active[kept++] = active[i];
	if (deliver_publish(&port->sw->deliver, port->id, active, kept, port->sw->worker,
			    port->sw->n_workers))
		log_error_limited("%s: no memory: other guests reach it through its tap only",
				  port->name);
}

static void ring_enable(struct port *port, unsigned int index, bool enabled)
{
	struct ring_change change = {
		.pair = port->pair[index / 2],
		.is_rx = index % 2 == 0,
		.enabled = enabled,
	};

	if (change.is_rx && !enabled) {
		port_publish(port, change.pair);
		lanes_pair_close(port, index / 2);
	}
	worker_call(change.pair->worker, worker_ring_enable, &change);
	if (change.is_rx && enabled)
		port_publish(port, NULL);
}

/* ---- What the device calls ---- */

static void on_link(void *owner, bool up)
{
	struct port *port = owner;

	/* A ring is disabled until this front end says otherwise. */
	for (unsigned int i = 0; i < 2 * VU_PAIRS_MAX; i++)
		if (port->pair[i / 2])
			ring_enable(port, i, false);
	/* Another guest, perhaps, with other memory: let it try the direct lane afresh. */
	port->direct.refused = false;
	port->sw->shared.refused = false;
	if (!up)
		port->features = 0;
	port_settle_soon(port);
}

static void on_features(void *owner, uint64_t features)
{
	struct port *port = owner;
	int err;

	port->features = features;
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			pair_configure(port, port->pair[i]);
	err = tap_offloads_set(&port->tap, features);
	if (err)
		log_warn("%s: cannot set the offloads of %s: %s", port->name, port->tap.ifname,
			 strerror(-err));
}

static void on_ring_start(void *owner, unsigned int index, struct vu_ring *ring)
{
	struct port *port = owner;
	unsigned int i = index / 2;
	struct ring_change change = {.ring = ring, .is_rx = index % 2 == 0};

	if (!port->pair[i]) {
		if (pair_new(port, i, &port->pair[i])) {
			log_error("%s: no memory for queue pair %u", port->name, i);
			return;
		}
		pair_configure(port, port->pair[i]);
	}
	change.pair = port->pair[i];
	worker_call(change.pair->worker, worker_ring_add, &change);
	if (change.err)
		log_error("%s: queue pair %u is not served: %s", port->name, i,
			  strerror(-change.err));
	port_settle_soon(port);
}

static void on_ring_stop(void *owner, unsigned int index, struct vu_ring *ring)
{
	struct port *port = owner;
	struct pair *p = port->pair[index / 2];
	struct ring_change change = {.pair = p, .ring = ring, .is_rx = index % 2 == 0};

	if (!p || (change.is_rx ? p->rx : p->tx) != ring)
		return;
	if (change.is_rx)
		port_publish(port, p);
	lanes_pair_close(port, p->index);
	worker_call(p->worker, worker_ring_remove, &change);
	port_settle_soon(port);
}

static void on_ring_enable(void *owner, unsigned int index, bool enabled)
{
	struct pair *active[VU_PAIRS_MAX];
	struct port *port = owner;
	unsigned int i = index / 2;

	if (!port->pair[i]) {
		if (!enabled || pair_new(port, i, &port->pair[i]))
			return;
		pair_configure(port, port->pair[i]);
	}
	ring_enable(port, index, enabled);
	/* Up before the guest's first frame is sent, or the answer to it would be dropped. */
	if (enabled && index % 2 == 0)
		link_update(port, active_pairs(port, active));
	port_settle_soon(port);
}

/* Length of the virtio-net header on the tap; the long one before anything was negotiated. */
static size_t tap_hdr_bytes(const struct port *port)
{
	return port->features ? vu_net_hdr_bytes(port->features) : sizeof(struct vu_net_hdr);
}

/* RARP "who is at MAC: MAC", as QEMU itself would send it (RFC 903). */
static void on_announce(void *owner, const uint8_t mac[6])
{
	struct {
		struct virtio_net_hdr_mrg_rxbuf vnet;
		uint8_t frame[FRAME_MIN];
	} rarp = {};
	static const uint8_t fixed[] = {0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, RARP_REQUEST};
	struct port *port = owner;
	uint8_t *at = rarp.frame;

	struct iovec iov[2];

	memset(at, 0xff, ETH_ALEN);
	memcpy(at + ETH_ALEN, mac, ETH_ALEN);
	at[12] = ETH_P_RARP >> 8;
	at[13] = ETH_P_RARP & 0xff;
	memcpy(at + ETH_HLEN, fixed, sizeof(fixed));
	memcpy(at + ETH_HLEN + 8, mac, ETH_ALEN);
	memcpy(at + ETH_HLEN + 18, mac, ETH_ALEN);

	iov[0] = (struct iovec){&rarp.vnet, tap_hdr_bytes(port)};
	iov[1] = (struct iovec){rarp.frame, sizeof(rarp.frame)};
	if (writev(port->tap.first_fd, iov, 2) < 0)
		log_warn("%s: cannot announce the guest: %s", port->name, strerror(errno));
}

static int on_set_mtu(void *owner, uint16_t mtu_bytes)
{
	struct port *port = owner;

	if (mtu_bytes > uplink_mtu(port->sw))
		log_warn("%s: the guest was told an MTU of %u, but the NIC's is %u", port->name,
			 mtu_bytes, uplink_mtu(port->sw));
	port_mtu_set(port, mtu_bytes);
	return 0;
}

static const struct vu_dev_ops port_ops = {
	.link = on_link,
	.features = on_features,
	.ring_start = on_ring_start,
	.ring_enable = on_ring_enable,
	.ring_stop = on_ring_stop,
	.announce = on_announce,
	.set_mtu = on_set_mtu,
};

static void worker_pair_configure(void *arg)
{
	struct pair *p = arg;

	p->frame_bytes_max = p->port->mtu + ETHERNET_OVERHEAD;
}

void port_mtu_set(struct port *port, unsigned int mtu)
{
	if (mtu == port->mtu)
		return;
	/* What is posted was chosen for the old length. */
	lanes_close(port);
	port->mtu = mtu;
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			worker_call(port->pair[i]->worker, worker_pair_configure, port->pair[i]);
	tap_mtu_set(&port->tap, mtu);
	port->entry.direct_frame_bytes = mtu + ETHERNET_OVERHEAD;
	port_entry_write(port);
	port_settle_soon(port);
}

void port_faults(struct port *port)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		struct pair *p = port->pair[i];
		const char *why = p ? __atomic_load_n(&p->fault, __ATOMIC_ACQUIRE) : NULL;

		if (!why)
			continue;
		if (p->fault_mem)
			vu_dev_fail(port->dev, why);
		else
			vu_dev_ring_broken(port->dev, 2 * i + (p->fault_rx ? 0 : 1));
	}
}

static void on_dev_ready(void *arg, uint32_t what)
{
	struct port *port = arg;

	vu_dev_dispatch(port->dev);
}

/* ---- Opening and closing ---- */

/*
 * The frames of a flow take one lane, and the direct lane carries no GSO frames: a guest whose TCP
 * or UDP goes there is not offered segmentation of it. IN_ORDER is for a lane that completes in
 * order.
 */
static uint64_t features_offer(const struct port *port)
{
	uint64_t features = vu_features_offer();

	if (port->lane != LANE_KERNEL)
		features &= ~(BIT_OF(VIRTIO_F_IN_ORDER) | BIT_OF(VIRTIO_NET_F_HOST_USO));
	if (port->tcp_lane == TCP_LANE_DIRECT)
		features &= ~(BIT_OF(VIRTIO_NET_F_HOST_TSO4) | BIT_OF(VIRTIO_NET_F_HOST_TSO6) |
			      BIT_OF(VIRTIO_NET_F_HOST_ECN));
	if (!tap_uso_supported())
		features &= ~(BIT_OF(VIRTIO_NET_F_HOST_USO) | BIT_OF(VIRTIO_NET_F_GUEST_USO4) |
			      BIT_OF(VIRTIO_NET_F_GUEST_USO6));
	return features;
}

static int device_open(struct port *port, const struct sw_port_options *o, struct vx_error *error)
{
	unsigned int nic_queues = direct_queues(port->sw);
	char state_dir[PATH_MAX];
	struct vu_dev_config config = {
		.name = port->name,
		.socket_path = o->fd >= 0 ? NULL : port->socket_path,
		.fd = o->fd,
		.features = features_offer(port),
		.pairs_max = port->queues_max,
		.private_bytes = BOUNCE_CHUNK_BYTES * (1 + (size_t)nic_queues * BOUNCE_CHUNKS),
		.state_dir = state_dir,
	};
	int err = rundir_path(state_dir, sizeof(state_dir), port->sw->nic_name, NULL);

	if (err)
		return vx_fail_errno(error, err, "cannot name the state directory");
	if (o->role && !strcmp(o->role, "client"))
		config.role = VU_ROLE_CLIENT;
	else if (o->role && !strcmp(o->role, "server"))
		config.role = VU_ROLE_SERVER;
	err = vu_dev_open(&config, &port_ops, port, &port->dev);
	if (err) {
		vx_fail_errno(error, err, "cannot serve %s",
			      o->fd >= 0 ? "the inherited socket" : port->socket_path);
		vx_hint(error, "the path has to be a socket or free, in a directory that exists");
		return err;
	}
	err = event_add(port->sw->loop, vu_dev_fd(port->dev), EPOLLIN, on_dev_ready, port,
			&port->dev_event);
	return err ? vx_fail_errno(error, err, "cannot watch the socket") : 0;
}

static void options_apply(struct port *port, const struct sw_port_options *o)
{
	snprintf(port->name, sizeof(port->name), "%s", o->name);
	snprintf(port->socket_path, sizeof(port->socket_path), "%s",
		 o->socket_path ? o->socket_path : "");
	if (o->lane && !strcmp(o->lane, "direct"))
		port->lane = LANE_DIRECT;
	else if (o->lane && !strcmp(o->lane, "shared"))
		port->lane = LANE_SHARED;
	else if (o->lane && !strcmp(o->lane, "kernel"))
		port->lane = LANE_KERNEL;
	if (o->tcp_lane && !strcmp(o->tcp_lane, "kernel"))
		port->tcp_lane = TCP_LANE_KERNEL;
	else if (o->tcp_lane && !strcmp(o->tcp_lane, "direct"))
		port->tcp_lane = TCP_LANE_DIRECT;
	port->queues_max = o->queues_max ? MIN(o->queues_max, VU_PAIRS_MAX) : VU_PAIRS_MAX;
	port->mtu = o->mtu ? o->mtu : uplink_mtu(port->sw);
	snprintf(port->lane_reason, sizeof(port->lane_reason), "no guest yet");
	port->capture.fd = -1;
	port->tap.first_fd = -1;
}

static int port_register(struct port *port, const struct policy_change *policy,
			 struct vx_error *error)
{
	int err = vxdp_port_id(port->sw->pins, port->name, &port->id);

	if (err)
		return vx_fail_errno(error, err, "no free port number");
	port->entry = (struct vxdp_port){
		.ifindex = port->tap.ifindex,
		.kind = VXDP_KIND_VM,
		.direct_frame_bytes = port->mtu + ETHERNET_OVERHEAD,
	};
	snprintf(port->entry.name, sizeof(port->entry.name), "%s", port->name);
	err = vxdp_bpf_tap_attach(port->sw->bpf, port->tap.ifindex, error);
	if (!err)
		err = policy_change_apply(policy, port->sw->pins, port->id, port->name, error);
	if (err)
		return err;
	err = vxdp_port_set(port->sw->pins, port->id, &port->entry);
	return err ? vx_fail_errno(error, err, "cannot enter the port into the maps") : 0;
}

int port_open(struct sw *sw, const struct sw_port_options *options, struct vx_error *error,
	      struct port **out)
{
	struct port *port = calloc(1, sizeof(*port));
	int err;

	if (!port)
		return vx_fail_errno(error, -ENOMEM, "cannot attach %s", options->name);
	port->sw = sw;
	options_apply(port, options);
	err = event_timer_add(sw->loop, 0, 0, port_settle, port, &port->settle_timer);
	if (!err)
		err = tap_open(port->name, port->mtu, vxdp_bpf_steering_fd(sw->bpf), &port->tap,
			       error);
	else
		vx_fail_errno(error, err, "cannot attach %s", port->name);
	if (!err)
		err = port_register(port, options->policy, error);
	if (!err)
		err = device_open(port, options, error);
	if (err) {
		port_close(&port);
		return err;
	}
	*out = port;
	return 0;
}

void port_close(struct port **p)
{
	struct port *port = TAKE_PTR(*p);

	if (!port)
		return;
	event_del(&port->dev_event);
	vu_dev_close(&port->dev); /* stops every ring */
	event_del(&port->settle_timer);
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		if (port->pair[i])
			tap_queue_set(port, port->pair[i], false);
		pair_free(port->pair[i]);
	}
	if (port->id) {
		deliver_forget(&port->sw->deliver, port->id);
		vxdp_port_clear(port->sw->pins, port->id);
	}
	tap_close(&port->tap);
	close_fd(&port->capture.fd);
	free(port);
}
