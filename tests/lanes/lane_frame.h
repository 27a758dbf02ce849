/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_frame.h - frames with a number, and a pattern in every byte that follows from it.
 */
#ifndef TESTS_LANE_FRAME_H
#define TESTS_LANE_FRAME_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/hostile/wire.h"

#define MAGIC	    0x4c414e45u
#define MAGIC_PRIME 0x5052494du /* frames that only prepare the path */
#define FRAME_MIN   60u
#define FRAME_MAX   1514u

struct frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t ethertype_be;
	uint16_t bytes;
	uint32_t magic;
	uint32_t seq;
	uint8_t pattern[];
} __attribute__((packed));

static inline uint8_t pattern_at(uint32_t seq, uint32_t i)
{
	return (uint8_t)((seq + 1) * 2654435761u >> 24 ^ (i * 167 + (i >> 8)));
}

static inline uint16_t frame_bytes(uint32_t seq)
{
	return (uint16_t)(FRAME_MIN + seq * 389u % (FRAME_MAX - FRAME_MIN + 1));
}

static inline bool frame_ok(const uint8_t *buf, size_t bytes)
{
	const struct frame *f = (const struct frame *)buf;

	if (f->bytes != bytes || f->bytes != frame_bytes(f->seq))
		return false;
	for (uint32_t i = sizeof(*f); i < bytes; i++) {
		if (buf[i] != pattern_at(f->seq, i))
			return false;
	}
	return true;
}

/* Return: its length. */
static inline size_t frame_make(uint8_t *buf, uint32_t magic, uint32_t seq, const uint8_t *dst,
				const uint8_t *src)
{
	struct frame *f = (struct frame *)buf;

	*f = (struct frame){.ethertype_be = htons(WIRE_ETHERTYPE), .magic = magic, .seq = seq};
	f->bytes = frame_bytes(seq);
	memcpy(f->dst, dst, sizeof(f->dst));
	memcpy(f->src, src, sizeof(f->src));
	for (uint32_t i = sizeof(*f); i < f->bytes; i++)
		buf[i] = pattern_at(seq, i);
	return f->bytes;
}

#endif /* TESTS_LANE_FRAME_H */
