// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole messages out of a stream of bytes and descriptors, however they arrive. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "peer.h"
#include "vhost/msg.h"
#include "vxdp/util.h"

struct pair {
	struct vu_conn conn;
	struct peer peer; /* only its descriptor is used */
	unsigned int fds_before;
	const char *why;
};

static int setup(void **state)
{
	struct pair *t = calloc(1, sizeof(*t));
	int fds[2];

	t->fds_before = peer_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	vu_conn_open(&t->conn, fds[0]);
	t->peer.fd = fds[1];
	*state = t;
	return 0;
}

/* Nothing received or queued may be left open. */
static int teardown(void **state)
{
	struct pair *t = *state;
	bool leak;

	vu_conn_close(&t->conn);
	vu_conn_close(&t->conn);
	close_fd(&t->peer.fd);
	leak = peer_fds() != t->fds_before;
	free(t);
	return leak ? -1 : 0;
}

static size_t message(uint8_t *out, uint32_t request, uint32_t flags, const void *payload,
		      uint32_t bytes)
{
	struct vu_header h = {.request = request, .flags = flags, .bytes = bytes};

	memcpy(out, &h, sizeof(h));
	if (bytes)
		memcpy(out + sizeof(h), payload, bytes);
	return sizeof(h) + bytes;
}

static int receive(struct pair *t, struct vu_msg *msg)
{
	t->why = NULL;
	return vu_conn_receive(&t->conn, msg, &t->why);
}

static void test_byte_by_byte(void **state)
{
	struct pair *t = *state;
	uint64_t value = 0x1122334455667788ull;
	uint8_t bytes[64];
	size_t n = message(bytes, 2, VU_VERSION | VU_NEED_REPLY, &value, 8);
	struct vu_msg msg;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(receive(t, &msg), 0);
		/* A descriptor belongs to the first byte. */
		peer_bytes(&t->peer, bytes + i, 1, &t->peer.fd, i == 0);
	}
	assert_int_equal(receive(t, &msg), 1);
	assert_int_equal(msg.header.request, 2);
	assert_int_equal(msg.header.flags, VU_VERSION | VU_NEED_REPLY);
	assert_int_equal(msg.payload.u64, value);
	assert_int_equal(msg.n_fds, 1);
	vu_msg_end(&msg);
	assert_int_equal(receive(t, &msg), 0);
}

/* Several messages in one write, cut at every place: descriptors stay with their message. */
static void test_several_in_one(void **state)
{
	struct pair *t = *state;
	uint8_t bytes[128];
	struct vu_msg msg;

	for (size_t cut = 0; cut < 12; cut++) {
		size_t n = message(bytes, 1, VU_VERSION, NULL, 0);

		n += message(bytes + n, 3, VU_VERSION, NULL, 0);
		peer_bytes(&t->peer, bytes, n, NULL, 0);
		n = message(bytes, 21, VU_VERSION, NULL, 0);
		peer_bytes(&t->peer, bytes, n - cut, &t->peer.fd, 1);
		if (cut)
			peer_bytes(&t->peer, bytes + n - cut, cut, NULL, 0);
		assert_int_equal(receive(t, &msg), 1);
		assert_int_equal(msg.header.request, 1);
		assert_int_equal(msg.n_fds, 0);
		assert_int_equal(receive(t, &msg), 1);
		assert_int_equal(msg.header.request, 3);
		assert_int_equal(msg.n_fds, 0);
		assert_int_equal(receive(t, &msg), 1);
		assert_int_equal(msg.header.request, 21);
		assert_int_equal(msg.n_fds, 1);
		vu_msg_end(&msg);
		assert_int_equal(receive(t, &msg), 0);
	}
}

/* What is behind a short payload is zeros, not the message before. */
static void test_no_stale_payload(void **state)
{
	struct pair *t = *state;
	uint8_t bytes[128], ones[32];
	struct vu_msg msg;

	memset(ones, 0xff, sizeof(ones));
	peer_bytes(&t->peer, bytes, message(bytes, 9, VU_VERSION, ones, 32), NULL, 0);
	assert_int_equal(receive(t, &msg), 1);
	peer_bytes(&t->peer, bytes, message(bytes, 9, VU_VERSION, ones, 4), NULL, 0);
	assert_int_equal(receive(t, &msg), 1);
	assert_int_equal(msg.payload.u64, 0xffffffff);
	assert_int_equal(msg.payload.addr.desc, 0);
}

