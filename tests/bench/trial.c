/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trial.c - one measurement of a switch and its guest, both of which never sleep, on two CPUs.
 *
 *   trial to-guest   IFACE --switch TID --guest TID --src MAC --dst MAC --size BYTES --count N
 *   trial from-guest IFACE --switch TID --guest TID --ms N
 *
 * to-guest sends frames out of IFACE, the far end of the wire. from-guest wakes the guest, which
 * SIGSTOP holds, for so long, and watches how many arrive at IFACE.
 *
 * While frames flow, the two polling threads have real-time priority: nothing else of the machine
 * is in the figures. To-guest's sending thread needs a core too, and gets the guest's. Threads
 * that never wait and share a core get it in turns of several milliseconds, in which any receive
 * ring overflows; so this program raises the sending thread above the guest for ON_US and puts it
 * below for OFF_US, over and over: bursts shorter than the ring, and time for the guest between.
 * The kernel's part of receiving (XDP, the copy into the AF_XDP socket's memory) takes place in
 * the sending thread's softirq, on the guest's CPU for every switch.
 *
 * Prints {"seconds":S,"frames":N,"waited":W}: N offered or seen, and the share of the time in
 * which the switch's thread was ready but did not run, which spoils the figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "offer.h"
#include "rt.h"
#include "include/vxdp/util.h"

#define ON_US  100
#define OFF_US 100

#define SETTLE_NS 20000000u /* for what is left in the rings */

enum priority { GUEST = 1, SENDER_ON = 2, CONDUCTOR = 3 };

struct options {
	const char *iface;
	pid_t switch_tid, guest_tid;
	unsigned int ms;
	unsigned int count;
	struct offer offer;
};

/* What the polling threads do between begin() and end(). */
struct window {
	const struct options *opt;
	uint64_t start_ns, took_ns, waited_ns;
};

struct sender {
	const struct offer *offer;
	pid_t tid;
	int err;
	bool done;
};

static uint64_t received(const char *iface)
{
	char line[512], name[64];
	uint64_t packets = 0, n;
	FILE *f = fopen("/proc/self/net/dev", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %63[^:]: %*u %" SCNu64, name, &n) == 2 && !strcmp(name, iface))
			packets = n;
	}
	fclose(f);
	return packets;
}

static void on_signal(int signal)
{
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	/* Below the conductor from the start, whose priority it has inherited. */
	s->err = rt_set_priority(0, SENDER_ON);
	store_release(&s->tid, gettid());
	if (!s->err)
		s->err = offer_run(s->offer);
	store_release(&s->done, true);
	return NULL;
}

static int begin(struct window *w)
{
	int err = rt_set_priority(w->opt->guest_tid, GUEST)
			  ?: rt_set_priority(w->opt->switch_tid, GUEST);

	w->waited_ns = rt_waited_ns(w->opt->switch_tid);
	w->start_ns = rt_now_ns();
	return err;
}

static void end(struct window *w)
{
	w->took_ns = rt_now_ns() - w->start_ns;
	w->waited_ns = rt_waited_ns(w->opt->switch_tid) - w->waited_ns;
	rt_set_priority(w->opt->switch_tid, 0);
	rt_set_priority(w->opt->guest_tid, 0);
}

/* Turn the sender on and off until it has sent all. */
static int conduct(const struct sender *s, struct window *w)
{
	volatile struct offer_state *state = s->offer->state;
	uint64_t next;
	int err = 0;

	while (!state->runs && !load_acquire(&s->done))
		rt_sleep_until(rt_now_ns() + ON_US * 1000u);
	if (load_acquire(&s->done))
		return s->err;
	err = rt_set_priority(s->tid, 0) ?: begin(w);
	next = rt_now_ns();
	state->left = w->opt->count;
	while (!err && state->left) {
		err = rt_set_priority(s->tid, SENDER_ON);
		next = MAX(next, rt_now_ns()) + ON_US * 1000u;
		rt_sleep_until(next);
		err = err ?: rt_set_priority(s->tid, 0);
		next += OFF_US * 1000u;
		rt_sleep_until(next);
	}
	end(w);
	return err;
}

static int to_guest(struct options *opt, struct window *w)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct sender s = {.offer = &opt->offer};
	pthread_t thread;
	int err = offer_load(&opt->offer);

	sigaction(SIGUSR1, &action, NULL);
	if (!err)
		err = -pthread_create(&thread, NULL, send_all, &s);
	if (err)
		return err;
	while (!load_acquire(&s.tid))
		rt_sleep_until(rt_now_ns() + ON_US * 1000u);
	err = conduct(&s, w);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	offer_unload(&opt->offer);
	return err ?: s.err;
}

/* The guest is stopped before and after, so that what the switch counts is what happened here. */
static int from_guest(const struct options *opt, struct window *w)
{
	int err = begin(w);

	if (!err && kill(opt->guest_tid, SIGCONT) < 0)
		err = -errno;
	if (!err)
		rt_sleep_until(rt_now_ns() + opt->ms * 1000000ull);
	kill(opt->guest_tid, SIGSTOP);
	end(w);
	return err;
}

static int measure(struct options *opt)
{
	const bool offering = opt->count > 0;
	struct window w = {.opt = opt};
	uint64_t before = received(opt->iface), frames = opt->count;
	int err = rt_set_priority(0, CONDUCTOR);

	if (!err)
		err = offering ? to_guest(opt, &w) : from_guest(opt, &w);
	if (err)
		return err;
	rt_set_priority(0, 0);
	if (!offering) {
		rt_sleep_until(rt_now_ns() + SETTLE_NS);
		frames = received(opt->iface) - before;
	}
	printf("{\"seconds\":%.4f,\"frames\":%" PRIu64 ",\"waited\":%.4f}\n",
	       (double)w.took_ns / 1e9, frames, (double)w.waited_ns / (double)w.took_ns);
	return 0;
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
	case 'm':
		return sscanf(optarg, "%u", &opt->ms) == 1;
	case 'w':
		return sscanf(optarg, "%d", &opt->switch_tid) == 1;
	case 'g':
		return sscanf(optarg, "%d", &opt->guest_tid) == 1;
	}
	return false;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"src", 1, 0, 's'},   {"dst", 1, 0, 'd'},
		{"size", 1, 0, 'b'},  {"count", 1, 0, 'n'},
		{"ms", 1, 0, 'm'},    {"switch", 1, 0, 'w'},
		{"guest", 1, 0, 'g'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (!parse_option(opt, c))
			return false;
	}
	if (optind != argc - 2 || !opt->switch_tid || !opt->guest_tid)
		return false;
	opt->iface = argv[optind + 1];
	opt->offer.ifindex = (int)if_nametoindex(opt->iface);
	if (strcmp(argv[optind], "to-guest") == 0)
		return opt->offer.ifindex && opt->offer.bytes && opt->count;
	return strcmp(argv[optind], "from-guest") == 0 && opt->ms && !opt->count;
}

int main(int argc, char **argv)
{
	struct options opt = {0};
	int err;

	if (!parse_options(argc, argv, &opt)) {
		fputs("usage: trial to-guest IFACE --switch TID --guest TID --src MAC --dst MAC "
		      "--size BYTES --count N\n"
		      "       trial from-guest IFACE --switch TID --guest TID --ms N\n",
		      stderr);
		return 2;
	}
	err = measure(&opt);
	if (err)
		fprintf(stderr, "trial: %s\n", strerror(-err));
	return err ? 1 : 0;
}
