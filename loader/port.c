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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "port_internal.h"

#define SETTLE_NS (5 * 1000 * 1000)

void port_entry_write(struct port *port)
{
	int err = vxdp_port_set(port->sw->pins, port->id, &port->entry);

	if (err)
		log_error_limited("%s: cannot write the ports map: %s", port->name, strerror(-err));
}

/* ---- Settling ---- */

unsigned int port_active_pairs(struct port *port, struct pair *active[VU_PAIRS_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i] && port->pair[i]->rx && port->pair[i]->rx_enabled)
			active[n++] = port->pair[i];
	return n;
}

/* Tap queues, carrier and UP follow the pairs that receive. */
void port_link_update(struct port *port, unsigned int n)
{
	uint16_t flags = port->entry.flags & ~VXDP_PORT_UP;

	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++)
		if (port->pair[i])
			port_tap_queue_set(port, port->pair[i],
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
	unsigned int n = port_active_pairs(port, active);

	port_link_update(port, n);
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
void port_publish(struct port *port, const struct pair *stopping)
{
	struct pair *active[VU_PAIRS_MAX];
	unsigned int n = port_active_pairs(port, active), kept = 0;

	for (unsigned int i = 0; i < n && port->lane != LANE_KERNEL; i++)
		if (active[i] != stopping)
			active[kept++] = active[i];
	if (deliver_publish(&port->sw->deliver, port->id, active, kept, port->sw->worker,
			    port->sw->n_workers))
		log_error_limited("%s: no memory: other guests reach it through its tap only",
				  port->name);
}

void port_mtu_set(struct port *port, unsigned int mtu)
{
	if (mtu == port->mtu)
		return;
	/* What is posted was chosen for the old length. */
	lanes_close(port);
	port->mtu = mtu;
	port_pairs_mtu(port);
	tap_mtu_set(&port->tap, mtu);
	port->entry.direct_frame_bytes = mtu + ETHERNET_OVERHEAD;
	port_entry_write(port);
	port_settle_soon(port);
}

/* ---- Opening and closing ---- */

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
		err = port_device_open(port, options, error);
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
			port_tap_queue_set(port, port->pair[i], false);
		port_pair_free(port->pair[i]);
	}
	if (port->id) {
		deliver_forget(&port->sw->deliver, port->id);
		vxdp_port_clear(port->sw->pins, port->id);
	}
	tap_close(&port->tap);
	close_fd(&port->capture.fd);
	free(port);
}
