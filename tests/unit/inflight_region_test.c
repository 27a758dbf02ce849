/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight_region_test.c - in-flight state in a region of a front end, which can put any nonsense
 * there at any time. C18 is the number in the list of hostile inputs in tests/hostile.
 */
#include <errno.h>

#include "ring_driver.h"
#include "ring_state.h"

static void test_region_bounds(void **s)
{
	size_t split = vu_inflight_region_bytes(256, false);
	size_t packed = vu_inflight_region_bytes(256, true);
	uint64_t *map = aligned_alloc(64, 4 * packed);
	struct vu_inflight_ring ring;

	assert_int_equal(split % 64, 0);
	assert_int_equal(split, ALIGN_UP(16 + 16 * 256, 64));
	assert_int_equal(packed, ALIGN_UP(32 + 32 * 256, 64));
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 3, 256, true, &ring), 0);
	assert_ptr_equal(ring.state, (char *)map + 3 * packed);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 4, 256, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed - 1, 3, 256, true, &ring),
			 -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, UINT32_MAX, 256, true, &ring),
			 -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 0, 0, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, SIZE_MAX, 0, 32769, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 0, 0, 1, false, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring((char *)map + 4, 3 * packed, 0, 256, true, &ring),
			 -EINVAL);
	free(map);
}

/* A ring larger than the region was made for, or of the other layout, is refused. */
static void test_region_of_another_size(void **s)
{
	struct drv_state h;
	struct drv d;

	drv_state_init(&h, false, false);
	drv_open(&d, 16, false, true, 0);
	d.config.inflight = &h.ring;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	h.ring.num = 16;
	h.ring.packed = true;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	d.config.inflight = NULL;
	drv_start(&d);
	drv_close(&d);
}

/* Whatever is in a region, a ring starts on it and pops what it can prove to be buffers. */
static void nonsense(bool packed, bool from_valid)
{
	size_t bytes = vu_inflight_region_bytes(8, packed);
	struct vu_chain chains[16];
	struct iovec iov[64];
	struct drv_state h;
	struct drv d;
	unsigned int n_recovered = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		uint8_t *state;
		int n;

		drv_state_init(&h, packed, false);
		drv_open_in_flight(&d, &h.ring, packed);
		d.random = round * 2654435761u + 1;
		state = h.ring.state;
		for (unsigned int i = 0; i < (from_valid ? 1 + round % 4 : bytes); i++)
			state[from_valid ? drv_random(&d) % bytes : i] =
				drv_random(&d) % 4 ? (uint8_t)(drv_random(&d) % 9)
						   : (uint8_t)drv_random(&d);
		((struct inflight_split *)h.ring.state)->version = 1;
		((struct inflight_split *)h.ring.state)->desc_num = 8;
		if (packed && round % 2)
			((struct inflight_packed *)h.ring.state)->positions.mark = 0;
		if (vu_ring_start(d.ring, &d.config) == 0) {
			n_recovered += vu_ring_info(d.ring)->n_recovered;
			for (unsigned int i = 0; i < 4; i++) {
				n = vu_ring_pop(d.ring, chains, 16, iov, 64);
				for (int c = 0; c < n; c++)
					vu_ring_push(d.ring, chains[c].head, 1);
				vu_ring_flush(d.ring);
			}
			vu_ring_stop(d.ring);
		}
		drv_close(&d);
	}
	if (from_valid)
		assert_true(n_recovered > 0);
}

static void test_c18_nonsense_in_region(void **s)
{
	nonsense(false, false);
	nonsense(false, true);
	nonsense(true, false);
	nonsense(true, true);
}

/* A running ring does not care what the front end does to the region. */
static void test_c18_scribbled_while_running(void **s)
{
	for (unsigned int i = 0; i < 8; i++)
		drv_run_property(&(struct drv_property){
			.num = i & 4 ? 64 : 8,
			.packed = i & 1,
			.is_rx = i & 2,
			.features = F_INDIRECT,
			.steps = 3000,
			.seed = i,
			.state = true,
			.region = true,
			.scribble = true,
		});
}

static void test_sudden_ends_with_region(void **s)
{
	for (unsigned int i = 0; i < 8; i++)
		drv_run_property(&(struct drv_property){
			.num = i & 4 ? 64 : 8,
			.packed = i & 1,
			.is_rx = i & 2,
			.features = F_INDIRECT,
			.steps = 3000,
			.seed = i,
			.state = true,
			.region = true,
		});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_region_bounds),
		cmocka_unit_test(test_region_of_another_size),
		cmocka_unit_test(test_c18_nonsense_in_region),
		cmocka_unit_test(test_c18_scribbled_while_running),
		cmocka_unit_test(test_sudden_ends_with_region),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
