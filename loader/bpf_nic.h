/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_nic.h - the switch's programs on one NIC: XDP, and TC on both ways.
 */
#ifndef VXDP_LOADER_BPF_NIC_H
#define VXDP_LOADER_BPF_NIC_H

#include <bpf/libbpf.h>

#include "bpf.h"
#include "nic.h"
#include "xdp.h"

struct bpf_nic {
	struct nic_info info;
	struct xdp_attached xdp;
	bool tc_attached;
	bool xdp_attached;
};

/**
 * bpf_nic_attach() - attach the programs
 * @main: loaded object with the TC programs; its maps are shared with the XDP program
 * @config: where to say whether XDP is generic, or not there, before the TC programs see a frame
 * Return: 0, or -errno; bpf_nic_detach() is due in either case.
 */
int bpf_nic_attach(struct bpf_nic *nic, const struct bpf_object *main,
		   const struct vxdp_bpf_opts *opts, struct vxdp_uplink *config,
		   struct vx_error *error);

/** bpf_nic_detach() - take off what bpf_nic_attach() has attached */
void bpf_nic_detach(struct bpf_nic *nic);

/** bpf_nic_cleanup() - take off what a killed process left. Return: how many things, or -errno. */
int bpf_nic_cleanup(const struct nic_info *info, struct vx_error *error);

#endif /* VXDP_LOADER_BPF_NIC_H */
