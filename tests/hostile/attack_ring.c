// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_ring.c - R1 to R4, R6 and R7: what a guest can write into its rings. Split and packed;
 * what only a packed ring has is in attack_packed.c.
 *
 * On a transmit ring a kick makes the back end look; on a receive ring a frame from the wire does.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"

#define IS_RX 0x100u /* in a step's argument: the receive ring */

static struct fe_ring *ring_of(struct attack *a, uint64_t arg)
{
	return arg & IS_RX ? fe_rx(a->fe, 0) : fe_tx(a->fe, 0);
}

/* Room in a receive ring that was full of good buffers: some frames take them, none go back. */
static void make_room(struct attack *a, struct fe_ring *q, unsigned int n)
{
	uint64_t number;
	uint32_t bytes;

	for (unsigned int i = 0; q->is_rx && i < 50 && q->n_free_desc < n; i++) {
		attack_poke(a, 8);
		fe_ring_wait(q, 20);
		while (fe_ring_get(q, &number, &bytes) > 0)
			;
	}
}

static uint16_t dir(const struct fe_ring *q)
{
	return q->is_rx ? FE_DESC_WRITE : 0;
}

/* Flags that make a packed descriptor at the driver's position available. */
static uint16_t live(const struct fe_ring *q, uint16_t flags)
{
	return q->packed ? flags | (q->avail_wrap ? FE_DESC_AVAIL : FE_DESC_USED) : flags;
}

/* One descriptor, made available as it is. */
static void submit(struct fe_ring *q, uint64_t gpa, uint32_t bytes, uint16_t flags, uint16_t next)
{
	uint16_t at = q->packed ? q->avail_idx : q->free_ids[q->free_head % q->num];

	raw_desc(q, at, gpa, bytes, live(q, flags), next);
	if (!q->packed)
		raw_avail(q, at);
	raw_go(q);
}

/* --- R1: the available index ----------------------------------------------------------------- */

static int jump(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);

	q->avail_idx += (int16_t)(arg >> 16);
	raw_go(q);
	return 0;
}

static void *toggle(void *arg)
{
	struct fe_ring *q = arg;
	uint16_t good = q->avail_idx;

	for (unsigned int i = 0; i < 20000; i++) {
		__atomic_store_n(&q->avail->idx, good + i % 300, __ATOMIC_RELAXED);
		if (i % 64 == 0)
			fe_ring_kick_always(q);
	}
	return NULL;
}

static int changing(struct attack *a, uint64_t arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, toggle, ring_of(a, arg)))
		return -ENOMEM;
	attack_poke(a, 256);
	pthread_join(thread, NULL);
	return 0;
}

/* An index that wraps around at 65535 is all right: start just below. */
static int wraps_around(struct attack *a, uint64_t arg)
{
	int err = fe_net_rings_open(a->fe);

	if (err)
		return err;
	for (unsigned int i = 0; i < 2; i++) {
		struct fe_ring *q = &a->fe->ring[i];

		q->base = q->avail_idx = q->used_idx = 0xfff0;
		q->avail->idx = q->used->idx = 0xfff0;
	}
	err = fe_net_rings_start(a->fe);
	return err ? err : attack_works(a);
}

#define BY(n) ((uint64_t)(uint16_t)(n) << 16)

static const struct step r1[] = {
	{"257 ahead (CVE-2016-5403)", jump, BY(257), AT_RUNNING, WANT_BROKEN, 0},
	{"32768 ahead", jump, BY(-32768), AT_RUNNING, WANT_BROKEN, 0},
	{"1 back", jump, BY(-1), AT_RUNNING, WANT_BROKEN, 0},
	{"257 ahead, receive ring (CVE-2016-5403)", jump, BY(257) | IS_RX, AT_RUNNING, WANT_BROKEN,
	 0},
	{"300 back, receive ring", jump, BY(-300) | IS_RX, AT_RUNNING, WANT_BROKEN, 0},
	{"changing all the time", changing, 0, AT_RUNNING, WANT_ANY, 0},
	{"changing all the time, receive ring", changing, IS_RX, AT_RUNNING, WANT_ANY, 0},
	{"wraps around at 65535, as it may", wraps_around, 0, AT_MEMORY, WANT_OK, 0},
};

