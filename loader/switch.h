/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch.h - one data path: its NICs and their programs, its workers, its ports.
 *
 * Main thread only.
 */
#ifndef VXDP_LOADER_SWITCH_H
#define VXDP_LOADER_SWITCH_H

#include <jansson.h>
#include <stdbool.h>

#include "bpf.h"
#include "error.h"
#include "event.h"
#include "policy.h"
#include "uplink.h"

#define SW_CPUS_MAX 64

struct sw;

struct sw_options {
	const char *name; /* of the switch */
	const char *nic;  /* its first one, which has the same name; NULL: none yet */
	const char *mode; /* auto, zerocopy, native, skb or tc; NULL: unsaid */
	int cpus[SW_CPUS_MAX];
	unsigned int n_cpus; /* workers, one on each; 0: one worker, anywhere */
	bool poll_busy;
	bool dedicated; /* the NIC carries nothing but one guest's frames */
	bool share_xdp; /* leave room for XDP programs that are attached later */
};

struct sw_port_options {
	const char *name;
	const char *tap; /* a tap port on this netdev; then only those said to be for it */
	const char *owner, *group; /* tap ports, as mtu, queues_max and may_exist */
	const char *socket_path;
	int fd;			 /* inherited socket, or -1; taken over on success */
	const char *role;	 /* auto, client or server */
	const char *lane;	 /* auto, direct, shared or kernel */
	const char *tcp_lane;	 /* NULL: kernel for a guest with TSO; kernel or direct */
	bool tap_xdp;		 /* of a tap port: its guest finishes its checksums */
	unsigned int queues_max; /* 0: as many as the protocol knows */
	unsigned int mtu;	 /* 0: the NIC's */
	bool may_exist;
	const struct policy_change *policy;
};

/**
 * sw_open() - make a switch
 *
 * Ends @loop's run with -ENODEV when the NIC it is named after goes away and no other is left.
 * Return: 0 or -errno with @error set and nothing left behind.
 */
int sw_open(const struct sw_options *options, struct event_loop *loop, struct vx_error *error,
	    struct sw **out);

/** sw_close() - detach every port and put the NICs back as they were; *sw may be NULL */
void sw_close(struct sw **sw);

/** sw_port_add() - attach a guest. Return: 0, or -errno with @error set. */
int sw_port_add(struct sw *sw, const struct sw_port_options *options, struct vx_error *error);

/** sw_port_del() - detach the port of that name or socket, or that NIC. Return: 0 or -ENOENT. */
int sw_port_del(struct sw *sw, const char *name_or_socket, struct vx_error *error);

/** sw_xdp_mode() - what its NICs are attached with */
enum vxdp_xdp_mode sw_xdp_mode(const struct sw *sw);

/** sw_n_ports() - guests attached */
unsigned int sw_n_ports(const struct sw *sw);

/** sw_status() / sw_stats() - what `vxdp status -j` and `vxdp stats -j` print of this NIC */
json_t *sw_status(const struct sw *sw);
json_t *sw_stats(const struct sw *sw);

/**
 * sw_capture_start() - tell a reader of frames
 * @port: name, or NULL for all guests
 * @fd: datagram socket for frames the programs do not see (capture.h); stays the caller's
 */
int sw_capture_start(struct sw *sw, const char *port, unsigned int snaplen, int fd,
		     struct vx_error *error);
void sw_capture_stop(struct sw *sw);

#endif /* VXDP_LOADER_SWITCH_H */
