/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offer.h - open-loop load: one frame, many times, out of a netdev, sent by the kernel. */
#ifndef BENCH_OFFER_H
#define BENCH_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#define OFFER_BYTES_MIN 60u
#define OFFER_BYTES_MAX 1514u

/* Shared with the program in the kernel. */
struct offer_state {
	uint64_t left; /* frames to send; once set, the program counts it down */
	uint64_t runs; /* of the program, whether there was something to send or not */
};

struct offer {
	int ifindex;
	uint8_t src[6], dst[6];
	unsigned int bytes;

	/* Set by offer_load(). */
	int map, prog;
	volatile struct offer_state *state;
	uint8_t frame[OFFER_BYTES_MAX];
};

/** offer_option() - what the tools' options 's' and 'd' (addresses) and 'b' (bytes) say. Is it
 * right? */
bool offer_option(struct offer *o, int option, const char *text);

/** offer_make_frame() - UDP between two addresses of the range for benchmarks, of zeros */
void offer_make_frame(struct offer *o);

/** offer_load() - make the program and the frame. 0 or -errno. */
int offer_load(struct offer *o);

/** offer_run() - send whatever @o->state says, in this thread, until it gets a signal */
int offer_run(const struct offer *o);

void offer_unload(struct offer *o);

#endif /* BENCH_OFFER_H */
