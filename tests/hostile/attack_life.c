// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_life.c - R14 to R20: buffers taken back, packed rings, notifications, greed, resets,
 * orders, addresses.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "wire.h"

/* --- R14: memory that the guest has taken back ------------------------------------------------ */

#define PATTERN 0xa7

enum taken { BY_STOP, BY_TABLE, BY_HANGUP };

static void paint(struct fe_ring *q)
{
	for (unsigned int i = 0; i < q->pool_n; i++)
		memset(fe_mem_va(q->fe, q->pool[i], q->buffer_bytes), PATTERN, q->buffer_bytes);
}

static int find_stain(struct attack *a, struct fe_ring *q)
{
	for (unsigned int i = 0; i < q->pool_n; i++) {
		const uint8_t *va = fe_mem_va(q->fe, q->pool[i], q->buffer_bytes);

		for (unsigned int j = 0; j < q->buffer_bytes; j++)
			if (va[j] != PATTERN)
				return attack_fail(a, "buffer %u was written to afterwards", i);
	}
	return 0;
}

/*
 * Once the back end has said that the ring is stopped, that the memory is no longer its, or has
 * taken somebody else's connection, nothing may be written: not by it, and not by the kernel in its
 * name. Frames go on coming from the wire.
 */
static int taken_back(struct attack *a, uint64_t how)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct fe_mem_table table = {.n_regions = 1};
	int fd = -1, err = 0;

	exchange_step(&a->exchange, 32);
	attack_poke(a, 64);
	switch (how) {
	case BY_STOP:
		err = fe_dev_ring_stop(q);
		break;
	case BY_TABLE:
		fd = fe_mem_file(8 << 20, 0);
		table.region[0] = fe_mem_describe(a->fe, 0);
		err = fe_sock_ack(a->fe, FE_SET_MEM_TABLE, &table, 40, &fd, 1);
		close(fd);
		break;
	case BY_HANGUP:
		fe_sock_close(a->fe);
		err = attack_connect(a, AT_CONNECTED);
		break;
	}
	if (err && err != -EPIPE)
		return err;
	paint(q);
	for (unsigned int i = 0; i < 30; i++) {
		attack_poke(a, 32);
		usleep(10000);
	}
	return find_stain(a, q);
}

#define TAKEN(name, how)                                                                           \
	{name, taken_back, how, AT_RUNNING, WANT_ANY, 0},                                          \
	{                                                                                          \
		name ", packed", taken_back, how, AT_RUNNING, WANT_ANY, STEP_PACKED                \
	}

static const struct step r14[] = {
	TAKEN("by GET_VRING_BASE", BY_STOP),
	TAKEN("by another memory table", BY_TABLE),
	TAKEN("by hanging up", BY_HANGUP),
};

/* --- R15: packed rings ----------------------------------------------------------------------- */

static int packed_flags(struct attack *a, uint64_t flags)
{
	struct fe_ring *q = fe_tx(a->fe, 0);

	for (unsigned int i = 0; i < q->num; i++)
		raw_desc(q, i, q->pool[0], 72, flags, i);
	fe_ring_kick_always(q);
	attack_poke(a, 8);
	usleep(20000);
	return 0;
}

/* The id is only handed back, but it must not become an index of ours. */
static int packed_id(struct attack *a, uint64_t id)
{
	struct fe_ring *q = fe_tx(a->fe, 0);

	for (unsigned int i = 0; i < 8; i++)
		raw_desc(q, i, q->pool[0], 72, q->avail_wrap ? FE_DESC_AVAIL : FE_DESC_USED,
			 id ?: 7);
	fe_ring_kick_always(q);
	usleep(20000);
	return 0;
}

static int packed_long_list(struct attack *a, uint64_t is_rx)
{
	struct fe_ring *q = is_rx ? fe_rx(a->fe, 0) : fe_tx(a->fe, 0);

	for (unsigned int i = 0; i < q->num; i++)
		raw_desc(q, i, q->pool[0], 16,
			 FE_DESC_NEXT | (is_rx ? FE_DESC_WRITE : 0) |
				 (i >= q->avail_idx ? FE_DESC_AVAIL : FE_DESC_USED),
			 0);
	fe_ring_kick_always(q);
	return 0;
}

