/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net.h - the virtio-net header in front of every frame (virtio 1.2, 5.1.6.1).
 */
#ifndef VHOST_NET_H
#define VHOST_NET_H

#include <stdint.h>

/*
 * Every field little-endian, since VERSION_1 and on every host we run on without it. num_buffers
 * is there with MRG_RXBUF or VERSION_1 only: the header is 12 bytes then, else 10.
 */
struct vu_net_hdr {
	uint8_t flags;	      /* VIRTIO_NET_HDR_F_* */
	uint8_t gso_type;     /* VIRTIO_NET_HDR_GSO_* */
	uint16_t hdr_len;     /* a hint of the guest's, never relied upon */
	uint16_t gso_size;    /* payload bytes in each segment */
	uint16_t csum_start;  /* first byte that is summed, from the start of the frame */
	uint16_t csum_offset; /* where the sum goes, from csum_start */
	uint16_t num_buffers; /* receive: buffers the frame takes */
};

_Static_assert(sizeof(struct vu_net_hdr) == 12, "wire format");

/** vu_net_hdr_bytes() - length of the header for a guest that negotiated @features */
uint8_t vu_net_hdr_bytes(uint64_t features);

/**
 * vu_net_hdr_check() - may a guest send this?
 * @hdr: private copy
 * @frame_bytes: length of the frame behind it
 * @features: negotiated
 * Return: NULL, or what is wrong with it.
 */
const char *vu_net_hdr_check(const struct vu_net_hdr *hdr, uint32_t frame_bytes, uint64_t features);

#endif /* VHOST_NET_H */
