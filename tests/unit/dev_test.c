// SPDX-License-Identifier: GPL-2.0-or-later
/* A device from its first message to its last: what starts and stops rings, and when. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vhost/dirty.h"
#include "vxdp/util.h"

static uint64_t event_count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* Takes the one buffer there is out of a ring, and hands it back with @written bytes in it. */
static void serve_one(struct vu_ring *r, uint32_t written)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chain;

	assert_int_equal(vu_ring_pop(r, &chain, 1, iov, VU_CHAIN_IOV_MAX), 1);
	if (written) {
		memset(iov[0].iov_base, 0xab, written);
		vu_mem_dirty(vu_ring_info(r)->mem, iov[0].iov_base, written);
	}
	vu_ring_push(r, chain.head, written);
	vu_ring_flush(r);
	vu_ring_notify(r);
}

static uint32_t get_base(struct peer *p, unsigned int index)
{
	struct vu_vring_state s = {.index = index};
	struct vu_header h;

	peer_send(p, VU_REQ_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0);
	assert_int_equal(peer_receive(p, &h, &s, sizeof(s), NULL), sizeof(s));
	assert_int_equal(s.index, index);
	return s.num;
}

static void test_session(void **state)
{
	struct vu_dev_info info;
	struct peer p;

	peer_open(&p, 2);
	peer_start(&p, PEER_F_MODERN, 2);
	assert_int_equal(p.features, PEER_F_MODERN);
	assert_non_null(p.ring[0]);
	assert_true(p.enabled[0] && p.enabled[1]);
	assert_true(vu_ring_info(p.ring[0])->is_rx);
	assert_false(vu_ring_info(p.ring[1])->is_rx);
	assert_ptr_equal(vu_dev_ring(p.dev, 1), p.ring[1]);
	assert_null(vu_dev_ring(p.dev, 2));
	assert_null(vu_dev_ring(p.dev, 400));

	vu_dev_info(p.dev, &info);
	assert_int_equal(info.state, VU_RUNNING);
	assert_int_equal(info.role, VU_ROLE_SERVER);
	assert_int_equal(info.n_rings_running, 2);
	assert_int_equal(info.peer_pid, getpid());
	assert_int_equal(info.mem->n_regions, 1);

	/* A new interrupt descriptor is raised once, in case one was lost; then for the buffer. */
	assert_int_equal(event_count(p.call_fd[0]), 1);
	peer_make_available(&p, 0, PEER_MEM_GPA + 0x200000, 2048, true);
	serve_one(p.ring[0], 100);
	assert_int_equal(event_count(p.call_fd[0]), 1);
	assert_int_equal(p.mem[0x200000 + 99], 0xab);

	assert_int_equal(get_base(&p, 0), 1);
	assert_int_equal(get_base(&p, 1), 0);
	assert_null(p.ring[0]);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.state, VU_CONNECTED);
	assert_int_equal(get_base(&p, 0), 1);
	peer_close(&p);
	assert_int_equal(p.n_mem_release, 1);
	assert_true(log_stub_has("vm0: front end connected (pid "));
}

