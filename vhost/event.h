/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - eventfds that belong to a peer.
 *
 * A peer shares the file behind every descriptor it passes: it can fill the counter and take
 * O_NONBLOCK away again at any time, and then a write() of ours would sleep for ever. So an event
 * is raised through the kernel's own eventfd_signal(), which saturates and never sleeps; AIO is
 * the system call that gets us there (IOCB_FLAG_RESFD).
 */
#ifndef VHOST_EVENT_H
#define VHOST_EVENT_H

#include <stdbool.h>

/**
 * vu_event_prepare() - open what signalling needs (a descriptor of /dev/null, for good)
 *
 * Not needed, but then a peer's request is what makes the number of open descriptors grow by one.
 */
void vu_event_prepare(void);

/** vu_event_check() - is @fd an eventfd? Sets O_NONBLOCK on it. Return: 0 or -errno. */
int vu_event_check(int fd);

/**
 * vu_event_signal() - raise the event; never blocks, whatever the peer did to the descriptor
 * @fd: an eventfd
 *
 * For any thread: each one makes an AIO context of its own when it first comes here.
 */
void vu_event_signal(int fd);

#endif /* VHOST_EVENT_H */
