/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * taprelay.c - a guest that is a network namespace: what a port's tap gives is written into a tap
 * of the guest, and back, with the virtio-net headers, until SIGTERM.
 *
 *   taprelay NETNS:TAP NETNS:TAP
 *
 * Frames of 64 KiB and unfinished checksums pass as they do between a tap, vhost-net and a guest.
 * Makes a tap that is not there. Prints "ready".
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netns_tap.h"

#define FRAME_MAX 65700
#define BURST	  64

static void move(int from, int to)
{
	static char frame[FRAME_MAX];

	for (int n = 0; n < BURST; n++) {
		ssize_t bytes = read(from, frame, sizeof(frame));

		if (bytes <= 0)
			return;
		if (write(to, frame, (size_t)bytes) < 0)
			return; /* lost, for instance since the netdev is down */
	}
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 3) {
		fputs("usage: taprelay NETNS:TAP NETNS:TAP\n", stderr);
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		fds[i].fd = netns_tap_open(argv[i + 1]);
		if (fds[i].fd < 0) {
			fprintf(stderr, "taprelay: %s: %s\n", argv[i + 1], strerror(-fds[i].fd));
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents & POLLIN)
				move(fds[i].fd, fds[!i].fd);
		}
	}
	return 1;
}