static void send_piece(struct peer *p, unsigned int piece, unsigned int index)
{
	switch (piece) {
	case 0:
		assert_int_equal(peer_ack_state(p, VU_REQ_SET_VRING_NUM, index, 128), 0);
		break;
	case 1:
		assert_int_equal(peer_addr(p, index, 0), 0);
		break;
	case 2:
		assert_int_equal(peer_ack_event(p, VU_REQ_SET_VRING_KICK, index, -1), 0);
		break;
	case 3:
		assert_int_equal(peer_ack_u64(p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
		break;
	default:
		assert_int_equal(peer_mem_table(p), 0);
	}
}

/* Number, address, start, features, memory in all 120 orders: it runs after the last one. */
static void test_any_order(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	for (unsigned int n = 0; n < 120; n++) {
		unsigned int left[5] = {0, 1, 2, 3, 4}, n_left = 5, code = n;

		peer_negotiate(&p);
		for (; n_left; n_left--) {
			unsigned int pick = code % n_left;

			assert_null(p.ring[0]);
			code /= n_left;
			send_piece(&p, left[pick], 0);
			left[pick] = left[n_left - 1];
		}
		assert_non_null(p.ring[0]);
		assert_int_equal(vu_ring_info(p.ring[0])->num, 128);
		assert_int_equal(vu_ring_info(p.ring[0])->kick_fd, -1);
		assert_false(p.enabled[0]);
		close_fd(&p.fd);
		peer_pump(&p);
		assert_null(p.ring[0]);
		peer_connect(&p);
	}
	assert_int_equal(p.n_start[0], 120);
	peer_close(&p);
}

static void test_enable(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	/* QEMU enables rings long before the guest's driver is there. */
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_ENABLE, 0, 1), -1);
	peer_start(&p, PEER_F_MODERN, 2);
	assert_true(p.enabled[0]);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_ENABLE, 0, 0), 0);
	assert_false(p.enabled[0]);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_ENABLE, 0, 1), 0);
	assert_true(p.enabled[0]);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_ENABLE, 0, 2), 1);
	assert_int_equal(p.n_start[0], 1);
	/* The deprecated way to disable all of them. */
	assert_int_equal(peer_ack(&p, VU_REQ_RESET_OWNER, NULL, 0, NULL, 0), 0);
	assert_false(p.enabled[0] || p.enabled[1]);
	peer_close(&p);
}

/* Without PROTOCOL_FEATURES there is no SET_VRING_ENABLE: a ring is enabled when it starts. */
static void test_enabled_at_start(void **state)
{
	struct vu_vring_state num = {.index = 1, .num = 256};
	struct vu_vring_addr addr = peer_addr_of(1);
	uint64_t features = 1ull << 32, kick = 1 | VU_VRING_NO_FD;
	struct vu_mem_table t = {.n_regions = 1,
				 .region[0] = {.gpa = PEER_MEM_GPA,
					       .bytes = PEER_MEM_BYTES,
					       .uaddr = PEER_MEM_UADDR}};
	struct peer p;

	peer_open(&p, 1);
	peer_send(&p, VU_REQ_SET_OWNER, 0, NULL, 0, NULL, 0);
	peer_send(&p, VU_REQ_SET_FEATURES, 0, &features, 8, NULL, 0);
	peer_send(&p, VU_REQ_SET_MEM_TABLE, 0, &t, 40, &p.mem_fd, 1);
	peer_send(&p, VU_REQ_SET_VRING_NUM, 0, &num, 8, NULL, 0);
	peer_send(&p, VU_REQ_SET_VRING_ADDR, 0, &addr, 40, NULL, 0);
	peer_send(&p, VU_REQ_SET_VRING_KICK, 0, &kick, 8, NULL, 0);
	assert_non_null(p.ring[1]);
	assert_true(p.enabled[1]);
	peer_close(&p);
}

