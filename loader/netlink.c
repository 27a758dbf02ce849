// SPDX-License-Identifier: GPL-2.0-or-later
#include "netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <vxdp/util.h>

#define ANSWER_MAX (64 * 1024) /* the kernel fills at most 32 KiB at once */

static const void *payload_of(const struct nlattr *attr)
{
	return (const uint8_t *)attr + NLA_HDRLEN;
}

static size_t payload_bytes(const struct nlattr *attr)
{
	return attr ? attr->nla_len - NLA_HDRLEN : 0;
}

void *netlink_init(struct netlink_request *request, uint16_t type, uint16_t flags, size_t bytes)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(bytes);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	/* Two bits, each of which means something else in another request. */
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->header.nlmsg_flags |= NLM_F_ACK;
	return NLMSG_DATA(&request->header);
}

void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t bytes)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	struct nlattr attr = {.nla_len = NLA_HDRLEN + bytes, .nla_type = type};

	memcpy(request->bytes + at, &attr, sizeof(attr));
	memcpy(request->bytes + at + NLA_HDRLEN, data, bytes);
	request->header.nlmsg_len = at + NLA_HDRLEN + bytes;
}

/* Return: 1 to go on, 0 when the answer is complete, -errno. */
static int take_message(const struct nlmsghdr *message, netlink_fn fn, void *arg)
{
	const struct nlmsgerr *answer = NLMSG_DATA(message);

	switch (message->nlmsg_type) {
	case NLMSG_DONE:
		return 0;
	case NLMSG_ERROR:
		return answer->error;
	case NLMSG_NOOP:
		return 1;
	}
	if (fn)
		fn(arg, message);
	return 1;
}

static int take_answer(int fd, netlink_fn fn, void *arg)
{
	_cleanup_free_ uint8_t *buffer = malloc(ANSWER_MAX);
	const struct nlmsghdr *message;
	ssize_t n;
	int more;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		n = recv(fd, buffer, ANSWER_MAX, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (message = (void *)buffer; NLMSG_OK(message, n);
		     message = NLMSG_NEXT(message, n)) {
			more = take_message(message, fn, arg);
			if (more <= 0)
				return more;
		}
	}
}

int netlink_ask(int protocol, struct netlink_request *request, netlink_fn fn, void *arg)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	return take_answer(fd, fn, arg);
}

static void sort_attrs(const uint8_t *at, size_t bytes, const struct nlattr **table, size_t n)
{
	memset(table, 0, n * sizeof(*table));
	while (bytes >= NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)at;
		size_t step = NLA_ALIGN(attr->nla_len);

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > bytes)
			return;
		if ((attr->nla_type & NLA_TYPE_MASK) < n)
			table[attr->nla_type & NLA_TYPE_MASK] = attr;
		if (step >= bytes)
			return;
		at += step;
		bytes -= step;
	}
}

void netlink_attrs(const struct nlmsghdr *message, size_t own_bytes, const struct nlattr **table,
		   size_t n)
{
	size_t skip = NLMSG_LENGTH(NLMSG_ALIGN(own_bytes));

	sort_attrs((const uint8_t *)message + skip,
		   message->nlmsg_len > skip ? message->nlmsg_len - skip : 0, table, n);
}

void netlink_nested(const struct nlattr *attr, const struct nlattr **table, size_t n)
{
	sort_attrs(attr ? payload_of(attr) : NULL, payload_bytes(attr), table, n);
}

int netlink_bytes(const struct nlattr *attr, void *data, size_t bytes)
{
	if (payload_bytes(attr) < bytes)
		return -ENODATA;
	memcpy(data, payload_of(attr), bytes);
	return 0;
}

uint32_t netlink_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	netlink_bytes(attr, &value, sizeof(value));
	return value;
}

uint64_t netlink_u64(const struct nlattr *attr)
{
	uint64_t value = 0;

	netlink_bytes(attr, &value, sizeof(value));
	return value;
}

void netlink_text(const struct nlattr *attr, char *text, size_t bytes)
{
	size_t n = MIN(payload_bytes(attr), bytes - 1);

	if (n)
		memcpy(text, payload_of(attr), n);
	text[n] = '\0';
}
