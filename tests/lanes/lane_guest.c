/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_guest.c - a guest that looks closely at how its receive ring is used, and the wire beside
 * it.
 *
 *   lane_guest MODE --socket PATH --wire NETNS:IFACE [--count N] [--packed] [--ring N]
 *              [--rx-bytes N] [--rx-parts N] [--no-mrg] [--ready COMMAND]
 *
 *   echo    N frames to the guest and back
 *   mixed   N frames to the guest, every other one broadcast: both lanes fill one ring. Counts the
 *           used entries that name another buffer than the available ring does at that place.
 *   quota   frames while the guest gives no buffer back: how many can the kernel lane still place
 *           when the direct lane sits idle on its share?
 *   cycles  stop and start the rings N times while frames keep coming. Between stop and start, all
 *           receive buffers are filled with a pattern that nobody may touch.
 *
 * Frames begin to count when COMMAND says that the direct lane is open, and one more has come back.
 *
 * Frames have a number and a pattern in every byte. Prints one JSON object, and exits 0 if each
 * frame that arrived was whole and came once, and the back end broke no rule.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "include/vxdp/util.h"
#include "tests/hostile/wire.h"
#include "tests/lib/frontend.h"

#include "lane_frame.h"

#define WINDOW	       32u
#define PATIENCE_MS    5000
#define PRIME_MS       500  /* at least */
#define FLOOD_FRAMES   16   /* at a time ... */
#define FLOOD_PAUSE_US 1000 /* ... this often */
#define CYCLE_FRAMES   96   /* that must arrive between a start and the next stop ... */
#define CYCLE_MS       45   /* ... which is not before the direct lane was opened */
#define WATCH_US       2000 /* how long the stopped guest's buffers are watched */
#define QUOTA_FRAMES   100  /* of each lane; less than the direct lane leaves of a ring of 256 */

static const uint8_t guest_mac[6] = {0x02, 0x56, 0, 0, 0, 2};
static const uint8_t wire_mac[6] = {0x02, 0x57, 0, 0, 0, 2};
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct options {
	const char *socket, *wire, *ready;
	unsigned int count;
	struct fe_config fe;
};

