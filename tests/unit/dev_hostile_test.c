// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A front end that breaks the rules of the protocol: it is told no, or loses its connection with
 * one line in the log; the device serves the next one; nothing leaks.
 */
#include "peer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

/* Without NEED_REPLY the only answer to nonsense is to hang up. */
static void test_no_ack_closes(void **state)
{
	uint64_t features = 1ull << 63;
	struct peer p;

	peer_open(&p, 1);
	peer_send(&p, VU_REQ_SET_FEATURES, 0, &features, 8, NULL, 0);
	peer_check_closed(&p, "SET_FEATURES: features 0x8000000000000000 were never offered");
	/* NEED_REPLY counts only once REPLY_ACK is negotiated. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, features), -2);
	peer_check_closed(&p, "SET_FEATURES: ");
	peer_check_served(&p);
	peer_close(&p);
}

static void test_unknown_requests(void **state)
{
	static const uint32_t unknown[] = {0,  22, 23, 24, 25,	 26,	     27,
					   28, 29, 30, 33, 35,	 41,	     42,
					   43, 44, 45, 46, 1000, 0x7fffffff, 0xffffffff};
	uint8_t payload[256] = {0};
	struct peer p;

	peer_open(&p, 1);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		peer_negotiate(&p);
		assert_int_equal(peer_ack(&p, unknown[i], payload, i * 8, &p.mem_fd, i % 2), 1);
		assert_true(log_stub_has("vm0: front end refused: request "));
		log_stub_clear();
		peer_send(&p, unknown[i], 0, payload, i * 8, &p.mem_fd, i % 2);
		peer_check_closed(&p, ": unknown");
	}
	peer_check_served(&p);
	peer_close(&p);
}

struct rule {
	uint32_t id, min, max, fds_min, fds_max;
	uint64_t needs;
	enum vu_reply reply;
};

#define RULE(id, name, lower, min, max, fds_min, fds_max, needs, reply)                            \
	{id, min, max, fds_min, fds_max, needs, VU_REPLY_##reply},

static const struct rule rules[] = {VU_REQUESTS(RULE)};

/* Every request: a byte too few, a byte too many, a descriptor too few, one too many. */
static void test_sizes_and_descriptors(void **state)
{
	uint8_t payload[VU_PAYLOAD_MAX] = {0};
	unsigned int fds_now;
	int fds[VU_FDS_MAX];
	struct peer p;

	peer_open(&p, 1);
	for (size_t i = 0; i < VU_FDS_MAX; i++)
		fds[i] = p.mem_fd;
	fds_now = peer_fds();
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];
		struct {
			uint32_t bytes, n_fds;
		} bad[4] = {{r->max + 1, r->fds_min},
			    {r->min - 1, r->fds_min},
			    {r->min, r->fds_max + 1},
			    {r->min, r->fds_min - 1}};

		for (size_t j = 0; j < ARRAY_SIZE(bad); j++) {
			if (bad[j].bytes > VU_PAYLOAD_MAX || bad[j].n_fds > VU_FDS_MAX)
				continue; /* there is no less than nothing, nor so many */
			peer_negotiate(&p);
			if (r->reply == VU_REPLY_NONE) {
				assert_int_equal(peer_ack(&p, r->id, payload, bad[j].bytes, fds,
							  bad[j].n_fds),
						 1);
				assert_false(peer_is_closed(&p));
				log_stub_clear();
			}
			peer_send(&p, r->id, 0, payload, bad[j].bytes, fds, bad[j].n_fds);
			peer_check_closed(&p, j < 2 ? ": payload of " : " descriptors");
			assert_int_equal(peer_fds(), fds_now);
		}
	}
	peer_check_served(&p);
	peer_close(&p);
}

/* Every request that has to be negotiated, without that. */
static void test_not_negotiated(void **state)
{
	uint8_t payload[64] = {0};
	struct peer p;

	peer_open(&p, 1);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!rules[i].needs)
			continue;
		peer_send(&p, rules[i].id, 0, payload, rules[i].min, &p.mem_fd, rules[i].fds_min);
		peer_check_closed(&p, ": was not negotiated");
	}
	/* In-band notifications and others that were never offered. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_PROTOCOL_FEATURES, 1ull << 14), -2);
	peer_check_closed(&p, "SET_PROTOCOL_FEATURES: protocol features 0x4000 were never offered");
	peer_close(&p);
}

static void test_replies_not_read(void **state)
{
	struct vu_header h = {VU_REQ_GET_FEATURES, VU_VERSION, 0};
	struct peer p;

	peer_open(&p, 1);
	for (unsigned int i = 0; i < 20000 && log_stub_lines("disconnected") == 0; i++) {
		peer_bytes(&p, &h, sizeof(h), NULL, 0);
		peer_pump(&p);
	}
	assert_true(log_stub_has("vm0: front end disconnected: it does not read our replies"));
	assert_true(peer_is_closed(&p));
	close_fd(&p.fd);
	peer_connect(&p);
	peer_check_served(&p);
	peer_close(&p);
}

/* A storm of messages keeps one dispatch busy for a bounded time only. */
static void test_storm(void **state)
{
	struct vu_header h[100];
	unsigned int rounds = 0;
	struct peer p;

	for (size_t i = 0; i < ARRAY_SIZE(h); i++)
		h[i] = (struct vu_header){VU_REQ_SET_OWNER, VU_VERSION, 0};
	peer_open(&p, 1);
	for (unsigned int i = 0; i < 10; i++)
		peer_bytes(&p, h, sizeof(h), NULL, 0);
	peer_bytes(&p, &(struct vu_header){VU_REQ_GET_FEATURES, VU_VERSION, 0}, 12, NULL, 0);
	for (; rounds < 100; rounds++) {
		struct vu_header reply;
		uint64_t features;

		vu_dev_dispatch(p.dev);
		if (peer_receive(&p, &reply, &features, 8, NULL) == 8)
			break;
	}
	assert_in_range(rounds, 10, 20);
	peer_close(&p);
}

