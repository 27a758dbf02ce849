/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soak.c - is every wake-up delivered?
 *
 * Theory of operation: a wake-up that gets lost shows only when nothing else happens that would
 * wake the same sleeper. So this goes in rounds: a few requests, some microseconds or milliseconds
 * apart, between stations that sleep until they are interrupted; then nothing more until all are
 * answered, which must be soon; then a pause, whose length is chosen so that the switch is caught
 * before it goes to sleep, while it does, and long after. Between rounds guests go, and come
 * again; those that left in the middle of a round owe no answers.
 *
 * How long that takes says little; what counts is how often somebody fell asleep and was woken. So
 * it goes on until the guests have been woken by an interrupt as often as was asked for.
 *
 * What is not answered in time was late if it comes later, though nobody sends any more: then the
 * machine was slow. What never comes is lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

#define REQUESTS_MAX  24u
#define ANSWER	      0x80000000u
#define BOUND_US      3000000  /* for all answers of a round */
#define LATE_US	      20000000 /* a machine under load is slow */
#define GO_EVERY      64u      /* rounds */
#define PAUSE_LOG_MAX 13u      /* 2^13 us */
#define RETURN_US     5000000

struct request {
	unsigned int from, to;
	bool is_answered, is_void; /* void: one of the two has left since */
};

struct soak {
	struct stations *s;
	const struct stations_config *config;
	struct request request[REQUESTS_MAX];
	unsigned int n_requests, random;
	uint64_t n_rounds, n_sent, n_answered, n_late, n_lost, n_left;
	uint64_t n_woken; /* sleeps of the guests that an interrupt ended */
	int64_t worst_us;
};

static unsigned int pick(struct soak *k, unsigned int n)
{
	return (unsigned int)rand_r(&k->random) % n;
}

/* 1, 2, 4 ... us, all as likely. */
static int64_t pick_us(struct soak *k)
{
	const int64_t us = 1ll << pick(k, PAUSE_LOG_MAX);

	return us + pick(k, (unsigned int)us);
}

static bool is_there(const struct stations *s, unsigned int i)
{
	return s->at[i].fe || s->at[i].fd >= 0;
}

/* What has come: requests are answered at once. */
static unsigned int serve(struct soak *k)
{
	struct stations *s = k->s;
	unsigned int n = 0;
	struct frame f;

	for (unsigned int i = 0; i < s->n; i++) {
		while (is_there(s, i) && station_recv(s, i, &f) > 0) {
			const unsigned int number = f.seq & ~ANSWER;

			n++;
			if (f.to != i || f.from >= s->n || number >= k->n_requests)
				continue;
			if (!(f.seq & ANSWER))
				send_retry(s, i, s->at[i].mac, s->at[f.from].mac, f.from,
					   f.seq | ANSWER);
			else
				k->request[number].is_answered = true;
		}
	}
	return n;
}

static bool is_complete(const struct soak *k)
{
	for (unsigned int i = 0; i < k->n_requests; i++) {
		if (!k->request[i].is_answered && !k->request[i].is_void)
			return false;
	}
	return true;
}

/* Sleep until a station is interrupted: the guests ask for it, look once more, and wait. */
static void sleep_us(struct soak *k, int64_t us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	struct pollfd p[STATIONS_MAX];
	struct stations *s = k->s;
	unsigned int n = 0;
	uint64_t value;

	for (unsigned int i = 0; i < s->n; i++) {
		struct fe_ring *q = s->at[i].fe ? fe_rx(s->at[i].fe, 0) : NULL;

		if (!is_there(s, i))
			continue;
		if (q) {
			fe_ring_call_on(q);
			if (fe_ring_has_used(q))
				return;
		}
		p[n++] = (struct pollfd){.fd = q ? q->call_fd : s->at[i].fd, .events = POLLIN};
	}
	if (ppoll(p, n, &t, NULL) <= 0)
		return;
	k->n_woken++;
	for (unsigned int i = 0; i < s->n; i++) {
		struct fe_ring *q = s->at[i].fe ? fe_rx(s->at[i].fe, 0) : NULL;

		if (q && read(q->call_fd, &value, sizeof(value)) == sizeof(value))
			q->n_calls += value;
	}
}

