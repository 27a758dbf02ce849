/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight_crash_test.c - end the process between any two instructions of the rings, and see what
 * its successor makes of it.
 *
 * A child works on a ring in shared memory while its parent lets it do one instruction at a time.
 * Whenever an instruction changed that memory, the parent takes a copy, as it would be found if the
 * child had been killed right there, starts a ring on the copy and checks: what the guest had seen
 * used never comes out again; everything else it made available comes out once, in order, with the
 * right memory; and the ring then goes on. The successor is ended in the same way.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring_driver.h"

/* A sanitiser makes ten instructions of one. */
#ifdef __has_feature
#define SANITISED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITISED 1
#else
#define SANITISED 0
#endif

#define NUM_MAX	  16
#define RING_AREA 4096 /* enough for a ring of NUM_MAX; the rest of the memory is data */

/* All that outlives a process. */
struct survivor {
	uint8_t ring[RING_AREA];
	struct inflight_owner owner;
	uint64_t state[128];
};

struct world {
	struct drv d;
	struct vu_inflight_ring inflight;
	struct survivor *now;		/* shared; now->ring stands for the start of d.ram[0] */
	struct vu_head popped[NUM_MAX]; /* the child's own */
	unsigned int n_popped;
	volatile bool *over; /* shared */
	volatile bool *ran;  /* likewise: a run was */
};

static void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* Let the ring areas, which the driver model put at the start of its memory, be in the survivor. */
static void world_rings(struct world *w)
{
	uint8_t *old = w->d.ram[0];
	struct vu_ring_config *c = &w->d.config;

	memcpy(w->now->ring, old, RING_AREA);
	c->desc = w->now->ring + ((uint8_t *)c->desc - old);
	c->driver = w->now->ring + ((uint8_t *)c->driver - old);
	c->device = w->now->ring + ((uint8_t *)c->device - old);
	assert_true((uint8_t *)c->device + 6 + 8 * w->d.num <= w->now->ring + RING_AREA);
}

static void world_state(struct world *w)
{
	w->inflight = (struct vu_inflight_ring){
		.state = w->now->state,
		.owner = &w->now->owner,
		.num = w->d.num,
		.packed = w->d.packed,
	};
	w->d.config.inflight = &w->inflight;
	assert_true(vu_inflight_region_bytes(w->d.num, w->d.packed) <= sizeof(w->now->state));
}

static void world_open(struct world *w, uint16_t num, bool packed, bool is_rx, uint64_t features)
{
	memset(w, 0, sizeof(*w));
	drv_open(&w->d, num, packed, is_rx, features);
	w->now = shared(sizeof(*w->now));
	w->over = shared(sizeof(*w->over));
	world_rings(w);
	world_state(w);
	drv_start(&w->d);
}

static void world_close(struct world *w)
{
	drv_close(&w->d);
	munmap(w->now, sizeof(*w->now));
	munmap((void *)w->over, sizeof(*w->over));
}

/* A second world that shares the data memory of @from and has its own of everything else. */
static void world_copy(struct world *w, const struct world *from)
{
	size_t num = from->d.num;
	ptrdiff_t offset;

	*w = *from;
	w->now = shared(sizeof(*w->now));
	w->over = shared(sizeof(*w->over));
	memcpy(w->now, from->now, sizeof(*w->now));
	offset = w->now->ring - from->now->ring;
	w->d.config.desc = (uint8_t *)w->d.config.desc + offset;
	w->d.config.driver = (uint8_t *)w->d.config.driver + offset;
	w->d.config.device = (uint8_t *)w->d.config.device + offset;
	w->d.config.mem = &w->d.mem;
	world_state(w);
	w->d.buf = malloc(num * sizeof(*w->d.buf));
	w->d.free = malloc(num * sizeof(*w->d.free));
	w->d.fifo = malloc(num * sizeof(*w->d.fifo));
	assert_true(w->d.buf && w->d.free && w->d.fifo);
	memcpy(w->d.buf, from->d.buf, num * sizeof(*w->d.buf));
	memcpy(w->d.free, from->d.free, num * sizeof(*w->d.free));
	memcpy(w->d.fifo, from->d.fifo, num * sizeof(*w->d.fifo));
	w->d.ring = NULL;
	assert_int_equal(vu_ring_new(&w->d.ring), 0);
	w->n_popped = 0;
}

static void world_copy_close(struct world *w)
{
	w->d.mem.n_regions = 0; /* those are the original's */
	world_close(w);
}

/*
 * What a worker does
 */

static void act_pop(struct world *w, unsigned int max)
{
	struct vu_chain chains[NUM_MAX];
	struct iovec iov[NUM_MAX * DRV_PARTS_MAX * 2];
	int n = vu_ring_pop(w->d.ring, chains, max, iov, ARRAY_SIZE(iov));

	for (int i = 0; i < n; i++)
		w->popped[w->n_popped++] = chains[i].head;
}

