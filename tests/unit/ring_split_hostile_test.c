/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_split_hostile_test.c - split rings of guests that break the rules: the ring is broken with
 * the reason, or no harm is done. R numbers are those of the list of hostile ring inputs in
 * tests/hostile.
 */
#include "ring_driver.h"

#define WRITE	 VRING_DESC_F_WRITE
#define NEXT	 VRING_DESC_F_NEXT
#define INDIRECT VRING_DESC_F_INDIRECT

#define GPA DRV_GPA0

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

/* A good buffer first: the next one takes the short way if it looks as good. */
static void warm_up(struct drv *d)
{
	struct vu_chain chain;

	drv_split_desc(d, 0, d->data_gpa, 10, d->config.is_rx ? WRITE : 0, 0);
	drv_split_avail(d, 0);
	assert_int_equal(pop_one(d, &chain), 1);
	vu_ring_push(d->ring, chain.head, 0);
	vu_ring_flush(d->ring);
}

static void expect_broken_and_close(struct drv *d, const char *what)
{
	drv_expect_broken(d, what);
	drv_close(d);
}

static void test_r1_index_jumps(void **s)
{
	struct ring_split_avail *avail;
	struct vu_chain chain;
	struct drv d;

	rx_open(&d, 0);
	avail = d.config.driver;
	avail->idx = 9;
	expect_broken_and_close(&d, "available index 9");

	rx_open(&d, 0); /* backwards */
	avail = d.config.driver;
	assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	avail->idx = 0;
	expect_broken_and_close(&d, "available index 0");

	rx_open(&d, 0); /* no further than the ring is long, but one is out */
	avail = d.config.driver;
	assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	avail->idx = 9;
	expect_broken_and_close(&d, "with 1 out");
}

static void test_r2_entry_out_of_range(void **s)
{
	static const uint16_t bad[] = {8, 9, 0x7fff, 0xffff};
	struct drv d;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		rx_open(&d, 0);
		drv_split_avail(&d, bad[i]);
		expect_broken_and_close(&d, "available descriptor");
	}
}

static void test_r3_chains(void **s)
{
	struct drv d;

	rx_open(&d, 0); /* to itself */
	drv_split_desc(&d, 3, d.data_gpa, 10, WRITE | NEXT, 3);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "loop");

	rx_open(&d, 0); /* to each other, without bytes */
	drv_split_desc(&d, 3, d.data_gpa, 0, WRITE | NEXT, 4);
	drv_split_desc(&d, 4, d.data_gpa, 0, WRITE | NEXT, 3);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "loop");

	rx_open(&d, 0);
	drv_split_desc(&d, 3, d.data_gpa, 10, WRITE | NEXT, 8);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "descriptor 8 of a ring of 8");

	rx_open(&d, F_INDIRECT); /* in a table */
	drv_split_desc(&d, 3, d.tables_gpa, 32, INDIRECT, 0);
	drv_table_desc(&d, d.tables_gpa, d.data_gpa, 10, WRITE | NEXT | 1 << 16);
	drv_table_desc(&d, d.tables_gpa + 16, d.data_gpa, 10, WRITE | NEXT);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "loop in an indirect table");

	rx_open(&d, F_INDIRECT);
	drv_split_desc(&d, 3, d.tables_gpa, 32, INDIRECT, 0);
	drv_table_desc(&d, d.tables_gpa, d.data_gpa, 10, WRITE | NEXT | 2 << 16);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "indirect descriptor 2 of a table of 2");
}

