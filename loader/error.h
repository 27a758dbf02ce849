/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * error.h - one way to carry what went wrong from deep down to the user.
 *
 * Whoever notices an error says it once, in words for the user, and returns a negative errno; the
 * callers pass both on. main.c prints it as text or as JSON, and its code is the exit status.
 *
 *	if (ioctl(fd, SIOCGIFMTU, &ifr))
 *		return vx_fail_errno(error, -errno, "cannot read the MTU of %s", nic);
 */
#ifndef VXDP_LOADER_ERROR_H
#define VXDP_LOADER_ERROR_H

#include <jansson.h>

/* Exit status of every command; documented in vxdp.8. */
enum vx_exit {
	VX_OK = 0,
	VX_FAILED = 1,	      /* it was right to ask, and it did not work */
	VX_USAGE = 2,	      /* the command line is wrong */
	VX_NOT_FOUND = 3,     /* no such NIC, port or entry, or nothing is attached there */
	VX_NOT_PERMITTED = 4, /* needs privileges */
	VX_NOT_SUPPORTED = 5, /* this kernel or NIC cannot do it */
};

struct vx_error {
	enum vx_exit code;
	char message[512]; /* what failed and why, one line */
	char hint[512];	   /* what to do about it, one line; may be empty */
};

/**
 * vx_fail() - note an error
 * @e: where, or NULL; what it held before, the hint included, is replaced
 * @err: negative errno, which also decides the exit status: EPERM and EACCES "not permitted",
 *       ENOENT, ENODEV and ESRCH "not found", EOPNOTSUPP and ENOSYS "not supported", the rest
 *       "failed"
 * @fmt: the whole message
 * Return: @err
 */
int vx_fail(struct vx_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** vx_fail_errno() - vx_fail(), with ": " and the name of the errno put after the message */
int vx_fail_errno(struct vx_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** vx_fail_usage() - note that the command line is wrong; returns -EINVAL */
int vx_fail_usage(struct vx_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** vx_hint() - add what the user can do about the error noted in @e */
void vx_hint(struct vx_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** vx_error_errno() - a negative errno standing for the exit status @code, 0 for VX_OK */
int vx_error_errno(enum vx_exit code);

/** vx_error_json() - {"error":{"code":..,"message":..,"hint":..}}, a new reference, or NULL */
json_t *vx_error_json(const struct vx_error *e);

/**
 * vx_error_from_json() - the reverse, from a reply of another process
 * Return: 0 if @reply is no error, else the negative errno that goes with it.
 */
int vx_error_from_json(struct vx_error *e, const json_t *reply);

#endif /* VXDP_LOADER_ERROR_H */
