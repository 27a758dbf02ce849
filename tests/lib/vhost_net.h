/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost_net.h - the kernel as the back end of a front end (frontend.h). */
#ifndef TESTS_VHOST_NET_H
#define TESTS_VHOST_NET_H

#include "frontend.h"

/**
 * vhost_net_start() - rings of @fe, of one pair, served by /dev/vhost-net on the tap @tap_fd
 *
 * Memory, rings and buffers are laid out; no socket is used. The kernel serves them until the
 * process ends. Return: 0 or -errno.
 */
int vhost_net_start(struct fe *fe, int tap_fd);

#endif /* TESTS_VHOST_NET_H */
