// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attacker.c - a front end or a guest that breaks one rule after the other.
 *
 *   attacker CASE --socket PATH [--wire NETNS:IFACE] [--pid PID] [--cycles N] [--seconds N]
 *   attacker --list
 *
 * CASE is C1..C25 (messages) or R1..R20 (rings), or a CVE id: all steps that name it. Prints "#
 * CASE step: what came of it" for each step, and at the end how many were refused and for how many
 * frames the guest got its buffer back. Exit status 0 if every step had the outcome it must have.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "wire.h"

#define CONNECT_MS 10000
#define BROKEN_MS  5000
#define TRIES	   4

static const struct attack_case *const all_cases[] = {
	message_cases, descriptor_cases, vring_cases, memory_cases, log_cases,	session_cases,
	state_cases,   ring_cases,	 net_cases,   frame_cases,  life_cases, race_cases};

static uint64_t random_state = 88172645463325252ull;

void attack_seed(uint64_t seed)
{
	random_state = seed | 1;
}

uint64_t attack_rand(void) /* xorshift64 */
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

int attack_fail(struct attack *a, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->note, sizeof(a->note), fmt, args);
	va_end(args);
	return -EBADE;
}

int attack_open(unsigned int flags, struct fe **fe)
{
	const uint64_t offloads = FE_F(FE_F_CSUM) | FE_F(FE_F_GUEST_CSUM) | FE_F(FE_F_HOST_TSO4) |
				  FE_F(FE_F_HOST_TSO6) | FE_F(FE_F_GUEST_TSO4) |
				  FE_F(FE_F_GUEST_TSO6) | FE_F(FE_F_HOST_ECN) |
				  FE_F(FE_F_GUEST_ECN) | FE_F(FE_F_HOST_USO) |
				  FE_F(FE_F_GUEST_USO4) | FE_F(FE_F_GUEST_USO6);
	struct fe_config c;

	fe_config_init(&c);
	c.region_bytes = 8u << 20;
	if (flags & STEP_PACKED)
		c.features |= FE_F(FE_F_PACKED);
	if (flags & STEP_NO_ACK)
		c.protocol_features &= ~FE_PF(FE_PF_REPLY_ACK);
	if (flags & STEP_NO_MRG)
		c.features &= ~FE_F(FE_F_MRG_RXBUF);
	if (flags & STEP_SMALL)
		c.rx_num = c.tx_num = 8;
	if (flags & STEP_PAIRS)
		c.pairs = 2;
	if (flags & STEP_OFFLOAD)
		c.features |= offloads;
	if (flags & STEP_ORDER)
		c.features |= FE_F(FE_F_IN_ORDER);
	if (flags & STEP_PLAIN)
		c.features &= ~(FE_F(FE_F_INDIRECT) | FE_F(FE_F_EVENT_IDX));
	if (flags & STEP_ONE_FD)
		c.one_file = true;
	if (flags & STEP_BIG) {
		c.rx_num = c.tx_num = 64;
		c.rx_buffer_bytes = c.tx_buffer_bytes = 65562;
	}
	return fe_open(&c, fe);
}

static int bring_to(struct fe *fe, enum stage stage)
{
	int err = 0;

	if (stage == AT_RUNNING)
		return fe_net_start(fe);
	if (stage >= AT_NEGOTIATED)
		err = fe_dev_negotiate(fe);
	if (!err && stage >= AT_MEMORY)
		err = fe_dev_mem_table(fe);
	for (unsigned int i = 0; !err && stage >= AT_RINGS && i < fe->n_rings; i++)
		err = fe_ring_open(fe, i, fe->config.rx_num);
	return err;
}

/* The connection before may still be on its way out; then this one is hung up on at once. */
int attack_connect(struct attack *a, enum stage stage)
{
	int err = -EPIPE;

	for (int i = 0; err == -EPIPE && i < 100; i++) {
		if (i)
			usleep(50000);
		err = fe_sock_connect(a->fe, a->path, CONNECT_MS);
		if (!err)
			err = attack_alive(a->fe);
	}
	if (err)
		return err;
	if (stage == AT_RUNNING && a->fe->ring[0].fe)
		return fe_net_reconnect(a->fe);
	return bring_to(a->fe, stage);
}

int attack_alive(struct fe *fe)
{
	uint64_t value;
	struct fe_msg reply;
	int err;

	if (fe->closed_by_peer || fe->sock < 0)
		return -EPIPE;
	err = fe_sock_send(fe, FE_GET_FEATURES, 0, NULL, 0, NULL, 0);
	/* replies to what the step sent may come first */
	for (int i = 0; !err && i < 10000; i++) {
		err = fe_sock_recv(fe, &reply, NULL, 10000);
		if (!err && reply.header.request == FE_GET_FEATURES &&
		    reply.header.payload_bytes == sizeof(value))
			return 0;
	}
	return err ? err : -ETIMEDOUT;
}

