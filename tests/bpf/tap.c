// SPDX-License-Identifier: GPL-2.0-or-later
#include "tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <vxdp/log.h>

static unsigned int planned, done, failed;

void tap_plan(unsigned int n)
{
	planned = n;
	setlinebuf(stdout);
	printf("1..%u\n", n);
}

static bool result(bool passed, const char *fmt, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, args);
	printf("%sok %u - %s\n", passed ? "" : "not ", ++done, text);
	failed += !passed;
	return passed;
}

bool tap_ok(bool passed, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	result(passed, fmt, args);
	va_end(args);
	return passed;
}

bool tap_is(long long got, long long wanted, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!result(got == wanted, fmt, args))
		tap_diag("got %lld, wanted %lld", got, wanted);
	va_end(args);
	return got == wanted;
}

void tap_diag(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("# %s\n", text);
}

void tap_bail(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("Bail out! %s\n", text);
	exit(1);
}

int tap_exit(void)
{
	return failed || done != planned;
}

/* What the code under test logs is for people too. */
void vxdp_log(enum vxdp_log_level level, struct vxdp_log_limit *limit, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (level == VXDP_LOG_DEBUG && !getenv("VXDP_TEST_VERBOSE"))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	tap_diag("%s", text);
}
