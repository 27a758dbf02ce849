// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A front end that breaks the rules: it is told no, or loses its connection with one line in the
 * log; the device serves the next one; nothing leaks.
 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

/* The connection was closed and said so in one line; a well-behaved front end is served then. */
static void check_closed(struct peer *p, const char *line)
{
	assert_true(peer_is_closed(p));
	assert_int_equal(log_stub_lines("vm0: front end disconnected: "), 1);
	assert_true(log_stub_has(line));
	log_stub_clear();
	close_fd(&p->fd);
	peer_connect(p);
}

static void check_still_served(struct peer *p)
{
	peer_start(p, PEER_F_MODERN, 2);
	assert_non_null(p->ring[0]);
	assert_non_null(p->ring[1]);
}

/* Without NEED_REPLY the only answer to nonsense is to hang up. */
static void test_no_ack_closes(void **state)
{
	uint64_t features = 1ull << 63;
	struct peer p;

	peer_open(&p, 1);
	peer_send(&p, VU_REQ_SET_FEATURES, 0, &features, 8, NULL, 0);
	check_closed(&p, "SET_FEATURES: features 0x8000000000000000 were never offered");
	/* NEED_REPLY counts only once REPLY_ACK is negotiated. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, features), -2);
	check_closed(&p, "SET_FEATURES: ");
	check_still_served(&p);
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
		check_closed(&p, ": unknown");
	}
	check_still_served(&p);
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
			check_closed(&p, j < 2 ? ": payload of " : " descriptors");
			assert_int_equal(peer_fds(), fds_now);
		}
	}
	check_still_served(&p);
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
		check_closed(&p, ": was not negotiated");
	}
	/* In-band notifications and others that were never offered. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_PROTOCOL_FEATURES, 1ull << 14), -2);
	check_closed(&p, "SET_PROTOCOL_FEATURES: protocol features 0x4000 were never offered");
	peer_close(&p);
}

static void test_ring_numbers(void **state)
{
	static const uint32_t bad[] = {4,	5,	 255,	     256,	0xffff,
				       0x10000, 0x10001, 0x80000000, 0xffffffff};
	struct peer p;

	peer_open(&p, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vu_vring_state s = {.index = bad[i], .num = 1};
		struct vu_vring_addr a = {.index = bad[i]};
		uint64_t event = bad[i] | VU_VRING_NO_FD;

		peer_negotiate(&p);
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_NUM, &s, 8, NULL, 0), 1);
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_BASE, &s, 8, NULL, 0), 1);
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ENABLE, &s, 8, NULL, 0), 1);
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ADDR, &a, 40, NULL, 0), 1);
		if ((bad[i] & ~VU_VRING_NO_FD) >= 4) {
			assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_VRING_KICK, event), 1);
			assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_VRING_CALL, event), 1);
			assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_VRING_ERR, event), 1);
		}
		log_stub_clear();
		peer_send(&p, VU_REQ_GET_VRING_BASE, 0, &s, 8, NULL, 0);
		check_closed(&p, "GET_VRING_BASE: ring ");
	}
	assert_int_equal(p.n_start[0], 0);
	peer_close(&p);
}

static void test_ring_sizes(void **state)
{
	static const uint32_t bad[] = {0, 32769, 65536, 0x10100, 0xffffffff};
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, bad[i]), 1);
	/* Only a packed ring may have any size; whether it is one is known when it starts. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(peer_mem_table(&p), 0);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 255), 0);
	assert_int_equal(peer_addr(&p, 0, 0), 0);
	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_KICK, 0, -1), 1);
	assert_true(log_stub_has("SET_VRING_KICK: ring 0: size 255 of a split ring"));
	assert_null(p.ring[0]);
	peer_close(&p);
}

static void test_ring_addresses(void **state)
{
	struct vu_vring_addr good = peer_addr_of(0), a;
	struct peer p;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 1);

#define BAD(change)                                                                                \
	do {                                                                                       \
		a = good;                                                                          \
		change;                                                                            \
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ADDR, &a, 40, NULL, 0), 1);         \
		assert_null(p.ring[0]);                                                            \
		assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ADDR, &good, 40, NULL, 0), 0);      \
		assert_non_null(p.ring[0]);                                                        \
	} while (0)

	BAD(a.desc = 0);
	BAD(a.desc = PEER_MEM_GPA); /* the guest's address, not the front end's */
	BAD(a.desc = UINT64_MAX - 15);
	BAD(a.avail = UINT64_MAX - 1);
	BAD(a.used = UINT64_MAX - 3);
	BAD(a.desc += 8);
	BAD(a.avail += 1);
	BAD(a.used += 2);
	BAD(a.desc = PEER_MEM_UADDR + PEER_MEM_BYTES - 256 * 16 + 16);
	BAD(a.avail = PEER_MEM_UADDR + PEER_MEM_BYTES - 512);
	BAD(a.used = PEER_MEM_UADDR + PEER_MEM_BYTES - 4);
	BAD(a.avail = a.desc + 256 * 16 - 16);
	BAD(a.used = a.avail);
	BAD(a.used = a.avail + 4);
	assert_int_equal(p.n_start[0], 15);
	a = good;
	a.flags = 2;
	assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ADDR, &a, 40, NULL, 0), 1);
	peer_close(&p);
}

