/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feeds.h - which queues of the shared lane bring frames to a pair; the pair's worker has to know
 * when their frames are older than those of its tap (turn.h). Main thread.
 */
#ifndef VXDP_LOADER_FEEDS_H
#define VXDP_LOADER_FEEDS_H

#include "port.h"

/**
 * feed_add() - the queue brings it frames from now on
 *
 * More than PAIR_FEEDS_MAX are not kept: of the others' frames the order at a turn is not looked
 * after.
 */
void feed_add(struct pair *p, struct shared_queue *q);

/** feeds_clear() - no queue does, of no pair of the port */
void feeds_clear(struct port *port);

/** feeds_remove() - the queue is about to close: no worker looks at it after this */
void feeds_remove(struct sw *sw, struct shared_queue *q);

#endif /* VXDP_LOADER_FEEDS_H */
