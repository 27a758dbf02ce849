/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_property.c - random operations on both sides of a ring against a model of it.
 *
 * Checked all along: buffers come out of pop in the order they were made available, with the memory
 * they were given; each comes back as used exactly once, with the length it was pushed with, not
 * before the flush; interrupts and kicks are asked for as virtio 1.2, 2.7.7, 2.7.10 and 2.8.14 say;
 * and what was in flight when the process ended comes out again, before anything else.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "ring_driver.h"

#define BURST_MAX 40

/* Where a buffer that the driver made available is. */
enum where { AVAILABLE, POPPED, PUSHED, FLUSHED };

struct model {
	const struct drv_property *p;
	struct drv d;
	uint8_t *where; /* by id, for those in d.fifo */
	bool *again;	/* by id: the process before had it already */
	struct vu_head *popped;
	uint64_t *popped_at; /* count of pops, of each in popped[] */
	unsigned int n_popped;
	uint64_t pops;
	uint64_t used_entries, used_slots; /* flushed since the ring was made */
	uint64_t notified_at;
	bool notified, flushed;
	int call_fd;
	struct vu_inflight_ring state;
};

static void state_open(struct model *m)
{
	size_t bytes = vu_inflight_region_bytes(m->p->num, m->p->packed);

	m->state = (struct vu_inflight_ring){
		.state = calloc(1, bytes),
		.owner = m->p->region ? NULL : calloc(1, sizeof(*m->state.owner)),
		.num = m->p->num,
		.packed = m->p->packed,
	};
	assert_non_null(m->state.state);
	m->d.config.inflight = &m->state;
}

static void model_start(struct model *m)
{
	drv_start(&m->d);
	vu_ring_call_fd_set(m->d.ring, dup(m->call_fd));
	eventfd_read(m->call_fd, &(eventfd_t){0});
	m->notified = m->flushed = false;
}

static void model_open(struct model *m, const struct drv_property *p)
{
	*m = (struct model){.p = p};
	drv_open(&m->d, p->num, p->packed, p->is_rx, p->features);
	m->d.random += p->seed * 2654435761u;
	m->d.idx = m->d.used = p->start;
	m->used_entries = m->pops = p->start;
	if (!p->packed) {
		m->d.ring->used = m->d.config.device;
		m->d.ring->used->idx = htole16(p->start);
		((struct ring_split_avail *)m->d.config.driver)->idx = htole16(p->start);
	}
	m->where = calloc(p->num, 1);
	m->again = calloc(p->num, sizeof(*m->again));
	m->popped = calloc(p->num, sizeof(*m->popped));
	m->popped_at = calloc(p->num, sizeof(*m->popped_at));
	assert_true(m->where && m->again && m->popped && m->popped_at);
	m->call_fd = eventfd(0, EFD_NONBLOCK);
	assert_true(m->call_fd >= 0);
	if (p->state)
		state_open(m);
	model_start(m);
}

static void model_close(struct model *m)
{
	drv_close(&m->d);
	close(m->call_fd);
	free(m->where);
	free(m->again);
	free(m->popped);
	free(m->popped_at);
	free(m->state.state);
	free(m->state.owner);
}

/* The oldest buffer from position *@at of the driver's list on that is AVAILABLE, or -1. */
static int model_oldest(const struct model *m, unsigned int *at)
{
	for (; *at < m->d.n_fifo; (*at)++)
		if (m->where[m->d.fifo[*at]] == AVAILABLE)
			return m->d.fifo[(*at)++];
	return -1;
}

static void model_add(struct model *m)
{
	unsigned int n = drv_random(&m->d) % BURST_MAX;
	int id;

	while (n-- > 0 && (id = drv_add_random(&m->d)) >= 0) {
		m->where[id] = AVAILABLE;
		m->again[id] = false;
	}
}

static void model_pop(struct model *m)
{
	struct vu_chain chains[BURST_MAX];
	static struct iovec iov[2 * VU_CHAIN_IOV_MAX];
	unsigned int at = 0, max = 1 + drv_random(&m->d) % BURST_MAX;
	int n = vu_ring_pop(m->d.ring, chains, max, iov, ARRAY_SIZE(iov));

	if (n < 0)
		fail_msg("broken: %s", vu_ring_broken(m->d.ring));
	assert_true(n <= (int)max);
	for (int i = 0; i < n; i++) {
		assert_int_equal(chains[i].head.id, model_oldest(m, &at));
		drv_check_chain(&m->d, &chains[i]);
		m->where[chains[i].head.id] = POPPED;
		m->popped_at[m->n_popped] = m->pops++;
		m->popped[m->n_popped++] = chains[i].head;
	}
	if (n == 0)
		assert_int_equal(model_oldest(m, &at), -1);
	assert_int_equal(vu_ring_in_flight(m->d.ring), m->n_popped);
}

