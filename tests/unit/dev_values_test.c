// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A front end that says impossible things about rings and memory: it is told no, or loses its
 * connection with one line in the log; the device serves the next one; nothing leaks.
 */
#include "peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

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
		peer_check_closed(&p, "GET_VRING_BASE: ring ");
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
		peer_check_closed(&p, "SET_LOG_BASE: ");
	}
	close(log);
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
	peer_check_served(&p);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_numbers),	 cmocka_unit_test(test_ring_sizes),
		cmocka_unit_test(test_ring_addresses),	 cmocka_unit_test(test_ring_across_regions),
		cmocka_unit_test(test_memory_tables),	 cmocka_unit_test(test_wrong_descriptors),
		cmocka_unit_test(test_full_eventfd),	 cmocka_unit_test(test_logs),
		cmocka_unit_test(test_memory_cut_short),
	};

	library_handler_save();
	return cmocka_run_group_tests_name("dev_values", tests, NULL, NULL);
}
