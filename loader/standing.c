// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * Opening the programs of a NIC takes over what is pinned and replaces each program in one step;
 * closing them leaves all of it where it is as long as there are tap ports (bpf.h). So attaching a
 * further tap, upgrading, and starting or ending a process are all the same to a tap port: at no
 * time is there no program.
 */
#include "standing.h"

#include <errno.h>

#include <vxdp/util.h>

#include "bpf.h"
#include "nic.h"
#include "pins.h"
#include "rundir.h"
#include "tap_port.h"

/* XDP stays in the mode that was asked for, or found out, with the first port. */
static enum vxdp_xdp_mode mode_of(const char *nic, const char *wanted)
{
	enum vxdp_xdp_mode mode = vxdp_xdp_mode_named(wanted);
	struct vxdp_pins pins;

	if (wanted || vxdp_pins_open(nic, false, &pins, NULL))
		return mode;
	if (vxdp_tap_ports(&pins) && READ_ONCE(pins.mapped_config->generic_xdp))
		mode = VXDP_XDP_SKB;
	vxdp_pins_close(&pins);
	return mode;
}

static int open_programs(const char *nic, const char *mode, struct nic_info *info,
			 struct vxdp_bpf **bpf, struct vx_error *error)
{
	struct vxdp_bpf_opts opts = {.nic = nic, .mode = mode_of(nic, mode), .bare_ok = true};
	int err = nic_info_get(nic, info, error);

	if (!err)
		err = nic_usable(info, error);
	return err ? err : vxdp_bpf_open(&opts, bpf, error);
}

int standing_attach(const char *nic, const struct attach_args *args, struct vx_error *error)
{
	struct policy_change policy;
	struct tap_port_options port = {
		.name = args->name,
		.tap = args->tap,
		.owner = args->owner,
		.group = args->group,
		.lane = args->lane,
		.tcp_lane = args->tcp_lane,
		.queues = args->queues,
		.mtu = args->mtu,
		.may_exist = args->may_exist,
		.policy = &policy,
	};
	struct vxdp_bpf *bpf = NULL;
	struct nic_info info;
	int err = attach_args_policy(args, &policy, error);
	bool alone;

	if (!err)
		err = open_programs(nic, args->mode, &info, &bpf, error);

	if (err)
		return err;
	err = tap_port_add(bpf, &info, &port, error);
	alone = !vxdp_tap_ports(vxdp_bpf_pins(bpf));
	vxdp_bpf_close(&bpf);
	if (alone)
		nic_cleanup(nic, NULL);
	return err;
}

/* A NIC that is no more has nothing to put back. */
int standing_clean_up(const char *nic, struct vx_error *error)
{
	int taps = tap_ports_remove(nic);
	int programs = vxdp_bpf_cleanup(nic, error), settings;

	if (programs < 0)
		return programs;
	settings = nic_cleanup(nic, error);
	if (settings < 0 && settings != -ENODEV)
		return settings;
	return taps + programs + (settings > 0 ? settings : 0) + rundir_clear(nic);
}

int standing_detach(const char *nic, const char *port, struct vx_error *error)
{
	struct vxdp_pins pins;
	bool last;
	int err = vxdp_pins_open(nic, true, &pins, error), n;

	if (err)
		return err;
	err = tap_port_del(nic, &pins, port, error);
	last = !vxdp_tap_ports(&pins);
	vxdp_pins_close(&pins);
	if (err || !last)
		return err;
	n = standing_clean_up(nic, error);
	return n < 0 ? n : 0;
}

int standing_upgrade(const char *nic, struct vx_error *error)
{
	struct vxdp_bpf *bpf = NULL;
	struct nic_info info;
	struct vxdp_pins pins;
	unsigned int n;
	int err = vxdp_pins_open(nic, false, &pins, error);

	if (err)
		return err;
	n = vxdp_tap_ports(&pins);
	vxdp_pins_close(&pins);
	if (!n)
		return vx_fail(error, -ENOENT, "%s has no tap ports", nic);
	err = open_programs(nic, NULL, &info, &bpf, error);
	if (!err)
		err = nic_stand(&info, error);
	vxdp_bpf_close(&bpf);
	return err ? err : (int)n;
}
