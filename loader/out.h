/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out.h - standard output. Nothing else in the program writes there, so that what a script reads
 * is either all of one JSON document or all of the text, and never mixed with messages.
 *
 * A command makes one JSON document and a function that puts it into words; which of the two is
 * printed depends on -j and -p. So both always show the same facts.
 */
#ifndef VXDP_LOADER_OUT_H
#define VXDP_LOADER_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum out_mode { OUT_TEXT, OUT_JSON, OUT_JSON_PRETTY };

/** out_mode_set() - what out_result() and out_error() print from now on */
void out_mode_set(enum out_mode mode);

/** out_is_json() - is JSON wanted? */
bool out_is_json(void);

/** out_result() - print a document, or what @text makes of it with out_text() */
void out_result(const json_t *document, void (*text)(const json_t *document));

/** out_text() - print text as it is */
void out_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** out_bytes() - write binary data at once. Return: 0 or -errno. */
int out_bytes(const void *data, size_t bytes);

/** out_is_terminal() - would out_bytes() end up on somebody's screen? */
bool out_is_terminal(void);

/** out_error() - print an error: as JSON to standard output, as text to standard error */
void out_error(const struct vx_error *error);

/** out_flush() - Return: 0, or -errno with @error set if something could not be written */
int out_flush(struct vx_error *error);

/** out_str(), out_uint() - a member of a JSON object for printing; "" and 0 if it is not there */
const char *out_str(const json_t *object, const char *key);
unsigned long long out_uint(const json_t *object, const char *key);

/** out_xdp() - how XDP runs on the NIC, by its status: "native", "skb" or "no" */
const char *out_xdp(const json_t *status);

#endif /* VXDP_LOADER_OUT_H */
