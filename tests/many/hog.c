/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hog.c - one guest misbehaves: do the others notice?
 *
 * Guest 0 sends to guest 1 at a rate far below what the switch can do, alone, then beside the
 * trouble, twice, then alone again. What counts is the share that arrives.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

#define PERIOD_US 250
#define DRAIN_US  20000
#define TROUBLE	  64 /* frames at a time */

enum trouble { NONE, FULL_RING, BROADCASTS };

struct share {
	uint64_t n_sent, n_received, n_trouble;
};

/* All but guest 3, which gives no buffer back. Return: frames for guest 1. */
static uint64_t take(struct stations *s, enum trouble trouble)
{
	uint64_t n = 0;
	struct frame f;

	for (unsigned int i = 0; i < s->n; i++) {
		if (i == 3 && trouble == FULL_RING)
			continue;
		/* A storm has no end: some of it, and then somebody else's. */
		for (int k = 0; k < TROUBLE && station_recv(s, i, &f) > 0; k++)
			n += i == 1 && f.from == 0 && f.to == 1;
	}
	return n;
}

static void make_trouble(struct stations *s, enum trouble trouble, struct share *share)
{
	const uint8_t *dst = trouble == BROADCASTS ? broadcast_mac : s->at[3].mac;
	const uint16_t to = trouble == BROADCASTS ? STATION_ALL : 3;

	for (int i = 0; trouble && i < TROUBLE; i++)
		share->n_trouble += !station_send(s, 2, s->at[2].mac, dst, to, 0);
	if (trouble)
		station_flush(s, 2);
}

static void part(struct stations *s, enum trouble trouble, unsigned int ms, struct share *share)
{
	const int64_t start = now_us(), end = start + ms * 1000ll;
	int64_t next = start;

	s->round++;
	while (now_us() < end) {
		make_trouble(s, trouble, share);
		/* What was not sent in time, because this thread did not run, is not made up for.
		 */
		if (now_us() >= next) {
			next = now_us() + PERIOD_US;
			share->n_sent++; /* or wished to: no room is the switch's doing too */
			(void)station_send(s, 0, s->at[0].mac, s->at[1].mac, 1, 0);
			station_flush(s, 0);
		}
		share->n_received += take(s, trouble);
	}
	for (int64_t last = now_us() + DRAIN_US; now_us() < last;)
		share->n_received += take(s, trouble);
}

static int run(struct stations *s, const struct many_options *opt, enum trouble trouble)
{
	struct share alone = {0}, beside = {0};
	int err = s->n_guests < 4 ? -EINVAL : settle(s);

	if (err)
		return err;
	part(s, NONE, opt->ms, &alone);
	part(s, trouble, opt->ms, &beside);
	part(s, trouble, opt->ms, &beside);
	part(s, NONE, opt->ms, &alone);
	printf("{\"alone\":{\"sent\":%" PRIu64 ",\"received\":%" PRIu64
	       "},\"beside\":{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 "},\"trouble\":%" PRIu64
	       "}\n",
	       alone.n_sent, alone.n_received, beside.n_sent, beside.n_received, beside.n_trouble);
	return 0;
}

int mode_hog(struct stations *s, const struct many_options *opt)
{
	return run(s, opt, FULL_RING);
}

int mode_storm(struct stations *s, const struct many_options *opt)
{
	return run(s, opt, BROADCASTS);
}
