// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request.c - from a message to its handler, and from there to the answer.
 *
 * A handler (request_*.c) gets a payload of the size its row of VU_REQUESTS allows, zeros behind
 * it, and as many descriptors as its row allows. It returns 0, with the payload turned into the
 * reply where there is one, or refuses with vu_refuse(). What it refuses it leaves as it was.
 * Descriptors it does not take are closed after it.
 *
 * A refused request is answered with an acknowledgement that says so if the front end waits for
 * one (REPLY_ACK); if nothing can tell it, the connection is closed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dev_internal.h"
#include "vxdp/util.h"

int vu_refuse(struct vu_dev *dev, int error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(dev->why, sizeof(dev->why), fmt, args);
	va_end(args);
	return error;
}

struct request {
	const char *name;
	int (*handle)(struct vu_dev *dev, struct vu_msg *msg);
	uint64_t needs; /* protocol features */
	uint32_t id;
	uint32_t payload_min, payload_max;
	uint32_t fds_min, fds_max;
	enum vu_reply reply;
};

#define REQUEST(id, name, lower, min, max, fds_min, fds_max, needs, reply)                         \
	{#name, vu_handle_##lower, needs, id, min, max, fds_min, fds_max, VU_REPLY_##reply},

static const struct request requests[] = {VU_REQUESTS(REQUEST)};

static const struct request *find(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].id == id)
			return &requests[i];
	return NULL;
}

static int check(struct vu_dev *dev, const struct request *r, const struct vu_msg *msg)
{
	if (r->needs & ~dev->protocol_features)
		return vu_refuse(dev, -ENOSYS, "was not negotiated");
	if (msg->header.bytes < r->payload_min || msg->header.bytes > r->payload_max)
		return vu_refuse(dev, -EINVAL, "payload of %u bytes", msg->header.bytes);
	if (msg->n_fds < r->fds_min || msg->n_fds > r->fds_max)
		return vu_refuse(dev, -EINVAL, "%u descriptors", msg->n_fds);
	return 0;
}

static int reply(struct vu_dev *dev, struct vu_msg *msg, enum vu_reply kind, bool refused)
{
	uint32_t bytes = kind == VU_REPLY_PAYLOAD ? msg->header.bytes : sizeof(uint64_t);
	int fd = kind == VU_REPLY_PAYLOAD && msg->n_fds ? msg->fds[0] : -1;
	int err;

	if (kind == VU_REPLY_NONE)
		msg->payload.u64 = refused;
	err = vu_conn_reply(&dev->conn, msg->header.request, &msg->payload, bytes, fd);
	if (err == -ENOBUFS)
		return vu_refuse(dev, err, "it does not read our replies");
	return err ? vu_refuse(dev, err, "no reply possible: %s", strerror(-err)) : 0;
}

/* Puts the name of the request in front of the reason. */
static void name_reason(struct vu_dev *dev, const struct request *r, const struct vu_msg *msg)
{
	char why[VU_WHY_BYTES];

	memcpy(why, dev->why, sizeof(why));
	if (r)
		snprintf(dev->why, sizeof(dev->why), "%s: %.120s", r->name, why);
	else
		snprintf(dev->why, sizeof(dev->why), "request %u: %.120s", msg->header.request,
			 why);
}

int vu_request(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct request *r = find(msg->header.request);
	enum vu_reply kind = r ? r->reply : VU_REPLY_NONE;
	bool ack;
	int err;

	err = r ? check(dev, r, msg) : vu_refuse(dev, -ENOSYS, "unknown");
	if (r && !err)
		err = r->handle(dev, msg);
	ack = msg->header.flags & VU_NEED_REPLY && dev->protocol_features & VU_NEEDS(REPLY_ACK);
	if (err)
		name_reason(dev, r, msg);
	if (err && (kind != VU_REPLY_NONE || !ack))
		return err;
	if (err)
		vxdp_log(VXDP_LOG_WARN, &dev->log_limit, "%s: front end refused: %s", dev->name,
			 dev->why);
	if (kind == VU_REPLY_NONE && !ack)
		return 0;
	return reply(dev, msg, kind, err != 0);
}
