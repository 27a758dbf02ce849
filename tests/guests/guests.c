/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guests.c - several guests of one switch, that send each other streams and check what arrives.
 *
 *   guests --guest SOCKET[,OPTION...]... --stream FROM:TO:BYTES[:csum]... [--count N] [--prime]
 *          [--seconds N] [--until FILE] [--stall N] [--blink N] [--mute N] [--leave N] [--pause US]
 *          [--work N]...
 *
 * Guests are numbered from 0 in the order given; their options:
 *
 *   packed nomrg indirect    the ring; header and frame in an indirect table
 *   csum tso                 what the guest takes: unfinished checksums, GSO frames
 *   rx=BYTES parts=N ring=N  receive buffers
 *
 *   --count N    frames of each stream          --prime    make the addresses known first
 *   --seconds N  as many as go in that time instead
 *   --until FILE ... or until FILE is there
 *   --stall N    guest N never gives a receive buffer back
 *   --blink N    guest N stops and starts its rings again and again, in the first half
 *   --mute N     guest N's transmit ring is disabled for the middle third of its frames
 *   --leave N    guest N closes its connection in the middle
 *   --work N     guest N sends frames to nobody, too, which make the switch work
 *   --pause US   between rounds, so that the switch falls asleep
 *
 * One line of JSON tells what became of each stream.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"
#include "vxdp/util.h"

#define GUESTS_MAX   8
#define STREAMS_MAX  16
#define BURST	     32
#define WORK	     8 /* frames to nobody, between bursts */
#define PATIENCE_MS  10000
#define QUIET_MS     400
#define PRIME_MS     3000
#define LOOK_MS	     50 /* how often for --until's file */
#define BLINKS	     100
#define REGION_BYTES (64 << 20)
#define NOBODY	     GUESTS_MAX

struct guest {
	const char *socket;
	bool indirect;
	struct fe_config config;
	struct fe *fe;
	bool gone, works;
	unsigned int n_blinks;
};

