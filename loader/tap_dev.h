/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_dev.h - the netdev behind a tap port: a persistent tap that QEMU or vhost-net opens. (The
 * taps of vhost-user ports are tap.h's.)
 */
#ifndef VXDP_LOADER_TAP_DEV_H
#define VXDP_LOADER_TAP_DEV_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define TAP_DEV_ANYONE ((uint32_t)-1)

struct tap_dev {
	char name[IFNAMSIZ];
	unsigned int ifindex;
	bool is_tap; /* and not another kind of netdev */
	bool up, carrier;
	bool multi_queue;
	unsigned int queues; /* open now */
	uint32_t owner; /* user who may open it, or TAP_DEV_ANYONE: whoever has CAP_NET_ADMIN */
	uint32_t group;
	uint32_t mtu;
	char master[IFNAMSIZ]; /* bridge it is a port of, or "" */
};

/** tap_dev_get() - facts about a netdev. Return: 0, -ENODEV if there is none, -errno. */
int tap_dev_get(const char *name, struct tap_dev *dev);

struct tap_dev_options {
	uint32_t owner, group; /* or TAP_DEV_ANYONE */
	bool multi_queue;
	uint32_t mtu;
};

/** tap_dev_make() - make a persistent tap, up and silent. Return: 0 or -errno. */
int tap_dev_make(const char *name, const struct tap_dev_options *options, struct vx_error *error);

/** tap_dev_remove() - remove a netdev. Return: 0, -ENODEV if it is not there, -errno. */
int tap_dev_remove(unsigned int ifindex);

/** tap_dev_up() - Return: 0 or -errno */
int tap_dev_up(const char *name);

/**
 * tap_dev_steer() - choose the queue of each frame by a BPF program, -1 for as the kernel likes
 *
 * The program stays with the device when this returns. The tap has to be multi-queue, and open
 * nowhere: this opens a queue for a moment, and what came into it then would be lost.
 * Return: 0; -EBUSY if somebody has it open; -EOPNOTSUPP if it has one queue only; -errno.
 */
int tap_dev_steer(const struct tap_dev *dev, int prog_fd);

#endif /* VXDP_LOADER_TAP_DEV_H */
