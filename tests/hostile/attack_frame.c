// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_frame.c - R11 to R13: headers and frames that lie, overlap or change.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"

/* --- R11: the header in front of a frame ------------------------------------------------------ */

struct header_try {
	const char *name;
	struct fe_hdr hdr;
};

#define C FE_HDR_NEEDS_CSUM

static const struct header_try header_tries[] = {
	{"csum_start beyond the frame", {C, 0, 0, 0, 60000, 16, 0}},
	{"csum_start at its end", {C, 0, 0, 0, 512, 0, 0}},
	{"csum_start one before its end", {C, 0, 0, 0, 511, 0, 0}},
	{"csum_offset beyond", {C, 0, 0, 0, 34, 60000, 0}},
	{"both wrap", {C, 0, 0, 0, 0xffff, 0xffff, 0}},
	{"csum_start 0", {C, 0, 0, 0, 0, 0, 0}},
	{"csum_start 0, offset 510", {C, 0, 0, 0, 0, 510, 0}},
	{"csum_start 0, offset 511", {C, 0, 0, 0, 0, 511, 0}},
	{"gso_size 0", {C, FE_GSO_TCPV4, 54, 0, 34, 16, 0}},
	{"gso_size 1", {C, FE_GSO_TCPV4, 54, 1, 34, 16, 0}},
	{"gso_size 65535", {C, FE_GSO_TCPV4, 54, 65535, 34, 16, 0}},
	{"hdr_len 0", {C, FE_GSO_TCPV4, 0, 100, 34, 16, 0}},
	{"hdr_len 65535", {C, FE_GSO_TCPV4, 65535, 100, 34, 16, 0}},
	{"GSO without NEEDS_CSUM", {0, FE_GSO_TCPV4, 54, 100, 0, 0, 0}},
	{"TCPv6 in an IPv4 frame", {C, FE_GSO_TCPV6, 54, 100, 34, 16, 0}},
	{"UFO", {C, FE_GSO_UDP, 42, 100, 34, 6, 0}},
	{"USO of a TCP frame", {C, FE_GSO_UDP_L4, 42, 100, 34, 6, 0}},
	{"gso_type 2", {C, 2, 54, 100, 34, 16, 0}},
	{"gso_type 6", {C, 6, 54, 100, 34, 16, 0}},
	{"gso_type 0x7f", {C, 0x7f, 54, 100, 34, 16, 0}},
	{"ECN alone", {C, FE_GSO_ECN, 54, 100, 34, 16, 0}},
	{"ECN with TCPv4", {C, FE_GSO_TCPV4 | FE_GSO_ECN, 54, 100, 34, 16, 0}},
	{"all flags", {0xff, 0, 0, 0, 34, 16, 0xffff}},
	{"all ones", {0xff, 0xff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff}},
};

/* An IPv4 TCP frame of 512 bytes, its own lengths and offsets to be spoilt by the caller. */
static void make_tcp(struct attack *a, uint8_t *f)
{
	static const uint8_t ip[20] = {0x45, 0, 0x01, 0xf2, 0, 1, 0,  0, 64, 6,
				       0,    0, 10,   0,    0, 1, 10, 0, 0,  2};

	memset(f, 0, 512);
	memcpy(f, a->exchange.wire_mac, 6);
	memcpy(f + 6, a->exchange.guest_mac, 6);
	f[12] = 0x08;
	memcpy(f + 14, ip, sizeof(ip));
	f[46] = 0x50; /* TCP header of 20 bytes */
}

static int header_lies(struct attack *a, uint64_t arg)
{
	uint8_t frame[512];
	int err = 0;

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(header_tries); i++) {
		make_tcp(a, frame);
		for (unsigned int j = 0; !err && j < 4; j++)
			err = fe_net_send(a->fe, 0, &header_tries[i].hdr, frame,
					  j < 2 ? sizeof(frame) : 60, j % 2 ? FE_LAYOUT_MANY : 0,
					  0);
		if (!err)
			err = attack_wait_sent(a);
		if (err)
			return attack_fail(a, "%s: %s %s", header_tries[i].name, strerror(-err),
					   a->note);
	}
	return err;
}

struct spoil {
	const char *name;
	uint16_t at;
	uint8_t value;
};