/* --- R2: entries of the available ring ------------------------------------------------------- */

static int bad_head(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);

	make_room(a, q, 4);
	raw_avail(q, arg >> 16);
	raw_go(q);
	return 0;
}

static const struct step r2[] = {
	{"256 of 256 (CVE-2026-86846)", bad_head, 256ull << 16, AT_RUNNING, WANT_BROKEN, 0},
	{"65535", bad_head, 65535ull << 16, AT_RUNNING, WANT_BROKEN, 0},
	{"256 of 256, receive ring", bad_head, 256ull << 16 | IS_RX, AT_RUNNING, WANT_BROKEN, 0},
};

/* --- R3: chains ------------------------------------------------------------------------------ */

enum loop { LOOP_SELF, LOOP_TWO, NEXT_BEYOND, NEXT_65535, LOOP_INDIRECT, LOOP_INDIRECT_NEXT };

static int chain(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);
	uint64_t gpa = q->pool[0], table_gpa;
	uint16_t x, y, next = FE_DESC_NEXT | dir(q);
	struct fe_desc *table;

	make_room(a, q, 4);
	x = q->free_ids[q->free_head % q->num];
	y = q->free_ids[(q->free_head + 1) % q->num];
	table_gpa = fe_mem_alloc(a->fe, 64, 16);
	table = fe_mem_va(a->fe, table_gpa, 64);
	switch (arg & 0xff) {
	case LOOP_SELF: /* CVE-2019-9547 */
		raw_desc(q, x, gpa, 64, next, x);
		break;
	case LOOP_TWO:
		raw_desc(q, x, gpa, 64, next, y);
		raw_desc(q, y, gpa, 64, next, x);
		break;
	case NEXT_BEYOND:
		raw_desc(q, x, gpa, 64, next, q->num);
		break;
	case NEXT_65535:
		raw_desc(q, x, gpa, 64, next, 65535);
		break;
	case LOOP_INDIRECT: /* CVE-2026-86847: an endless loop inside the table */
		table[0] = (struct fe_desc){gpa, 64, next, 1};
		table[1] = (struct fe_desc){gpa, 64, next, 0};
		raw_desc(q, x, table_gpa, 32, FE_DESC_INDIRECT, 0);
		break;
	case LOOP_INDIRECT_NEXT: /* CVE-2026-86848: next outside of the table */
		table[0] = (struct fe_desc){gpa, 64, next, 2};
		raw_desc(q, x, table_gpa, 32, FE_DESC_INDIRECT, 0);
		break;
	}
	raw_avail(q, x);
	raw_go(q);
	return 0;
}

/* Every descriptor of the ring in one chain, the last one leading back to the first. */
static int chain_of_all(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);

	for (unsigned int i = 0; i < q->num; i++)
		raw_desc(q, i, q->pool[0], 16, FE_DESC_NEXT | dir(q), (i + 1) % q->num);
	raw_avail(q, 0);
	raw_go(q);
	return 0;
}

#define CHAIN(name, how)                                                                           \
	{                                                                                          \
		name, chain, how, AT_RUNNING, WANT_BROKEN, 0                                       \
	}
#define CHAIN_RX(name, how)                                                                        \
	{                                                                                          \
		name ", receive ring", chain, (how) | IS_RX, AT_RUNNING, WANT_BROKEN, 0            \
	}