static void test_bad_headers(void **state)
{
	static const struct {
		uint32_t flags, bytes;
		const char *why;
	} bad[] = {
		{0, 0, "another version of the protocol"},
		{2, 0, "another version of the protocol"},
		{3, 0, "another version of the protocol"},
		{VU_VERSION | VU_REPLY, 0, "a reply to nothing"},
		{VU_VERSION | 0x10, 0, "unknown flags"},
		{VU_VERSION | 0x80000000, 0, "unknown flags"},
		{VU_VERSION, VU_PAYLOAD_MAX + 1, "a message that is too long"},
		{VU_VERSION, 0xffffffff, "a message that is too long"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vu_header h = {.request = 1, .flags = bad[i].flags, .bytes = bad[i].bytes};
		struct vu_msg msg;
		void *inner;
		struct pair *t;

		assert_int_equal(setup(&inner), 0);
		t = inner;
		peer_bytes(&t->peer, &h, sizeof(h), &t->peer.fd, 1);
		assert_int_equal(receive(t, &msg), -EPROTO);
		assert_string_equal(t->why, bad[i].why);
		assert_int_equal(teardown(&inner), 0);
	}
}

static void test_longest(void **state)
{
	struct pair *t = *state;
	uint8_t *bytes = calloc(1, VU_PAYLOAD_MAX + 64), *payload = calloc(1, VU_PAYLOAD_MAX);
	struct vu_msg msg;

	payload[VU_PAYLOAD_MAX - 1] = 7;
	peer_bytes(&t->peer, bytes, message(bytes, 99, VU_VERSION, payload, VU_PAYLOAD_MAX), NULL,
		   0);
	assert_int_equal(receive(t, &msg), 1);
	assert_int_equal(msg.payload.raw[VU_PAYLOAD_MAX - 1], 7);
	free(payload);
	free(bytes);
}

static void test_end_of_stream(void **state)
{
	struct pair *t = *state;
	uint8_t bytes[64];
	struct vu_msg msg;

	message(bytes, 1, VU_VERSION, NULL, 0);
	peer_bytes(&t->peer, bytes, 5, NULL, 0);
	shutdown(t->peer.fd, SHUT_WR);
	assert_int_equal(receive(t, &msg), -ECONNRESET);
	assert_string_equal(t->why, "it closed the connection within a message");
}

static void test_orderly_end(void **state)
{
	struct pair *t = *state;
	struct vu_msg msg;

	close_fd(&t->peer.fd);
	assert_int_equal(receive(t, &msg), -ECONNRESET);
	assert_null(t->why);
}

static void test_descriptors_in_the_middle(void **state)
{
	struct pair *t = *state;
	uint8_t bytes[64];
	struct vu_msg msg;

	message(bytes, 1, VU_VERSION, NULL, 0);
	peer_bytes(&t->peer, bytes, 4, NULL, 0);
	assert_int_equal(receive(t, &msg), 0);
	peer_bytes(&t->peer, bytes + 4, 8, &t->peer.fd, 1);
	assert_int_equal(receive(t, &msg), -EPROTO);
	assert_string_equal(t->why, "descriptors in the middle of a message");
}

static void test_too_many_descriptors(void **state)
{
	struct pair *t = *state;
	int fds[VU_FDS_MAX + 20];
	uint8_t bytes[64];
	struct vu_msg msg;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = t->peer.fd;
	message(bytes, 5, VU_VERSION, NULL, 0);
	peer_bytes(&t->peer, bytes, 12, fds, VU_FDS_MAX);
	assert_int_equal(receive(t, &msg), 1);
	assert_int_equal(msg.n_fds, VU_FDS_MAX);
	vu_msg_end(&msg);
	peer_bytes(&t->peer, bytes, 12, fds, ARRAY_SIZE(fds));
	assert_int_equal(receive(t, &msg), -EPROTO);
	assert_string_equal(t->why, "descriptors were lost on the way");
}

/* Our own table of descriptors is full when some arrive. */
static void test_no_descriptor_left(void **state)
{
	struct pair *t = *state;
	struct rlimit limit, few;
	uint8_t bytes[64];
	struct vu_msg msg;
	int fds[4], got;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = t->peer.fd;
	message(bytes, 5, VU_VERSION, NULL, 0);
	peer_bytes(&t->peer, bytes, 12, fds, ARRAY_SIZE(fds));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)t->peer.fd + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	got = receive(t, &msg);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(got, -EPROTO);
	assert_string_equal(t->why, "descriptors were lost on the way");
}

static void test_reply(void **state)
{
	struct pair *t = *state;
	uint64_t value = 42;
	struct vu_header h;
	int fd = -1;

	assert_int_equal(vu_conn_reply(&t->conn, 31, &value, 8, t->peer.fd), 0);
	assert_false(vu_conn_wants_out(&t->conn));
	value = 0;
	assert_int_equal(peer_receive(&t->peer, &h, &value, 8, &fd), 8);
	assert_int_equal(h.request, 31);
	assert_int_equal(value, 42);
	assert_true(fd >= 0);
	close(fd);
}

/* A peer that reads nothing gets a bounded number of replies, and never blocks us. */
static void test_replies_not_read(void **state)
{
	struct pair *t = *state;
	unsigned int sent = 0, got = 0;
	struct vu_header h;
	uint64_t value;
	int err = 0, fd;

	for (sent = 0; sent < 100000 && !err; sent++) {
		value = sent;
		err = vu_conn_reply(&t->conn, 1, &value, 8, sent % 3 ? -1 : t->peer.fd);
	}
	assert_int_equal(err, -ENOBUFS);
	assert_true(vu_conn_wants_out(&t->conn));
	/* All that was taken arrives once the peer reads, each with its descriptor. */
	for (;;) {
		fd = -1;
		if (peer_receive(&t->peer, &h, &value, 8, &fd) < 0) {
			assert_int_equal(vu_conn_flush(&t->conn), 0);
			fd = -1;
			if (peer_receive(&t->peer, &h, &value, 8, &fd) < 0)
				break;
		}
		assert_int_equal(value, got);
		assert_int_equal(fd >= 0, got % 3 == 0);
		close_fd(&fd);
		got++;
	}
	assert_int_equal(got, sent - 1);
	assert_false(vu_conn_wants_out(&t->conn));
}

static void test_reply_to_nobody(void **state)
{
	struct pair *t = *state;
	uint64_t value = 1;

	close_fd(&t->peer.fd);
	assert_int_equal(vu_conn_reply(&t->conn, 1, &value, 8, -1), -ECONNRESET);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_byte_by_byte),
		CASE(test_several_in_one),
		CASE(test_no_stale_payload),
		CASE(test_bad_headers),
		CASE(test_longest),
		CASE(test_end_of_stream),
		CASE(test_orderly_end),
		CASE(test_descriptors_in_the_middle),
		CASE(test_too_many_descriptors),
		CASE(test_no_descriptor_left),
		CASE(test_reply),
		CASE(test_replies_not_read),
		CASE(test_reply_to_nobody),
	};

	return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
