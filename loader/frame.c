/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <endian.h>
#include <linux/virtio_net.h>
#include <string.h>

#include <vxdp/util.h>

#define TCP_HDR_MIN   20
#define TCP_OFFSET_AT 12
#define UDP_HDR_BYTES 8

void iov_write(const struct iovec *iov, unsigned int n, size_t offset, const void *from,
	       size_t bytes)
{
	const struct iovec part = {(void *)from, bytes};

	iov_copy(iov, n, offset, &part, 1, 0, bytes);
}

void iov_read(const struct iovec *iov, unsigned int n, size_t offset, void *to, size_t bytes)
{
	const struct iovec part = {to, bytes};

	iov_copy(&part, 1, 0, iov, n, offset, bytes);
}

/* Skip the parts that lie before @offset. */
static void iov_seek(const struct iovec **iov, unsigned int *n, size_t *offset)
{
	while (*n && *offset >= (*iov)->iov_len) {
		*offset -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
}

void iov_copy(const struct iovec *to, unsigned int n_to, size_t to_offset, const struct iovec *from,
	      unsigned int n_from, size_t from_offset, size_t bytes)
{
	while (bytes) {
		size_t part;

		iov_seek(&to, &n_to, &to_offset);
		iov_seek(&from, &n_from, &from_offset);
		if (!n_to || !n_from)
			return;
		part = MIN(to->iov_len - to_offset, from->iov_len - from_offset);
		part = MIN(part, bytes);
		memcpy((uint8_t *)to->iov_base + to_offset,
		       (const uint8_t *)from->iov_base + from_offset, part);
		to_offset += part;
		from_offset += part;
		bytes -= part;
	}
}

uint32_t wire_packets(const struct vu_net_hdr *hdr, uint8_t tcp_offset_byte, uint32_t frame_bytes)
{
	uint8_t type = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t l4 = le16toh(hdr->csum_start);
	uint32_t size = le16toh(hdr->gso_size);
	uint32_t headers = l4 + UDP_HDR_BYTES;

	if (type == VIRTIO_NET_HDR_GSO_NONE || !size)
		return 1;
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
		headers = l4 + MAX((tcp_offset_byte >> 4) * 4u, (unsigned int)TCP_HDR_MIN);
	if (headers >= frame_bytes)
		return 1;
	return (frame_bytes - headers + size - 1) / size;
}

uint32_t iov_wire_packets(const struct vu_net_hdr *hdr, const struct iovec *iov, unsigned int n,
			  size_t skip, uint32_t frame_bytes)
{
	uint8_t tcp_offset = 0;

	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	iov_read(iov, n, skip + le16toh(hdr->csum_start) + TCP_OFFSET_AT, &tcp_offset, 1);
	return wire_packets(hdr, tcp_offset, frame_bytes);
}
