// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * The server lives on the event loop and never waits for a client: sockets are non-blocking, a
 * request is answered at once, and a client that does not read its replies is closed when its
 * socket's buffer is full. Only those who may write to the socket (mode 0600: root) get here, yet
 * nothing they send is trusted: packets are bounded, JSON is parsed strictly, and descriptors
 * nobody asked for are closed.
 *
 * When CTL_CLIENTS_MAX are connected, the one that has been silent for longest makes room, unless
 * something depends on it (ctl_client_on_close()).
 */
#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ctl_wire.h"
#include "opts.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

#define ACCEPTS_A_ROUND 16
#define PAUSE_NS	1000000000ULL /* without accepting, when descriptors run out */

struct ctl_client {
	struct ctl_server *server;
	struct ctl_client *prev, *next; /* most recently heard of first */
	struct event *event;
	int fd;
	void (*on_close)(void *arg);
	void *on_close_arg;
};

struct ctl_server {
	struct event_loop *loop;
	struct event *event, *resume;
	int fd;
	char path[PATH_MAX];
	const struct ctl_command *commands;
	void *owner;
	struct ctl_client *first, *last;
	unsigned int n_clients;
	char packet[CTL_PACKET_MAX];
};

static void unlink_client(struct ctl_client *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		c->server->last = c->prev;
}

static void push_client(struct ctl_client *c)
{
	struct ctl_server *s = c->server;

	c->prev = NULL;
	c->next = s->first;
	if (s->first)
		s->first->prev = c;
	else
		s->last = c;
	s->first = c;
}

static void close_client(struct ctl_client *c)
{
	unlink_client(c);
	c->server->n_clients--;
	event_del(&c->event);
	close(c->fd);
	if (c->on_close)
		c->on_close(c->on_close_arg);
	free(c);
}

void ctl_client_on_close(struct ctl_client *client, void (*fn)(void *arg), void *arg)
{
	client->on_close = fn;
	client->on_close_arg = arg;
}

static const char *next_command(const void *list, unsigned int i)
{
	return ((const struct ctl_command *)list)[i].name;
}

static json_t *list_commands(const struct ctl_command *commands)
{
	json_t *list = json_object();

	for (; commands->name; commands++)
		json_object_set_new(list, commands->name, json_string(commands->help));
	return json_pack("{s:o}", "commands", list);
}

static int run_command(const struct ctl_command *commands, void *owner, struct ctl_request *request,
		       json_t **reply, struct vx_error *error)
{
	const char *name = json_string_value(json_object_get(request->body, "cmd")), *near;
	int err;

	if (!name)
		return vx_fail_usage(error, "a request is {\"cmd\":\"NAME\",...}");
	if (!strcmp(name, "help")) {
		*reply = list_commands(commands);
		return 0;
	}
	for (const struct ctl_command *c = commands; c->name; c++) {
		if (!strcmp(name, c->name))
			return c->run(owner, request, reply, error);
	}
	err = vx_fail_usage(error, "no command '%.64s'", name);
	near = opts_nearest(name, next_command, commands);
	if (near)
		vx_hint(error, "did you mean '%s'?", near);
	return err;
}

json_t *ctl_answer(const struct ctl_command *commands, void *owner, struct ctl_client *client,
		   const char *text, size_t bytes, int fd)
{
	_cleanup_close_ int passed = fd;
	struct vx_error error = {0};
	json_error_t where;
	json_auto_t *body = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &where);
	struct ctl_request request = {.client = client, .body = body, .fd = passed};
	json_t *reply = NULL;
	int err;

	if (json_is_object(body))
		err = run_command(commands, owner, &request, &reply, &error);
	else if (body)
		err = vx_fail_usage(&error, "a request is a JSON object");
	else
		err = vx_fail_usage(&error, "not JSON, at byte %d: %s", where.position, where.text);
	passed = request.fd;
	if (err) {
		json_decref(reply);
		return vx_error_json(&error);
	}
	if (!reply)
		reply = json_object();
	json_object_set_new(reply, "ok", json_true());
	return reply;
}