/* Whatever changes while a ring runs: it is stopped, changed, and started where it was. */
static void test_change_while_running(void **state)
{
	struct peer p;
	int other_kick;

	peer_open(&p, 2);
	other_kick = eventfd(0, EFD_CLOEXEC);
	peer_start(&p, PEER_F_MODERN, 2);
	peer_make_available(&p, 0, PEER_MEM_GPA + 0x200000, 2048, true);
	serve_one(p.ring[0], 64);

	/* The same again changes nothing, and stops nothing. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(peer_mem_table(&p), 0);
	assert_int_equal(peer_addr(&p, 0, 0), 0);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 256), 0);
	assert_int_equal(p.n_stop[0], 0);

	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_KICK, 0, other_kick), 0);
	assert_int_equal(p.n_stop[0], 1);
	assert_non_null(p.ring[0]);
	assert_true(p.enabled[0]);
	assert_true(vu_ring_info(p.ring[0])->kick_fd >= 0);
	assert_true(fcntl(other_kick, F_GETFL) & O_NONBLOCK);
	assert_int_equal(p.n_stop[1], 0);
	close(other_kick);

	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN | 1), 0);
	assert_int_equal(p.n_features, 2);
	assert_int_equal(p.n_stop[1], 1);
	assert_non_null(p.ring[1]);

	peer_make_available(&p, 0, PEER_MEM_GPA + 0x200000, 2048, true);
	serve_one(p.ring[0], 64);
	assert_int_equal(get_base(&p, 0), 2);
	peer_close(&p);
}

static void test_packed(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN | PEER_F_PACKED), 0);
	assert_int_equal(peer_mem_table(&p), 0);
	peer_ring(&p, 0, 255, 0x80008000);
	assert_non_null(p.ring[0]);
	assert_true(vu_ring_info(p.ring[0])->packed);
	assert_int_equal(get_base(&p, 0), 0x80008000);
	peer_close(&p);
}

static int add_region(struct peer *p, uint32_t request, uint64_t at, uint64_t bytes, int fd)
{
	struct vu_mem_single m = {.region = {.gpa = PEER_MEM_GPA + at,
					     .bytes = bytes,
					     .uaddr = PEER_MEM_UADDR + at,
					     .mmap_offset = at}};

	return peer_ack(p, request, &m, sizeof(m), &fd, fd >= 0);
}

/* Memory one region at a time, rings in the first one, while they run. */
static void test_memory_slots(void **state)
{
	const uint64_t half = PEER_MEM_BYTES / 2;
	struct vu_dev_info info;
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	assert_int_equal(peer_get(&p, VU_REQ_GET_MAX_MEM_SLOTS), VU_REGIONS_MAX);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	peer_ring(&p, 0, 256, 0);
	assert_non_null(p.ring[0]);

	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, half, half, p.mem_fd), 0);
	assert_int_equal(p.n_stop[0], 1);
	assert_int_equal(p.n_mem_release, 1);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.mem->n_regions, 2);
	peer_make_available(&p, 0, PEER_MEM_GPA + half + 0x1000, 2048, true);
	serve_one(p.ring[0], 64);

	/* Overlapping or unknown: refused, nothing changes. */
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, half, half / 2, p.mem_fd), 1);
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, half, 0x1000, -1), 1);
	assert_int_equal(p.n_stop[0], 1);

	/* A stray descriptor is closed (peer_close() counts them). */
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, half, half, p.mem_fd), 0);
	assert_non_null(p.ring[0]);

	/* Without the region it is in, the ring waits; it goes on when the region is back. */
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 0);
	assert_null(p.ring[0]);
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, half, half, p.mem_fd), 0);
	assert_null(p.ring[0]);
	assert_true(log_stub_has("vm0: waits for memory: ring 0"));
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	assert_non_null(p.ring[0]);
	assert_int_equal(get_base(&p, 0), 1);
	peer_close(&p);
}

/*
 * QEMU 7.2 adds and removes each region once for each queue pair. The first removal counts, since
 * what comes in its place may come at once; the others have to be accepted as well, and no more.
 */
static void test_memory_slots_by_pair(void **state)
{
	const uint64_t half = PEER_MEM_BYTES / 2;
	struct vu_dev_info info;
	struct peer p;

	peer_open(&p, 2);
	peer_negotiate(&p);
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.mem->n_regions, 1);
	assert_int_equal(p.n_mem_release, 0);

	for (unsigned int pair = 0; pair < 2; pair++) {
		assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 0);
		assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0, 2 * half, p.mem_fd), 0);
		vu_dev_info(p.dev, &info);
		assert_int_equal(info.mem->n_regions, 1);
		assert_int_equal(info.mem->region[0].bytes, 2 * half);
	}
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 1);
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 0);
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 0);
	assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 1);
	peer_close(&p);
}

static void test_slots_limit(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	for (unsigned int i = 0; i < VU_REGIONS_MAX; i++)
		assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, i * 0x1000, 0x1000, p.mem_fd),
				 0);
	assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0x100000, 0x1000, p.mem_fd), 1);
	for (unsigned int i = 0; i < 2000; i++) {
		assert_int_equal(add_region(&p, VU_REQ_REM_MEM_REG, 0x3000, 0x1000, -1), 0);
		assert_int_equal(add_region(&p, VU_REQ_ADD_MEM_REG, 0x3000, 0x1000, p.mem_fd), 0);
	}
	peer_close(&p);
}

