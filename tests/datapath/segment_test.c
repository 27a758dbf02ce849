/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment_test.c - what a cut frame has to look like, by the text of RFC 791, 793, 768 and 8200.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_net.h>

#include "loader/segment.h"

#define UDP_L4	  5
#define PAYLOAD	  10000
#define TCP_BYTES 32 /* with options */

struct shape {
	uint8_t gso_type;
	uint32_t tags; /* VLAN tags */
	uint16_t size;
};

static uint8_t frame[512 + PAYLOAD], segment[SEGMENT_HEADERS_MAX + UINT16_MAX];

static uint32_t sum(const uint8_t *p, uint32_t bytes, uint32_t start)
{
	for (uint32_t i = 0; i < bytes; i++)
		start += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static bool is_v6(const struct shape *s)
{
	return s->gso_type == VIRTIO_NET_HDR_GSO_TCPV6;
}

static bool is_udp(const struct shape *s)
{
	return s->gso_type == UDP_L4;
}

static uint32_t l3_of(const struct shape *s)
{
	return 14 + 4 * s->tags;
}

static uint32_t l4_of(const struct shape *s)
{
	return l3_of(s) + (is_v6(s) ? 40 : 20);
}

static uint32_t headers_of(const struct shape *s)
{
	return l4_of(s) + (is_udp(s) ? 8 : TCP_BYTES);
}

static void make_ip(const struct shape *s)
{
	uint8_t *ip = frame + l3_of(s);

	if (is_v6(s)) {
		ip[0] = 0x60;
		ip[6] = 6;
		return;
	}
	ip[0] = 0x45;
	ip[4] = 0xff; /* identification, about to wrap */
	ip[5] = 0xfe;
	ip[8] = 64;
	ip[9] = is_udp(s) ? 17 : 6;
}

static struct vu_net_hdr make(const struct shape *s)
{
	uint8_t *l4 = frame + l4_of(s);
	uint32_t at = 12;

	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7 + i / 251);
	for (uint32_t i = 0; i < s->tags; i++, at += 4)
		memcpy(frame + at, "\x81\x00\x00\x05", 4);
	memcpy(frame + at, is_v6(s) ? "\x86\xdd" : "\x08\x00", 2);
	make_ip(s);
	if (!is_udp(s)) {
		memcpy(l4 + 4, "\xff\xff\xff\x00", 4); /* sequence number, about to wrap */
		l4[12] = TCP_BYTES / 4 << 4;
		l4[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
	}
	return (struct vu_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = s->gso_type,
		.gso_size = htole16(s->size),
		.csum_start = htole16((uint16_t)l4_of(s)),
		.csum_offset = htole16(is_udp(s) ? 6 : 16),
	};
}

static void check_ip(const struct shape *s, uint32_t bytes, uint32_t number)
{
	const uint8_t *ip = segment + l3_of(s);

	if (is_v6(s)) {
		assert_int_equal(be16(ip + 4), bytes - l3_of(s) - 40);
		return;
	}
	assert_int_equal(be16(ip + 2), bytes - l3_of(s));
	assert_int_equal(be16(ip + 4), (0xfffe + number) & 0xffff);
	assert_int_equal(sum(ip, 20, 0), 0xffff);
}

static void check_l4(const struct shape *s, uint32_t bytes, uint32_t number, bool last)
{
	const uint8_t *ip = segment + l3_of(s), *l4 = segment + l4_of(s);
	uint32_t l4_bytes = bytes - l4_of(s), pseudo = l4_bytes + (is_udp(s) ? 17 : 6);

	pseudo = is_v6(s) ? sum(ip + 8, 32, pseudo) : sum(ip + 12, 8, pseudo);
	assert_int_equal(sum(l4, l4_bytes, pseudo), 0xffff);
	if (is_udp(s)) {
		assert_int_equal(be16(l4 + 4), l4_bytes);
		return;
	}
	assert_int_equal(be32(l4 + 4), (uint32_t)(0xffffff00 + number * s->size));
	assert_int_equal(l4[13] & 0x09, last ? 0x09 : 0);
	assert_int_equal(l4[13] & 0x80, number ? 0 : 0x80);
	assert_int_equal(l4[13] & 0x10, 0x10);
}

static void cut(const struct shape *s, uint32_t payload)
{
	struct vu_net_hdr hdr = make(s);
	uint32_t headers = headers_of(s), done = 0, number = 0, bytes;
	struct segmenter m;

	assert_int_equal(segment_start(&m, &hdr, frame, headers + payload), 0);
	assert_int_equal(segment_count(&m), payload ? (payload + s->size - 1) / s->size : 1);
	while ((bytes = segment_next(&m, segment)) > 0) {
		assert_in_range(bytes, headers, headers + s->size);
		assert_memory_equal(segment, frame, 12);
		assert_memory_equal(segment + headers, frame + headers + done, bytes - headers);
		done += bytes - headers;
		check_ip(s, bytes, number);
		check_l4(s, bytes, number, done == payload);
		number++;
	}
	assert_int_equal(done, payload);
	assert_int_equal(number, segment_count(&m));
}

static void every_kind(void **state)
{
	static const struct shape shapes[] = {
		{VIRTIO_NET_HDR_GSO_TCPV4, 0, 1448},
		{VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, 1, 536},
		{VIRTIO_NET_HDR_GSO_TCPV6, 0, 1428},
		{VIRTIO_NET_HDR_GSO_TCPV6, 2, 999},
		{UDP_L4, 0, 1472},
		{UDP_L4, 1, 1},
	};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		cut(&shapes[i], PAYLOAD);
		cut(&shapes[i], shapes[i].size);
		cut(&shapes[i], shapes[i].size + 1);
		cut(&shapes[i], 1);
		cut(&shapes[i], 0);
	}
}

/* A header that does not fit the frame costs that frame, whatever is in it. */
static void nonsense_is_refused(void **state)
{
	const struct shape v4 = {VIRTIO_NET_HDR_GSO_TCPV4, 0, 1000};
	struct vu_net_hdr good = make(&v4), hdr;
	struct segmenter m;

	hdr = good;
	hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_int_equal(segment_start(&m, &hdr, frame, 5000), -EINVAL);
	hdr = good;
	hdr.gso_size = 0;
	assert_int_equal(segment_start(&m, &hdr, frame, 5000), -EINVAL);
	for (uint32_t start = 0; start < 600; start++) {
		hdr.csum_start = htole16((uint16_t)start);
		hdr.gso_size = htole16(1000);
		assert_int_equal(segment_start(&m, &hdr, frame, 600), start == 34 ? 0 : -EINVAL);
	}
	for (uint32_t bytes = 0; bytes < 34 + TCP_BYTES; bytes++)
		assert_int_equal(segment_start(&m, &good, frame, bytes), -EINVAL);
	frame[12] = 0x12; /* neither IPv4 nor IPv6 */
	assert_int_equal(segment_start(&m, &good, frame, 5000), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind),
		cmocka_unit_test(nonsense_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
