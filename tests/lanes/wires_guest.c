/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wires_guest.c - several guests, and a station on each of several wires, in one thread.
 *
 *   wires_guest MODE --socket PATH... --wire NETNS:IFACE... [--count N] [--ms N] [--packed]
 *               [--ring N] [--one-station]
 *
 *   echo    N frames from each station to each guest, which sends them back
 *   stream  the same in a steady stream, whatever becomes of it, until standard input ends and
 *           for --ms milliseconds more
 *
 * With --one-station the wires are ways to one station, which uses the first until sending by it
 * fails, then the next, and so on.
 *
 * Frames have a number and a pattern in every byte. Says "ready" on standard error when those that
 * count begin. Prints a JSON object with an entry for each guest and station, and exits 0 if each
 * frame that arrived was whole and came once, no frame of a station came out of another's wire, and
 * the back end broke no rule. "stray" counts frames to a station that came out of another's wire,
 * as they do while its own is not known.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

#include "lane_way.h"

#define GUESTS_MAX  8
#define WIRES_MAX   4
#define PATIENCE_MS 5000
#define PRIME_MS    700 /* by then the addresses are known and the lanes are settled */
#define WINDOW	    16u
#define STREAM_NS   200000 /* between two frames of a flow */

struct options {
	const char *socket[GUESTS_MAX], *wire[WIRES_MAX];
	unsigned int n_guests, n_wires, count, ms;
	bool one_station;
	struct fe_config fe;
};

/* What one station sends to one guest, and back. */
struct flow {
	uint64_t n_sent, n_primes_echoed;
	struct one_way rx, echo;
};

struct guest {
	struct fe *fe;
	uint8_t mac[6];
	struct flow flow[WIRES_MAX]; /* by station */
};

struct lab {
	const struct options *opt;
	unsigned int n_stations, way; /* --one-station: the wire it uses */
	int wire_fd[WIRES_MAX];
	uint8_t station[WIRES_MAX][6];
	uint64_t n_stray, n_crossed;
	uint32_t magic;
	struct guest guest[GUESTS_MAX];
};

#define for_each_flow(lab, g, f)                                                                   \
	for (struct guest *g = (lab)->guest; g < (lab)->guest + (lab)->opt->n_guests; g++)         \
		for (struct flow *f = g->flow; f < g->flow + (lab)->n_stations; f++)

static int station_of(const struct lab *lab, const uint8_t *mac)
{
	for (unsigned int i = 0; i < lab->n_stations; i++)
		if (!memcmp(lab->station[i], mac, 6))
			return (int)i;
	return -1;
}

/* ---- The stations ---- */

static int put(struct lab *lab, unsigned int station, const uint8_t *buf, size_t bytes)
{
	int err;

	if (!lab->opt->one_station)
		return wire_send(lab->wire_fd[station], buf, bytes);
	err = wire_send(lab->wire_fd[lab->way], buf, bytes);
	if (err)
		lab->way = (lab->way + 1) % lab->opt->n_wires;
	return err;
}

static void send_frame(struct lab *lab, struct guest *g, struct flow *f)
{
	unsigned int station = (unsigned int)(f - g->flow);
	uint32_t seq = lab->magic == MAGIC ? (uint32_t)f->n_sent : 0;
	uint8_t buf[FRAME_MAX];
	size_t bytes = frame_make(buf, lab->magic, seq, g->mac, lab->station[station]);

	if (seq < WAY_FRAMES_MAX && !put(lab, station, buf, bytes))
		f->n_sent += lab->magic == MAGIC;
}

/* A frame out of wire number @wire. */
static void take_echo(struct lab *lab, unsigned int wire, const uint8_t *buf, size_t bytes)
{
	const struct frame *f = (const struct frame *)buf;
	int to = station_of(lab, f->dst);

	if (station_of(lab, f->src) >= 0)
		lab->n_crossed++;
	if (to < 0)
		return;
	if (!lab->opt->one_station && (unsigned int)to != wire) {
		lab->n_stray += f->magic == MAGIC;
		return;
	}
	for (unsigned int i = 0; i < lab->opt->n_guests; i++) {
		struct guest *g = &lab->guest[i];

		if (memcmp(f->src, g->mac, 6) != 0)
			continue;
		if (f->magic == MAGIC_PRIME)
			g->flow[to].n_primes_echoed++;
		else
			note(&g->flow[to].echo, buf, bytes);
	}
}

