/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf.h - the BPF programs of one NIC: loaded, pinned, attached, adopted and removed.
 *
 * The maps are reached through pins.h. vxdp_bpf_open() needs the NIC's lock (rundir.h): one process
 * is a NIC's data path.
 */
#ifndef VXDP_LOADER_BPF_H
#define VXDP_LOADER_BPF_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "pins.h"

struct vxdp_bpf;

enum vxdp_xdp_mode {
	VXDP_XDP_AUTO,	 /* native, and if the driver refuses, skb */
	VXDP_XDP_NATIVE, /* in the driver, or not at all */
	VXDP_XDP_SKB,	 /* generic: in the stack, with any driver */
};

struct vxdp_bpf_opts {
	const char *nic;
	enum vxdp_xdp_mode mode;
	bool bare_ok; /* the caller can do without vxdp_bpf_writes_headers() */
	bool share;   /* and does so rather than keep others from coming later */
};

/** vxdp_xdp_mode_named() - of an option's value; NULL: VXDP_XDP_AUTO */
enum vxdp_xdp_mode vxdp_xdp_mode_named(const char *name);

/**
 * vxdp_bpf_open() - make the NIC a switch
 *
 * Mounts bpffs if it is missing. Maps that a killed predecessor left pinned are taken over with
 * what they know, if they have this version's layout; its programs are replaced. XDP programs of
 * others are never touched: vxdp runs beside them where libxdp's dispatcher works, and fails with
 * -EBUSY where it does not. If there are tap ports, the programs are replaced on their taps too,
 * each in one step, and maps of another layout are an error (-EPROTO) rather than replaced.
 *
 * Return: 0, or -errno with nothing left behind and @out untouched.
 */
int vxdp_bpf_open(const struct vxdp_bpf_opts *opts, struct vxdp_bpf **out, struct vx_error *error);

/**
 * vxdp_bpf_close() - detach and unpin everything, unless there are tap ports, which go on
 *
 * *bpf may be NULL and is set to NULL.
 */
void vxdp_bpf_close(struct vxdp_bpf **bpf);

/** vxdp_bpf_pins() - the maps; they live as long as @bpf */
const struct vxdp_pins *vxdp_bpf_pins(const struct vxdp_bpf *bpf);

/** vxdp_bpf_xdp_mode() - VXDP_XDP_NATIVE or VXDP_XDP_SKB, what was attached */
enum vxdp_xdp_mode vxdp_bpf_xdp_mode(const struct vxdp_bpf *bpf);

/** vxdp_bpf_xdp_why() - one sentence on why that mode, and beside whom; never NULL */
const char *vxdp_bpf_xdp_why(const struct vxdp_bpf *bpf);

/**
 * vxdp_bpf_writes_headers() - does XDP put the virtio-net header in front of a direct frame?
 *
 * Always, unless opts.bare_ok was set and the NIC is shared with other XDP programs by a libxdp
 * that does not let it.
 */
bool vxdp_bpf_writes_headers(const struct vxdp_bpf *bpf);

/** vxdp_bpf_steering_fd() - socket filter for TUNSETSTEERINGEBPF; stays @bpf's */
int vxdp_bpf_steering_fd(const struct vxdp_bpf *bpf);

/**
 * vxdp_bpf_spread() - let XDP spread flows over CPUs (VXDP_PORT_SPREAD)
 *
 * Costs one kernel thread a CPU, so it is done with the first port that needs it.
 * Return: 0 or -errno.
 */
int vxdp_bpf_spread(struct vxdp_bpf *bpf);

/** vxdp_bpf_program_fd() - the program called @name in bpf/vxdp.bpf.c, or -ENOENT (for tests) */
int vxdp_bpf_program_fd(const struct vxdp_bpf *bpf, const char *name);

/**
 * vxdp_bpf_tap_attach() - put the switch on a port's tap
 *
 * Call vxdp_port_set() too, in either order: frames are dropped until both are done.
 */
int vxdp_bpf_tap_attach(struct vxdp_bpf *bpf, unsigned int ifindex, struct vx_error *error);

/** vxdp_bpf_tap_detach() - take it off again; not needed when the tap is removed */
void vxdp_bpf_tap_detach(unsigned int ifindex);

/** vxdp_bpf_tap_program() - id of the program on it; 0 if there is none */
unsigned int vxdp_bpf_tap_program(unsigned int ifindex);

/** vxdp_bpf_mac_changed() - the NIC's address is now @mac */
void vxdp_bpf_mac_changed(struct vxdp_bpf *bpf, const uint8_t mac[6]);

/**
 * vxdp_bpf_cleanup() - remove what a killed vxdp left on @nic: programs, qdisc, pins
 * Return: number of things removed, 0 if there was nothing, or -errno.
 */
int vxdp_bpf_cleanup(const char *nic, struct vx_error *error);

#endif /* VXDP_LOADER_BPF_H */
