/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_racing_test.c - R5 of the list of hostile ring inputs: a guest that changes everything it
 * owns while we look at it. Whatever comes out of a ring lies in the guest's memory, and adds up.
 */
#include <pthread.h>
#include <time.h>

#include "ring_driver.h"

#define NUM	 16
#define SECONDS	 1
#define PATIENCE 30

struct race {
	struct drv d;
	bool over;
	unsigned int n_popped, n_run, n_broken;
};

/*
 * The guest
 */

static uint64_t any_address(struct drv *d)
{
	switch (drv_random(d) % 16) {
	case 0:
		return drv_random(d);
	case 1:
		return DRV_GPA2 + DRV_SIDE_BYTES - drv_random(d) % 2000;
	case 2:
		return d->mem.region[1].gpa - drv_random(d) % 2000;
	case 3:
		return DRV_GPA0 + drv_random(d) % 4096;
	case 4 ... 7:
		return d->tables_gpa + drv_random(d) % (NUM * DRV_TABLE_BYTES);
	}
	return d->data_gpa + drv_random(d) % 4096;
}

static uint64_t any_rest(struct drv *d)
{
	static const uint16_t flags[] = {VRING_DESC_F_WRITE,
					 VRING_DESC_F_WRITE,
					 VRING_DESC_F_WRITE,
					 VRING_DESC_F_WRITE | VRING_DESC_F_NEXT,
					 VRING_DESC_F_WRITE | VRING_DESC_F_NEXT,
					 VRING_DESC_F_INDIRECT,
					 VRING_DESC_F_INDIRECT,
					 0};
	static const uint32_t lens[] = {0, 1, 16, 32, 48, 64, 160, 1500};
	uint64_t len = drv_random(d) % 64 ? lens[drv_random(d) % 8] : drv_random(d);
	uint64_t flag = flags[drv_random(d) % (drv_random(d) % 16 ? 7 : 8)];
	uint64_t other = drv_random(d) % (drv_random(d) % 64 ? NUM : NUM + 2);

	if (!d->packed)
		return len | flag << 32 | other << 48;
	return len | other << 32 | (flag | packed_avail_flags(drv_random(d) % 2)) << 48;
}

static void scribble_desc(struct drv *d, struct ring_desc_words *at)
{
	if (drv_random(d) % 2)
		guest_store64(&at->addr, any_address(d));
	guest_store64(&at->rest, any_rest(d));
}

static void scribble_avail(struct drv *d)
{
	struct ring_split_avail *avail = d->config.driver;
	uint16_t idx = guest_load16(&avail->idx);

	for (unsigned int i = 0; i < 4; i++)
		guest_store16(&avail->ring[drv_random(d) % NUM], (uint16_t)(drv_random(d) % NUM));
	if (drv_random(d) % 256 == 0)
		guest_store16(&avail->ring[drv_random(d) % NUM], (uint16_t)drv_random(d));
	guest_store16(&avail->idx, (uint16_t)(drv_random(d) % 1024 ? idx + 1u : drv_random(d)));
}

static void *guest(void *arg)
{
	struct race *race = arg;
	struct drv *d = &race->d;
	struct ring_desc_words *desc = d->config.desc;
	struct ring_desc_words *table = drv_va(d, d->tables_gpa);

	while (!__atomic_load_n(&race->over, __ATOMIC_RELAXED)) {
		scribble_desc(d, &desc[drv_random(d) % NUM]);
		scribble_desc(d, &table[drv_random(d) % (NUM * DRV_PARTS_MAX)]);
		if (d->packed)
			guest_store32(d->config.driver, drv_random(d));
		else
			scribble_avail(d);
	}
	return NULL;
}

/*
 * The worker
 */

static void check(const struct race *race, const struct vu_chain *chain)
{
	uint64_t bytes = 0;

	assert_true(chain->head.id < NUM);
	assert_true(chain->n_iov <= VU_CHAIN_IOV_MAX);
	for (unsigned int i = 0; i < chain->n_iov; i++) {
		const uint8_t *va = chain->iov[i].iov_base;
		bool inside = false;

		for (unsigned int n = 0; n < race->d.mem.n_regions; n++) {
			const struct vu_region *region = &race->d.mem.region[n];
			size_t offset = (uintptr_t)va - (uintptr_t)region->va;

			inside |= offset < region->bytes &&
				  chain->iov[i].iov_len <= region->bytes - offset;
		}
		assert_true(inside);
		assert_true(chain->iov[i].iov_len > 0);
		bytes += chain->iov[i].iov_len;
	}
	assert_int_equal(bytes, chain->bytes);
}

static void work_run(struct race *race)
{
	struct vu_ring *r = race->d.ring;
	struct vu_buf bufs[NUM];
	int n = vu_ring_run_start(r, bufs, NUM);

	for (int i = 0; i < n; i++) {
		struct iovec part = {bufs[i].base, bufs[i].bytes};

		check(race, &(struct vu_chain){{(uint16_t)bufs[i].id, 1}, 1, bufs[i].bytes, &part});
		race->n_run++;
	}
	if (n > 0)
		vu_ring_run_end(r, bufs, (unsigned int)n, (unsigned int)n, true);
}

static void work(struct race *race)
{
	struct vu_ring *r = race->d.ring;
	static struct iovec iov[2 * VU_CHAIN_IOV_MAX];
	struct vu_chain chains[NUM];
	int n;

	work_run(race);
	n = vu_ring_pop(r, chains, NUM, iov, ARRAY_SIZE(iov));

	for (int i = 0; i < n; i++) {
		check(race, &chains[i]);
		vu_ring_push(r, chains[i].head, chains[i].bytes);
		race->n_popped++;
	}
	vu_ring_flush(r);
	vu_ring_notify(r);
	if (vu_ring_kick_arm(r))
		vu_ring_kick_disarm(r);
	if (n >= 0)
		return;
	assert_non_null(vu_ring_broken(r));
	race->n_broken++;
	race->d.config.base = vu_ring_stop(r);
	if (!race->d.packed) { /* as after a reset: nothing is available */
		struct ring_split_avail *avail = race->d.config.driver;

		guest_store16(&avail->idx, (uint16_t)race->d.config.base);
	}
	drv_start(&race->d);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(bool packed, bool state)
{
	struct vu_inflight_ring inflight = {.num = NUM, .packed = packed};
	double end = now() + SECONDS;
	struct race race = {0};
	pthread_t thread;

	drv_open(&race.d, NUM, packed, true, F_INDIRECT | F_EVENT_IDX);
	inflight.state = calloc(1, vu_inflight_region_bytes(NUM, packed));
	if (state)
		race.d.config.inflight = &inflight;
	drv_start(&race.d);
	assert_int_equal(pthread_create(&thread, NULL, guest, &race), 0);
	/* On a busy machine the two may not meet in that time. */
	while (now() < end ||
	       ((!race.n_popped || !race.n_run || !race.n_broken) && now() < end + PATIENCE))
		work(&race);
	__atomic_store_n(&race.over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(race.n_popped > 0);
	assert_true(race.n_run > 0);
	assert_true(race.n_broken > 0);
	drv_close(&race.d);
	free(inflight.state);
}

static void test_r5_split(void **s)
{
	run(false, false);
	run(false, true);
}

static void test_r5_packed(void **s)
{
	run(true, false);
	run(true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_r5_split),
		cmocka_unit_test(test_r5_packed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
