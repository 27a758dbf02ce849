/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shared_guest.c - several guests behind one NIC, and the wire beside them, in one thread.
 *
 *   shared_guest MODE --socket PATH... --wire NETNS:IFACE [--count N] [--packed] [--ring N]
 *                [--pairs N] [--ms N] [--stuck] [--full-rate]
 *                [--cold]
 *
 *   echo    N frames to each guest in turn, which sends them back; with --stuck the last guest
 *           takes none of them
 *   moves   a steady stream to the first guest and back, while the second one comes and goes N
 *           times: up for --ms milliseconds, and then away for as long and a second more; with
 *           --full-rate not steady, but as fast as it goes
 *   stream  the same for --ms milliseconds, while the others take nothing and stay; with --cold
 *           from the first frame on, when nobody knows the guest's address yet
 *
 * At full rate the thread stays on one CPU, as the frames of a NIC queue do: a veth's are received
 * by the CPU that sends them.
 *
 *   visit   the first guest alone comes and goes N times, with no traffic of ours
 *
 * Frames have a number and a pattern in every byte. Prints a JSON object with an entry for each
 * guest, and exits 0 if each frame that arrived was whole and came once, and the back end broke no
 * rule. "reordered" counts frames that came after one with a higher number, "hole_ms" is the
 * longest part of the stream that was lost in one piece.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

#include "lane_way.h"

#define GUESTS_MAX  16
#define PATIENCE_MS 5000
#define PRIME_MS    700 /* by then the addresses are known and the lanes are settled */
#define WINDOW	    32u
#define STREAM_NS   100000 /* between two frames of the stream */
#define FULL_BURST  64	   /* frames of it at a time, at full rate */
#define AWAY_MS	    1000   /* for as long a guest that went is still expected back */

static const uint8_t wire_mac[6] = {0x02, 0x57, 0, 0, 0, 3};

struct options {
	const char *socket[GUESTS_MAX], *wire;
	unsigned int n_guests, count, ms;
	bool stuck, full_rate, cold;
	struct fe_config fe;
};

struct guest {
	struct fe *fe;
	uint8_t mac[6];
	uint64_t n_sent, n_primes_sent, n_primes_received, n_primes_echoed;
	struct one_way rx, echo;
};

struct lab {
	const struct options *opt;
	int wire_fd;
	uint32_t magic;
	struct guest guest[GUESTS_MAX];
};

static void send_frame(struct lab *lab, struct guest *g, uint32_t seq)
{
	uint8_t buf[FRAME_MAX];
	size_t bytes = frame_make(buf, lab->magic, seq, g->mac, wire_mac);

	if (wire_send(lab->wire_fd, buf, bytes))
		return;
	g->n_sent += lab->magic == MAGIC;
	g->n_primes_sent += lab->magic == MAGIC_PRIME;
}

static void send_back(struct guest *g, unsigned int pair, uint8_t *buf, size_t bytes)
{
	struct frame *f = (struct frame *)buf;

	memcpy(f->dst, wire_mac, 6);
	memcpy(f->src, g->mac, 6);
	while (fe_net_send(g->fe, pair, NULL, buf, bytes, FE_LAYOUT_ONE, 0) == -EAGAIN)
		fe_net_flush(g->fe, pair);
}

/* Everything in one receive ring, sent back. */
static void take_pair(struct guest *g, unsigned int pair)
{
	struct fe_ring *q = fe_rx(g->fe, pair);
	uint8_t buf[FRAME_MAX];
	const struct frame *f = (const struct frame *)buf;
	unsigned int n = 0;

	while (fe_ring_has_used(q)) {
		int bytes = fe_net_recv(g->fe, pair, NULL, buf, sizeof(buf));

		if (bytes == -EPROTO)
			break;
		if (bytes < (int)FRAME_MIN || f->ethertype_be != htons(WIRE_ETHERTYPE))
			continue; /* a buffer that came back empty, or somebody else's frame */
		if (memcmp(f->dst, g->mac, 6) != 0) {
			if (f->magic == MAGIC) /* the first ones are flooded */
				fe_bad(g->fe, "a frame for another guest");
			continue;
		}
		if (f->magic == MAGIC_PRIME)
			g->n_primes_received++;
		else
			note(&g->rx, buf, (size_t)bytes);
		send_back(g, pair, buf, (size_t)bytes);
		n++;
	}
	fe_net_refill(g->fe, pair);
	if (n)
		fe_net_flush(g->fe, pair);
}

