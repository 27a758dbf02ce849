/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 *   POLLING   pass over all pairs; time since the last frame < SPIN_NS, or --poll busy
 *      |  ^
 *      v  |   work found, or an arm says that some came meanwhile
 *   ARMED     every ring's kick is asked for; each arm looks at its ring once more after a full
 *      |      fence, so a frame is either seen here or kicks (no wake-up is lost)
 *      v
 *   SLEEPING  epoll, without end unless a pair needs to be looked at by the clock
 *
 * Taps are edge-triggered: an event sets tap_readable, which lasts until a read says EAGAIN. To
 * notice a tap (or a kick nobody waits for) while polling, epoll is asked without waiting now and
 * then. AF_XDP sockets are polled through their rings and only waited for in a sleep, where they
 * are level-triggered, since none may begin while a ring holds frames. They are in an epoll set of
 * their own around the other one, because asking for them costs a look at each socket's transmit
 * ring. And while polling goes on for long they are not even in that: a socket that is in an epoll
 * set has a waiter, whom the kernel calls for every frame that is sent (sock_def_write_space()).
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <vxdp/util.h>

#include "cycles.h"
#include "fair.h"
#include "lane_shared.h"
#include "pair_poll.h"
#include "spin.h"
#include "tell.h"

#define PAIRS_MAX    1024
#define EVENTS	     64
#define SPIN_NS	     20000   /* keep polling this long after the last frame */
#define LOOK_NS	     30000   /* while busy, ask epoll this often ... */
#define LOOK_MAX_NS  240000  /* ... and up to this seldom while it has nothing to tell */
#define LOOK_IDLE_NS 4000    /* while polling without finding anything */
#define EAGER_NS     100000  /* every time, for so long after epoll told of something */
#define RETRY_MS     1	     /* look again while something has to be waited for without an event */
#define AWAKE_NS     1000000 /* after so long without a sleep, sockets need no waiter */
#define XSKS_MAX     1024

struct worker_request {
	void (*fn)(void *arg);
	void *arg;
	bool done;
};

struct worker {
	struct worker_options options;
	pthread_t thread;
	int epoll_fd; /* wake_fd, kicks and taps: looked at now and then while polling */
	int sleep_fd; /* epoll_fd and the AF_XDP sockets: to sleep on */
	int wake_fd;
	bool stop;
	bool sleeping;

	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct worker_request *request;

	unsigned int n_pairs;
	struct pair *pair[PAIRS_MAX];
	unsigned int n_xsks;
	int xsk[XSKS_MAX]; /* AF_XDP sockets to sleep on */
	bool xsks_in_set;  /* they are in sleep_fd */
	struct flow_cache *flows;
	unsigned int n_queues;
	struct shared_queue *queue[VXDP_NIC_QUEUES_MAX];
	struct tell tell;
	struct fair fair;
	struct worker_stats stats;
};

static void stat_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* epoll data: the pair's pointer, with the source in its low bits; 0 is the wake descriptor. */
static uint64_t watch_tag(struct pair *p, enum worker_source source)
{
	_Static_assert(_Alignof(struct pair) >= 4, "two low bits carry the source");
	return (uintptr_t)p | source;
}

