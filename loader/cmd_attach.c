// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp attach: hand the port to the process that has the switch, or become that process; a tap port
 * needs none.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attach_args.h"
#include "commands.h"
#include "ctl.h"
#include "out.h"
#include "privileges.h"
#include "process.h"
#include "rundir.h"
#include "standing.h"
#include "uplink_owner.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

#define RETRIES	    600 /* of RETRY_NS each, for a process that is starting or ending */
#define RETRIES_LOG 40	/* after so many, say what is being waited for */
#define RETRY_NS    50000000

static void print_text(const json_t *reply)
{
	const char *port = out_str(reply, "port"), *uplink = out_str(reply, "uplink");

	if (!out_uint(reply, "pid")) {
		out_text("%s: port %s attached\n", out_str(reply, "nic"), out_str(reply, "port"));
		return;
	}
	if (*uplink)
		out_text("%s: uplink %s attached, in process %llu\n", out_str(reply, "nic"), uplink,
			 out_uint(reply, "pid"));
	if (*port)
		out_text("%s: port %s attached, in process %llu\n", out_str(reply, "nic"), port,
			 out_uint(reply, "pid"));
}

/* Connect to the process that has the switch. Return: 0; -ENOENT if there is none; else -errno. */
static int find_process(const char *nic, struct vx_error *error, int *fd)
{
	char path[PATH_MAX];
	int err = rundir_path(path, sizeof(path), nic, "ctl");

	return err ? vx_fail_errno(error, err, "control socket of %s", nic)
		   : ctl_connect(path, error, fd);
}

static int hand_over(int fd, const struct attach_args *args, struct vx_error *error)
{
	json_auto_t *request = attach_args_pack(args), *reply = NULL;
	int err;

	json_object_set_new(request, "cmd", json_string("attach"));
	json_object_set_new(request, "netns", json_integer(process_netns()));
	err = ctl_exchange(fd, request, args->fd, CTL_TIMEOUT_MS, error, &reply);
	if (err)
		return err;
	json_object_del(reply, "ok");
	out_result(reply, print_text);
	return 0;
}

/*
 * A process that holds the lock and cannot be reached, or hangs up, is about to serve its control
 * socket or about to let go of the lock. Either shows soon.
 */
static int hand_over_or_lock(const char *nic, const struct attach_args *args, int *lock_fd,
			     struct vx_error *error)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	int err = -EBUSY;

	for (int i = 0; i < RETRIES; i++) {
		_cleanup_close_ int fd = -1;

		err = find_process(nic, error, &fd);
		if (!err)
			err = hand_over(fd, args, error);
		else if (err == -ENOENT)
			err = rundir_lock(nic, error, lock_fd);
		if (err != -EBUSY && err != -ECONNRESET && err != -EPIPE)
			return err;
		if (i == RETRIES_LOG)
			log_info("%s: waiting for the process that has it", nic);
		nanosleep(&pause, NULL);
	}
	return err;
}

/* Without a process. */
static int stand(const char *nic, const struct attach_args *args, struct vx_error *error)
{
	json_auto_t *reply = json_pack("{s:s,s:s,s:i}", "nic", nic, "port", args->name, "pid", 0);
	int err = standing_attach(nic, args, error);

	if (!err)
		out_result(reply, print_text);
	return err;
}

/*
 * Which switch is meant, and whether NIC is the one it begins with (*nic) or joins it (an uplink).
 * Return: the switch's name, or NULL with a usage error.
 */
static const char *switch_name(struct attach_args *args, const char **nic, struct vx_error *error)
{
	const char *name = args->switch_name ? args->switch_name : *nic;

	if (!name) {
		vx_fail_usage(error, "attach to what?");
		vx_hint(error, "vxdp attach NIC --vm SOCK, or vxdp attach --switch NAME --vm SOCK");
		return NULL;
	}
	if (*nic && strcmp(*nic, name)) {
		if (args->uplink) {
			vx_fail_usage(error, "%s and --uplink say the same: give one of them",
				      *nic);
			return NULL;
		}
		args->uplink = *nic;
		*nic = NULL;
	}
	if (rundir_nic_valid(name))
		return name;
	vx_fail_usage(error, "'%s' cannot be the name of a %s", name,
		      args->switch_name ? "switch" : "NIC");
	return NULL;
}

/*
 * No process has the switch. One that is a NIC's namesake begins with that NIC, and one whose
 * uplinks others' maps name belongs there.
 */
static int check_new(const char *name, const char *nic, struct vx_error *error)
{
	if (nic || !if_nametoindex(name))
		return 0;
	vx_fail(error, -ENOENT, "there is no switch %s, but a NIC of that name", name);
	vx_hint(error, "vxdp attach %s --vm SOCK makes it one", name);
	return -ENOENT;
}

static int check_owner(const char *nic, struct vx_error *error)
{
	char owner[IFNAMSIZ];

	if (!nic || uplink_owner(nic, owner))
		return 0;
	vx_fail(error, -EBUSY, "%s is an uplink of switch %s", nic, owner);
	vx_hint(error, "vxdp attach --switch %s --vm SOCK", owner);
	return -EBUSY;
}

static int become(const char *name, const char *nic, const struct attach_args *args,
		  struct vx_error *error)
{
	int err = check_new(name, nic, error);

	if (err)
		return err;
	return args->tap && !args->uplink ? stand(name, args, error)
					  : process_run(name, nic, args, error);
}

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	struct attach_args args = *(const struct attach_args *)parsed;
	const char *nic = operands->n ? operands->v[0] : NULL;
	const char *name = switch_name(&args, &nic, error);
	struct attach_strings strings;
	int lock_fd = -1, err;

	if (!name)
		return -EINVAL;
	err = attach_args_complete(&args, &strings, error);
	if (!err)
		err = privileges_check(error);
	if (!err)
		err = check_owner(nic, error);
	if (!err)
		err = hand_over_or_lock(name, &args, &lock_fd, error);
	if (err || lock_fd < 0)
		return err;
	err = become(name, nic, &args, error);
	rundir_unlock(name, &lock_fd);
	return err;
}

const struct command cmd_attach = {
	.name = "attach",
	.operands = "[NIC] [--switch NAME] [--vm SOCK | --tap TAP]",
	.summary = "put a virtual machine on the wire behind NIC, or NIC on a switch",
	.opts = attach_options,
	.defaults = &attach_defaults,
	.args_bytes = sizeof(struct attach_args),
	.n_operands_min = 0,
	.n_operands_max = 1,
	.run = run,
};
