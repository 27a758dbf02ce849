/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_state.h - in-flight state on the heap, and a ring that a process left with buffers in it.
 */
#ifndef TESTS_UNIT_RING_STATE_H
#define TESTS_UNIT_RING_STATE_H

#include "ring_driver.h"

/* For rings of 8. */
struct drv_state {
	struct vu_inflight_ring ring;
	struct inflight_owner owner;
	uint64_t bytes[64];
};

/* @owned: like a file of ours; otherwise like a region of a front end. */
void drv_state_init(struct drv_state *state, bool packed, bool owned);

/* A ring of 8 with four buffers: the first was used, the next two are in flight; not started. */
void drv_open_in_flight(struct drv *d, struct vu_inflight_ring *state, bool packed);

#endif /* TESTS_UNIT_RING_STATE_H */