void attack_poke(struct attack *a, unsigned int n)
{
	uint8_t frame[256] = {0};

	if (a->wire_fd < 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		memcpy(frame, a->exchange.guest_mac, 6);
		if (n >= 16 && i == n / 2)
			memset(frame, 0xff, 6);
		memcpy(frame + 6, a->exchange.wire_mac, 6);
		frame[12] = WIRE_ETHERTYPE >> 8;
		frame[13] = WIRE_ETHERTYPE & 0xff;
		wire_send(a->wire_fd, frame, 60 + 4 * (i % 40));
	}
}

bool attack_broken(struct attack *a, int timeout_ms)
{
	struct fe *fe = a->fe;

	/* Good receive buffers may be in front of a bad one: up to a ring full of them. */
	for (int i = 0; timeout_ms && i < 5; i++) {
		attack_poke(a, 64);
		usleep(2000);
	}
	for (int waited_ms = 0;; waited_ms += 20) {
		if (timeout_ms && waited_ms % 100 == 0)
			attack_poke(a, 16);
		for (unsigned int i = 0; i < fe->n_rings; i++)
			if (fe->ring[i].fe && fe_ring_error(&fe->ring[i]))
				return true;
		if (fe->sock < 0 || fe_sock_wait_closed(fe, timeout_ms ? 20 : 0))
			return true;
		if (waited_ms >= timeout_ms)
			return false;
	}
}

int attack_works(struct attack *a)
{
	if (a->wire_fd < 0)
		return attack_alive(a->fe);
	for (int i = 0; i < TRIES; i++) {
		if (!exchange_prime(&a->exchange, 2000) && !exchange_run(&a->exchange, 64, 2500))
			return 0;
	}
	return attack_fail(a, "no frames afterwards (sent %u returned %u lost %u corrupt %u) %s",
			   (unsigned int)a->exchange.n_sent, (unsigned int)a->exchange.n_returned,
			   (unsigned int)a->exchange.n_lost, (unsigned int)a->exchange.n_corrupt,
			   a->fe->bad);
}

void raw_desc(struct fe_ring *q, unsigned int at, uint64_t gpa, uint32_t bytes, uint16_t flags,
	      uint16_t next_or_id)
{
	if (q->packed) {
		struct fe_packed_desc *d = &q->pdesc[at % q->num];

		*d = (struct fe_packed_desc){.gpa = gpa, .bytes = bytes, .id = next_or_id};
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
	} else {
		q->desc[at % q->num] = (struct fe_desc){
			.gpa = gpa, .bytes = bytes, .flags = flags, .next = next_or_id};
	}
}

void raw_avail(struct fe_ring *q, uint16_t head)
{
	q->avail->ring[q->avail_idx++ % q->num] = head;
}

void raw_go(struct fe_ring *q)
{
	if (!q->packed)
		__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	fe_ring_kick_always(q);
}

static const char *result_name(int result)
{
	switch (result) {
	case 0:
		return "accepted";
	case -EREMOTEIO:
		return "refused";
	case -EPIPE:
		return "hung up";
	case -EBADE:
		return "wrong";
	default:
		return strerror(-result);
	}
}

int attack_wait_sent(struct attack *a)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < a->fe->n_rings; i++)
		if (a->fe->ring[i].fe)
			fe_ring_kick_always(&a->fe->ring[i]);
	for (int i = 0; i < 400; i++) {
		n = 0;
		for (unsigned int pair = 0; pair < a->fe->n_rings / 2; pair++) {
			if (!fe_tx(a->fe, pair)->fe)
				continue;
			fe_net_reclaim(a->fe, pair);
			n += fe_ring_in_flight(fe_tx(a->fe, pair));
		}
		if (!n)
			return 0;
		if (attack_broken(a, 0))
			return -EPIPE;
		usleep(5000);
	}
	return attack_fail(a, "%u transmit buffers were never given back", n);
}

/* The receive ring is emptied of good buffers first, then filled with these. */
unsigned int attack_refill(struct attack *a, const struct fe_part *parts, unsigned int n_parts)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	unsigned int n = 0;
	uint64_t number;
	uint32_t bytes;

	for (unsigned int i = 0; i < 200 && q->n_free_desc < q->num; i++) {
		attack_poke(a, 16);
		fe_ring_wait(q, 10);
		while (fe_ring_get(q, &number, &bytes) > 0)
			if (number < q->pool_n)
				q->pool_free[q->pool_n_free++] = number;
	}
	while (fe_ring_add(q, parts, n_parts, FE_ADD_HOLD, FE_NO_BUFFER) >= 0)
		n++;
	fe_ring_publish(q);
	fe_ring_kick_always(q);
	return n;
}