static const struct spoil spoils[] = {
	{"IP header length 0", 14, 0x40},    {"IP header length 60", 14, 0x4f},
	{"IP version 15", 14, 0xf5},	     {"IP total length 0", 16, 0},
	{"IP total length 65280", 16, 0xff}, {"a fragment", 20, 0x20},
	{"a later fragment", 21, 0x10},	     {"TCP data offset 0", 46, 0x00},
	{"TCP data offset 60", 46, 0xf0},    {"not TCP", 23, 17},
	{"IPv6 ethertype", 12, 0x86},	     {"VLAN ethertype", 12, 0x81},
};

static int frame_lies(struct attack *a, uint64_t arg)
{
	static const struct fe_hdr gso = {C, FE_GSO_TCPV4, 54, 100, 34, 16, 0};
	uint8_t frame[512];
	int err = 0;

	for (unsigned int i = 0; !err && i < ARRAY_SIZE(spoils); i++) {
		make_tcp(a, frame);
		frame[spoils[i].at] = spoils[i].value;
		if (spoils[i].at == 12)
			frame[13] = spoils[i].value == 0x86 ? 0xdd : 0;
		for (unsigned int j = 0; !err && j < 4; j++)
			err = fe_net_send(a->fe, 0, j % 2 ? &gso : NULL, frame,
					  j < 2 ? sizeof(frame) : 60, FE_LAYOUT_TWO, 0);
		if (!err)
			err = attack_wait_sent(a);
		if (err)
			return attack_fail(a, "%s: %s %s", spoils[i].name, strerror(-err), a->note);
	}
	return err;
}

/* VLAN tags, one on the other, cut off anywhere. */
static int vlan_stacks(struct attack *a, uint64_t arg)
{
	uint8_t frame[512];
	int err = 0;

	for (unsigned int n = 1; !err && n < 60; n++) {
		make_tcp(a, frame);
		for (unsigned int i = 0; i < n; i++)
			memcpy(frame + 12 + 4 * i, i % 2 ? "\x88\xa8\x00\x02" : "\x81\x00\x00\x01",
			       4);
		err = fe_net_send(a->fe, 0, NULL, frame, MAX(14u, MIN(12 + 4 * n, 60)),
				  FE_LAYOUT_ONE, 0);
		if (!err && n % 8 == 0)
			err = attack_wait_sent(a);
	}
	return err ? err : attack_wait_sent(a);
}

/* GSO of 64 KiB into segments of one byte each would be 64 thousand frames. */
static int gso_storm(struct attack *a, uint64_t gso_size)
{
	const struct fe_hdr hdr = {C, FE_GSO_TCPV4, 54, gso_size, 34, 16, 0};
	static uint8_t frame[65000];
	int err = 0;

	make_tcp(a, frame);
	frame[16] = (sizeof(frame) - 14) >> 8;
	frame[17] = (sizeof(frame) - 14) & 0xff;
	for (unsigned int i = 0; !err && i < 8; i++)
		err = fe_net_send(a->fe, 0, &hdr, frame, sizeof(frame), FE_LAYOUT_TWO, 0);
	return err ? err : attack_wait_sent(a);
}

static const struct step r11[] = {
	{"header lies, offloads negotiated (CVE-2024-11614)", header_lies, 0, AT_RUNNING,
	 WANT_WORKS, STEP_OFFLOAD},
	{"header lies, offloads negotiated, packed", header_lies, 0, AT_RUNNING, WANT_WORKS,
	 STEP_OFFLOAD | STEP_PACKED},
	{"header lies, nothing negotiated", header_lies, 0, AT_RUNNING, WANT_WORKS, 0},
	{"the frame's own lengths lie", frame_lies, 0, AT_RUNNING, WANT_WORKS, STEP_OFFLOAD},
	{"the frame's own lengths lie, nothing negotiated", frame_lies, 0, AT_RUNNING, WANT_WORKS,
	 0},
	{"VLAN stacks", vlan_stacks, 0, AT_RUNNING, WANT_WORKS, 0},
	{"65000 bytes in segments of 1", gso_storm, 1, AT_RUNNING, WANT_WORKS,
	 STEP_OFFLOAD | STEP_BIG},
	{"65000 bytes in segments of 0 (CVE-2026-100236)", gso_storm, 0, AT_RUNNING, WANT_WORKS,
	 STEP_OFFLOAD | STEP_BIG},
	{"65000 bytes in segments of 65535", gso_storm, 65535, AT_RUNNING, WANT_WORKS,
	 STEP_OFFLOAD | STEP_BIG},
};

/* --- R12: buffers over rings, over each other, twice ------------------------------------------ */