static const struct step r3[] = {
	CHAIN("a descriptor leads to itself (CVE-2019-9547)", LOOP_SELF),
	CHAIN("two lead to each other", LOOP_TWO),
	CHAIN("next is 256 of 256", NEXT_BEYOND),
	CHAIN("next is 65535", NEXT_65535),
	CHAIN("a loop in an indirect table (CVE-2026-86847)", LOOP_INDIRECT),
	CHAIN("next leads out of an indirect table (CVE-2026-86848)", LOOP_INDIRECT_NEXT),
	CHAIN_RX("a descriptor leads to itself", LOOP_SELF),
	CHAIN_RX("next is 256 of 256", NEXT_BEYOND),
	CHAIN_RX("a loop in an indirect table", LOOP_INDIRECT),
	{"longer than the ring", chain_of_all, 0, AT_RUNNING, WANT_BROKEN, 0},
};

/* --- R4: indirect tables --------------------------------------------------------------------- */

struct indirect_try {
	uint32_t bytes;
	uint16_t flags;	   /* of the head, beside INDIRECT */
	uint16_t in_flags; /* of the table's first descriptor */
	int where;	   /* 0: in memory; 1: at the end of its region; 2: unmapped; 3: wraps */
};

static const struct indirect_try indirect_tries[] = {
	{0, 0, 0, 0},			/* 0: qemu 3984 */
	{15, 0, 0, 0},			/* 1 */
	{40, 0, 0, 0},			/* 2: not a multiple of 16 */
	{0xfffffff0, 0, 0, 0},		/* 3 */
	{257 * 16, 0, FE_DESC_NEXT, 0}, /* 4: more entries than the ring */
	{16, 0, FE_DESC_INDIRECT, 0},	/* 5: nested */
	{16, FE_DESC_NEXT, 0, 0},	/* 6 */
	{64, 0, FE_DESC_NEXT, 1},	/* 7: crosses the end of its region; qemu 2149 */
	{16, 0, 0, 2},			/* 8: CVE-2018-1059 */
	{16, 0, 0, 3},			/* 9 */
};

static int indirect(struct attack *a, uint64_t arg)
{
	const struct indirect_try *t = &indirect_tries[arg & 0xff];
	struct fe_ring *q = ring_of(a, arg);
	uint64_t gpa = fe_mem_alloc(a->fe, 258 * 16, 16), end;
	struct fe_desc *table;

	make_room(a, q, 4);
	end = a->fe->region[0].gpa + a->fe->region[0].bytes;
	if (t->where == 1)
		gpa = end - 32;
	table = fe_mem_va(a->fe, gpa, t->where == 1 ? 32 : 258 * 16);
	for (unsigned int i = 0; i < (t->where == 1 ? 2 : 258); i++)
		table[i] = (struct fe_desc){q->pool[0], 64, t->in_flags | dir(q), i + 1};
	if (t->where == 2)
		gpa = end + 4096;
	if (t->where == 3)
		gpa = ~0ull - 15;
	submit(q, gpa, t->bytes, FE_DESC_INDIRECT | t->flags, 0);
	return 0;
}

/* The guest said it would not use them, and does. */
static int indirect_unasked(struct attack *a, uint64_t arg)
{
	uint64_t gpa = fe_mem_alloc(a->fe, 16, 16);
	struct fe_desc *table = fe_mem_va(a->fe, gpa, 16);

	*table = (struct fe_desc){fe_tx(a->fe, 0)->pool[0], 64, 0, 0};
	submit(fe_tx(a->fe, 0), gpa, 16, FE_DESC_INDIRECT, 0);
	return 0;
}

#define INDIRECT(name, which)                                                                      \
	{name, indirect, which, AT_RUNNING, WANT_BROKEN, 0},                                       \
	{                                                                                          \
		name ", packed", indirect, which, AT_RUNNING, WANT_BROKEN, STEP_PACKED             \
	}

