// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp attach: hand the port to the process that has the NIC, or become that process; a tap port
 * needs none.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "attach_args.h"
#include "commands.h"
#include "ctl.h"
#include "out.h"
#include "privileges.h"
#include "process.h"
#include "rundir.h"
#include "standing.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

#define RETRIES	    600 /* of RETRY_NS each, for a process that is starting or ending */
#define RETRIES_LOG 40	/* after so many, say what is being waited for */
#define RETRY_NS    50000000

static void print_text(const json_t *reply)
{
	if (!out_uint(reply, "pid")) {
		out_text("%s: port %s attached\n", out_str(reply, "nic"), out_str(reply, "port"));
		return;
	}
	out_text("%s: port %s attached, in process %llu\n", out_str(reply, "nic"),
		 out_str(reply, "port"), out_uint(reply, "pid"));
}

/* Connect to the process that has the NIC. Return: 0; -ENOENT if there is none; else -errno. */
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

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	struct attach_args args = *(const struct attach_args *)parsed;
	const char *nic = operands->v[0];
	struct attach_strings strings;
	int lock_fd = -1, err;

	if (!rundir_nic_valid(nic))
		return vx_fail_usage(error, "'%s' cannot be the name of a NIC", nic);
	err = attach_args_complete(&args, &strings, error);
	if (!err)
		err = privileges_check(error);
	if (!err)
		err = hand_over_or_lock(nic, &args, &lock_fd, error);
	if (err || lock_fd < 0)
		return err;
	err = args.tap ? stand(nic, &args, error) : process_run(nic, &args, error);
	rundir_unlock(nic, &lock_fd);
	return err;
}

const struct command cmd_attach = {
	.name = "attach",
	.operands = "NIC --vm SOCK | --tap TAP",
	.summary = "put a virtual machine on the wire behind NIC",
	.opts = attach_options,
	.defaults = &attach_defaults,
	.args_bytes = sizeof(struct attach_args),
	.n_operands_min = 1,
	.n_operands_max = 1,
	.run = run,
};