static void test_r3_longest_chain(void **s)
{
	struct vu_chain chain;
	struct drv d;

	drv_open(&d, 2048, false, true, 0);
	drv_start(&d);
	for (unsigned int i = 0; i < VU_CHAIN_IOV_MAX; i++)
		drv_split_desc(&d, i, d.data_gpa, 1, WRITE | NEXT, (uint16_t)(i + 1));
	drv_split_desc(&d, VU_CHAIN_IOV_MAX - 1, d.data_gpa, 1, WRITE, 0);
	drv_split_avail(&d, 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	assert_int_equal(chain.n_iov, VU_CHAIN_IOV_MAX);
	assert_int_equal(chain.bytes, VU_CHAIN_IOV_MAX);
	vu_ring_push(d.ring, chain.head, 0);
	vu_ring_flush(d.ring);
	drv_split_desc(&d, VU_CHAIN_IOV_MAX - 1, d.data_gpa, 0, WRITE | NEXT, VU_CHAIN_IOV_MAX);
	drv_split_desc(&d, VU_CHAIN_IOV_MAX, d.data_gpa, 1, WRITE, 0);
	drv_split_avail(&d, 0);
	expect_broken_and_close(&d, "chain of more than 1024");
}

static void bad_table(uint64_t features, uint64_t gpa, uint32_t bytes, uint16_t flags,
		      const char *what)
{
	struct drv d;

	rx_open(&d, features);
	drv_table_desc(&d, d.tables_gpa, d.data_gpa, 10, WRITE);
	drv_split_desc(&d, 3, gpa ? gpa : d.tables_gpa, bytes, flags, 4);
	drv_split_desc(&d, 4, d.data_gpa, 10, WRITE, 0);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, what);
}

static void test_r4_indirect(void **s)
{
	bad_table(F_INDIRECT, 0, 0, INDIRECT, "indirect table of 0 bytes");
	bad_table(F_INDIRECT, 0, 24, INDIRECT, "indirect table of 24 bytes");
	bad_table(F_INDIRECT, 0, 0xfffffff0, INDIRECT, "indirect table of 268435455");
	bad_table(F_INDIRECT, 0, 16 * 1025, INDIRECT, "indirect table of 1025");
	bad_table(F_INDIRECT, 0, 16, INDIRECT | NEXT, "with a next one");
	bad_table(0, 0, 16, INDIRECT, "not negotiated");
	bad_table(F_INDIRECT, 0x1000, 16, INDIRECT, "outside the guest's memory");
	bad_table(F_INDIRECT, UINT64_MAX - 14, 16, INDIRECT, "wraps");
	bad_table(F_INDIRECT, UINT64_MAX - 15, 16, INDIRECT, "outside");
}

static void test_r4_nested(void **s)
{
	struct drv d;

	rx_open(&d, F_INDIRECT);
	drv_split_desc(&d, 3, d.tables_gpa, 16, INDIRECT, 0);
	drv_table_desc(&d, d.tables_gpa, d.tables_gpa, 16, INDIRECT);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "inside an indirect table");
}

/* WRITE on the indirect descriptor itself means nothing (virtio 1.2, 2.7.5.3.2). */
static void test_r4_tables_that_are_fine(void **s)
{
	struct vu_chain chain;
	struct drv d;
	uint64_t border;

	rx_open(&d, F_INDIRECT); /* after a direct descriptor, at an odd address, over a border */
	border = d.mem.region[1].gpa;
	for (unsigned int odd = 0; odd <= 48; odd++) {
		uint64_t table = border - odd;

		drv_split_desc(&d, 2, d.data_gpa, 7, WRITE | NEXT, 3);
		drv_split_desc(&d, 3, table, 48, odd & 1 ? INDIRECT : INDIRECT | WRITE, 0);
		drv_table_desc(&d, table, d.data_gpa + 10, 10, WRITE | NEXT | 2 << 16);
		drv_table_desc(&d, table + 32, d.data_gpa + 20, 20, WRITE);
		drv_split_avail(&d, 2);
		assert_int_equal(pop_one(&d, &chain), 1);
		assert_int_equal(chain.n_iov, 3);
		assert_int_equal(chain.bytes, 37);
		assert_ptr_equal(chain.iov[2].iov_base, drv_va(&d, d.data_gpa + 20));
		vu_ring_push(d.ring, chain.head, 37);
		vu_ring_flush(d.ring);
	}
	drv_close(&d);
}

/* The tail of a table that runs out of its region, with nothing behind. */
static void test_r4_table_over_the_end(void **s)
{
	struct drv d;
	uint64_t end;

	rx_open(&d, F_INDIRECT);
	end = d.mem.region[2].gpa + d.mem.region[2].bytes;
	drv_split_desc(&d, 3, end - 24, 32, INDIRECT, 0);
	drv_table_desc(&d, end - 24, d.data_gpa, 10, WRITE | NEXT | 1 << 16);
	drv_split_avail(&d, 3);
	expect_broken_and_close(&d, "outside the guest's memory");
}

