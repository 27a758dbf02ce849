/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.h - frames in scattered memory.
 */
#ifndef VXDP_LOADER_FRAME_H
#define VXDP_LOADER_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vhost/net.h"

/** iov_write() - copy @bytes to @offset bytes into a scattered buffer */
void iov_write(const struct iovec *iov, unsigned int n, size_t offset, const void *from,
	       size_t bytes);

/** iov_read() - copy @bytes from @offset bytes into a scattered buffer */
void iov_read(const struct iovec *iov, unsigned int n, size_t offset, void *to, size_t bytes);

/** iov_copy() - copy @bytes from one scattered buffer to another one */
void iov_copy(const struct iovec *to, unsigned int n_to, size_t to_offset, const struct iovec *from,
	      unsigned int n_from, size_t from_offset, size_t bytes);

/**
 * wire_packets() - packets a frame is on a wire, its segments if it has to be cut
 * @tcp_offset_byte: the byte of a TCP header, at csum_start + 12, that holds its length
 *
 * Only counters depend on it.
 */
uint32_t wire_packets(const struct vu_net_hdr *hdr, uint8_t tcp_offset_byte, uint32_t frame_bytes);

/** iov_wire_packets() - the same of a frame that begins @skip bytes into a scattered buffer */
uint32_t iov_wire_packets(const struct vu_net_hdr *hdr, const struct iovec *iov, unsigned int n,
			  size_t skip, uint32_t frame_bytes);

#endif /* VXDP_LOADER_FRAME_H */
