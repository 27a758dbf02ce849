/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture.h"

#include <string.h>
#include <sys/socket.h>

#include <vxdp/abi.h>
#include <vxdp/util.h>

void capture_send(struct capture *c, uint16_t port, uint16_t out_port, uint16_t verdict,
		  const struct iovec *iov, unsigned int n, uint32_t skip, uint32_t frame_bytes)
{
	struct {
		struct vxdp_capture head;
		uint8_t bytes[CAPTURE_BYTES_MAX];
	} d;
	uint32_t want = MIN(MIN(c->bytes, frame_bytes), (uint32_t)CAPTURE_BYTES_MAX);
	uint32_t have = 0;

	for (unsigned int i = 0; i < n && have < want; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= (uint32_t)len;
			continue;
		}
		len = MIN(len - skip, (size_t)(want - have));
		memcpy(d.bytes + have, (uint8_t *)iov[i].iov_base + skip, len);
		have += (uint32_t)len;
		skip = 0;
	}
	d.head = (struct vxdp_capture){
		.time_ns = monotonic_ns(),
		.frame_bytes = frame_bytes,
		.captured_bytes = have,
		.port = port,
		.out_port = out_port,
		.verdict = verdict,
	};
	if (send(c->fd, &d, sizeof(d.head) + have, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		__atomic_fetch_add(&c->lost, 1, __ATOMIC_RELAXED);
}
