/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock.h - how a front end is found: listen, connect and connect again, or take over a descriptor.
 */
#ifndef VHOST_SOCK_H
#define VHOST_SOCK_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "dev.h"

struct vu_sock {
	const char *name; /* for log lines; the device's */
	struct sockaddr_un address;
	enum vu_role role;    /* CLIENT or SERVER: what it does now */
	bool may_change;      /* it was not told which: may become the other one */
	int epoll_fd;	      /* the device's */
	int listen_fd;	      /* -1: does not listen */
	int timer_fd;	      /* when to try again */
	int connected_fd;     /* connected already, waits for its turn; or -1 */
	unsigned int refused; /* attempts in a row that found a socket without a listener */
	bool paused;	      /* too many descriptors are open to accept another one */
	bool made_file;	      /* the file of listen_fd, and which one it was: */
	dev_t dev;
	ino_t ino;
};

/**
 * vu_sock_open() - start to listen, or get ready to connect
 * @name: must live as long
 * @epoll_fd: gets &s->listen_fd and &s->timer_fd as data.ptr
 * Return: 0 or -errno, logged. Then @s needs no vu_sock_close(), and config->fd is the caller's.
 */
int vu_sock_open(struct vu_sock *s, const struct vu_dev_config *config, const char *name,
		 int epoll_fd);

/** vu_sock_close() - stop, and remove the file that was made */
void vu_sock_close(struct vu_sock *s);

/** vu_sock_accept() - the listening socket is readable. Return: a connected socket or -errno. */
int vu_sock_accept(struct vu_sock *s);

/** vu_sock_timer() - the timer is readable. Return: a connected socket or -errno. */
int vu_sock_timer(struct vu_sock *s);

/** vu_sock_busy() - there is a connection now: nothing to try */
void vu_sock_busy(struct vu_sock *s);

/**
 * vu_sock_idle() - the connection is gone: find another one
 * @at_once: try at once; else, after a connection that did not last, in a second
 */
void vu_sock_idle(struct vu_sock *s, bool at_once);

#endif /* VHOST_SOCK_H */
