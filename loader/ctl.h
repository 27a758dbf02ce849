/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl.h - the control socket of a running vxdp: $VXDP_RUNDIR/<nic>/ctl.
 *
 * AF_UNIX, SOCK_SEQPACKET, one JSON object a packet each way:
 *
 *	{"cmd":"status"}                        {"ok":true,"nic":"eth0",...}
 *	{"cmd":"detach","port":"vm7"}           {"error":{"code":3,"message":"...","hint":"..."}}
 *
 * A request may carry one descriptor (SCM_RIGHTS). A reply longer than CTL_PACKET_MAX comes as
 * {"ok":true,"reply_bytes":N} with the descriptor of a sealed memfd that holds the real one.
 * {"cmd":"help"} lists the commands.
 */
#ifndef VXDP_LOADER_CTL_H
#define VXDP_LOADER_CTL_H

#include <jansson.h>

#include "error.h"
#include "event.h"

#define CTL_PACKET_MAX	(64 * 1024)	   /* bytes in one packet */
#define CTL_REPLY_MAX	(16 * 1024 * 1024) /* bytes in a reply that comes in a memfd */
#define CTL_CLIENTS_MAX 64
#define CTL_TIMEOUT_MS	30000 /* for a client that has nothing better to say */

struct ctl_server;
struct ctl_client;

struct ctl_request {
	struct ctl_client *client; /* who asks; for ctl_client_on_close() */
	const json_t *body;	   /* the request, an object */
	int fd;			   /* the descriptor it carried, or -1; TAKE_FD() to keep it */
};

/**
 * ctl_fn - handler of one command, in the event loop's thread
 * @owner: what was given to ctl_server_open()
 * @reply: object to answer with, a new reference; left NULL for a plain {"ok":true}
 * Return: 0, or -errno with @error saying why, which is then the answer.
 */
typedef int (*ctl_fn)(void *owner, struct ctl_request *request, json_t **reply,
		      struct vx_error *error);

struct ctl_command {
	const char *name;
	ctl_fn run;
	const char *help;
};

/**
 * ctl_server_open() - serve a control socket on the event loop
 * @path: where; a socket left behind there is replaced, so hold the NIC's lock (rundir.h)
 * @commands: ends with an entry without name; must live as long as the server
 * @out: the server, untouched on error
 * Return: 0 or -errno.
 */
int ctl_server_open(struct event_loop *loop, const char *path, const struct ctl_command *commands,
		    void *owner, struct vx_error *error, struct ctl_server **out);

/** ctl_server_close() - close all connections and remove the socket; *server may be NULL */
void ctl_server_close(struct ctl_server **server);

/**
 * ctl_answer() - what the server answers to one packet
 * @client: who sent it; only handed on
 * @text: the packet, not trusted
 * @fd: descriptor that came with it, or -1; closed unless the handler took it
 * Return: the reply, a new reference.
 */
json_t *ctl_answer(const struct ctl_command *commands, void *owner, struct ctl_client *client,
		   const char *text, size_t bytes, int fd);

/**
 * ctl_client_on_close() - call @fn(@arg) when this client has gone
 *
 * For what must end with whoever asked for it, even if killed. One per client: the last call
 * counts, @fn NULL takes it back. ctl_server_close() calls it too.
 */
void ctl_client_on_close(struct ctl_client *client, void (*fn)(void *arg), void *arg);

/**
 * ctl_connect() - connect to the process that serves @path
 * @fd: the connection; untouched on error
 * Return: 0; -ENOENT if no process serves it (no socket, or one left behind); else -errno.
 */
int ctl_connect(const char *path, struct vx_error *error, int *fd);

/**
 * ctl_exchange() - send a request over a connection, wait for its reply
 * @request: an object; not stolen
 * @pass_fd: descriptor to send along, or -1; stays the caller's
 * @reply: the reply, a new reference, untouched on error; NULL if it is of no interest
 * Return: 0; or -errno, @error being what the other process answered if it did.
 */
int ctl_exchange(int fd, const json_t *request, int pass_fd, unsigned int timeout_ms,
		 struct vx_error *error, json_t **reply);

/** ctl_call() - ctl_connect(), ctl_exchange() and close, with CTL_TIMEOUT_MS */
int ctl_call(const char *path, const json_t *request, int pass_fd, struct vx_error *error,
	     json_t **reply);

#endif /* VXDP_LOADER_CTL_H */