static json_t *answer_too_long(void)
{
	struct vx_error error = {0};

	vx_fail_usage(&error, "a request is at most %d bytes", CTL_PACKET_MAX);
	return vx_error_json(&error);
}

static void client_ready(void *arg, uint32_t events)
{
	struct ctl_client *c = arg;
	struct ctl_server *s = c->server;
	json_auto_t *reply = NULL;
	int passed;
	ssize_t n = ctl_wire_receive(c->fd, s->packet, sizeof(s->packet), &passed);

	if (n == -EAGAIN)
		return;
	if (n == -EMSGSIZE)
		reply = answer_too_long();
	else if (n > 0)
		reply = ctl_answer(s->commands, s->owner, c, s->packet, n, passed);
	else
		close_fd(&passed);
	if (!reply || ctl_wire_send(c->fd, reply, -1)) {
		close_client(c);
		return;
	}
	unlink_client(c);
	push_client(c);
}

/* Close the client that was silent for longest and that nothing depends on. */
static bool make_room(struct ctl_server *s)
{
	for (struct ctl_client *c = s->last; c; c = c->prev) {
		if (!c->on_close) {
			log_info_limited("control socket: too many clients, closing the oldest");
			close_client(c);
			return true;
		}
	}
	return false;
}

static void add_client(struct ctl_server *s, int fd)
{
	_cleanup_close_ int sock = fd;
	struct ctl_client *c;

	if (s->n_clients >= CTL_CLIENTS_MAX && !make_room(s))
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->server = s;
	c->fd = sock;
	if (event_add(s->loop, sock, EPOLLIN, client_ready, c, &c->event)) {
		free(c);
		return;
	}
	TAKE_FD(sock);
	push_client(c);
	s->n_clients++;
}

static void resume_accepting(void *arg, uint32_t expirations)
{
	struct ctl_server *s = arg;

	event_modify(s->event, EPOLLIN);
}

static void server_ready(void *arg, uint32_t events)
{
	struct ctl_server *s = arg;
	int fd;

	for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
		fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			add_client(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			log_warn_limited("control socket: cannot accept: %m");
			event_modify(s->event, 0);
			event_timer_set(s->resume, PAUSE_NS, 0);
		}
		return;
	}
}

/* The mode of an unbound socket's own inode is what bind() gives to the file. */
static int listen_at(const char *path, int *out)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	int bytes = ctl_wire_address(path, &address);

	if (bytes < 0)
		return bytes;
	if (fd < 0 || fchmod(fd, 0600))
		return -errno;
	if (unlink(path) && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, bytes) || listen(fd, SOMAXCONN))
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

int ctl_server_open(struct event_loop *loop, const char *path, const struct ctl_command *commands,
		    void *owner, struct vx_error *error, struct ctl_server **out)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return vx_fail_errno(error, -ENOMEM, "control socket");
	s->loop = loop;
	s->fd = -1;
	s->commands = commands;
	s->owner = owner;
	err = listen_at(path, &s->fd);
	if (!err) {
		snprintf(s->path, sizeof(s->path), "%s", path);
		err = event_add(loop, s->fd, EPOLLIN, server_ready, s, &s->event);
	}
	if (!err)
		err = event_timer_add(loop, 0, 0, resume_accepting, s, &s->resume);
	if (err) {
		ctl_server_close(&s);
		return vx_fail_errno(error, err, "cannot listen on %s", path);
	}
	*out = s;
	return 0;
}

void ctl_server_close(struct ctl_server **server)
{
	struct ctl_server *s = TAKE_PTR(*server);

	if (!s)
		return;
	while (s->first)
		close_client(s->first);
	event_del(&s->event);
	event_del(&s->resume);
	if (s->path[0])
		unlink(s->path);
	close_fd(&s->fd);
	free(s);
}
