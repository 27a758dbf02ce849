/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_guest.c - a guest on a real NIC, and the other machine on its wire.
 *
 *   lab_guest MODE --socket PATH --wire NETNS:IFACE [--count N] [--mac M] [--tag N] [--flows N]
 *             [--hugepages] [--packed] [--pairs N] [--rx-bytes N] [--foreign MAC] [--marker N]
 *             [--go FILE]
 *
 *   echo    N frames to the guest and back, every byte compared
 *   follow  a frame every few milliseconds until a signal ends it; prints a line of JSON four times
 *           a second, so that one sees when traffic stops and returns
 *   scan    N frames to the guest, and N with the marker as their tag from the wire to the MAC
 *           address that is not the guest's; then looks for both tags in all of the guest's memory
 *
 * Before that, frames go one at a time, until FILE exists: a NIC loses what it has when a lane is
 * opened on its queues.
 *
 * Prints one JSON object. Exit status 0: no frame was damaged, and the back end broke no rule.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/vxdp/util.h"
#include "tests/hostile/wire.h"
#include "tests/lib/frontend.h"
#include "tests/testpmd/frame.h"

#define FRAME_MAX	1514u
#define HUGEPAGE_BYTES	(2u << 20)
#define CONNECT_MS	10000
#define PRIME_MS	30000 /* a NIC that lost its carrier because of XDP needs some seconds */
#define SETTLE_MS	300
#define PRIME_PAUSE_MS	20
#define WINDOW		16u
#define LOST_MS		2000 /* a window of frames without an answer for so long is lost */
#define TRIES_MAX	5
#define FOLLOW_PAUSE_MS 5
#define FOLLOW_LINE_MS	250
#define TAG_PRIME	0x7072696du
#define TAG_DEFAULT	0x6c616231u
#define MARKER_DEFAULT	0x5ec4e75au
#define LINGER_MS	500

struct options {
	const char *socket, *wire, *go;
	unsigned int count;
	uint32_t tag, marker;
	unsigned int n_flows;
	uint8_t mac[6], foreign[6];
	struct fe_config fe;
};

struct lab {
	const struct options *opt;
	struct fe *fe;
	int wire_fd;
	struct frame_spec spec;
	uint64_t n_sent, n_received, n_echoed, n_corrupt, n_lost, n_own, n_foreign;
};

static const uint8_t wire_mac[6] = {0x02, 0x57, 0, 0, 0, 9};
static volatile sig_atomic_t is_ended;