static const struct step r4[] = {
	INDIRECT("length 0 (qemu 3984)", 0),
	INDIRECT("length 15", 1),
	INDIRECT("length 40", 2),
	INDIRECT("length 4 GiB - 16 (CVE-2026-93683)", 3),
	INDIRECT("more entries than the ring", 4),
	{"nested", indirect, 5, AT_RUNNING, WANT_BROKEN, 0},
	/* virtio 1.2, 2.8.7: flags other than WRITE are ignored there */
	{"nested, packed", indirect, 5, AT_RUNNING, WANT_ANY, STEP_PACKED},
	{"INDIRECT and NEXT", indirect, 6, AT_RUNNING, WANT_BROKEN, 0},
	INDIRECT("crosses the end of its region (qemu 2149)", 7),
	INDIRECT("unmapped (CVE-2018-1059)", 8),
	INDIRECT("wraps around 2^64", 9),
	{"length 0, receive ring", indirect, 0 | IS_RX, AT_RUNNING, WANT_BROKEN, 0},
	{"nested, receive ring", indirect, 5 | IS_RX, AT_RUNNING, WANT_BROKEN, 0},
	{"unmapped, receive ring, packed", indirect, 8 | IS_RX, AT_RUNNING, WANT_BROKEN,
	 STEP_PACKED},
	{"not negotiated", indirect_unasked, 0, AT_RUNNING, WANT_BROKEN, STEP_PLAIN},
	{"not negotiated, packed", indirect_unasked, 0, AT_RUNNING, WANT_BROKEN,
	 STEP_PLAIN | STEP_PACKED},
};

/* --- R6: addresses --------------------------------------------------------------------------- */

static int address(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);
	const struct fe_region *r = &a->fe->region[0];
	uint64_t end = r->gpa + r->bytes;
	uint64_t gpa[] = {
		end + 4096,	 /* 0: unmapped */
		end - 63,	 /* 1: the last byte is */
		~0ull - 32,	 /* 2: wraps */
		end - 32,	 /* 3: and into the gap between two regions */
		~0ull,		 /* 4 */
		r->uaddr,	 /* 5: the front end's address */
		(uint64_t)r->va, /* 6: ours */
		1ull << 63,	 /* 7 */
	};

	make_room(a, q, 4);
	submit(q, gpa[arg & 0xff], 64, dir(q), 0);
	return 0;
}

static int huge_length(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);

	make_room(a, q, 4);
	submit(q, q->pool[0], 0xffffffff, dir(q), 0);
	return 0;
}

/* CVE-2020-10725: nothing is read there, and yet it must not pass. */
static int nowhere_of_length_0(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);

	make_room(a, q, 4);
	submit(q, ~0ull - 4095, 0, dir(q), 0);
	return 0;
}

#define ADDRESS(name, which)                                                                       \
	{name, address, which, AT_RUNNING, WANT_BROKEN, 0},                                        \
		{name ", packed", address, which, AT_RUNNING, WANT_BROKEN, STEP_PACKED},           \
		{name ", receive ring", address, (which) | IS_RX, AT_RUNNING, WANT_BROKEN, 0},     \
	{                                                                                          \
		name ", receive ring, packed", address, (which) | IS_RX, AT_RUNNING, WANT_BROKEN,  \
			STEP_PACKED                                                                \
	}

static const struct step r6[] = {
	ADDRESS("unmapped (CVE-2018-1059)", 0),
	ADDRESS("the last byte is unmapped (CVE-2018-1059)", 1),
	ADDRESS("address + length wraps", 2),
	ADDRESS("across the end of a region", 3),
	{"2^64 - 1", address, 4, AT_RUNNING, WANT_BROKEN, 0},
	{"the front end's address", address, 5, AT_RUNNING, WANT_BROKEN, 0},
	{"the guest process's address", address, 6, AT_RUNNING, WANT_BROKEN, 0},
	{"2^63", address, 7, AT_RUNNING, WANT_BROKEN, 0},
	{"4 GiB - 1 bytes", huge_length, 0, AT_RUNNING, WANT_BROKEN, 0},
	{"4 GiB - 1 bytes, receive ring", huge_length, IS_RX, AT_RUNNING, WANT_BROKEN, 0},
	{"nowhere, of length 0 (CVE-2020-10725)", nowhere_of_length_0, 0, AT_RUNNING, WANT_ANY, 0},
	{"nowhere, of length 0, packed (CVE-2020-10725)", nowhere_of_length_0, 0, AT_RUNNING,
	 WANT_ANY, STEP_PACKED},
	{"nowhere, of length 0, receive ring", nowhere_of_length_0, IS_RX, AT_RUNNING, WANT_ANY, 0},
	{"nowhere, of length 0, receive ring, packed", nowhere_of_length_0, IS_RX, AT_RUNNING,
	 WANT_ANY, STEP_PACKED},
};

