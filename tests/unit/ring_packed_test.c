/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_packed_test.c - packed rings. R numbers are those of the list of hostile ring inputs in
 * tests/hostile.
 */
#include <errno.h>

#include "ring_driver.h"

#define WRITE	 VRING_DESC_F_WRITE
#define NEXT	 VRING_DESC_F_NEXT
#define INDIRECT VRING_DESC_F_INDIRECT

static void test_property(void **s)
{
	static const uint16_t nums[] = {1, 2, 3, 7, 64, 255, 256, 1000, 32768};
	static const uint64_t features[] = {0,		 F_INDIRECT,
					    F_EVENT_IDX, F_INDIRECT | F_EVENT_IDX,
					    F_IN_ORDER,	 F_IN_ORDER | F_INDIRECT | F_EVENT_IDX};

	for (unsigned int i = 0; i < ARRAY_SIZE(nums); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(features); j++)
			for (uint32_t seed = 0; seed < 4; seed++)
				drv_run_property(&(struct drv_property){
					.num = nums[i],
					.packed = true,
					.is_rx = seed & 1,
					.features = features[j],
					.steps = 3000,
					.seed = seed + 1,
					.state = seed & 2,
				});
}

static void ring_open(struct drv *d, uint16_t num, bool is_rx, uint64_t features)
{
	drv_open(d, num, true, is_rx, features);
	drv_start(d);
}

static int pop_one(struct drv *d, struct vu_chain *chain)
{
	static struct iovec iov[VU_CHAIN_IOV_MAX];

	return vu_ring_pop(d->ring, chain, 1, iov, VU_CHAIN_IOV_MAX);
}

/* A good buffer first: the next one takes the short way if it looks as good. */
static void warm_up(struct drv *d)
{
	struct vu_chain chain;

	drv_packed_avail(d, d->data_gpa, 10, 0, d->config.is_rx ? WRITE : 0);
	assert_int_equal(pop_one(d, &chain), 1);
	vu_ring_push(d->ring, chain.head, 0);
	vu_ring_flush(d->ring);
}

static void expect_broken_and_close(struct drv *d, const char *what)
{
	drv_expect_broken(d, what);
	drv_close(d);
}

static void test_bad_config(void **s)
{
	static const uint32_t bad_base[] = {8, 0x8008, 0x7fff, 0xffff, 0x8000ffff};
	struct drv d;

	drv_open(&d, 8, true, true, 0);
	d.config.num = 0;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	d.config.num = 32769;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	d.config.num = 8;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_base); i++) {
		d.config.base = bad_base[i];
		assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	}
	drv_close(&d);
}

/* A ring goes on in the middle of either lap; the upper half of the base may be zero. */
static void test_base(void **s)
{
	static const uint32_t bases[] = {0x80058005, 0x00050005, 0x8005, 0x5, 0x80068006};
	static const uint32_t after[] = {0x80078007, 0x00070007, 0x80078007, 0x00070007, 0};
	struct vu_chain chain;
	struct drv d;

	for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++) {
		drv_open(&d, 8, true, true, 0);
		d.config.base = bases[i];
		d.idx = d.used = bases[i] & 0x7fff;
		d.wrap = d.used_wrap = bases[i] & 0x8000;
		drv_start(&d);
		for (unsigned int n = 0; n < 2; n++) {
			assert_true(drv_add_one(&d, 100) >= 0);
			assert_int_equal(pop_one(&d, &chain), 1);
			vu_ring_push(d.ring, chain.head, 5);
		}
		assert_int_equal(vu_ring_stop(d.ring), after[i]);
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
		drv_close(&d);
	}
}

