/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_way.h - what came of a stream of numbered frames (lane_frame.h), one way; and clocks.
 */
#ifndef TESTS_LANE_WAY_H
#define TESTS_LANE_WAY_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "include/vxdp/util.h"

#include "lane_frame.h"

#define WAY_FRAMES_MAX (1u << 22)

struct one_way {
	uint64_t n, n_reordered, n_duplicate, n_corrupt;
	uint32_t next; /* one past the highest number */
	uint8_t *seen;
};

static inline int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

static inline int way_open(struct one_way *way)
{
	way->seen = calloc(WAY_FRAMES_MAX, 1);
	return way->seen ? 0 : -ENOMEM;
}

static inline void note(struct one_way *way, const uint8_t *buf, size_t bytes)
{
	const struct frame *f = (const struct frame *)buf;

	if (!frame_ok(buf, bytes) || f->seq >= WAY_FRAMES_MAX) {
		way->n_corrupt++;
		return;
	}
	if (way->seen[f->seq]++) {
		way->n_duplicate++;
		return;
	}
	way->n++;
	if (f->seq < way->next)
		way->n_reordered++;
	else
		way->next = f->seq + 1;
}

/* Longest run of frames that did not come, of @n. */
static inline uint64_t hole(const struct one_way *way, uint64_t n)
{
	uint64_t run = 0, longest = 0;

	for (uint64_t i = 0; i < n; i++) {
		run = way->seen[i] ? 0 : run + 1;
		longest = MAX(longest, run);
	}
	return longest;
}

/* As a member of a JSON object. @gap_ns: between two frames, at the rate they were sent */
static inline void print_way(const char *name, const struct one_way *way, uint64_t n_sent,
			     uint64_t gap_ns)
{
	printf("\"%s\":{\"frames\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"duplicate\":%" PRIu64
	       ",\"corrupt\":%" PRIu64 ",\"hole_ms\":%" PRIu64 "}",
	       name, way->n, way->n_reordered, way->n_duplicate, way->n_corrupt,
	       hole(way, n_sent) * gap_ns / 1000000);
}

#endif /* TESTS_LANE_WAY_H */
