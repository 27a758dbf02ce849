/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crowd.c - one guest sends from many addresses. How many of them the switch remembers is for who
 * started this to ask; the frames themselves arrive in any case.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "modes.h"

#define CROWD	    200u
#define PATIENCE_US 5000000

int mode_crowd(struct stations *s, const struct many_options *opt)
{
	const int64_t end = now_us() + PATIENCE_US;
	uint64_t n_received = 0;
	struct frame f;
	int err = s->n_guests < 3 ? -EINVAL : settle(s);

	for (unsigned int i = 0; !err && i < CROWD; i++) {
		const uint8_t mac[6] = {0x02, 0x5c, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};

		err = send_retry(s, 2, mac, broadcast_mac, STATION_ALL, i);
		for (unsigned int k = 0; k < s->n; k++)
			while (station_recv(s, k, &f) > 0)
				n_received += k == 1;
	}
	while (!err && n_received < CROWD && now_us() < end) {
		while (station_recv(s, 1, &f) > 0)
			n_received++;
		poll(NULL, 0, 1);
	}
	printf("{\"sent\":%u,\"received\":%" PRIu64 "}\n", CROWD, n_received);
	return err;
}
