// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sock.c - see sock.h.
 *
 * Theory of operation: whoever is told nothing connects if somebody accepts on the path, and else
 * listens. Later a front end that wants to listen as well may take the path away (QEMU removes
 * what is in its way): then the file is another one, and we become the client.
 *
 *   role    | waits for                                  | the timer
 *   --------+--------------------------------------------+--------------------------------------
 *   CLIENT  | somebody to accept on the path             | the next attempt
 *   SERVER  | somebody to connect                        | only if the role may change: a look
 *           |                                            | at the file, once a second
 *
 * What is in our way is removed only if it is a socket on which nobody accepts.
 */
#include "sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <fcntl.h>

#include "vxdp/log.h"
#include "vxdp/util.h"

#define BACKLOG	     16
#define AT_ONCE_MS   1
#define RETRY_MS     250
#define LOOK_MS	     1000
#define SOCKET_UMASK 0117 /* so the file is 0660: its owner and group may connect */

static int timer_set(struct vu_sock *s, unsigned int first_ms, unsigned int then_ms)
{
	struct itimerspec t = {
		.it_value = {first_ms / 1000, first_ms % 1000 * 1000000l},
		.it_interval = {then_ms / 1000, then_ms % 1000 * 1000000l},
	};

	return timerfd_settime(s->timer_fd, 0, &t, NULL) ? -errno : 0;
}

static int watch(struct vu_sock *s, int *fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, *fd, &event) ? -errno : 0;
}

static int socket_new(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* A connected socket or -errno; -EAGAIN: somebody listens, and has a long queue. */
static int try_connect(const struct vu_sock *s)
{
	_cleanup_close_ int fd = socket_new();

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&s->address, sizeof(s->address)))
		return -errno;
	return TAKE_FD(fd);
}

/* bind() found something on the path: may it go? Return: 0 if it is gone. */
static int remove_dead_socket(const struct vu_sock *s)
{
	const char *path = s->address.sun_path;
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s: %s is in the way, and it is no socket", s->name, path);
		return -EEXIST;
	}
	fd = try_connect(s);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN) {
		log_error("%s: somebody else listens on %s", s->name, path);
		return -EADDRINUSE;
	}
	if (fd != -ECONNREFUSED) {
		log_error("%s: cannot tell whether %s is in use: %s", s->name, path, strerror(-fd));
		return fd;
	}
	if (unlink(path) && errno != ENOENT) {
		log_error("%s: cannot remove the dead socket %s: %s", s->name, path,
			  strerror(errno));
		return -errno;
	}
	return 0;
}

static int bind_path(const struct vu_sock *s, int fd)
{
	mode_t saved = umask(SOCKET_UMASK);
	int err = bind(fd, (const struct sockaddr *)&s->address, sizeof(s->address)) ? -errno : 0;

	umask(saved);
	return err;
}

static int cannot_listen(const struct vu_sock *s, int err)
{
	log_error("%s: cannot listen on %s: %s", s->name, s->address.sun_path, strerror(-err));
	return err;
}

static int start_listening(struct vu_sock *s)
{
	_cleanup_close_ int fd = socket_new();
	struct stat st;
	int err;

	if (fd < 0)
		return cannot_listen(s, fd);
	err = bind_path(s, fd);
	if (err == -EADDRINUSE) {
		err = remove_dead_socket(s);
		if (err)
			return err;
		err = bind_path(s, fd);
	}
	if (err)
		return cannot_listen(s, err);
	if (lstat(s->address.sun_path, &st) || listen(fd, BACKLOG))
		return cannot_listen(s, -errno);
	s->made_file = true;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->listen_fd = TAKE_FD(fd);
	s->role = VU_ROLE_SERVER;
	s->refused = 0;
	return watch(s, &s->listen_fd);
}

static bool our_file(const struct vu_sock *s)
{
	struct stat st;

	return !lstat(s->address.sun_path, &st) && st.st_dev == s->dev && st.st_ino == s->ino;
}

static void stop_listening(struct vu_sock *s)
{
	if (s->made_file && our_file(s))
		unlink(s->address.sun_path);
	s->made_file = false;
	s->paused = false;
	close_fd(&s->listen_fd); /* leaves the epoll set by itself */
}

static int open_path(struct vu_sock *s, const char *path, enum vu_role role)
{
	int fd = -ECONNREFUSED;

	memcpy(s->address.sun_path, path, strlen(path) + 1);
	if (role == VU_ROLE_AUTO) {
		s->may_change = true;
		fd = try_connect(s);
		s->connected_fd = fd >= 0 ? fd : -1;
	}
	if (role == VU_ROLE_CLIENT || fd >= 0 || fd == -EAGAIN) {
		s->role = VU_ROLE_CLIENT;
		return 0;
	}
	if (fd != -ECONNREFUSED && fd != -ENOENT) {
		log_error("%s: cannot connect to %s: %s", s->name, s->address.sun_path,
			  strerror(-fd));
		return fd;
	}
	return start_listening(s);
}

