/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_bench.c - cycles one buffer costs in the rings: pop, push and flush in bursts of 32.
 *
 * The driver side runs in the same thread, outside the measured stretches, so what is measured is
 * the instructions and not the lines that travel between cores. Best of several rounds, since the
 * machine is shared. Prints numbers, checks nothing; not part of `make check`.
 */
#include <time.h>

#include "ring_driver.h"

#define BURST	 32
#define NUM	 256
#define BUF_SIZE 1536
#define ROUNDS	 40
#define BURSTS	 2000

static inline uint64_t cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
#endif
}

/* A driver that costs next to nothing: buffer i is always descriptor i. */
static void driver_add(struct drv *d)
{
	struct ring_split_avail *avail = d->config.driver;

	for (unsigned int i = 0; i < BURST; i++) {
		if (d->packed)
			drv_packed_avail(d, d->data_gpa + 256 * d->idx, BUF_SIZE, d->idx,
					 VRING_DESC_F_WRITE);
		else
			avail->ring[d->idx % NUM] = (uint16_t)(d->idx % NUM), d->idx++;
	}
	if (!d->packed)
		avail->idx = d->idx;
}

static double bench_round(struct drv *d)
{
	struct vu_chain chains[BURST];
	struct iovec iov[BURST];
	uint64_t total = 0;

	for (unsigned int n = 0; n < BURSTS; n++) {
		uint64_t start;
		int got;

		driver_add(d);
		full_fence();
		start = cycles();
		got = vu_ring_pop(d->ring, chains, BURST, iov, BURST);
		for (int i = 0; i < got; i++)
			vu_ring_push(d->ring, chains[i].head, 76);
		vu_ring_flush(d->ring);
		total += cycles() - start;
		if (got != BURST)
			fail_msg("%d popped: %s", got, vu_ring_broken(d->ring));
	}
	return (double)total / BURSTS / BURST;
}

static void bench_run(bool packed, bool state)
{
	size_t bytes = vu_inflight_region_bytes(NUM, packed);
	struct vu_inflight_ring inflight = {.num = NUM, .packed = packed};
	double best = 1e9;
	struct drv d;

	drv_open(&d, NUM, packed, true, 0);
	inflight.state = aligned_alloc(64, bytes);
	memset(inflight.state, 0, bytes);
	if (state)
		d.config.inflight = &inflight;
	for (unsigned int i = 0; i < NUM && !packed; i++)
		drv_split_desc(&d, i, d.data_gpa + 256 * i, BUF_SIZE, VRING_DESC_F_WRITE, 0);
	drv_start(&d);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		double now = bench_round(&d);

		best = MIN(best, now);
	}
	printf("%-6s %-18s %6.1f cycles per buffer\n", packed ? "packed" : "split",
	       state ? "in-flight state" : "", best);
	drv_close(&d);
	free(inflight.state);
}

int main(void)
{
	bench_run(false, false);
	bench_run(false, true);
	bench_run(true, false);
	bench_run(true, true);
	return 0;
}
