/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_device.c - a port and its vhost-user device: what is offered to the front end, and what
 * follows from what it does. A ring that stops is taken from its worker before the call returns;
 * what else follows is settled a moment later (port.c).
 */
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "port_internal.h"
#include "rundir.h"

#define FRAME_MIN    60 /* without checksum */
#define RARP_REQUEST 3

static void ring_enable(struct port *port, unsigned int index, bool enabled)
{
	struct pair *p = port->pair[index / 2];
	bool is_rx = index % 2 == 0;

	if (is_rx && !enabled) {
		port_publish(port, p);
		lanes_pair_close(port, index / 2);
	}
	port_ring_enable(p, is_rx, enabled);
	if (is_rx && enabled)
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
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		port->direct.on[i].refused = false;
		if (port->sw->uplink[i])
			port->sw->uplink[i]->shared.refused = false;
	}
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
			port_pair_configure(port, port->pair[i]);
	err = tap_offloads_set(&port->tap, features);
	if (err)
		log_warn("%s: cannot set the offloads of %s: %s", port->name, port->tap.ifname,
			 strerror(-err));
}

static void on_ring_start(void *owner, unsigned int index, struct vu_ring *ring)
{
	struct port *port = owner;
	unsigned int i = index / 2;
	int err = port_pair_need(port, i);

	if (!err)
		err = port_ring_add(port->pair[i], ring, index % 2 == 0);
	if (err)
		log_error("%s: queue pair %u is not served: %s", port->name, i, strerror(-err));
	port_settle_soon(port);
}

static void on_ring_stop(void *owner, unsigned int index, struct vu_ring *ring)
{
	struct port *port = owner;
	struct pair *p = port->pair[index / 2];
	bool is_rx = index % 2 == 0;

	if (!p || (is_rx ? p->rx : p->tx) != ring)
		return;
	if (is_rx)
		port_publish(port, p);
	lanes_pair_close(port, p->index);
	port_ring_remove(p, ring, is_rx);
	port_settle_soon(port);
}

static void on_ring_enable(void *owner, unsigned int index, bool enabled)
{
	struct pair *active[VU_PAIRS_MAX];
	struct port *port = owner;
	unsigned int i = index / 2;

	if (!port->pair[i] && (!enabled || port_pair_need(port, i)))
		return;
	ring_enable(port, index, enabled);
	/* Up before the guest's first frame is sent, or the answer to it would be dropped. */
	if (enabled && index % 2 == 0)
		port_link_update(port, port_active_pairs(port, active));
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

/* ---- Opening ---- */

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

int port_device_open(struct port *port, const struct sw_port_options *o, struct vx_error *error)
{
	char state_dir[PATH_MAX];
	struct vu_dev_config config = {
		.name = port->name,
		.socket_path = o->fd >= 0 ? NULL : port->socket_path,
		.fd = o->fd,
		.features = features_offer(port),
		.pairs_max = port->queues_max,
		.private_bytes = direct_private_bytes(port),
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
