// SPDX-License-Identifier: GPL-2.0-or-later
#include "ctl_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ctl.h"
#include "vxdp/util.h"

#define FDS_MAX 4 /* room for descriptors in a packet; one is wanted, the rest is closed */

int ctl_wire_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return sizeof(*address);
}

static int send_packet(int fd, const char *text, size_t bytes, int pass_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (pass_fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* A reply that is too long for a packet: the packet says how long, the memfd holds it. */
static int send_memfd(int fd, const char *text, size_t bytes)
{
	_cleanup_close_ int memfd = memfd_create("vxdp-reply", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char header[64];
	size_t done = 0;
	ssize_t n;

	if (memfd < 0)
		return -errno;
	while (done < bytes) {
		n = write(memfd, text + done, bytes - done);
		if (n < 0)
			return -errno;
		done += n;
	}
	if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return -errno;
	snprintf(header, sizeof(header), "{\"ok\":true,\"reply_bytes\":%zu}", bytes);
	return send_packet(fd, header, strlen(header), memfd);
}

int ctl_wire_send(int fd, const json_t *object, int pass_fd)
{
	_cleanup_free_ char *text = json_dumps(object, JSON_COMPACT);
	size_t bytes;

	if (!text)
		return -ENOMEM;
	bytes = strlen(text);
	if (bytes <= CTL_PACKET_MAX)
		return send_packet(fd, text, bytes, pass_fd);
	if (bytes > CTL_REPLY_MAX || pass_fd >= 0)
		return -EMSGSIZE;
	return send_memfd(fd, text, bytes);
}

/* Keep the first descriptor, close the others. */
static int take_fds(struct msghdr *msg)
{
	int kept = -1, fd;
	size_t n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

ssize_t ctl_wire_receive(int fd, char *text, size_t bytes, int *got_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = text, .iov_len = bytes};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;

	*got_fd = -1;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	*got_fd = take_fds(&msg);
	if (msg.msg_flags & MSG_TRUNC) {
		close_fd(got_fd);
		return -EMSGSIZE;
	}
	return n;
}

json_t *ctl_wire_load(int memfd, size_t bytes)
{
	_cleanup_free_ char *text = bytes <= CTL_REPLY_MAX ? malloc(bytes) : NULL;
	size_t done = 0;
	ssize_t n;

	if (!text)
		return NULL;
	while (done < bytes) {
		n = pread(memfd, text + done, bytes - done, done);
		if (n <= 0)
			return NULL;
		done += n;
	}
	return json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
}
