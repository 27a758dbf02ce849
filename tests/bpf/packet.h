/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.h - frames for the tests of the BPF programs, built from a description.
 */
#ifndef VXDP_TESTS_BPF_PACKET_H
#define VXDP_TESTS_BPF_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX	 4096
#define PACKET_ETHERTYPE 0x88b5 /* for local experiments (IEEE 802): no stack answers it */

enum packet_l3 { PACKET_PLAIN, PACKET_IPV4, PACKET_IPV6 };

struct packet_spec {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t vlan[3]; /* outer first; ends with 0 */
	enum packet_l3 l3;
	uint8_t l4;	    /* protocol number */
	uint16_t fragment;  /* IPv4's flags and offset field */
	uint8_t headers[6]; /* IPv6 extension headers before l4 */
	uint8_t n_headers;
	uint32_t src_ip, dst_ip; /* last 4 bytes of the address */
	uint16_t src_port, dst_port;
	size_t bytes; /* of the whole frame, padded; 0: as long as it has to be, at least 60 */
	uint32_t tag; /* written at the end of the frame, to know it again */
};

struct packet {
	uint8_t data[PACKET_MAX];
	size_t bytes;
};

/** packet_build() - make the frame a description is of */
void packet_build(const struct packet_spec *spec, struct packet *packet);

/** packet_tag() - the tag of a received frame of @bytes, 0 if it is too short */
uint32_t packet_tag(const uint8_t *data, size_t bytes);

#endif /* VXDP_TESTS_BPF_PACKET_H */
