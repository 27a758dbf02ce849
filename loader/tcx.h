/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcx.h - our programs on a netdev's TC hooks without a qdisc (Linux 6.6 and later).
 *
 * Better than clsact (tc.h): adding or removing a qdisc stops a NIC's transmit queues for some
 * milliseconds, in which the host's frames are lost (qdisc_graft(), dev_deactivate()): 3 to 6 of a
 * stream of 1000 a second each time, on a veth with Linux 6.18. With TCX none are.
 */
#ifndef VXDP_LOADER_TCX_H
#define VXDP_LOADER_TCX_H

#include <bpf/libbpf.h>

/**
 * tcx_attach() - put a program on a hook behind those of others, or in place of our own from before
 *
 * It stays when the process ends.
 *
 * Return: 0; -EOPNOTSUPP if this kernel has no TCX; -errno.
 */
int tcx_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd);

/** tcx_attached() - id of our program there; 0 if there is none */
unsigned int tcx_attached(unsigned int ifindex, enum bpf_tc_attach_point point);

/** tcx_detach() - take ours off. Return: 1 if it was there, 0 if not, -errno. */
int tcx_detach(unsigned int ifindex, enum bpf_tc_attach_point point);

#endif /* VXDP_LOADER_TCX_H */
