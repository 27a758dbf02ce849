/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_internal.h - what the files of a port share: port.c opens it and settles what it has,
 * port_device.c is what its front end brings about, port_pairs.c its queue pairs and their workers.
 */
#ifndef VXDP_LOADER_PORT_INTERNAL_H
#define VXDP_LOADER_PORT_INTERNAL_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "port.h"

#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_HOST_USO 56
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#endif

#define BIT_OF(bit) (1ULL << (bit))

/* Was this feature negotiated? */
static inline bool port_has(const struct port *port, unsigned int bit)
{
	return port->features & BIT_OF(bit);
}

/* ---- port.c ---- */

/** port_active_pairs() - the pairs that receive, in order. Return: how many. */
unsigned int port_active_pairs(struct port *port, struct pair *active[VU_PAIRS_MAX]);

/** port_link_update() - tap queues, carrier and UP follow the @n pairs that receive */
void port_link_update(struct port *port, unsigned int n);

/** port_publish() - tell the other workers which pairs receive; without @stopping, or NULL */
void port_publish(struct port *port, const struct pair *stopping);

/* ---- port_device.c ---- */

/** port_device_open() - serve the socket of @o. Return: 0 or -errno, @error filled. */
int port_device_open(struct port *port, const struct sw_port_options *o, struct vx_error *error);

/* ---- port_pairs.c ---- */

/** port_pair_need() - have pair @i, configured. Return: 0 or -ENOMEM. */
int port_pair_need(struct port *port, unsigned int i);
void port_pair_free(struct pair *pair);

/** port_pair_configure() - tell it the features; none of its rings runs */
void port_pair_configure(struct port *port, struct pair *p);

/** port_pairs_mtu() - tell all pairs the port's MTU */
void port_pairs_mtu(struct port *port);

/**
 * port_ring_add() / port_ring_remove() - the pair's worker serves @ring, or has let go of it
 * Return: 0, or -errno if nobody serves it now.
 */
int port_ring_add(struct pair *p, struct vu_ring *ring, bool is_rx);
void port_ring_remove(struct pair *p, struct vu_ring *ring, bool is_rx);

/** port_ring_enable() - the guest wants it to be served, or not */
void port_ring_enable(struct pair *p, bool is_rx, bool enabled);

/** port_tap_queue_set() - give a pair its queue of the tap, or take it away */
void port_tap_queue_set(struct port *port, struct pair *p, bool wanted);

#endif /* VXDP_LOADER_PORT_INTERNAL_H */