static void on_signal(int number)
{
	is_ended = number;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static int wire_frame(struct lab *lab, const struct frame_spec *spec, uint32_t seq)
{
	uint8_t buf[FRAME_MAX_BYTES];
	size_t bytes = frame_build(spec, seq, buf);

	return wire_send(lab->wire_fd, buf, bytes);
}

static void send_back(struct lab *lab, unsigned int pair, uint8_t *buf, size_t bytes)
{
	memcpy(buf, wire_mac, 6);
	memcpy(buf + 6, lab->opt->mac, 6);
	for (int i = 0; i < 1000; i++) {
		if (fe_net_send(lab->fe, pair, NULL, buf, bytes, FE_LAYOUT_ONE, 0) != -EAGAIN)
			break;
		fe_net_flush(lab->fe, pair);
		poll(NULL, 0, 1);
	}
}

/* The guest sends back whatever comes for it. */
static unsigned int guest_turn(struct lab *lab)
{
	uint8_t buf[FRAME_MAX_BYTES];
	unsigned int n = 0;
	uint32_t seq;

	for (unsigned int pair = 0; pair < lab->opt->fe.pairs; pair++) {
		unsigned int before = n;

		while (fe_ring_has_used(fe_rx(lab->fe, pair))) {
			int bytes = fe_net_recv(lab->fe, pair, NULL, buf, sizeof(buf));

			if (bytes == -EPROTO)
				break;
			if (bytes <= 0 || memcmp(buf, lab->opt->mac, 6) != 0)
				continue;
			lab->n_received += frame_seq(&lab->spec, buf, (size_t)bytes, &seq);
			send_back(lab, pair, buf, (size_t)bytes);
			n++;
		}
		fe_net_refill(lab->fe, pair);
		if (n != before)
			fe_net_flush(lab->fe, pair);
	}
	return n;
}

/* What came back to the wire. Return: frames of @spec. */
static unsigned int wire_turn(struct lab *lab, const struct frame_spec *spec)
{
	uint8_t buf[FRAME_MAX_BYTES];
	unsigned int n = 0;
	uint32_t seq;
	int bytes;

	while ((bytes = wire_recv(lab->wire_fd, buf, sizeof(buf))) > 0) {
		if (memcmp(buf, wire_mac, 6) != 0 || memcmp(buf + 6, lab->opt->mac, 6) != 0)
			continue;
		if (!frame_seq(spec, buf, (size_t)bytes, &seq))
			continue;
		if (frame_echo_ok(spec, seq, buf, (size_t)bytes))
			n++;
		else
			lab->n_corrupt++;
	}
	return n;
}

/* Sleeps until one of the two ends has something, at most @ms. */
static void either_waits(struct lab *lab, int ms)
{
	struct pollfd fds[1 + FE_PAIRS_MAX] = {{.fd = lab->wire_fd, .events = POLLIN}};
	unsigned int n = 1;

	for (unsigned int pair = 0; pair < lab->opt->fe.pairs; pair++) {
		fe_ring_call_on(fe_rx(lab->fe, pair));
		if (fe_ring_has_used(fe_rx(lab->fe, pair)))
			ms = 0;
		fds[n++] = (struct pollfd){.fd = fe_rx(lab->fe, pair)->call_fd, .events = POLLIN};
	}
	poll(fds, n, ms);
	for (unsigned int i = 1; i < n; i++) {
		uint64_t events;

		if (fds[i].revents & POLLIN && read(fds[i].fd, &events, sizeof(events)) < 0)
			continue;
	}
}

static bool may_go(const struct lab *lab)
{
	return !lab->opt->go || access(lab->opt->go, F_OK) == 0;
}

/* One frame at a time, both ways, until the addresses are known and the lane is open. */
static int prime(struct lab *lab)
{
	const int64_t end = now_ms() + PRIME_MS;
	struct frame_spec spec = lab->spec;
	int64_t settled = 0;

	spec.tag = TAG_PRIME;
	for (uint32_t seq = 0; now_ms() < end && !is_ended; seq++) {
		wire_frame(lab, &spec, seq);
		either_waits(lab, PRIME_PAUSE_MS);
		guest_turn(lab);
		either_waits(lab, PRIME_PAUSE_MS);
		if (wire_turn(lab, &spec) && !settled && may_go(lab))
			settled = now_ms() + SETTLE_MS;
		if (settled && now_ms() > settled)
			break;
	}
	return settled ? 0 : -ETIMEDOUT;
}

/* @count frames, a window of them on the way; gives up when several windows in a row are lost. */
static void echo(struct lab *lab)
{
	int64_t patience = now_ms() + LOST_MS;
	uint64_t done = 0;
	int n_tries = 0;

	while (done < lab->opt->count && n_tries < TRIES_MAX && !is_ended) {
		unsigned int got;

		while (lab->n_sent < lab->opt->count && lab->n_sent - done < WINDOW)
			if (!wire_frame(lab, &lab->spec, (uint32_t)lab->n_sent))
				lab->n_sent++;
		either_waits(lab, PRIME_PAUSE_MS);
		guest_turn(lab);
		got = wire_turn(lab, &lab->spec);
		lab->n_echoed += got;
		done += got;
		if (got) {
			patience = now_ms() + LOST_MS;
			n_tries = 0;
		} else if (now_ms() > patience) {
			lab->n_lost += lab->n_sent - done;
			done = lab->n_sent;
			patience = now_ms() + LOST_MS;
			n_tries++;
		}
	}
}

static void follow(struct lab *lab)
{
	int64_t line_at = now_ms() + FOLLOW_LINE_MS, send_at = now_ms();
	uint64_t n_before = 0;

	while (!is_ended) {
		if (now_ms() >= send_at) {
			lab->n_sent += !wire_frame(lab, &lab->spec, (uint32_t)lab->n_sent);
			send_at = now_ms() + FOLLOW_PAUSE_MS;
		}
		either_waits(lab, FOLLOW_PAUSE_MS);
		guest_turn(lab);
		lab->n_echoed += wire_turn(lab, &lab->spec);
		if (now_ms() < line_at)
			continue;
		printf("{\"echoed\":%" PRIu64 "}\n", lab->n_echoed - n_before);
		fflush(stdout);
		n_before = lab->n_echoed;
		line_at = now_ms() + FOLLOW_LINE_MS;
	}
}

static uint64_t count_tag(const struct lab *lab, uint32_t tag)
{
	const uint8_t bytes[4] = {(uint8_t)(tag >> 24), (uint8_t)(tag >> 16), (uint8_t)(tag >> 8),
				  (uint8_t)tag};
	uint64_t n = 0;

	for (unsigned int i = 0; i < lab->fe->n_regions; i++) {
		const struct fe_region *r = &lab->fe->region[i];
		const uint8_t *at = r->va, *end = r->va + r->bytes;

		while ((at = memmem(at, (size_t)(end - at), bytes, sizeof(bytes)))) {
			n++;
			at++;
		}
	}
	return n;
}

static void scan(struct lab *lab)
{
	struct frame_spec foreign = lab->spec;
	int64_t end;

	memcpy(foreign.dst, lab->opt->foreign, 6);
	foreign.tag = lab->opt->marker;
	for (uint32_t i = 0; i < lab->opt->count && !is_ended; i++) {
		lab->n_sent += !wire_frame(lab, &lab->spec, i);
		wire_frame(lab, &foreign, i);
		either_waits(lab, 1);
		guest_turn(lab);
		lab->n_echoed += wire_turn(lab, &lab->spec);
	}
	for (end = now_ms() + LINGER_MS; now_ms() < end;) {
		either_waits(lab, PRIME_PAUSE_MS);
		guest_turn(lab);
		lab->n_echoed += wire_turn(lab, &lab->spec);
	}
	lab->n_own = count_tag(lab, lab->spec.tag);
	lab->n_foreign = count_tag(lab, foreign.tag);
}

static int run_mode(struct lab *lab, const char *mode)
{
	int err = prime(lab);

	if (err)
		return err;
	if (strcmp(mode, "echo") == 0)
		echo(lab);
	else if (strcmp(mode, "follow") == 0)
		follow(lab);
	else if (strcmp(mode, "scan") == 0)
		scan(lab);
	else
		err = -EINVAL;
	return err;
}

static void report(const struct lab *lab)
{
	printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"echoed\":%" PRIu64
	       ",\"lost\":%" PRIu64 ",\"corrupt\":%" PRIu64 ",\"own\":%" PRIu64
	       ",\"foreign\":%" PRIu64 ",\"bad\":\"%s\"}\n",
	       lab->n_sent, lab->n_received, lab->n_echoed, lab->n_lost, lab->n_corrupt, lab->n_own,
	       lab->n_foreign, lab->fe->bad);
}

