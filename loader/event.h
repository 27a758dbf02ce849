/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - the main thread's event loop: descriptors, timers and signals over epoll.
 *
 * A handler may remove any event, its own included, and add new ones: what was removed is never
 * called again, not even if it was already reported in the same round.
 *
 * One thread only, but for event_loop_stop(), which any thread may call.
 */
#ifndef VXDP_LOADER_EVENT_H
#define VXDP_LOADER_EVENT_H

#include <stdint.h>
#include <sys/epoll.h>

struct event_loop;
struct event;

/**
 * event_fn - handler
 * @arg: what was given when the event was added
 * @what: a descriptor's EPOLL* bits, a timer's expirations since the last call, or a signal number
 */
typedef void (*event_fn)(void *arg, uint32_t what);

/** event_loop_open() - make a loop; @out is untouched on error. Return: 0 or -errno. */
int event_loop_open(struct event_loop **out);

/** event_loop_close() - end the loop and every event still in it; *loop may be NULL */
void event_loop_close(struct event_loop **loop);

/** event_loop_run() - call handlers until event_loop_stop(). Return: its @result, or -errno. */
int event_loop_run(struct event_loop *loop);

/** event_loop_stop() - make event_loop_run() return @result once the current handler is done */
void event_loop_stop(struct event_loop *loop, int result);

/**
 * event_loop_once() - one round: wait at most @timeout_ms (-1: without end), call what is due
 * Return: number of events that were due, or -errno.
 */
int event_loop_once(struct event_loop *loop, int timeout_ms);

/**
 * event_add() - call @fn when @fd is ready
 * @fd: stays the caller's; take the event away with event_del() before closing it
 * @events: EPOLLIN, EPOLLOUT, EPOLLET... (EPOLLERR and EPOLLHUP always come)
 * @out: the event
 * Return: 0 or -errno, with @out untouched.
 */
int event_add(struct event_loop *loop, int fd, uint32_t events, event_fn fn, void *arg,
	      struct event **out);

/** event_modify() - wait for other @events from now on. Return: 0 or -errno. */
int event_modify(struct event *e, uint32_t events);

/**
 * event_timer_add() - call @fn in @first_ns, and every @period_ns from then on
 * @first_ns: 0 leaves the timer stopped until event_timer_set()
 * @period_ns: 0 for a timer that fires once
 */
int event_timer_add(struct event_loop *loop, uint64_t first_ns, uint64_t period_ns, event_fn fn,
		    void *arg, struct event **out);

/** event_timer_set() - start again with other times; @first_ns 0 stops it. Return: 0 or -errno. */
int event_timer_set(struct event *e, uint64_t first_ns, uint64_t period_ns);

/**
 * event_signal_add() - call @fn when signal @signo comes
 *
 * Blocks the signal in the calling thread, so do it before other threads are started.
 */
int event_signal_add(struct event_loop *loop, int signo, event_fn fn, void *arg,
		     struct event **out);

/** event_del() - take an event away, from wherever; *e may be NULL and is set to NULL */
void event_del(struct event **e);

#endif /* VXDP_LOADER_EVENT_H */
