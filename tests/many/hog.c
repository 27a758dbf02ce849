/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hog.c - one guest misbehaves: do the others notice?
 *
 * Guest 0 sends to guest 1 at a rate below what the switch can do, alone and beside the trouble, in
 * turn. What counts is the share that arrives, beside by alone, in each of these pairs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

#define PERIOD_US 250
#define DRAIN_US  20000
#define TROUBLE	  64 /* frames at a time */
#define PAIRS	  5

enum trouble { NONE, FULL_RING, BROADCASTS };

struct share {
	uint64_t n_sent, n_refused, n_received, n_trouble; /* refused: its ring was full */
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

static void send_burst(struct stations *s, unsigned int n, struct share *share)
{
	for (unsigned int i = 0; i < n; i++) {
		share->n_sent++; /* or wished to: no room is the switch's doing too */
		share->n_refused += station_send(s, 0, s->at[0].mac, s->at[1].mac, 1, 0) != 0;
	}
	station_flush(s, 0);
}

static void part(struct stations *s, enum trouble trouble, const struct many_options *opt,
		 struct share *share)
{
	const unsigned int burst = MAX(opt->rate / (1000000 / PERIOD_US), 1u);
	const int64_t start = now_us(), end = start + opt->ms * 1000ll;
	int64_t next = start;

	s->round++;
	while (now_us() < end) {
		make_trouble(s, trouble, share);
		/* What was not sent in time, because this thread did not run, is not made up for.
		 */
		if (now_us() >= next) {
			next = now_us() + PERIOD_US;
			send_burst(s, burst, share);
		}
		share->n_received += take(s, trouble);
	}
	for (int64_t last = now_us() + DRAIN_US; now_us() < last;)
		share->n_received += take(s, trouble);
}

static double arrived(const struct share *share)
{
	return share->n_sent ? (double)share->n_received / (double)share->n_sent : 0;
}

static void add(struct share *sum, const struct share *share)
{
	sum->n_sent += share->n_sent;
	sum->n_refused += share->n_refused;
	sum->n_received += share->n_received;
	sum->n_trouble += share->n_trouble;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Alone and beside the trouble, in either order. Return: the share that arrived, beside by alone.
 */
static double one_pair(struct stations *s, const struct many_options *opt, enum trouble trouble,
		       bool beside_first, struct share *alone, struct share *beside)
{
	struct share now[2] = {};

	part(s, beside_first ? trouble : NONE, opt, &now[beside_first]);
	part(s, beside_first ? NONE : trouble, opt, &now[!beside_first]);
	add(alone, &now[0]);
	add(beside, &now[1]);
	return arrived(&now[0]) ? arrived(&now[1]) / arrived(&now[0]) : 0;
}

static void print(const char *name, const struct share *share)
{
	printf("\"%s\":{\"sent\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"received\":%" PRIu64 "},",
	       name, share->n_sent, share->n_refused, share->n_received);
}

static int run(struct stations *s, const struct many_options *opt, enum trouble trouble)
{
	struct share alone = {}, beside = {};
	double ratio[PAIRS];
	int err = s->n_guests < 4 ? -EINVAL : settle(s);

	if (err)
		return err;
	for (int i = 0; i < PAIRS; i++)
		ratio[i] = one_pair(s, opt, trouble, i % 2, &alone, &beside);
	qsort(ratio, PAIRS, sizeof(ratio[0]), compare);
	printf("{");
	print("alone", &alone);
	print("beside", &beside);
	printf("\"trouble\":%" PRIu64 ",\"worst\":%.3f,\"median\":%.3f}\n", beside.n_trouble,
	       ratio[0], ratio[PAIRS / 2]);
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