static void act_push(struct world *w, unsigned int n)
{
	while (n-- > 0 && w->n_popped) {
		bool in_order = w->d.config.features & F_IN_ORDER;
		unsigned int at = in_order ? 0 : drv_random(&w->d) % w->n_popped;

		vu_ring_push(w->d.ring, w->popped[at], w->d.config.is_rx ? 1 + n : 0);
		w->n_popped--;
		memmove(&w->popped[at], &w->popped[at + 1],
			(w->n_popped - at) * sizeof(*w->popped));
	}
}

static void act_work(struct world *w)
{
	act_pop(w, 1 + drv_random(&w->d) % NUM_MAX);
	act_push(w, drv_random(&w->d) % 8);
	act_pop(w, 4);
	vu_ring_flush(w->d.ring);
	act_pop(w, 4);
	act_push(w, drv_random(&w->d) % 8);
	vu_ring_flush(w->d.ring);
}

/* Only what was popped last, and not pushed, may go back. */
static void act_unpop(struct world *w)
{
	unsigned int before = w->n_popped, n;

	act_pop(w, NUM_MAX);
	n = w->n_popped - before;
	vu_ring_unpop(w->d.ring, &w->popped[before + n / 3], n - n / 3);
	w->n_popped = before + n / 3;
	act_pop(w, NUM_MAX);
}

/* Buffers that are handed back as fast as they were taken, and then some that are not. */
static void act_run(struct world *w)
{
	struct vu_buf bufs[NUM_MAX];

	act_push(w, NUM_MAX);
	vu_ring_flush(w->d.ring);
	for (unsigned int i = 0; i < 2; i++) {
		int n = vu_ring_run_start(w->d.ring, bufs, 1 + drv_random(&w->d) % NUM_MAX);

		if (n <= 0)
			break;
		vu_ring_run_end(w->d.ring, bufs, (unsigned int)n, 1 + drv_random(&w->d) % n,
				w->d.config.is_rx);
		*w->ran = true;
	}
	act_pop(w, 2);
	act_push(w, 1);
	vu_ring_flush(w->d.ring);
}

static void act_succeed(struct world *w)
{
	vu_ring_start(w->d.ring, &w->d.config);
	act_pop(w, NUM_MAX);
	act_push(w, 2);
	vu_ring_flush(w->d.ring);
}

/*
 * What the successor must find
 */

static void expect_used(struct world *w, unsigned int n)
{
	struct drv_used used;
	unsigned int before = w->d.n_fifo;

	while (w->d.n_fifo > before - n)
		assert_true(drv_get_used(&w->d, &used));
	assert_int_equal(w->d.n_fifo, before - n);
	if (drv_get_used(&w->d, &used))
		fail_msg("buffer %u is used too early", used.id);
}

/* All that the driver made available and has not back comes out, in order. */
static void expect_all(struct world *w)
{
	struct vu_chain chains[NUM_MAX];
	struct iovec iov[NUM_MAX * DRV_PARTS_MAX * 2];
	int n;

	do {
		n = vu_ring_pop(w->d.ring, chains, NUM_MAX, iov, ARRAY_SIZE(iov));
		if (n < 0)
			fail_msg("broken: %s", vu_ring_broken(w->d.ring));
		for (int i = 0; i < n; i++) {
			assert_true(w->n_popped < w->d.n_fifo);
			assert_int_equal(chains[i].head.id, w->d.fifo[w->n_popped]);
			drv_check_chain(&w->d, &chains[i]);
			w->popped[w->n_popped++] = chains[i].head;
		}
	} while (n);
	assert_int_equal(w->n_popped, w->d.n_fifo);
}

static void successor_check(const struct world *from)
{
	struct drv_used used;
	struct world w;

	world_copy(&w, from);
	while (drv_get_used(&w.d, &used))
		;
	drv_start(&w.d);
	expect_all(&w);
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = MIN(w.n_popped, 1 + round);

		act_push(&w, n);
		vu_ring_flush(w.d.ring);
		expect_used(&w, n);
	}
	act_push(&w, NUM_MAX);
	vu_ring_flush(w.d.ring);
	expect_used(&w, w.d.n_fifo);
	w.d.tables_gpa = w.d.data_gpa + DRV_DATA_BYTES - NUM_MAX * DRV_TABLE_BYTES; /* our own */
	while (drv_add_random(&w.d) >= 0)
		;
	expect_all(&w);
	act_push(&w, NUM_MAX);
	vu_ring_flush(w.d.ring);
	expect_used(&w, w.d.n_fifo);
	world_copy_close(&w);
}

/*
 * One instruction at a time
 */

/* A child that does @act on @w and stops before and after. 0 if it cannot be traced. */
static pid_t child_start(struct world *w, void (*act)(struct world *w))
{
	int status;
	pid_t pid;

	*w->over = false;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(77);
		raise(SIGSTOP);
		act(w);
		*w->over = true;
		for (;;)
			pause();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSTOPPED(status) ? pid : 0;
}