static void test_ring_across_regions(void **state)
{
	struct vu_mem_table t = {
		.n_regions = 2,
		.region = {{PEER_MEM_GPA, 0x1000, PEER_MEM_UADDR, 0},
			   {PEER_MEM_GPA + 0x1000, 0x100000, PEER_MEM_UADDR + 0x1000, 0x1000}},
	};
	struct vu_vring_addr a = peer_addr_of(0);
	struct peer p;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 0);
	assert_int_equal(
		peer_ack(&p, VU_REQ_SET_MEM_TABLE, &t, 8 + 64, (int[]){p.mem_fd, p.mem_fd}, 2), 0);
	a.desc = PEER_MEM_UADDR + 0xff0;
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 16), 0);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_ADDR, &a, 40, NULL, 0), 0);
	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_KICK, 0, -1), 1);
	assert_true(
		log_stub_has("its descriptor area 0x7f0000000ff0+256 is not in a memory region"));
	peer_close(&p);
}

static void test_memory_tables(void **state)
{
	int fds[VU_FDS_MAX];
	struct vu_mem_table good = {.n_regions = 1,
				    .region[0] = {PEER_MEM_GPA, PEER_MEM_BYTES, PEER_MEM_UADDR, 0}},
			    t;
	struct peer p;

	peer_open(&p, 1);
	for (size_t i = 0; i < VU_FDS_MAX; i++)
		fds[i] = p.mem_fd;
	peer_start(&p, PEER_F_MODERN, 1);

#define BAD_TABLE(n_fds, change)                                                                   \
	do {                                                                                       \
		t = good;                                                                          \
		change;                                                                            \
		assert_int_equal(peer_ack(&p, VU_REQ_SET_MEM_TABLE, &t,                            \
					  8 + MIN(t.n_regions, 8u) * 32, fds, n_fds),              \
				 1);                                                               \
	} while (0)

	BAD_TABLE(0, t.n_regions = 0);
	BAD_TABLE(8, t.n_regions = 9);
	BAD_TABLE(8, t.n_regions = 0xffffffff);
	BAD_TABLE(0, );
	BAD_TABLE(2, );
	BAD_TABLE(1, t.n_regions = 2);
	BAD_TABLE(1, t.region[0].bytes = 0);
	BAD_TABLE(1, t.region[0].bytes += 4096);
	BAD_TABLE(1, t.region[0].bytes -= 1);
	BAD_TABLE(1, t.region[0].bytes = 1ull << 48);
	BAD_TABLE(1, t.region[0].mmap_offset = 1);
	BAD_TABLE(1, t.region[0].mmap_offset = -4096ull);
	BAD_TABLE(1, t.region[0].gpa = -4096ull);
	BAD_TABLE(1, t.region[0].uaddr = -1ull);
	BAD_TABLE(2, (t.n_regions = 2, t.region[1] = t.region[0]));
	BAD_TABLE(8, t.n_regions = 8);
	/* None of them stopped the ring, or cost it its memory. */
	assert_int_equal(p.n_stop[0], 0);
	assert_int_equal(p.n_mem_release, 0);

	/* Eight regions of one file are fine. */
	t = good;
	t.n_regions = 8;
	for (unsigned int i = 0; i < 8; i++)
		t.region[i] = (struct vu_mem_entry){PEER_MEM_GPA + i * 0x80000, 0x80000,
						    PEER_MEM_UADDR + i * 0x80000, i * 0x80000};
	assert_int_equal(peer_ack(&p, VU_REQ_SET_MEM_TABLE, &t, sizeof(t), fds, 8), 0);
	assert_int_equal(p.n_mem_release, 1);
	assert_non_null(p.ring[0]);
	peer_close(&p);
}

