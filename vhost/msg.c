// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * msg.c - see msg.h. The only file that reads from and writes to a front end's socket.
 *
 * Theory of operation: a read never asks for more than the rest of the header, and then the rest
 * of the payload. So the descriptors that arrive with the first byte of a header belong to that
 * message, which could not be told if one read took the end of one message and the beginning of
 * the next. Bytes may come in pieces of any size; what is there so far is kept in the connection.
 *
 * Security model: the peer is hostile.
 *
 *   it sends                                     outcome
 *   a piece of a message, and then nothing       we wait, without blocking; others are served
 *   a size above VU_PAYLOAD_MAX                  closed: nothing says where the next header is
 *   another version, a reply, unknown flags      closed
 *   descriptors in the middle of a message       closed
 *   more than VU_FDS_MAX descriptors, or some    closed (MSG_CTRUNC): what arrived is incomplete
 *   while our table of descriptors is full
 *   requests without reading the replies         replies queue up to VU_SEND_QUEUE, then closed
 *
 * Every descriptor received is in conn->in_fds or in a message that ends with vu_msg_end(), so it
 * cannot be lost.
 */
#include "msg.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vxdp/util.h"

#define CONTROL_BYTES CMSG_SPACE(VU_FDS_MAX * sizeof(int))

union control {
	struct cmsghdr align;
	char bytes[CONTROL_BYTES];
};

void vu_conn_open(struct vu_conn *c, int fd)
{
	c->fd = fd;
	c->n_in = 0;
	c->n_in_fds = 0;
	c->queue_first = 0;
	c->n_queue = 0;
}

static void fds_close(int *fds, unsigned int *n)
{
	for (unsigned int i = 0; i < *n; i++)
		close_fd(&fds[i]);
	*n = 0;
}

void vu_conn_close(struct vu_conn *c)
{
	if (c->fd < 0)
		return;
	fds_close(c->in_fds, &c->n_in_fds);
	for (; c->n_queue; c->n_queue--) {
		close_fd(&c->queue[c->queue_first].fd);
		c->queue_first = (c->queue_first + 1) % VU_SEND_QUEUE;
	}
	close_fd(&c->fd);
}

void vu_msg_end(struct vu_msg *msg)
{
	fds_close(msg->fds, &msg->n_fds);
}

int vu_msg_take_fd(struct vu_msg *msg, unsigned int i)
{
	return i < msg->n_fds ? TAKE_FD(msg->fds[i]) : -1;
}

/* Puts the descriptors of a read into the message; true if all is well. */
static bool take_control(struct vu_conn *c, struct msghdr *m)
{
	bool fine = !(m->msg_flags & MSG_CTRUNC);
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(m); cmsg; cmsg = CMSG_NXTHDR(m, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (c->n_in || c->n_in_fds == VU_FDS_MAX) {
				close(fd);
				fine = false;
			} else {
				c->in_fds[c->n_in_fds++] = fd;
			}
		}
	}
	return fine;
}

/* Reads up to @bytes more. Return: as vu_conn_receive(), 1 for "some". */
static int read_some(struct vu_conn *c, size_t bytes, const char **why)
{
	union control control;
	struct iovec iov = {.iov_base = c->in + c->n_in, .iov_len = bytes};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	do {
		n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0) {
		*why = strerror(errno);
		return -ECONNRESET;
	}
	if (!take_control(c, &m)) {
		*why = m.msg_flags & MSG_CTRUNC ? "descriptors were lost on the way"
						: "descriptors in the middle of a message";
		return -EPROTO;
	}
	if (n == 0) {
		*why = c->n_in ? "it closed the connection within a message" : NULL;
		return -ECONNRESET;
	}
	c->n_in += (size_t)n;
	return 1;
}

static int check_header(const struct vu_header *h, const char **why)
{
	if ((h->flags & VU_VERSION_MASK) != VU_VERSION)
		*why = "another version of the protocol";
	else if (h->flags & VU_REPLY)
		*why = "a reply to nothing";
	else if (h->flags & ~VU_FLAGS_KNOWN)
		*why = "unknown flags";
	else if (h->bytes > VU_PAYLOAD_MAX)
		*why = "a message that is too long";
	else
		return 0;
	return -EPROTO;
}

/* All of it is there: hand it out. */
static void take_message(struct vu_conn *c, struct vu_msg *msg)
{
	memset(&msg->payload, 0, sizeof(msg->payload));
	memcpy(&msg->payload, c->in + sizeof(struct vu_header), c->n_in - sizeof(struct vu_header));
	memcpy(msg->fds, c->in_fds, sizeof(msg->fds));
	msg->n_fds = c->n_in_fds;
	c->n_in_fds = 0;
	c->n_in = 0;
}

int vu_conn_receive(struct vu_conn *c, struct vu_msg *msg, const char **why)
{
	size_t want = sizeof(struct vu_header);
	int got;

	for (;;) {
		if (c->n_in >= sizeof(struct vu_header)) {
			memcpy(&msg->header, c->in, sizeof(struct vu_header));
			if (check_header(&msg->header, why))
				return -EPROTO;
			want = sizeof(struct vu_header) + msg->header.bytes;
			if (c->n_in == want)
				break;
		}
		got = read_some(c, want - c->n_in, why);
		if (got <= 0)
			return got;
	}
	take_message(c, msg);
	return 1;
}

static int send_one(int fd, struct vu_reply_waiting *r)
{
	union control control = {0};
	struct iovec iov = {.iov_base = r->bytes + r->n_sent, .iov_len = r->n_bytes - r->n_sent};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	ssize_t n;

	if (r->fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		cmsg = CMSG_FIRSTHDR(&m);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &r->fd, sizeof(int));
	}
	do {
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : -ECONNRESET;
	close_fd(&r->fd);
	r->n_sent += (uint32_t)n;
	return r->n_sent == r->n_bytes ? 0 : -EAGAIN;
}

int vu_conn_flush(struct vu_conn *c)
{
	int err;

	while (c->n_queue) {
		err = send_one(c->fd, &c->queue[c->queue_first]);
		if (err)
			return err == -EAGAIN ? 0 : err;
		c->queue_first = (c->queue_first + 1) % VU_SEND_QUEUE;
		c->n_queue--;
	}
	return 0;
}

int vu_conn_reply(struct vu_conn *c, uint32_t request, const void *payload, uint32_t bytes, int fd)
{
	struct vu_header header = {
		.request = request, .flags = VU_VERSION | VU_REPLY, .bytes = bytes};
	struct vu_reply_waiting *r;

	if (c->n_queue == VU_SEND_QUEUE)
		return -ENOBUFS;
	r = &c->queue[(c->queue_first + c->n_queue) % VU_SEND_QUEUE];
	if (bytes > sizeof(r->bytes) - sizeof(header))
		return -EINVAL;
	r->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && r->fd < 0)
		return -errno;
	memcpy(r->bytes, &header, sizeof(header));
	if (bytes)
		memcpy(r->bytes + sizeof(header), payload, bytes);
	r->n_bytes = (uint32_t)sizeof(header) + bytes;
	r->n_sent = 0;
	c->n_queue++;
	return vu_conn_flush(c);
}