/* Nothing is sent but answers: awake for short times, asleep for long ones. */
static void pass_time(struct soak *k, int64_t us)
{
	const int64_t end = now_us() + us;

	while (now_us() < end) {
		if (!serve(k) && us > 50)
			sleep_us(k, MAX(end - now_us(), 0));
	}
}

static void ask(struct soak *k)
{
	struct request *r = &k->request[k->n_requests];
	struct stations *s = k->s;

	*r = (struct request){.from = pick(k, s->n), .to = pick(k, s->n)};
	/* The wire and the host are not guests: what passes between them is not the switch's. */
	if (r->from == r->to || !is_there(s, r->from) || !is_there(s, r->to) ||
	    (r->from >= s->n_guests && r->to >= s->n_guests))
		return;
	if (!send_retry(s, r->from, s->at[r->from].mac, s->at[r->to].mac, (uint16_t)r->to,
			k->n_requests++))
		k->n_sent++;
}

/* A guest leaves, perhaps with frames in its rings. */
static void leave(struct soak *k, unsigned int guest)
{
	for (unsigned int i = 0; i < k->n_requests; i++)
		k->request[i].is_void |= k->request[i].from == guest || k->request[i].to == guest;
	station_close(k->s, guest);
	k->n_left++;
}

/* It comes again, and is there once others have heard of it. */
static int come(struct soak *k, unsigned int guest)
{
	const int64_t end = now_us() + RETURN_US;
	struct stations *s = k->s;
	struct frame f;
	int err = station_open(s, guest, k->config);

	s->round++;
	while (!err && now_us() < end) {
		err = send_retry(s, guest, s->at[guest].mac, broadcast_mac, STATION_ALL, 0);
		for (int tries = 0; !err && tries < 20; tries++) {
			for (unsigned int i = 0; i < s->n; i++) {
				while (is_there(s, i) && station_recv(s, i, &f) > 0) {
					if (f.from == guest && i != guest)
						return 0;
				}
			}
			poll(NULL, 0, 1);
		}
	}
	return err ?: -ETIMEDOUT;
}

static void await(struct soak *k, int64_t end)
{
	while (!is_complete(k) && now_us() < end) {
		if (!serve(k))
			sleep_us(k, 10000);
	}
}

static void round_trip(struct soak *k, bool someone_leaves)
{
	const unsigned int n = 1 + pick(k, REQUESTS_MAX);
	const unsigned int leaver = pick(k, k->s->n_guests), leaves_at = pick(k, n);
	int64_t start;

	k->n_requests = 0;
	k->s->round++;
	for (unsigned int i = 0; i < n; i++) {
		ask(k);
		if (pick(k, 4) == 0)
			pass_time(k, pick_us(k) / 8);
		if (someone_leaves && i == leaves_at)
			leave(k, leaver);
	}
	start = now_us();
	await(k, start + BOUND_US);
	if (!is_complete(k)) {
		k->n_late++;
		await(k, start + LATE_US);
	}
	k->worst_us = MAX(k->worst_us, now_us() - start);
	k->n_rounds++;
	for (unsigned int i = 0; i < k->n_requests; i++) {
		k->n_answered += k->request[i].is_answered;
		k->n_lost += !k->request[i].is_answered && !k->request[i].is_void;
	}
}

static int come_all(struct soak *k)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < k->s->n_guests; i++) {
		if (!k->s->at[i].fe)
			err = come(k, i);
	}
	return err;
}

int mode_soak(struct stations *s, const struct many_options *opt)
{
	struct soak k = {.s = s, .config = &opt->config, .random = opt->seed};
	int64_t end = now_us() + opt->ms * 1000ll;
	int err = settle(s);

	while (!err && now_us() < end && k.n_woken < opt->wakes && !k.n_lost) {
		round_trip(&k, k.n_rounds % GO_EVERY == GO_EVERY - 1);
		pass_time(&k, pick_us(&k));
		if (k.n_rounds % GO_EVERY == 0)
			err = come_all(&k);
	}
	printf("{\"rounds\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"answered\":%" PRIu64
	       ",\"late\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"left\":%" PRIu64 ",\"woken\":%" PRIu64
	       ",\"worst_ms\":%.1f}\n",
	       k.n_rounds, k.n_sent, k.n_answered, k.n_late, k.n_lost, k.n_left, k.n_woken,
	       (double)k.worst_us / 1000);
	return err;
}
