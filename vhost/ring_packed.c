/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_packed.c - the packed layout (virtio 1.2, 2.8).
 *
 * One ring of descriptors that driver and device write in turn. A slot is available to us when its
 * AVAIL flag equals our wrap counter and its USED flag does not, and used for the driver when both
 * equal it. The second word of a descriptor holds length, id and flags, so one load or store of
 * that word sees or shows a whole descriptor at once.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ring_internal.h"

/*
 * Bits 0-15 of the base are where we pop. Bits 16-31 should say the same of the used side, since
 * nothing is in flight when a ring starts; some front ends leave them zero.
 */
int ring_packed_start(struct vu_ring *r, uint32_t base)
{
	r->avail_idx = base & 0x7fff;
	r->avail_wrap = base & 0x8000;
	if (r->avail_idx >= r->num)
		return -EINVAL;
	r->used_idx = r->avail_idx;
	r->used_wrap = r->avail_wrap;
	return 0;
}

uint32_t ring_packed_base(const struct vu_ring *r)
{
	uint32_t idx = (uint32_t)r->used_idx | (uint32_t)r->used_wrap << 15;

	return idx | idx << 16;
}

/* An indirect table (2.8.7): its descriptors in order, nothing but WRITE means anything there. */
static int packed_table(struct vu_ring *r, struct ring_build *b, const struct ring_desc *at)
{
	int n = ring_table_check(r, at);

	for (int i = 0; i < n; i++) {
		struct ring_desc_words words;
		struct ring_desc d;
		int err = ring_table_load(r, at->addr + i * sizeof(words), &words);

		if (err)
			return err;
		d = ring_packed_desc(le64toh(words.addr), le64toh(words.rest));
		if (d.flags & VRING_DESC_F_INDIRECT)
			return ring_break(r, "indirect table inside an indirect table");
		err = ring_build_part(r, b, &d);
		if (err)
			return err;
	}
	return n < 0 ? n : 0;
}

/*
 * The in-flight state
 */

/* Copy a descriptor to @at. It does not count before ring_track_heads(). */
static inline void packed_track_desc(struct inflight_desc_packed *at, const struct ring_desc *d)
{
	at->data.word =
		(union inflight_data){{.id = d->next, .flags = d->flags, .len = d->len}}.word;
	at->addr = d->addr;
}

static inline void packed_track_head(struct inflight_desc_packed *at, uint16_t next, uint16_t last,
				     uint16_t n, uint64_t counter)
{
	union inflight_entry entry = {{.inflight = 1, .next = next, .last = last, .num = n}};

	at->entry.word = entry.word;
	at->counter = counter;
}

/* The next entries of the free list, whose descriptors are copied, are a buffer. */
static void packed_track_chain(struct vu_ring *r, struct vu_head head, uint64_t counter)
{
	uint16_t e = r->free_head, last = e;

	for (unsigned int i = 1; i < head.n_slots; i++)
		last = r->entries[last].next;
	packed_track_head(&r->track_packed->desc[e], r->entries[e].next, last, head.n_slots,
			  counter);
	r->entries[head.id].of_id = e;
	r->entries[e].last = last;
	r->free_head = r->entries[last].next;
}

/* Put the entries of a buffer back on the free list. */
static inline void packed_track_free(struct vu_ring *r, uint16_t id, uint16_t n_slots)
{
	uint16_t e = r->entries[id].of_id, last = n_slots == 1 ? e : r->entries[e].last;

	r->entries[last].next = r->free_head;
	WRITE_ONCE(r->track_packed->desc[last].entry.next, r->free_head);
	r->free_head = e;
}

/* Before the guest sees the flush: where it started, and what it frees. */
static void packed_track_flush(struct vu_ring *r, uint16_t old_idx, bool old_wrap)
{
	for (unsigned int i = 0; r->entries && i < r->n_pushed; i++)
		packed_track_free(r, r->pushed[i].id, r->pushed[i].n_slots);
	WRITE_ONCE(r->track_packed->heads.free_head, r->free_head);
	ring_track_positions(r, old_idx, old_wrap);
	inflight_order();
}

