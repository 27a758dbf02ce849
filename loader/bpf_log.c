// SPDX-License-Identifier: GPL-2.0-or-later
#include "bpf_log.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xdp/libxdp.h>

#include <vxdp/log.h>

#define KERNEL_WORDS "Kernel error message: " /* libbpf puts it before an extack */

static char kernel_words[160];

static void print(const char *who, const char *fmt, va_list args)
{
	char line[1024];
	char *words;

	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	words = strstr(line, KERNEL_WORDS);
	if (words)
		snprintf(kernel_words, sizeof(kernel_words), "%s", words + strlen(KERNEL_WORDS));
	log_debug("%s: %s", who, line);
}

/* The verifier's log comes as one long message with every level: the first line of it will do. */
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
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

const char *bpf_log_kernel_words(void)
{
	return kernel_words;
}