static bool logged(const uint8_t *log, uint64_t gpa)
{
	return log[gpa / 4096 / 8] >> gpa / 4096 % 8 & 1;
}

/* The front end begins to migrate a running guest: log, LOG_ALL, used rings; then gives up. */
static void test_dirty_log(void **state)
{
	const uint64_t offset = 0x1040, bytes = (PEER_MEM_GPA + PEER_MEM_BYTES) / 4096 / 8;
	struct vu_log_range range = {.bytes = bytes, .offset = offset};
	uint8_t *file, *log;
	struct vu_header h;
	uint64_t answer = 1;
	int log_fd, event;
	struct peer p;

	peer_open(&p, 1);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(ftruncate(log_fd, 0x4000), 0);
	file = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
	log = file + offset;
	peer_start(&p, PEER_F_MODERN, 2);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_LOG_FD, NULL, 0, &event, 1), 0);
	peer_send(&p, VU_REQ_SET_LOG_BASE, 0, &range, sizeof(range), &log_fd, 1);
	assert_int_equal(peer_receive(&p, &h, &answer, sizeof(answer), NULL), sizeof(answer));
	assert_int_equal(answer, 0);
	assert_null(vu_ring_info(p.ring[0])->mem->dirty);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN | PEER_LOG_ALL), 0);
	assert_non_null(vu_ring_info(p.ring[0])->mem->dirty);
	assert_int_equal(peer_addr(&p, 0, VU_VRING_F_LOG), 0);

	peer_make_available(&p, 0, PEER_MEM_GPA + 0x201ff0, 2048, true);
	serve_one(p.ring[0], 0x20);
	assert_true(logged(log, PEER_MEM_GPA + 0x201000));
	assert_true(logged(log, PEER_MEM_GPA + 0x202000));
	assert_false(logged(log, PEER_MEM_GPA + 0x200000));
	assert_false(logged(log, PEER_MEM_GPA + 0x203000));
	assert_true(logged(log, PEER_MEM_GPA + 0x8000)); /* the used ring */
	assert_true(event_count(event) > 0);
	for (unsigned int i = 0; i < 0x4000; i++)
		if (i < offset || i >= offset + bytes)
			assert_int_equal(file[i], 0);

	/* Pages beyond the log, and addresses that wrap, are nobody's. */
	vu_dirty_gpa(vu_ring_info(p.ring[0])->mem->dirty, bytes * 8 * 4096, 1 << 20);
	vu_dirty_gpa(vu_ring_info(p.ring[0])->mem->dirty, UINT64_MAX - 10, 100);
	assert_int_equal(file[offset + bytes], 0);

	/* A log that is too small for the guest is none. */
	range.bytes = 16;
	peer_send(&p, VU_REQ_SET_LOG_BASE, 0, &range, sizeof(range), &log_fd, 1);
	assert_true(peer_is_closed(&p));
	assert_true(log_stub_has("vm0: front end disconnected: SET_LOG_BASE: a log of 16 bytes"));
	munmap(file, 0x4000);
	close(log_fd);
	close(event);
	peer_close(&p);
}

static void test_small_requests(void **state)
{
	uint64_t mac = 0x060504030252ull; /* 52:02:03:04:05:06 */
	int pair[2];
	struct peer p;

	peer_open(&p, VU_PAIRS_MAX);
	peer_negotiate(&p);
	assert_int_equal(peer_get(&p, VU_REQ_GET_QUEUE_NUM), VU_PAIRS_MAX);

	assert_int_equal(peer_ack_u64(&p, VU_REQ_NET_SET_MTU, 1500), 0);
	assert_int_equal(p.mtu, 1500);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_NET_SET_MTU, 67), 1);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_NET_SET_MTU, 65536), 1);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_NET_SET_MTU, UINT64_MAX), 1);
	assert_int_equal(p.mtu, 1500);
	p.mtu_result = -ERANGE;
	assert_int_equal(peer_ack_u64(&p, VU_REQ_NET_SET_MTU, 9000), 1);

	assert_int_equal(peer_ack_u64(&p, VU_REQ_SEND_RARP, mac), 0);
	assert_memory_equal(p.mac, &mac, 6);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SEND_RARP, UINT64_MAX), 1);
	assert_int_equal(p.n_announce, 1);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_BACKEND_REQ_FD, NULL, 0, pair, 1), 0);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_BACKEND_REQ_FD, NULL, 0, pair, 1), 0);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_BACKEND_REQ_FD, NULL, 0, &p.mem_fd, 1), 1);
	close(pair[0]);
	close(pair[1]);

	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0xb), 0);
	assert_int_equal(peer_get(&p, VU_REQ_GET_STATUS), 0xb);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0x10b), 1);
	assert_int_equal(peer_get(&p, VU_REQ_GET_STATUS), 0xb);
	peer_close(&p);
}

