/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture.h - the share of `vxdp dump` that the kernel's programs cannot see: frames a guest sends
 * on the direct lane.
 *
 * Each frame is one datagram, struct vxdp_capture and then the bytes. The socket never blocks:
 * what the reader is too slow for is lost and counted.
 */
#ifndef VXDP_LOADER_CAPTURE_H
#define VXDP_LOADER_CAPTURE_H

#include <stdint.h>
#include <sys/uio.h>

#define CAPTURE_BYTES_MAX 2048

struct capture {
	int fd;
	uint32_t bytes; /* of each frame */
	uint64_t lost;
};

/**
 * capture_send() - tell the reader of one frame
 * @iov: the frame, after skipping @skip bytes
 */
void capture_send(struct capture *c, uint16_t port, uint16_t out_port, uint16_t verdict,
		  const struct iovec *iov, unsigned int n, uint32_t skip, uint32_t frame_bytes);

#endif /* VXDP_LOADER_CAPTURE_H */
