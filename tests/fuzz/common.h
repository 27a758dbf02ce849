/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common.h - input of a fuzzer, taken piece by piece, and what all fuzzers of vhost/ need.
 */
#ifndef TESTS_FUZZ_COMMON_H
#define TESTS_FUZZ_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *data;
	size_t left;
};

/** take_*() - the next bytes of the input, zeros behind its end */
uint8_t take_u8(struct input *in);
uint16_t take_u16(struct input *in);
uint32_t take_u32(struct input *in);
uint64_t take_u64(struct input *in);

/** take_bytes() - up to @n bytes: how many there were */
size_t take_bytes(struct input *in, void *to, size_t n);

/** take_number() - an interesting 64-bit number: small, a power of two, next to one, or any */
uint64_t take_number(struct input *in);

/** fds_lowest() - lowest free descriptor: grows when somebody leaks one */
int fds_lowest(void);

#endif /* TESTS_FUZZ_COMMON_H */
