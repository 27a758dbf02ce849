// SPDX-License-Identifier: GPL-2.0-or-later
#include "bpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

#include <vxdp/log.h>

#define KERNEL_WORDS "Kernel error message: " /* libbpf puts it before an extack */

/* A verifier's log: what comes before its last line is the reason. */
#define VERIFIER_BEGIN "-- BEGIN PROG LOAD LOG --"
#define VERIFIER_END   "processed "

static char kernel_words[160];
static bool in_verifier_log;

static void keep_kernel_words(const char *line)
{
	const char *words = strstr(line, KERNEL_WORDS);

	if (words)
		snprintf(kernel_words, sizeof(kernel_words), "%s", words + strlen(KERNEL_WORDS));
	else if (strstr(line, VERIFIER_BEGIN))
		in_verifier_log = true;
	else if (!strncmp(line, VERIFIER_END, strlen(VERIFIER_END)))
		in_verifier_log = false;
	else if (in_verifier_log)
		snprintf(kernel_words, sizeof(kernel_words), "%s", line);
}

/* One message can be many lines: the verifier's log comes whole. */
static void print(const char *who, const char *fmt, va_list args)
{
	char *text, *line, *place;

	if (vasprintf(&text, fmt, args) < 0)
		return;
	for (line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place)) {
		keep_kernel_words(line);
		log_debug("%s: %s", who, line);
	}
	free(text);
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level != LIBBPF_DEBUG)
		print("libbpf", fmt, args);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *fmt, va_list args)
{
	if (level != LIBXDP_DEBUG)
		print("libxdp", fmt, args);
	return 0;
}

void bpf_log_init(void)
{
	kernel_words[0] = '\0';
	in_verifier_log = false;
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

const char *bpf_log_kernel_words(void)
{
	return kernel_words;
}
