// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic_udp.c - datagrams with a sequence number, their own length and a pattern.
 *
 * A flow is one source address and port; each has its own sequence. A receiver counts a datagram
 * as reordered when a later one of its flow came before it, as duplicate when it has been seen,
 * and as corrupt when length or pattern differ.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

#define MAGIC	    0x7856u
#define PAYLOAD_MAX 65507u
#define FLOWS_MAX   64
#define SEQ_MAX	    (1u << 24) /* seen-bits of a flow; later datagrams are not checked for doubles */

struct head {
	uint16_t magic;
	uint16_t size;
	uint32_t seq;
} __attribute__((packed));

struct flow {
	struct sockaddr_storage from;
	uint32_t next; /* one past the highest sequence number seen */
	uint64_t received;
	uint8_t *seen;
};

struct tally {
	uint64_t received, bytes, corrupt, reordered, duplicate;
	struct flow flows[FLOWS_MAX];
	unsigned int n_flows;
};

static uint8_t pattern_byte(uint32_t seq, uint32_t i)
{
	return (uint8_t)(seq * 31 + i * 7 + (i >> 8));
}

static void make(uint8_t *buf, uint32_t size, uint32_t seq)
{
	struct head h = {htons(MAGIC), htons((uint16_t)size), htonl(seq)};

	memcpy(buf, &h, sizeof(h));
	for (uint32_t i = sizeof(h); i < size; i++)
		buf[i] = pattern_byte(seq, i);
}

static bool check(const uint8_t *buf, size_t size, uint32_t *seq)
{
	struct head h;

	if (size < sizeof(h))
		return false;
	memcpy(&h, buf, sizeof(h));
	*seq = ntohl(h.seq);
	if (ntohs(h.magic) != MAGIC || ntohs(h.size) != size)
		return false;
	for (uint32_t i = sizeof(h); i < size; i++) {
		if (buf[i] != pattern_byte(*seq, i))
			return false;
	}
	return true;
}

static struct flow *find_flow(struct tally *t, const struct sockaddr_storage *from, socklen_t len)
{
	struct flow *f;

	for (unsigned int i = 0; i < t->n_flows; i++) {
		if (!memcmp(&t->flows[i].from, from, len))
			return &t->flows[i];
	}
	if (t->n_flows == FLOWS_MAX)
		return &t->flows[FLOWS_MAX - 1];
	f = &t->flows[t->n_flows++];
	memcpy(&f->from, from, len);
	f->seen = calloc(1, SEQ_MAX / 8);
	if (!f->seen)
		fail("calloc");
	return f;
}

static void count(struct tally *t, const uint8_t *buf, size_t size,
		  const struct sockaddr_storage *from, socklen_t len)
{
	struct flow *f = find_flow(t, from, len);
	uint32_t seq;

	t->received++;
	t->bytes += size;
	f->received++;
	if (!check(buf, size, &seq)) {
		t->corrupt++;
		return;
	}
	if (seq < SEQ_MAX && f->seen[seq / 8] & (1u << seq % 8)) {
		t->duplicate++;
		return;
	}
	if (seq < SEQ_MAX)
		f->seen[seq / 8] |= (uint8_t)(1u << seq % 8);
	if (seq < f->next)
		t->reordered++;
	else
		f->next = seq + 1;
}

/* The first sequence number of any flow that is missing below the highest one seen; 0: none is. */
static uint64_t first_gap(const struct tally *t)
{
	for (unsigned int i = 0; i < t->n_flows; i++) {
		const struct flow *f = &t->flows[i];

		for (uint32_t seq = 0; seq < f->next && seq < SEQ_MAX; seq++) {
			if (!(f->seen[seq / 8] & (1u << seq % 8)))
				return seq ? seq : 1;
		}
	}
	return 0;
}

static void put_tally(struct result *r, const struct tally *t)
{
	uint64_t span = 0;

	for (unsigned int i = 0; i < t->n_flows; i++)
		span += t->flows[i].next;
	put_u64(r, "received", t->received);
	put_u64(r, "bytes", t->bytes);
	put_u64(r, "corrupt", t->corrupt);
	put_u64(r, "reordered", t->reordered);
	put_u64(r, "duplicate", t->duplicate);
	put_u64(r, "flows", t->n_flows);
	put_u64(r, "highest", span);
	put_u64(r, "missing", span + t->duplicate + t->corrupt - t->received);
	put_u64(r, "first_gap", first_gap(t));
}

/* Receives one datagram within @wait seconds. Return: its length, or -1 (timeout or signal). */
static ssize_t receive(int fd, uint8_t *buf, struct sockaddr_storage *from, socklen_t *len,
		       double wait)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	*len = sizeof(*from);
	n = recvfrom(fd, buf, PAYLOAD_MAX, MSG_DONTWAIT, (struct sockaddr *)from, len);
	if (n >= 0 || wait <= 0)
		return n;
	if (poll(&pfd, 1, (int)(wait * 1000) + 1) <= 0)
		return -1;
	*len = sizeof(*from);
	return recvfrom(fd, buf, PAYLOAD_MAX, MSG_DONTWAIT, (struct sockaddr *)from, len);
}

/*
 * Ends when --expect datagrams are there (and a moment more, for doubles), when nothing has come
 * for --idle seconds after the first, or after --timeout.
 */
