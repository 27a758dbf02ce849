/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_split.c - the split layout (virtio 1.2, 2.7).
 *
 * The used index in the guest's memory is the truth about where a ring stands when it starts: it
 * is what a front end can still know after our predecessor died. So the base of SET_VRING_BASE,
 * which is the same number in every orderly case, is not needed.
 */
#include <errno.h>
#include <stddef.h>

#include "ring_internal.h"

static uint16_t split_mask(const struct vu_ring *r)
{
	return (uint16_t)(r->num - 1);
}

/* used_event of the driver, avail_event of ours (2.7.10) */
static const uint16_t *split_used_event(const struct vu_ring *r)
{
	return &r->avail->ring[r->num];
}

static uint16_t *split_avail_event(const struct vu_ring *r)
{
	return (uint16_t *)(void *)((char *)r->used + sizeof(*r->used) + 8ul * r->num);
}

int ring_split_start(struct vu_ring *r)
{
	r->used_idx = guest_load16(&r->used->idx);
	r->avail_pos = r->used_idx;
	r->avail_seen = r->used_idx;
	return 0;
}

/* Follow an indirect table (2.7.5.3): a linked list again, but within the table. */
static int split_table(struct vu_ring *r, struct ring_build *b, const struct ring_desc *at)
{
	int n = ring_table_check(r, at);
	unsigned int i = 0;

	for (int steps = 0; steps < n; steps++) {
		struct ring_desc_words words;
		struct ring_desc d;
		int err = ring_table_load(r, at->addr + i * sizeof(words), &words);

		if (err)
			return err;
		d = ring_split_desc(&words);
		if (d.flags & VRING_DESC_F_INDIRECT)
			return ring_break(r, "indirect table inside an indirect table");
		err = ring_build_part(r, b, &d);
		if (err || !(d.flags & VRING_DESC_F_NEXT))
			return err;
		i = d.next;
		if (i >= (unsigned int)n)
			return ring_break(r, "indirect descriptor %u of a table of %d", i, n);
	}
	return n < 0 ? n : ring_break(r, "loop in an indirect table");
}

/*
 * Any chain: normal descriptors, the last of which may point to an indirect table. @d is the first
 * one.
 */
static int split_chain(struct vu_ring *r, struct ring_desc d, struct ring_build *b)
{
	for (unsigned int steps = 0; steps < r->num; steps++) {
		int err;

		if (d.flags & VRING_DESC_F_INDIRECT)
			return split_table(r, b, &d);
		err = ring_build_part(r, b, &d);
		if (err || !(d.flags & VRING_DESC_F_NEXT))
			return err;
		if (d.next >= r->num)
			return ring_break(r, "descriptor %u of a ring of %u", d.next, r->num);
		d = ring_split_desc(&r->desc[d.next]);
	}
	return ring_break(r, "loop in a chain of descriptors");
}

/**
 * ring_split_available() - which buffers can be popped?
 *
 * avail->idx is only read when what was seen of it does not do.
 */
int ring_split_available(struct vu_ring *r, unsigned int wanted)
{
	uint16_t n = (uint16_t)(r->avail_seen - (uint16_t)r->avail_pos);
	unsigned int n_out;
	uint16_t idx;

	if (n >= wanted)
		return (int)wanted;
	idx = guest_load16_acquire(&r->avail->idx);
	n = (uint16_t)(idx - (uint16_t)r->avail_pos);
	n_out = r->n_in_flight + r->n_pushed + r->n_recovered - r->recovered_at;
	if (unlikely(n + n_out > r->num))
		return ring_break(r, "available index %u after %u with %u out, ring of %u", idx,
				  (uint16_t)r->avail_pos, n_out, r->num);
	r->avail_seen = idx;
	return (int)MIN((unsigned int)n, wanted);
}

/** ring_split_heads() - copy the heads out of the avail ring, start loading their descriptors */
int ring_split_heads(struct vu_ring *r, uint16_t *heads, unsigned int n)
{
	uint16_t mask = split_mask(r);

	for (unsigned int i = 0; i < n; i++) {
		heads[i] = guest_load16(&r->avail->ring[(r->avail_pos + i) & mask]);
		if (unlikely(heads[i] >= r->num))
			return ring_break(r, "available descriptor %u of a ring of %u", heads[i],
					  r->num);
		__builtin_prefetch(&r->desc[heads[i]]);
	}
	return 0;
}

