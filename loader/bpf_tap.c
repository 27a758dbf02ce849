// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_tap.c - the switch's programs on taps: TC on each, and XDP on those whose guests were said to
 * finish their checksums (VXDP_PORT_TAP_XDP).
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>

#include "bpf_impl.h"
#include "bpf_log.h"
#include "tc.h"
#include "tcx.h"

#define TAP_XDP_PROG "vxdp_tap_xdp"

int vxdp_bpf_tap_attach(struct vxdp_bpf *bpf, unsigned int ifindex, struct vx_error *error)
{
	int prog_fd = vxdp_bpf_program_fd(bpf, "vxdp_tap_ingress");
	int err = tcx_attach(ifindex, BPF_TC_INGRESS, prog_fd);

	if (err == -EOPNOTSUPP) {
		err = tc_qdisc_add(ifindex);
		if (err >= 0)
			err = tc_attach(ifindex, BPF_TC_INGRESS, prog_fd);
	}
	return err < 0 ? vx_fail_errno(error, err, "cannot attach the TC program to a tap") : 0;
}

int vxdp_bpf_tap_xdp_attach(struct vxdp_bpf *bpf, unsigned int ifindex, struct vx_error *error)
{
	return xdp_attach_alone(ifindex, TAP_XDP_PROG, bpf_xdp_object_open, bpf->object, error);
}

void vxdp_bpf_tap_detach(unsigned int ifindex)
{
	xdp_detach(ifindex);
	if (tcx_detach(ifindex, BPF_TC_INGRESS) > 0)
		return;
	tc_detach(ifindex, BPF_TC_INGRESS);
	tc_qdisc_del(ifindex);
}

unsigned int vxdp_bpf_tap_program(unsigned int ifindex)
{
	unsigned int id;

	bpf_log_init();
	id = tcx_attached(ifindex, BPF_TC_INGRESS);
	return id ? id : tc_attached(ifindex, BPF_TC_INGRESS);
}

/* Those of the tap ports that are there are replaced. */
int bpf_taps_open(struct vxdp_bpf *bpf, struct vx_error *error)
{
	char ifname[IFNAMSIZ];
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++) {
		int err;

		if (vxdp_port_get(&bpf->pins, id, &port) || port.kind != VXDP_KIND_TAP ||
		    !if_indextoname(port.ifindex, ifname))
			continue;
		err = vxdp_bpf_tap_attach(bpf, port.ifindex, error);
		if (!err && port.flags & VXDP_PORT_TAP_XDP)
			err = vxdp_bpf_tap_xdp_attach(bpf, port.ifindex, error);
		if (err)
			return err;
	}
	return 0;
}
