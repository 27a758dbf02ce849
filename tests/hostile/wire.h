/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - the far end of the wire: a packet socket in another network namespace.
 */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_ETHERTYPE 0x88b5 /* local experiments, IEEE 802 */

/**
 * wire_open() - packet socket for WIRE_ETHERTYPE, or for everything if @all
 * @where: "NAME:IFACE", the namespace in /run/netns and an interface there
 * Return: descriptor, or -errno
 */
int wire_open(const char *where, int all);

/** wire_send() - 0 or -errno */
int wire_send(int fd, const void *frame, size_t bytes);

/** wire_recv() - a frame that arrived: its length, 0 if there is none, or -errno */
int wire_recv(int fd, void *frame, size_t size);

#endif /* TESTS_WIRE_H */
