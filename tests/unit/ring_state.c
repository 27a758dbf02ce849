/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring_state.h"

void drv_state_init(struct drv_state *state, bool packed, bool owned)
{
	memset(state, 0, sizeof(*state));
	state->ring = (struct vu_inflight_ring){.state = state->bytes, .num = 8, .packed = packed};
	if (owned)
		state->ring.owner = &state->owner;
	assert_true(vu_inflight_region_bytes(8, packed) <= sizeof(state->bytes));
}

void drv_open_in_flight(struct drv *d, struct vu_inflight_ring *state, bool packed)
{
	struct vu_chain chains[3];
	struct iovec iov[3];
	struct drv_used used;

	drv_open(d, 8, packed, true, 0);
	d->config.inflight = state;
	drv_start(d);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(drv_add_one(d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d->ring, chains, 3, iov, 3), 3);
	vu_ring_push(d->ring, chains[0].head, 1);
	vu_ring_flush(d->ring);
	assert_true(drv_get_used(d, &used));
	vu_ring_free(&d->ring);
	assert_int_equal(vu_ring_new(&d->ring), 0);
}