/* Receive buffers over the device's own used ring (or the descriptors): our writes, its reads. */
static int rx_over_ring(struct attack *a, uint64_t which)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct fe_part part = {.bytes = 2048, .writable = true};

	part.gpa = which == 0 ? q->device_gpa : which == 1 ? q->driver_gpa : q->desc_gpa;
	attack_refill(a, &part, 1);
	for (unsigned int i = 0; i < 20; i++) {
		attack_poke(a, 32);
		usleep(2000);
	}
	return 0;
}

static int tx_is_rx(struct attack *a, uint64_t arg)
{
	struct fe_ring *rx = fe_rx(a->fe, 0), *tx = fe_tx(a->fe, 0);
	struct fe_part part = {.gpa = rx->pool[0], .bytes = 2048, .writable = true};

	attack_refill(a, &part, 1);
	part.writable = false;
	part.bytes = 72;
	for (unsigned int i = 0; i < 200; i++) {
		fe_ring_add(tx, &part, 1, 0, FE_NO_BUFFER);
		fe_ring_kick_always(tx);
		attack_poke(a, 4);
		fe_net_reclaim(a->fe, 0);
	}
	return 0;
}

/* The same head again while it is in flight: the same chunk twice in the kernel's fill ring. */
static int same_head(struct attack *a, uint64_t is_tx)
{
	struct fe_ring *q = is_tx ? fe_tx(a->fe, 0) : fe_rx(a->fe, 0);
	struct fe_part part = {.gpa = q->pool[0], .bytes = 2048, .writable = true};

	if (!is_tx)
		attack_refill(a, &part, 1);
	raw_desc(q, 0, q->pool[0], is_tx ? 72 : 2048, is_tx ? 0 : FE_DESC_WRITE, 0);
	for (unsigned int i = 0; i < 100; i++) {
		q->avail_idx = *(volatile uint16_t *)&q->used->idx;
		for (unsigned int j = 0; j < 64; j++)
			raw_avail(q, 0);
		raw_go(q);
		attack_poke(a, 8);
		usleep(1000);
	}
	return 0;
}

static const struct step r12[] = {
	{"receive buffers over the used ring", rx_over_ring, 0, AT_RUNNING, WANT_ANY, 0},
	{"receive buffers over the available ring", rx_over_ring, 1, AT_RUNNING, WANT_ANY, 0},
	{"receive buffers over the descriptors", rx_over_ring, 2, AT_RUNNING, WANT_ANY, 0},
	{"receive buffers over the descriptors, packed", rx_over_ring, 2, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"one buffer for everything, both ways", tx_is_rx, 0, AT_RUNNING, WANT_ANY, 0},
	{"one buffer for everything, both ways, packed", tx_is_rx, 0, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"the same receive head twice", same_head, 0, AT_RUNNING, WANT_ANY, 0},
	{"the same transmit head twice", same_head, 1, AT_RUNNING, WANT_ANY, 0},
};

/* --- R13: frames that change after they were handed over ---------------------------------------
 */

struct rewriter {
	uint8_t *frames;
	size_t bytes;
	bool stop;
};

static void *rewrite(void *arg)
{
	struct rewriter *r = arg;
	uint32_t x = 1;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		x = x * 1664525 + 1013904223;
		for (size_t at = 0; at < r->bytes; at += 2048)
			__atomic_store_n(&r->frames[at + x % 40], (uint8_t)(x >> 24),
					 __ATOMIC_RELAXED);
	}
	return NULL;
}

static int rewritten(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	struct rewriter r = {.frames = fe_mem_va(a->fe, q->pool[0], q->buffer_bytes),
			     .bytes = 64 * 2048};
	pthread_t thread;

	if (pthread_create(&thread, NULL, rewrite, &r))
		return -ENOMEM;
	for (unsigned int i = 0; i < 300; i++) {
		for (unsigned int j = 0; j < 16; j++)
			exchange_step(&a->exchange, 1);
		if (i % 4 == 0)
			usleep(1000);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	exchange_drain(&a->exchange, 200);
	return 0;
}

static const struct step r13[] = {
	{"while the back end has them", rewritten, 0, AT_RUNNING, WANT_WORKS, 0},
	{"while the back end has them, packed", rewritten, 0, AT_RUNNING, WANT_WORKS, STEP_PACKED},
	{"while the back end has them, with offloads", rewritten, 0, AT_RUNNING, WANT_WORKS,
	 STEP_OFFLOAD},
};

const struct attack_case frame_cases[] = {
	STEPS("R11", r11),
	STEPS("R12", r12),
	STEPS("R13", r13),
	{NULL, NULL, 0},
};
