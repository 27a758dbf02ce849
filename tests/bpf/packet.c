// SPDX-License-Identifier: GPL-2.0-or-later
#include "packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

#define FRAME_MIN	 60
#define NEXT_FRAGMENT	 44
#define IPV4_BYTES	 20
#define IPV6_BYTES	 40
#define EXT_BYTES	 8
#define L4_BYTES	 20
#define IPV4_VERSION	 0x45
#define IPV6_VERSION	 0x60
#define TCP_HEADER_WORDS 0x50

static void put(struct packet *p, const void *data, size_t bytes)
{
	memcpy(p->data + p->bytes, data, bytes);
	p->bytes += bytes;
}

static void put16(struct packet *p, uint16_t value)
{
	value = htons(value);
	put(p, &value, sizeof(value));
}

static uint16_t ethertype_of(enum packet_l3 l3)
{
	switch (l3) {
	case PACKET_IPV4:
		return ETH_P_IP;
	case PACKET_IPV6:
		return ETH_P_IPV6;
	case PACKET_PLAIN:
		break;
	}
	return PACKET_ETHERTYPE;
}

static void put_ethernet(struct packet *p, const struct packet_spec *spec)
{
	put(p, spec->dst, sizeof(spec->dst));
	put(p, spec->src, sizeof(spec->src));
	for (int i = 0; i < 3 && spec->vlan[i]; i++) {
		put16(p, spec->vlan[1] && !i ? ETH_P_8021AD : ETH_P_8021Q);
		put16(p, spec->vlan[i]);
	}
	put16(p, ethertype_of(spec->l3));
}

static void put_ipv4(struct packet *p, const struct packet_spec *spec)
{
	uint8_t ip[IPV4_BYTES] = {IPV4_VERSION};
	uint16_t fragment = htons(spec->fragment);
	uint32_t src = htonl(spec->src_ip), dst = htonl(spec->dst_ip);

	memcpy(ip + 6, &fragment, sizeof(fragment));
	ip[8] = 64;
	ip[9] = spec->l4;
	memcpy(ip + 12, &src, sizeof(src));
	memcpy(ip + 16, &dst, sizeof(dst));
	put(p, ip, sizeof(ip));
}

static uint8_t header_after(const struct packet_spec *spec, int i)
{
	return i < spec->n_headers ? spec->headers[i] : spec->l4;
}

static void put_ipv6(struct packet *p, const struct packet_spec *spec)
{
	uint8_t ip[IPV6_BYTES] = {IPV6_VERSION};
	uint32_t src = htonl(spec->src_ip), dst = htonl(spec->dst_ip);

	ip[6] = header_after(spec, 0);
	ip[7] = 64;
	memcpy(ip + 20, &src, sizeof(src));
	memcpy(ip + 36, &dst, sizeof(dst));
	put(p, ip, sizeof(ip));
	for (int i = 0; i < spec->n_headers; i++) {
		uint8_t ext[EXT_BYTES] = {header_after(spec, i + 1)};

		put(p, ext, sizeof(ext));
	}
}

static void put_l4(struct packet *p, const struct packet_spec *spec)
{
	uint8_t l4[L4_BYTES - 4] = {0};

	l4[12 - 4] = TCP_HEADER_WORDS;
	put16(p, spec->src_port);
	put16(p, spec->dst_port);
	put(p, l4, sizeof(l4));
}

void packet_build(const struct packet_spec *spec, struct packet *p)
{
	uint32_t tag = htonl(spec->tag);
	size_t bytes = spec->bytes;

	memset(p, 0, sizeof(*p));
	put_ethernet(p, spec);
	if (spec->l3 == PACKET_IPV4)
		put_ipv4(p, spec);
	else if (spec->l3 == PACKET_IPV6)
		put_ipv6(p, spec);
	if (spec->l3 != PACKET_PLAIN)
		put_l4(p, spec);
	if (!bytes)
		bytes = p->bytes + sizeof(tag) < FRAME_MIN ? FRAME_MIN : p->bytes + sizeof(tag);
	p->bytes = bytes;
	if (spec->tag)
		memcpy(p->data + bytes - sizeof(tag), &tag, sizeof(tag));
}

uint32_t packet_tag(const uint8_t *data, size_t bytes)
{
	uint32_t tag;

	if (bytes < sizeof(tag))
		return 0;
	memcpy(&tag, data + bytes - sizeof(tag), sizeof(tag));
	return ntohl(tag);
}