static void take_echoes(struct lab *lab)
{
	uint8_t buf[FRAME_MAX];
	int bytes;

	for (unsigned int i = 0; i < lab->opt->n_wires; i++)
		while ((bytes = wire_recv(lab->wire_fd[i], buf, sizeof(buf))) > 0)
			if (bytes <= (int)sizeof(buf))
				take_echo(lab, i, buf, (size_t)bytes);
}

/* ---- The guests ---- */

static void take_frame(const struct lab *lab, struct guest *g, uint8_t *buf, size_t bytes)
{
	struct frame *f = (struct frame *)buf;
	int from = station_of(lab, f->src);

	if (from < 0)
		return; /* another guest's, to an address nobody knew */
	if (memcmp(f->dst, g->mac, 6) != 0) {
		if (f->magic == MAGIC) /* the first ones are flooded */
			fe_bad(g->fe, "a frame for another guest");
		return;
	}
	if (f->magic == MAGIC)
		note(&g->flow[from].rx, buf, bytes);
	memcpy(f->dst, lab->station[from], 6);
	memcpy(f->src, g->mac, 6);
	while (fe_net_send(g->fe, 0, NULL, buf, bytes, FE_LAYOUT_ONE, 0) == -EAGAIN)
		fe_net_flush(g->fe, 0);
}

/* Everything in the receive ring, sent back. */
static void take(const struct lab *lab, struct guest *g)
{
	struct fe_ring *q = fe_rx(g->fe, 0);
	uint8_t buf[FRAME_MAX];
	const struct frame *f = (const struct frame *)buf;
	bool any = false;

	while (fe_ring_has_used(q)) {
		int bytes = fe_net_recv(g->fe, 0, NULL, buf, sizeof(buf));

		if (bytes == -EPROTO)
			break;
		if (bytes < (int)FRAME_MIN || f->ethertype_be != htons(WIRE_ETHERTYPE))
			continue; /* a buffer that came back empty, or somebody else's frame */
		take_frame(lab, g, buf, (size_t)bytes);
		any = true;
	}
	fe_net_refill(g->fe, 0);
	if (any)
		fe_net_flush(g->fe, 0);
}

static void take_all(struct lab *lab)
{
	for (unsigned int i = 0; i < lab->opt->n_guests; i++)
		take(lab, &lab->guest[i]);
	take_echoes(lab);
}

/* ---- The run ---- */

static void let_settle(struct lab *lab)
{
	for (unsigned int i = 0; i < 10; i++) {
		poll(NULL, 0, 20);
		take_all(lab);
	}
}

/* A frame at a time, until all addresses are known and the lanes are open. */
static int prime(struct lab *lab)
{
	const int64_t end = now_ms() + 2 * PATIENCE_MS, settled = now_ms() + PRIME_MS;
	bool ready = false;

	lab->magic = MAGIC_PRIME;
	while (now_ms() < end && (!ready || now_ms() < settled)) {
		ready = true;
		for_each_flow(lab, g, f)
		{
			send_frame(lab, g, f);
			ready &= f->n_primes_echoed > 0;
		}
		poll(NULL, 0, 5);
		take_all(lab);
		poll(NULL, 0, 5);
		take_all(lab);
	}
	let_settle(lab);
	lab->magic = MAGIC;
	fprintf(stderr, "ready\n");
	return ready ? 0 : -ETIMEDOUT;
}

static void echo(struct lab *lab)
{
	int64_t end = now_ms() + PATIENCE_MS;
	bool done = false;

	while (!done && now_ms() < end) {
		uint64_t n = 0;

		done = true;
		for_each_flow(lab, g, f)
		{
			if (f->n_sent < lab->opt->count && f->n_sent - f->echo.n < WINDOW)
				send_frame(lab, g, f);
			n -= f->echo.n;
		}
		take_all(lab);
		for_each_flow(lab, g, f)
		{
			n += f->echo.n;
			done &= f->echo.n >= lab->opt->count;
		}
		if (n)
			end = now_ms() + PATIENCE_MS;
		else
			fe_ring_wait(fe_rx(lab->guest[0].fe, 0), 1);
	}
}

static bool has_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void stream(struct lab *lab)
{
	int64_t next = now_ns(), end = 0;

	while (!end || now_ms() < end) {
		if (!end && has_ended(STDIN_FILENO))
			end = now_ms() + lab->opt->ms;
		if (now_ns() >= next) {
			for_each_flow(lab, g, f) send_frame(lab, g, f);
			next = now_ns() + STREAM_NS;
		}
		take_all(lab);
	}
}

