/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exchange.h - a well-behaved guest and the wire echo numbered frames to each other.
 *
 * The guest sends a frame, the wire sends it back, the guest checks it: number, payload, order. A
 * bounded number of frames is on its way at any time, so a healthy path loses none of them however
 * slow it is, and every loss is somebody's fault.
 */
#ifndef TESTS_EXCHANGE_H
#define TESTS_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/frontend.h"

#define EXCHANGE_WINDOW_MAX 256

struct exchange {
	struct fe *fe;
	int wire_fd; /* -1: the back end itself sends all frames back, unchanged */
	uint8_t guest_mac[6];
	uint8_t wire_mac[6];
	unsigned int window;
	unsigned int frame_bytes; /* 0: 60..1514, another one each time */
	bool all_layouts;	  /* every descriptor layout in turn, with and without INDIRECT */

	uint64_t seq;
	uint64_t outstanding[EXCHANGE_WINDOW_MAX]; /* number + 1, or 0 */
	unsigned int n_outstanding;
	uint64_t last_returned;

	/* since exchange_mark() */
	uint64_t n_sent, n_returned, n_lost, n_corrupt, n_unknown, n_reordered;
};

/** exchange_init() - with addresses made of @id */
void exchange_init(struct exchange *x, struct fe *fe, int wire_fd, uint8_t id);

/** exchange_step() - do what can be done now; @n_new: send up to that many new frames. Progress? */
bool exchange_step(struct exchange *x, unsigned int n_new);

/** exchange_sleep() - until something arrives, at most @timeout_ms */
void exchange_sleep(struct exchange *x, int timeout_ms);

/** exchange_drain() - wait for what is on its way; what does not come back is lost */
void exchange_drain(struct exchange *x, int timeout_ms);

/**
 * exchange_prime() - one frame at a time until one comes back: the path is up, and its switches
 * know both addresses. Forgets what was lost before that. 0 or -ETIMEDOUT.
 */
int exchange_prime(struct exchange *x, int timeout_ms);

/** exchange_run() - exchange @n frames; 0, or -EIO if not exactly those came back */
int exchange_run(struct exchange *x, uint64_t n, int timeout_ms);

void exchange_mark(struct exchange *x);

/** exchange_exact() - everything sent since the mark came back once, whole and in order */
bool exchange_exact(const struct exchange *x);

/** exchange_print() - one line with the counters */
void exchange_print(const struct exchange *x, const char *what);

#endif /* TESTS_EXCHANGE_H */
