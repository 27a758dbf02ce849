/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "switch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "dump_source.h"
#include "port.h"
#include "spread.h"
#include "tap_port.h"

#define SECOND_NS    1000000000ULL
#define AGE_PERIOD_S 5

#define for_each_port(sw, p)                                                                       \
	for (unsigned int i_ = 0; i_ < VXDP_PORTS_MAX; i_++)                                       \
		if (((p) = (sw)->port[i_]) != NULL)

/* ---- What happens ---- */

static void on_lanes_timer(void *arg, uint32_t what)
{
	lanes_settle(arg);
}

static void on_second(void *arg, uint32_t what)
{
	struct sw *sw = arg;
	struct port *port;

	if (++sw->seconds % AGE_PERIOD_S == 0)
		vxdp_fdb_age(sw->pins);
	spread_second(sw);
	for_each_port(sw, port) direct_check_memory(port);
	lanes_check_addresses(sw);
}

/* In a worker's thread. */
static void tell_fault(void *arg)
{
	struct sw *sw = arg;
	uint64_t one = 1;

	/* Only fails when the counter is full, and then the main thread is about to wake anyway. */
	(void)!write(sw->fault_fd, &one, sizeof(one));
}

static void on_fault(void *arg, uint32_t what)
{
	struct sw *sw = arg;
	struct port *port;
	uint64_t n;

	if (read(sw->fault_fd, &n, sizeof(n)) < 0)
		return;
	for_each_port(sw, port) port_faults(port);
}

/* ---- Opening and closing ---- */

static int workers_start(struct sw *sw, const struct sw_options *o, struct vx_error *error)
{
	unsigned int n = o->n_cpus ? o->n_cpus : 1;

	for (unsigned int i = 0; i < n; i++) {
		struct worker_options options = {
			.cpu = o->n_cpus ? o->cpus[i] : -1,
			.poll_busy = o->poll_busy,
			.on_fault = tell_fault,
			.arg = sw,
		};
		int err = worker_start(&options, error, &sw->worker[i]);

		if (err)
			return err;
		sw->n_workers++;
	}
	return 0;
}

static int events_open(struct sw *sw, struct vx_error *error)
{
	int err;

	sw->fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->fault_fd < 0)
		return vx_fail_errno(error, -errno, "cannot watch the workers");
	err = event_add(sw->loop, sw->fault_fd, EPOLLIN, on_fault, sw, &sw->fault_event);
	if (!err)
		err = event_timer_add(sw->loop, SECOND_NS, SECOND_NS, on_second, sw,
				      &sw->second_timer);
	if (!err)
		err = event_timer_add(sw->loop, 0, 0, on_lanes_timer, sw, &sw->lanes_timer);
	return err ? vx_fail_errno(error, err, "cannot watch %s", sw->nic_name) : 0;
}

static int bpf_open(struct sw *sw, const struct sw_options *o, struct vx_error *error)
{
	struct vxdp_bpf_opts opts = {.name = sw->nic_name,
				     .nic = o->nic,
				     .mode = vxdp_xdp_mode_named(o->mode),
				     .bare_ok = true,
				     .share = o->share_xdp};
	struct nic_info info;
	int err = 0;

	if (o->nic)
		err = nic_info_get(o->nic, &info, error);
	if (!err && o->nic)
		err = nic_usable(&info, error);
	if (!err)
		err = vxdp_bpf_open(&opts, &sw->bpf, error);
	if (err)
		return err;
	sw->pins = vxdp_bpf_pins(sw->bpf);
	return uplink_open_all(sw, error);
}

int sw_open(const struct sw_options *o, struct event_loop *loop, struct vx_error *error,
	    struct sw **out)
{
	struct sw *sw = calloc(1, sizeof(*sw));
	int err;

	if (!sw)
		return vx_fail_errno(error, -ENOMEM, "cannot attach %s", o->name);
	sw->loop = loop;
	sw->fault_fd = -1;
	snprintf(sw->nic_name, sizeof(sw->nic_name), "%s", o->name);
	sw->needs_nic = o->nic;
	sw->share_xdp = o->share_xdp;
	sw->dedicated = o->dedicated;
	sw->need_zerocopy = o->mode && !strcmp(o->mode, "zerocopy");
	sw->want_zerocopy = sw->need_zerocopy || !o->mode || !strcmp(o->mode, "auto");

	err = bpf_open(sw, o, error);
	if (!err)
		err = workers_start(sw, o, error);
	if (!err)
		err = events_open(sw, error);
	if (err) {
		sw_close(&sw);
		return err;
	}
	*out = sw;
	return 0;
}

void sw_close(struct sw **s)
{
	struct sw *sw = TAKE_PTR(*s);

	if (!sw)
		return;
	event_del(&sw->second_timer);
	for (unsigned int i = 0; i < VXDP_PORTS_MAX; i++)
		port_close(&sw->port[i]);
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (sw->uplink[i])
			lanes_end(sw->uplink[i]);
	event_del(&sw->lanes_timer);
	for (unsigned int i = 0; i < sw->n_workers; i++)
		worker_stop(&sw->worker[i]);
	event_del(&sw->fault_event);
	close_fd(&sw->fault_fd);
	uplink_close_all(sw);
	vxdp_bpf_close(&sw->bpf);
	free(sw);
}

enum vxdp_xdp_mode sw_xdp_mode(const struct sw *sw)
{
	return vxdp_bpf_mode(sw->bpf);
}

/* ---- Ports ---- */

static struct port *port_find(const struct sw *sw, const char *name_or_socket)
{
	struct port *port;

