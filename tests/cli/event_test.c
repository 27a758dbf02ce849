// SPDX-License-Identifier: GPL-2.0-or-later
/* The event loop, and above all handlers that change what is being dispatched. */
#include "cli_test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "loader/event.h"

#define MS 1000000ULL

struct fixture {
	struct event_loop *loop;
	struct event *event[3];
	int fd[3];
	unsigned int calls[3];
	uint32_t last;
	unsigned int fds_before;
};

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));

	t->fds_before = fds_open();
	assert_int_equal(event_loop_open(&t->loop), 0);
	for (int i = 0; i < 3; i++)
		t->fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	event_loop_close(&t->loop);
	event_loop_close(&t->loop); /* nothing happens */
	for (int i = 0; i < 3; i++)
		close_fd(&t->fd[i]);
	assert_int_equal(fds_open(), t->fds_before);
	free(t);
	return 0;
}

static void count(void *arg, uint32_t what)
{
	(*(unsigned int *)arg)++;
}

static void fire(struct fixture *t, int i)
{
	assert_int_equal(eventfd_write(t->fd[i], 1), 0);
}

static void test_descriptor(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(event_add(t->loop, t->fd[0], EPOLLIN, count, &t->calls[0], &t->event[0]),
			 0);
	assert_int_equal(event_loop_once(t->loop, 0), 0);
	fire(t, 0);
	assert_int_equal(event_loop_once(t->loop, 0), 1);
	assert_int_equal(event_loop_once(t->loop, 0), 1); /* level, not edge */
	assert_int_equal(t->calls[0], 2);
	assert_int_equal(event_modify(t->event[0], 0), 0);
	assert_int_equal(event_loop_once(t->loop, 0), 0);
	event_del(&t->event[0]);
	assert_null(t->event[0]);
	event_del(&t->event[0]); /* nothing happens */
	assert_int_equal(event_loop_once(t->loop, 0), 0);
}

/* Whichever handler comes first removes all three events. */
static void remove_all(void *arg, uint32_t what)
{
	struct fixture *t = arg;

	t->calls[0]++;
	for (int i = 0; i < 3; i++)
		event_del(&t->event[i]);
}

static void test_handler_removes_all(void **state)
{
	struct fixture *t = *state;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(event_add(t->loop, t->fd[i], EPOLLIN, remove_all, t, &t->event[i]),
				 0);
		fire(t, i);
	}
	assert_int_equal(event_loop_once(t->loop, 0), 3);
	assert_int_equal(t->calls[0], 1);
	assert_int_equal(event_loop_once(t->loop, 0), 0);
}

/* Remove the others and put a new event on the same descriptor: it is not for the old report. */
static void replace_others(void *arg, uint32_t what)
{
	struct fixture *t = arg;

	if (t->calls[0]++)
		return;
	for (int i = 0; i < 3; i++) {
		event_del(&t->event[i]);
		assert_int_equal(
			event_add(t->loop, t->fd[i], EPOLLIN, count, &t->calls[1], &t->event[i]),
			0);
	}
}

static void test_handler_replaces_others(void **state)
{
	struct fixture *t = *state;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			event_add(t->loop, t->fd[i], EPOLLIN, replace_others, t, &t->event[i]), 0);
		fire(t, i);
	}
	event_loop_once(t->loop, 0);
	assert_int_equal(t->calls[0], 1);
	assert_int_equal(t->calls[1], 0);
	event_loop_once(t->loop, 0);
	assert_int_equal(t->calls[1], 3);
}

static void stop(void *arg, uint32_t what)
{
	struct fixture *t = arg;

	t->last = what;
	event_loop_stop(t->loop, 7);
}

static void test_timer(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(event_timer_add(t->loop, 0, 0, stop, t, &t->event[0]), 0);
	assert_int_equal(event_loop_once(t->loop, 20), 0); /* stopped */
	assert_int_equal(event_timer_set(t->event[0], 5 * MS, 0), 0);
	assert_int_equal(event_loop_run(t->loop), 7);
	assert_int_equal(t->last, 1);
	assert_true(event_loop_once(t->loop, 20) <= 1); /* once, besides the wake-up */
}

static void test_periodic_timer_counts(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(event_timer_add(t->loop, 1 * MS, 1 * MS, stop, t, &t->event[0]), 0);
	usleep(20000);
	assert_int_equal(event_loop_run(t->loop), 7);
	assert_true(t->last >= 2); /* those that were missed */
}

static void test_signal(void **state)
{
	struct fixture *t = *state;
	sigset_t set;

	assert_int_equal(event_signal_add(t->loop, SIGUSR1, stop, t, &t->event[0]), 0);
	raise(SIGUSR1);
	assert_int_equal(event_loop_run(t->loop), 7);
	assert_int_equal(t->last, SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void *stop_soon(void *arg)
{
	struct fixture *t = arg;

	usleep(10000);
	event_loop_stop(t->loop, 3);
	return NULL;
}

static void test_stop_from_another_thread(void **state)
{
	struct fixture *t = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, stop_soon, t), 0);
	assert_int_equal(event_loop_run(t->loop), 3);
	pthread_join(thread, NULL);
}

static void test_bad_descriptor(void **state)
{
	struct fixture *t = *state;
	struct event *e = (void *)t;

	assert_int_equal(event_add(t->loop, -1, EPOLLIN, count, NULL, &e), -EBADF);
	assert_ptr_equal(e, t); /* untouched */
}

static void test_close_with_events(void **state)
{
	struct fixture *t = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(
			event_timer_add(t->loop, MS, MS, count, &t->calls[i], &t->event[i]), 0);
	/* teardown closes the loop and looks for descriptors */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_descriptor),
		CASE(test_handler_removes_all),
		CASE(test_handler_replaces_others),
		CASE(test_timer),
		CASE(test_periodic_timer_counts),
		CASE(test_signal),
		CASE(test_stop_from_another_thread),
		CASE(test_bad_descriptor),
		CASE(test_close_with_events),
	};

	return run_all(tests);
}
