/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes_internal.h - what lanes.c, lanes_change.c and lanes_say.c know of each other.
 */
#ifndef VXDP_LOADER_LANES_INTERNAL_H
#define VXDP_LOADER_LANES_INTERNAL_H

#include "plan.h"
#include "port.h"

/* One uplink: what is possible there, and what the guests are to have of it. */
struct settling_uplink {
	struct uplink *uplink;
	struct plan_nic nic;
	struct plan_port ask[VXDP_PORTS_MAX];
	uint8_t mac[VXDP_PORTS_MAX][6]; /* where steerable */
	struct plan plan;
};

/* All guests of a switch, what they want, and what they are to have. */
struct settling {
	struct sw *sw;
	unsigned int n_ports;
	struct port *port[VXDP_PORTS_MAX];
	unsigned int n_active[VXDP_PORTS_MAX];
	struct pair *active[VXDP_PORTS_MAX][VU_PAIRS_MAX];
	unsigned int n_uplinks;
	struct settling_uplink on[VXDP_UPLINKS_MAX];
	bool again; /* something failed: make another plan */
};

/* Every queue of every uplink, those to come included: its place, and its number on the NIC. */
#define for_each_queue(s, su, place, q)                                                            \
	for ((su) = (s)->on; (su) < (s)->on + (s)->n_uplinks; (su)++)                              \
		for ((q) = 0, (place) = uplink_place((su)->uplink, 0);                             \
		     (q) < uplink_places((su)->uplink); (q)++, (place)++)

/* lanes_change.c */

/** lanes_take_away() - what differs from the plan */
void lanes_take_away(struct settling *s);

/** lanes_hand_out() - what the plan has and is not there yet */
void lanes_hand_out(struct settling *s);

/** lanes_flags() - make the port's flags in the ports map follow its sockets */
void lanes_flags(struct port *port, bool shared);

/* lanes_steer.c */

/** lanes_can_steer() - may the NIC be asked to? */
bool lanes_can_steer(const struct uplink *u);

/** lanes_address() - the one address a guest is known by. Return: is there just one? */
bool lanes_address(const struct port *port, uint8_t mac[6]);

/** lanes_steer() - have the rules the plan needs, or ask for another plan */
void lanes_steer(struct settling *s, struct settling_uplink *su);

/* lanes_say.c */

/** lanes_fast_obstacle() - what keeps a port from every lane but the kernel's. NULL: nothing. */
const char *lanes_fast_obstacle(const struct port *port, const struct uplink *u);

/** lanes_shared_obstacle() - what keeps the NIC from having a shared lane. NULL: nothing. */
const char *lanes_shared_obstacle(const struct uplink *u);

/** lanes_tell() - note for every port which lane it has, and why, and log what is new */
void lanes_tell(const struct settling *s);

#endif /* VXDP_LOADER_LANES_INTERNAL_H */