/** ring_split_rebuild() - a recovered buffer is still in the descriptor table */
int ring_split_rebuild(struct vu_ring *r, const struct ring_recovered *rec, struct ring_build *b)
{
	return split_chain(r, ring_split_desc(&r->desc[rec->id]), b);
}

static inline void split_track_pop(struct inflight_desc_split *d, uint64_t counter)
{
	WRITE_ONCE(d->counter, counter);
	WRITE_ONCE(d->inflight, 1);
}

/* A buffer of any shape, whose first descriptor is @d. 0, -ENOSPC or -EPROTO. */
static int split_pop_any(struct vu_ring *r, uint16_t head, const struct ring_desc *d,
			 struct vu_chain *chain, struct iovec *iov, unsigned int max_iov)
{
	struct ring_build b = {.iov = iov, .max_iov = max_iov};
	int err;

	if (r->busy[head])
		return ring_break(r, "descriptor %u is available twice", head);
	err = split_chain(r, *d, &b);
	if (!err)
		err = ring_build_end(r, &b, chain);
	if (err)
		return err;
	chain->head = (struct vu_head){.id = head, .n_slots = 1};
	r->busy[head] = true;
	if (r->track_split)
		split_track_pop(&r->track_split->desc[head], r->avail_pos);
	r->avail_pos++;
	return 0;
}

/*
 * Buffers of one direct descriptor in the region of the last one: nearly all there are. What the
 * loop needs is in local variables, since its stores could otherwise change any of it as far as the
 * compiler knows.
 *
 * Return: how many of @heads; @seen is the descriptor that ended it.
 */
static __attribute__((noinline)) unsigned int split_pop_run(struct vu_ring *r,
							    const uint16_t *heads, unsigned int max,
							    struct vu_chain *chain,
							    struct iovec *iov,
							    struct ring_desc *seen)
{
	const uint16_t mask = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	const struct ring_desc_words *const desc = r->desc;
	struct inflight_split *const track = r->track_split;
	const struct ring_region region = r->cache;
	const uint16_t want = r->write_flag;
	const uint64_t counter = r->avail_pos;
	bool *const busy = r->busy;
	unsigned int i;

	for (i = 0; i < max; i++) {
		const uint16_t head = heads[i];
		const struct ring_desc d = ring_split_desc(&desc[head]);
		uint8_t *va = ring_region_va(&region, d.addr, d.len);

		if (unlikely((d.flags & mask) != want || !va || !d.len || busy[head])) {
			*seen = d;
			break;
		}
		busy[head] = true;
		iov[i] = (struct iovec){.iov_base = va, .iov_len = d.len};
		chain[i] = (struct vu_chain){
			.head = {.id = head, .n_slots = 1},
			.n_iov = 1,
			.bytes = d.len,
			.iov = &iov[i],
		};
		if (track)
			split_track_pop(&track->desc[head], counter + i);
	}
	r->avail_pos += i;
	return i;
}

static unsigned int split_pop_batch(struct vu_ring *r, const uint16_t *heads, unsigned int n,
				    struct vu_chain *chains, struct iovec **iov,
				    const struct iovec *iov_end)
{
	unsigned int i = 0;

	while (i < n && *iov < iov_end) {
		unsigned int max = MIN(n - i, (unsigned int)(iov_end - *iov));
		struct ring_desc seen;
		unsigned int got = split_pop_run(r, &heads[i], max, &chains[i], *iov, &seen);

		i += got;
		*iov += got;
		if (got == max)
			continue;
		if (split_pop_any(r, heads[i], &seen, &chains[i], *iov,
				  (unsigned int)(iov_end - *iov)))
			break;
		*iov += chains[i++].n_iov;
	}
	*r->track_pos = r->avail_pos;
	r->n_in_flight += i;
	return i;
}

int ring_split_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		   struct iovec *iov, unsigned int max_iov)
{
	const struct iovec *iov_end = iov + max_iov;
	int available = ring_split_available(r, max_chains);
	unsigned int done = 0;

	while ((int)done < available) {
		uint16_t heads[RING_POP_BATCH];
		unsigned int n = MIN((unsigned int)available - done, (unsigned int)RING_POP_BATCH);
		unsigned int got;

		if (ring_split_heads(r, heads, n))
			break;
		got = split_pop_batch(r, heads, n, chains + done, &iov, iov_end);
		done += got;
		if (got < n)
			break;
	}
	return done || !r->broken ? (int)done : -EPROTO;
}

