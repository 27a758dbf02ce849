/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kicks.c - how often does a guest have to kick a switch that is awake?
 *
 *   kicks --socket PATH --socket PATH [--packed] [--no-event-idx] [--rounds N]
 *
 * A round has two parts. First frames go about as far apart as an idle worker goes on polling, so
 * that some come just while it gets ready to sleep. Then a frame goes whenever the one before it
 * has arrived: the worker is awake all the time, and whoever kicks it now makes a system call for
 * nothing. Prints how many frames the second parts had, and the kicks of both guests in them.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

#define FRAME_BYTES 60
#define APART	    200	  /* frames in the first part of a round */
#define APART_NS    18000 /* between two of those, and up to ... */
#define APART_MORE  6000  /* ... as much more */
#define CLOSE	    1000  /* frames in the second part */
#define ARRIVE_NS   500000000
#define CONNECT_MS  10000
#define PRIME_MS    5000
#define SETTLE_MS   1000

struct lab {
	const char *socket[2];
	struct fe_config config;
	struct fe *fe[2];
	unsigned int n_sockets, n_rounds, random;
	uint64_t n_sent, n_lost, n_kicks;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Guest @from's frame to the other one. */
static void send_frame(struct lab *lab, unsigned int from)
{
	uint8_t frame[FRAME_BYTES] = {0x02, 0x4b, 0, 0, 0, (uint8_t)!from,
				      0x02, 0x4b, 0, 0, 0, (uint8_t)from,
				      0x88, 0xb5};

	fe_net_send(lab->fe[from], 0, NULL, frame, sizeof(frame), FE_LAYOUT_ONE, 0);
	fe_net_flush(lab->fe[from], 0);
}

/* Frames of ours that have come to guest @to. */
static unsigned int take(struct lab *lab, unsigned int to)
{
	uint8_t frame[2048];
	unsigned int n = 0;

	while (fe_ring_has_used(fe_rx(lab->fe[to], 0))) {
		int bytes = fe_net_recv(lab->fe[to], 0, NULL, frame, sizeof(frame));

		if (bytes == -EPROTO)
			break;
		n += bytes >= FRAME_BYTES && frame[1] == 0x4b && frame[12] == 0x88;
	}
	if (n)
		fe_net_refill(lab->fe[to], 0);
	return n;
}

static bool arrives(struct lab *lab)
{
	const int64_t end = now_ns() + ARRIVE_NS;

	while (!take(lab, 1))
		if (now_ns() > end)
			return false;
	return true;
}

/* Frames both ways, until the addresses are known and the lanes are settled. */
static int prime(struct lab *lab)
{
	const int64_t end = now_ns() + PRIME_MS * 1000000ll;
	const int64_t settled = now_ns() + SETTLE_MS * 1000000ll;
	unsigned int n[2] = {};

	while (n[0] < 5 || n[1] < 5 || now_ns() < settled) {
		if (now_ns() > end)
			return -ETIMEDOUT;
		for (unsigned int i = 0; i < 2; i++)
			send_frame(lab, i);
		poll(NULL, 0, 20);
		for (unsigned int i = 0; i < 2; i++)
			n[i] += take(lab, i);
	}
	return 0;
}

static void apart(struct lab *lab)
{
	for (int i = 0; i < APART; i++) {
		const int64_t next = now_ns() + APART_NS + rand_r(&lab->random) % APART_MORE;

		send_frame(lab, 0);
		while (now_ns() < next)
			take(lab, 1);
	}
	poll(NULL, 0, 0);
	while (take(lab, 1))
		;
}

static uint64_t kicks(const struct lab *lab)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < 2; i++)
		n += fe_rx(lab->fe[i], 0)->n_kicks + fe_tx(lab->fe[i], 0)->n_kicks;
	return n;
}

static void close_together(struct lab *lab)
{
	const uint64_t before = kicks(lab);

	for (int i = 0; i < CLOSE; i++) {
		send_frame(lab, 0);
		lab->n_sent++;
		lab->n_lost += !arrives(lab);
	}
	lab->n_kicks += kicks(lab) - before;
}

static int run(struct lab *lab)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < 2; i++) {
		err = fe_open(&lab->config, &lab->fe[i]) ?:
			      fe_sock_connect(lab->fe[i], lab->socket[i], CONNECT_MS) ?:
			      fe_net_start(lab->fe[i]);
	}
	err = err ?: prime(lab);
	for (unsigned int i = 0; !err && i < lab->n_rounds; i++) {
		apart(lab);
		close_together(lab);
	}
	printf("{\"sent\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"kicks\":%" PRIu64 "}\n", lab->n_sent,
	       lab->n_lost, lab->n_kicks);
	for (unsigned int i = 0; i < 2; i++) {
		if (lab->fe[i] && lab->fe[i]->n_bad) {
			fprintf(stderr, "kicks: %s\n", lab->fe[i]->bad);
			err = err ?: -EPROTO;
		}
		fe_close(&lab->fe[i]);
	}
	return err;
}

static bool parse(int argc, char **argv, struct lab *lab)
{
	static const struct option longs[] = {
		{"socket", 1, 0, 's'},
		{"packed", 0, 0, 'p'},
		{"no-event-idx", 0, 0, 'e'},
		{"rounds", 1, 0, 'r'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's' && lab->n_sockets < 2)
			lab->socket[lab->n_sockets++] = optarg;
		else if (c == 'p')
			lab->config.features |= FE_F(FE_F_PACKED);
		else if (c == 'e')
			lab->config.features &= ~FE_F(FE_F_EVENT_IDX);
		else if (c == 'r')
			lab->n_rounds = (unsigned int)atoi(optarg);
		else
			return false;
	}
	return lab->n_sockets == 2 && optind == argc;
}

int main(int argc, char **argv)
{
	static struct lab lab = {.n_rounds = 100, .random = 1};
	int err;

	fe_config_init(&lab.config);
	if (!parse(argc, argv, &lab)) {
		fputs("usage: kicks --socket PATH --socket PATH [--packed] [--no-event-idx] "
		      "[--rounds N]\n",
		      stderr);
		return 2;
	}
	err = run(&lab);
	if (err)
		fprintf(stderr, "kicks: %s\n", strerror(-err));
	return err ? 1 : 0;
}
