// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * Everything the process does besides moving frames happens in this thread, on one event loop: the
 * guests' vhost-user sockets (switch.h), the control socket, signals. Built up in order and taken
 * down in reverse: limits, signals (blocked before the first worker exists), the switch with its
 * NIC, the first port, the control socket; then READY=1 goes to systemd.
 *
 * A capture belongs to the control connection that asked for it, and ends with that connection,
 * however it ends.
 */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ctl.h"
#include "dump_source.h"
#include "event.h"
#include "notify.h"
#include "out.h"
#include "privileges.h"
#include "rundir.h"
#include "switch.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

struct process {
	const char *nic;		/* name of the switch: its first NIC's, or one of its own */
	const char *first_nic;		/* or NULL */
	const struct attach_args *args; /* of the first attach */
	struct event_loop *loop;
	struct event *on_term, *on_int;
	struct sw *sw;
	struct ctl_server *ctl;
	struct ctl_client *capturer; /* who has a capture running, or NULL */
	int capture_fd;
};

uint64_t process_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

static void notify_status(const struct process *p)
{
	json_auto_t *status = sw_status(p->sw);
	size_t n = json_array_size(json_object_get(status, "ports"));

	notify("STATUS=%s: %s XDP, %zu port%s", p->nic, out_xdp(status), n, n == 1 ? "" : "s");
}

static int add_port(struct process *p, const struct attach_args *args, struct vx_error *error)
{
	struct policy_change policy;
	struct sw_port_options port = {
		.name = args->name,
		.tap = args->tap,
		.owner = args->owner,
		.group = args->group,
		.socket_path = args->socket_path,
		.fd = args->fd,
		.role = args->role ? args->role : "auto",
		.lane = args->lane ? args->lane : "auto",
		.tcp_lane = args->tcp_lane,
		.tap_xdp = args->tap_xdp,
		.queues_max = args->queues,
		.mtu = args->mtu,
		.may_exist = args->may_exist,
		.policy = &policy,
	};
	int err = attach_args_policy(args, &policy, error);

	if (err || !attach_args_guest(args))
		return err;
	err = attach_args_without_xdp(args, sw_xdp_mode(p->sw), error);
	if (err)
		return err;
	return sw_port_add(p->sw, &port, error);
}

/* The NIC and the guest of one request; both or neither. */
static int add(struct process *p, const struct attach_args *args, struct vx_error *error)
{
	struct uplink_options uplink = {.nic = args->uplink,
					.standby_for = args->standby_for,
					.may_exist = args->may_exist};
	bool is_new = args->uplink && !uplink_find(p->sw, args->uplink);
	int err = 0;

	if (args->uplink)
		err = uplink_add(p->sw, &uplink, error);
	if (err)
		return err;
	err = add_port(p, args, error);
	if (err && is_new)
		sw_port_del(p->sw, args->uplink, NULL);
	return err;
}

static int check_netns(const struct process *p, const json_t *request, struct vx_error *error)
{
	const json_t *netns = json_object_get(request, "netns");

	if (!netns || (uint64_t)json_integer_value(netns) == process_netns())
		return 0;
	vx_fail(error, -EBUSY, "the running process has the %s of another network namespace",
		p->nic);
	vx_hint(error, "set VXDP_RUNDIR and VXDP_BPFFS to other directories for this one");
	return -EBUSY;
}

static json_t *attach_reply(const struct process *p, const struct attach_args *args)
{
	return json_pack("{s:s,s:s*,s:s*,s:i}", "nic", p->nic, "uplink", args->uplink, "port",
			 args->name, "pid", getpid());
}

static int ctl_attach(void *owner, struct ctl_request *request, json_t **reply,
		      struct vx_error *error)
{
	struct process *p = owner;
	struct attach_args args, running = *p->args;
	int err;

	/* Which is what the tap ports had that were there before the process. */
	if (sw_xdp_mode(p->sw) == VXDP_XDP_NONE)
		running.mode = "tc";
	err = attach_args_unpack(&args, request->body, request->fd, error);

	if (!err)
		err = check_netns(p, request->body, error);
	if (!err)
		err = attach_args_conflict(&args, &running, error);
	if (!err)
		err = add(p, &args, error);
	if (err)
		return err;
	TAKE_FD(request->fd); /* the port's now */
	notify_status(p);
	*reply = attach_reply(p, &args);
	return 0;
}

static int ctl_detach(void *owner, struct ctl_request *request, json_t **reply,
		      struct vx_error *error)
{
	struct process *p = owner;
	const char *port = NULL;
	int err;

	if (json_unpack((json_t *)request->body, "{s:s,s?s!}", "cmd", &port, "port", &port))
		return vx_fail_usage(error, "detach takes \"port\": name or path of its socket");
	if (!json_object_get(request->body, "port")) {
		log_info("%s: detach was asked for", p->nic);
		event_loop_stop(p->loop, 0);
		return 0;
	}
	err = sw_port_del(p->sw, port, error);
	if (!err)
		notify_status(p);
	return err;
}

static int ctl_status(void *owner, struct ctl_request *request, json_t **reply,
		      struct vx_error *error)
{
	*reply = sw_status(((struct process *)owner)->sw);
	return *reply ? 0 : vx_fail(error, -ENOMEM, "out of memory");
}

static int ctl_stats(void *owner, struct ctl_request *request, json_t **reply,
		     struct vx_error *error)
{
	*reply = sw_stats(((struct process *)owner)->sw);
	return *reply ? 0 : vx_fail(error, -ENOMEM, "out of memory");
}