/* The first slot's flags show the others: they are written last. */
static void test_first_flags_last(void **s)
{
	struct vu_chain chains[4];
	struct iovec iov[4];
	struct drv d;

	drv_open(&d, 4, true, true, 0);
	d.mem.dirty = (struct vu_dirty *)&d;
	d.config.log_used = true;
	drv_start(&d);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), 4);
	for (unsigned int i = 0; i < 4; i++)
		vu_ring_push(d.ring, chains[3 - i].head, 1);
	drv_log_ring = &d;
	drv_n_log = 0;
	vu_ring_flush(d.ring);
	assert_int_equal(drv_n_log, 4);
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t flags = i < 3 ? WRITE | PACKED_AVAIL : WRITE | PACKED_AVAIL | PACKED_USED;

		assert_int_equal(drv_log[i].gpa, DRV_LOG_GPA + 16 * ((i + 1) % 4));
		assert_int_equal(drv_log[i].bytes, 16);
		assert_int_equal(drv_log[i].seen, flags);
	}
	drv_n_log = 0; /* the event area is logged where it is */
	vu_ring_kick_disarm(d.ring);
	assert_int_equal(drv_n_log, 1);
	assert_int_equal(drv_log[0].gpa,
			 DRV_GPA0 + (uint64_t)((uint8_t *)d.config.device - d.ram[0]));
	drv_log_ring = NULL;
	drv_close(&d);
}

static void test_in_order_batch(void **s)
{
	struct vu_chain chains[3];
	struct iovec iov[3];
	struct ring_desc_words *desc;
	struct drv d;

	ring_open(&d, 8, false, F_IN_ORDER);
	desc = d.config.desc;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(drv_add_one(&d, 100), i);
	assert_int_equal(vu_ring_pop(d.ring, chains, 3, iov, 3), 3);
	for (unsigned int i = 0; i < 3; i++)
		vu_ring_push(d.ring, chains[i].head, 0);
	vu_ring_flush(d.ring);
	assert_int_equal(desc[0].rest >> 32, 2 | (PACKED_AVAIL | PACKED_USED) << 16);
	assert_int_equal(desc[1].rest >> 48, PACKED_AVAIL);
	assert_int_equal(desc[2].rest >> 48, PACKED_AVAIL);
	assert_int_equal(vu_ring_stop(d.ring), 0x80038003);
	drv_close(&d);
}

static void test_small_iov(void **s)
{
	struct drv_part part[3];
	struct vu_chain chains[4];
	struct iovec iov[4];
	struct drv d;

	ring_open(&d, 8, true, 0);
	for (unsigned int i = 0; i < 3; i++)
		part[i] = (struct drv_part){d.data_gpa, 10 + i};
	assert_true(drv_add(&d, part, 1, 1) >= 0);
	assert_true(drv_add(&d, part, 3, 3) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 3), 1);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 2), 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), 1);
	drv_check_chain(&d, &chains[0]);
	assert_null(vu_ring_broken(d.ring));
	drv_close(&d);
}

static void test_r3_chains(void **s)
{
	struct drv d;

	ring_open(&d, 8, true, 0); /* without end */
	for (unsigned int i = 0; i < 8; i++)
		drv_packed_avail(&d, d.data_gpa, 10, 0, WRITE | NEXT);
	expect_broken_and_close(&d, "chain of more than 8");

	ring_open(&d, 8, true, 0); /* longer than what is not out */
	drv_packed_avail(&d, d.data_gpa, 10, 0, WRITE);
	assert_int_equal(pop_one(&d, &(struct vu_chain){0}), 1);
	for (unsigned int i = 0; i < 7; i++)
		drv_packed_avail(&d, d.data_gpa, 0, 1, WRITE | NEXT);
	expect_broken_and_close(&d, "chain of more than 7");

	ring_open(&d, 2000, true, 0);
	for (unsigned int i = 0; i < 1025; i++)
		drv_packed_avail(&d, d.data_gpa, 0, 0, WRITE | NEXT);
	expect_broken_and_close(&d, "chain of more than 1024");
}

static void bad_table(uint64_t features, uint64_t gpa, uint32_t bytes, uint16_t flags,
		      const char *what)
{
	struct drv d;

	ring_open(&d, 8, true, features);
	drv_table_desc(&d, d.tables_gpa, d.data_gpa, 10, WRITE << 16);
	drv_packed_avail(&d, gpa ? gpa : d.tables_gpa, bytes, 3, flags);
	expect_broken_and_close(&d, what);
}

