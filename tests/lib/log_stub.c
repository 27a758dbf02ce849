// SPDX-License-Identifier: GPL-2.0-or-later
#include "log_stub.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vxdp/log.h"

#define KEPT_LINES 64
#define LINE_BYTES 256

static char lines[KEPT_LINES][LINE_BYTES];
static unsigned int n_lines; /* ever written; the last KEPT_LINES are kept */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Test programs print TAP, whoever starts them. */
__attribute__((constructor)) static void print_tap(void)
{
	setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
}

void vxdp_log(enum vxdp_log_level level, struct vxdp_log_limit *limit, const char *fmt, ...)
{
	char *line;
	va_list args;

	pthread_mutex_lock(&lock);
	line = lines[n_lines++ % KEPT_LINES];
	va_start(args, fmt);
	vsnprintf(line, LINE_BYTES, fmt, args);
	va_end(args);
	if (getenv("VXDP_TEST_LOG"))
		fprintf(stderr, "# log %d: %s\n", (int)level, line);
	pthread_mutex_unlock(&lock);
}

void vxdp_log_level_set(enum vxdp_log_level level)
{
}

void log_stub_clear(void)
{
	pthread_mutex_lock(&lock);
	n_lines = 0;
	memset(lines, 0, sizeof(lines));
	pthread_mutex_unlock(&lock);
}

unsigned int log_stub_lines(const char *text)
{
	unsigned int n = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < KEPT_LINES; i++)
		n += lines[i][0] && strstr(lines[i], text);
	pthread_mutex_unlock(&lock);
	return n;
}

bool log_stub_has(const char *text)
{
	return log_stub_lines(text) > 0;
}