/* Did the step come out as it must? Says what did in *what. */
static bool judge(struct attack *a, const struct step *step, int result, const char **what)
{
	bool ack = a->fe->protocol_features & FE_PF(FE_PF_REPLY_ACK);

	*what = result_name(result);
	if (result == -EBADE)
		return false;
	switch (step->want) {
	case WANT_REFUSE:
		return result == -EPIPE || (ack && result == -EREMOTEIO);
	case WANT_CLOSE:
		if (result != -EPIPE && fe_sock_wait_closed(a->fe, BROKEN_MS))
			*what = "hung up";
		return !strcmp(*what, "hung up");
	case WANT_OK:
		return !result && !attack_alive(a->fe) &&
		       (step->stage != AT_RUNNING || !attack_works(a)) && !attack_wait_sent(a);
	case WANT_BROKEN:
		if (result && result != -EPIPE && result != -EREMOTEIO)
			return false;
		if (!result && attack_broken(a, BROKEN_MS))
			*what = "ring given up";
		return strcmp(*what, "accepted");
	case WANT_WORKS:
		return !result && !attack_works(a) && !attack_wait_sent(a);
	case WANT_ANY:
		return result != -ETIMEDOUT && attack_alive(a->fe) != -ETIMEDOUT;
	}
	return false;
}

static bool run_step(struct attack *a, const char *id, const struct step *step)
{
	const char *what = "";
	bool good = false;
	int err = attack_open(step->flags, &a->fe);

	a->note[0] = '\0';
	if (err) {
		printf("# %s %s: no memory: %s\n", id, step->name, strerror(-err));
		return false;
	}
	exchange_init(&a->exchange, a->fe, a->wire_fd, 0x40);
	if (step->stage > AT_NOTHING)
		err = attack_connect(a, step->stage);
	if (err) {
		printf("# %s %s: cannot get that far: %s\n", id, step->name, strerror(-err));
	} else {
		good = judge(a, step, step->run(a, step->arg), &what);
		a->n_refused += !strcmp(what, "refused") || !strcmp(what, "hung up") ||
				!strcmp(what, "ring given up");
		printf("# %s %s: %s%s%s%s\n", id, step->name, what, a->note[0] ? ": " : "", a->note,
		       good ? "" : "  <-- WRONG");
	}
	fflush(stdout);
	for (unsigned int i = 1; i < a->fe->n_rings; i += 2)
		a->n_transmitted += a->fe->ring[i].n_used;
	fe_close(&a->fe);
	return good;
}

/* A case by its name, or all steps that name a CVE or a report. */
static bool is_meant(const struct attack_case *c, const struct step *step, const char *what)
{
	return !strcmp(c->id, what) || (strchr(what, '-') && strstr(step->name, what));
}

static void run_meant(struct attack *a, const struct attack_case *c, const char *what)
{
	for (unsigned int i = 0; i < c->n_steps; i++) {
		if (!is_meant(c, &c->steps[i], what))
			continue;
		a->n_steps++;
		a->n_failed += !run_step(a, c->id, &c->steps[i]);
	}
}

static int run_all(struct attack *a, const char *what)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(all_cases); i++)
		for (const struct attack_case *c = all_cases[i]; c->id; c++)
			run_meant(a, c, what);
	if (!a->n_steps)
		fprintf(stderr, "attacker: no case '%s'\n", what);
	printf("steps=%u failed=%u refused=%u tx=%llu\n", a->n_steps, a->n_failed, a->n_refused,
	       (unsigned long long)a->n_transmitted);
	return a->n_steps && !a->n_failed ? 0 : 1;
}

static int list_cases(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(all_cases); i++)
		for (const struct attack_case *c = all_cases[i]; c->id; c++)
			for (unsigned int j = 0; j < c->n_steps; j++)
				printf("%s %s\n", c->id, c->steps[j].name);
	return 0;
}

static int usage(void)
{
	fputs("usage: attacker CASE --socket PATH [--wire NETNS:IFACE] [--pid PID] [--cycles N]"
	      " [--seconds N]\n       attacker --list\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", 1, NULL, 's'}, {"wire", 1, NULL, 'w'},    {"pid", 1, NULL, 'p'},
		{"cycles", 1, NULL, 'c'}, {"seconds", 1, NULL, 't'}, {"list", 0, NULL, 'l'},
		{NULL, 0, NULL, 0},
	};
	struct attack a = {.wire_fd = -1, .cycles = 10000, .race_seconds = 60};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			a.path = optarg;
		else if (c == 'w')
			a.wire = optarg;
		else if (c == 'p')
			a.victim_pid = atoi(optarg);
		else if (c == 'c')
			a.cycles = strtoul(optarg, NULL, 0);
		else if (c == 't')
			a.race_seconds = strtoul(optarg, NULL, 0);
		else
			return c == 'l' ? list_cases() : usage();
	}
	if (optind + 1 != argc || !a.path)
		return usage();
	if (a.wire && (a.wire_fd = wire_open(a.wire, 0)) < 0) {
		fprintf(stderr, "attacker: %s: %s\n", a.wire, strerror(-a.wire_fd));
		return 1;
	}
	return run_all(&a, argv[optind]);
}
