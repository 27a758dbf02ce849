/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tapflow.c - frames through a switch into a tap, all of it on one CPU.
 *
 *   tapflow wire NETNS:NIC NETNS:TAP --src MAC --dst MAC --size BYTES --count N
 *   tapflow tap NETNS:TAP NETNS:TAP --src MAC --dst MAC --size BYTES --count N
 *   tapflow hello NETNS:TAP --src MAC
 *
 * The first sends frames out of the NIC, the far end of the switch's wire; the second writes them
 * into a tap as QEMU does. Sending and receiving take turns: BURST frames are sent, with all that
 * the switch does to them in softirqs, and then they are read from the second tap, as QEMU does,
 * until there are none. So no queue overflows, nobody waits, and where threads are placed is in no
 * figure. A second tap "none" is not read. hello is one broadcast, from which a switch learns the
 * address.
 *
 * Prints {"frames":N,"delivered":N,"send_ns":N,"read_ns":N}; times are for one frame, the medians
 * of all bursts.
 *
 * Frames of the wire are live frames of BPF_PROG_TEST_RUN, which is one endless call in a thread of
 * its own: to begin and end such a call takes milliseconds. This thread has a higher priority, and
 * sleeps while a burst is sent.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "offer.h"
#include "rt.h"
#include "tapflow.h"
#include "tapflow.skel.h"
#include "tests/lib/netns_tap.h"
#include "include/vxdp/util.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define BURST	      512u /* a tap holds 1000 */
#define BATCH	      64
#define BURSTS_MAX    10000u
#define POLL_NS	      100000u
#define WARM_UP_TRIES 1000
#define PATIENCE      50000u /* POLL_NS until a burst must have ended */

struct options {
	const char *what, *from, *to;
	unsigned int count;
	struct offer offer; /* the frame and its NIC */
};

struct sender {
	const struct options *opt;
	struct tapflow_bpf *program;
	int err;
	bool done;
};

struct flow {
	const struct options *opt;
	struct sender sender;
	int from_fd, to_fd; /* taps, or -1 */
	unsigned int n_bursts;
	uint64_t delivered;
	uint64_t send_ns[BURSTS_MAX], read_ns[BURSTS_MAX];
};

/* A frame as a tap has it. */
struct tap_frame {
	struct virtio_net_hdr vnet;
	uint8_t data[OFFER_BYTES_MAX];
} __attribute__((packed));

static void on_signal(int signal)
{
}

static void *send_endlessly(void *arg)
{
	struct sender *s = arg;
	const struct offer *o = &s->opt->offer;
	struct xdp_md ctx = {.data_end = o->bytes};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = o->frame, .data_size_in = o->bytes,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1 << 30,
		    .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	s->err = bpf_prog_test_run_opts(bpf_program__fd(s->program->progs.tapflow), &run);
	if (s->err == -EINTR)
		s->err = 0;
	store_release(&s->done, true);
	return NULL;
}

/* The program runs, with nothing to send. */
static int sender_start(struct sender *s, pthread_t *thread)
{
	const struct sigaction action = {.sa_handler = on_signal};
	int err;

	sigaction(SIGUSR1, &action, NULL);
	s->program = tapflow_bpf__open();
	if (!s->program)
		return -errno;
	s->program->rodata->ifindex = (uint32_t)s->opt->offer.ifindex;
	err = tapflow_bpf__load(s->program);
	if (!err)
		err = -pthread_create(thread, NULL, send_endlessly, s);
	if (!err)
		err = rt_set_priority(0, 1);
	while (!err && !READ_ONCE(s->program->bss->burst.runs) && !load_acquire(&s->done))
		rt_sleep_until(rt_now_ns() + POLL_NS);
	return err ?: s->err;
}

static int send_burst(struct flow *f, uint64_t *ns)
{
	struct burst *burst = &f->sender.program->bss->burst;
	unsigned int n = 0;

	WRITE_ONCE(burst->began_ns, 0);
	WRITE_ONCE(burst->ended_ns, 0);
	WRITE_ONCE(burst->left, BURST);
	while (!READ_ONCE(burst->ended_ns) || READ_ONCE(burst->left)) {
		if (load_acquire(&f->sender.done) || n++ == PATIENCE)
			return -ETIMEDOUT;
		rt_sleep_until(rt_now_ns() + POLL_NS);
	}
	*ns = burst->ended_ns - burst->began_ns;
	return 0;
}

static int write_frames(const struct flow *f, unsigned int n)
{
	const struct offer *o = &f->opt->offer;
	struct tap_frame frame = {};

	memcpy(frame.data, o->frame, o->bytes);
	for (; n; n--) {
		if (write(f->from_fd, &frame, sizeof(frame.vnet) + o->bytes) < 0)
			return -errno;
	}
	return 0;
}