struct lab {
	const struct options *opt;
	struct fe *fe;
	int wire_fd;
	uint8_t *seen; /* by number; NULL: not kept */
	uint64_t n_sent, n_received, n_echoed, n_corrupt, n_duplicate, n_out_of_order, n_stale;
	uint64_t n_primes_sent, n_primes_received;
	uint32_t magic;
	bool stop_flood;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void send_frame(struct lab *lab, uint32_t seq, const uint8_t *dst)
{
	uint8_t buf[FRAME_MAX];
	size_t bytes = frame_make(buf, lab->magic, seq, dst, wire_mac);

	if (wire_send(lab->wire_fd, buf, bytes))
		return;
	lab->n_sent += lab->magic == MAGIC;
	lab->n_primes_sent += lab->magic == MAGIC_PRIME;
}

static void check_frame(struct lab *lab, const uint8_t *buf, size_t bytes)
{
	const struct frame *f = (const struct frame *)buf;

	if (bytes >= FRAME_MIN && f->magic == MAGIC_PRIME)
		lab->n_primes_received++;
	if (bytes < FRAME_MIN || f->magic != MAGIC)
		return; /* or somebody else's */
	if (!frame_ok(buf, bytes))
		lab->n_corrupt++;
	else if (lab->seen && lab->seen[f->seq]++)
		lab->n_duplicate++;
	else
		lab->n_received++;
}

/* Split rings show both orders: is the next used buffer another one than was made available? */
static void look_at_order(struct lab *lab)
{
	const struct fe_ring *q = fe_rx(lab->fe, 0);
	uint16_t at = q->used_idx & (q->num - 1);

	if (!q->packed && fe_ring_has_used(q) && q->used->ring[at].id != q->avail->ring[at])
		lab->n_out_of_order++;
}

static void send_back(struct lab *lab, uint8_t *buf, size_t bytes)
{
	struct frame *f = (struct frame *)buf;

	memcpy(f->dst, wire_mac, 6);
	memcpy(f->src, guest_mac, 6);
	while (fe_net_send(lab->fe, 0, NULL, buf, bytes, FE_LAYOUT_ONE, 0) == -EAGAIN)
		fe_net_flush(lab->fe, 0);
}

/* Everything that is in the receive ring; sent back with @echo. Return: frames. */
static unsigned int take(struct lab *lab, bool echo)
{
	struct fe_ring *q = fe_rx(lab->fe, 0);
	uint8_t buf[FRAME_MAX];
	unsigned int n = 0;

	while (fe_ring_has_used(q)) {
		int bytes;

		look_at_order(lab);
		bytes = fe_net_recv(lab->fe, 0, NULL, buf, sizeof(buf));
		if (bytes == -EPROTO)
			break;
		if (bytes <= 0)
			continue; /* a buffer that came back with nothing in it */
		check_frame(lab, buf, (size_t)bytes);
		if (echo)
			send_back(lab, buf, (size_t)bytes);
		n++;
	}
	fe_net_refill(lab->fe, 0);
	if (echo && n)
		fe_net_flush(lab->fe, 0);
	return n;
}

/* What has come back to the wire. Return: of those that only prepare the path. */
static unsigned int take_echoes(struct lab *lab)
{
	uint8_t buf[FRAME_MAX];
	const struct frame *f = (const struct frame *)buf;
	unsigned int n_primes = 0;
	int bytes;

	while ((bytes = wire_recv(lab->wire_fd, buf, sizeof(buf))) > 0) {
		if (memcmp(f->dst, wire_mac, 6) != 0)
			continue;
		if (!frame_ok(buf, (size_t)bytes))
			lab->n_corrupt++;
		else if (f->magic == MAGIC)
			lab->n_echoed++;
		else
			n_primes++;
	}
	return n_primes;
}

/* Frames both ways, one at a time, until both addresses are known and the direct lane is open. */
static int prime(struct lab *lab)
{
	const int64_t end = now_ms() + 2 * PATIENCE_MS, settled = now_ms() + PRIME_MS;
	unsigned int n_echoed = 0;
	bool ready = false;

	lab->magic = MAGIC_PRIME;
	while (now_ms() < end && (!n_echoed || !ready)) {
		if (n_echoed && now_ms() >= settled) {
			ready = !lab->opt->ready || system(lab->opt->ready) == 0;
			n_echoed = 0;
		}
		send_frame(lab, 0, guest_mac);
		poll(NULL, 0, 5);
		take(lab, true);
		poll(NULL, 0, 5);
		n_echoed += take_echoes(lab);
	}
	lab->magic = MAGIC;
	poll(NULL, 0, 100);
	take(lab, true);
	lab->n_out_of_order = 0;
	return n_echoed && ready ? 0 : -ETIMEDOUT;
}

/* @count frames, a window of them on the way. */
static void exchange(struct lab *lab, bool echo, bool mixed)
{
	uint64_t *const arrived = echo ? &lab->n_echoed : &lab->n_received;
	int64_t end = now_ms() + PATIENCE_MS;
	const uint64_t count = lab->opt->count;

	while (*arrived < count && now_ms() < end) {
		uint64_t before = *arrived;

		while (lab->n_sent < count && lab->n_sent - *arrived < WINDOW)
			send_frame(lab, (uint32_t)lab->n_sent,
				   mixed && lab->n_sent % 2 ? broadcast_mac : guest_mac);
		if (!take(lab, echo))
			fe_ring_wait(fe_rx(lab->fe, 0), 1);
		take_echoes(lab);
		if (*arrived != before)
			end = now_ms() + PATIENCE_MS;
	}
	poll(NULL, 0, 50);
	take(lab, echo); /* doubles */
}

/* Used buffers are looked at and kept. */
static void take_and_keep(struct lab *lab, unsigned int n)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	struct fe_ring *q = fe_rx(lab->fe, 0);