static unsigned int each_end(struct world *w, void (*act)(struct world *w),
			     void (*check)(const struct world *at_end))
{
	pid_t pid = child_start(w, act);
	unsigned int n = 0;
	struct survivor *last;
	int status;

	if (!pid)
		return 0;
	last = malloc(sizeof(*last));
	memcpy(last, w->now, sizeof(*last));
	check(w);
	while (!*w->over) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			fail_msg("the child got status %x", status);
		if (memcmp(last, w->now, sizeof(*last)) == 0)
			continue;
		memcpy(last, w->now, sizeof(*last));
		check(w);
		n++;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	free(last);
	return n;
}

static unsigned int n_ends, second_every;

/* A successor must find the right things, and so must its own. */
static void check_twice(const struct world *at_end)
{
	struct drv_used used;
	struct world w;

	successor_check(at_end);
	if (++n_ends % second_every)
		return;
	world_copy(&w, at_end);
	while (drv_get_used(&w.d, &used))
		;
	each_end(&w, act_succeed, successor_check);
	world_copy_close(&w);
}

/* Bring the ring to some state in the middle of its life, both sides taking part. */
static void warm_up(struct world *w, unsigned int rounds)
{
	struct drv_used used;

	while (rounds-- > 0) {
		for (unsigned int n = drv_random(&w->d) % 6; n > 0; n--)
			drv_add_random(&w->d);
		act_pop(w, 1 + drv_random(&w->d) % NUM_MAX);
		act_push(w, drv_random(&w->d) % 6);
		vu_ring_flush(w->d.ring);
		while (drv_get_used(&w->d, &used))
			;
	}
	for (unsigned int n = drv_random(&w->d) % 8; n > 0; n--)
		drv_add_random(&w->d);
}

/* Runs are of buffers in one piece. */
static void run_of_runs(uint16_t num, bool packed, bool is_rx, unsigned int seeds)
{
	unsigned int n = 0, n_ran = 0;

	for (unsigned int seed = 1; seed <= (SANITISED ? 2 : seeds); seed++) {
		struct world w;

		world_open(&w, num, packed, is_rx, 0);
		w.ran = shared(sizeof(*w.ran));
		w.d.random += seed * 2654435761u;
		warm_up(&w, 3 * seed);
		for (unsigned int i = 0; i < 1 + seed; i++)
			drv_add_one(&w.d, 64 + i);
		second_every = (SANITISED ? 97 : 29) + 10 * seed;
		n += each_end(&w, act_run, check_twice);
		n_ran += *w.ran;
		munmap((void *)w.ran, sizeof(*w.ran));
		world_close(&w);
	}
	if (n == 0)
		skip(); /* nobody may trace here */
	assert_true(n > (SANITISED ? 2 : seeds));
	assert_true(SANITISED || n_ran > 0); /* with few seeds no buffer may be in one piece */
}

static void run(uint16_t num, bool packed, bool is_rx, uint64_t features, unsigned int seeds)
{
	unsigned int n = 0;

	if (SANITISED)
		seeds = 2;
	for (unsigned int seed = 1; seed <= seeds; seed++) {
		struct world w;

		world_open(&w, num, packed, is_rx, features);
		w.d.random += seed * 2654435761u;
		warm_up(&w, 3 * seed);
		second_every = (SANITISED ? 97 : 29) + 10 * seed;
		n += each_end(&w, seed % 3 ? act_work : act_unpop, check_twice);
		world_close(&w);
	}
	if (n == 0)
		skip(); /* nobody may trace here */
	assert_true(n > seeds);
}

static void test_split(void **s)
{
	run(8, false, true, 0, 6);
	run(16, false, true, F_INDIRECT, 6);
	run(2, false, false, F_INDIRECT, 4);
}

static void test_split_in_order(void **s)
{
	run(8, false, false, F_IN_ORDER, 3);
	run(8, false, true, F_IN_ORDER | F_INDIRECT, 3);
}

static void test_packed(void **s)
{
	run(8, true, true, 0, 6);
	run(16, true, true, F_INDIRECT, 6);
	run(7, true, false, F_INDIRECT, 6);
	run(2, true, true, 0, 4);
}

static void test_packed_in_order(void **s)
{
	run(8, true, false, F_IN_ORDER, 4);
	run(8, true, true, F_IN_ORDER | F_INDIRECT, 4);
}

static void test_split_runs(void **s)
{
	run_of_runs(16, false, true, 6);
	run_of_runs(8, false, false, 4);
}

static void test_packed_runs(void **s)
{
	run_of_runs(16, true, true, 6);
	run_of_runs(7, true, false, 6);
	run_of_runs(2, true, true, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),	   cmocka_unit_test(test_split_in_order),
		cmocka_unit_test(test_packed),	   cmocka_unit_test(test_packed_in_order),
		cmocka_unit_test(test_split_runs), cmocka_unit_test(test_packed_runs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