	for_each_port(sw, port) if (!strcmp(port->name, name_or_socket) ||
				    (port->socket_path[0] &&
				     !strcmp(port->socket_path, name_or_socket))) return port;
	return NULL;
}

static int tap_add(struct sw *sw, const struct sw_port_options *o, struct vx_error *error)
{
	struct tap_port_options tap = {
		.name = o->name,
		.tap = o->tap,
		.owner = o->owner,
		.group = o->group,
		.lane = o->lane,
		.tcp_lane = o->tcp_lane,
		.tap_xdp = o->tap_xdp,
		.queues = o->queues_max,
		.mtu = o->mtu,
		.may_exist = o->may_exist,
		.policy = o->policy,
	};

	struct nic_info info = {.mtu = uplink_mtu(sw)};
	const struct uplink *namesake = uplink_find(sw, sw->nic_name);
	int err;

	if (namesake)
		info = *nic_info(namesake->nic);
	snprintf(info.name, sizeof(info.name), "%s", sw->nic_name);
	err = tap_port_add(sw->bpf, &info, &tap, error);
	if (!err)
		err = uplink_stand_all(sw, error);
	if (!err)
		log_info("%s: attached to %s, on the tap %s", o->name, sw->nic_name, o->tap);
	return err;
}

int sw_port_add(struct sw *sw, const struct sw_port_options *o, struct vx_error *error)
{
	struct port *port = port_find(sw, o->name);
	int err;

	if (uplink_find(sw, o->name))
		return vx_fail(error, -EEXIST, "%s has an uplink called %s", sw->nic_name, o->name);
	if (o->tap)
		return tap_add(sw, o, error);

	if (!port && o->socket_path)
		port = port_find(sw, o->socket_path);
	if (port && o->may_exist)
		return 0;
	if (port || tap_port_named(sw->pins, o->name)) {
		vx_fail(error, -EEXIST, "%s already has a port %s (%s)", sw->nic_name,
			port ? port->name : o->name, port ? port->socket_path : "a tap port");
		vx_hint(error, "choose another --name, or say --may-exist");
		return -EEXIST;
	}
	err = port_open(sw, o, error, &port);
	if (err)
		return err;
	sw->port[port->id] = port;
	log_info("%s: attached to %s, %s is its tap", port->name, sw->nic_name, port->tap.ifname);
	return 0;
}

static bool uplink_del(struct sw *sw, const char *nic)
{
	struct uplink *uplink = uplink_find(sw, nic);

	if (!uplink)
		return false;
	log_info("%s: detached from %s", uplink->name, sw->nic_name);
	uplink_close(&uplink);
	return true;
}

int sw_port_del(struct sw *sw, const char *name_or_socket, struct vx_error *error)
{
	struct port *port = port_find(sw, name_or_socket);
	int err;

	if (!port && uplink_del(sw, name_or_socket))
		return 0;
	if (!port) {
		err = tap_port_del(sw->nic_name, sw->pins, name_or_socket, error);
		if (!err)
			log_info("%s: detached from %s", name_or_socket, sw->nic_name);
		return err;
	}
	log_info("%s: detached from %s", port->name, sw->nic_name);
	sw->port[port->id] = NULL;
	port_close(&port);
	lanes_settle_soon(sw); /* NIC queues may have come free */
	return 0;
}

unsigned int sw_n_ports(const struct sw *sw)
{
	unsigned int n = 0;
	struct port *port;

	for_each_port(sw, port) n++;
	return n;
}

/* ---- Capture ---- */

struct capture_change {
	struct pair *pair;
	struct capture *capture;
};

static void worker_capture_set(void *arg)
{
	struct capture_change *c = arg;

	store_release(&c->pair->capture, c->capture);
}

static void capture_point(struct port *port, struct capture *capture)
{
	for (unsigned int i = 0; i < VU_PAIRS_MAX; i++) {
		struct capture_change change = {port->pair[i], capture};

		if (change.pair)
			worker_call(change.pair->worker, worker_capture_set, &change);
	}
	/* Others look at it when they deliver there. */
	workers_pass(port->sw->worker, port->sw->n_workers);
}

static void port_capture_set(struct port *port, unsigned int snaplen, int fd)
{
	capture_point(port, NULL);
	close_fd(&port->capture.fd);
	port->capture = (struct capture){.fd = fd, .bytes = snaplen};
	if (fd >= 0)
		capture_point(port, &port->capture);
	port->entry.flags &= ~VXDP_PORT_CAPTURE;
	if (fd >= 0)
		port->entry.flags |= VXDP_PORT_CAPTURE;
	port->entry.capture_bytes = snaplen;
	port_entry_write(port);
}

int sw_capture_start(struct sw *sw, const char *name, unsigned int snaplen, int fd,
		     struct vx_error *error)
{
	struct port *only = name ? port_find(sw, name) : NULL;
	struct port *port;
	int err = 0;

	/* Of a tap port the programs see every frame. */
	if (!name || (!only && tap_port_named(sw->pins, name)))
		err = dump_flags_set(sw->pins, name, snaplen);
	else if (!only)
		return vx_fail(error, -ENOENT, "%s has no port %s", sw->nic_name, name);
	if (err)
		return vx_fail_errno(error, err, "cannot capture %s", name ? name : sw->nic_name);
	if (name && !only)
		return 0;
	for_each_port(sw, port)
	{
		int copy;

		if (only && port != only)
			continue;
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return vx_fail_errno(error, -errno, "cannot capture %s", port->name);
		port_capture_set(port, snaplen, copy);
	}
	return 0;
}

void sw_capture_stop(struct sw *sw)
{
	struct port *port;

	for_each_port(sw, port) if (port->capture.fd >= 0) port_capture_set(port, 0, -1);
}
