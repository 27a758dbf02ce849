// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The blocks as they are written, walked as a reader walks them. That tcpdump and tshark read them
 * is dump.sh's to show.
 */
#include "cli_test.h"

#include <errno.h>

#include "loader/pcapng.h"

struct file {
	uint8_t data[1 << 18];
	size_t bytes;
	unsigned int n_writes;
	int err;
};

static int write_file(void *arg, const void *data, size_t bytes)
{
	struct file *f = arg;

	if (f->err)
		return f->err;
	assert_true(f->bytes + bytes <= sizeof(f->data));
	memcpy(f->data + f->bytes, data, bytes);
	f->bytes += bytes;
	f->n_writes++;
	return 0;
}

static uint32_t u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Check the frame of the block at *@at, step over it, return its type. */
static uint32_t next_block(const struct file *f, size_t *at, const uint8_t **block)
{
	uint32_t length = u32(f->data + *at + 4);

	assert_true(length >= 12 && length % 4 == 0 && *at + length <= f->bytes);
	assert_int_equal(u32(f->data + *at + length - 4), length);
	*block = f->data + *at;
	*at += length;
	return u32(*block);
}

static void test_file(void **state)
{
	static struct file f;
	const uint8_t *block;
	struct pcapng p;
	uint8_t frame[61];
	size_t at = 0;

	memset(frame, 0xab, sizeof(frame));
	assert_int_equal(pcapng_start(&p, write_file, &f, 128), 0);
	assert_int_equal(pcapng_interface(&p, "vm0"), 0);
	assert_int_equal(pcapng_frame(&p, &(struct pcapng_frame){.time_ns = 0x1122334455667788,
								 .data = frame,
								 .captured_bytes = sizeof(frame),
								 .frame_bytes = 1514,
								 .comment = "verdict=to_wire"}),
			 0);
	assert_int_equal(pcapng_statistics(&p, 0, 1, 2, 3), 0);
	assert_int_equal(f.n_writes, 4); /* whole blocks, each at once */

	assert_int_equal(next_block(&f, &at, &block), 0x0a0d0d0a);
	assert_int_equal(u32(block + 8), 0x1a2b3c4d);
	assert_int_equal(next_block(&f, &at, &block), 1);
	assert_int_equal(u32(block + 8), 1);	/* Ethernet */
	assert_int_equal(u32(block + 12), 128); /* snaplen */
	assert_memory_equal(block + 16, "\2\0\3\0vm0", 7);
	assert_int_equal(next_block(&f, &at, &block), 6);
	assert_int_equal(u32(block + 12), 0x11223344); /* high word first */
	assert_int_equal(u32(block + 16), 0x55667788);
	assert_int_equal(u32(block + 20), sizeof(frame));
	assert_int_equal(u32(block + 24), 1514);
	assert_memory_equal(block + 28, frame, sizeof(frame));
	assert_memory_equal(block + 28 + sizeof(frame), "\0\0\0", 3); /* padded to 4 */
	assert_memory_equal(block + 28 + 64, "\1\0\17\0verdict=to_wire\0", 20);
	assert_int_equal(next_block(&f, &at, &block), 5);
	assert_int_equal(at, f.bytes);
}

static void test_refuses(void **state)
{
	static struct file f;
	struct pcapng_frame frame = {.data = f.data, .captured_bytes = 60, .frame_bytes = 60};
	struct pcapng p;

	assert_int_equal(pcapng_start(&p, write_file, &f, 65535), 0);
	assert_int_equal(pcapng_frame(&p, &frame), -EINVAL); /* no such interface */
	assert_int_equal(pcapng_interface(&p, ""), 0);
	frame.captured_bytes = PCAPNG_SNAPLEN_MAX + 1;
	assert_int_equal(pcapng_frame(&p, &frame), -EINVAL);
	frame.captured_bytes = PCAPNG_SNAPLEN_MAX;
	assert_int_equal(pcapng_frame(&p, &frame), 0);
	frame.captured_bytes = 0;
	assert_int_equal(pcapng_frame(&p, &frame), 0);
	f.err = -ENOSPC;
	assert_int_equal(pcapng_frame(&p, &frame), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_refuses),
	};

	return run_all(tests);
}
