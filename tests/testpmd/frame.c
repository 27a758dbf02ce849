/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - see frame.h */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>

#include "frame.h"

struct test_header {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	uint32_t tag;
	uint32_t seq;
} __attribute__((packed));

_Static_assert(sizeof(struct test_header) <= FRAME_MIN_BYTES, "fits the shortest frame");

size_t frame_bytes(const struct frame_spec *spec, uint32_t seq)
{
	/* A stride prime to the usual ranges, so that short and long frames alternate. */
	return spec->bytes_min + (seq * 7919u) % (spec->bytes_max - spec->bytes_min + 1);
}

static uint16_t ip_checksum(struct iphdr ip)
{
	const uint8_t *byte = (const uint8_t *)&ip;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(ip); i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

static void fill_pattern(uint8_t *buf, size_t bytes, uint32_t seq)
{
	uint64_t state = (seq + 1) * 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < bytes; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		buf[i] = (uint8_t)(state >> 56);
	}
}

size_t frame_build(const struct frame_spec *spec, uint32_t seq, uint8_t *buf)
{
	const size_t bytes = frame_bytes(spec, seq);
	struct test_header h = {
		.eth.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
		.tag = htonl(spec->tag),
		.seq = htonl(seq),
	};

	memcpy(h.eth.ether_shost, spec->src, 6);
	memcpy(h.eth.ether_dhost, spec->dst, 6);
	h.ip.tot_len = htons(bytes - sizeof(h.eth));
	h.ip.id = htons(seq & 0xffff);
	h.ip.saddr = htonl(0xc6120001); /* 198.18.0.1: the range for benchmarks */
	h.ip.daddr = htonl(0xc6120002);
	h.ip.check = ip_checksum(h.ip);
	h.udp.source = htons(10000 + seq % spec->n_flows);
	h.udp.dest = htons(9); /* discard */
	h.udp.len = htons(bytes - sizeof(h.eth) - sizeof(h.ip));
	memcpy(buf, &h, sizeof(h));
	fill_pattern(buf + sizeof(h), bytes - sizeof(h), seq);
	return bytes;
}

bool frame_seq(const struct frame_spec *spec, const uint8_t *buf, size_t bytes, uint32_t *seq)
{
	struct test_header h;

	if (bytes < sizeof(h))
		return false;
	memcpy(&h, buf, sizeof(h));
	if (h.eth.ether_type != htons(ETHERTYPE_IP) || h.ip.protocol != IPPROTO_UDP ||
	    h.tag != htonl(spec->tag))
		return false;
	*seq = ntohl(h.seq);
	return true;
}

bool frame_echo_ok(const struct frame_spec *spec, uint32_t seq, const uint8_t *buf, size_t bytes)
{
	uint8_t sent[FRAME_MAX_BYTES];

	return bytes == frame_build(spec, seq, sent) && memcmp(buf, spec->src, 6) == 0 &&
	       memcmp(buf + 6, spec->dst, 6) == 0 && memcmp(buf + 12, sent + 12, bytes - 12) == 0;
}