/* Any size is a size of a packed ring, also these. */
static int packed_size(struct attack *a, uint64_t num)
{
	int err;

	a->fe->config.rx_num = a->fe->config.tx_num = num;
	err = attack_connect(a, AT_RUNNING);
	if (err)
		return err == -EREMOTEIO ? 0 : err;
	a->exchange.all_layouts = false;
	a->exchange.window = 1;
	if (exchange_prime(&a->exchange, 5000) || exchange_run(&a->exchange, 50, 5000))
		return attack_fail(a, "no frames");
	return 0;
}

static int event_offset(struct attack *a, uint64_t off_wrap)
{
	for (unsigned int i = 0; i < 2; i++) {
		a->fe->ring[i].driver_event->off_wrap = off_wrap & 0xffff;
		a->fe->ring[i].driver_event->flags = off_wrap >> 16;
	}
	for (unsigned int i = 0; i < 20; i++) {
		exchange_step(&a->exchange, 16);
		usleep(1000);
	}
	exchange_drain(&a->exchange, 1000);
	return 0;
}

#define P STEP_PACKED

static const struct step r15[] = {
	{"all descriptors AVAIL and USED", packed_flags, FE_DESC_AVAIL | FE_DESC_USED, AT_RUNNING,
	 WANT_ANY, P},
	{"all descriptors of the other turn", packed_flags, FE_DESC_USED, AT_RUNNING, WANT_ANY, P},
	{"all flags", packed_flags, 0xffff, AT_RUNNING, WANT_ANY, P},
	{"all flags but AVAIL", packed_flags, 0xff7f, AT_RUNNING, WANT_ANY, P},
	{"id 256 of 256", packed_id, 256, AT_RUNNING, WANT_ANY, P},
	{"id 65535", packed_id, 65535, AT_RUNNING, WANT_ANY, P},
	{"one id eight times", packed_id, 0, AT_RUNNING, WANT_ANY, P},
	{"a list longer than the ring", packed_long_list, 0, AT_RUNNING, WANT_BROKEN, P},
	{"a list longer than the receive ring", packed_long_list, 1, AT_RUNNING, WANT_ANY, P},
	{"a ring of 1", packed_size, 1, AT_NOTHING, WANT_ANY, P},
	{"a ring of 3", packed_size, 3, AT_NOTHING, WANT_OK, P},
	{"a ring of 255", packed_size, 255, AT_NOTHING, WANT_OK, P},
	{"event offset 256 of 256", event_offset, 2u << 16 | 256, AT_RUNNING, WANT_WORKS, P},
	{"event offset 0x7fff, other wrap", event_offset, 2u << 16 | 0x7fff, AT_RUNNING, WANT_WORKS,
	 P},
	{"event offset 0xffff", event_offset, 2u << 16 | 0xffff, AT_RUNNING, WANT_WORKS, P},
};

/* --- R16: notifications ---------------------------------------------------------------------- */

static int used_event_lies(struct attack *a, uint64_t arg)
{
	for (unsigned int i = 0; i < 100; i++) {
		for (unsigned int j = 0; j < 2; j++)
			a->fe->ring[j].avail->ring[a->fe->ring[j].num] = attack_rand();
		exchange_step(&a->exchange, 16);
		if (i % 8 == 0)
			usleep(1000);
	}
	exchange_drain(&a->exchange, 1000);
	return 0;
}

static int never_interrupt(struct attack *a, uint64_t arg)
{
	for (unsigned int i = 0; i < 200; i++) {
		fe_ring_call_off(fe_rx(a->fe, 0));
		fe_ring_call_off(fe_tx(a->fe, 0));
		exchange_step(&a->exchange, 16);
		if (i % 8 == 0)
			usleep(1000);
	}
	exchange_drain(&a->exchange, 1000);
	return 0;
}

