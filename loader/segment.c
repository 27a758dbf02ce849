/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Every segment gets the headers of the whole frame and then differs in: lengths (IP and UDP), the
 * IPv4 identification, the TCP sequence number, and flags that stand for the whole (FIN and PSH
 * belong to the last segment, CWR to the first). All checksums are made anew.
 */
#include "segment.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>

#include <vxdp/util.h>

#include "checksum.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define VLAN_TAG_BYTES 4
#define IPV4_MIN_BYTES 20
#define IPV4_LENGTH_AT 2
#define IPV4_ID_AT     4
#define IPV4_SUM_AT    10
#define IPV4_ADDR_AT   12
#define IPV6_BYTES     40
#define IPV6_LENGTH_AT 4
#define IPV6_ADDR_AT   8
#define TCP_MIN_BYTES  20
#define TCP_SEQ_AT     4
#define TCP_OFFSET_AT  12
#define TCP_FLAGS_AT   13
#define TCP_SUM_AT     16
#define TCP_FIN	       0x01
#define TCP_PSH	       0x08
#define TCP_CWR	       0x80
#define UDP_BYTES      8
#define UDP_LENGTH_AT  4
#define UDP_SUM_AT     6

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Where the IP header begins, and which ethertype says so. */
static uint16_t find_l3(const uint8_t *frame, uint32_t bytes, uint32_t *l3)
{
	uint32_t at = 2 * ETH_ALEN;

	while (at + 2 + VLAN_TAG_BYTES <= bytes &&
	       (get16(frame + at) == ETH_P_8021Q || get16(frame + at) == ETH_P_8021AD))
		at += VLAN_TAG_BYTES;
	*l3 = at + 2;
	return at + 2 <= bytes ? get16(frame + at) : 0;
}

static bool ip_fits(const struct segmenter *s)
{
	if (s->ipv6)
		return s->l3 + IPV6_BYTES <= s->l4 && s->frame[s->l3] >> 4 == 6;
	return s->l3 + IPV4_MIN_BYTES <= s->l4 && s->l4 <= s->bytes && s->frame[s->l3] >> 4 == 4 &&
	       s->l3 + (s->frame[s->l3] & 0x0f) * 4u == s->l4;
}

int segment_start(struct segmenter *s, const struct vu_net_hdr *hdr, const uint8_t *frame,
		  uint32_t bytes)
{
	uint8_t type = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t l4_bytes = UDP_BYTES;
	uint16_t ethertype;

	*s = (struct segmenter){
		.frame = frame,
		.bytes = bytes,
		.l4 = le16toh(hdr->csum_start),
		.size = le16toh(hdr->gso_size),
		.tcp = type != VIRTIO_NET_HDR_GSO_UDP_L4,
	};
	ethertype = find_l3(frame, bytes, &s->l3);
	s->ipv6 = ethertype == ETH_P_IPV6;
	if (!s->size || (ethertype != ETH_P_IP && ethertype != ETH_P_IPV6) ||
	    s->l4 + (s->tcp ? TCP_MIN_BYTES : UDP_BYTES) > bytes || !ip_fits(s))
		return -EINVAL;
	if (s->tcp && s->ipv6 != (type == VIRTIO_NET_HDR_GSO_TCPV6))
		return -EINVAL;
	if (s->tcp)
		l4_bytes = MAX((frame[s->l4 + TCP_OFFSET_AT] >> 4) * 4u, TCP_MIN_BYTES + 0u);
	s->headers = s->l4 + l4_bytes;
	s->at = s->headers;
	return s->headers <= bytes && s->headers <= SEGMENT_HEADERS_MAX ? 0 : -EINVAL;
}

uint32_t segment_count(const struct segmenter *s)
{
	uint32_t payload = s->bytes - s->headers;

	return payload ? (payload + s->size - 1) / s->size : 1;
}

/* Sum of the pseudo-header, not inverted: what the L4 checksum field holds before it is made. */
static uint16_t pseudo_sum(const struct segmenter *s, const uint8_t *out, uint32_t l4_bytes)
{
	uint32_t at = s->l3 + (s->ipv6 ? IPV6_ADDR_AT : IPV4_ADDR_AT);
	uint32_t words = s->ipv6 ? 16 : 4;
	uint32_t sum = l4_bytes + (s->tcp ? IPPROTO_TCP : IPPROTO_UDP);

	for (uint32_t i = 0; i < words; i++)
		sum += get16(out + at + 2 * i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void finish_ip(const struct segmenter *s, uint8_t *out, uint32_t bytes)
{
	uint8_t *ip = out + s->l3;

	if (s->ipv6) {
		put16(ip + IPV6_LENGTH_AT, bytes - s->l3 - IPV6_BYTES);
		return;
	}
	put16(ip + IPV4_LENGTH_AT, bytes - s->l3);
	put16(ip + IPV4_ID_AT, get16(ip + IPV4_ID_AT) + (uint32_t)s->n_made);
	put16(ip + IPV4_SUM_AT, 0);
	checksum_finish(ip, s->l4 - s->l3, 0, IPV4_SUM_AT);
}

static void finish_l4(const struct segmenter *s, uint8_t *out, uint32_t bytes, bool last)
{
	uint32_t sum_at = s->tcp ? TCP_SUM_AT : UDP_SUM_AT;
	uint8_t *l4 = out + s->l4;

	if (s->tcp) {
		put32(l4 + TCP_SEQ_AT, get32(l4 + TCP_SEQ_AT) + (s->at - s->headers));
		if (!last)
			l4[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (s->n_made)
			l4[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
	} else {
		put16(l4 + UDP_LENGTH_AT, bytes - s->l4);
	}
	put16(l4 + sum_at, pseudo_sum(s, out, bytes - s->l4));
	checksum_finish(out, bytes, (uint16_t)s->l4, (uint16_t)sum_at);
}

uint32_t segment_next(struct segmenter *s, uint8_t *out)
{
	uint32_t payload = MIN(s->bytes - s->at, s->size);
	uint32_t bytes = s->headers + payload;

	if (!payload && s->n_made)
		return 0;
	memcpy(out, s->frame, s->headers);
	memcpy(out + s->headers, s->frame + s->at, payload);
	finish_ip(s, out, bytes);
	finish_l4(s, out, bytes, s->at + payload == s->bytes);
	s->at += payload;
	s->n_made++;
	return bytes;
}