/* What was meant for this tap; a switch may flood something in between. */
static void read_frames(struct flow *f)
{
	const struct offer *o = &f->opt->offer;
	struct tap_frame frame;
	ssize_t n;

	while (f->to_fd >= 0 && (n = read(f->to_fd, &frame, sizeof(frame))) > 0) {
		if (n == (ssize_t)(sizeof(frame.vnet) + o->bytes) &&
		    !memcmp(frame.data, o->frame, sizeof(o->dst) + sizeof(o->src)))
			f->delivered++;
	}
}

static int send_burst_or_write(struct flow *f, uint64_t *ns)
{
	const uint64_t start = rt_now_ns();
	int err;

	if (f->from_fd < 0)
		return send_burst(f, ns);
	err = write_frames(f, BURST);
	*ns = rt_now_ns() - start;
	return err;
}

/* A tap that was just opened takes no frames until the kernel has seen its carrier. */
static int warm_up(struct flow *f)
{
	uint64_t ns;
	int err = 0;

	for (int i = 0; i < WARM_UP_TRIES && !err && f->delivered < BURST; i++) {
		f->delivered = 0;
		err = send_burst_or_write(f, &ns);
		read_frames(f);
		if (f->to_fd < 0)
			break;
	}
	f->delivered = 0;
	return err;
}

static int flow_run(struct flow *f)
{
	uint64_t start;
	int err = warm_up(f);

	for (; !err && f->n_bursts < BURSTS_MAX && f->n_bursts * BURST < f->opt->count;
	     f->n_bursts++) {
		err = send_burst_or_write(f, &f->send_ns[f->n_bursts]);
		start = rt_now_ns();
		read_frames(f);
		f->read_ns[f->n_bursts] = rt_now_ns() - start;
	}
	return err;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of one frame, in ns. */
static double median(uint64_t *ns, unsigned int n)
{
	qsort(ns, n, sizeof(*ns), by_size);
	return (double)ns[n / 2] / BURST;
}

static int flow_run_from_wire(struct flow *f)
{
	pthread_t thread;
	int err = sender_start(&f->sender, &thread);

	if (!err)
		err = flow_run(f);
	if (thread) {
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, NULL);
	}
	tapflow_bpf__destroy(f->sender.program);
	return err;
}

static int measure(struct options *opt)
{
	static struct flow f = {.from_fd = -1, .to_fd = -1};
	const char *nic;
	int err = 0;

	f.opt = opt;
	f.sender.opt = opt;
	offer_make_frame(&opt->offer);
	if (opt->to && strcmp(opt->to, "none"))
		err = f.to_fd = netns_tap_open(opt->to);
	if (err >= 0 && strcmp(opt->what, "wire"))
		err = f.from_fd = netns_tap_open(opt->from);
	if (err < 0)
		return err;
	if (!opt->to)
		return write_frames(&f, 1);
	if (f.from_fd < 0) {
		nic = netns_enter(opt->from);
		opt->offer.ifindex = nic ? (int)if_nametoindex(nic) : 0;
		err = opt->offer.ifindex ? flow_run_from_wire(&f) : -ENODEV;
	} else {
		err = flow_run(&f);
	}
	if (!err)
		printf("{\"frames\":%u,\"delivered\":%" PRIu64
		       ",\"send_ns\":%.1f,\"read_ns\":%.1f}\n",
		       f.n_bursts * BURST, f.delivered, median(f.send_ns, f.n_bursts),
		       median(f.read_ns, f.n_bursts));
	return err;
}

static bool parse_option(struct options *opt, int c)
{
	switch (c) {
	case 's':
	case 'd':
	case 'b':
		return offer_option(&opt->offer, c, optarg);
	case 'n':
		return sscanf(optarg, "%u", &opt->count) == 1;
	}
	return false;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"src", 1, 0, 's'},
		{"dst", 1, 0, 'd'},
		{"size", 1, 0, 'b'},
		{"count", 1, 0, 'n'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (!parse_option(opt, c))
			return false;
	}
	if (argc - optind < 2)
		return false;
	opt->what = argv[optind];
	opt->from = argv[optind + 1];
	opt->to = argv[optind + 2]; /* or NULL */
	if (!opt->to)
		return !strcmp(opt->what, "hello");
	return opt->count && (!strcmp(opt->what, "wire") || !strcmp(opt->what, "tap"));
}

int main(int argc, char **argv)
{
	struct options opt = {.offer = {.bytes = OFFER_BYTES_MIN}};
	int err;

	memset(opt.offer.dst, 0xff, sizeof(opt.offer.dst));
	if (!parse_options(argc, argv, &opt)) {
		fputs("usage: tapflow wire|tap NETNS:DEV NETNS:TAP --src MAC --dst MAC --size BYTES "
		      "--count N\n"
		      "       tapflow hello NETNS:TAP --src MAC\n",
		      stderr);
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	err = measure(&opt);
	if (err)
		fprintf(stderr, "tapflow: %s\n", strerror(-err));
	return err ? 1 : 0;
}