/* After: it is over. */
static void packed_track_flushed(struct vu_ring *r)
{
	inflight_order();
	for (unsigned int i = 0; r->entries && i < r->n_pushed; i++) {
		uint16_t e = r->entries[r->pushed[i].id].of_id;

		WRITE_ONCE(r->track_packed->desc[e].entry.inflight, 0);
	}
	ring_track_heads(r);
	ring_track_positions(r, r->used_idx, r->used_wrap);
}

/*
 * Pop
 */

static int packed_part(struct vu_ring *r, struct ring_build *b, const struct ring_desc *d)
{
	return d->flags & VRING_DESC_F_INDIRECT ? packed_table(r, b, d) : ring_build_part(r, b, d);
}

/** ring_packed_rebuild() - a recovered buffer: its descriptors are in our notes */
int ring_packed_rebuild(struct vu_ring *r, const struct ring_recovered *rec, struct ring_build *b)
{
	for (unsigned int i = 0; i < rec->n_slots; i++) {
		int err = packed_part(r, b, &r->recovered_desc[rec->first + i]);

		if (err)
			return err;
	}
	return 0;
}

/*
 * A chain of any shape, starting with @d, which was at slot @pos. The driver made the flags of the
 * first slot visible last, so the others are there. The id is that of the last one (2.8.6).
 */
static int packed_chain(struct vu_ring *r, struct ring_desc d, unsigned int pos,
			struct ring_build *b, struct vu_head *head)
{
	unsigned int n_max = r->num - r->n_slots_out;
	uint16_t e = r->free_head;

	for (unsigned int n = 1; n <= n_max; n++) {
		const struct ring_desc_words *at;
		int err = packed_part(r, b, &d);

		if (err)
			return err;
		if (r->entries)
			packed_track_desc(&r->track_packed->desc[e], &d);
		if (!(d.flags & VRING_DESC_F_NEXT)) {
			*head = (struct vu_head){.id = d.next, .n_slots = (uint16_t)n};
			return 0;
		}
		e = r->entries ? r->entries[e].next : 0;
		pos = pos + 1 == r->num ? 0 : pos + 1;
		at = &r->desc[pos];
		d = ring_packed_desc(guest_load64(&at->addr), guest_load64(&at->rest));
	}
	return ring_break(r, "chain of more than %u descriptors", n_max);
}

/* Is this id one that can be out? */
static int packed_claim(struct vu_ring *r, struct vu_head head)
{
	if (head.id >= r->num)
		return ring_break(r, "buffer id %u in a ring of %u", head.id, r->num);
	if (r->busy[head.id])
		return ring_break(r, "buffer id %u is available twice", head.id);
	r->busy[head.id] = true;
	return 0;
}

/* A buffer of any shape, whose first descriptor is @d. 0, -ENOSPC or -EPROTO. */
static int packed_pop_any(struct vu_ring *r, const struct ring_desc *d, struct vu_chain *chain,
			  struct iovec *iov, unsigned int max_iov)
{
	struct ring_build b = {.iov = iov, .max_iov = max_iov};
	int err = packed_chain(r, *d, r->avail_idx, &b, &chain->head);

	if (!err)
		err = ring_build_end(r, &b, chain);
	if (!err)
		err = packed_claim(r, chain->head);
	if (err)
		return err;
	if (r->entries)
		packed_track_chain(r, chain->head, r->avail_pos);
	r->avail_pos++;
	r->n_slots_out += chain->head.n_slots;
	packed_advance(r, &r->avail_idx, &r->avail_wrap, chain->head.n_slots);
	return 0;
}

/*
 * Buffers of one direct descriptor in the region of the last one: nearly all there are. One compare
 * of flags says that a descriptor is available and of that shape. What the loop needs is in local
 * variables, since its stores could otherwise change any of it as far as the compiler knows.
 *
 * Return: how many; @seen is the descriptor that ended it, flags 0 if that is not available.
 */
static __attribute__((noinline)) unsigned int packed_pop_run(struct vu_ring *r,
							     struct vu_chain *chain,
							     struct iovec *iov, unsigned int max,
							     struct ring_desc *seen)
{
	const uint16_t mask = PACKED_AVAIL | PACKED_USED | VRING_DESC_F_NEXT |
			      VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	uint16_t want = packed_avail_flags(r->avail_wrap) | r->write_flag;
	const struct ring_desc_words *const desc = r->desc;
	struct ring_entry *const entries = r->entries;
	struct inflight_packed *const track = r->track_packed;
	const struct ring_region region = r->cache;
	bool *const busy = r->busy;
	const uint16_t num = r->num;
	uint16_t idx = r->avail_idx, e = r->free_head;
	uint64_t counter = r->avail_pos;
	unsigned int i;

