/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - a flow of TCP segments between two guests, of which every byte is known.
 *
 * The sequence number says where in the stream a frame's payload belongs, however it was cut on
 * the way, so the receiver sees what is lost, out of order or not what was sent.
 */
#ifndef TESTS_GUESTS_STREAM_H
#define TESTS_GUESTS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/frontend.h"

#define STREAM_HEADERS 54 /* Ethernet, IPv4, TCP */
#define STREAM_MTU     1500
#define STREAM_MSS     (STREAM_MTU - 40)
#define STREAM_MAX     (STREAM_HEADERS + 64000)

struct stream {
	unsigned int from, to; /* guest numbers */
	uint32_t frame_bytes;
	bool csum; /* leave the checksum to the device */

	/* sender */
	uint64_t n_sent, sent_bytes; /* bytes of payload */
	/* receiver */
	uint64_t expected; /* payload byte that comes next */
	uint64_t n_received, received_bytes, n_whole, n_unfinished;
	uint64_t n_reordered, n_corrupt, n_bad_sum;
};

void stream_init(void);

/** stream_mac() - address of guest @n */
void stream_mac(unsigned int n, uint8_t mac[6]);

/** stream_make() - the next frame; counted when stream_sent() is called. Return: its length. */
uint32_t stream_make(const struct stream *s, uint8_t *frame, struct fe_hdr *hdr);
void stream_sent(struct stream *s);

/** stream_of() - which of the streams a received frame belongs to, or NULL */
struct stream *stream_of(struct stream *streams, unsigned int n, const uint8_t *frame,
			 uint32_t bytes);

/** stream_take() - check a received frame */
void stream_take(struct stream *s, const struct fe_hdr *hdr, const uint8_t *frame, uint32_t bytes);

#endif /* TESTS_GUESTS_STREAM_H */