static void test_many_connections(void **state)
{
	unsigned int fds;
	struct peer p;

	peer_open(&p, 1);
	fds = peer_fds();
	for (unsigned int i = 0; i < 2000; i++) {
		close_fd(&p.fd);
		if (i % 3)
			peer_pump(&p);
		peer_connect(&p);
		if (i % 100 == 0)
			peer_start(&p, PEER_F_MODERN, 2);
	}
	assert_int_equal(p.n_link_up, 2001);
	close_fd(&p.fd);
	peer_pump(&p);
	assert_in_range(peer_fds(), fds - 2, fds + 4); /* call and kick descriptors of the test */
	peer_close(&p);
}

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)random_state * n) >> 32);
}

static void random_value(uint8_t *at, size_t bytes)
{
	static const uint64_t likely_values[] = {0,
						 1,
						 2,
						 256,
						 0x10000,
						 PEER_MEM_UADDR,
						 PEER_MEM_UADDR + 0x4000,
						 PEER_MEM_GPA,
						 PEER_MEM_BYTES,
						 UINT64_MAX,
						 PEER_F_MODERN,
						 PEER_F_MODERN | PEER_F_PACKED,
						 PEER_F_MODERN | PEER_LOG_ALL};

	for (size_t i = 0; i + 4 <= bytes; i += random_below(2) ? 8 : 4) {
		uint64_t v = likely_values[random_below(ARRAY_SIZE(likely_values))];

		if (random_below(8) == 0)
			v = (uint64_t)random_below(UINT32_MAX) << random_below(32);
		memcpy(at + i, &v, MIN(sizeof(v), bytes - i));
	}
}

/* Requests of all kinds in all states, half of them sensible. */
static void test_random_sessions(void **state)
{
	unsigned int fds_now, n_running = 0;
	int fds[6];
	struct peer p;

	peer_open(&p, 1);
	fds[0] = memfd_create("more", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fds[0], PEER_MEM_BYTES), 0);
	fds[1] = p.mem_fd;
	fds[2] = eventfd(0, EFD_CLOEXEC);
	fds[3] = eventfd(0, EFD_CLOEXEC);
	fds[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[5] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	peer_start(&p, PEER_F_MODERN, 2);
	close_fd(&p.fd);
	peer_connect(&p);
	fds_now = peer_fds();
	for (unsigned int session = 0; session < 1500; session++) {
		if (random_below(4))
			peer_start(&p, PEER_F_MODERN, 2);
		for (unsigned int i = 0; i < 40; i++) {
			const struct rule *r = &rules[random_below(ARRAY_SIZE(rules))];
			uint32_t bytes = r->min + (r->max > r->min ? random_below(8) * 4 : 0);
			uint32_t n = r->fds_min + random_below(r->fds_max - r->fds_min + 1);
			uint8_t payload[VU_PAYLOAD_MAX] = {0};
			int pick[VU_FDS_MAX];

			random_value(payload, bytes);
			for (uint32_t j = 0; j < n; j++)
				pick[j] = fds[random_below(ARRAY_SIZE(fds))];
			if (random_below(20) == 0)
				bytes += random_below(16);
			peer_send(&p, r->id, random_below(4) ? VU_NEED_REPLY : 0, payload, bytes,
				  pick, n);
			n_running += p.ring[0] != NULL;
		}
		close_fd(&p.fd);
		peer_connect(&p);
		assert_false(p.misuse);
		assert_null(p.ring[0]);
		assert_in_range(peer_fds(), fds_now - 6, fds_now + 6);
	}
	assert_in_range(n_running, 1000, UINT32_MAX); /* they did get somewhere */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (i != 1)
			close(fds[i]);
	peer_check_served(&p);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_ack_closes),
		cmocka_unit_test(test_unknown_requests),
		cmocka_unit_test(test_sizes_and_descriptors),
		cmocka_unit_test(test_not_negotiated),
		cmocka_unit_test(test_replies_not_read),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_many_connections),
		cmocka_unit_test(test_random_sessions),
	};

	return cmocka_run_group_tests_name("dev_hostile", tests, NULL, NULL);
}
