/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checksum.h"

#include <string.h>

/* RFC 1071: the sum may be made in any byte order and word size, and folded afterwards. */
static uint16_t sum16(const uint8_t *p, uint32_t bytes)
{
	uint64_t sum = 0;

	for (; bytes >= 4; p += 4, bytes -= 4) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		sum += word;
	}
	if (bytes) {
		uint32_t rest = 0;

		memcpy(&rest, p, bytes);
		sum += rest;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void checksum_finish(uint8_t *frame, uint32_t bytes, uint16_t start, uint16_t offset)
{
	uint16_t sum = (uint16_t)~sum16(frame + start, bytes - start);

	/* 0 means "no checksum" in UDP (RFC 768), and ~0 is the same number everywhere else. */
	if (!sum)
		sum = 0xffff;
	memcpy(frame + start + offset, &sum, sizeof(sum));
}