static void take(struct guest *g)
{
	for (unsigned int i = 0; i < g->fe->config.pairs; i++)
		take_pair(g, i);
}

static void take_echoes(struct lab *lab)
{
	uint8_t buf[FRAME_MAX];
	const struct frame *f = (const struct frame *)buf;
	int bytes;

	while ((bytes = wire_recv(lab->wire_fd, buf, sizeof(buf))) > 0) {
		for (unsigned int i = 0; i < lab->opt->n_guests; i++) {
			struct guest *g = &lab->guest[i];

			if (memcmp(f->dst, wire_mac, 6) || memcmp(f->src, g->mac, 6))
				continue;
			if (f->magic == MAGIC_PRIME)
				g->n_primes_echoed++;
			else
				note(&g->echo, buf, (size_t)bytes);
		}
	}
}

static void wait_a_bit(struct guest *g)
{
	fe_ring_wait(fe_rx(g->fe, 0), 1);
}

/* A frame at a time, until all addresses are known and the lanes are open. */
static int prime(struct lab *lab, unsigned int n_guests)
{
	const int64_t end = now_ms() + 2 * PATIENCE_MS, settled = now_ms() + PRIME_MS;
	bool ready = false;

	lab->magic = MAGIC_PRIME;
	while (now_ms() < end && (!ready || now_ms() < settled)) {
		ready = true;
		for (unsigned int i = 0; i < n_guests; i++)
			send_frame(lab, &lab->guest[i], 0);
		poll(NULL, 0, 5);
		for (unsigned int i = 0; i < n_guests; i++) {
			take(&lab->guest[i]);
			ready &= lab->guest[i].n_primes_echoed > 0;
		}
		poll(NULL, 0, 5);
		take_echoes(lab);
	}
	poll(NULL, 0, 100);
	for (unsigned int i = 0; i < n_guests; i++)
		take(&lab->guest[i]);
	poll(NULL, 0, 50);
	take_echoes(lab);
	lab->magic = MAGIC;
	return ready ? 0 : -ETIMEDOUT;
}

static bool is_stuck(const struct lab *lab, unsigned int guest)
{
	return lab->opt->stuck && guest == lab->opt->n_guests - 1;
}

static uint64_t least_echoed(const struct lab *lab)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < lab->opt->n_guests - lab->opt->stuck; i++)
		least = MIN(least, lab->guest[i].echo.n);
	return least;
}

static int echo(struct lab *lab)
{
	const struct options *opt = lab->opt;
	int64_t end;
	int err = prime(lab, opt->n_guests);

	if (err)
		return err;
	end = now_ms() + PATIENCE_MS;
	while (least_echoed(lab) < opt->count && now_ms() < end) {
		uint64_t before = least_echoed(lab);
		bool sent = false;

		for (unsigned int i = 0; i < opt->n_guests; i++) {
			struct guest *g = &lab->guest[i];

			if (g->n_sent < opt->count &&
			    (is_stuck(lab, i) || g->n_sent - g->echo.n < WINDOW)) {
				send_frame(lab, g, (uint32_t)g->n_sent);
				sent = true;
			}
			if (!is_stuck(lab, i))
				take(g);
		}
		if (!sent)
			wait_a_bit(&lab->guest[0]);
		take_echoes(lab);
		if (least_echoed(lab) != before)
			end = now_ms() + PATIENCE_MS;
	}
	poll(NULL, 0, 50);
	for (unsigned int i = 0; i < opt->n_guests - opt->stuck; i++)
		take(&lab->guest[i]); /* doubles */
	return 0;
}

/* Some more of the stream, if it is time. */
static void send_more(struct lab *lab, struct guest *g, int64_t *next)
{
	if (lab->opt->full_rate) {
		for (int i = 0; i < FULL_BURST && g->n_sent < WAY_FRAMES_MAX; i++)
			send_frame(lab, g, (uint32_t)g->n_sent);
	} else if (now_ns() >= *next && g->n_sent < WAY_FRAMES_MAX) {
		send_frame(lab, g, (uint32_t)g->n_sent);
		*next = now_ns() + STREAM_NS;
	}
}

