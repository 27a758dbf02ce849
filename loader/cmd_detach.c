// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp detach: ask the switch's process to let go of a port, a NIC or everything; where none runs
 * any more, do what it could not do.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "attach_args.h"
#include "commands.h"
#include "out.h"
#include "rundir.h"
#include "standing.h"
#include "uplink_owner.h"
#include "vxdp/util.h"

struct detach_args {
	bool if_exists;
};

static const struct opt options[] = {
	OPT("if-exists", 0, FLAG, offsetof(struct detach_args, if_exists), NULL,
	    "succeed if there is nothing to detach"),
	OPT_END,
};

static const struct detach_args defaults = {0};

static void print_text(const json_t *result)
{
	const char *nic = out_str(result, "nic"), *port = out_str(result, "port");

	if (*port && json_is_true(json_object_get(result, "detached")))
		out_text("%s: port %s detached\n", nic, port);
	else if (json_is_false(json_object_get(result, "detached")))
		out_text("%s: there was nothing to detach\n", nic);
	else if (json_is_true(json_object_get(result, "cleaned")))
		out_text("%s: cleaned up after a process that was killed\n", nic);
	else
		out_text("%s: detached\n", nic);
}

/* @cleaned: it was not a running process that let go */
static void print(const char *nic, const char *port, bool detached, bool cleaned)
{
	json_auto_t *result = json_pack("{s:s,s:s*,s:b,s:b}", "nic", nic, "port", port, "detached",
					detached, "cleaned", cleaned);

	out_result(result, print_text);
}

/* Return: number of things that had to be removed, or -errno. */
static int clean_up(const char *nic, struct vx_error *error)
{
	int lock_fd = -1;
	int n = rundir_lock_wait(nic, error, &lock_fd);

	if (n)
		return n;
	n = standing_clean_up(nic, error);
	rundir_unlock(nic, &lock_fd);
	return n;
}

/* Where no process runs there may still be tap ports. */
static int detach_standing(const char *nic, const char *port, struct vx_error *error)
{
	int lock_fd = -1;
	int err = rundir_lock_wait(nic, error, &lock_fd);

	if (err)
		return err;
	err = standing_detach(nic, port, error);
	rundir_unlock(nic, &lock_fd);
	return err;
}

/* The process knows sockets by absolute paths, and relative ones only mean something here. */
static int ask_to_detach(const char *nic, const char *port, struct vx_error *error, bool *runs)
{
	char path[PATH_MAX];
	int err = -ENOENT;

	*runs = true;
	if (!strchr(port, '/'))
		err = ask_process(nic, "detach", port, error, NULL, runs);
	if (err != -ENOENT || !*runs || attach_absolute(port, path, sizeof(path)))
		return err;
	if (!strchr(port, '/') && access(path, F_OK)) /* then it was a name */
		return err;
	return ask_process(nic, "detach", path, error, NULL, runs);
}

static int detach_port(const char *nic, const char *port, struct vx_error *error)
{
	bool runs;
	int err = ask_to_detach(nic, port, error, &runs);

	if (!runs && err == -ENOENT)
		err = detach_standing(nic, port, error);
	if (!err)
		print(nic, port, true, false);
	return err;
}

static int detach_all(const char *nic, struct vx_error *error)
{
	bool runs;
	int err = ask_process(nic, "detach", NULL, error, NULL, &runs), n;

	if (!runs && err != -ENOENT)
		return err;
	if (runs && err && err != -ECONNRESET && err != -EPIPE) /* it may have gone by itself */
		return err;
	n = clean_up(nic, error);
	if (n < 0)
		return n;
	if (!runs && !n)
		return vx_fail(error, -ENOENT, "%s is not attached", nic);
	print(nic, NULL, true, !runs);
	return 0;
}

/* `vxdp detach eth1` where eth1 is a further NIC of a switch. */
static int detach_uplink(const char *owner, const char *nic, struct vx_error *error)
{
	bool runs;
	int err = ask_process(owner, "detach", nic, error, NULL, &runs);

	if (!runs && err == -ENOENT) {
		vx_fail(error, err, "%s is an uplink of switch %s, for which no process runs", nic,
			owner);
		vx_hint(error, "vxdp detach %s takes everything off", owner);
	}
	if (!err)
		print(owner, nic, true, false);
	return err;
}

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	const struct detach_args *args = parsed;
	const char *nic = operands->v[0];
	char owner[IFNAMSIZ];
	int err = ask_nic_arg(nic, error);

	if (err)
		return err;
	if (operands->n == 1 && !uplink_owner(nic, owner))
		err = detach_uplink(owner, nic, error);
	else
		err = operands->n > 1 ? detach_port(nic, operands->v[1], error)
				      : detach_all(nic, error);
	if (err && args->if_exists && error->code == VX_NOT_FOUND) {
		print(nic, operands->n > 1 ? operands->v[1] : NULL, false, false);
		return 0;
	}
	return err;
}

const struct command cmd_detach = {
	.name = "detach",
	.operands = "NIC|SWITCH [PORT|SOCK|NIC]",
	.summary = "take a port, a NIC or everything off a switch, and put NICs back as they were",
	.opts = options,
	.defaults = &defaults,
	.args_bytes = sizeof(defaults),
	.n_operands_min = 1,
	.n_operands_max = 2,
	.run = run,
};
