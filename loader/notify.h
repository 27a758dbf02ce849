/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - tell systemd how we are (Type=notify). Does nothing when nobody asked for it.
 */
#ifndef VXDP_LOADER_NOTIFY_H
#define VXDP_LOADER_NOTIFY_H

/**
 * notify() - send a message of sd_notify(3)
 * @fmt: assignments, one a line: "READY=1\nSTATUS=%s"
 * Return: 1 if it was sent, 0 if $NOTIFY_SOCKET is not set, else -errno.
 */
int notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* VXDP_LOADER_NOTIFY_H */