struct lab {
	unsigned int n_guests, n_streams;
	struct guest guest[GUESTS_MAX];
	struct stream stream[STREAMS_MAX];
	uint64_t count;
	unsigned int seconds;
	const char *until;
	bool prime;
	bool muted; /* now */
	unsigned int stall, blink, mute, leave, pause_us;
	uint64_t n_stray;
	int64_t last_ms; /* something arrived */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int guest_open(struct guest *g)
{
	int err = fe_open(&g->config, &g->fe);

	if (!err)
		err = fe_sock_connect(g->fe, g->socket, PATIENCE_MS);
	return err ? err : fe_net_start(g->fe);
}

/* Everything in the receive ring. A guest that stalls leaves it there. */
static void receive(struct lab *lab, unsigned int n)
{
	static uint8_t frame[STREAM_MAX];
	struct guest *g = &lab->guest[n];
	struct fe_hdr hdr;
	bool any = false;

	while (n != lab->stall && !g->gone && fe_ring_has_used(fe_rx(g->fe, 0))) {
		int bytes = fe_net_recv(g->fe, 0, &hdr, frame, sizeof(frame));
		struct stream *s;

		any = true;
		if (bytes == -EPROTO)
			break;
		if (bytes <= 0)
			continue;
		s = stream_of(lab->stream, lab->n_streams, frame, (uint32_t)bytes);
		if (s && s->to == n)
			stream_take(s, &hdr, frame, (uint32_t)bytes);
		else
			lab->n_stray++;
	}
	if (!any)
		return;
	lab->last_ms = now_ms();
	fe_net_refill(g->fe, 0);
}

/* A burst of one stream, as far as the ring takes it. Return: frames sent. */
static unsigned int send_some(struct lab *lab, struct stream *s, unsigned int max)
{
	static uint8_t frame[STREAM_MAX];
	struct guest *g = &lab->guest[s->from];
	enum fe_layout layout = g->indirect ? FE_LAYOUT_TWO : FE_LAYOUT_ONE;
	struct fe_hdr hdr;
	unsigned int n = 0;

	for (; !g->gone && n < max; n++) {
		uint32_t bytes = stream_make(s, frame, &hdr);

		if (fe_net_send(g->fe, 0, &hdr, frame, bytes, layout,
				g->indirect ? FE_ADD_INDIRECT : 0))
			break;
		stream_sent(s);
	}
	if (n)
		fe_net_flush(g->fe, 0);
	return n;
}

/* Frames to an address that nobody has: they take the kernel lane. */
static void work(struct guest *g, unsigned int number)
{
	struct stream nobody = {.from = number, .to = UINT8_MAX - 1, .frame_bytes = 60};
	static uint8_t frame[STREAM_MAX];
	struct fe_hdr hdr;

	for (int i = 0; i < WORK; i++) {
		uint32_t bytes = stream_make(&nobody, frame, &hdr);

		if (fe_net_send(g->fe, 0, &hdr, frame, bytes, FE_LAYOUT_ONE, 0))
			break;
	}
	fe_net_flush(g->fe, 0);
}

/* Has all that was sent come? A guest that stalls takes nothing. */
static bool has_come(const struct lab *lab)
{
	for (unsigned int i = 0; i < lab->n_streams; i++) {
		const struct stream *s = &lab->stream[i];

		if (s->to != lab->stall && s->received_bytes < s->sent_bytes)
			return false;
	}
	return true;
}

/* A frame each way, one at a time, so that the switch knows all addresses. */
static void prime(struct lab *lab)
{
	int64_t end;

	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < lab->n_streams; i++) {
			send_some(lab, &lab->stream[i], 1);
			poll(NULL, 0, 20);
			for (unsigned int n = 0; n < lab->n_guests; n++)
				receive(lab, n);
		}
	}
	/* What a busy machine has not delivered yet: it would be out of order later. */
	lab->last_ms = now_ms();
	end = now_ms() + PRIME_MS;
	while (now_ms() - lab->last_ms < QUIET_MS / 2 || (!has_come(lab) && now_ms() < end)) {
		for (unsigned int n = 0; n < lab->n_guests; n++)
			receive(lab, n);
		poll(NULL, 0, 1);
	}
	for (unsigned int i = 0; i < lab->n_streams; i++) {
		struct stream *s = &lab->stream[i];

		s->n_sent = s->n_received = s->received_bytes = s->n_whole = s->n_unfinished = 0;
		s->expected = s->sent_bytes;
	}
}

/* By frames, not by time: whatever the speed, it happens as often, and half of them come after. */
static bool blink_is_due(const struct lab *lab)
{
	unsigned int n = lab->guest[lab->blink].n_blinks;

	return n < BLINKS && lab->stream[0].n_sent >= lab->count / 2 / BLINKS * n;
}

/* Rings stop, and start again with what was in them. */
static int blink(struct lab *lab)
{
	struct guest *g = &lab->guest[lab->blink];
	int err = fe_net_rings_stop(g->fe);

	if (err)
		return err;
	receive(lab, lab->blink);
	g->n_blinks++;
	return fe_net_rings_start(g->fe);
}

/* While it is disabled the back end "must process and discard any TX packets" (vhost-user). */
static int mute(struct lab *lab)
{
	const uint64_t sent = lab->stream[0].n_sent;
	bool wanted = sent > lab->count / 3 && sent <= lab->count / 3 * 2;

	if (wanted == lab->muted)
		return 0;
	lab->muted = wanted;
	return fe_dev_ring_enable(lab->guest[lab->mute].fe, 1, !wanted);
}

static bool sending(struct lab *lab)
{
	bool any = false;

	for (unsigned int i = 0; i < lab->n_streams; i++) {
		struct stream *s = &lab->stream[i];

		if (s->n_sent >= lab->count || lab->guest[s->from].gone)
			continue;
		send_some(lab, s, (unsigned int)MIN(lab->count - s->n_sent, (uint64_t)BURST));
		any = true;
	}
	return any;
}