static void test_r4_indirect(void **s)
{
	bad_table(F_INDIRECT, 0, 0, INDIRECT, "indirect table of 0 bytes");
	bad_table(F_INDIRECT, 0, 8, INDIRECT, "indirect table of 8 bytes");
	bad_table(F_INDIRECT, 0, 0xfffffff0, INDIRECT, "indirect table of 268435455");
	bad_table(F_INDIRECT, 0, 16, INDIRECT | NEXT, "with a next one");
	bad_table(0, 0, 16, INDIRECT, "not negotiated");
	bad_table(F_INDIRECT, 0x1000, 16, INDIRECT, "outside the guest's memory");
	bad_table(F_INDIRECT, UINT64_MAX - 10, 16, INDIRECT, "wraps");
}

static void test_r4_nested(void **s)
{
	struct drv d;

	ring_open(&d, 8, true, F_INDIRECT);
	drv_table_desc(&d, d.tables_gpa, d.tables_gpa, 16, INDIRECT << 16);
	drv_packed_avail(&d, d.tables_gpa, 16, 0, INDIRECT);
	expect_broken_and_close(&d, "inside an indirect table");
}

/* In a table only WRITE means anything: a NEXT there, or any id, does not (virtio 1.2, 2.8.7). */
static void test_r4_reserved_bits_in_a_table(void **s)
{
	struct vu_chain chain;
	struct drv d;

	ring_open(&d, 8, true, F_INDIRECT);
	drv_table_desc(&d, d.tables_gpa, d.data_gpa, 10, (WRITE | NEXT) << 16 | 0xffff);
	drv_table_desc(&d, d.tables_gpa + 16, d.data_gpa, 20, (WRITE | NEXT) << 16 | 7);
	drv_packed_avail(&d, d.tables_gpa, 32, 5, INDIRECT | WRITE);
	assert_int_equal(pop_one(&d, &chain), 1);
	assert_int_equal(chain.head.id, 5);
	assert_int_equal(chain.n_iov, 2);
	assert_int_equal(chain.bytes, 30);
	drv_close(&d);
}

static void bad_buffer(uint64_t gpa, uint32_t bytes, const char *what)
{
	struct drv d;

	for (unsigned int warm = 0; warm < 2; warm++) {
		ring_open(&d, 8, true, 0);
		if (warm)
			warm_up(&d);
		drv_packed_avail(&d, gpa, bytes, 0, WRITE);
		expect_broken_and_close(&d, what);
	}
}

static void test_r6_addresses(void **s)
{
	bad_buffer(0, 1, "outside");
	bad_buffer(DRV_GPA0 - 1, 2, "outside");
	bad_buffer(DRV_GPA2 + DRV_SIDE_BYTES - 10, 11, "outside");
	bad_buffer(UINT64_MAX, 2, "wraps");
	bad_buffer(DRV_GPA0, UINT32_MAX, "outside");
}

static void test_r7_zero_lengths(void **s)
{
	struct drv_part part[4];
	struct vu_chain chain;
	struct drv d;

	for (unsigned int with = 0; with < 16; with++) {
		ring_open(&d, 8, true, 0);
		for (unsigned int i = 0; i < 4; i++)
			part[i] = with >> i & 1 ? (struct drv_part){d.data_gpa, 5}
						: (struct drv_part){0xdeadbeef000, 0};
		assert_true(drv_add(&d, part, 4, 4) >= 0);
		assert_int_equal(pop_one(&d, &chain), 1);
		drv_check_chain(&d, &chain);
		vu_ring_push(d.ring, chain.head, 0);
		vu_ring_flush(d.ring);
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
		drv_close(&d);
	}
}

static void direction(bool is_rx, uint16_t first, uint16_t second, const char *what)
{
	struct drv d;

	ring_open(&d, 8, is_rx, 0);
	drv_packed_avail(&d, d.data_gpa, 12, 0, first | NEXT);
	drv_packed_avail(&d, d.data_gpa, 100, 0, second);
	expect_broken_and_close(&d, what);

	ring_open(&d, 8, is_rx, 0);
	warm_up(&d);
	drv_packed_avail(&d, d.data_gpa, 100, 0, second);
	expect_broken_and_close(&d, what);
}

static void test_r8_r9_directions(void **s)
{
	direction(false, WRITE, WRITE, "device-writable descriptor in a transmit ring");
	direction(false, 0, WRITE, "device-writable descriptor in a transmit ring");
	direction(true, 0, 0, "device-readable descriptor in a receive ring");
	direction(true, WRITE, 0, "device-readable descriptor in a receive ring");
}

