/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment.h - cut a frame that was left to the device to segment (TSO, USO) for a guest that
 * cannot take it whole.
 */
#ifndef VXDP_LOADER_SEGMENT_H
#define VXDP_LOADER_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost/net.h"

#define SEGMENT_HEADERS_MAX 512 /* Ethernet to TCP, options and extension headers included */

struct segmenter {
	const uint8_t *frame; /* in private memory */
	uint32_t bytes;
	uint32_t l3, l4;  /* where these headers begin */
	uint32_t headers; /* bytes in front of the payload */
	uint32_t size;	  /* payload bytes in each segment */
	uint32_t at;	  /* of the next segment's payload */
	uint16_t n_made;
	bool tcp;
	bool ipv6;
};

/**
 * segment_start() - look at the headers of @frame
 * @hdr: checked by vu_net_hdr_check(), with a gso_type
 * @frame: private memory, not changed, to stay there until the last segment is made
 * Return: 0, or -EINVAL if the frame is not what its header says.
 */
int segment_start(struct segmenter *s, const struct vu_net_hdr *hdr, const uint8_t *frame,
		  uint32_t bytes);

/** segment_count() - how many segments there will be */
uint32_t segment_count(const struct segmenter *s);

/**
 * segment_next() - make the next one, with all lengths, numbers and checksums right
 * @out: room for headers and @size bytes
 * Return: its length, or 0 if there is no more.
 */
uint32_t segment_next(struct segmenter *s, uint8_t *out);

#endif /* VXDP_LOADER_SEGMENT_H */
