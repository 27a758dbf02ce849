// SPDX-License-Identifier: GPL-2.0-or-later
/* A device from its first message to its last: what starts and stops rings, and when. */
#include "peer.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

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
	assert_int_equal(peer_event_count(p.call_fd[0]), 1);
	peer_make_available(&p, 0, PEER_MEM_GPA + 0x200000, 2048, true);
	peer_serve_one(p.ring[0], 100);
	assert_int_equal(peer_event_count(p.call_fd[0]), 1);
	assert_int_equal(p.mem[0x200000 + 99], 0xab);

	assert_int_equal(peer_get_base(&p, 0), 1);
	assert_int_equal(peer_get_base(&p, 1), 0);
	assert_null(p.ring[0]);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.state, VU_CONNECTED);
	assert_int_equal(peer_get_base(&p, 0), 1);
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
	peer_serve_one(p.ring[0], 64);

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
	peer_serve_one(p.ring[0], 64);
	assert_int_equal(peer_get_base(&p, 0), 2);
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
	assert_int_equal(peer_get_base(&p, 0), 0x80008000);
	peer_close(&p);
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
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	peer_ring(&p, 0, 256, 0);
	assert_non_null(p.ring[0]);

	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, half, half, p.mem_fd), 0);
	assert_int_equal(p.n_stop[0], 1);
	assert_int_equal(p.n_mem_release, 1);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.mem->n_regions, 2);
	peer_make_available(&p, 0, PEER_MEM_GPA + half + 0x1000, 2048, true);
	peer_serve_one(p.ring[0], 64);

	/* Overlapping or unknown: refused, nothing changes. */
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, half, half / 2, p.mem_fd), 1);
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, half, 0x1000, -1), 1);
	assert_int_equal(p.n_stop[0], 1);

	/* A stray descriptor is closed (peer_close() counts them). */
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, half, half, p.mem_fd), 0);
	assert_non_null(p.ring[0]);

	/* Without the region it is in, the ring waits; it goes on when the region is back. */
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 0);
	assert_null(p.ring[0]);
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, half, half, p.mem_fd), 0);
	assert_null(p.ring[0]);
	assert_true(log_stub_has("vm0: waits for memory: ring 0"));
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	assert_non_null(p.ring[0]);
	assert_int_equal(peer_get_base(&p, 0), 1);
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
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0, half, p.mem_fd), 0);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.mem->n_regions, 1);
	assert_int_equal(p.n_mem_release, 0);

	for (unsigned int pair = 0; pair < 2; pair++) {
		assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 0);
		assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0, 2 * half, p.mem_fd), 0);
		vu_dev_info(p.dev, &info);
		assert_int_equal(info.mem->n_regions, 1);
		assert_int_equal(info.mem->region[0].bytes, 2 * half);
	}
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, half, -1), 1);
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 0);
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 0);
	assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0, 2 * half, -1), 1);
	peer_close(&p);
}

static void test_slots_limit(void **state)
{
	struct peer p;

	peer_open(&p, 1);
	peer_negotiate(&p);
	for (unsigned int i = 0; i < VU_REGIONS_MAX; i++)
		assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, i * 0x1000, 0x1000, p.mem_fd),
				 0);
	assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0x100000, 0x1000, p.mem_fd), 1);
	for (unsigned int i = 0; i < 2000; i++) {
		assert_int_equal(peer_region(&p, VU_REQ_REM_MEM_REG, 0x3000, 0x1000, -1), 0);
		assert_int_equal(peer_region(&p, VU_REQ_ADD_MEM_REG, 0x3000, 0x1000, p.mem_fd), 0);
	}
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
	};

	return cmocka_run_group_tests_name("dev", tests, NULL, NULL);
}
