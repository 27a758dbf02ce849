/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stream.h"

#include <string.h>
#include <unistd.h>

#define PERIOD	  65521
#define GSO_TCPV4 1
#define F_CSUM	  1 /* VIRTIO_NET_HDR_F_NEEDS_CSUM */

static uint8_t pattern[PERIOD + STREAM_MAX];
static uint32_t epoch; /* tells our frames from those that waited somewhere since another run */

void stream_init(void)
{
	epoch = (uint32_t)getpid();
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i % PERIOD * 2654435761u >> 24);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(const uint8_t *p, uint32_t bytes, uint32_t start)
{
	for (uint32_t i = 0; i + 1 < bytes; i += 2)
		start += get16(p + i);
	if (bytes & 1)
		start += (uint32_t)p[bytes - 1] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

void stream_mac(unsigned int n, uint8_t mac[6])
{
	memcpy(mac, "\x02\x58\x00\x00\x00", 5);
	mac[5] = (uint8_t)(n + 1);
}

static uint32_t pseudo(const uint8_t *frame, uint32_t bytes)
{
	return sum(frame + 26, 8, 6 + bytes - 34);
}

uint32_t stream_make(const struct stream *s, uint8_t *frame, struct fe_hdr *hdr)
{
	const uint32_t bytes = s->frame_bytes, payload = bytes - STREAM_HEADERS;

	memset(frame, 0, STREAM_HEADERS);
	memset(hdr, 0, sizeof(*hdr));
	stream_mac(s->to, frame);
	stream_mac(s->from, frame + 6);
	put16(frame + 12, 0x0800);
	frame[14] = 0x45;
	put16(frame + 16, bytes - 14);
	frame[22] = 64;
	frame[23] = 6;
	put32(frame + 26, 0x0a000001 + s->from);
	put32(frame + 30, 0x0a000001 + s->to);
	put16(frame + 24, ~sum(frame + 14, 20, 0) & 0xffff);
	put16(frame + 34, 5000 + s->from);
	put16(frame + 36, 5000 + s->to);
	put32(frame + 38, (uint32_t)s->sent_bytes);
	put32(frame + 42, epoch);
	frame[46] = 5 << 4;
	frame[47] = 0x10;
	memcpy(frame + STREAM_HEADERS, pattern + s->sent_bytes % PERIOD, payload);
	put16(frame + 50, pseudo(frame, bytes));
	if (!s->csum) {
		put16(frame + 50, ~sum(frame + 34, bytes - 34, 0) & 0xffff);
		return bytes;
	}
	hdr->flags = F_CSUM;
	hdr->csum_start = 34;
	hdr->csum_offset = 16;
	if (payload > STREAM_MSS) {
		hdr->gso_type = GSO_TCPV4;
		hdr->gso_size = STREAM_MSS;
		hdr->hdr_len = STREAM_HEADERS;
	}
	return bytes;
}

void stream_sent(struct stream *s)
{
	s->n_sent++;
	s->sent_bytes += s->frame_bytes - STREAM_HEADERS;
}

struct stream *stream_of(struct stream *streams, unsigned int n, const uint8_t *frame,
			 uint32_t bytes)
{
	uint8_t to[6], from[6];

	for (unsigned int i = 0; bytes > STREAM_HEADERS && i < n; i++) {
		stream_mac(streams[i].to, to);
		stream_mac(streams[i].from, from);
		if (!memcmp(frame, to, 6) && !memcmp(frame + 6, from, 6) &&
		    get32(frame + 42) == epoch)
			return &streams[i];
	}
	return NULL;
}

/* Finished, or left to us in the way the header says. */
static bool sum_ok(const struct fe_hdr *hdr, const uint8_t *frame, uint32_t bytes)
{
	if (sum(frame + 14, 20, 0) != 0xffff)
		return false;
	if (hdr->flags & F_CSUM)
		return hdr->csum_start == 34 && hdr->csum_offset == 16 &&
		       get16(frame + 50) == pseudo(frame, bytes);
	return sum(frame + 34, bytes - 34, pseudo(frame, bytes)) == 0xffff;
}

void stream_take(struct stream *s, const struct fe_hdr *hdr, const uint8_t *frame, uint32_t bytes)
{
	uint32_t payload = bytes - STREAM_HEADERS;
	int32_t ahead = (int32_t)(get32(frame + 38) - (uint32_t)s->expected);
	uint64_t at = s->expected + (uint64_t)(int64_t)ahead;

	s->n_received++;
	s->received_bytes += payload;
	s->n_whole += payload > STREAM_MSS;
	s->n_unfinished += hdr->flags & F_CSUM;
	if (payload > STREAM_MSS &&
	    (hdr->gso_type != GSO_TCPV4 || hdr->gso_size != STREAM_MSS || !(hdr->flags & F_CSUM)))
		s->n_corrupt++;
	if (ahead < 0) {
		s->n_reordered++;
		return;
	}
	if (get16(frame + 16) != bytes - 14 ||
	    memcmp(frame + STREAM_HEADERS, pattern + at % PERIOD, payload))
		s->n_corrupt++;
	if (!sum_ok(hdr, frame, bytes))
		s->n_bad_sum++;
	s->expected = at + payload;
}