int udp_recv(const struct opts *o)
{
	static uint8_t buf[PAYLOAD_MAX];
	static struct tally t;
	struct sockaddr_storage sa, from = {0};
	double end, last = 0;
	struct result r = {0};
	socklen_t len;
	int fd;

	fd = open_socket(o, SOCK_DGRAM, &sa, &len, true);
	go_background(o);
	end = now() + o->timeout;
	while (!stopped() && now() < end) {
		ssize_t n = receive(fd, buf, &from, &len, 0.1);

		if (n >= 0) {
			count(&t, buf, (size_t)n, &from, len);
			last = now();
			continue;
		}
		if (last && now() - last > o->idle)
			break;
		if (o->expect && t.received >= o->expect && now() - last > 0.3)
			break;
	}
	put_tally(&r, &t);
	emit(o, &r);
	return 0;
}

/* Sleeps until datagram number @i is due; short waits are gathered, for the clock is coarse. */
static void pace(const struct opts *o, double start, uint64_t i)
{
	double due = start + (double)i / (double)o->rate, wait;

	wait = due - now();
	if (wait > 0.0005)
		usleep((useconds_t)(wait * 1e6));
}

int udp_send(const struct opts *o)
{
	static uint8_t buf[PAYLOAD_MAX];
	unsigned int flows = o->flows < FLOWS_MAX ? o->flows : FLOWS_MAX;
	uint64_t sent = 0, bytes = 0, errors = 0;
	struct sockaddr_storage sa;
	uint32_t size = o->size_min, seq[FLOWS_MAX] = {0};
	struct result r = {0};
	int fds[FLOWS_MAX];
	double start, end;
	socklen_t len;

	for (unsigned int i = 0; i < flows; i++) {
		fds[i] = open_socket(o, SOCK_DGRAM, &sa, &len, false);
		if (connect(fds[i], (struct sockaddr *)&sa, len))
			fail("connect");
	}
	start = now();
	end = start + o->timeout;
	for (uint64_t i = 0; i < o->count && !stopped() && now() < end; i++) {
		unsigned int f = (unsigned int)(i % flows);

		make(buf, size, seq[f]);
		if (send(fds[f], buf, size, 0) == (ssize_t)size) {
			seq[f]++;
			sent++;
			bytes += size;
		} else {
			errors++;
		}
		size = size < o->size_max ? size + 1 : o->size_min;
		if (o->rate)
			pace(o, start, i + 1);
	}
	put_u64(&r, "sent", sent);
	put_u64(&r, "bytes", bytes);
	put_u64(&r, "errors", errors);
	put_double(&r, "seconds", now() - start);
	emit(o, &r);
	return 0;
}

int udp_echo(const struct opts *o)
{
	static uint8_t buf[PAYLOAD_MAX];
	struct sockaddr_storage sa, from = {0};
	uint64_t echoed = 0, corrupt = 0;
	struct result r = {0};
	double end;
	socklen_t len;
	int fd;

	fd = open_socket(o, SOCK_DGRAM, &sa, &len, true);
	go_background(o);
	end = now() + o->timeout;
	while (!stopped() && now() < end) {
		ssize_t n = receive(fd, buf, &from, &len, 0.2);
		uint32_t seq;

		if (n < 0)
			continue;
		if (!check(buf, (size_t)n, &seq))
			corrupt++;
		if (sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len) == n)
			echoed++;
	}
	put_u64(&r, "echoed", echoed);
	put_u64(&r, "corrupt", corrupt);
	emit(o, &r);
	return 0;
}

/* Waits for the echo of @seq; late echoes of earlier ones are passed over. */
static int await_echo(int fd, uint8_t *buf, uint32_t size, uint32_t seq)
{
	double end = now() + 1;
	struct sockaddr_storage from;
	socklen_t len;

	while (now() < end && !stopped()) {
		ssize_t n = receive(fd, buf, &from, &len, end - now());
		uint32_t got;

		if (n < 0)
			continue;
		if (!check(buf, (size_t)n, &got))
			return -EBADMSG;
		if (got == seq)
			return (uint32_t)n == size ? 0 : -EBADMSG;
	}
	return -ETIMEDOUT;
}

int udp_ping(const struct opts *o)
{
	static uint8_t buf[PAYLOAD_MAX];
	uint64_t sent = 0, ok = 0, lost = 0, corrupt = 0;
	uint32_t first_bad = 0;
	struct sockaddr_storage sa;
	struct result r = {0};
	double end = now() + o->timeout;
	socklen_t len;
	int fd;

	fd = open_socket(o, SOCK_DGRAM, &sa, &len, false);
	if (connect(fd, (struct sockaddr *)&sa, len))
		fail("connect");
	for (uint32_t size = o->size_min; size <= o->size_max && !stopped() && now() < end;
	     size++) {
		int rc;

		make(buf, size, size);
		if (send(fd, buf, size, 0) != (ssize_t)size)
			fail("send");
		sent++;
		rc = await_echo(fd, buf, size, size);
		ok += !rc;
		lost += rc == -ETIMEDOUT;
		corrupt += rc == -EBADMSG;
		if (rc && !first_bad)
			first_bad = size;
	}
	put_u64(&r, "sent", sent);
	put_u64(&r, "ok", ok);
	put_u64(&r, "lost", lost);
	put_u64(&r, "corrupt", corrupt);
	put_u64(&r, "first_bad_size", first_bad);
	emit(o, &r);
	return ok == (uint64_t)(o->size_max - o->size_min + 1) ? 0 : 1;
}
