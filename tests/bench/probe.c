/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.c - how far apart are CPU 0 and CPU 1 just now?
 *
 * Two pinned threads bounce a cache line for 0.15 s; prints the 10th percentile of the round trip
 * over batches of 200, in ns, and how fast the time-stamp counter runs:
 * {"round_trip_ns":N,"tsc_mhz":N}. On a virtual machine whose CPUs the host moves about, the
 * first differs by ten times from one minute to the next, and with it every figure that depends on
 * two cores.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#include "include/vxdp/util.h"

#define BATCH	    200
#define BATCHES_MAX 20000
#define RUN_NS	    150000000ull

static struct {
	_Alignas(128) unsigned int turn;
	_Alignas(128) bool ready, stop;
} shared;

/* To one CPU, before all else that wants it. */
static void pin(int cpu)
{
	const struct sched_param param = {.sched_priority = 1};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0 ||
	    sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *answer(void *arg)
{
	pin(1);
	store_release(&shared.ready, true);
	while (!load_acquire(&shared.stop)) {
		if (load_acquire(&shared.turn) == 1)
			store_release(&shared.turn, 0u);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static double round_trip_ns[BATCHES_MAX];
	size_t n = 0;
	uint64_t start, start_tsc;
	double tsc_mhz;
	pthread_t peer;

	if (pthread_create(&peer, NULL, answer, NULL))
		return 1;
	while (!load_acquire(&shared.ready))
		usleep(1000);
	pin(0);
	start = now_ns();
	start_tsc = __rdtsc();
	while (n < BATCHES_MAX && now_ns() - start < RUN_NS) {
		uint64_t before = now_ns();

		for (int i = 0; i < BATCH; i++) {
			store_release(&shared.turn, 1u);
			while (load_acquire(&shared.turn))
				;
		}
		round_trip_ns[n++] = (double)(now_ns() - before) / BATCH;
	}
	tsc_mhz = (double)(__rdtsc() - start_tsc) * 1e3 / (double)(now_ns() - start);
	store_release(&shared.stop, true);
	pthread_join(peer, NULL);
	qsort(round_trip_ns, n, sizeof(*round_trip_ns), compare);
	printf("{\"round_trip_ns\":%.0f,\"tsc_mhz\":%.0f}\n", round_trip_ns[n / 10], tsc_mhz);
	return 0;
}
