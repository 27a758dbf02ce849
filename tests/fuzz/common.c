// SPDX-License-Identifier: GPL-2.0-or-later
#include "common.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vxdp/log.h"

size_t take_bytes(struct input *in, void *to, size_t n)
{
	if (n > in->left)
		n = in->left;
	memcpy(to, in->data, n);
	in->data += n;
	in->left -= n;
	return n;
}

uint8_t take_u8(struct input *in)
{
	uint8_t v = 0;

	take_bytes(in, &v, sizeof(v));
	return v;
}

uint16_t take_u16(struct input *in)
{
	uint16_t v = 0;

	take_bytes(in, &v, sizeof(v));
	return v;
}

uint32_t take_u32(struct input *in)
{
	uint32_t v = 0;

	take_bytes(in, &v, sizeof(v));
	return v;
}

uint64_t take_u64(struct input *in)
{
	uint64_t v = 0;

	take_bytes(in, &v, sizeof(v));
	return v;
}

uint64_t take_number(struct input *in)
{
	uint8_t how = take_u8(in);

	switch (how >> 6) {
	case 0: /* 0..63 */
		return how;
	case 1: /* 2^n */
		return 1ull << (how & 63);
	case 2: /* 2^n - 1; all ones at the end */
		return (how & 63) == 63 ? ~0ull : (1ull << (how & 63)) - 1;
	default:
		return take_u64(in);
	}
}

int fds_lowest(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* The line is put together, so that its arguments are looked at, and thrown away. */
__attribute__((weak)) void vxdp_log(enum vxdp_log_level level, struct vxdp_log_limit *limit,
				    const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
}