static void model_push_one(struct model *m, unsigned int at)
{
	struct vu_head head = m->popped[at];
	struct drv_buf *b = &m->d.buf[head.id];

	b->written = m->p->is_rx ? drv_random(&m->d) % (b->bytes + 1) : 0;
	vu_ring_push(m->d.ring, head, b->written);
	m->where[head.id] = PUSHED;
	m->n_popped--;
	memmove(&m->popped[at], &m->popped[at + 1], (m->n_popped - at) * sizeof(*m->popped));
	memmove(&m->popped_at[at], &m->popped_at[at + 1],
		(m->n_popped - at) * sizeof(*m->popped_at));
}

static void model_push(struct model *m)
{
	unsigned int n = drv_random(&m->d) % BURST_MAX;

	while (n-- > 0 && m->n_popped)
		model_push_one(m,
			       m->p->features & F_IN_ORDER ? 0 : drv_random(&m->d) % m->n_popped);
}

/* Only buffers that were popped last, none of them pushed, can go back. */
static void model_unpop(struct model *m)
{
	unsigned int max = 0, n;

	while (max < m->n_popped && m->popped_at[m->n_popped - 1 - max] == m->pops - 1 - max)
		max++;
	n = drv_random(&m->d) % (max + 1);
	vu_ring_unpop(m->d.ring, &m->popped[m->n_popped - n], n);
	for (unsigned int i = 0; i < n; i++)
		m->where[m->popped[--m->n_popped].id] = AVAILABLE;
	m->pops -= n;
	assert_int_equal(vu_ring_in_flight(m->d.ring), m->n_popped);
}

/* All that is PUSHED is FLUSHED now. */
static void model_flushed(struct model *m)
{
	for (unsigned int i = 0; i < m->d.n_fifo; i++) {
		uint16_t id = m->d.fifo[i];

		if (m->where[id] != PUSHED)
			continue;
		m->where[id] = FLUSHED;
		m->used_entries++;
		m->used_slots += m->d.buf[id].n_slots;
		m->flushed = true;
	}
}

static void model_flush(struct model *m)
{
	vu_ring_flush(m->d.ring);
	model_flushed(m);
}

/* A run: the oldest buffers, as many as are in one piece, and the first of them handed back. */
static void model_run(struct model *m)
{
	unsigned int at = 0, used;
	struct vu_buf bufs[BURST_MAX];
	int n = vu_ring_run_start(m->d.ring, bufs, 1 + drv_random(&m->d) % BURST_MAX);

	assert_null(vu_ring_broken(m->d.ring));
	if (n == 0)
		assert_int_equal(model_oldest(m, &at), -1);
	if (n <= 0)
		return;
	assert_int_equal(m->n_popped, 0);
	used = drv_random(&m->d) % ((unsigned int)n + 1);
	for (unsigned int i = 0; i < (unsigned int)n; i++) {
		struct iovec part = {bufs[i].base, bufs[i].bytes};
		struct vu_chain chain = {{(uint16_t)bufs[i].id, 1}, 1, bufs[i].bytes, &part};

		assert_int_equal(bufs[i].id, model_oldest(m, &at));
		drv_check_chain(&m->d, &chain);
		if (i >= used)
			continue;
		bufs[i].bytes = m->p->is_rx ? 1 + drv_random(&m->d) % bufs[i].bytes : 0;
		m->d.buf[bufs[i].id].written = bufs[i].bytes;
		m->where[bufs[i].id] = PUSHED;
		m->pops++;
	}
	vu_ring_run_end(m->d.ring, bufs, (unsigned int)n, used, m->p->is_rx);
	model_flushed(m);
	assert_int_equal(vu_ring_in_flight(m->d.ring), 0);
}

static void model_driver(struct model *m, unsigned int n)
{
	unsigned int n_flushed = 0;
	struct drv_used used;

	for (unsigned int i = 0; i < m->d.n_fifo; i++)
		n_flushed += m->where[m->d.fifo[i]] == FLUSHED;
	while (n-- > 0 && n_flushed) {
		unsigned int before = m->d.n_fifo;

		assert_true(drv_get_used(&m->d, &used));
		assert_int_equal(m->where[used.id], FLUSHED);
		assert_int_equal(used.bytes, m->d.buf[used.id].written);
		n_flushed -= before - m->d.n_fifo;
	}
	if (!n_flushed)
		assert_false(drv_get_used(&m->d, &used));
}

/* Does the lap or index counter pass a position that is @event modulo @modulus? */
static bool passes(uint64_t from, uint64_t to, uint64_t event, uint64_t modulus)
{
	for (; from < to; from++)
		if (from % modulus == event)
			return true;
	return false;
}

/* The driver asks for something; say whether it must be interrupted. */
static bool model_suppress_split(struct model *m)
{
	struct ring_split_avail *avail = m->d.config.driver;
	uint16_t event = (uint16_t)(m->used_entries - drv_random(&m->d) % 20);
	bool no_interrupt = drv_random(&m->d) % 2;

	avail->flags = htole16(no_interrupt);
	if (!(m->p->features & F_EVENT_IDX))
		return !no_interrupt;
	avail->ring[m->p->num] = htole16(event);
	return !m->notified || passes(m->notified_at, m->used_entries, event, 65536);
}

