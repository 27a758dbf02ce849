/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "loader/checksum.h"

/* RFC 1071 word by word, as the text of the standard has it. */
static uint16_t reference(const uint8_t *p, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < bytes; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (bytes & 1)
		sum += (uint32_t)p[bytes - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Every length and alignment a frame can have, with all kinds of bytes in it. */
static void same_as_the_standard(void **state)
{
	static uint8_t frame[2048], copy[2048];
	uint32_t random = 1;

	for (uint32_t bytes = 60; bytes < 1600; bytes += 7) {
		uint16_t start = (uint16_t)(14 + bytes % 40);
		uint16_t offset = bytes % 3 ? 6 : 16;
		uint16_t expected;

		if (start + offset + 2u > bytes)
			continue;
		for (uint32_t i = 0; i < bytes; i++) {
			random = random * 1664525 + 1013904223;
			frame[i] = (uint8_t)(random >> 24);
		}
		memcpy(copy, frame, sizeof(copy));
		expected = reference(frame + start, bytes - start);
		if (!expected)
			expected = 0xffff;
		checksum_finish(frame, bytes, start, offset);
		assert_int_equal(frame[start + offset] << 8 | frame[start + offset + 1], expected);
		/* nothing else was touched */
		memcpy(copy + start + offset, frame + start + offset, 2);
		assert_memory_equal(frame, copy, sizeof(frame));
	}
}

/* A sum of zero would say "no checksum" in UDP. */
static void never_zero(void **state)
{
	uint8_t frame[64] = {0};

	memset(frame + 34, 0xff, 2); /* the data sum to 0xffff, whose complement is 0 */
	checksum_finish(frame, sizeof(frame), 34, 6);
	assert_int_equal(frame[40] << 8 | frame[41], 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_the_standard),
		cmocka_unit_test(never_zero),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