void ring_split_prefetch(const struct vu_ring *r, unsigned int n)
{
	const uint16_t mask = split_mask(r);

	for (unsigned int i = 0; i < n; i += CACHE_LINE_BYTES / sizeof(r->avail->ring[0]))
		__builtin_prefetch(&r->avail->ring[(r->avail_pos + i) & mask]);
	for (unsigned int i = 0; i < n; i += CACHE_LINE_BYTES / sizeof(r->used->ring[0]))
		prefetch_write(&r->used->ring[(r->used_idx + i) & mask]);
}

void ring_split_unpop(struct vu_ring *r, struct vu_head head)
{
	r->busy[head.id] = false;
	if (r->track_split)
		WRITE_ONCE(r->track_split->desc[head.id].inflight, 0);
	r->avail_pos--;
	*r->track_pos = r->avail_pos;
}

/** ring_split_log() - tell a migrating front end of @n used entries */
void ring_split_log(const struct vu_ring *r, uint16_t first, unsigned int n)
{
	unsigned int tail = MIN(n, (unsigned int)(r->num - first));

	ring_log_used(r, sizeof(*r->used) + 8ull * first, 8ull * tail);
	if (n > tail)
		ring_log_used(r, sizeof(*r->used), 8ull * (n - tail));
}

/* Before the guest sees the flush: which buffers are in it. */
static void split_track_flush(struct vu_ring *r, unsigned int n)
{
	struct inflight_split *s = r->track_split;
	uint16_t last = r->pushed[0].id;

	for (unsigned int i = 1; i < n; i++) {
		WRITE_ONCE(s->desc[r->pushed[i].id].next, last);
		last = r->pushed[i].id;
	}
	WRITE_ONCE(s->last_batch_head, last);
	inflight_order();
}

/* After: they are not in flight any more. */
static void split_track_flushed(struct vu_ring *r, unsigned int n)
{
	struct inflight_split *s = r->track_split;

	inflight_order();
	for (unsigned int i = 0; i < n; i++)
		WRITE_ONCE(s->desc[r->pushed[i].id].inflight, 0);
	WRITE_ONCE(s->used_idx, r->used_idx);
}

void ring_split_flush(struct vu_ring *r)
{
	const uint16_t mask = split_mask(r), first = r->used_idx & mask;
	const struct ring_used *const pushed = r->pushed;
	const unsigned int n = r->n_pushed;
	/* 2.7.9: with IN_ORDER the last buffer's entry, at the place of the first, does */
	const unsigned int skipped = r->one_used ? n - 1 : 0;
	ring_split_entry *const ring = r->used->ring;
	bool *const busy = r->busy;

	if (r->track_split)
		split_track_flush(r, n);
	for (unsigned int i = skipped; i < n; i++)
		ring[(first + i - skipped) & mask] =
			htole64(pushed[i].id | (uint64_t)pushed[i].bytes << 32);
	for (unsigned int i = 0; i < n; i++)
		busy[pushed[i].id] = false;
	ring_split_log(r, first, n);
	r->used_idx = (uint16_t)(r->used_idx + n);
	r->n_unnotified += n;
	guest_store16_release(&r->used->idx, r->used_idx);
	if (r->track_split)
		split_track_flushed(r, n);
	ring_log_used(r, offsetof(struct ring_split_used, idx), sizeof(uint16_t));
}

/* With EVENT_IDX: is the entry the driver named among those it was not told of? */
bool ring_split_must_notify(const struct vu_ring *r)
{
	uint16_t behind;

	if (!r->event_idx)
		return !(guest_load16(&r->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	behind = (uint16_t)(r->used_idx - guest_load16(split_used_event(r)) - 1);
	return !r->notified || behind < r->n_unnotified;
}

bool ring_split_kick_arm(struct vu_ring *r)
{
	r->kick_wanted = true;
	if (r->event_idx) {
		guest_store16(split_avail_event(r), (uint16_t)r->avail_pos);
		ring_log_used(r, sizeof(*r->used) + 8ull * r->num, sizeof(uint16_t));
	} else {
		guest_store16(&r->used->flags, 0);
		ring_log_used(r, 0, sizeof(uint16_t));
	}
	full_fence(); /* the wish to be kicked before the look at what is there already */
	return guest_load16(&r->avail->idx) != (uint16_t)r->avail_pos;
}

void ring_split_kick_disarm(struct vu_ring *r)
{
	if (r->event_idx)
		return; /* 2.7.10: the event index we left behind does it */
	guest_store16(&r->used->flags, VRING_USED_F_NO_NOTIFY);
	ring_log_used(r, 0, sizeof(uint16_t));
}
