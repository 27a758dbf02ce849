/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - which lane each guest of a NIC gets, and which NIC queues.
 *
 * A pure function of what is asked for and what is possible; lanes.h finds that out and acts on
 * the answer.
 */
#ifndef VXDP_LOADER_PLAN_H
#define VXDP_LOADER_PLAN_H

#include <stdbool.h>

#include <vxdp/abi.h>

/* --lane */
enum port_lane { LANE_AUTO, LANE_DIRECT, LANE_SHARED, LANE_KERNEL };

struct plan_port {
	enum port_lane asked;
	bool up;	/* the guest receives */
	bool no_fast;	/* neither direct nor shared can carry its frames */
	bool no_direct; /* its memory, or its features, do not allow it */
	bool owns;	/* has NIC queues already */
	bool steerable; /* its address is known */
};

struct plan_nic {
	unsigned int n_queues;
	bool zerocopy;	  /* writes frames before it is known whose they are */
	bool dedicated;	  /* the user says that all frames are one guest's */
	bool no_shared;	  /* vxdp's own UMEM does not work here */
	bool stay_shared; /* a second guest was here a moment ago */
	bool can_steer;	  /* by destination address */
};

enum plan_why {
	PLAN_DOWN,	 /* kernel: the guest receives nothing */
	PLAN_ASKED,	 /* as said by --lane */
	PLAN_IMPOSSIBLE, /* kernel: no_fast or no_direct, and nothing else was left */
	PLAN_TAKEN,	 /* kernel: the NIC's queues are another port's */
	PLAN_ALONE,	 /* direct: the only guest */
	PLAN_STEERED,	 /* direct: on a queue of its own */
	PLAN_CROWD,	 /* shared: not the only guest */
	PLAN_ISOLATED,	 /* shared: direct would let the NIC write others' frames to its memory */
	PLAN_FALLBACK,	 /* shared: no_direct */
	PLAN_FIRST,	 /* direct: no_shared, and it was there first */
};

enum plan_lane { PLAN_KERNEL, PLAN_DIRECT, PLAN_SHARED };

/* plan.queue[]: number of a port, or one of these */
#define PLAN_NOBODY   (-1)
#define PLAN_EVERYONE (-2) /* the shared lane */

struct plan {
	int queue[VXDP_NIC_QUEUES_MAX];
	unsigned int n_steered; /* the last so many queues have one guest each */
	struct {
		enum plan_lane lane;
		enum plan_why why;
	} port[VXDP_PORTS_MAX];
	int taker; /* who has all queues, or PLAN_NOBODY */
};

/** plan_lanes() - @n_ports at most VXDP_PORTS_MAX */
void plan_lanes(const struct plan_nic *nic, const struct plan_port *port, unsigned int n_ports,
		struct plan *plan);

#endif /* VXDP_LOADER_PLAN_H */
