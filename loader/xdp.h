/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xdp.h - our XDP program on a NIC, beside those of others where the kernel can do that.
 */
#ifndef VXDP_LOADER_XDP_H
#define VXDP_LOADER_XDP_H

#include <bpf/libbpf.h>

#include "bpf.h"
#include "nic.h"

/* The XDP programs of bpf/vxdp.bpf.c. Their names are cut to the same 15 characters by the kernel.
 */
#define XDP_PROG      "vxdp_uplink_xdp"
#define XDP_PROG_BARE "vxdp_uplink_xdp_bare" /* writes no virtio-net headers */

/**
 * xdp_object_fn - open an object with the XDP program @prog, ready to load
 *
 * Each attempt to attach needs a fresh one: a program that was loaded for libxdp's dispatcher is
 * of another type than one that is attached alone.
 */
typedef int (*xdp_object_fn)(void *arg, const char *prog, struct bpf_object **out);

struct xdp_attached {
	enum vxdp_xdp_mode mode; /* native, skb or none */
	bool bare;		 /* XDP_PROG_BARE */
	char why[256];		 /* one sentence on why this mode, and beside whom */
};

/**
 * xdp_attach() - attach in the wanted mode, in place of what a predecessor left
 * @bare_ok: may it be XDP_PROG_BARE, if nothing else can run beside the programs of others?
 * @share: and rather that than alone, so that others can come later?
 * Return: 0; -EBUSY beside a program that is not ours; -EOPNOTSUPP; -errno.
 */
int xdp_attach(const struct nic_info *nic, enum vxdp_xdp_mode wanted, bool bare_ok, bool share,
	       xdp_object_fn open, void *arg, struct xdp_attached *attached,
	       struct vx_error *error);

/**
 * xdp_attach_alone() - the program @prog in the driver, in place of a predecessor, beside nothing
 * Return: 0; -EBUSY if there is one that is not ours; -EOPNOTSUPP; -errno.
 */
int xdp_attach_alone(unsigned int ifindex, const char *prog, xdp_object_fn open, void *arg,
		     struct vx_error *error);

/** xdp_detach() - take ours off. Return: 1 if it was there, 0 if not, -errno. */
int xdp_detach(unsigned int ifindex);

#endif /* VXDP_LOADER_XDP_H */
