// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest.c - a well-behaved guest on a vhost-user socket, for tests.
 *
 *   guest --socket PATH [--listen] [--wire NETNS:IFACE] [--frames N] [...]   exchange, then exit
 *   guest --socket PATH [--listen] [--wire NETNS:IFACE] --serve [...]        exchange for ever
 *
 * Without --wire the back end is expected to send all frames back (testpmd, one port, io mode).
 * Prints one line with the counters; exit status 0 if every frame came back, whole, in order and
 * once, and the back end broke no rule.
 *
 * --serve takes commands on standard input, one a line, and answers each with one line:
 *
 *   mark       counters to zero                                        "ok"
 *   check N    go on until N frames were exchanged since the mark,     "exact sent=...
 * returned=..." then wait for those on their way                        or "WRONG sent=..." quit
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"
#include "include/vxdp/util.h"
#include "wire.h"

#define SERVE_BURST	 8
#define SERVE_PAUSE_MS	 4
#define DRAIN_MS	 10000
#define CONNECT_MS	 20000
#define HUGE_PAGE_BYTES	 (2u << 20)
#define EXCHANGE_WAIT_MS 30000

struct options {
	const char *socket, *wire;
	bool listen, serve, trace;
	uint64_t frames;
	unsigned int restarts, reconnects, id, window, frame_bytes;
	int timeout_ms;
	struct fe_config fe;
};

static const char usage[] =
	"usage: guest --socket PATH [--listen] [--wire NETNS:IFACE] [--frames N | --serve]\n"
	"  --packed --in-order --no-mrg --no-event-idx --no-indirect --no-ack --no-kick\n"
	"  --pairs N --ring N --rx-parts N --regions N --region-mb N --hugepages --one-file\n"
	"  --restarts N    stop and start all rings N times on the way\n"
	"  --reconnects N  hang up and connect again N times on the way\n"
	"  --id N --window N --bytes N --timeout SECONDS --trace\n";

static const struct option long_options[] = {
	{"socket", 1, NULL, 's'},	{"wire", 1, NULL, 'w'},
	{"frames", 1, NULL, 'f'},	{"pairs", 1, NULL, 'p'},
	{"ring", 1, NULL, 'r'},		{"rx-parts", 1, NULL, 'x'},
	{"regions", 1, NULL, 'm'},	{"region-mb", 1, NULL, 'M'},
	{"restarts", 1, NULL, 'R'},	{"reconnects", 1, NULL, 'C'},
	{"id", 1, NULL, 'i'},		{"window", 1, NULL, 'W'},
	{"bytes", 1, NULL, 'b'},	{"timeout", 1, NULL, 't'},
	{"listen", 0, NULL, 'l'},	{"serve", 0, NULL, 'S'},
	{"trace", 0, NULL, 'T'},	{"packed", 0, NULL, 'P'},
	{"in-order", 0, NULL, 'O'},	{"no-mrg", 0, NULL, 'G'},
	{"no-event-idx", 0, NULL, 'E'}, {"no-indirect", 0, NULL, 'I'},
	{"no-ack", 0, NULL, 'A'},	{"no-kick", 0, NULL, 'K'},
	{"hugepages", 0, NULL, 'H'},	{"one-file", 0, NULL, 'F'},
	{"help", 0, NULL, 'h'},		{NULL, 0, NULL, 0},
};