static void leave(struct lab *lab)
{
	struct guest *g = &lab->guest[lab->leave];

	fe_sock_close(g->fe);
	g->gone = true;
}

/* Has it been long enough? */
static bool is_over(const struct lab *lab, int64_t start)
{
	static int64_t looked;
	const int64_t now = now_ms();

	if (now >= start + 1000 * (int64_t)lab->seconds)
		return true;
	if (!lab->until || now < looked + LOOK_MS)
		return false;
	looked = now;
	return access(lab->until, F_OK) == 0;
}

static int run(struct lab *lab)
{
	int64_t start = now_ms(), end = start + PATIENCE_MS * 2;
	int err = 0;

	lab->last_ms = now_ms();
	if (lab->seconds)
		lab->count = UINT64_MAX;
	while (!err && now_ms() < end && (sending(lab) || now_ms() - lab->last_ms < QUIET_MS)) {
		for (unsigned int n = 0; n < lab->n_guests; n++)
			receive(lab, n);
		for (unsigned int n = 0; n < lab->n_guests; n++)
			if (lab->guest[n].works && lab->count)
				work(&lab->guest[n], n);
		if (lab->blink != NOBODY && blink_is_due(lab))
			err = blink(lab);
		if (!err && lab->mute != NOBODY)
			err = mute(lab);
		if (lab->leave != NOBODY && !lab->guest[lab->leave].gone &&
		    lab->stream[0].n_sent > lab->count / 2)
			leave(lab);
		if (lab->seconds && is_over(lab, start))
			lab->count = 0;
		if (lab->pause_us)
			usleep(lab->pause_us);
	}
	return now_ms() < end ? err : -ETIMEDOUT;
}

static void report(const struct lab *lab)
{
	const char *bad = "";

	printf("{\"streams\":[");
	for (unsigned int i = 0; i < lab->n_streams; i++) {
		const struct stream *s = &lab->stream[i];

		printf("%s{\"from\":%u,\"to\":%u,\"sent\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
		       ",\"received\":%" PRIu64 ",\"received_bytes\":%" PRIu64 ",\"whole\":%" PRIu64
		       ",\"unfinished\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"corrupt\":%" PRIu64
		       ",\"bad_sum\":%" PRIu64 "}",
		       i ? "," : "", s->from, s->to, s->n_sent,
		       s->n_sent * (s->frame_bytes - STREAM_HEADERS), s->n_received,
		       s->received_bytes, s->n_whole, s->n_unfinished, s->n_reordered, s->n_corrupt,
		       s->n_bad_sum);
	}
	for (unsigned int n = 0; n < lab->n_guests; n++)
		if (lab->guest[n].fe && lab->guest[n].fe->n_bad)
			bad = lab->guest[n].fe->bad;
	printf("],\"stray\":%" PRIu64 ",\"blinks\":%u,\"bad\":\"%s\"}\n", lab->n_stray,
	       lab->blink == NOBODY ? 0 : lab->guest[lab->blink].n_blinks, bad);
}

static bool parse_guest(struct lab *lab, char *spec)
{
	struct guest *g = &lab->guest[lab->n_guests++];
	uint64_t *features = &g->config.features;
	char *word;

	if (lab->n_guests > GUESTS_MAX)
		return false;
	fe_config_init(&g->config);
	g->config.region_bytes = REGION_BYTES;
	g->config.tx_buffer_bytes = STREAM_MAX + FE_HDR_BYTES;
	*features |= FE_F(FE_F_CSUM) | FE_F(FE_F_HOST_TSO4);
	g->socket = strtok(spec, ",");
	while ((word = strtok(NULL, ",")) != NULL) {
		if (!strcmp(word, "packed"))
			*features |= FE_F(FE_F_PACKED);
		else if (!strcmp(word, "nomrg"))
			*features &= ~FE_F(FE_F_MRG_RXBUF);
		else if (!strcmp(word, "indirect"))
			g->indirect = true;
		else if (!strcmp(word, "csum"))
			*features |= FE_F(FE_F_GUEST_CSUM);
		else if (!strcmp(word, "tso"))
			*features |= FE_F(FE_F_GUEST_CSUM) | FE_F(FE_F_GUEST_TSO4);
		else if (!strncmp(word, "rx=", 3))
			g->config.rx_buffer_bytes = (uint32_t)atoi(word + 3);
		else if (!strncmp(word, "parts=", 6))
			g->config.rx_parts = (unsigned int)atoi(word + 6);
		else if (!strncmp(word, "ring=", 5))
			g->config.rx_num = g->config.tx_num = (uint16_t)atoi(word + 5);
		else
			return false;
	}
	return g->socket;
}

