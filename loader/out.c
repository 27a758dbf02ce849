// SPDX-License-Identifier: GPL-2.0-or-later
#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum out_mode mode = OUT_TEXT;

void out_mode_set(enum out_mode new_mode)
{
	mode = new_mode;
}

bool out_is_json(void)
{
	return mode != OUT_TEXT;
}

static void print_json(const json_t *document)
{
	json_dumpf(document, stdout, mode == OUT_JSON_PRETTY ? JSON_INDENT(2) : JSON_COMPACT);
	putc('\n', stdout);
}

void out_result(const json_t *document, void (*text)(const json_t *document))
{
	if (out_is_json())
		print_json(document);
	else
		text(document);
}

void out_text(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
}

int out_bytes(const void *data, size_t bytes)
{
	const char *next = data;
	ssize_t n;

	while (bytes) {
		n = write(STDOUT_FILENO, next, bytes);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			next += n;
			bytes -= n;
		}
	}
	return 0;
}

bool out_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

void out_error(const struct vx_error *error)
{
	json_t *document;

	if (!out_is_json()) {
		fprintf(stderr, "vxdp: %s\n", error->message);
		if (error->hint[0])
			fprintf(stderr, "      %s\n", error->hint);
		return;
	}
	document = vx_error_json(error);
	print_json(document);
	json_decref(document);
}

int out_flush(struct vx_error *error)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return vx_fail_errno(error, errno ? -errno : -EIO, "cannot write to standard output");
}

const char *out_str(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

unsigned long long out_uint(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *out_xdp(const json_t *status)
{
	const char *xdp = out_str(status, "xdp");

	return strcmp(xdp, "none") ? xdp : "no";
}
