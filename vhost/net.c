/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>

/* Linux 6.2; missing from older headers. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_HOST_USO 56
#endif

static bool negotiated(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

uint8_t vu_net_hdr_bytes(uint64_t features)
{
	if (negotiated(features, VIRTIO_F_VERSION_1) ||
	    negotiated(features, VIRTIO_NET_F_MRG_RXBUF))
		return sizeof(struct vu_net_hdr);
	return offsetof(struct vu_net_hdr, num_buffers);
}

static const char *check_gso(const struct vu_net_hdr *hdr, uint64_t features)
{
	bool ecn = hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	unsigned int needs;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needs = VIRTIO_NET_F_HOST_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needs = VIRTIO_NET_F_HOST_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		needs = VIRTIO_NET_F_HOST_USO;
		break;
	default:
		return "segmentation of a kind nobody offered";
	}
	if (!negotiated(features, needs) || (ecn && !negotiated(features, VIRTIO_NET_F_HOST_ECN)))
		return "segmentation that was not negotiated";
	if (!hdr->gso_size)
		return "segments of no bytes";
	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return "segmentation without a checksum to finish";
	return NULL;
}

const char *vu_net_hdr_check(const struct vu_net_hdr *hdr, uint32_t frame_bytes, uint64_t features)
{
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint32_t at = (uint32_t)le16toh(hdr->csum_start) + le16toh(hdr->csum_offset);

		if (!negotiated(features, VIRTIO_NET_F_CSUM))
			return "a checksum to finish that was not negotiated";
		if (at + sizeof(uint16_t) > frame_bytes)
			return "a checksum outside the frame";
	}
	return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE ? NULL : check_gso(hdr, features);
}