static void bad_buffer(uint64_t gpa, uint32_t bytes, const char *what)
{
	struct drv d;

	for (unsigned int warm = 0; warm < 2; warm++) {
		rx_open(&d, 0);
		if (warm)
			warm_up(&d);
		drv_split_desc(&d, 1, gpa, bytes, WRITE, 0);
		drv_split_avail(&d, 1);
		expect_broken_and_close(&d, what);
	}
}

static void test_r6_addresses(void **s)
{
	uint64_t end2 = DRV_GPA2 + DRV_SIDE_BYTES;
	struct vu_chain chain;
	struct drv d;

	bad_buffer(0, 1, "outside");
	bad_buffer(GPA - 1, 1, "outside");
	bad_buffer(GPA - 1, 2, "outside");
	bad_buffer(end2 - 10, 11, "outside");
	bad_buffer(end2, 1, "outside");
	bad_buffer(UINT64_MAX, 1, "outside");
	bad_buffer(UINT64_MAX, 2, "wraps");
	bad_buffer(UINT64_MAX - 100, 200, "wraps");
	bad_buffer(GPA, UINT32_MAX, "outside");

	rx_open(&d, 0); /* the last byte there is */
	drv_split_desc(&d, 1, end2 - 1, 1, WRITE, 0);
	drv_split_avail(&d, 1);
	assert_int_equal(pop_one(&d, &chain), 1);
	assert_ptr_equal(chain.iov[0].iov_base, d.ram[2] + DRV_SIDE_BYTES - 1);
	drv_close(&d);
}

static void test_r6_chain_of_4_gib(void **s)
{
	struct drv d;

	drv_open(&d, 1024, false, true, 0);
	drv_start(&d);
	d.mem.region[2].bytes = 1ull << 30; /* only addresses are looked at */
	for (unsigned int i = 0; i < 5; i++)
		drv_split_desc(&d, i, DRV_GPA2, 1u << 30, WRITE | (i < 4 ? NEXT : 0),
			       (uint16_t)(i + 1));
	drv_split_avail(&d, 0);
	drv_expect_broken(&d, "chain of 5368709120 bytes");
	d.mem.region[2].bytes = DRV_SIDE_BYTES;
	drv_close(&d);
}

static void test_r7_zero_lengths(void **s)
{
	struct drv_part part[4] = {{0}};
	struct vu_chain chain;
	struct drv_used used;
	struct drv d;

	for (unsigned int with = 0; with < 16; with++) {
		rx_open(&d, 0);
		for (unsigned int i = 0; i < 4; i++)
			part[i] = with >> i & 1 ? (struct drv_part){d.data_gpa, 5}
						: (struct drv_part){0xdeadbeef000, 0};
		assert_true(drv_add(&d, part, 4, 4) >= 0);
		assert_int_equal(pop_one(&d, &chain), 1);
		drv_check_chain(&d, &chain);
		assert_int_equal(chain.n_iov, __builtin_popcount(with));
		vu_ring_push(d.ring, chain.head, 0);
		vu_ring_flush(d.ring);
		assert_true(drv_get_used(&d, &used));
		drv_close(&d);
	}
}

static void direction(bool is_rx, uint16_t first, uint16_t second, const char *what)
{
	struct drv d;

	drv_open(&d, 8, false, is_rx, 0);
	drv_start(&d);
	drv_split_desc(&d, 0, d.data_gpa, 12, first | NEXT, 1);
	drv_split_desc(&d, 1, d.data_gpa, 100, second, 0);
	drv_split_avail(&d, 0);
	expect_broken_and_close(&d, what);

	drv_open(&d, 8, false, is_rx, 0);
	drv_start(&d);
	warm_up(&d);
	drv_split_desc(&d, 1, d.data_gpa, 100, second, 0);
	drv_split_avail(&d, 1);
	expect_broken_and_close(&d, what);
}

