// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "ctl_wire.h"
#include "vxdp/util.h"

static int set_timeout(int fd, unsigned int timeout_ms)
{
	struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	return 0;
}

int ctl_connect(const char *path, struct vx_error *error, int *fd)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	int bytes = ctl_wire_address(path, &address), err;

	if (sock < 0)
		return vx_fail_errno(error, -errno, "cannot make a socket");
	if (bytes < 0)
		return vx_fail_errno(error, bytes, "%s", path);
	err = set_timeout(sock, CTL_TIMEOUT_MS); /* also for a process that does not accept */
	if (err)
		return vx_fail_errno(error, err, "%s", path);
	if (connect(sock, (struct sockaddr *)&address, bytes)) {
		err = errno == ECONNREFUSED || errno == ENOTDIR ? -ENOENT : -errno;
		vx_fail_errno(error, err, "cannot connect to %s", path);
		if (err == -EACCES || err == -EPERM)
			vx_hint(error, "run it as root");
		return err;
	}
	*fd = TAKE_FD(sock);
	return 0;
}

static int fail_exchange(struct vx_error *error, int err)
{
	if (err == -EAGAIN) {
		vx_fail(error, -ETIMEDOUT, "the running vxdp does not answer");
		vx_hint(error, "look at what it logs, and try again");
		return -ETIMEDOUT;
	}
	return vx_fail_errno(error, err, "lost the connection to the running vxdp");
}

static int receive(int fd, char *text, json_t **reply)
{
	_cleanup_close_ int memfd = -1;
	ssize_t n = ctl_wire_receive(fd, text, CTL_PACKET_MAX, &memfd);
	json_t *object, *length;

	if (n <= 0)
		return n ? n : -ECONNRESET;
	object = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	length = json_object_get(object, "reply_bytes");
	if (length && memfd >= 0) {
		n = json_integer_value(length);
		json_decref(object);
		object = n > 0 ? ctl_wire_load(memfd, n) : NULL;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		return -EPROTO;
	}
	*reply = object;
	return 0;
}

int ctl_exchange(int fd, const json_t *request, int pass_fd, unsigned int timeout_ms,
		 struct vx_error *error, json_t **reply)
{
	_cleanup_free_ char *text = malloc(CTL_PACKET_MAX);
	json_auto_t *answer = NULL;
	int err = text ? set_timeout(fd, timeout_ms) : -ENOMEM;

	if (!err)
		err = ctl_wire_send(fd, request, pass_fd);
	if (!err)
		err = receive(fd, text, &answer);
	if (err)
		return fail_exchange(error, err);
	err = vx_error_from_json(error, answer);
	if (!err && reply)
		*reply = TAKE_PTR(answer);
	return err;
}

int ctl_call(const char *path, const json_t *request, int pass_fd, struct vx_error *error,
	     json_t **reply)
{
	_cleanup_close_ int fd = -1;
	int err = ctl_connect(path, error, &fd);

	if (!err)
		err = ctl_exchange(fd, request, pass_fd, CTL_TIMEOUT_MS, error, reply);
	return err;
}
