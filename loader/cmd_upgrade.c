// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp upgrade: put this version's programs in place of another's, under the tap ports' traffic.
 * Where a process runs, its successor does that.
 */
#include <errno.h>

#include "ask.h"
#include "commands.h"
#include "out.h"
#include "rundir.h"
#include "standing.h"

static void print_text(const json_t *result)
{
	unsigned long long n = out_uint(result, "tap_ports");

	out_text("%s: the programs are of vxdp %s now; %llu tap port%s\n", out_str(result, "nic"),
		 out_str(result, "version"), n, n == 1 ? "" : "s");
}

/* Return: 0 if no process has the NIC. */
static int check_process(const char *nic, struct vx_error *error)
{
	json_auto_t *status = NULL;
	bool runs;
	int err = ask_process(nic, "status", NULL, error, &status, &runs);

	if (!runs)
		return err == -ENOENT ? 0 : err;
	if (err)
		return err;
	vx_fail(error, -EBUSY, "the programs of %s are those of vxdp %s, process %llu", nic,
		out_str(status, "version"), out_uint(status, "pid"));
	vx_hint(error, "start it again: a vxdp brings its programs with it, and tap ports go on "
		       "meanwhile");
	return -EBUSY;
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	const char *nic = operands->v[0];
	json_auto_t *result = NULL;
	int lock_fd = -1, n = ask_nic_arg(nic, error);

	if (!n)
		n = check_process(nic, error);
	if (!n)
		n = rundir_lock(nic, error, &lock_fd);
	if (n)
		return n;
	n = standing_upgrade(nic, error);
	rundir_unlock(nic, &lock_fd);
	if (n < 0)
		return n;
	result = json_pack("{s:s,s:s,s:i}", "nic", nic, "version", VXDP_VERSION, "tap_ports", n);
	out_result(result, print_text);
	return 0;
}

const struct command cmd_upgrade = {
	.name = "upgrade",
	.operands = "NIC",
	.summary = "put this version's programs in place of another's, under traffic",
	.n_operands_min = 1,
	.n_operands_max = 1,
	.run = run,
};
