/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns_tap.h - taps in network namespaces, opened as QEMU opens them. */
#ifndef TESTS_NETNS_TAP_H
#define TESTS_NETNS_TAP_H

/** netns_enter() - move this thread to the namespace of "NETNS:DEV". Return: DEV, NULL if it cannot
 */
const char *netns_enter(const char *netns_and_dev);

/**
 * netns_tap_open() - open a tap with its virtio-net header and offloads, not blocking. This thread
 * stays in its namespace. Return: descriptor, -errno.
 */
int netns_tap_open(const char *netns_and_dev);

#endif /* TESTS_NETNS_TAP_H */
