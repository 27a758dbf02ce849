// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * epoll reports a pointer to the struct event. One round takes up to BATCH reports and calls their
 * handlers one after the other, so a handler can remove an event whose report is still waiting in
 * the same batch. event_del() therefore only unhooks the event and marks it dead; the memory is
 * released when the round is over, and until then no new event can get the same address.
 *
 * Timers and signals are descriptors too (timerfd, signalfd), owned by their event.
 */
#include "event.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "vxdp/util.h"

#define BATCH	   32
#define NS_PER_SEC 1000000000ULL

enum kind { KIND_FD, KIND_TIMER, KIND_SIGNAL };

struct event {
	struct event_loop *loop;
	struct event *prev, *next; /* in the list of living or of dead events */
	event_fn fn;
	void *arg;
	int fd;
	enum kind kind; /* anything but KIND_FD: fd is ours to close */
	bool dead;
};

struct event_loop {
	int epoll_fd;
	int stop_fd; /* eventfd: wakes the loop for event_loop_stop() of another thread */
	struct event *living, *dead;
	unsigned int rounds; /* depth of event_loop_once(): dead events wait until it is 0 */
	bool stopping;
	int result;
};

static void list_push(struct event **head, struct event *e)
{
	e->prev = NULL;
	e->next = *head;
	if (*head)
		(*head)->prev = e;
	*head = e;
}

static void list_remove(struct event **head, struct event *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		*head = e->next;
	if (e->next)
		e->next->prev = e->prev;
}

static void free_list(struct event **head)
{
	while (*head) {
		struct event *e = *head;

		*head = e->next;
		free(e);
	}
}

int event_loop_open(struct event_loop **out)
{
	struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
	_cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	_cleanup_close_ int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct event_loop *loop;

	if (epoll_fd < 0 || stop_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, stop_fd, &wake))
		return -errno;
	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = TAKE_FD(epoll_fd);
	loop->stop_fd = TAKE_FD(stop_fd);
	*out = loop;
	return 0;
}

void event_loop_close(struct event_loop **loop)
{
	if (!*loop)
		return;
	while ((*loop)->living) {
		struct event *e = (*loop)->living;

		event_del(&e);
	}
	free_list(&(*loop)->dead);
	close((*loop)->epoll_fd);
	close((*loop)->stop_fd);
	free(*loop);
	*loop = NULL;
}

/* Number to hand to a timer's or signal's handler; 0 if there is nothing to call it for. */
static uint32_t read_own_fd(const struct event *e)
{
	struct signalfd_siginfo info;
	uint64_t expirations;

	if (e->kind == KIND_SIGNAL)
		return read(e->fd, &info, sizeof(info)) == sizeof(info) ? info.ssi_signo : 0;
	if (read(e->fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	return MIN(expirations, UINT32_MAX);
}

static void dispatch(struct event *e, uint32_t events)
{
	if (e->dead)
		return;
	if (e->kind != KIND_FD)
		events = read_own_fd(e);
	if (events)
		e->fn(e->arg, events);
}

int event_loop_once(struct event_loop *loop, int timeout_ms)
{
	struct epoll_event batch[BATCH];
	eventfd_t wakes;
	int n = epoll_wait(loop->epoll_fd, batch, BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->rounds++;
	for (int i = 0; i < n; i++) {
		if (batch[i].data.ptr)
			dispatch(batch[i].data.ptr, batch[i].events);
		else
			eventfd_read(loop->stop_fd, &wakes);
	}
	if (--loop->rounds == 0)
		free_list(&loop->dead);
	return n;
}

int event_loop_run(struct event_loop *loop)
{
	int n = 0;

	while (!load_acquire(&loop->stopping) && n >= 0)
		n = event_loop_once(loop, -1);
	return n < 0 ? n : loop->result;
}

void event_loop_stop(struct event_loop *loop, int result)
{
	loop->result = result;
	store_release(&loop->stopping, true);
	eventfd_write(loop->stop_fd, 1);
}

static int add(struct event_loop *loop, struct event init, uint32_t events, struct event **out)
{
	struct epoll_event report = {.events = events};
	struct event *e = malloc(sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	*e = init;
	e->loop = loop;
	report.data.ptr = e;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, e->fd, &report)) {
		err = -errno;
		free(e);
		return err;
	}
	list_push(&loop->living, e);
	*out = e;
	return 0;
}

int event_add(struct event_loop *loop, int fd, uint32_t events, event_fn fn, void *arg,
	      struct event **out)
{
	return add(loop, (struct event){.fn = fn, .arg = arg, .fd = fd, .kind = KIND_FD}, events,
		   out);
}

int event_modify(struct event *e, uint32_t events)
{
	struct epoll_event report = {.events = events, .data.ptr = e};

	return epoll_ctl(e->loop->epoll_fd, EPOLL_CTL_MOD, e->fd, &report) ? -errno : 0;
}

static int set_timer(int fd, uint64_t first_ns, uint64_t period_ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = first_ns / NS_PER_SEC, .tv_nsec = first_ns % NS_PER_SEC},
		.it_interval = {.tv_sec = period_ns / NS_PER_SEC,
				.tv_nsec = period_ns % NS_PER_SEC},
	};

	return timerfd_settime(fd, 0, &when, NULL) ? -errno : 0;
}

int event_timer_add(struct event_loop *loop, uint64_t first_ns, uint64_t period_ns, event_fn fn,
		    void *arg, struct event **out)
{
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct event init = {.fn = fn, .arg = arg, .fd = fd, .kind = KIND_TIMER};
	int err;

	if (fd < 0)
		return -errno;
	err = set_timer(fd, first_ns, period_ns);
	if (!err)
		err = add(loop, init, EPOLLIN, out);
	if (!err)
		TAKE_FD(fd);
	return err;
}

int event_timer_set(struct event *e, uint64_t first_ns, uint64_t period_ns)
{
	return set_timer(e->fd, first_ns, period_ns);
}

int event_signal_add(struct event_loop *loop, int signo, event_fn fn, void *arg, struct event **out)
{
	_cleanup_close_ int fd = -1;
	struct event init = {.fn = fn, .arg = arg, .kind = KIND_SIGNAL};
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, signo);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	init.fd = fd;
	err = add(loop, init, EPOLLIN, out);
	if (!err)
		TAKE_FD(fd);
	return err;
}

void event_del(struct event **e)
{
	struct event *gone = TAKE_PTR(*e);
	struct event_loop *loop;

	if (!gone)
		return;
	loop = gone->loop;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, gone->fd, NULL);
	if (gone->kind != KIND_FD)
		close(gone->fd);
	list_remove(&loop->living, gone);
	gone->dead = true;
	list_push(&loop->dead, gone);
	if (!loop->rounds)
		free_list(&loop->dead);
}