static int socket_option(int fd, int option)
{
	socklen_t size = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) ? -errno : value;
}

static int open_inherited(struct vu_sock *s, int fd)
{
	if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_STREAM) {
		log_error("%s: descriptor %d is no UNIX stream socket", s->name, fd);
		return -ENOTSOCK;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return -errno;
	if (socket_option(fd, SO_ACCEPTCONN) == 1) {
		s->role = VU_ROLE_SERVER;
		s->listen_fd = fd;
		return watch(s, &s->listen_fd);
	}
	s->role = VU_ROLE_CLIENT;
	s->connected_fd = fd;
	return 0;
}

int vu_sock_open(struct vu_sock *s, const struct vu_dev_config *config, const char *name,
		 int epoll_fd)
{
	const char *path = config->socket_path;
	int err;

	*s = (struct vu_sock){.name = name,
			      .epoll_fd = epoll_fd,
			      .listen_fd = -1,
			      .connected_fd = -1,
			      .address.sun_family = AF_UNIX};
	if (config->fd < 0 && (!path || !*path || strlen(path) >= sizeof(s->address.sun_path))) {
		log_error("%s: a socket path has 1 to %zu bytes", name,
			  sizeof(s->address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (s->timer_fd < 0)
		return -errno;
	err = watch(s, &s->timer_fd);
	if (!err && config->fd >= 0)
		err = open_inherited(s, config->fd);
	else if (!err)
		err = open_path(s, path, config->role);
	if (!err) {
		vu_sock_idle(s, true);
		return 0;
	}
	if (config->fd >= 0)
		s->listen_fd = -1; /* stays the caller's */
	vu_sock_close(s);
	return err;
}

void vu_sock_close(struct vu_sock *s)
{
	stop_listening(s);
	close_fd(&s->connected_fd);
	close_fd(&s->timer_fd);
}

int vu_sock_accept(struct vu_sock *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS) {
		log_warn_limited("%s: cannot accept a front end now: %s", s->name, strerror(-err));
		epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL);
		s->paused = true;
		timer_set(s, LOOK_MS, LOOK_MS);
	}
	return err ? err : fd;
}

/*
 * Has somebody taken our path away? Then connect, or take it back: at once if there is nothing
 * any more, and if there is a socket on which nobody accepts, at the second look (it may have been
 * made this very moment).
 */
static int look_at_file(struct vu_sock *s)
{
	int fd;

	if (our_file(s))
		return -EAGAIN;
	fd = try_connect(s);
	s->refused = fd == -ECONNREFUSED ? s->refused + 1 : 0;
	if (fd >= 0) {
		log_info("%s: somebody else listens on %s now: connecting", s->name,
			 s->address.sun_path);
		stop_listening(s);
		s->role = VU_ROLE_CLIENT;
		return fd;
	}
	if (fd == -ENOENT || s->refused > 1) {
		log_info("%s: %s was lost: listening again", s->name, s->address.sun_path);
		stop_listening(s);
		if (start_listening(s))
			s->role = VU_ROLE_CLIENT; /* logged; then whoever comes to listen there */
		vu_sock_idle(s, false);
	}
	return -EAGAIN;
}

int vu_sock_timer(struct vu_sock *s)
{
	uint64_t n;

	if (read(s->timer_fd, &n, sizeof(n)) < 0)
		return -errno;
	if (s->connected_fd >= 0)
		return TAKE_FD(s->connected_fd);
	if (s->role == VU_ROLE_CLIENT)
		return s->address.sun_path[0] ? try_connect(s) : -ENOTCONN;
	if (s->paused) {
		s->paused = false;
		vu_sock_idle(s, false);
		return watch(s, &s->listen_fd) ?: -EAGAIN;
	}
	return s->may_change ? look_at_file(s) : -EAGAIN;
}

void vu_sock_busy(struct vu_sock *s)
{
	if (!s->paused)
		timer_set(s, 0, 0);
}

void vu_sock_idle(struct vu_sock *s, bool at_once)
{
	if (s->paused)
		return;
	if (s->role == VU_ROLE_SERVER)
		timer_set(s, s->may_change ? LOOK_MS : 0, s->may_change ? LOOK_MS : 0);
	else if (s->address.sun_path[0] || s->connected_fd >= 0)
		timer_set(s, at_once ? AT_ONCE_MS : LOOK_MS, RETRY_MS);
	else
		timer_set(s, 0, 0); /* an inherited connection does not come back */
}