/* Features that were refused cannot be confirmed in the status. */
static void test_features_ok(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN | 1ull << 5), 1);
	assert_int_equal(p.n_features, 0);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0xb), 0);
	assert_int_equal(peer_get(&p, VU_REQ_GET_STATUS), 0x3);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0xb), 0);
	assert_int_equal(peer_get(&p, VU_REQ_GET_STATUS), 0xb);
	peer_close(&p);
}

static void test_reset(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 2);
	/* The driver resets the device: its rings are its own again. */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0xf), 0);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_STATUS, 0), 0);
	assert_null(p.ring[0]);
	assert_null(p.ring[1]);
	peer_ring(&p, 0, 256, 0);
	assert_non_null(p.ring[0]);

	assert_int_equal(peer_ack(&p, VU_REQ_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	assert_null(p.ring[0]);
	assert_int_equal(peer_get(&p, VU_REQ_GET_STATUS), 0);
	peer_ring(&p, 0, 128, 0);
	assert_null(p.ring[0]); /* the features have to be negotiated again */
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_non_null(p.ring[0]);
	assert_true(p.enabled[0]);
	peer_close(&p);
}

static void test_broken_ring(void **state)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chain;
	struct peer p;
	int err;

	peer_open(&p, 1);
	err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	peer_start(&p, PEER_F_MODERN, 2);
	assert_int_equal(peer_ack_event(&p, VU_REQ_SET_VRING_ERR, 0, err), 0);
	peer_make_available(&p, 0, 0xdead0000, 2048, true);
	assert_int_equal(vu_ring_pop(p.ring[0], &chain, 1, iov, VU_CHAIN_IOV_MAX), -EPROTO);
	vu_dev_ring_broken(p.dev, 0);
	assert_null(p.ring[0]);
	assert_non_null(p.ring[1]);
	assert_int_equal(event_count(err), 1);
	assert_true(log_stub_has("vm0: ring 0 is broken: "));
	vu_dev_ring_broken(p.dev, 0);
	vu_dev_ring_broken(p.dev, 9999);

	/* It stays so until it is started anew. */
	assert_int_equal(peer_addr(&p, 0, VU_VRING_F_LOG), 0);
	assert_null(p.ring[0]);
	assert_int_equal(get_base(&p, 0), 0);
	memset(p.mem, 0, 0x10000);
	peer_ring(&p, 0, 256, 0);
	assert_non_null(p.ring[0]);
	close(err);
	peer_close(&p);
}

static void fail_at_start(struct peer *p, unsigned int index)
{
	vu_dev_fail(p->dev, "the owner does not want it");
}

static void test_owner_fails(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 1);
	vu_dev_fail(p.dev, "too bad");
	assert_true(peer_is_closed(&p));
	assert_true(log_stub_has("vm0: front end disconnected: too bad"));
	assert_null(p.ring[0]);
	vu_dev_fail(p.dev, "nobody there");

	close_fd(&p.fd);
	peer_connect(&p);
	p.on_start = fail_at_start;
	peer_negotiate(&p);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(peer_mem_table(&p), 0);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 256), 0);
	assert_int_equal(peer_addr(&p, 0, 0), 0);
	peer_ack_event(&p, VU_REQ_SET_VRING_KICK, 0, -1);
	assert_true(peer_is_closed(&p));
	assert_true(log_stub_has("the owner does not want it"));
	peer_close(&p);
}

