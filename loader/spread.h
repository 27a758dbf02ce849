/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spread.h - which worker runs which queue pair. Main thread only.
 */
#ifndef VXDP_LOADER_SPREAD_H
#define VXDP_LOADER_SPREAD_H

struct pair;
struct sw;
struct worker;

/** spread_choose() - the worker for a new pair: the one with the fewest */
struct worker *spread_choose(const struct sw *sw);

/** spread_second() - every second: move a pair if one worker has much more to do than another */
void spread_second(struct sw *sw);

/** spread_move() - let another worker run a pair; frames stay where they are, and in order */
void spread_move(struct pair *p, struct worker *to);

#endif /* VXDP_LOADER_SPREAD_H */
