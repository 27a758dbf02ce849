// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic_tcp.c - bulk TCP with a checksum over the bytes at both ends, and what the kernel saw.
 *
 * The stream is a block of noise, repeated, whose first word is the number of the block: a block
 * lost, doubled or exchanged changes the checksum as surely as a changed bit. Numbers from
 * TCP_INFO: on the sender retransmits and reordering seen, on the receiver segments out of order.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

#define BLOCK (64u * 1024)

struct sum {
	uint64_t hash;
	uint64_t bytes;
};

static void add(struct sum *s, const uint8_t *data, size_t len)
{
	uint64_t h = s->hash, word;
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		memcpy(&word, data + i, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	for (; i < len; i++)
		h = (h ^ data[i]) * 0x100000001b3ull;
	s->hash = h;
	s->bytes += len;
}

static void make_block(uint8_t *block)
{
	uint64_t x = 0x2545f4914f6cdd1dull;

	for (size_t i = 0; i < BLOCK; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(block + i, &x, 8);
	}
}

static void get_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len);
}

/* Waits until @fd is ready for @events or the time is over. */
static bool ready(int fd, short events, double end)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	while (!stopped() && now() < end) {
		if (poll(&pfd, 1, 200) > 0)
			return true;
	}
	return false;
}

static void put_sum(struct result *r, const struct sum *s, double seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)s->hash);
	put_u64(r, "bytes", s->bytes);
	put_text(r, "checksum", text);
	put_double(r, "seconds", seconds);
	put_double(r, "mbit_s", seconds > 0 ? (double)s->bytes * 8 / 1e6 / seconds : 0);
}

/* Reads whole blocks, so that both ends cut the stream at the same places. */
static bool receive_all(int fd, struct sum *s, double end)
{
	static uint8_t block[BLOCK];
	size_t fill = 0;

	while (ready(fd, POLLIN, end)) {
		ssize_t n = recv(fd, block + fill, BLOCK - fill, 0);

		if (n < 0)
			return false;
		fill += (size_t)n;
		if (fill == BLOCK || !n) {
			add(s, block, fill);
			fill = 0;
		}
		if (!n)
			return true;
	}
	add(s, block, fill);
	return false;
}

/* One connection; its result. */
int tcp_recv(const struct opts *o)
{
	struct sum s = {0};
	struct sockaddr_storage sa;
	struct result r = {0};
	struct tcp_info info;
	double start, end;
	bool complete;
	socklen_t len;
	int fd, conn;

	fd = open_socket(o, SOCK_STREAM, &sa, &len, true);
	go_background(o);
	end = now() + o->timeout;
	if (!ready(fd, POLLIN, end)) {
		errno = ETIMEDOUT;
		fail("accept");
	}
	conn = accept(fd, NULL, NULL);
	start = now();
	complete = receive_all(conn, &s, end);
	get_info(conn, &info);
	put_sum(&r, &s, now() - start);
	put_u64(&r, "complete", complete);
	put_u64(&r, "out_of_order", info.tcpi_rcv_ooopack);
	close(conn);
	emit(o, &r);
	return complete ? 0 : 1;
}

static bool send_block(int fd, const uint8_t *block, size_t len, double end)
{
	while (len) {
		ssize_t n;

		if (!ready(fd, POLLOUT, end))
			return false;
		n = send(fd, block, len, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			block += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static int connect_within(const struct sockaddr_storage *sa, socklen_t len, const struct opts *o,
			  double end)
{
	struct sockaddr_storage copy;
	socklen_t copy_len;

	while (!stopped() && now() < end) {
		int fd = open_socket(o, SOCK_STREAM, &copy, &copy_len, false);

		if (!connect(fd, (const struct sockaddr *)sa, len))
			return fd;
		close(fd);
		usleep(100 * 1000);
	}
	fail("connect");
}

int tcp_send(const struct opts *o)
{
	static uint8_t block[BLOCK];
	struct sum s = {0};
	struct sockaddr_storage sa;
	struct result r = {0};
	struct tcp_info info;
	double start, end = now() + o->timeout;
	unsigned int pacing = (unsigned int)o->rate;
	bool complete = true;
	socklen_t len;
	char eof;
	int fd;

	make_block(block);
	close(open_socket(o, SOCK_STREAM, &sa, &len, false));
	fd = connect_within(&sa, len, o, end);
	if (o->rate)
		setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pacing, sizeof(pacing));
	start = now();
	for (uint64_t n = 0; s.bytes < o->bytes && complete; n++) {
		size_t part = o->bytes - s.bytes < BLOCK ? (size_t)(o->bytes - s.bytes) : BLOCK;

		memcpy(block, &n, sizeof(n));
		complete = send_block(fd, block, part, end);
		if (complete)
			add(&s, block, part);
	}
	/* The receiver closes once it has read all of it: then the figures are final. */
	shutdown(fd, SHUT_WR);
	complete = complete && ready(fd, POLLIN, end) && recv(fd, &eof, 1, 0) == 0;
	get_info(fd, &info);
	put_sum(&r, &s, now() - start);
	put_u64(&r, "complete", complete);
	put_u64(&r, "retransmits", info.tcpi_total_retrans);
	put_u64(&r, "reordering_seen", info.tcpi_reord_seen);
	emit(o, &r);
	return complete ? 0 : 1;
}
