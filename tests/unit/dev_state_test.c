// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device keeps, logs and forgets: migration, resets, broken rings, a killed predecessor. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vhost/dirty.h"
#include "vxdp/util.h"

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
	peer_serve_one(p.ring[0], 0x20);
	assert_true(logged(log, PEER_MEM_GPA + 0x201000));
	assert_true(logged(log, PEER_MEM_GPA + 0x202000));
	assert_false(logged(log, PEER_MEM_GPA + 0x200000));
	assert_false(logged(log, PEER_MEM_GPA + 0x203000));
	assert_true(logged(log, PEER_MEM_GPA + 0x8000)); /* the used ring */
	assert_true(peer_event_count(event) > 0);
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
	assert_int_equal(peer_event_count(err), 1);
	assert_true(log_stub_has("vm0: ring 0 is broken: "));
	vu_dev_ring_broken(p.dev, 0);
	vu_dev_ring_broken(p.dev, 9999);

	/* It stays so until it is started anew. */
	assert_int_equal(peer_addr(&p, 0, VU_VRING_F_LOG), 0);
	assert_null(p.ring[0]);
	assert_int_equal(peer_get_base(&p, 0), 0);
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
	peer_serve_one(p.ring[0], 64);

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

static int pop(struct vu_ring *r, struct vu_head *heads, uint8_t **data, unsigned int n)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chains[8];
	int got = vu_ring_pop(r, chains, n, iov, VU_CHAIN_IOV_MAX);

	for (int i = 0; i < got; i++) {
		heads[i] = chains[i].head;
		data[i] = chains[i].iov[0].iov_base;
	}
	return got;
}

/* The life of a process that takes four buffers, gives two back, the last ones, and is killed. */
static void live_and_die(struct peer *p, const struct vu_dev_config *config)
{
	struct vu_head heads[4];
	uint8_t *data[4];

	peer_open_config(p, config);
	peer_connect(p);
	peer_start(p, PEER_F_MODERN, 2);
	for (unsigned int i = 0; i < 5; i++)
		peer_make_available(p, 0, PEER_MEM_GPA + 0x200000 + i * 0x1000, 2048, true);
	if (pop(p->ring[0], heads, data, 4) != 4)
		_exit(1);
	vu_ring_push(p->ring[0], heads[3], 64);
	vu_ring_push(p->ring[0], heads[1], 64);
	vu_ring_flush(p->ring[0]);
	_exit(0);
}

/*
 * The successor of a killed process: QEMU tells it to go on at the used index. The two buffers
 * that the first one still had come first, then the one it never took.
 */
static void test_crash_and_return(void **state)
{
	struct vu_dev_config config;
	struct vu_head heads[8];
	uint8_t *data[8];
	struct peer p;
	int status;
	pid_t pid;

	peer_prepare(&p, &config);
	config.state_dir = p.dir;
	pid = fork();
	if (pid == 0)
		live_and_die(&p, &config);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	peer_open_config(&p, &config);
	peer_connect(&p);
	peer_start(&p, PEER_F_MODERN, 0);
	peer_ring(&p, 0, 256, 2);
	assert_int_equal(pop(p.ring[0], heads, data, 1), 1);
	assert_int_equal(pop(p.ring[0], heads + 1, data + 1, 7), 1);
	assert_int_equal(pop(p.ring[0], heads + 2, data + 2, 6), 1);
	assert_int_equal(pop(p.ring[0], heads + 3, data + 3, 5), 0);
	for (unsigned int i = 0; i < 3; i++)
		vu_ring_push(p.ring[0], heads[i], 64);
	vu_ring_flush(p.ring[0]);
	assert_int_equal(data[0] - vu_ring_info(p.ring[0])->mem->region[0].va, 0x200000);
	assert_int_equal(data[1] - data[0], 0x2000);
	assert_int_equal(data[2] - data[0], 0x4000);
	assert_int_equal(peer_get_base(&p, 0), 5);
	peer_close(&p); /* the directory is empty again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirty_log),	 cmocka_unit_test(test_small_requests),
		cmocka_unit_test(test_features_ok),	 cmocka_unit_test(test_reset),
		cmocka_unit_test(test_broken_ring),	 cmocka_unit_test(test_owner_fails),
		cmocka_unit_test(test_owner_calls_back), cmocka_unit_test(test_inflight_region),
		cmocka_unit_test(test_crash_and_return),
	};

	return cmocka_run_group_tests_name("dev_state", tests, NULL, NULL);
}
