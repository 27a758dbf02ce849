/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair_poll.h - what a worker does with one queue pair.
 */
#ifndef VXDP_LOADER_PAIR_POLL_H
#define VXDP_LOADER_PAIR_POLL_H

#include "pair.h"

/** pair_poll() - one round: a burst each way. Return: frames moved or dropped. */
unsigned int pair_poll(struct pair *p, uint64_t now_ns);

/** pair_arm() - ask for kicks before a sleep. Return: false if there is work already. */
bool pair_arm(struct pair *p, uint64_t now_ns);

/** pair_disarm() - awake again */
void pair_disarm(struct pair *p);

/** pair_needs_clock() - something is pending that no descriptor will tell of */
bool pair_needs_clock(struct pair *p);

#endif /* VXDP_LOADER_PAIR_POLL_H */
