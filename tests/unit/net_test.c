/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_test.c - which virtio-net headers a guest may send (R11 of the list of hostile ring inputs).
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../include/vxdp/util.h"
#include "../../vhost/net.h"

#define F(bit)	 (1ull << (bit))
#define CSUM	 F(VIRTIO_NET_F_CSUM)
#define TSO4	 F(VIRTIO_NET_F_HOST_TSO4)
#define TSO6	 F(VIRTIO_NET_F_HOST_TSO6)
#define ECN	 F(VIRTIO_NET_F_HOST_ECN)
#define USO	 F(56)
#define ALL	 (CSUM | TSO4 | TSO6 | ECN | USO)
#define UDP_L4	 5
#define NEEDS	 VIRTIO_NET_HDR_F_NEEDS_CSUM
#define GSO_ECN	 VIRTIO_NET_HDR_GSO_ECN
#define GSO_TCP4 VIRTIO_NET_HDR_GSO_TCPV4
#define GSO_TCP6 VIRTIO_NET_HDR_GSO_TCPV6

static void test_header_bytes(void **s)
{
	assert_int_equal(vu_net_hdr_bytes(0), 10);
	assert_int_equal(vu_net_hdr_bytes(F(VIRTIO_NET_F_MRG_RXBUF)), 12);
	assert_int_equal(vu_net_hdr_bytes(F(VIRTIO_F_VERSION_1)), 12);
	assert_int_equal(vu_net_hdr_bytes(~(F(VIRTIO_NET_F_MRG_RXBUF) | F(VIRTIO_F_VERSION_1))),
			 10);
}

struct header_case {
	uint8_t flags, gso_type;
	uint16_t gso_size, csum_start, csum_offset;
	uint32_t frame_bytes;
	uint64_t features;
	const char *wrong; /* part of the reason, or NULL: the header is fine */
};

static const struct header_case cases[] = {
	/* nothing asked for: whatever the other fields hold */
	{0, 0, 0, 0, 0, 60, 0, NULL},
	{0, 0, 0xffff, 0xffff, 0xffff, 60, 0, NULL},
	{VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0, 0, 60, 0, NULL},

	/* checksum */
	{NEEDS, 0, 0, 34, 16, 60, CSUM, NULL},
	{NEEDS, 0, 0, 34, 16, 60, ALL & ~CSUM, "not negotiated"},
	{NEEDS, 0, 0, 34, 24, 60, CSUM, NULL},
	{NEEDS, 0, 0, 34, 25, 60, CSUM, "outside the frame"},
	{NEEDS, 0, 0, 60, 0, 60, CSUM, "outside the frame"},
	{NEEDS, 0, 0, 0xffff, 0xffff, 60, CSUM, "outside the frame"},
	{NEEDS, 0, 0, 0xffff, 1, 60, CSUM, "outside the frame"}, /* wraps in 16 bits */
	{NEEDS, 0, 0, 0xffff, 0xffff, 0x20000, CSUM, NULL},
	{NEEDS, 0, 0, 0, 0, 1, CSUM, "outside the frame"},
	{NEEDS, 0, 0, 0, 0, 0, CSUM, "outside the frame"},

	/* segmentation */
	{NEEDS, GSO_TCP4, 1448, 34, 16, 9000, ALL, NULL},
	{NEEDS, GSO_TCP6, 1428, 54, 16, 9000, ALL, NULL},
	{NEEDS, GSO_TCP4 | GSO_ECN, 1448, 34, 16, 9000, ALL, NULL},
	{NEEDS, UDP_L4, 1448, 34, 6, 9000, ALL, NULL},
	{NEEDS, GSO_TCP4, 1, 34, 16, 9000, ALL, NULL},
	{NEEDS, GSO_TCP4, 0xffff, 34, 16, 9000, ALL, NULL},
	{NEEDS, GSO_TCP4, 0, 34, 16, 9000, ALL, "no bytes"},
	{0, GSO_TCP4, 1448, 34, 16, 9000, ALL, "without a checksum"},
	{NEEDS, GSO_TCP4, 1448, 34, 16, 9000, ALL & ~TSO4, "not negotiated"},
	{NEEDS, GSO_TCP6, 1448, 54, 16, 9000, ALL & ~TSO6, "not negotiated"},
	{NEEDS, GSO_TCP4 | GSO_ECN, 1448, 34, 16, 9000, ALL & ~ECN, "not negotiated"},
	{NEEDS, UDP_L4, 1448, 34, 6, 9000, ALL & ~USO, "not negotiated"},
	{NEEDS, GSO_TCP4, 1448, 34, 16, 9000, ALL & ~CSUM, "not negotiated"},
	{NEEDS, GSO_TCP4, 1448, 9000, 16, 9000, ALL, "outside the frame"},
	{NEEDS, 2, 1448, 34, 16, 9000, ~0ull, "nobody offered"},
	{NEEDS, VIRTIO_NET_HDR_GSO_UDP, 1448, 34, 6, 9000, ~0ull, "nobody offered"},
	{NEEDS, GSO_ECN, 1448, 34, 16, 9000, ~0ull, "nobody offered"},
	{NEEDS, 0x7f, 1448, 34, 16, 9000, ~0ull, "nobody offered"},
	{NEEDS, 0xff, 1448, 34, 16, 9000, ~0ull, "nobody offered"},
};

static void test_r11_header(void **s)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct header_case *c = &cases[i];
		struct vu_net_hdr hdr = {
			.flags = c->flags,
			.gso_type = c->gso_type,
			.hdr_len = 0xffff, /* lies, always */
			.gso_size = htole16(c->gso_size),
			.csum_start = htole16(c->csum_start),
			.csum_offset = htole16(c->csum_offset),
		};
		const char *wrong = vu_net_hdr_check(&hdr, c->frame_bytes, c->features);

		if (!c->wrong != !wrong || (wrong && !strstr(wrong, c->wrong)))
			fail_msg("case %u: \"%s\" instead of \"%s\"", i, wrong ? wrong : "fine",
				 c->wrong ? c->wrong : "fine");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_bytes),
		cmocka_unit_test(test_r11_header),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