static int kick_storm(struct attack *a, uint64_t n)
{
	for (unsigned int i = 0; i < n; i++) {
		fe_ring_kick_always(fe_tx(a->fe, 0));
		fe_ring_kick_always(fe_rx(a->fe, 0));
	}
	return 0;
}

/* Buffers are published, but the back end is never kicked: it may wait, but not break. */
static int no_kick(struct attack *a, uint64_t arg)
{
	uint8_t frame[60] = {0};

	memcpy(frame, a->exchange.wire_mac, 6);
	memcpy(frame + 6, a->exchange.guest_mac, 6);
	for (unsigned int i = 0; i < 100; i++)
		fe_net_send(a->fe, 0, NULL, frame, sizeof(frame), FE_LAYOUT_ONE, 0);
	fe_ring_publish(fe_tx(a->fe, 0));
	usleep(100000);
	return 0;
}

static const struct step r16[] = {
	{"used_event at random", used_event_lies, 0, AT_RUNNING, WANT_WORKS, 0},
	{"driver event flags 3", event_offset, 3u << 16, AT_RUNNING, WANT_WORKS, P},
	{"driver event flags 0xffff", event_offset, 0xffffull << 16, AT_RUNNING, WANT_WORKS, P},
	{"interrupts never wanted", never_interrupt, 0, AT_RUNNING, WANT_WORKS, 0},
	{"interrupts never wanted, packed", never_interrupt, 0, AT_RUNNING, WANT_WORKS, P},
	{"200000 kicks for nothing", kick_storm, 100000, AT_RUNNING, WANT_WORKS, 0},
	{"200000 kicks for nothing, packed", kick_storm, 100000, AT_RUNNING, WANT_WORKS, P},
	{"never a kick", no_kick, 0, AT_RUNNING, WANT_WORKS, 0},
};

/* --- R17: greed ------------------------------------------------------------------------------ */

/* Floods with frames of @bytes; receive buffers are never given back. */
static int flood(struct attack *a, uint64_t bytes)
{
	uint8_t frame[1514] = {0};

	memcpy(frame, a->exchange.wire_mac, 6);
	memcpy(frame + 6, a->exchange.guest_mac, 6);
	frame[12] = WIRE_ETHERTYPE >> 8;
	frame[13] = WIRE_ETHERTYPE & 0xff;
	for (unsigned int i = 0; i < 400; i++) {
		for (unsigned int j = 0; j < 64; j++)
			if (fe_net_send(a->fe, 0, NULL, frame, bytes, FE_LAYOUT_ONE, 0))
				break;
		fe_net_flush(a->fe, 0);
		attack_poke(a, 4);
		usleep(500);
	}
	return 0;
}

/* Its receive ring runs dry while the wire sends to it. */
static int never_refills(struct attack *a, uint64_t arg)
{
	for (unsigned int i = 0; i < 200; i++) {
		attack_poke(a, 32);
		usleep(2000);
	}
	return 0;
}

static int all_queues(struct attack *a, uint64_t arg)
{
	uint64_t pairs;
	struct fe *fe = a->fe;
	int err = attack_connect(a, AT_NEGOTIATED);

	if (err)
		return err;
	pairs = MIN(fe->n_queue_pairs, (uint64_t)FE_PAIRS_MAX);
	fe_close(&a->fe);
	err = attack_open(0, &fe);
	if (err)
		return err;
	a->fe = a->exchange.fe = fe;
	fe->config.pairs = pairs;
	fe->config.rx_num = fe->config.tx_num = 16;
	fe->n_rings = 2 * pairs;
	a->exchange.window = 4; /* there are 16 buffers in each */
	err = attack_connect(a, AT_RUNNING);
	return err ? err : attack_works(a);
}

