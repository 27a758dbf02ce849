/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_wait.h - frames of a guest for other guests that have no room for them now.
 */
#ifndef VXDP_LOADER_GUEST_WAIT_H
#define VXDP_LOADER_GUEST_WAIT_H

#include "lane_guest.h"

struct guest_waiting;

int guest_waiting_new(struct guest_waiting **out);
/** guest_waiting_count() - frames that wait */
unsigned int guest_waiting_count(const struct guest_waiting *w);

/** guest_waits_for() - does any frame wait for @port? Then newer ones go behind it. */
bool guest_waits_for(const struct guest_waiting *w, uint16_t port);

/** guest_took() - @port has taken a frame at once */
void guest_took(struct guest_waiting *w, uint16_t port);

/** guest_wait() - frame number @i of the batch shall wait. Return: false if it must not. */
bool guest_wait(struct pair *p, const struct guest_batch *b, unsigned int i, uint64_t now_ns);

/** guest_wait_end() - newer frames of this flow take the kernel lane: so do those that wait */
void guest_wait_end(struct pair *p, const struct flow_key *key);

/** guest_elsewhere() - a frame goes to @port, in whatever lane */
void guest_elsewhere(struct pair *p, uint16_t port, uint64_t now_ns);

/**
 * guest_expected() - where the next frame probably goes: where the last one went
 * Return: NULL if that port has several pairs, or none.
 */
struct pair *guest_expected(const struct pair *p);

/** guest_may_pop() - how many frames may be taken out of the transmit ring now, at most BURST */
unsigned int guest_may_pop(const struct pair *p, uint64_t now_ns);

/** guest_retry() - frames that found no room before. Return: how many are dealt with now. */
unsigned int guest_retry(struct pair *p, uint64_t now_ns);

/** guest_stop() - the transmit ring stops: what waits is dropped, buffers pushed */
void guest_stop(struct pair *p);

#endif /* VXDP_LOADER_GUEST_WAIT_H */
