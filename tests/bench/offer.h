/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offer.h - open-loop load: one frame, many times, out of a netdev, sent by the kernel. */
#ifndef BENCH_OFFER_H
#define BENCH_OFFER_H

#include <stdint.h>

#define OFFER_BYTES_MIN 60u
#define OFFER_BYTES_MAX 1514u

struct offer {
	int ifindex;
	uint8_t src[6], dst[6];
	unsigned int bytes, count;
	int prog;			/* set by offer_load() */
	uint8_t frame[OFFER_BYTES_MAX]; /* the same */
};

/** offer_load() - make the program and the frame; close @o->prog at the end */
int offer_load(struct offer *o);

/** offer_send() - send all @o->count frames, in this thread and its softirq. 0 or -errno. */
int offer_send(const struct offer *o);

#endif /* BENCH_OFFER_H */
