/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "light_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "tests/lib/frontend_wire.h"

static uint32_t sum16(const void *data, size_t bytes, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void mac_of(uint8_t mac[6], unsigned int port, uint32_t address)
{
	const uint8_t bytes[6] = {
		0x02, 0x4c, (uint8_t)port, 0, (uint8_t)(address >> 8), (uint8_t)address};

	memcpy(mac, bytes, sizeof(bytes));
}

static uint32_t ip_of(unsigned int port, uint32_t address)
{
	return 0x0a000000u | port << 16 | address;
}

/* What a driver leaves in the checksum field for the device to complete. */
static uint16_t pseudo_sum(const struct iphdr *ip, size_t l4_bytes)
{
	return fold(sum16(&ip->saddr, 8, (uint32_t)ip->protocol + (uint32_t)l4_bytes));
}

static void header_make(const struct light_format *f, unsigned int port, uint32_t address)
{
	struct light_header *h = &f->header[port * f->n_macs + address];
	const size_t l4_bytes = f->bytes - sizeof(struct ethhdr) - sizeof(struct iphdr);
	struct ethhdr eth = {.h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .frag_off = htons(0x4000) /* do not fragment */};

	mac_of(eth.h_dest, port ^ 1, address);
	mac_of(eth.h_source, port, address);
	ip.protocol = f->gso ? IPPROTO_TCP : IPPROTO_UDP;
	ip.tot_len = htons((uint16_t)(sizeof(ip) + l4_bytes));
	ip.saddr = htonl(ip_of(port, address));
	ip.daddr = htonl(ip_of(port ^ 1, address));
	ip.check = htons((uint16_t)~fold(sum16(&ip, sizeof(ip), 0)));
	memcpy(h->bytes, &eth, sizeof(eth));
	memcpy(h->bytes + sizeof(eth), &ip, sizeof(ip));
	if (f->gso) {
		const struct tcphdr tcp = {.source = htons(5001),
					   .dest = htons(5001),
					   .doff = 5,
					   .ack = 1,
					   .window = htons(65535),
					   .check = htons(pseudo_sum(&ip, l4_bytes))};

		memcpy(h->bytes + sizeof(eth) + sizeof(ip), &tcp, sizeof(tcp));
	} else {
		const struct udphdr udp = {.source = htons(5001),
					   .dest = htons(5001),
					   .len = htons((uint16_t)l4_bytes)};

		memcpy(h->bytes + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
	}
}

int light_format_make(struct light_format *f, unsigned int n_ports, uint32_t n_macs, uint32_t bytes,
		      bool gso)
{
	light_format_free(f);
	*f = (struct light_format){
		.bytes = bytes, .n_macs = n_macs, .gso = gso, .header_bytes = gso ? 54 : 42};
	if (bytes < f->header_bytes + sizeof(struct light_mark))
		return -EINVAL;
	f->header = calloc((size_t)n_ports * n_macs, sizeof(*f->header));
	if (!f->header)
		return -ENOMEM;
	for (unsigned int port = 0; port < n_ports; port++) {
		for (uint32_t address = 0; address < n_macs; address++)
			header_make(f, port, address);
	}
	return 0;
}

void light_format_free(struct light_format *f)
{
	free_ptr(&f->header);
}

static uint8_t pattern_at(uint32_t seq, uint32_t i)
{
	return (uint8_t)((seq + 1) * 2654435761u >> 24 ^ (i * 167 + (i >> 8)));
}

void light_pattern_write(const struct light_format *f, uint8_t *frame, uint32_t seq)
{
	for (uint32_t i = f->header_bytes + (uint32_t)sizeof(struct light_mark); i < f->bytes; i++)
		frame[i] = pattern_at(seq, i);
}

bool light_pattern_is(const struct light_format *f, const uint8_t *at, uint32_t from, uint32_t n,
		      uint32_t seq)
{
	const uint32_t first = f->header_bytes + (uint32_t)sizeof(struct light_mark);

	for (uint32_t i = from < first ? first - from : 0; i < n; i++) {
		if (at[i] != pattern_at(seq, from + i))
			return false;
	}
	return true;
}

void light_virtio_header(const struct light_format *f, uint8_t *to)
{
	struct fe_hdr hdr = {0};

	if (f->gso)
		hdr = (struct fe_hdr){.flags = FE_HDR_NEEDS_CSUM,
				      .gso_type = FE_GSO_TCPV4,
				      .hdr_len = LIGHT_HEADER_MAX,
				      .gso_size = LIGHT_MSS,
				      .csum_start = 34,
				      .csum_offset = 16};
	memcpy(to, &hdr, sizeof(hdr));
}