static const struct step r17[] = {
	{"floods with 14 bytes", flood, 14, AT_RUNNING, WANT_WORKS, 0},
	{"floods with 1514 bytes", flood, 1514, AT_RUNNING, WANT_WORKS, 0},
	{"floods with 1 byte", flood, 1, AT_RUNNING, WANT_WORKS, 0},
	{"floods with 14 bytes, packed", flood, 14, AT_RUNNING, WANT_WORKS, P},
	{"never gives receive buffers back", never_refills, 0, AT_RUNNING, WANT_WORKS, 0},
	{"all queues there are", all_queues, 0, AT_NOTHING, WANT_OK, 0},
};

/* --- R18: resets ----------------------------------------------------------------------------- */

enum reset { RESET_HANGUP, RESET_STATUS, RESET_DEVICE, RESET_STOP, RESET_FORMAT };

static int reset_in_burst(struct attack *a, uint64_t how)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < 10; i++) {
		exchange_step(&a->exchange, 32);
		attack_poke(a, 32);
		if (how == RESET_STATUS)
			err = fe_dev_set_status(a->fe, 0);
		else if (how == RESET_DEVICE)
			err = fe_sock_ack(a->fe, FE_RESET_DEVICE, NULL, 0, NULL, 0);
		else if (how == RESET_STOP)
			err = fe_net_rings_stop(a->fe);
		if (err == -EPIPE)
			err = 0;
		if (how == RESET_STOP) {
			if (!err)
				err = fe_net_rings_start(a->fe);
			continue;
		}
		/* the guest boots again: with empty rings, perhaps of the other format */
		if (how == RESET_FORMAT)
			a->fe->config.features ^= FE_F(FE_F_PACKED);
		fe_sock_close(a->fe);
		for (unsigned int j = 0; j < a->fe->n_rings; j++)
			fe_ring_close(&a->fe->ring[j]);
		for (unsigned int j = 0; j < a->fe->n_regions; j++)
			a->fe->region[j].n_allocated = 4096;
		if (!err)
			err = attack_connect(a, AT_RUNNING);
		exchange_drain(&a->exchange, 0);
	}
	return err;
}

#define RESET(name, how)                                                                           \
	{name, reset_in_burst, how, AT_RUNNING, WANT_WORKS, 0},                                    \
	{                                                                                          \
		name ", packed", reset_in_burst, how, AT_RUNNING, WANT_WORKS, P                    \
	}

static const struct step r18[] = {
	RESET("hangs up in a burst", RESET_HANGUP),
	RESET("status 0 in a burst", RESET_STATUS),
	RESET("RESET_DEVICE in a burst", RESET_DEVICE),
	RESET("rings stopped and started in a burst", RESET_STOP),
	{"the other ring format each time", reset_in_burst, RESET_FORMAT, AT_RUNNING, WANT_WORKS,
	 0},
};

/* --- R19: orders ----------------------------------------------------------------------------- */

/* IN_ORDER promises descriptors in ring order; these come backwards. */
static int out_of_order(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_tx(a->fe, 0);

	for (unsigned int i = 0; i < 64; i++) {
		unsigned int at = q->num - 1 - i;

		raw_desc(q, at, q->pool[i], 72, 0, 0);
		raw_avail(q, at);
	}
	raw_go(q);
	usleep(50000);
	return 0;
}

static int packed_out_of_order(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_tx(a->fe, 0);

	for (unsigned int i = 0; i < 64; i++)
		raw_desc(q, i, q->pool[i], 72, FE_DESC_AVAIL, q->num - 1 - i);
	fe_ring_kick_always(q);
	usleep(50000);
	return 0;
}

/* EVENT_IDX was not negotiated; the words behind the rings say all kinds of things. */
static int event_idx_unasked(struct attack *a, uint64_t arg)
{
	used_event_lies(a, 0);
	for (unsigned int i = 0; i < 2; i++)
		a->fe->ring[i].avail->flags = 0xfffe;
	exchange_step(&a->exchange, 16);
	for (unsigned int i = 0; i < 2; i++)
		a->fe->ring[i].avail->flags = 0;
	exchange_drain(&a->exchange, 1000);
	return 0;
}

