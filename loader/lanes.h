/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes.h - the lanes of all guests of a NIC: what each gets, and the change from one to another.
 *
 * Main thread only.
 */
#ifndef VXDP_LOADER_LANES_H
#define VXDP_LOADER_LANES_H

#include <stdbool.h>

struct sw;
struct port;

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

/** lanes_begin() - before the first port; undoes what a killed predecessor asked of the NIC */
void lanes_begin(struct sw *sw);

/** lanes_end() - close what is left; all ports are gone */
void lanes_end(struct sw *sw);

/**
 * lanes_may_zerocopy() - does the driver write straight to an AF_XDP socket's memory?
 * @unknown: what to say of a driver that does not tell
 */
bool lanes_may_zerocopy(const struct sw *sw, bool unknown);

#endif /* VXDP_LOADER_LANES_H */