static void capture_end(void *arg)
{
	struct process *p = arg;
	struct vxdp_pins pins;

	if (!p->capturer)
		return;
	ctl_client_on_close(p->capturer, NULL, NULL);
	p->capturer = NULL;
	sw_capture_stop(p->sw);
	if (!vxdp_pins_open(p->nic, true, &pins, NULL)) {
		dump_flags_clear(&pins);
		vxdp_pins_close(&pins);
	}
	close_fd(&p->capture_fd);
}

static bool takes_packets(int fd)
{
	socklen_t bytes = sizeof(int);
	int type;

	return fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) &&
	       (type == SOCK_DGRAM || type == SOCK_SEQPACKET);
}

/* The uplink and the host are no guests of the switch: all their frames pass the programs. */
static int capture_fixed(const struct process *p, const char *port, unsigned int snaplen,
			 struct vx_error *error)
{
	struct vxdp_pins pins;
	int err = vxdp_pins_open(p->nic, true, &pins, error);

	if (err)
		return err;
	err = dump_flags_set(&pins, port, snaplen);
	vxdp_pins_close(&pins);
	return err ? vx_fail_errno(error, err, "cannot capture %s", port) : 0;
}

static int ctl_capture_start(void *owner, struct ctl_request *request, json_t **reply,
			     struct vx_error *error)
{
	struct process *p = owner;
	const char *cmd, *port = NULL;
	int snaplen, err;

	if (json_unpack((json_t *)request->body, "{s:s,s?s,s:i!}", "cmd", &cmd, "port", &port,
			"snaplen", &snaplen) ||
	    snaplen < 1 || !takes_packets(request->fd))
		return vx_fail_usage(error, "capture_start takes \"port\" (optional), \"snaplen\" "
					    "(bytes) and a datagram socket");
	if (p->capturer)
		return vx_fail(error, -EBUSY, "another vxdp dump of %s is running", p->nic);
	err = dump_port_is_fixed(port) ? capture_fixed(p, port, snaplen, error)
				       : sw_capture_start(p->sw, port, snaplen, request->fd, error);
	if (err)
		return err;
	p->capture_fd = TAKE_FD(request->fd);
	p->capturer = request->client;
	ctl_client_on_close(request->client, capture_end, p);
	return 0;
}

static int ctl_capture_stop(void *owner, struct ctl_request *request, json_t **reply,
			    struct vx_error *error)
{
	struct process *p = owner;

	if (p->capturer != request->client)
		return vx_fail(error, -ENOENT, "no capture was started here");
	capture_end(p);
	return 0;
}

static const struct ctl_command ctl_commands[] = {
	{"attach", ctl_attach,
	 "add a port or a NIC; members are named like the options of vxdp attach"},
	{"detach", ctl_detach,
	 "remove \"port\", by name or socket, or a NIC; without it, all, and end"},
	{"status", ctl_status, "what vxdp status -j prints"},
	{"stats", ctl_stats, "what vxdp stats -j prints"},
	{"capture_start", ctl_capture_start, "send frames of \"port\" to the descriptor passed"},
	{"capture_stop", ctl_capture_stop, "end the capture this connection started"},
	{NULL, NULL, NULL},
};

static void stop(void *arg, uint32_t signo)
{
	struct process *p = arg;

	log_info("%s: %s, detaching", p->nic, signo == SIGINT ? "interrupted" : "terminated");
	event_loop_stop(p->loop, 0);
}

static int open_loop(struct process *p, struct vx_error *error)
{
	int err = event_loop_open(&p->loop);

	if (!err)
		err = event_signal_add(p->loop, SIGTERM, stop, p, &p->on_term);
	if (!err)
		err = event_signal_add(p->loop, SIGINT, stop, p, &p->on_int);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* there is no terminal we need, and nothing to read again */
	return err ? vx_fail_errno(error, err, "cannot set up the event loop") : 0;
}

static int open_switch(struct process *p, struct vx_error *error)
{
	struct sw_options options = {
		.name = p->nic,
		.nic = p->first_nic,
		.mode = p->args->mode,
		.n_cpus = p->args->cpus.n,
		.poll_busy = p->args->poll && !strcmp(p->args->poll, "busy"),
		.dedicated = p->args->dedicated,
		.share_xdp = p->args->share_xdp,
	};
	int err;

	memcpy(options.cpus, p->args->cpus.cpu, sizeof(options.cpus));
	err = sw_open(&options, p->loop, error, &p->sw);
	return err ? err : add(p, p->args, error);
}

static int open_ctl(struct process *p, struct vx_error *error)
{
	char path[PATH_MAX];
	int err = rundir_path(path, sizeof(path), p->nic, "ctl");

	if (err)
		return vx_fail_errno(error, err, "control socket of %s", p->nic);
	return ctl_server_open(p->loop, path, ctl_commands, p, error, &p->ctl);
}

static void say_ready(const struct process *p)
{
	json_auto_t *document = attach_reply(p, p->args);

	if (out_is_json()) {
		out_result(document, NULL);
		out_flush(NULL);
	}
	notify_status(p);
	notify("READY=1");
}

int process_run(const char *name, const char *nic, const struct attach_args *args,
		struct vx_error *error)
{
	struct process p = {.nic = name, .first_nic = nic, .args = args, .capture_fd = -1};
	int err = open_loop(&p, error);

	privileges_raise_limits();
	if (!err)
		err = privileges_drop(error);
	if (!err)
		err = open_switch(&p, error);
	if (!err)
		err = open_ctl(&p, error);
	if (!err) {
		say_ready(&p);
		err = event_loop_run(p.loop);
		if (err == -ENODEV)
			vx_fail(error, err, "%s is gone", name);
		else if (err)
			vx_fail_errno(error, err, "the event loop failed");
		notify("STOPPING=1");
	}
	ctl_server_close(&p.ctl);
	sw_close(&p.sw);
	event_loop_close(&p.loop);
	return err;
}
