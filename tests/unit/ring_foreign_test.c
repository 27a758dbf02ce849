/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_foreign_test.c - the front end hands back transmit buffers while nobody serves a packed
 * ring, and starts where the ring stood long ago: nothing may be lost, used twice or left lying.
 */
#include "ring_driver.h"
#include "ring_state.h"

#define NUM 8

struct place {
	uint16_t idx;
	bool wrap;
};

static void place_advance(struct place *at, unsigned int n)
{
	for (; n; n--) {
		if (++at->idx == NUM) {
			at->idx = 0;
			at->wrap = !at->wrap;
		}
	}
}

/* As a front end that drops everything available from @at on. */
static void drop_all(struct drv *d, struct place *at)
{
	struct ring_desc_words *desc = d->config.desc;

	for (unsigned int n = 0; n < NUM; n++) {
		struct place start = *at;
		uint64_t first = desc[at->idx].rest, rest = first;
		unsigned int slots = 1;

		if (!packed_is_avail((uint16_t)(first >> 48), at->wrap))
			return;
		place_advance(at, 1);
		while ((uint16_t)(rest >> 48) & VRING_DESC_F_NEXT && slots++ < NUM) {
			rest = desc[at->idx].rest;
			place_advance(at, 1);
		}
		desc[start.idx].rest =
			(first & 0xffff00000000ull) |
			(start.wrap ? (uint64_t)(PACKED_AVAIL | PACKED_USED) << 48 : 0);
	}
}

static unsigned int get_all(struct drv *d)
{
	struct drv_used used;
	unsigned int n = 0;

	while (drv_get_used(d, &used)) /* asserts that the buffer was out */
		n++;
	return n;
}

/* Buffers of one slot each go through until the ring stands at @steps. */
static void go_to(struct drv *d, unsigned int steps)
{
	struct vu_chain chain;
	struct iovec iov[2];

	for (; steps; steps--) {
		assert_true(drv_add_one(d, 100) >= 0);
		assert_int_equal(vu_ring_pop(d->ring, &chain, 1, iov, 1), 1);
		vu_ring_push(d->ring, chain.head, 0);
		vu_ring_flush(d->ring);
		assert_int_equal(get_all(d), 1);
	}
}

static int add_chain(struct drv *d)
{
	struct drv_part part[2] = {
		{.gpa = d->data_gpa, .bytes = 60},
		{.gpa = d->data_gpa + 100, .bytes = 60},
	};

	return drv_add(d, part, 2, 2);
}

/* A successor on what is there: all @out buffers come back or come out of pop, and it goes on. */
static void successor(struct drv *d, struct place base, unsigned int out)
{
	struct vu_chain chains[NUM];
	struct iovec iov[4 * NUM];
	unsigned int back;
	int n;

	vu_ring_free(&d->ring);
	assert_int_equal(vu_ring_new(&d->ring), 0);
	d->config.base = (uint32_t)base.idx | (uint32_t)base.wrap << 15;
	d->config.base |= d->config.base << 16;
	drv_start(d);
	back = get_all(d);
	while ((n = vu_ring_pop(d->ring, chains, NUM, iov, 4 * NUM)) > 0) {
		for (int i = 0; i < n; i++) {
			drv_check_chain(d, &chains[i]);
			vu_ring_push(d->ring, chains[i].head, 0);
		}
		vu_ring_flush(d->ring);
		back += get_all(d);
	}
	assert_int_equal(n, 0);
	assert_int_equal(back, out);
	go_to(d, 2 * NUM + 3);
}

static void one_case(unsigned int position, unsigned int buffers, unsigned int popped,
		     unsigned int pushed, struct place stale, bool chained)
{
	struct vu_chain chains[NUM];
	struct iovec iov[4 * NUM];
	struct drv_state state;
	unsigned int added = 0;
	struct drv d;
	int n;

	drv_state_init(&state, true, true);
	drv_open(&d, NUM, true, false, 0);
	d.config.inflight = &state.ring;
	drv_start(&d);
	go_to(&d, position);
	while (added < buffers && (chained ? add_chain(&d) : drv_add_one(&d, 100)) >= 0)
		added++;
	n = vu_ring_pop(d.ring, chains, popped, iov, 4 * NUM);
	assert_true(n >= 0);
	for (unsigned int i = 0; i < pushed && (int)i < n; i++)
		vu_ring_push(d.ring, chains[i].head, 0);
	vu_ring_flush(d.ring);
	drop_all(&d, &stale);
	successor(&d, stale, added);
	drv_close(&d);
}

/* Wherever the ring stands, however full it is, whatever was popped, and wherever the drop starts.
 */
static void all_cases(bool chained)
{
	for (unsigned int position = 0; position < 2 * NUM; position++)
		for (unsigned int buffers = 0; buffers <= NUM; buffers++)
			for (unsigned int popped = 0; popped <= buffers && popped <= 5; popped++)
				for (unsigned int pushed = 0; pushed <= popped; pushed += 2)
					one_case(position, buffers, popped, pushed,
						 (struct place){0, true}, chained);
}

static void test_single_slots(void **s)
{
	all_cases(false);
}

static void test_chains(void **s)
{
	all_cases(true);
}

/* The front end knew the position well, as after an orderly stop. */
static void test_from_the_right_place(void **s)
{
	for (unsigned int position = 0; position < 2 * NUM; position++) {
		struct place at = {0, true};

		place_advance(&at, position);
		one_case(position, NUM, 0, 0, at, false);
		one_case(position, NUM, 3, 0, at, false);
		one_case(position, 2, 1, 0, at, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_slots),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_from_the_right_place),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