	while (n && now_ms() < end) {
		uint64_t number;
		uint32_t bytes;

		if (fe_ring_get(q, &number, &bytes) <= 0) {
			fe_ring_wait(q, 1);
			continue;
		}
		check_frame(lab,
			    (uint8_t *)fe_mem_va(lab->fe, q->pool[number], q->buffer_bytes) +
				    FE_HDR_BYTES,
			    bytes - FE_HDR_BYTES);
		n--;
	}
}

static void quota(struct lab *lab)
{
	for (uint32_t i = 0; i < QUOTA_FRAMES; i++)
		send_frame(lab, i, broadcast_mac);
	take_and_keep(lab, QUOTA_FRAMES);
	for (uint32_t i = 0; i < QUOTA_FRAMES; i++)
		send_frame(lab, QUOTA_FRAMES + i, guest_mac);
	take_and_keep(lab, QUOTA_FRAMES);
}

static void *flood(void *arg)
{
	struct lab *lab = arg;

	for (uint32_t seq = 0; !load_acquire(&lab->stop_flood);) {
		for (int i = 0; i < FLOOD_FRAMES; i++)
			send_frame(lab, seq++, guest_mac);
		usleep(FLOOD_PAUSE_US);
	}
	return NULL;
}

static void paint(struct lab *lab, uint8_t colour)
{
	const struct fe_ring *q = fe_rx(lab->fe, 0);

	for (unsigned int i = 0; i < q->pool_n; i++)
		memset(fe_mem_va(lab->fe, q->pool[i], q->buffer_bytes), colour, q->buffer_bytes);
}

static bool is_painted(struct lab *lab, uint8_t colour)
{
	const struct fe_ring *q = fe_rx(lab->fe, 0);

	for (unsigned int i = 0; i < q->pool_n; i++) {
		const uint8_t *at = fe_mem_va(lab->fe, q->pool[i], q->buffer_bytes);

		for (uint32_t k = 0; k < q->buffer_bytes; k++) {
			if (at[k] != colour)
				return false;
		}
	}
	return true;
}

/* Stop, see that nobody writes any more, start, until frames have come again. */
static int cycle(struct lab *lab, uint8_t colour)
{
	const int64_t end = now_ms() + PATIENCE_MS;
	int64_t soonest;
	unsigned int n = 0;
	int err = fe_net_rings_stop(lab->fe);

	if (err)
		return err;
	take(lab, false); /* what was used before the stop */
	paint(lab, colour);
	usleep(WATCH_US);
	if (!is_painted(lab, colour))
		lab->n_stale++;
	err = fe_net_rings_start(lab->fe);
	soonest = now_ms() + CYCLE_MS;
	while (!err && (n < CYCLE_FRAMES || now_ms() < soonest)) {
		unsigned int got = take(lab, false);

		n += got;
		if (!got && !fe_ring_wait(fe_rx(lab->fe, 0), 10) && now_ms() > end)
			err = -ETIMEDOUT;
	}
	return err;
}

static int cycles(struct lab *lab)
{
	pthread_t thread;
	int err = -pthread_create(&thread, NULL, flood, lab);

	if (err)
		return err;
	free_ptr(&lab->seen); /* the flood's numbers go on for ever */
	for (unsigned int i = 0; !err && i < lab->opt->count; i++)
		err = cycle(lab, (uint8_t)(i * 37 + 1));
	store_release(&lab->stop_flood, true);
	pthread_join(thread, NULL);
	for (int quiet = 0; !err && quiet < 10; quiet++) {
		if (take(lab, false))
			quiet = 0;
		poll(NULL, 0, 20);
	}
	return err;
}

