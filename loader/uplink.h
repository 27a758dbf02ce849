/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink.h - a NIC of a running switch, from joining it to leaving it (uplink.c), and what its
 * lanes ask of it (uplink_lanes.c).
 *
 * Main thread only.
 */
#ifndef VXDP_LOADER_UPLINK_H
#define VXDP_LOADER_UPLINK_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>

#include "error.h"
#include "shared.h"
#include "steer.h"
#include "steer_nic.h"

struct sw;
struct nic;

struct uplink {
	struct sw *sw;
	unsigned int slot; /* entry of config.uplink[] */
	char name[IFNAMSIZ];
	struct nic *nic;
	struct event *event;
	int lock_fd; /* of the NIC's own directory; -1: it is the switch's */
	bool gone;   /* the NIC is no more */

	/* Its fast lanes; see lanes.c. */
	bool closing; /* it is about to have none */
	struct shared shared;
	struct steer steer;
	struct steer_nic steer_nic;
	bool steer_refused;    /* the NIC would not */
	uint64_t crowd_end_ns; /* until when more than one guest is to be expected */
};

struct uplink_options {
	const char *nic;
	const char *standby_for; /* NULL, or a NIC of the switch that leads to the same wire */
	bool may_exist;
};

/**
 * uplink_add() - make a NIC an uplink of the switch
 *
 * A NIC that is not the switch's namesake is locked as its own switch would be, with a note of
 * whose it is, so that nobody else attaches it.
 *
 * Return: 0, or -errno with @error set and the NIC as it was.
 */
int uplink_add(struct sw *sw, const struct uplink_options *options, struct vx_error *error);

/**
 * uplink_open_all() - the same for those the programs are on already: the switch's namesake, and
 * what a predecessor had. One of the latter that cannot be had is left out.
 * Return: 0 or -errno.
 */
int uplink_open_all(struct sw *sw, struct vx_error *error);

/** uplink_close() - put the NIC back as it was; *uplink may be NULL */
void uplink_close(struct uplink **uplink);

/** uplink_close_all() - the process ends: the same, unless there are tap ports, which go on */
void uplink_close_all(struct sw *sw);

/** uplink_stand_all() - prepare the NICs for tap ports (nic_stand()). Return: 0 or -errno. */
int uplink_stand_all(struct sw *sw, struct vx_error *error);

/** uplink_find() - by the NIC's name; NULL: the switch has no such uplink */
struct uplink *uplink_find(const struct sw *sw, const char *nic);

/** uplink_settle() - choose who carries the frames of wires that several uplinks lead to */
void uplink_settle(struct sw *sw);

/** uplink_mtu() - the smallest MTU of all NICs; that of Ethernet if there is none */
unsigned int uplink_mtu(const struct sw *sw);

/* uplink_lanes.c */

/** uplink_carries() - do guests' frames come and go by it? Not by one that stands by. */
bool uplink_carries(const struct uplink *u);

/** uplink_main() - the first one that does; NULL: there is none */
struct uplink *uplink_main(const struct sw *sw);

/** uplink_queues() - NIC queues that can have an AF_XDP socket */
unsigned int uplink_queues(const struct uplink *u);

/**
 * uplink_place() - where NIC queue @queue is in the maps queues and xsks, and in all that goes by
 * place
 */
unsigned int uplink_place(const struct uplink *u, unsigned int queue);

/** uplink_places() - how many it has, from uplink_place(u, 0) on: also for queues to come */
unsigned int uplink_places(const struct uplink *u);

/** uplink_at() - whose place that is; NULL: nobody's */
struct uplink *uplink_at(const struct sw *sw, unsigned int place);

/** uplink_is_native() - does XDP run in its driver? */
bool uplink_is_native(const struct uplink *u);

/** uplink_has_xdp() - not so with --mode tc */
bool uplink_has_xdp(const struct uplink *u);

/** uplink_writes_headers() - see struct xdp_attached */
bool uplink_writes_headers(const struct uplink *u);

/** uplink_is_dedicated() - was it said that it carries nothing but one guest's frames? */
bool uplink_is_dedicated(const struct uplink *u);

/** uplink_status() - "uplinks" of `vxdp status -j` */
json_t *uplink_status(const struct sw *sw);

#endif /* VXDP_LOADER_UPLINK_H */
