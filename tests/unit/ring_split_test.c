/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_split_test.c - split rings with guests that keep to the rules, or nearly.
 * ring_split_hostile_test.c has the others.
 */
#include <errno.h>

#include "ring_driver.h"

#define WRITE	 VRING_DESC_F_WRITE
#define NEXT	 VRING_DESC_F_NEXT
#define INDIRECT VRING_DESC_F_INDIRECT

#define GPA 0x40000000ull

static void test_property(void **s)
{
	static const uint16_t nums[] = {1, 2, 4, 8, 64, 256, 1024, 32768};
	static const uint64_t features[] = {0,		 F_INDIRECT,
					    F_EVENT_IDX, F_INDIRECT | F_EVENT_IDX,
					    F_IN_ORDER,	 F_IN_ORDER | F_INDIRECT | F_EVENT_IDX};

	for (unsigned int i = 0; i < ARRAY_SIZE(nums); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(features); j++)
			for (uint32_t seed = 0; seed < 4; seed++)
				drv_run_property(&(struct drv_property){
					.num = nums[i],
					.is_rx = seed & 1,
					.features = features[j],
					.steps = 3000,
					.seed = seed + 1,
					.state = seed & 2,
					.start = seed & 1 ? 0 : (uint16_t)(0 - nums[i] / 2 - 100),
				});
}

/* A ring of 8 for the guest to receive on, with one good buffer in it. */
static void rx_open(struct drv *d, uint64_t features)
{
	drv_open(d, 8, false, true, features);
	drv_start(d);
}

static int pop_one(struct drv *d, struct vu_chain *chain)
{
	static struct iovec iov[VU_CHAIN_IOV_MAX];

	return vu_ring_pop(d->ring, chain, 1, iov, VU_CHAIN_IOV_MAX);
}

static void expect_broken_and_close(struct drv *d, const char *what)
{
	drv_expect_broken(d, what);
	drv_close(d);
}

static void test_bad_config(void **s)
{
	static const uint16_t bad[] = {0, 3, 100, 32769, 65535};
	struct drv d;

	drv_open(&d, 8, false, true, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		d.config.num = bad[i];
		assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	}
	d.config.num = 8;
	drv_start(&d);
	drv_close(&d);
}

/* The used index in memory decides where a ring starts, and is what GET_VRING_BASE answers. */
static void test_base_is_used_index(void **s)
{
	struct vu_chain chain;
	struct drv d;

	drv_open(&d, 8, false, true, 0);
	d.idx = 0xfffe;
	((struct ring_split_avail *)d.config.driver)->idx = 0xfffe;
	((struct ring_split_used *)d.config.device)->idx = 0xfffe;
	d.config.base = 7;
	drv_start(&d);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(drv_add_one(&d, 100) >= 0);
		assert_int_equal(pop_one(&d, &chain), 1);
		vu_ring_push(d.ring, chain.head, 100);
	}
	assert_int_equal(vu_ring_stop(d.ring), 1);
	drv_close(&d);
}

static void test_first_bad_one_does_not_spoil_the_burst(void **s)
{
	struct vu_chain chains[4];
	struct iovec iov[4];
	struct drv d;

	rx_open(&d, 0);
	assert_true(drv_add_one(&d, 100) >= 0);
	assert_true(drv_add_one(&d, 100) >= 0);
	drv_split_avail(&d, 0xffff);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), -EPROTO);
	drv_close(&d);

	rx_open(&d, 0);
	assert_true(drv_add_one(&d, 100) >= 0);
	drv_split_desc(&d, 7, GPA, 100, 0, 0);
	drv_split_avail(&d, 7);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), 1);
	drv_check_chain(&d, &chains[0]);
	expect_broken_and_close(&d, "device-readable");
}

static void test_small_iov(void **s)
{
	struct drv_part part[3] = {{GPA, 10}, {GPA, 20}, {GPA, 30}};
	struct vu_chain chains[4];
	struct iovec iov[4];
	struct drv d;

	rx_open(&d, 0);
	part[0].gpa = part[1].gpa = part[2].gpa = d.data_gpa;
	assert_true(drv_add(&d, part, 1, 1) >= 0);
	assert_true(drv_add(&d, part, 3, 3) >= 0);
	assert_true(drv_add(&d, part, 3, 3) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 3), 1);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 2), 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), 1);
	drv_check_chain(&d, &chains[0]);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 0), 0);
	assert_null(vu_ring_broken(d.ring));
	assert_int_equal(vu_ring_in_flight(d.ring), 2);
	drv_close(&d);
}

static void test_used_order(void **s)
{
	struct vu_chain chains[3];
	struct iovec iov[3];
	struct drv_used used;
	struct drv d;

	rx_open(&d, 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 3, iov, 3), 3);
	vu_ring_push(d.ring, chains[2].head, 12);
	vu_ring_push(d.ring, chains[0].head, 34);
	assert_false(drv_get_used(&d, &used));
	vu_ring_flush(d.ring);
	assert_true(drv_get_used(&d, &used));
	assert_int_equal(used.id, chains[2].head.id);
	assert_int_equal(used.bytes, 12);
	assert_true(drv_get_used(&d, &used));
	assert_int_equal(used.id, chains[0].head.id);
	assert_false(drv_get_used(&d, &used));
	drv_close(&d);
}

/* Entries are logged before the index shows them, the index after (LOG_ALL). */
static void test_dirty_log_order(void **s)
{
	struct vu_chain chains[8];
	struct iovec iov[8];
	struct drv d;

	drv_open(&d, 8, false, true, 0);
	d.mem.dirty = (struct vu_dirty *)&d;
	d.config.log_used = true;
	((struct ring_split_used *)d.config.device)->idx = 6;
	((struct ring_split_avail *)d.config.driver)->idx = d.idx = d.used = 6;
	drv_start(&d);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 8, iov, 8), 4);
	for (unsigned int i = 0; i < 4; i++)
		vu_ring_push(d.ring, chains[i].head, 1);
	drv_log_ring = &d;
	drv_n_log = 0;
	vu_ring_flush(d.ring);
	assert_int_equal(drv_n_log, 3);
	assert_int_equal(drv_log[0].gpa, DRV_LOG_GPA + 4 + 8 * 6);
	assert_int_equal(drv_log[0].bytes, 16);
	assert_int_equal(drv_log[1].gpa, DRV_LOG_GPA + 4);
	assert_int_equal(drv_log[1].bytes, 16);
	assert_int_equal(drv_log[1].seen, 6);
	assert_int_equal(drv_log[2].gpa, DRV_LOG_GPA + 2);
	assert_int_equal(drv_log[2].seen, 10);
	drv_n_log = 0;
	vu_ring_kick_disarm(d.ring);
	assert_int_equal(drv_n_log, 1);
	assert_int_equal(drv_log[0].gpa, DRV_LOG_GPA);
	drv_log_ring = NULL;
	drv_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_base_is_used_index),
		cmocka_unit_test(test_first_bad_one_does_not_spoil_the_burst),
		cmocka_unit_test(test_small_iov),
		cmocka_unit_test(test_used_order),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_dirty_log_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
