/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf.h - the BPF programs of one switch: loaded, pinned, attached, adopted and removed.
 *
 * The maps are reached through pins.h. vxdp_bpf_open() needs the switch's lock (rundir.h): one
 * process is its data path. A switch has the name of its first NIC, or one of its own.
 */
#ifndef VXDP_LOADER_BPF_H
#define VXDP_LOADER_BPF_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "pins.h"

struct vxdp_bpf;
struct xdp_attached; /* xdp.h */

enum vxdp_xdp_mode {
	VXDP_XDP_UNSAID, /* what tap ports run with, if there are any; else auto */
	VXDP_XDP_AUTO,	 /* native, and if the driver refuses, skb */
	VXDP_XDP_NATIVE, /* in the driver, or not at all */
	VXDP_XDP_SKB,	 /* generic: in the stack, with any driver */
	VXDP_XDP_NONE,	 /* no XDP on the NIC: TC does all of it */
};

/* Why a port then has the kernel lane. */
#define VXDP_XDP_NONE_REASON "there is no XDP program on the NIC, as asked for with --mode tc"

struct vxdp_bpf_opts {
	const char *name; /* of the switch; NULL: the NIC's */
	const char *nic;  /* NULL: a switch without uplink */
	enum vxdp_xdp_mode mode;
	bool bare_ok; /* the caller can do without vxdp_bpf_writes_headers() */
	bool share;   /* and does so rather than keep others from coming later */
	bool standby; /* another uplink, leader, carries the frames of its wire */
	unsigned int leader;
};

/** vxdp_xdp_mode_named() - of an option's value; NULL: VXDP_XDP_UNSAID */
enum vxdp_xdp_mode vxdp_xdp_mode_named(const char *name);

/** vxdp_xdp_mode_name() - what status calls it: native, skb or none */
const char *vxdp_xdp_mode_name(enum vxdp_xdp_mode mode);

/**
 * vxdp_bpf_open() - make a switch, with its first NIC if it has one
 *
 * Mounts bpffs if it is missing. Maps that a killed predecessor left pinned are taken over with
 * what they know, if they have this version's layout; its programs are replaced, on all its NICs.
 * XDP programs of others are never touched: vxdp runs beside them where libxdp's dispatcher works,
 * and fails with -EBUSY where it does not. If there are tap ports, the programs are replaced on
 * their taps too, each in one step, and maps of another layout are an error (-EPROTO) rather than
 * replaced; so is VXDP_XDP_NONE where XDP is on the NICs, or another mode where it is not (-EBUSY).
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

/**
 * vxdp_bpf_uplink_add() - a further NIC
 * @slot: set to its entry in config.uplink[]
 * Return: 0, or -errno with nothing left behind; -ENOSPC if there are VXDP_UPLINKS_MAX.
 */
int vxdp_bpf_uplink_add(struct vxdp_bpf *bpf, const struct vxdp_bpf_opts *opts, unsigned int *slot,
			struct vx_error *error);

/** vxdp_bpf_uplink_del() - take the programs off a NIC and forget what was behind it */
void vxdp_bpf_uplink_del(struct vxdp_bpf *bpf, unsigned int slot);

/** vxdp_bpf_uplink() - its entry in the configuration; ifindex 0: there is none */
const struct vxdp_uplink *vxdp_bpf_uplink(const struct vxdp_bpf *bpf, unsigned int slot);

/** vxdp_bpf_uplink_name() - of the NIC */
const char *vxdp_bpf_uplink_name(const struct vxdp_bpf *bpf, unsigned int slot);

/** vxdp_bpf_leader_set() - whose wire it shares; its own slot: nobody's */
void vxdp_bpf_leader_set(struct vxdp_bpf *bpf, unsigned int slot, unsigned int leader);

/** vxdp_bpf_uplink_xdp() - how XDP is attached there */
const struct xdp_attached *vxdp_bpf_uplink_xdp(const struct vxdp_bpf *bpf, unsigned int slot);

/** vxdp_bpf_standby_set() - does another uplink carry the frames of its wire? */
void vxdp_bpf_standby_set(struct vxdp_bpf *bpf, unsigned int slot, bool standby);

/** vxdp_bpf_mode() - what a further NIC is to be attached with; never VXDP_XDP_UNSAID */
enum vxdp_xdp_mode vxdp_bpf_mode(const struct vxdp_bpf *bpf);

/** vxdp_uplinks_no_xdp() - is there no XDP on the NICs of the switch (VXDP_XDP_NONE)? */
bool vxdp_uplinks_no_xdp(const struct vxdp_pins *pins);

/** vxdp_bpf_xdp_mode() - what was attached to the first NIC: native, skb or none */
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

/**
 * vxdp_bpf_tap_xdp_attach() - and XDP on the tap of a guest that finishes its checksums
 *
 * For a port with VXDP_PORT_TAP_XDP, which has it replaced together with the other programs.
 */
int vxdp_bpf_tap_xdp_attach(struct vxdp_bpf *bpf, unsigned int ifindex, struct vx_error *error);

/** vxdp_bpf_tap_detach() - take both off again; not needed when the tap is removed */
void vxdp_bpf_tap_detach(unsigned int ifindex);

/** vxdp_bpf_tap_program() - id of the program on it; 0 if there is none */
unsigned int vxdp_bpf_tap_program(unsigned int ifindex);

/** vxdp_bpf_mac_changed() - the NIC's address is now @mac */
void vxdp_bpf_mac_changed(struct vxdp_bpf *bpf, unsigned int slot, const uint8_t mac[6]);

/**
 * vxdp_uplink_names() - the NICs of a switch by its pinned maps; first its own name if that is one
 * Return: how many.
 */
unsigned int vxdp_uplink_names(const char *name, char names[VXDP_UPLINKS_MAX + 1][IFNAMSIZ]);

/**
 * vxdp_bpf_cleanup() - remove what a killed vxdp left of a switch: programs, qdiscs, pins
 * Return: number of things removed, 0 if there was nothing, or -errno.
 */
int vxdp_bpf_cleanup(const char *name, struct vx_error *error);

#endif /* VXDP_LOADER_BPF_H */
