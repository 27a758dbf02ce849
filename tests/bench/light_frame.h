/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * light_frame.h - the frames of the guest-to-guest benchmark: IPv4 with UDP, or TCP for GSO.
 *
 * Port p talks to port p ^ 1. Each port has a number of addresses, and frame n goes from its
 * address n % N to the same one of its peer. Behind the headers: the number of the run, the
 * frame's number in its direction and when it was sent, then a pattern that depends on the number;
 * it is written, and looked at, in one frame out of some.
 */
#ifndef BENCH_LIGHT_FRAME_H
#define BENCH_LIGHT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "include/vxdp/util.h"

#define LIGHT_HEADER_MAX 54u /* Ethernet, IPv4, TCP */
#define LIGHT_MSS	 1460u

struct light_mark {
	uint16_t run;
	uint32_t seq;
	uint64_t tsc;
} __attribute__((packed));

/* Everything in a frame before the mark, by port and address. */
struct light_header {
	uint8_t bytes[64];
};

/* What the frames of a run look like. */
struct light_format {
	uint32_t bytes;	 /* from the Ethernet header on */
	uint32_t n_macs; /* of each port */
	uint32_t header_bytes;
	bool gso;
	struct light_header *header; /* [port * n_macs + address] */
};

#define LIGHT_BYTES_MIN (42 + sizeof(struct light_mark))

int light_format_make(struct light_format *f, unsigned int n_ports, uint32_t n_macs, uint32_t bytes,
		      bool gso);
void light_format_free(struct light_format *f);

/** light_pattern_write() / light_pattern_is() - all that follows the mark */
void light_pattern_write(const struct light_format *f, uint8_t *frame, uint32_t seq);

/** light_pattern_is() - the same for bytes [@from, @from + @n) of a frame, found at @at */
bool light_pattern_is(const struct light_format *f, const uint8_t *at, uint32_t from, uint32_t n,
		      uint32_t seq);

/** light_virtio_header() - the 12 bytes in front of a frame */
void light_virtio_header(const struct light_format *f, uint8_t *to);

static inline void light_frame_write(const struct light_format *f, uint8_t *frame,
				     const struct light_header *h, const struct light_mark *mark)
{
	if (likely(!f->gso))
		memcpy(frame, h->bytes, 42);
	else
		memcpy(frame, h->bytes, LIGHT_HEADER_MAX);
	memcpy(frame + f->header_bytes, mark, sizeof(*mark));
}

#endif /* BENCH_LIGHT_FRAME_H */