static int guest_open(struct lab *lab, unsigned int i)
{
	struct guest *g = &lab->guest[i];
	int err = fe_open(&lab->opt->fe, &g->fe);

	if (err)
		return err;
	memcpy(g->mac, (uint8_t[6]){0x02, 0x56, 0, 0, 2, (uint8_t)i}, 6);
	for (unsigned int w = 0; w < WIRES_MAX; w++) {
		if (way_open(&g->flow[w].rx) || way_open(&g->flow[w].echo))
			return -ENOMEM;
	}
	err = fe_sock_connect(g->fe, lab->opt->socket[i], PATIENCE_MS);
	return err ? err : fe_net_start(g->fe);
}

static int wires_open(struct lab *lab)
{
	for (unsigned int i = 0; i < lab->opt->n_wires; i++) {
		memcpy(lab->station[i], (uint8_t[6]){0x02, 0x57, 0, 0, 3, (uint8_t)i}, 6);
		lab->wire_fd[i] = wire_open(lab->opt->wire[i], 0);
		if (lab->wire_fd[i] < 0)
			return lab->wire_fd[i];
	}
	return 0;
}

/* ---- What came of it ---- */

/* Return: number of rules broken. */
static uint64_t report(struct lab *lab)
{
	uint64_t n_bad = lab->n_crossed;
	const char *comma = "";

	printf("{\"stray\":%" PRIu64 ",\"crossed\":%" PRIu64 ",\"flows\":[", lab->n_stray,
	       lab->n_crossed);
	for_each_flow(lab, g, f)
	{
		printf("%s{\"guest\":%d,\"wire\":%d,\"sent\":%" PRIu64 ",\"bad\":\"%s\",", comma,
		       (int)(g - lab->guest), (int)(f - g->flow), f->n_sent, g->fe->bad);
		print_way("received", &f->rx, f->n_sent, STREAM_NS);
		printf(",");
		print_way("echoed", &f->echo, f->n_sent, STREAM_NS);
		printf("}");
		comma = ",";
		n_bad += g->fe->n_bad + f->rx.n_corrupt + f->rx.n_duplicate + f->echo.n_corrupt +
			 f->echo.n_duplicate;
	}
	printf("]}\n");
	return n_bad;
}

static int run(const char *mode, const struct options *opt)
{
	static struct lab lab;
	int err;

	lab.opt = opt;
	lab.n_stations = opt->one_station ? 1 : opt->n_wires;
	err = wires_open(&lab);
	for (unsigned int i = 0; !err && i < opt->n_guests; i++)
		err = guest_open(&lab, i);
	if (!err)
		err = prime(&lab);
	if (err)
		return err;
	if (*mode == 'e')
		echo(&lab);
	else
		stream(&lab);
	let_settle(&lab);
	return report(&lab) ? -EBADMSG : 0;
}

static bool parse(int argc, char **argv, struct options *opt)
{
	static const struct option options[] = {
		{"socket", 1, NULL, 's'}, {"wire", 1, NULL, 'w'}, {"count", 1, NULL, 'c'},
		{"packed", 0, NULL, 'p'}, {"ring", 1, NULL, 'r'}, {"one-station", 0, NULL, 'o'},
		{"ms", 1, NULL, 't'},	  {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && opt->n_guests < GUESTS_MAX)
			opt->socket[opt->n_guests++] = optarg;
		else if (c == 'w' && opt->n_wires < WIRES_MAX)
			opt->wire[opt->n_wires++] = optarg;
		else if (c == 'c')
			opt->count = (unsigned int)atoi(optarg);
		else if (c == 'p')
			opt->fe.features |= FE_F(FE_F_PACKED);
		else if (c == 'r')
			opt->fe.rx_num = opt->fe.tx_num = (uint16_t)atoi(optarg);
		else if (c == 'o')
			opt->one_station = true;
		else if (c == 't')
			opt->ms = (unsigned int)atoi(optarg);
		else
			return false;
	}
	return opt->n_guests && opt->n_wires && opt->count && opt->count < WAY_FRAMES_MAX &&
	       optind == argc - 1;
}

int main(int argc, char **argv)
{
	struct options opt = {.count = 1000, .ms = 500};
	const char *mode;
	int err;

	fe_config_init(&opt.fe);
	mode = parse(argc, argv, &opt) ? argv[optind] : "";
	if (strcmp(mode, "echo") && strcmp(mode, "stream")) {
		fputs("usage: wires_guest echo|stream --socket PATH... --wire NETNS:IFACE... "
		      "[--count N] [--ms N] [--packed] [--ring N] [--one-station]\n",
		      stderr);
		return 2;
	}
	err = run(mode, &opt);
	if (err)
		fprintf(stderr, "wires_guest: %s: %s\n", mode, strerror(-err));
	return err ? 1 : 0;
}
