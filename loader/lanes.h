/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.h - the lanes of all guests of a switch, on each of its uplinks: what each gets, and the
 * change from one to another.
 *
 * Main thread only.
 */
#ifndef VXDP_LOADER_LANES_H
#define VXDP_LOADER_LANES_H

#include <stdbool.h>

struct sw;
struct port;
struct uplink;

/* Why all ports have the kernel lane on an uplink that stands by. */
#define LANES_STANDBY_REASON "another uplink carries the frames of its wire"

/** lanes_settle() - give every guest what it should have now */
void lanes_settle(struct sw *sw);

/** lanes_settle_soon() - the same in a moment */
void lanes_settle_soon(struct sw *sw);

/** lanes_pair_close() - a ring of pair @pair stops: nothing of it is in a lane's hands after this
 */
void lanes_pair_close(struct port *port, unsigned int pair);

/** lanes_close() - the same for all pairs */
void lanes_close(struct port *port);

/** lanes_check_addresses() - every second: can a guest be steered now, or no more? */
void lanes_check_addresses(struct sw *sw);

/** lanes_begin() - the NIC is there; undoes what a killed predecessor asked of it */
void lanes_begin(struct uplink *u);

/**
 * lanes_pause() - close what the uplink's queues have open; nothing is reordered by that
 *
 * For as long as u->closing is set, or it stands by, nothing is opened there.
 */
void lanes_pause(struct uplink *u);

/** lanes_end() - the same for good, and nothing is asked of the NIC any more */
void lanes_end(struct uplink *u);

/**
 * lanes_may_zerocopy() - does the driver write straight to an AF_XDP socket's memory?
 * @unknown: what to say of a driver that does not tell
 */
bool lanes_may_zerocopy(const struct uplink *u, bool unknown);

#endif /* VXDP_LOADER_LANES_H */
