/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - a thread that runs queue pairs.
 *
 * Adaptive: it polls while there is work, and for a little longer; then it arms the guests' kicks,
 * looks once more, and sleeps in epoll on kicks, taps and AF_XDP sockets.
 */
#ifndef VXDP_LOADER_WORKER_H
#define VXDP_LOADER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "pair.h"

struct worker;

struct worker_stats {
	uint64_t passes;      /* rounds over all pairs */
	uint64_t busy_passes; /* that moved at least one frame */
	uint64_t busy_cycles; /* time stamp counter, in those */
	uint64_t frames;      /* moved, both directions */
	uint64_t sleeps;
};

struct worker_options {
	int cpu;		     /* to run on, or -1: anywhere */
	bool poll_busy;		     /* never sleep */
	void (*on_fault)(void *arg); /* called in the worker's thread when a pair has a fault */
	void *arg;
};

int worker_start(const struct worker_options *options, struct vx_error *error, struct worker **out);

/** worker_stop() - end the thread; its pairs were removed before. *w may be NULL. */
void worker_stop(struct worker **w);

/**
 * worker_call() - run @fn in the worker's thread, between two passes, and wait for it
 *
 * The only way the main thread changes anything a worker uses.
 */
void worker_call(struct worker *w, void (*fn)(void *arg), void *arg);

/** workers_pass() - wait until each of them was between two passes */
void workers_pass(struct worker *const *workers, unsigned int n);

/* From inside worker_call(): */

int worker_pair_add(struct worker *w, struct pair *p);
void worker_pair_remove(struct worker *w, struct pair *p);

/** worker_queue_add() / worker_queue_remove() - a NIC queue of the shared lane */
int worker_queue_add(struct worker *w, struct shared_queue *q);
void worker_queue_remove(struct worker *w, struct shared_queue *q);

/** worker_watch() - wake up for @fd: what is behind it belongs to pair @p (or is a NULL pair's:
 * AF_XDP sockets) */
enum worker_source { SOURCE_KICK, SOURCE_TAP, SOURCE_XSK };
int worker_watch(struct worker *w, struct pair *p, enum worker_source source, int fd);
void worker_unwatch(struct worker *w, enum worker_source source, int fd);

/* From any thread: */

/** worker_wake() - let it look at its pairs, should it be asleep */
void worker_wake(struct worker *w);

struct worker_stats worker_stats(const struct worker *w);
bool worker_sleeping(const struct worker *w);
int worker_cpu(const struct worker *w);

#endif /* VXDP_LOADER_WORKER_H */
