/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_wire.h - packets of the control socket, as ctl.h describes them. Neither call trusts the
 * other side, and neither blocks if the socket is set not to.
 */
#ifndef VXDP_LOADER_CTL_WIRE_H
#define VXDP_LOADER_CTL_WIRE_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * ctl_wire_address() - connect or bind address of a path
 * Return: its length, or -ENAMETOOLONG.
 */
struct sockaddr_un;
int ctl_wire_address(const char *path, struct sockaddr_un *address);

/**
 * ctl_wire_send() - send one JSON object
 * @pass_fd: descriptor to send along, or -1
 * Return: 0; -EMSGSIZE if it is too long, -EAGAIN if the peer does not read, else -errno.
 */
int ctl_wire_send(int fd, const json_t *object, int pass_fd);

/**
 * ctl_wire_receive() - receive one packet
 * @text: filled, not terminated
 * @got_fd: the descriptor that came along, or -1; any further ones were closed
 * Return: its bytes; 0 when the peer closed; -EMSGSIZE if it was longer than @bytes; else -errno.
 */
ssize_t ctl_wire_receive(int fd, char *text, size_t bytes, int *got_fd);

/** ctl_wire_load() - the object in a reply's memfd. Return: a new reference, or NULL. */
json_t *ctl_wire_load(int memfd, size_t bytes);

#endif /* VXDP_LOADER_CTL_WIRE_H */