/* The stream goes on for @ms, and until @done; the second guest is served if it is @there. */
static void stream(struct lab *lab, int64_t ms, const bool *done, bool there)
{
	const int64_t end = now_ms() + ms;
	struct guest *g = &lab->guest[0];
	int64_t next = now_ns();

	while (now_ms() < end || (done && !load_acquire(done))) {
		send_more(lab, g, &next);
		take(g);
		if (there)
			take(&lab->guest[1]);
		take_echoes(lab);
	}
}

static int arrive(struct guest *g, const char *socket)
{
	int err = fe_sock_connect(g->fe, socket, PATIENCE_MS);

	return err ? err : fe_net_start(g->fe);
}

static int comes_back(struct guest *g, const char *socket)
{
	int err = fe_sock_connect(g->fe, socket, PATIENCE_MS);

	return err ? err : fe_net_reconnect(g->fe);
}

/* The second guest, on its way in: the stream does not wait for it. */
struct visit {
	struct guest *guest;
	const char *socket;
	bool again, done;
	int err;
};

static void *visitor_main(void *arg)
{
	struct visit *v = arg;

	v->err = v->again ? comes_back(v->guest, v->socket) : arrive(v->guest, v->socket);
	store_release(&v->done, true);
	return NULL;
}

static int move(struct lab *lab, bool again)
{
	const struct options *opt = lab->opt;
	struct visit visit = {&lab->guest[1], opt->socket[1], again, false, 0};
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, visitor_main, &visit);

	if (err)
		return err;
	stream(lab, 0, &visit.done, false);
	pthread_join(thread, NULL);
	if (visit.err)
		return visit.err;
	stream(lab, opt->ms, NULL, true);
	fe_sock_close(lab->guest[1].fe);
	stream(lab, opt->ms + AWAY_MS, NULL, false);
	return 0;
}

/* What is still on its way. */
static void settle(struct lab *lab)
{
	for (int quiet = 0; quiet < 10; quiet++) {
		uint64_t before = lab->guest[0].rx.n + lab->guest[0].echo.n;

		poll(NULL, 0, 20);
		take(&lab->guest[0]);
		take_echoes(lab);
		if (lab->guest[0].rx.n + lab->guest[0].echo.n != before)
			quiet = 0;
	}
}

static int moves(struct lab *lab)
{
	int err = prime(lab, 1);

	if (!err)
		stream(lab, lab->opt->ms, NULL, false);
	for (unsigned int i = 0; !err && i < lab->opt->count; i++)
		err = move(lab, i);
	if (!err)
		settle(lab);
	return err;
}

static int stay(struct lab *lab)
{
	int err = 0;

	lab->magic = MAGIC;
	if (lab->opt->cold)
		poll(NULL, 0, PRIME_MS);
	else
		err = prime(lab, lab->opt->n_guests);
	if (!err)
		stream(lab, lab->opt->ms, NULL, false);
	settle(lab);
	return err;
}

static int visit(struct lab *lab)
{
	const struct options *opt = lab->opt;
	int err = 0;

	for (unsigned int i = 0; !err && i < opt->count; i++) {
		err = i ? comes_back(&lab->guest[0], opt->socket[0])
			: arrive(&lab->guest[0], opt->socket[0]);
		if (!err)
			poll(NULL, 0, (int)opt->ms);
		fe_sock_close(lab->guest[0].fe);
		poll(NULL, 0, (int)opt->ms + AWAY_MS);
	}
	return err;
}

static int guest_open(struct lab *lab, unsigned int i)
{
	struct guest *g = &lab->guest[i];
	int err = fe_open(&lab->opt->fe, &g->fe);

	if (err)
		return err;
	memcpy(g->mac, (uint8_t[6]){0x02, 0x56, 0, 0, 1, (uint8_t)i}, 6);
	return way_open(&g->rx) || way_open(&g->echo) ? -ENOMEM : 0;
}

