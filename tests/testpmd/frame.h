/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - test frames: UDP over IPv4 with a sequence number and a pattern in every byte. */
#ifndef TESTPMD_FRAME_H
#define TESTPMD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MIN_BYTES 60u
#define FRAME_MAX_BYTES 9014u

/* What tells one run's frames from another's: receivers ignore frames with another tag. */
struct frame_spec {
	uint8_t src[6];
	uint8_t dst[6];
	uint32_t tag;
	unsigned int n_flows; /* UDP source ports used, so that receive hashing spreads them */
	unsigned int bytes_min, bytes_max;
};

/** frame_bytes() - length of frame @seq, all lengths of the range occur evenly */
size_t frame_bytes(const struct frame_spec *spec, uint32_t seq);

/** frame_build() - write frame @seq to @buf (FRAME_MAX_BYTES) and return its length */
size_t frame_build(const struct frame_spec *spec, uint32_t seq, uint8_t *buf);

/** frame_seq() - is it a frame of @spec's tag (whatever its addresses)? Then its number. */
bool frame_seq(const struct frame_spec *spec, const uint8_t *buf, size_t bytes, uint32_t *seq);

/** frame_echo_ok() - is @buf frame @seq with its two addresses swapped, else unchanged? */
bool frame_echo_ok(const struct frame_spec *spec, uint32_t seq, const uint8_t *buf, size_t bytes);

#endif /* TESTPMD_FRAME_H */
