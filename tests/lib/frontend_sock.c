// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_sock.c - the front end's socket: bytes and descriptors, one message at a time.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "frontend.h"

#define REPLY_TIMEOUT_MS 20000 /* stopping a direct lane takes its time, a sanitised one more */

static const char *const request_names[FE_REQUEST_END] = {
	[FE_NONE] = "NONE",
	[FE_GET_FEATURES] = "GET_FEATURES",
	[FE_SET_FEATURES] = "SET_FEATURES",
	[FE_SET_OWNER] = "SET_OWNER",
	[FE_RESET_OWNER] = "RESET_OWNER",
	[FE_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[FE_SET_LOG_BASE] = "SET_LOG_BASE",
	[FE_SET_LOG_FD] = "SET_LOG_FD",
	[FE_SET_VRING_NUM] = "SET_VRING_NUM",
	[FE_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[FE_SET_VRING_BASE] = "SET_VRING_BASE",
	[FE_GET_VRING_BASE] = "GET_VRING_BASE",
	[FE_SET_VRING_KICK] = "SET_VRING_KICK",
	[FE_SET_VRING_CALL] = "SET_VRING_CALL",
	[FE_SET_VRING_ERR] = "SET_VRING_ERR",
	[FE_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[FE_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[FE_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[FE_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[FE_SEND_RARP] = "SEND_RARP",
	[FE_NET_SET_MTU] = "NET_SET_MTU",
	[FE_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
	[FE_IOTLB_MSG] = "IOTLB_MSG",
	[FE_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
	[FE_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
	[FE_RESET_DEVICE] = "RESET_DEVICE",
	[FE_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[FE_ADD_MEM_REG] = "ADD_MEM_REG",
	[FE_REM_MEM_REG] = "REM_MEM_REG",
	[FE_SET_STATUS] = "SET_STATUS",
	[FE_GET_STATUS] = "GET_STATUS",
};

const char *fe_request_name(uint32_t request)
{
	if (request >= FE_REQUEST_END || !request_names[request])
		return "(other)";
	return request_names[request];
}

void fe_bad(struct fe *fe, const char *fmt, ...)
{
	va_list args;

	if (!fe->n_bad++) {
		va_start(args, fmt);
		vsnprintf(fe->bad, sizeof(fe->bad), fmt, args);
		va_end(args);
		fprintf(stderr, "# the back end broke a rule: %s\n", fe->bad);
	}
}

void fe_config_init(struct fe_config *config)
{
	*config = (struct fe_config){
		.features = FE_F(FE_F_VERSION_1) | FE_F(FE_F_PROTOCOL) | FE_F(FE_F_MRG_RXBUF) |
			    FE_F(FE_F_EVENT_IDX) | FE_F(FE_F_INDIRECT) | FE_F(FE_F_ANY_LAYOUT) |
			    FE_F(FE_F_MQ),
		.protocol_features =
			~0ull & ~FE_PF(FE_PF_INBAND) & ~FE_PF(FE_PF_PAGEFAULT) & ((1ull << 17) - 1),
		.pairs = 1,
		.rx_num = 256,
		.tx_num = 256,
		.n_regions = 2,
		.region_bytes = 16u << 20,
		.rx_buffer_bytes = 2048,
		.tx_buffer_bytes = 2048,
		.rx_parts = 1,
	};
}

int fe_open(const struct fe_config *config, struct fe **out)
{
	struct fe *fe = calloc(1, sizeof(*fe));
	int err;

	if (!fe)
		return -ENOMEM;
	fe->sock = -1;
	fe->config = *config;
	fe->n_rings = 2 * config->pairs;
	fe->ring = calloc(FE_RINGS_MAX, sizeof(*fe->ring));
	err = fe->ring ? fe_mem_open(fe) : -ENOMEM;
	if (err) {
		fe_close(&fe);
		return err;
	}
	*out = fe;
	return 0;
}

void fe_close(struct fe **pfe)
{
	struct fe *fe = *pfe;

	if (!fe)
		return;
	fe_sock_close(fe);
	for (unsigned int i = 0; fe->ring && i < FE_RINGS_MAX; i++)
		fe_ring_close(&fe->ring[i]);
	fe_mem_close(fe);
	free(fe->ring);
	free(fe);
	*pfe = NULL;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int unix_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, strlen(path));
	return 0;
}

int fe_sock_connect(struct fe *fe, const char *path, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;
	struct sockaddr_un address;
	int err = unix_address(path, &address);

	if (err)
		return err;
	fe_sock_close(fe);
	fe->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fe->sock < 0)
		return -errno;
	for (;;) {
		if (!connect(fe->sock, (void *)&address, sizeof(address)))
			return 0;
		err = -errno;
		if (now_ms() >= end_ms ||
		    (err != -ENOENT && err != -ECONNREFUSED && err != -EAGAIN))
			break;
		usleep(10000);
	}
	fe_sock_close(fe);
	return err;
}

int fe_sock_listen(const char *path)
{
	struct sockaddr_un address;
	int err = unix_address(path, &address);
	int fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (!bind(fd, (void *)&address, sizeof(address)) && !listen(fd, 4))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int fe_sock_accept(struct fe *fe, int listen_fd, int timeout_ms)
{
	struct pollfd p = {.fd = listen_fd, .events = POLLIN};

	fe_sock_close(fe);
	if (poll(&p, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	fe->sock = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return fe->sock < 0 ? -errno : 0;
}

void fe_sock_close(struct fe *fe)
{
	if (fe->sock >= 0)
		close(fe->sock);
	fe->sock = -1;
	fe->closed_by_peer = false;
	for (unsigned int i = 0; fe->ring && i < FE_RINGS_MAX; i++)
		fe->ring[i].started = false;
}

int fe_sock_raw(struct fe *fe, const void *bytes, size_t n, const int *fds, unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(FE_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (fe->sock < 0)
		return -ENOTCONN;
	if (n_fds) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	while (iov.iov_len) {
		sent = sendmsg(fe->sock, &msg, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			fe->closed_by_peer |= errno == EPIPE || errno == ECONNRESET;
			return errno == ECONNRESET ? -EPIPE : -errno;
		}
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= sent;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return 0;
}

int fe_sock_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload,
		 size_t payload_bytes, const int *fds, unsigned int n_fds)
{
	struct fe_msg msg = {.header = {request, flags | FE_VERSION, payload_bytes}};

	if (payload_bytes > FE_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (payload_bytes)
		memcpy(msg.bytes, payload, payload_bytes);
	if (fe->trace)
		fprintf(stderr, "# -> %s flags %#x %zu bytes %u fds\n", fe_request_name(request),
			flags | FE_VERSION, payload_bytes, n_fds);
	return fe_sock_raw(fe, &msg, sizeof(msg.header) + payload_bytes, fds, n_fds);
}

/* Descriptors of one message: the first one into *fd, everything else is closed. */
static void take_fds(struct msghdr *msg, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
			if (fd && *fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

static int recv_all(struct fe *fe, void *to, size_t n, int *fd, int64_t end_ms)
{
	char control[CMSG_SPACE(8 * sizeof(int))];
	size_t done = 0;

	while (done < n) {
		struct iovec iov = {.iov_base = (char *)to + done, .iov_len = n - done};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		struct pollfd p = {.fd = fe->sock, .events = POLLIN};
		int64_t left_ms = end_ms - now_ms();
		ssize_t got;

		if (poll(&p, 1, left_ms > 0 ? left_ms : 0) <= 0)
			return -ETIMEDOUT;
		got = recvmsg(fe->sock, &msg, MSG_CMSG_CLOEXEC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			fe->closed_by_peer = true;
			return -EPIPE;
		}
		take_fds(&msg, fd);
		done += got;
	}
	return 0;
}

int fe_sock_recv(struct fe *fe, struct fe_msg *msg, int *fd, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;
	int err;

	if (fd)
		*fd = -1;
	if (fe->sock < 0)
		return -ENOTCONN;
	err = recv_all(fe, &msg->header, sizeof(msg->header), fd, end_ms);
	if (err)
		return err;
	if (msg->header.payload_bytes > FE_PAYLOAD_MAX) {
		fe_bad(fe, "a reply of %u bytes", msg->header.payload_bytes);
		return -EPROTO;
	}
	if (msg->header.flags != (FE_VERSION | FE_REPLY))
		fe_bad(fe, "a reply with flags %#x", msg->header.flags);
	if (fe->trace)
		fprintf(stderr, "# <- %s %u bytes\n", fe_request_name(msg->header.request),
			msg->header.payload_bytes);
	return recv_all(fe, msg->bytes, msg->header.payload_bytes, fd, end_ms);
}

bool fe_sock_wait_closed(struct fe *fe, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;
	char byte;

	while (fe->sock >= 0 && !fe->closed_by_peer && now_ms() <= end_ms) {
		int64_t left_ms = end_ms - now_ms();

		if (recv_all(fe, &byte, 1, NULL, now_ms() + left_ms) == -ETIMEDOUT)
			break;
	}
	return fe->closed_by_peer;
}

int fe_sock_call(struct fe *fe, uint32_t request, const void *payload, size_t payload_bytes,
		 struct fe_msg *reply, int *fd)
{
	int err = fe_sock_send(fe, request, 0, payload, payload_bytes, NULL, 0);

	if (!err)
		err = fe_sock_recv(fe, reply, fd, REPLY_TIMEOUT_MS);
	if (!err && reply->header.request != request) {
		fe_bad(fe, "a reply to %s when asked %s", fe_request_name(reply->header.request),
		       fe_request_name(request));
		err = -EPROTO;
	}
	return err;
}

int fe_sock_ack(struct fe *fe, uint32_t request, const void *payload, size_t payload_bytes,
		const int *fds, unsigned int n_fds)
{
	bool ack = fe->protocol_features & FE_PF(FE_PF_REPLY_ACK);
	struct fe_msg reply;
	int err;

	err = fe_sock_send(fe, request, ack ? FE_NEED_REPLY : 0, payload, payload_bytes, fds,
			   n_fds);
	if (!err && !ack)
		err = fe_sock_send(fe, FE_GET_FEATURES, 0, NULL, 0, NULL, 0);
	if (!err)
		err = fe_sock_recv(fe, &reply, NULL, REPLY_TIMEOUT_MS);
	if (err)
		return err;
	if (reply.header.request != (ack ? request : FE_GET_FEATURES) ||
	    reply.header.payload_bytes != sizeof(reply.u64)) {
		fe_bad(fe, "%s answered by %s of %u bytes", fe_request_name(request),
		       fe_request_name(reply.header.request), reply.header.payload_bytes);
		return -EPROTO;
	}
	return ack && reply.u64 ? -EREMOTEIO : 0;
}

int fe_sock_ack_u64(struct fe *fe, uint32_t request, uint64_t value)
{
	return fe_sock_ack(fe, request, &value, sizeof(value), NULL, 0);
}
