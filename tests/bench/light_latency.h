/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * light_latency.h - how long frames took: a histogram with buckets of 3 % width, in cycles.
 */
#ifndef BENCH_LIGHT_LATENCY_H
#define BENCH_LIGHT_LATENCY_H

#include <stdint.h>

#define LATENCY_STEPS 32u /* buckets a power of two */

struct latency {
	uint64_t n;
	uint64_t bucket[64 * LATENCY_STEPS];
};

static inline void latency_add(struct latency *l, uint64_t cycles)
{
	const uint64_t c = cycles | LATENCY_STEPS;
	const unsigned int log = 63u - (unsigned int)__builtin_clzll(c);
	const unsigned int step = (unsigned int)(c >> (log - 5)) % LATENCY_STEPS;

	l->bucket[log * LATENCY_STEPS + step]++;
	l->n++;
}

/* The bucket's middle, in cycles; 0 if there is nothing. */
static inline double latency_quantile(const struct latency *l, double q)
{
	const uint64_t rank = (uint64_t)(q * (double)(l->n - !!l->n));
	uint64_t seen = 0;

	for (unsigned int i = 0; l->n && i < 64 * LATENCY_STEPS; i++) {
		seen += l->bucket[i];
		if (seen > rank)
			return (double)(1ull << i / LATENCY_STEPS) *
			       (1 + (i % LATENCY_STEPS + 0.5) / LATENCY_STEPS);
	}
	return 0;
}

#endif /* BENCH_LIGHT_LATENCY_H */