static int xsk_watch(struct worker *w, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	return epoll_ctl(w->sleep_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* A socket that holds frames already ends the next sleep at once. */
static void xsks_watch(struct worker *w)
{
	if (w->xsks_in_set)
		return;
	w->xsks_in_set = true;
	for (unsigned int i = 0; i < w->n_xsks; i++)
		xsk_watch(w, w->xsk[i]);
}

static void xsks_unwatch(struct worker *w)
{
	w->xsks_in_set = false;
	for (unsigned int i = 0; i < w->n_xsks; i++)
		epoll_ctl(w->sleep_fd, EPOLL_CTL_DEL, w->xsk[i], NULL);
}

/* In the set from the start: what cannot be watched is found out here. */
static int xsk_add(struct worker *w, int fd)
{
	int err;

	if (w->n_xsks == XSKS_MAX)
		return -ENOSPC;
	xsks_watch(w);
	err = xsk_watch(w, fd);
	if (!err)
		w->xsk[w->n_xsks++] = fd;
	return err;
}

static void xsk_remove(struct worker *w, int fd)
{
	if (w->xsks_in_set)
		epoll_ctl(w->sleep_fd, EPOLL_CTL_DEL, fd, NULL);
	for (unsigned int i = 0; i < w->n_xsks; i++)
		if (w->xsk[i] == fd)
			w->xsk[i--] = w->xsk[--w->n_xsks];
}

int worker_watch(struct worker *w, struct pair *p, enum worker_source source, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = watch_tag(p, source)};

	if (source == SOURCE_XSK)
		return xsk_add(w, fd);
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void worker_unwatch(struct worker *w, enum worker_source source, int fd)
{
	if (source == SOURCE_XSK)
		xsk_remove(w, fd);
	else
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

int worker_pair_add(struct worker *w, struct pair *p)
{
	if (w->n_pairs == PAIRS_MAX)
		return -ENOSPC;
	/* What is cached of it is from another time. */
	flow_forget(w->flows, p->tables.port_id);
	p->flows = w->flows;
	p->tell = &w->tell;
	fair_join(p);
	w->pair[w->n_pairs++] = p;
	return 0;
}

void worker_pair_remove(struct worker *w, struct pair *p)
{
	for (unsigned int i = 0; i < w->n_pairs; i++)
		if (w->pair[i] == p)
			w->pair[i--] = w->pair[--w->n_pairs];
}

int worker_queue_add(struct worker *w, struct shared_queue *q)
{
	int err = w->n_queues == VXDP_NIC_QUEUES_MAX ? -ENOSPC : xsk_add(w, q->xsk.fd);

	if (!err)
		w->queue[w->n_queues++] = q;
	return err;
}

void worker_queue_remove(struct worker *w, struct shared_queue *q)
{
	xsk_remove(w, q->xsk.fd);
	for (unsigned int i = 0; i < w->n_queues; i++)
		if (w->queue[i] == q)
			w->queue[i--] = w->queue[--w->n_queues];
}

/* Note what happened on kicks and taps. Return: did anything? */
static bool look(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(w->epoll_fd, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct pair *p = (struct pair *)(uintptr_t)(events[i].data.u64 & ~3ULL);
		uint64_t value;

		if (!events[i].data.u64) {
			if (read(w->wake_fd, &value, sizeof(value)) < 0)
				continue;
		} else if ((events[i].data.u64 & 3) == SOURCE_TAP) {
			p->tap_readable = true;
		}
	}
	return n > 0;
}

static void answer_request(struct worker *w)
{
	if (!__atomic_load_n(&w->request, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&w->lock);
	if (w->request) {
		w->request->fn(w->request->arg);
		tell_all(&w->tell); /* a ring may be gone when the caller goes on */
		w->request->done = true;
		w->request = NULL;
		pthread_cond_broadcast(&w->answered);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Ask every guest for a kick. False: there is work after all. */
static bool arm_all(struct worker *w, uint64_t now)
{
	for (unsigned int i = 0; i < w->n_pairs; i++) {
		if (pair_arm(w->pair[i], now))
			continue;
		do
			pair_disarm(w->pair[i]); /* this one, too: it may have armed a ring */
		while (i--);
		return false;
	}
	return true;
}

static void worker_sleep(struct worker *w, uint64_t now)
{
	struct epoll_event event;
	bool soon = false;

	if (!arm_all(w, now))
		return;
	xsks_watch(w);
	for (unsigned int i = 0; i < w->n_pairs; i++)
		soon |= pair_needs_clock(w->pair[i]);
	for (unsigned int i = 0; i < w->n_queues; i++)
		soon |= shared_needs_clock(w->queue[i]);
	__atomic_store_n(&w->sleeping, true, __ATOMIC_RELAXED);
	stat_add(&w->stats.sleeps, 1);
	epoll_wait(w->sleep_fd, &event, 1, soon ? RETRY_MS : -1);
	look(w);
	__atomic_store_n(&w->sleeping, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < w->n_pairs; i++)
		pair_disarm(w->pair[i]);
}

static unsigned int pass(struct worker *w, uint64_t now, uint64_t start)
{
	unsigned int frames = 0;

	for (unsigned int i = 0; i < w->n_pairs; i++) {
		struct pair *p = w->pair[i];
		unsigned int moved = pair_poll(p, now);

		if (moved) {
			uint64_t end = cycles_now();

			stat_add(&p->busy_cycles, fair_visited(&w->fair, p, end - start));
			start = end;
			frames += moved;
		}
		if (unlikely(p->fault) && !p->fault_told) {
			p->fault_told = true;
			w->options.on_fault(w->options.arg);
		}
	}
	fair_pass_end(&w->fair, w->pair, w->n_pairs);
	/* Behind the taps: what they hold of a flow is older, unless it has turned (turn.h). */
	for (unsigned int i = 0; i < w->n_queues; i++)
		frames += shared_poll(w->queue[i]);
	tell_all(&w->tell);
	return frames;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	uint64_t now = monotonic_ns(), last_frame = now, last_look = now, last_sleep = now;
	uint64_t last_event = now, look_ns = LOOK_NS, pause_ns;

	fair_start(&w->fair, cycles_now(), now);
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		unsigned int frames;
		uint64_t t0, t1;

		answer_request(w);
		t0 = cycles_now();
		frames = pass(w, now, t0);
		t1 = cycles_now();
		stat_add(&w->stats.passes, 1);
		if (frames) {
			stat_add(&w->stats.busy_passes, 1);
			stat_add(&w->stats.busy_cycles, t1 - t0);
			stat_add(&w->stats.frames, frames);
		}

		now = monotonic_ns();
		if (frames)
			last_frame = now;
		if (!frames && now - last_frame >= SPIN_NS && !w->options.poll_busy) {
			worker_sleep(w, now);
			now = monotonic_ns();
			last_look = now;
			last_frame = now;
			last_sleep = now;
			last_event = now;
			look_ns = LOOK_NS;
			continue;
		}
		if (!frames)
			spin_pause(); /* let a guest write the line that is looked at */
		/* A system call: seldom, unless it is what brings frames. */
		if (frames)
			pause_ns = look_ns;
		else if (now - last_event < EAGER_NS)
			pause_ns = 0;
		else
			pause_ns = now - last_frame < LOOK_IDLE_NS ? look_ns : LOOK_IDLE_NS;
		if (now - last_look >= pause_ns) {
			look_ns = MIN(2 * look_ns, (uint64_t)LOOK_MAX_NS);
			if (look(w)) {
				last_event = now;
				look_ns = LOOK_NS;
			}
			last_look = now;
			fair_clock(&w->fair, t1, now);
			if (w->xsks_in_set && now - last_sleep >= AWAKE_NS)
				xsks_unwatch(w);
		}
	}
	return NULL;
}

static int thread_start(struct worker *w)
{
	sigset_t all, old;
	int err;

	/* Signals are for the main thread; SIGBUS has to reach whoever caused it. */
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return err;
	pthread_setname_np(w->thread, "vxdp-worker");
	if (w->options.cpu >= 0) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		CPU_SET(w->options.cpu, &cpus);
		return -pthread_setaffinity_np(w->thread, sizeof(cpus), &cpus);
	}
	return 0;
}

static void worker_free(struct worker *w)
{
	close_fd(&w->wake_fd);
	close_fd(&w->sleep_fd);
	close_fd(&w->epoll_fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->answered);
	free(w->flows);
	free(w);
}

int worker_start(const struct worker_options *options, struct vx_error *error, struct worker **out)
{
	struct epoll_event wake = {.events = EPOLLIN};
	struct worker *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return vx_fail_errno(error, -ENOMEM, "cannot start a worker");
	w->options = *options;
	w->flows = aligned_alloc(_Alignof(struct flow_cache), sizeof(*w->flows));
	if (w->flows)
		memset(w->flows, 0, sizeof(*w->flows));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->answered, NULL);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->sleep_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!w->flows || w->epoll_fd < 0 || w->sleep_fd < 0 || w->wake_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &wake) ||
	    epoll_ctl(w->sleep_fd, EPOLL_CTL_ADD, w->epoll_fd, &wake)) {
		err = w->flows ? -errno : -ENOMEM;
		worker_free(w);
		return vx_fail_errno(error, err, "cannot start a worker");
	}
	err = thread_start(w);
	if (err == -EINVAL && options->cpu >= 0) {
		worker_stop(&w);
		return vx_fail(error, err,
			       "cannot run a worker on CPU %d: there is no such CPU here",
			       options->cpu);
	}
	if (err) {
		worker_free(w);
		return vx_fail_errno(error, err, "cannot start a worker");
	}
	*out = w;
	return 0;
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* Non-blocking, and it only fails when it is about to wake the worker anyway. */
	(void)!write(w->wake_fd, &one, sizeof(one));
}

void worker_stop(struct worker **worker)
{
	struct worker *w = TAKE_PTR(*worker);

	if (!w)
		return;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	worker_free(w);
}

void worker_call(struct worker *w, void (*fn)(void *arg), void *arg)
{
	struct worker_request request = {.fn = fn, .arg = arg};

	pthread_mutex_lock(&w->lock);
	__atomic_store_n(&w->request, &request, __ATOMIC_RELEASE);
	worker_wake(w);
	while (!request.done)
		pthread_cond_wait(&w->answered, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static void nothing(void *arg)
{
}

void workers_pass(struct worker *const *workers, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		worker_call(workers[i], nothing, NULL);
}

struct worker_stats worker_stats(const struct worker *w)
{
	return (struct worker_stats){
		.passes = __atomic_load_n(&w->stats.passes, __ATOMIC_RELAXED),
		.busy_passes = __atomic_load_n(&w->stats.busy_passes, __ATOMIC_RELAXED),
		.busy_cycles = __atomic_load_n(&w->stats.busy_cycles, __ATOMIC_RELAXED),
		.frames = __atomic_load_n(&w->stats.frames, __ATOMIC_RELAXED),
		.sleeps = __atomic_load_n(&w->stats.sleeps, __ATOMIC_RELAXED),
	};
}

bool worker_sleeping(const struct worker *w)
{
	return __atomic_load_n(&w->sleeping, __ATOMIC_RELAXED);
}

int worker_cpu(const struct worker *w)
{
	return w->options.cpu;
}