static bool model_suppress_packed(struct model *m)
{
	struct ring_event *event = m->d.config.driver;
	uint64_t lap = 2 * m->p->num;
	uint64_t at = (m->used_slots + 8 * lap - drv_random(&m->d) % (m->p->num + 3)) % lap;
	unsigned int flags = drv_random(&m->d) % 4;
	uint32_t off = (uint32_t)(at % m->p->num) | (at < m->p->num ? 0x8000 : 0);

	event->word = htole32(off | flags << 16);
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !(m->p->features & F_EVENT_IDX))
		return true;
	return !m->notified || passes(m->notified_at, m->used_slots, at, lap);
}

static void model_notify(struct model *m)
{
	bool must = m->p->packed ? model_suppress_packed(m) : model_suppress_split(m);
	eventfd_t count;

	assert_int_equal(vu_ring_notify(m->d.ring), m->flushed && must);
	assert_int_equal(eventfd_read(m->call_fd, &count) == 0, m->flushed && must);
	if (!m->flushed)
		return;
	m->flushed = false;
	m->notified = true;
	m->notified_at = m->p->packed ? m->used_slots : m->used_entries;
}

static void model_kick(struct model *m)
{
	unsigned int at = 0;
	const struct ring_split_used *used = m->d.config.device;
	const struct ring_event *event = m->d.config.device;

	if (drv_random(&m->d) % 2) {
		assert_int_equal(vu_ring_kick_arm(m->d.ring), model_oldest(m, &at) >= 0);
		if (m->p->packed)
			assert_int_equal(le32toh(event->word) >> 16, 0);
		else
			assert_int_equal(used->flags, 0);
		return;
	}
	vu_ring_kick_disarm(m->d.ring);
	if (m->p->packed)
		assert_int_equal(le32toh(event->word) >> 16, 1);
	else
		assert_int_equal(le16toh(used->flags), !(m->p->features & F_EVENT_IDX));
}

/* The process ends without a word, and another one takes over. */
static void model_crash(struct model *m)
{
	bool notes = !(m->p->features & F_IN_ORDER) || (m->p->packed && m->p->is_rx);
	uint32_t n = 0;

	if (!m->p->state || m->p->scribble)
		return;
	for (unsigned int i = 0; i < m->d.n_fifo; i++) {
		uint16_t id = m->d.fifo[i];

		if (m->where[id] == FLUSHED)
			continue;
		m->again[id] |= m->where[id] != AVAILABLE && notes;
		n += m->again[id];
		m->where[id] = AVAILABLE;
	}
	vu_ring_free(&m->d.ring);
	assert_int_equal(vu_ring_new(&m->d.ring), 0);
	m->n_popped = 0;
	m->pops += BURST_MAX; /* nothing from before can be given back */
	model_start(m);
	assert_int_equal(vu_ring_info(m->d.ring)->n_recovered, n);
}

/* An orderly stop: everything goes back first. */
static void model_stop(struct model *m)
{
	while (m->n_popped)
		model_push_one(m, 0);
	for (unsigned int i = 0; i < m->d.n_fifo; i++) {
		uint16_t id = m->d.fifo[i];

		if (m->where[id] != AVAILABLE || !m->again[id])
			continue;
		m->where[id] = PUSHED;
		m->d.buf[id].written = 0;
	}
	m->d.config.base = vu_ring_stop(m->d.ring);
	model_flushed(m);
	if (drv_random(&m->d) % 2)
		vu_inflight_forget(&m->state);
	m->pops += BURST_MAX;
	model_start(m);
	assert_int_equal(vu_ring_info(m->d.ring)->n_recovered, 0);
}

static void model_scribble(struct model *m)
{
	size_t bytes = vu_inflight_region_bytes(m->p->num, m->p->packed);

	if (m->p->scribble)
		for (unsigned int i = 0; i < 100; i++)
			((uint8_t *)m->state.state)[drv_random(&m->d) % bytes] =
				(uint8_t)drv_random(&m->d);
}

static void model_step(struct model *m)
{
	model_scribble(m);
	switch (drv_random(&m->d) % 64) {
	case 0:
		model_crash(m);
		break;
	case 1:
		model_stop(m);
		break;
	case 2 ... 15:
		model_add(m);
		break;
	case 16 ... 18:
		model_run(m);
		break;
	case 19 ... 24:
		model_pop(m);
		break;
	case 25 ... 36:
		model_push(m);
		break;
	case 37 ... 41:
		model_unpop(m);
		break;
	case 42 ... 47:
		model_flush(m);
		break;
	case 48 ... 53:
		model_notify(m);
		break;
	case 54 ... 57:
		model_kick(m);
		break;
	default:
		model_driver(m, drv_random(&m->d) % BURST_MAX);
	}
}

void drv_run_property(const struct drv_property *p)
{
	struct model m;

	model_open(&m, p);
	for (unsigned int i = 0; i < p->steps; i++)
		model_step(&m);
	while (m.d.n_fifo) {
		model_pop(&m);
		while (m.n_popped)
			model_push_one(&m, 0);
		model_flush(&m);
		model_driver(&m, UINT16_MAX);
	}
	assert_int_equal(m.d.n_free, p->num);
	model_close(&m);
}
