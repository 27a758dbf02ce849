/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg.h - one connection: whole messages in, whole messages out. Knows sizes and descriptors,
 * nothing of what a message means.
 */
#ifndef VHOST_MSG_H
#define VHOST_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto.h"

#define VU_SEND_QUEUE 64 /* replies that may wait for a peer that does not read them */

/* A message. Descriptors that the receiver does not take are closed by vu_msg_end(). */
struct vu_msg {
	struct vu_header header;
	union vu_payload payload;
	unsigned int n_fds;
	int fds[VU_FDS_MAX];
};

struct vu_reply_waiting {
	uint8_t bytes[sizeof(struct vu_header) + 32];
	uint32_t n_bytes, n_sent;
	int fd; /* goes out with the first byte, or -1 */
};

struct vu_conn {
	int fd; /* -1: no connection */
	/* The message that is coming in. */
	uint8_t in[sizeof(struct vu_header) + VU_PAYLOAD_MAX];
	size_t n_in; /* bytes that are there */
	unsigned int n_in_fds;
	int in_fds[VU_FDS_MAX];
	/* Replies on their way out. */
	struct vu_reply_waiting queue[VU_SEND_QUEUE];
	unsigned int queue_first, n_queue;
};

/** vu_conn_open() - take over a connected socket */
void vu_conn_open(struct vu_conn *c, int fd);

/** vu_conn_close() - close the socket and everything that was on the way. Harmless if closed. */
void vu_conn_close(struct vu_conn *c);

/**
 * vu_conn_receive() - the next message
 * @msg: filled in when there is one; end it with vu_msg_end()
 * @why: when it fails, what the peer did
 *
 * Return: 1 with a message; 0 if there is no whole one yet; -ECONNRESET if the peer has closed
 * the connection; -EPROTO if it has to be closed.
 */
int vu_conn_receive(struct vu_conn *c, struct vu_msg *msg, const char **why);

/** vu_msg_end() - close the descriptors that are left in a message */
void vu_msg_end(struct vu_msg *msg);

/** vu_msg_take_fd() - descriptor @i of a message, now the caller's */
int vu_msg_take_fd(struct vu_msg *msg, unsigned int i);

/**
 * vu_conn_reply() - send a reply, or queue it
 * @request: that is answered
 * @payload: at most 32 bytes
 * @fd: to pass along, or -1; stays the caller's
 *
 * Return: 0; -ENOBUFS if the peer reads no replies, -ECONNRESET if it is gone.
 */
int vu_conn_reply(struct vu_conn *c, uint32_t request, const void *payload, uint32_t bytes, int fd);

/** vu_conn_flush() - send what is queued, as far as that goes. Return: 0 or -ECONNRESET. */
int vu_conn_flush(struct vu_conn *c);

/** vu_conn_wants_out() - is something queued? */
static inline bool vu_conn_wants_out(const struct vu_conn *c)
{
	return c->n_queue > 0;
}

#endif /* VHOST_MSG_H */