/* Return: number of rules broken. */
static unsigned int report(const struct lab *lab)
{
	unsigned int n_bad = 0;

	printf("{\"guests\":[");
	for (unsigned int i = 0; i < lab->opt->n_guests; i++) {
		const struct guest *g = &lab->guest[i];

		printf("%s{\"sent\":%" PRIu64 ",\"primed\":%" PRIu64 ",\"primed_lost\":%" PRIu64
		       ",\"primed_echoed\":%" PRIu64 ",\"bad\":\"%s\",",
		       i ? "," : "", g->n_sent, g->n_primes_received,
		       g->n_primes_sent - g->n_primes_received, g->n_primes_echoed, g->fe->bad);
		print_way("received", &g->rx, g->n_sent, STREAM_NS);
		printf(",");
		print_way("echoed", &g->echo, g->n_sent, STREAM_NS);
		printf("}");
		n_bad += g->fe->n_bad + (g->rx.n_corrupt + g->rx.n_duplicate + g->echo.n_corrupt +
						 g->echo.n_duplicate !=
					 0);
	}
	printf("]}\n");
	return n_bad;
}

/* The last CPU: vxdp is given the first ones. */
static int stay_on_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((unsigned int)sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

static int run(const char *mode, const struct options *opt)
{
	static struct lab lab;
	int err = opt->full_rate ? stay_on_cpu() : 0;
	unsigned int n_there = *mode == 'm' ? 1 : opt->n_guests;

	lab.opt = opt;
	lab.wire_fd = opt->wire ? wire_open(opt->wire, 0) : -1;
	if (opt->wire && lab.wire_fd < 0)
		return lab.wire_fd;
	for (unsigned int i = 0; !err && i < opt->n_guests; i++)
		err = guest_open(&lab, i);
	if (strcmp(mode, "visit") != 0)
		for (unsigned int i = 0; !err && i < n_there; i++)
			err = arrive(&lab.guest[i], opt->socket[i]);
	if (!err)
		err = *mode == 'e'   ? echo(&lab)
		      : *mode == 'm' ? moves(&lab)
		      : *mode == 's' ? stay(&lab)
				     : visit(&lab);
	if (!err && report(&lab))
		err = -EBADMSG;
	return err;
}

static bool parse(int argc, char **argv, struct options *opt)
{
	static const struct option options[] = {
		{"socket", 1, NULL, 's'}, {"wire", 1, NULL, 'w'},  {"count", 1, NULL, 'c'},
		{"packed", 0, NULL, 'p'}, {"ring", 1, NULL, 'r'},  {"pairs", 1, NULL, 'q'},
		{"ms", 1, NULL, 't'},	  {"stuck", 0, NULL, 'k'}, {"full-rate", 0, NULL, 'f'},
		{"cold", 0, NULL, 'C'},	  {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && opt->n_guests < GUESTS_MAX)
			opt->socket[opt->n_guests++] = optarg;
		else if (c == 'w')
			opt->wire = optarg;
		else if (c == 'c')
			opt->count = (unsigned int)atoi(optarg);
		else if (c == 'p')
			opt->fe.features |= FE_F(FE_F_PACKED);
		else if (c == 'r')
			opt->fe.rx_num = opt->fe.tx_num = (uint16_t)atoi(optarg);
		else if (c == 'q')
			opt->fe.pairs = (unsigned int)atoi(optarg);
		else if (c == 'k')
			opt->stuck = true;
		else if (c == 'C')
			opt->cold = true;
		else if (c == 'f')
			opt->full_rate = true;
		else if (c == 't')
			opt->ms = (unsigned int)atoi(optarg);
		else
			return false;
	}
	return opt->n_guests && opt->count && opt->count < WAY_FRAMES_MAX && optind == argc - 1;
}

int main(int argc, char **argv)
{
	struct options opt = {.count = 1000, .ms = 300};
	const char *mode;
	int err;

	fe_config_init(&opt.fe);
	mode = parse(argc, argv, &opt) ? argv[optind] : "";
	if ((strcmp(mode, "echo") && strcmp(mode, "moves") && strcmp(mode, "stream") &&
	     strcmp(mode, "visit")) ||
	    (!opt.wire && *mode != 'v') || (*mode == 'm' && opt.n_guests != 2)) {
		fputs("usage: shared_guest echo|moves|stream|visit --socket PATH... --wire NETNS:IFACE "
		      "[--count N] [--packed] [--ring N] [--pairs N] [--ms N] [--stuck] [--full-rate] [--cold]\n",
		      stderr);
		return 2;
	}
	err = run(mode, &opt);
	if (err)
		fprintf(stderr, "shared_guest: %s: %s\n", mode, strerror(-err));
	return err ? 1 : 0;
}
