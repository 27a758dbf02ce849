/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_impl.h - what bpf.c and its parts share: bpf_uplink.c (the NICs of a switch), bpf_nic.c (the
 * programs on one of them) and bpf_tap.c (those on taps). Everybody else includes bpf.h.
 */
#ifndef VXDP_LOADER_BPF_IMPL_H
#define VXDP_LOADER_BPF_IMPL_H

#include <bpf/libbpf.h>

#include "bpf.h"
#include "bpf_nic.h"

struct vxdp_bpf {
	char name[IFNAMSIZ];
	enum vxdp_xdp_mode mode; /* of all its NICs */
	struct bpf_object *object;
	struct vxdp_pins pins; /* descriptors are duplicates of the object's */
	bool pinned;
	bool adopted;			      /* the maps were a predecessor's */
	struct bpf_nic nic[VXDP_UPLINKS_MAX]; /* as config.uplink[]; info.ifindex 0: none */
};

/** bpf_object_open() - what is loaded: the XDP program @xdp only, or if NULL, all others */
int bpf_object_open(const char *xdp, struct bpf_object **out);

/** bpf_xdp_object_open() - an xdp_object_fn; @arg: the loaded object whose maps are shared */
int bpf_xdp_object_open(void *arg, const char *prog, struct bpf_object **out);

/** bpf_taps_open() - replace the programs on the taps of tap ports */
int bpf_taps_open(struct vxdp_bpf *bpf, struct vx_error *error);

/** bpf_uplinks_open() - attach to the NICs a predecessor's maps name, and to opts->nic */
int bpf_uplinks_open(struct vxdp_bpf *bpf, const struct vxdp_bpf_opts *opts,
		     struct vx_error *error);

#endif /* VXDP_LOADER_BPF_IMPL_H */