static int run_mode(struct lab *lab, const char *mode)
{
	int err = prime(lab);

	if (err)
		return err;
	if (strcmp(mode, "echo") == 0)
		exchange(lab, true, false);
	else if (strcmp(mode, "mixed") == 0)
		exchange(lab, false, true);
	else if (strcmp(mode, "quota") == 0)
		quota(lab);
	else if (strcmp(mode, "cycles") == 0)
		err = cycles(lab);
	else
		err = -EINVAL;
	return err;
}

static void report(const struct lab *lab)
{
	printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"echoed\":%" PRIu64
	       ",\"corrupt\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"out_of_order\":%" PRIu64
	       ",\"stale\":%" PRIu64 ",\"primed_lost\":%" PRIu64 ",\"bad\":\"%s\"}\n",
	       lab->n_sent, lab->n_received, lab->n_echoed, lab->n_corrupt, lab->n_duplicate,
	       lab->n_out_of_order, lab->n_stale, lab->n_primes_sent - lab->n_primes_received,
	       lab->fe->bad);
}

static int run(const char *mode, const struct options *opt)
{
	struct lab lab = {.opt = opt, .wire_fd = wire_open(opt->wire, 0)};
	int err = MIN(lab.wire_fd, 0);

	lab.seen = calloc(MAX(opt->count, 2 * QUOTA_FRAMES), 1);
	if (!err)
		err = lab.seen ? fe_open(&opt->fe, &lab.fe) : -ENOMEM;
	if (!err)
		err = fe_sock_connect(lab.fe, opt->socket, PATIENCE_MS);
	if (!err)
		err = fe_net_start(lab.fe);
	if (!err)
		err = run_mode(&lab, mode);
	if (lab.fe)
		report(&lab);
	if (!err && (lab.n_corrupt || lab.n_duplicate || lab.n_stale || lab.fe->n_bad))
		err = -EBADMSG;
	free_ptr(&lab.seen);
	close_fd(&lab.wire_fd);
	fe_close(&lab.fe);
	return err;
}

static bool parse(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"socket", 1, 0, 's'},	 {"wire", 1, 0, 'w'},
		{"count", 1, 0, 'n'},	 {"packed", 0, 0, 'p'},
		{"no-mrg", 0, 0, 'm'},	 {"ring", 1, 0, 'r'},
		{"rx-bytes", 1, 0, 'b'}, {"rx-parts", 1, 0, 'x'},
		{"ready", 1, 0, 'R'},	 {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's')
			opt->socket = optarg;
		else if (c == 'w')
			opt->wire = optarg;
		else if (c == 'n')
			opt->count = (unsigned int)atoi(optarg);
		else if (c == 'p')
			opt->fe.features |= FE_F(FE_F_PACKED);
		else if (c == 'm')
			opt->fe.features &= ~FE_F(FE_F_MRG_RXBUF);
		else if (c == 'r')
			opt->fe.rx_num = opt->fe.tx_num = (uint16_t)atoi(optarg);
		else if (c == 'b')
			opt->fe.rx_buffer_bytes = (uint32_t)atoi(optarg);
		else if (c == 'x')
			opt->fe.rx_parts = (unsigned int)atoi(optarg);
		else if (c == 'R')
			opt->ready = optarg;
		else
			return false;
	}
	return opt->socket && opt->wire && opt->count && optind == argc - 1;
}

int main(int argc, char **argv)
{
	struct options opt = {.count = 1000};
	int err;

	fe_config_init(&opt.fe);
	if (!parse(argc, argv, &opt)) {
		fputs("usage: lane_guest echo|mixed|quota|cycles --socket PATH --wire NETNS:IFACE "
		      "[--count N] [--packed] [--ring N] [--rx-bytes N] [--rx-parts N] [--no-mrg] "
		      "[--ready COMMAND]\n",
		      stderr);
		return 2;
	}
	err = run(argv[optind], &opt);
	if (err)
		fprintf(stderr, "lane_guest: %s: %s\n", argv[optind], strerror(-err));
	return err ? 1 : 0;
}
