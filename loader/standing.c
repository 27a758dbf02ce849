// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * Opening the programs of a switch takes over what is pinned and replaces each program in one step;
 * closing them leaves all of it where it is as long as there are tap ports (bpf.h). So attaching a
 * further tap, upgrading, and starting or ending a process are all the same to a tap port: at no
 * time is there no program.
 */
#include "standing.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/util.h>

#include "bpf.h"
#include "nic.h"
#include "pins.h"
#include "rundir.h"
#include "tap_port.h"
#include "uplink_owner.h"

#define MTU_ETHERNET 1500

static int open_programs(const char *nic, const char *mode, struct nic_info *info,
			 struct vxdp_bpf **bpf, struct vx_error *error)
{
	struct vxdp_bpf_opts opts = {
		.name = nic, .mode = vxdp_xdp_mode_named(mode), .bare_ok = true};
	int err = 0;

	*info = (struct nic_info){.mtu = MTU_ETHERNET};
	snprintf(info->name, sizeof(info->name), "%s", nic);
	if (if_nametoindex(nic)) { /* else it is a switch with a name of its own */
		opts.nic = nic;
		err = nic_info_get(nic, info, error);
		if (!err)
			err = nic_usable(info, error);
	}
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
		.tap_xdp = args->tap_xdp,
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
	err = attach_args_without_xdp(args, vxdp_bpf_mode(bpf), error);
	if (!err)
		err = tap_port_add(bpf, &info, &port, error);
	alone = !vxdp_tap_ports(vxdp_bpf_pins(bpf));
	vxdp_bpf_close(&bpf);
	if (alone && info.ifindex)
		nic_cleanup(nic, NULL);
	return err;
}

/* What was changed on the NICs, and the files about those that were further uplinks. */
static int clean_up_nics(const char *name, char (*nics)[IFNAMSIZ], unsigned int n_nics,
			 struct vx_error *error)
{
	int n = 0;

	for (unsigned int i = 0; i < n_nics; i++) {
		int settings = nic_cleanup(nics[i], error);

		if (settings < 0 && settings != -ENODEV)
			return settings;
		n += settings > 0 ? settings : 0;
		if (strcmp(nics[i], name))
			n += uplink_forget(nics[i]);
	}
	return n;
}

/* A NIC that is no more has nothing to put back. */
int standing_clean_up(const char *nic, struct vx_error *error)
{
	char nics[VXDP_UPLINKS_MAX + 1][IFNAMSIZ];
	int taps = tap_ports_remove(nic), programs, settings = 0;
	unsigned int n_nics = vxdp_uplink_names(nic, nics);

	programs = vxdp_bpf_cleanup(nic, error);
	if (programs >= 0)
		settings = clean_up_nics(nic, nics, n_nics, error);
	if (programs < 0 || settings < 0)
		return programs < 0 ? programs : settings;
	return taps + programs + settings + rundir_clear(nic);
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
	if (!err && info.ifindex)
		err = nic_stand(&info, error);
	vxdp_bpf_close(&bpf);
	return err ? err : (int)n;
}