static const struct step r19[] = {
	{"descriptors backwards with IN_ORDER", out_of_order, 0, AT_RUNNING, WANT_ANY, STEP_ORDER},
	{"ids backwards with IN_ORDER, packed", packed_out_of_order, 0, AT_RUNNING, WANT_ANY,
	 STEP_ORDER | P},
	{"EVENT_IDX not negotiated and used", event_idx_unasked, 0, AT_RUNNING, WANT_WORKS,
	 STEP_PLAIN},
	{"event flags 2 without EVENT_IDX, packed", event_offset, 2u << 16 | 5, AT_RUNNING,
	 WANT_WORKS, STEP_PLAIN | P},
};

/* --- R20: addresses of frames ---------------------------------------------------------------- */

struct spoof {
	const char *name;
	uint8_t mac[6];
	bool is_destination;
};

/* The last of them are made of the step's argument: another port's address. */
static const struct spoof spoofs[] = {
	{"source 0", {0}, false},
	{"source broadcast", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false},
	{"source multicast", {0x01, 0x00, 0x5e, 0, 0, 1}, false},
	{"source = the bystander's", {0x52, 0x54, 0x00, 0x5a, 0x01, 0x01}, false},
	{"source = the bystander's far end", {0x52, 0x54, 0x00, 0x5a, 0x02, 0x01}, false},
	{"to LLDP", {0x01, 0x80, 0xc2, 0, 0, 0x0e}, true},
	{"to spanning tree", {0x01, 0x80, 0xc2, 0, 0, 0}, true},
	{"a pause frame", {0x01, 0x80, 0xc2, 0, 0, 1}, true},
	{"to 0", {0}, true},
	{"to all", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
};

static int spoof(struct attack *a, uint64_t rounds)
{
	uint8_t frame[64] = {0};
	unsigned int n = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		const struct spoof *s = &spoofs[i % ARRAY_SIZE(spoofs)];

		memcpy(frame, s->is_destination ? s->mac : a->exchange.wire_mac, 6);
		memcpy(frame + 6, s->is_destination ? a->exchange.guest_mac : s->mac, 6);
		frame[12] = i % 3 ? WIRE_ETHERTYPE >> 8 : 0x81;
		frame[13] = i % 3 ? WIRE_ETHERTYPE & 0xff : 0;
		frame[15] = i % 251; /* VLAN */
		n += !fe_net_send(a->fe, 0, NULL, frame, sizeof(frame), FE_LAYOUT_ONE, 0);
		if (i % 16)
			continue;
		fe_net_flush(a->fe, 0);
		usleep(500);
	}
	fe_net_flush(a->fe, 0);
	return n ? 0 : attack_fail(a, "nothing could be sent");
}

/* A new source with every frame: the address table must not grow without end. */
static int many_sources(struct attack *a, uint64_t rounds)
{
	uint8_t frame[64] = {0};

	memcpy(frame, a->exchange.wire_mac, 6);
	frame[12] = WIRE_ETHERTYPE >> 8;
	frame[13] = WIRE_ETHERTYPE & 0xff;
	for (unsigned int i = 0; i < rounds; i++) {
		uint8_t mac[6] = {0x0a, 0x66, 0, i >> 16, i >> 8, i};

		memcpy(frame + 6, mac, 6);
		fe_net_send(a->fe, 0, NULL, frame, sizeof(frame), FE_LAYOUT_ONE, 0);
		if (i % 32 == 0) {
			fe_net_flush(a->fe, 0);
			usleep(200);
		}
	}
	fe_net_flush(a->fe, 0);
	return 0;
}

static const struct step r20[] = {
	{"addresses of others, reserved ones, VLANs", spoof, 1000, AT_RUNNING, WANT_WORKS, 0},
	{"20000 sources", many_sources, 20000, AT_RUNNING, WANT_WORKS, 0},
};

const struct attack_case life_cases[] = {
	STEPS("R14", r14), STEPS("R15", r15), STEPS("R16", r16), STEPS("R17", r17),
	STEPS("R18", r18), STEPS("R19", r19), STEPS("R20", r20), {NULL, NULL, 0},
};