/* All kinds of descriptors where an eventfd belongs. */
static void test_wrong_descriptors(void **state)
{
	int wrong[8], pipes[2];
	uint64_t no_fd = VU_VRING_NO_FD, with_fd = 0;
	struct peer p;

	peer_open(&p, 1);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	wrong[0] = pipes[0];
	wrong[1] = pipes[1];
	wrong[2] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	wrong[3] = epoll_create1(EPOLL_CLOEXEC);
	wrong[4] = open("/dev/null", O_PATH | O_CLOEXEC);
	wrong[5] = memfd_create("anon_inode:[eventfd]", MFD_CLOEXEC);
	wrong[6] = p.fd;
	wrong[7] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	peer_negotiate(&p);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_true(wrong[i] >= 0);
		assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_KICK, 0, wrong[i]), 1);
		assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_CALL, 0, wrong[i]), 1);
		assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_ERR, 0, wrong[i]), 1);
		assert_int_equal(peer_ack(&p, VU_REQ_SET_LOG_FD, NULL, 0, &wrong[i], 1), 1);
		if (i != 6)
			assert_int_equal(
				peer_ack(&p, VU_REQ_SET_BACKEND_REQ_FD, NULL, 0, &wrong[i], 1), 1);
	}
	/* A descriptor where none was announced, none where one was. */
	assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_CALL, &no_fd, 8, wrong, 1), 1);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_VRING_CALL, &with_fd, 8, NULL, 0), 1);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (i != 6)
			close(wrong[i]);
	peer_close(&p);
}

/* An eventfd that is full and blocks: nobody sleeps on it. */
static void test_full_eventfd(void **state)
{
	uint64_t full = UINT64_MAX - 1;
	struct peer p;
	int event;

	peer_open(&p, 1);
	event = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(write(event, &full, sizeof(full)), sizeof(full));
	peer_start(&p, PEER_F_MODERN, 2);
	alarm(10);
	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_CALL, 0, event), 0);
	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_ERR, 0, event), 0);
	assert_int_equal(fcntl(event, F_SETFL, 0), 0);
	vu_dev_ring_broken(p.dev, 0);
	alarm(0);
	close(event);
	peer_close(&p);
}

static void test_logs(void **state)
{
	static const struct vu_log_range bad[] = {
		{0, 0},
		{1 << 20, 0},
		{4096, 1 << 20},
		{UINT64_MAX, 1},
		{4096, UINT64_MAX - 4095},
		{UINT64_MAX - 4095, 4096},
		{1ull << 63, 1 << 12},
	};
	struct peer p;
	int log;

	peer_open(&p, 1);
	log = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(ftruncate(log, 65536), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		peer_start(&p, PEER_F_MODERN, 1);
		peer_send(&p, VU_REQ_SET_LOG_BASE, 0, &bad[i], 16, &log, 1);
		check_closed(&p, "SET_LOG_BASE: ");
	}
	close(log);
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
	check_still_served(&p);
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
	check_still_served(&p);
	peer_close(&p);
}

/* The library's SIGBUS handler; cmocka puts its own in the place of it around each test. */
static struct sigaction library_handler;

static void library_handler_save(void)
{
	int fd = memfd_create("any", MFD_CLOEXEC);
	struct vu_region r = {.bytes = 4096, .fd = fd};
	struct vu_mem *mem;

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(vu_mem_new(&r, 1, 0, &mem), 0);
	vu_mem_free(&mem);
	close(fd);
	sigaction(SIGBUS, NULL, &library_handler);
}

static void test_memory_cut_short(void **state)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chain;
	struct peer p;

	sigaction(SIGBUS, &library_handler, NULL);
	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 2);
	assert_int_equal(ftruncate(p.mem_fd, 0), 0);
	assert_int_equal(vu_ring_pop(p.ring[0], &chain, 1, iov, VU_CHAIN_IOV_MAX), 0);
	assert_true(peer_is_closed(&p));
	assert_int_equal(log_stub_lines("vm0: front end disconnected: "), 1);
	assert_true(log_stub_has("it cut short a file that we share"));
	assert_null(p.ring[0]);
	assert_int_equal(ftruncate(p.mem_fd, PEER_MEM_BYTES), 0);
	close_fd(&p.fd);
	peer_connect(&p);
	check_still_served(&p);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_ack_closes),
		cmocka_unit_test(test_unknown_requests),
		cmocka_unit_test(test_sizes_and_descriptors),
		cmocka_unit_test(test_not_negotiated),
		cmocka_unit_test(test_ring_numbers),
		cmocka_unit_test(test_ring_sizes),
		cmocka_unit_test(test_ring_addresses),
		cmocka_unit_test(test_ring_across_regions),
		cmocka_unit_test(test_memory_tables),
		cmocka_unit_test(test_wrong_descriptors),
		cmocka_unit_test(test_full_eventfd),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_replies_not_read),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_random_sessions),
		cmocka_unit_test(test_memory_cut_short),
	};

	library_handler_save();
	return cmocka_run_group_tests_name("dev_hostile", tests, NULL, NULL);
}