	for (i = 0; i < max; i++) {
		uint64_t rest = guest_load64_acquire(&desc[idx].rest);
		struct ring_desc d = ring_packed_desc(guest_load64(&desc[idx].addr), rest);
		uint8_t *va = ring_region_va(&region, d.addr, d.len);

		if (unlikely((d.flags & mask) != want || !va || !d.len || d.next >= num ||
			     busy[d.next])) {
			*seen = d;
			break;
		}
		__builtin_prefetch(&desc[idx + PACKED_AHEAD < num ? idx + PACKED_AHEAD : 0]);
		busy[d.next] = true;
		iov[i] = (struct iovec){.iov_base = va, .iov_len = d.len};
		chain[i] = (struct vu_chain){
			.head = {.id = d.next, .n_slots = 1},
			.n_iov = 1,
			.bytes = d.len,
			.iov = &iov[i],
		};
		if (entries) {
			uint16_t next = entries[e].next;

			packed_track_desc(&track->desc[e], &d);
			packed_track_head(&track->desc[e], next, e, 1, counter++);
			entries[d.next].of_id = e;
			e = next;
		}
		if (unlikely(++idx == num)) {
			idx = 0;
			want ^= PACKED_AVAIL | PACKED_USED;
		}
	}
	r->avail_wrap = want & PACKED_AVAIL;
	r->avail_idx = idx;
	r->free_head = e;
	r->avail_pos += i;
	r->n_slots_out += i;
	return i;
}

int ring_packed_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		    struct iovec *iov, unsigned int max_iov)
{
	const struct iovec *iov_end = iov + max_iov;
	unsigned int i = 0;

	while (i < max_chains && iov < iov_end && r->n_slots_out < r->num) {
		unsigned int max = MIN(max_chains - i, (unsigned int)(iov_end - iov));
		struct ring_desc seen;
		unsigned int n;

		max = MIN(max, r->num - r->n_slots_out);
		n = packed_pop_run(r, &chains[i], iov, max, &seen);
		i += n;
		iov += n;
		if (n == max)
			continue;
		if (!packed_is_avail(seen.flags, r->avail_wrap) ||
		    packed_pop_any(r, &seen, &chains[i], iov, (unsigned int)(iov_end - iov)))
			break;
		iov += chains[i++].n_iov;
	}
	if (r->entries && i)
		ring_track_heads(r);
	r->n_in_flight += i;
	return i || !r->broken ? (int)i : -EPROTO;
}

void ring_packed_unpop(struct vu_ring *r, struct vu_head head)
{
	r->busy[head.id] = false;
	r->avail_pos--;
	r->n_slots_out -= head.n_slots;
	if (r->avail_idx < head.n_slots) {
		r->avail_idx = (uint16_t)(r->avail_idx + r->num);
		r->avail_wrap = !r->avail_wrap;
	}
	r->avail_idx = (uint16_t)(r->avail_idx - head.n_slots);
	if (!r->entries)
		return;
	packed_track_free(r, head.id, head.n_slots);
	inflight_order();
	ring_track_heads(r);
	WRITE_ONCE(r->track_packed->desc[r->free_head].entry.inflight, 0);
}

/*
 * Push and notification
 */

static uint64_t packed_used_word(const struct ring_used *u, bool wrap)
{
	uint16_t flags = packed_used_flags(wrap) | (u->bytes ? VRING_DESC_F_WRITE : 0);

	return u->bytes | (uint64_t)u->id << 32 | (uint64_t)flags << 48;
}

static void packed_log_slot(const struct vu_ring *r, unsigned int slot)
{
	ring_log_used(r, slot * sizeof(*r->desc), sizeof(*r->desc));
}