static void test_r8_r9_directions(void **s)
{
	direction(false, WRITE, WRITE, "device-writable descriptor in a transmit ring");
	direction(false, 0, WRITE, "device-writable descriptor in a transmit ring");
	direction(true, 0, 0, "device-readable descriptor in a receive ring");
	direction(true, WRITE, 0, "device-readable descriptor in a receive ring");
}

static void test_r12_available_twice(void **s)
{
	struct vu_chain chain;
	struct drv d;

	rx_open(&d, 0);
	assert_int_equal(drv_add_one(&d, 100), 0);
	drv_split_avail(&d, 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	drv_expect_broken(&d, "available twice");
	vu_ring_push(d.ring, chain.head, 1); /* what is out may still come back */
	vu_ring_flush(d.ring);
	assert_int_equal(vu_ring_stop(d.ring), 1);
	drv_close(&d);

	rx_open(&d, 0); /* pushed, but the guest has not seen it */
	assert_int_equal(drv_add_one(&d, 100), 0);
	drv_split_avail(&d, 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	vu_ring_push(d.ring, chain.head, 1);
	expect_broken_and_close(&d, "available twice");
}

/* A buffer placed over the rings themselves: harmless, it is the guest's own. */
static void test_r12_buffer_over_rings(void **s)
{
	struct vu_chain chain;
	struct drv d;

	rx_open(&d, 0);
	drv_split_desc(&d, 0, DRV_GPA0, (uint32_t)(d.tables_gpa - DRV_GPA0), WRITE, 0);
	drv_split_avail(&d, 0);
	assert_int_equal(pop_one(&d, &chain), 1);
	memset(chain.iov[0].iov_base, 0xff, chain.iov[0].iov_len);
	vu_ring_push(d.ring, chain.head, chain.bytes);
	vu_ring_flush(d.ring);
	vu_ring_notify(d.ring);
	drv_expect_broken(&d, "available index 65535");
	drv_close(&d);
}

static void test_r16_suppression_lies(void **s)
{
	struct ring_split_avail *avail;
	struct vu_chain chain;
	struct drv d;

	rx_open(&d, F_EVENT_IDX);
	avail = d.config.driver;
	for (unsigned int i = 0; i < 70000; i++) {
		avail->ring[8] = (uint16_t)drv_random(&d);
		avail->flags = (uint16_t)drv_random(&d);
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

/* IN_ORDER says nothing about which descriptors are used; a guest that picks any is served. */
static void test_r19_in_order_out_of_order(void **s)
{
	struct vu_chain chains[2];
	struct iovec iov[2];
	struct drv d;

	drv_open(&d, 8, false, false, F_IN_ORDER);
	drv_start(&d);
	drv_split_desc(&d, 6, d.data_gpa, 10, 0, 0);
	drv_split_desc(&d, 1, d.data_gpa, 20, 0, 0);
	drv_split_avail(&d, 6);
	drv_split_avail(&d, 1);
	assert_int_equal(vu_ring_pop(d.ring, chains, 2, iov, 2), 2);
	assert_int_equal(chains[0].head.id, 6);
	vu_ring_push(d.ring, chains[0].head, 0);
	vu_ring_push(d.ring, chains[1].head, 0);
	vu_ring_flush(d.ring);
	assert_int_equal(d.ring->used->idx, 2);
	assert_int_equal(d.ring->used->ring[0],
			 1); /* one entry, the last buffer's, stands for both */
	drv_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r1_index_jumps),
		cmocka_unit_test(test_r2_entry_out_of_range),
		cmocka_unit_test(test_r3_chains),
		cmocka_unit_test(test_r3_longest_chain),
		cmocka_unit_test(test_r4_indirect),
		cmocka_unit_test(test_r4_nested),
		cmocka_unit_test(test_r4_tables_that_are_fine),
		cmocka_unit_test(test_r4_table_over_the_end),
		cmocka_unit_test(test_r6_addresses),
		cmocka_unit_test(test_r6_chain_of_4_gib),
		cmocka_unit_test(test_r7_zero_lengths),
		cmocka_unit_test(test_r8_r9_directions),
		cmocka_unit_test(test_r12_available_twice),
		cmocka_unit_test(test_r12_buffer_over_rings),
		cmocka_unit_test(test_r16_suppression_lies),
		cmocka_unit_test(test_r19_in_order_out_of_order),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