static void test_r15_ids(void **s)
{
	static const uint16_t bad[] = {8, 9, 0x7fff, 0xffff};
	struct drv d;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		ring_open(&d, 8, true, 0);
		if (i % 2)
			warm_up(&d);
		drv_packed_avail(&d, d.data_gpa, 10, bad[i / 2], WRITE);
		expect_broken_and_close(&d, "buffer id");
	}
	ring_open(&d, 8, true, 0);
	drv_packed_avail(&d, d.data_gpa, 10, 3, WRITE);
	drv_packed_avail(&d, d.data_gpa, 10, 3, WRITE);
	assert_int_equal(pop_one(&d, &(struct vu_chain){0}), 1);
	expect_broken_and_close(&d, "buffer id 3 is available twice");
}

/* Whatever a guest says is available, no more than the ring is long is ever out. */
static void test_r15_lying_flags(void **s)
{
	struct vu_chain chains[32];
	struct iovec iov[32];
	struct drv d;

	for (unsigned int num = 1; num <= 3; num++) {
		ring_open(&d, (uint16_t)num, true, 0);
		for (unsigned int i = 0; i < num; i++)
			drv_packed_avail(&d, d.data_gpa, 10, (uint16_t)i, WRITE);
		assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), num);
		for (unsigned int i = 0; i < num; i++) /* the next lap, too early */
			drv_packed_avail(&d, d.data_gpa, 10, (uint16_t)i, WRITE);
		assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), 0);
		assert_false(vu_ring_kick_arm(d.ring));
		assert_int_equal(vu_ring_in_flight(d.ring), num);
		drv_close(&d);
	}
	ring_open(&d, 4, true, 0); /* three slots are out in one buffer */
	drv_packed_avail(&d, d.data_gpa, 10, 0, WRITE | NEXT);
	drv_packed_avail(&d, d.data_gpa, 10, 0, WRITE | NEXT);
	drv_packed_avail(&d, d.data_gpa, 10, 0, WRITE);
	assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), 1);
	for (unsigned int i = 1; i < 3; i++)
		drv_packed_avail(&d, d.data_gpa, 10, (uint16_t)i, WRITE);
	assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), 1);
	drv_close(&d);
	ring_open(&d, 8, true, 0); /* AVAIL equal to USED: not available, in either lap */
	drv_packed_desc(&d, 0, d.data_gpa, 10, 0, WRITE | PACKED_AVAIL | PACKED_USED);
	assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), 0);
	drv_packed_desc(&d, 0, d.data_gpa, 10, 0, WRITE | PACKED_USED);
	assert_int_equal(vu_ring_pop(d.ring, chains, 32, iov, 32), 0);
	drv_close(&d);
}

static void test_r16_suppression_lies(void **s)
{
	struct ring_event *event;
	struct vu_chain chain;
	struct drv d;

	ring_open(&d, 7, true, F_EVENT_IDX);
	event = d.config.driver;
	for (unsigned int i = 0; i < 70000; i++) {
		event->word = drv_random(&d);
		assert_true(drv_add_one(&d, 100) >= 0);
		assert_int_equal(pop_one(&d, &chain), 1);
		vu_ring_push(d.ring, chain.head, 1);
		vu_ring_flush(d.ring);
		vu_ring_notify(d.ring);
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
	}
	assert_null(vu_ring_broken(d.ring));
	drv_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_first_flags_last),
		cmocka_unit_test(test_in_order_batch),
		cmocka_unit_test(test_small_iov),
		cmocka_unit_test(test_property),
		cmocka_unit_test(test_r3_chains),
		cmocka_unit_test(test_r4_indirect),
		cmocka_unit_test(test_r4_nested),
		cmocka_unit_test(test_r4_reserved_bits_in_a_table),
		cmocka_unit_test(test_r6_addresses),
		cmocka_unit_test(test_r7_zero_lengths),
		cmocka_unit_test(test_r8_r9_directions),
		cmocka_unit_test(test_r15_ids),
		cmocka_unit_test(test_r15_lying_flags),
		cmocka_unit_test(test_r16_suppression_lies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