/* --- R7: descriptors of length 0 ------------------------------------------------------------- */

/* A good frame with empty descriptors where the bits of @arg say: first, middle, last. */
static int empty_parts(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_tx(a->fe, 0);
	struct fe_part parts[5];

	for (unsigned int round = 0; round < 8; round++) {
		unsigned int n = 0;

		if (arg & 1)
			parts[n++] = (struct fe_part){.gpa = q->pool[0]};
		parts[n++] = (struct fe_part){.gpa = q->pool[0], .bytes = FE_HDR_BYTES};
		if (arg & 2)
			parts[n++] = (struct fe_part){.gpa = q->pool[0]};
		parts[n++] = (struct fe_part){.gpa = q->pool[0] + FE_HDR_BYTES, .bytes = 60};
		if (arg & 4)
			parts[n++] = (struct fe_part){.gpa = q->pool[0]};
		if (fe_ring_add(q, parts, n, arg & 8 ? FE_ADD_INDIRECT : 0, FE_NO_BUFFER) < 0)
			return -ENOSPC;
	}
	fe_ring_kick_always(q);
	for (unsigned int i = 0; i < 100 && fe_ring_in_flight(q); i++) {
		uint64_t number;
		uint32_t bytes;

		usleep(5000);
		while (fe_ring_get(q, &number, &bytes) > 0)
			;
	}
	return 0;
}

static int all_empty(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = ring_of(a, arg);
	struct fe_part parts[3] = {{.gpa = q->pool[0], .writable = q->is_rx},
				   {.gpa = q->pool[1], .writable = q->is_rx},
				   {.gpa = q->pool[2], .writable = q->is_rx}};

	make_room(a, q, 24);
	for (unsigned int i = 0; i < 8; i++)
		fe_ring_add(q, parts, 3, 0, FE_NO_BUFFER);
	fe_ring_kick_always(q);
	attack_poke(a, 16);
	usleep(50000);
	return 0;
}

#define EMPTY(name, bits)                                                                          \
	{name, empty_parts, bits, AT_RUNNING, WANT_ANY, 0},                                        \
	{                                                                                          \
		name ", packed", empty_parts, bits, AT_RUNNING, WANT_ANY, STEP_PACKED              \
	}

static const struct step r7[] = {
	EMPTY("the first one", 1),
	EMPTY("one in the middle", 2),
	EMPTY("the last one", 4),
	EMPTY("first, middle and last, indirect", 15),
	{"all of them", all_empty, 0, AT_RUNNING, WANT_ANY, 0},
	{"all of them, packed", all_empty, 0, AT_RUNNING, WANT_ANY, STEP_PACKED},
	{"all of them, receive ring", all_empty, IS_RX, AT_RUNNING, WANT_ANY, 0},
	{"all of them, receive ring, packed", all_empty, IS_RX, AT_RUNNING, WANT_ANY, STEP_PACKED},
};

const struct attack_case ring_cases[] = {
	STEPS("R1", r1), STEPS("R2", r2), STEPS("R3", r3), STEPS("R4", r4),
	STEPS("R6", r6), STEPS("R7", r7), {NULL, NULL, 0},
};