static bool parse_stream(struct lab *lab, const char *spec)
{
	struct stream *s = &lab->stream[lab->n_streams++];
	char flag[8] = "";

	if (lab->n_streams > STREAMS_MAX)
		return false;
	if (sscanf(spec, "%u:%u:%u:%7s", &s->from, &s->to, &s->frame_bytes, flag) < 3)
		return false;
	s->csum = !strcmp(flag, "csum");
	return s->frame_bytes > STREAM_HEADERS && s->frame_bytes <= STREAM_MAX;
}

static bool parse(int argc, char **argv, struct lab *lab)
{
	static const struct option longs[] = {
		{"guest", 1, 0, 'g'},
		{"stream", 1, 0, 's'},
		{"count", 1, 0, 'n'},
		{"prime", 0, 0, 'p'},
		{"stall", 1, 0, 'S'},
		{"blink", 1, 0, 'b'},
		{"mute", 1, 0, 'm'},
		{"leave", 1, 0, 'l'},
		{"seconds", 1, 0, 't'},
		{"pause", 1, 0, 'u'},
		{"until", 1, 0, 'U'},
		{"work", 1, 0, 'w'},
		{0},
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned int value = optarg ? (unsigned int)atoi(optarg) : 0;

		if (c == 'g')
			ok = parse_guest(lab, optarg);
		else if (c == 's')
			ok = parse_stream(lab, optarg);
		else if (c == 'n')
			lab->count = value;
		else if (c == 'p')
			lab->prime = true;
		else if (c == 'S')
			lab->stall = value;
		else if (c == 'b')
			lab->blink = value;
		else if (c == 'm')
			lab->mute = value;
		else if (c == 'l')
			lab->leave = value;
		else if (c == 't')
			lab->seconds = value;
		else if (c == 'u')
			lab->pause_us = value;
		else if (c == 'w' && value < GUESTS_MAX)
			lab->guest[value].works = true;
		else if (c == 'U')
			lab->until = optarg;
		else
			ok = false;
	}
	for (unsigned int i = 0; ok && i < lab->n_streams; i++)
		ok = lab->stream[i].from < lab->n_guests && lab->stream[i].to < lab->n_guests;
	return ok && lab->n_streams && optind == argc;
}

int main(int argc, char **argv)
{
	static struct lab lab = {
		.count = 1000, .stall = NOBODY, .blink = NOBODY, .mute = NOBODY, .leave = NOBODY};
	int err = 0;

	if (!parse(argc, argv, &lab)) {
		fputs("usage: guests --guest SOCKET[,OPTION...]... --stream FROM:TO:BYTES[:csum]... "
		      "[--count N] [--seconds N] [--until FILE] [--prime] [--stall N] [--blink N] [--mute N] [--leave N] "
		      "[--pause US] [--work N]...\n",
		      stderr);
		return 2;
	}
	stream_init();
	for (unsigned int n = 0; !err && n < lab.n_guests; n++)
		err = guest_open(&lab.guest[n]);
	poll(NULL, 0, 50);
	if (!err && lab.prime)
		prime(&lab);
	if (!err)
		err = run(&lab);
	report(&lab);
	for (unsigned int n = 0; n < lab.n_guests; n++)
		fe_close(&lab.guest[n].fe);
	if (err)
		fprintf(stderr, "guests: %s\n", strerror(-err));
	return err ? 1 : 0;
}