/* The slots behind the first one. The driver does not look at them before that one is used. */
static void packed_write_behind(struct vu_ring *r, uint16_t idx, bool wrap)
{
	const struct ring_used *const pushed = r->pushed;
	struct ring_desc_words *const desc = r->desc;
	const unsigned int n = r->n_pushed;

	for (unsigned int i = 1; i < n; i++) {
		packed_advance(r, &idx, &wrap, pushed[i - 1].n_slots);
		guest_store64(&desc[idx].rest, packed_used_word(&pushed[i], wrap));
		if (unlikely(r->log_used))
			packed_log_slot(r, idx);
	}
}

/* The pushed buffers are not out any more. Return: the slots they took. */
static unsigned int packed_release(struct vu_ring *r)
{
	const struct ring_used *const pushed = r->pushed;
	const unsigned int n = r->n_pushed;
	bool *const busy = r->busy;
	unsigned int n_slots = 0;

	for (unsigned int i = 0; i < n; i++) {
		busy[pushed[i].id] = false;
		n_slots += pushed[i].n_slots;
	}
	r->n_slots_out -= n_slots;
	r->n_unnotified += n_slots;
	return n_slots;
}

/* Entries are read where they will be written: only those to pop come from another core. */
void ring_packed_prefetch(const struct vu_ring *r, unsigned int n)
{
	unsigned int slot = r->avail_idx;

	for (unsigned int i = 0; i < n; i += CACHE_LINE_BYTES / sizeof(r->desc[0])) {
		__builtin_prefetch(&r->desc[slot]);
		slot += CACHE_LINE_BYTES / sizeof(r->desc[0]);
		slot = slot >= r->num ? 0 : slot;
	}
}

/*
 * First all slots but the first, whose flags show the others, then that one (2.8.8). With IN_ORDER
 * a transmit ring needs only the last buffer's, at the place of the first (2.8.9).
 */
void ring_packed_flush(struct vu_ring *r)
{
	const struct ring_used *first = &r->pushed[r->one_used ? r->n_pushed - 1 : 0];
	uint16_t first_idx = r->used_idx;
	bool first_wrap = r->used_wrap;

	packed_advance(r, &r->used_idx, &r->used_wrap, packed_release(r));
	if (r->track_packed)
		packed_track_flush(r, first_idx, first_wrap);
	if (!r->one_used)
		packed_write_behind(r, first_idx, first_wrap);
	guest_store64_release(&r->desc[first_idx].rest, packed_used_word(first, first_wrap));
	packed_log_slot(r, first_idx);
	if (r->track_packed)
		packed_track_flushed(r);
}

/*
 * With EVENT_IDX: is the slot the driver named among those it was not told of? Slots of two laps,
 * which the wrap counter tells apart, are numbered 0 to 2 * num - 1 (2.8.10).
 */
bool ring_packed_must_notify(const struct vu_ring *r)
{
	uint32_t word = guest_load32(&r->driver_event->word);
	unsigned int flags = word >> 16 & 3, laps = 2u * r->num;
	unsigned int event = (word & 0x7fff) + (word & 0x8000 ? 0 : r->num);
	unsigned int at = r->used_idx + (r->used_wrap ? 0u : r->num);

	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !r->event_idx || !r->notified)
		return true;
	return (at + laps - event % laps - 1) % laps < r->n_unnotified;
}

static void packed_event_set(struct vu_ring *r, uint32_t flags)
{
	guest_store32(&r->device_event->word, flags << 16 | r->mark);
	vu_mem_dirty(r->mem, r->device_event, sizeof(*r->device_event));
}

bool ring_packed_kick_arm(struct vu_ring *r)
{
	r->kick_wanted = true;
	packed_event_set(r, VRING_PACKED_EVENT_FLAG_ENABLE);
	full_fence(); /* the wish to be kicked before the look at what is there already */
	return r->n_slots_out < r->num &&
	       packed_is_avail((uint16_t)(guest_load64(&r->desc[r->avail_idx].rest) >> 48),
			       r->avail_wrap);
}

void ring_packed_kick_disarm(struct vu_ring *r)
{
	packed_event_set(r, VRING_PACKED_EVENT_FLAG_DISABLE);
}

/** ring_packed_mark() - put our mark into the event area, kicks wanted */
void ring_packed_mark(struct vu_ring *r)
{
	packed_event_set(r, VRING_PACKED_EVENT_FLAG_ENABLE);
}