static void break_at_start(struct peer *p, unsigned int index)
{
	vu_dev_ring_broken(p->dev, index);
	assert_null(p->ring[index]);
}

/* Whatever the owner calls from within its callbacks: each ring is stopped once. */
static void test_owner_calls_back(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 2);
	p.on_stop = fail_at_start;
	vu_dev_ring_broken(p.dev, 0);
	assert_true(peer_is_closed(&p));
	assert_int_equal(p.n_link_down, 1);
	assert_int_equal(log_stub_lines("front end disconnected: "), 1);

	close_fd(&p.fd);
	peer_connect(&p);
	peer_start(&p, PEER_F_MODERN, 2);
	vu_dev_fail(p.dev, "too bad"); /* and again while its rings are stopped */
	assert_int_equal(p.n_link_down, 2);
	assert_int_equal(log_stub_lines("front end disconnected: "), 2);

	p.on_stop = NULL;
	p.on_start = break_at_start;
	close_fd(&p.fd);
	peer_connect(&p);
	peer_start(&p, PEER_F_MODERN, 2);
	assert_null(p.ring[0]);
	assert_null(p.ring[1]);
	p.on_stop = fail_at_start;
	peer_close(&p);
}

static void test_inflight_region(void **state)
{
	struct vu_inflight_desc d = {.n_queues = 2, .queue_num = 256};
	struct vu_header h;
	struct peer p;
	int fd = -1;

	peer_open(&p, 1);
	peer_negotiate(&p);
	peer_send(&p, VU_REQ_GET_INFLIGHT_FD, 0, &d, 20, NULL, 0);
	assert_int_equal(peer_receive(&p, &h, &d, sizeof(d), &fd), 20);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);
	assert_true(d.bytes > 2 * 256 * 16);
	assert_int_equal(peer_ack(&p, VU_REQ_SET_INFLIGHT_FD, &d, 24, &fd, 1), 0);
	assert_int_equal(peer_ack_u64(&p, VU_REQ_SET_FEATURES, PEER_F_MODERN), 0);
	assert_int_equal(peer_mem_table(&p), 0);
	peer_ring(&p, 0, 256, 0);
	peer_make_available(&p, 0, PEER_MEM_GPA + 0x200000, 2048, true);
	serve_one(p.ring[0], 64);

	/* A larger ring than the region has room for (CVE-2026-86565). */
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 512), 1);
	assert_null(p.ring[0]);
	assert_int_equal(peer_ack_state(&p, VU_REQ_SET_VRING_NUM, 0, 256), 0);
	assert_non_null(p.ring[0]);

	d.n_queues = 3;
	assert_int_equal(peer_ack(&p, VU_REQ_SET_INFLIGHT_FD, &d, 24, &fd, 1), 1);
	d.n_queues = 2;
	d.queue_num = 32768;
	assert_int_equal(peer_ack(&p, VU_REQ_SET_INFLIGHT_FD, &d, 24, &fd, 1), 1);
	d.queue_num = 256;
	d.bytes += 4096;
	assert_int_equal(peer_ack(&p, VU_REQ_SET_INFLIGHT_FD, &d, 24, &fd, 1), 1);
	d.bytes = UINT64_MAX;
	d.offset = 64;
	assert_int_equal(peer_ack(&p, VU_REQ_SET_INFLIGHT_FD, &d, 24, &fd, 1), 1);
	assert_non_null(p.ring[0]);
	close(fd);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_enable),
		cmocka_unit_test(test_enabled_at_start),
		cmocka_unit_test(test_change_while_running),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_memory_slots),
		cmocka_unit_test(test_memory_slots_by_pair),
		cmocka_unit_test(test_slots_limit),
		cmocka_unit_test(test_dirty_log),
		cmocka_unit_test(test_small_requests),
		cmocka_unit_test(test_features_ok),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_broken_ring),
		cmocka_unit_test(test_owner_fails),
		cmocka_unit_test(test_owner_calls_back),
		cmocka_unit_test(test_inflight_region),
	};

	return cmocka_run_group_tests_name("dev", tests, NULL, NULL);
}
