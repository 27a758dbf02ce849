/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_port.h - ports for guests whose data plane is the kernel's (vhost-net, plain QEMU taps).
 *
 * A tap port is an entry in the pinned maps, a program on the tap, and a line in the state file: no
 * process stands by it. So everything here works on those alone, in whatever process holds the
 * NIC's lock (rundir.h).
 */
#ifndef VXDP_LOADER_TAP_PORT_H
#define VXDP_LOADER_TAP_PORT_H

#include <jansson.h>
#include <stdbool.h>

#include "bpf.h"
#include "error.h"
#include "nic.h"
#include "pins.h"
#include "policy.h"

struct tap_port_options {
	const char *name;
	const char *tap;   /* netdev */
	const char *owner; /* user and group by name or number, or NULL: of a tap that is made */
	const char *group;
	const char *lane;     /* auto, direct or kernel; NULL: auto */
	const char *tcp_lane; /* kernel or direct; NULL: kernel */
	bool tap_xdp;	      /* the guest finishes its checksums: XDP on the tap */
	unsigned int queues;  /* of a tap that is made; more than 1: multi-queue; 0: 1 */
	unsigned int mtu;     /* of a tap that is made; 0: the NIC's */
	bool may_exist;
	const struct policy_change *policy;
};

/**
 * tap_port_add() - put a tap on the switch, and make it if it is not there
 *
 * Also prepares the NIC for ports without a process (nic_stand()). A port of that name whose tap
 * has gone is attached again, with the counters and addresses it had.
 * Return: 0, or -errno with @error set and nothing left behind.
 */
int tap_port_add(struct vxdp_bpf *bpf, const struct nic_info *nic,
		 const struct tap_port_options *options, struct vx_error *error);

/** tap_port_named() - is there a tap port called @name? */
bool tap_port_named(const struct vxdp_pins *pins, const char *name);

/**
 * tap_port_del() - take a tap off the switch, and remove it if vxdp made it
 * @name: the port's, or the tap's
 * Return: 0, or -ENOENT if there is no such tap port.
 */
int tap_port_del(const char *nic, const struct vxdp_pins *pins, const char *name,
		 struct vx_error *error);

/**
 * tap_ports_remove() - take all taps off, whatever is pinned
 * Return: how many there were.
 */
int tap_ports_remove(const char *nic);

/** tap_ports_status() - add what `vxdp status -j` prints of the tap ports to a list */
void tap_ports_status(const struct vxdp_pins *pins, json_t *ports);

/** tap_ports_stats() - the same for `vxdp stats -j` */
void tap_ports_stats(const struct vxdp_pins *pins, json_t *ports);

#endif /* VXDP_LOADER_TAP_PORT_H */