static void set_flag(struct options *o, int c)
{
	switch (c) {
	case 'l':
		o->listen = true;
		break;
	case 'S':
		o->serve = true;
		break;
	case 'T':
		o->trace = true;
		break;
	case 'P':
		o->fe.features |= FE_F(FE_F_PACKED);
		break;
	case 'O':
		o->fe.features |= FE_F(FE_F_IN_ORDER);
		break;
	case 'G':
		o->fe.features &= ~FE_F(FE_F_MRG_RXBUF);
		break;
	case 'E':
		o->fe.features &= ~FE_F(FE_F_EVENT_IDX);
		break;
	case 'I':
		o->fe.features &= ~FE_F(FE_F_INDIRECT);
		break;
	case 'A':
		o->fe.protocol_features &= ~FE_PF(FE_PF_REPLY_ACK);
		break;
	case 'K':
		o->fe.no_kick_fd = true;
		break;
	case 'H':
		o->fe.hugepage_bytes = HUGE_PAGE_BYTES;
		break;
	case 'F':
		o->fe.one_file = true;
		break;
	default:
		fputs(usage, c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

static void set_value(struct options *o, int c, const char *text)
{
	unsigned long n = strtoul(text, NULL, 0);

	switch (c) {
	case 's':
		o->socket = text;
		break;
	case 'w':
		o->wire = text;
		break;
	case 'f':
		o->frames = n;
		break;
	case 'p':
		o->fe.pairs = n;
		break;
	case 'r':
		o->fe.rx_num = o->fe.tx_num = n;
		break;
	case 'x':
		o->fe.rx_parts = n;
		break;
	case 'm':
		o->fe.n_regions = n;
		break;
	case 'M':
		o->fe.region_bytes = n << 20;
		break;
	case 'R':
		o->restarts = n;
		break;
	case 'C':
		o->reconnects = n;
		break;
	case 'i':
		o->id = n;
		break;
	case 'W':
		o->window = n;
		break;
	case 'b':
		o->frame_bytes = n;
		break;
	case 't':
		o->timeout_ms = n * 1000;
		break;
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){.frames = 256, .id = 1, .window = 32};
	o->timeout_ms = EXCHANGE_WAIT_MS;
	fe_config_init(&o->fe);
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (optarg)
			set_value(o, c, optarg);
		else
			set_flag(o, c);
	}
	if (!o->socket || !o->window || o->window > EXCHANGE_WINDOW_MAX)
		set_flag(o, '?');
}

static int bring_up(struct fe *fe, const struct options *o, int listen_fd, bool again)
{
	int err;

	if (listen_fd >= 0)
		err = fe_sock_accept(fe, listen_fd, CONNECT_MS);
	else
		err = fe_sock_connect(fe, o->socket, CONNECT_MS);
	if (err) {
		fprintf(stderr, "guest: %s: %s\n", o->socket, strerror(-err));
		return err;
	}
	err = again ? fe_net_reconnect(fe) : fe_net_start(fe);
	if (err)
		fprintf(stderr, "guest: start: %s\n", strerror(-err));
	return err;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void answer_check(struct exchange *x, uint64_t n)
{
	int64_t end_ms = now_ms() + DRAIN_MS;

	while (x->n_returned < n && now_ms() < end_ms)
		if (!exchange_step(x, SERVE_BURST))
			exchange_sleep(x, SERVE_PAUSE_MS);
	exchange_drain(x, DRAIN_MS);
	exchange_print(x, x->n_returned >= n && exchange_exact(x) ? "exact" : "WRONG");
}

/* Returns false at the end of the commands. */
static bool serve_command(struct exchange *x)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0 || !strncmp(line, "quit", 4))
		return false;
	line[n] = '\0';
	if (!strncmp(line, "check", 5)) {
		answer_check(x, strtoull(line + 5, NULL, 0));
	} else {
		exchange_mark(x);
		puts("ok");
		fflush(stdout);
	}
	return true;
}

static int serve(struct exchange *x)
{
	int64_t next_ms = 0;

	if (exchange_prime(x, DRAIN_MS))
		return -ETIMEDOUT;
	fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
	puts("serving");
	fflush(stdout);
	while (serve_command(x)) {
		bool due = now_ms() >= next_ms;

		if (due)
			next_ms = now_ms() + SERVE_PAUSE_MS;
		if (!exchange_step(x, due ? SERVE_BURST : 0))
			exchange_sleep(x, SERVE_PAUSE_MS);
	}
	return 0;
}

static int run(struct exchange *x, const struct options *o, int listen_fd)
{
	unsigned int rounds = 1 + o->restarts + o->reconnects;
	uint64_t n_sent = 0, n_returned = 0;
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		if (i && i <= o->restarts) {
			err = fe_net_rings_stop(x->fe);
			if (!err)
				err = fe_net_rings_start(x->fe);
		} else if (i) {
			err = bring_up(x->fe, o, listen_fd, true);
		}
		if (!err && x->wire_fd >= 0)
			err = exchange_prime(x, o->timeout_ms);
		if (!err)
			err = exchange_run(x, o->frames, o->timeout_ms);
		n_sent += x->n_sent;
		n_returned += x->n_returned;
	}
	exchange_print(x, err ? "WRONG" : "exact");
	if (rounds > 1)
		printf("in all sent=%" PRIu64 " returned=%" PRIu64 "\n", n_sent, n_returned);
	return err;
}

int main(int argc, char **argv)
{
	int listen_fd = -1, wire_fd = -1, err;
	struct fe *fe = NULL;
	struct exchange x;
	struct options o;

	parse(&o, argc, argv);
	if (o.wire && (wire_fd = wire_open(o.wire, 0)) < 0) {
		fprintf(stderr, "guest: %s: %s\n", o.wire, strerror(-wire_fd));
		return 1;
	}
	if (o.listen && (listen_fd = fe_sock_listen(o.socket)) < 0) {
		fprintf(stderr, "guest: %s: %s\n", o.socket, strerror(-listen_fd));
		return 1;
	}
	err = fe_open(&o.fe, &fe);
	if (err) {
		fprintf(stderr, "guest: memory: %s\n", strerror(-err));
		return 1;
	}
	fe->trace = o.trace;
	err = bring_up(fe, &o, listen_fd, false);
	if (!err) {
		exchange_init(&x, fe, wire_fd, o.id);
		x.window = MIN(o.window, o.fe.rx_num); /* no loss for want of a buffer */
		x.frame_bytes = o.frame_bytes;
		x.all_layouts = true;
		err = o.serve ? serve(&x) : run(&x, &o, listen_fd);
	}
	fe_close(&fe);
	return err ? 1 : 0;
}
