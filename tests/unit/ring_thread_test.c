/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_thread_test.c - driver and device in two threads that both go to sleep: what one has shown
 * the other sees whole (built with SAN=thread, provably), and nobody is left asleep.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_driver.h"

#define BUFFERS	    30000u
#define PATIENCE_MS 20000

struct pair {
	struct drv d;
	int call_fd, kick_fd;
	const char *failed; /* device thread */
	unsigned int n_kicks, n_calls;
};

/* Sleep until somebody signals @fd. */
static bool wait_for(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	eventfd_t count;

	return poll(&p, 1, PATIENCE_MS) == 1 && eventfd_read(fd, &count) == 0;
}

/*
 * Device
 */

static void *device(void *arg)
{
	struct pair *p = arg;
	struct vu_ring *r = p->d.ring;
	struct vu_chain chains[16];
	struct iovec iov[16];
	unsigned int done = 0;

	while (done < BUFFERS && !p->failed) {
		int n = vu_ring_pop(r, chains, 16, iov, 16);

		for (int i = 0; i < n; i++) {
			memcpy(iov[i].iov_base, &done, sizeof(done));
			vu_ring_push(r, chains[i].head, sizeof(done));
			done++;
		}
		vu_ring_flush(r);
		vu_ring_notify(r);
		if (n < 0)
			p->failed = vu_ring_broken(r);
		if (n || vu_ring_kick_arm(r))
			continue;
		if (!wait_for(p->kick_fd))
			p->failed = "the driver did not kick";
		vu_ring_kick_disarm(r);
		p->n_kicks++;
	}
	return NULL;
}

/*
 * Driver
 */

static bool driver_must_kick(const struct drv *d, uint16_t old_idx)
{
	const struct ring_split_used *used = d->config.device;
	const struct ring_event *event = d->config.device;
	const uint16_t *avail_event = (const void *)((const char *)used + 4 + 8 * d->num);

	full_fence();
	if (d->packed)
		return guest_load32(&event->word) >> 16 != VRING_PACKED_EVENT_FLAG_DISABLE;
	if (d->config.features & F_EVENT_IDX)
		return vring_need_event(guest_load16(avail_event), d->idx, old_idx);
	return !(guest_load16(&used->flags) & VRING_USED_F_NO_NOTIFY);
}

static void driver_interrupts(struct drv *d, bool on)
{
	struct ring_split_avail *avail = d->config.driver;
	struct ring_event *event = d->config.driver;
	bool event_idx = d->config.features & F_EVENT_IDX;
	uint32_t at = d->used | (d->used_wrap ? 0x8000u : 0);

	if (d->packed && !on)
		guest_store32(&event->word, VRING_PACKED_EVENT_FLAG_DISABLE << 16);
	else if (d->packed)
		guest_store32(&event->word, event_idx ? VRING_PACKED_EVENT_FLAG_DESC << 16 | at
						      : VRING_PACKED_EVENT_FLAG_ENABLE << 16);
	else if (!event_idx)
		guest_store16(&avail->flags, on ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
	else if (on)
		guest_store16(&avail->ring[d->num], d->used);
	full_fence();
}

static void driver_add(struct pair *p, unsigned int *added)
{
	unsigned int burst = 1 + drv_random(&p->d) % 24;
	uint16_t old_idx = p->d.idx;
	unsigned int before = *added;

	while (burst-- > 0 && *added < BUFFERS && drv_add_one(&p->d, 64) >= 0)
		(*added)++;
	if (*added != before && driver_must_kick(&p->d, old_idx))
		eventfd_write(p->kick_fd, 1);
}

static unsigned int driver_collect(struct pair *p)
{
	unsigned int n = 0;
	struct drv_used used;

	for (; drv_get_used(&p->d, &used); n++)
		assert_int_equal(used.bytes, sizeof(unsigned int));
	return n;
}

static void driver(struct pair *p)
{
	unsigned int added = 0, got = 0;

	while (got < BUFFERS) {
		unsigned int n;

		driver_add(p, &added);
		n = driver_collect(p);
		got += n;
		if (n || (added < BUFFERS && p->d.n_fifo < p->d.num / 2))
			continue;
		driver_interrupts(&p->d, true);
		n = driver_collect(p);
		got += n;
		if (!n && !wait_for(p->call_fd))
			fail_msg("no interrupt, %u of %u used", got, added);
		p->n_calls += !n;
		driver_interrupts(&p->d, false);
	}
}

static void run(bool packed, uint64_t features, uint16_t num)
{
	struct pair p = {.call_fd = eventfd(0, EFD_NONBLOCK), .kick_fd = eventfd(0, EFD_NONBLOCK)};
	pthread_t thread;

	drv_open(&p.d, num, packed, true, features);
	drv_start(&p.d);
	vu_ring_call_fd_set(p.d.ring, dup(p.call_fd));
	driver_interrupts(&p.d, false);
	assert_int_equal(pthread_create(&thread, NULL, device, &p), 0);
	driver(&p);
	pthread_join(thread, NULL);
	if (p.failed)
		fail_msg("%s", p.failed);
	assert_int_equal(p.d.n_fifo, 0);
	assert_true(p.n_calls > 0 && p.n_calls < BUFFERS);
	drv_close(&p.d);
	close(p.call_fd);
	close(p.kick_fd);
}

static void test_split(void **s)
{
	run(false, 0, 64);
	run(false, 0, 2);
}

static void test_split_event_idx(void **s)
{
	run(false, F_EVENT_IDX, 64);
	run(false, F_EVENT_IDX, 2);
}

static void test_packed(void **s)
{
	run(true, 0, 64);
	run(true, 0, 3);
}

static void test_packed_event_idx(void **s)
{
	run(true, F_EVENT_IDX, 64);
	run(true, F_EVENT_IDX, 3);
}

/* The descriptor behind an interrupt changes all the time; one of the two must be signalled. */
static void *changer(void *arg)
{
	struct pair *p = arg;

	for (unsigned int i = 0; i < 2000; i++)
		vu_ring_call_fd_set(p->d.ring, i % 3 ? dup(p->call_fd) : -1);
	vu_ring_call_fd_set(p->d.ring, dup(p->call_fd));
	return NULL;
}

static void test_call_fd_changes(void **s)
{
	struct pair p = {.call_fd = eventfd(0, EFD_NONBLOCK), .kick_fd = eventfd(0, EFD_NONBLOCK)};
	pthread_t change, work;
	int number;

	drv_open(&p.d, 64, false, true, 0);
	drv_start(&p.d);
	number = p.d.ring->call_fd;
	assert_int_equal(pthread_create(&work, NULL, device, &p), 0);
	assert_int_equal(pthread_create(&change, NULL, changer, &p), 0);
	driver(&p);
	pthread_join(work, NULL);
	pthread_join(change, NULL);
	assert_null(p.failed);
	assert_int_equal(p.d.ring->call_fd, number);
	drv_close(&p.d);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	close(p.call_fd);
	close(p.kick_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),		cmocka_unit_test(test_split_event_idx),
		cmocka_unit_test(test_packed),		cmocka_unit_test(test_packed_event_idx),
		cmocka_unit_test(test_call_fd_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