static int run(const char *mode, const struct options *opt)
{
	struct lab lab = {
		.opt = opt,
		.wire_fd = wire_open(opt->wire, 1),
		.spec = {.tag = opt->tag,
			 .n_flows = opt->n_flows,
			 .bytes_min = FRAME_MIN_BYTES,
			 .bytes_max = FRAME_MAX},
	};
	int err = MIN(lab.wire_fd, 0);

	memcpy(lab.spec.src, wire_mac, 6);
	memcpy(lab.spec.dst, opt->mac, 6);
	if (!err)
		err = fe_open(&opt->fe, &lab.fe);
	if (!err)
		err = fe_sock_connect(lab.fe, opt->socket, CONNECT_MS);
	if (!err)
		err = fe_net_start(lab.fe);
	if (!err)
		err = run_mode(&lab, mode);
	if (lab.fe)
		report(&lab);
	if (!err && (lab.n_corrupt || lab.fe->n_bad))
		err = -EBADMSG;
	close_fd(&lab.wire_fd);
	fe_close(&lab.fe);
	return err;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	return ether_aton_r(text, (struct ether_addr *)mac);
}

static bool parse(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"socket", 1, 0, 's'},	 {"wire", 1, 0, 'w'},
		{"count", 1, 0, 'n'},	 {"mac", 1, 0, 'm'},
		{"tag", 1, 0, 't'},	 {"flows", 1, 0, 'f'},
		{"packed", 0, 0, 'p'},	 {"hugepages", 0, 0, 'H'},
		{"rx-bytes", 1, 0, 'b'}, {"pairs", 1, 0, 'q'},
		{"foreign", 1, 0, 'F'},	 {"marker", 1, 0, 'M'},
		{"go", 1, 0, 'g'},	 {0},
	};
	bool is_ok = true;
	int c;

	while (is_ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			opt->socket = optarg;
		else if (c == 'w')
			opt->wire = optarg;
		else if (c == 'n')
			opt->count = (unsigned int)atoi(optarg);
		else if (c == 'g')
			opt->go = optarg;
		else if (c == 'm')
			is_ok = parse_mac(optarg, opt->mac);
		else if (c == 'F')
			is_ok = parse_mac(optarg, opt->foreign);
		else if (c == 't')
			opt->tag = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'M')
			opt->marker = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'f')
			opt->n_flows = (unsigned int)atoi(optarg);
		else if (c == 'q')
			opt->fe.pairs = (unsigned int)atoi(optarg);
		else if (c == 'b')
			opt->fe.rx_buffer_bytes = (uint32_t)atoi(optarg);
		else if (c == 'p')
			opt->fe.features |= FE_F(FE_F_PACKED);
		else if (c == 'H')
			opt->fe.hugepage_bytes = HUGEPAGE_BYTES;
		else
			is_ok = false;
	}
	return is_ok && opt->socket && opt->wire && opt->count && optind == argc - 1;
}

int main(int argc, char **argv)
{
	struct options opt = {.count = 1000,
			      .tag = TAG_DEFAULT,
			      .marker = MARKER_DEFAULT,
			      .n_flows = 1,
			      .mac = {0x02, 0x56, 0, 0, 0, 9}};
	int err;

	fe_config_init(&opt.fe);
	if (!parse(argc, argv, &opt)) {
		fputs("usage: lab_guest echo|follow|scan --socket PATH --wire NETNS:IFACE "
		      "[--count N] [--mac M] [--tag N] [--flows N] [--hugepages] [--packed] "
		      "[--pairs N] [--rx-bytes N] [--foreign MAC] [--marker N] "
		      "[--go FILE]\n",
		      stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	err = run(argv[optind], &opt);
	if (err)
		fprintf(stderr, "lab_guest: %s: %s\n", argv[optind], strerror(-err));
	return err ? 1 : 0;
}
