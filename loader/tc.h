/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc.h - our filters on a netdev's clsact hooks, beside those of others. For kernels without TCX.
 */
#ifndef VXDP_LOADER_TC_H
#define VXDP_LOADER_TC_H

#include <bpf/libbpf.h>

/** tc_qdisc_add() - add clsact. Return: 1 if added, 0 if there was one, -errno. */
int tc_qdisc_add(unsigned int ifindex);

/**
 * tc_qdisc_del() - remove clsact unless somebody has a filter there
 * Return: 1 if removed, 0 if others use it, -errno.
 */
int tc_qdisc_del(unsigned int ifindex);

/**
 * tc_attach() - put a program on a hook, in place of our own from before
 * Return: 0; -EBUSY if a filter of somebody else has our place; -errno.
 */
int tc_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd);

/** tc_attached() - id of the program of our filter there; 0 if there is none */
unsigned int tc_attached(unsigned int ifindex, enum bpf_tc_attach_point point);

/** tc_detach() - take our filter off. Return: 1 if it was there, 0 if not, -errno. */
int tc_detach(unsigned int ifindex, enum bpf_tc_attach_point point);

#endif /* VXDP_LOADER_TC_H */
