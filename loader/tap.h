/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.h - the netdev behind a vhost-user port.
 *
 * The device lives as long as one of its queues is open, so a killed process leaves none behind.
 */
#ifndef VXDP_LOADER_TAP_H
#define VXDP_LOADER_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct tap {
	char ifname[IFNAMSIZ];
	unsigned int ifindex;
	int first_fd; /* the queue that keeps the device alive; pair 0 uses it */
};

/**
 * tap_open() - make the tap of port @port_name, up, without carrier, silent
 *
 * "Silent": no addresses of its own, so the host's stack sends nothing out of it by itself.
 *
 * @mtu: in bytes, as of the NIC
 * @steering_prog_fd: BPF socket filter that picks the queue of a frame, or -1
 * Return: 0 or -errno with @error set, @tap untouched.
 */
int tap_open(const char *port_name, unsigned int mtu, int steering_prog_fd, struct tap *tap,
	     struct vx_error *error);

/** tap_close() - remove the device (queues opened with tap_queue_open() closed before) */
void tap_close(struct tap *tap);

/** tap_queue_open() - one more queue. Return: descriptor, the caller's, or -errno. */
int tap_queue_open(const struct tap *tap);

/**
 * tap_offloads_set() - what the guest can take: @virtio_features it negotiated
 *
 * Sets the virtio-net header's size on the device and which partial checksums and GSO frames the
 * kernel may send; it finishes or segments the others.
 * Return: 0 or -errno.
 */
int tap_offloads_set(const struct tap *tap, uint64_t virtio_features);

/**
 * tap_silence() - no IPv6 link-local address, no ARP
 *
 * Without an address the host's stack has nothing to announce on the tap, where the guest would
 * hear it. Return: 0; -EAFNOSUPPORT or -EOPNOTSUPP if the kernel knows no IPv6; -errno.
 */
int tap_silence(const struct tap *tap);

/**
 * tap_no_qdisc() - no queueing discipline
 *
 * A tap takes a frame or drops it, so nothing is ever queued in front of it. The default discipline
 * allocates for all of the tap's 256 queues and as many frames as each may hold, some 25 MiB a
 * port, and takes about a tenth of the time that a frame from tap to tap does.
 */
void tap_no_qdisc(const struct tap *tap);

/** tap_carrier_set() - as the guest's link. Return: 0 or -errno. */
int tap_carrier_set(const struct tap *tap, bool up);

int tap_mtu_set(const struct tap *tap, unsigned int mtu);

/** tap_tx_dropped() - frames the kernel could not put into a full queue since the tap was made */
uint64_t tap_tx_dropped(const struct tap *tap);

/** tap_uso_supported() - can this kernel's taps take UDP segmentation offload? (main thread) */
bool tap_uso_supported(void);

#endif /* VXDP_LOADER_TAP_H */
