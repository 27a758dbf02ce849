// SPDX-License-Identifier: GPL-2.0-or-later
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vxdp/util.h"

static enum vx_exit code_of_errno(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return VX_NOT_PERMITTED;
	case ENOENT:
	case ENODEV:
	case ESRCH:
		return VX_NOT_FOUND;
	case EOPNOTSUPP:
	case ENOSYS:
		return VX_NOT_SUPPORTED;
	default:
		return VX_FAILED;
	}
}

static void note(struct vx_error *e, enum vx_exit code, const char *fmt, va_list args)
{
	if (!e)
		return;
	e->code = code;
	e->hint[0] = '\0';
	vsnprintf(e->message, sizeof(e->message), fmt, args);
}

int vx_fail(struct vx_error *e, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(e, code_of_errno(err), fmt, args);
	va_end(args);
	return err;
}

int vx_fail_errno(struct vx_error *e, int err, const char *fmt, ...)
{
	va_list args;
	size_t bytes;

	va_start(args, fmt);
	note(e, code_of_errno(err), fmt, args);
	va_end(args);
	if (e) {
		bytes = strlen(e->message);
		snprintf(e->message + bytes, sizeof(e->message) - bytes, ": %s", strerror(-err));
	}
	return err;
}

int vx_fail_usage(struct vx_error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(e, VX_USAGE, fmt, args);
	va_end(args);
	return -EINVAL;
}

void vx_hint(struct vx_error *e, const char *fmt, ...)
{
	va_list args;

	if (!e)
		return;
	va_start(args, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, args);
	va_end(args);
}

int vx_error_errno(enum vx_exit code)
{
	switch (code) {
	case VX_OK:
		return 0;
	case VX_USAGE:
		return -EINVAL;
	case VX_NOT_FOUND:
		return -ENOENT;
	case VX_NOT_PERMITTED:
		return -EPERM;
	case VX_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case VX_FAILED:
		break;
	}
	return -EIO;
}

/* Text that came from elsewhere (a path, a name) need not be UTF-8, which JSON has to be. */
static json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char plain[sizeof(((struct vx_error *)NULL)->message)];
	size_t i;

	if (value)
		return value;
	for (i = 0; i < sizeof(plain) - 1 && text[i]; i++)
		plain[i] = text[i] & 0x80 ? '?' : text[i];
	plain[i] = '\0';
	return json_string(plain);
}

json_t *vx_error_json(const struct vx_error *e)
{
	return json_pack("{s:{s:i,s:o,s:o}}", "error", "code", (int)e->code, "message",
			 json_text(e->message), "hint", json_text(e->hint));
}

int vx_error_from_json(struct vx_error *e, const json_t *reply)
{
	const char *message = "", *hint = "";
	const json_t *error = json_object_get(reply, "error");
	int code = VX_FAILED;

	if (!error)
		return 0;
	/* Whatever of it is missing or of another type keeps its default. */
	json_unpack((json_t *)error, "{s?i}", "code", &code);
	json_unpack((json_t *)error, "{s?s}", "message", &message);
	json_unpack((json_t *)error, "{s?s}", "hint", &hint);
	if (code <= VX_OK || code > VX_NOT_SUPPORTED)
		code = VX_FAILED;
	vx_fail(e, vx_error_errno(code), "%s", *message ? message : "failed without a reason");
	if (e)
		e->code = code;
	vx_hint(e, "%s", hint);
	return vx_error_errno(code);
}
