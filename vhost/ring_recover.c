/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_recover.c - take over from a process that died, or start the notes for our own successor.
 *
 * Theory of operation
 *
 * State is used only if it is about this very ring (inflight_ident) and agrees with what the
 * guest's memory says today; the guest may have reset the device while nobody was looking. When in
 * doubt it is dropped, and the ring starts as the front end said. Memory of a front end (or of a
 * guest, which may write its used ring as it likes) is copied first and the copy checked, so the
 * worst a liar gets is buffers of its own memory at the wrong time.
 *
 * Split: the used index in the guest's memory decides. Notes with an older index mean that the
 * last flush was seen by the guest, so its buffers (the list from last_batch_head) are done.
 *
 * Packed: the flags of the first descriptor of the last flush decide whether it was seen. If not,
 * the slots behind the first one, which were written before it, are made to look available again:
 * the driver would otherwise take them for used as soon as the first is. And others may have used
 * buffers meanwhile (ring_foreign.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "ring_internal.h"
#include "ring_setup.h"

static int recovered_cmp(const void *a, const void *b)
{
	const struct ring_recovered *x = a, *y = b;

	return x->counter < y->counter ? -1 : x->counter > y->counter;
}

/*
 * Whose state is it?
 */

static void ident_area(struct inflight_area *area, const struct vu_mem *mem, const void *va)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *region = &mem->region[i];
		uint64_t offset = (uintptr_t)va - (uintptr_t)region->va;

		if (offset >= region->bytes)
			continue;
		*area = (struct inflight_area){
			.dev = region->dev,
			.ino = region->ino,
			.file_offset = region->mmap_offset + offset,
			.gpa = region->gpa + offset,
			.uaddr = region->uaddr + offset,
		};
		return;
	}
}

static struct inflight_ident ident_of(const struct vu_ring_config *c)
{
	struct inflight_ident ident;

	memset(&ident, 0, sizeof(ident));
	ident_area(&ident.desc, c->mem, c->desc);
	ident_area(&ident.driver, c->mem, c->driver);
	ident_area(&ident.device, c->mem, c->device);
	ident.features = c->features;
	ident.num = c->num;
	ident.packed = c->packed;
	return ident;
}

/* May the notes in @infl be about this ring? The head is the same in both layouts. */
static bool state_is_ours(const struct vu_inflight_ring *infl, const struct vu_ring_config *c)
{
	const struct inflight_split *s = infl->state;
	struct inflight_ident ident = ident_of(c);

	if (READ_ONCE(s->version) != INFLIGHT_VERSION || READ_ONCE(s->desc_num) != c->num)
		return false;
	return !infl->owner || memcmp(&infl->owner->ident, &ident, sizeof(ident)) == 0;
}

static void state_is_fresh(const struct vu_inflight_ring *infl, const struct vu_ring_config *c)
{
	struct inflight_split *s = infl->state;

	s->features = 0;
	s->desc_num = c->num;
	if (infl->owner)
		infl->owner->ident = ident_of(c);
	inflight_order();
	WRITE_ONCE(s->version, INFLIGHT_VERSION);
}

/*
 * Split
 */

/* Drop the buffers of the last flush from @out: the guest has seen it. */
static bool split_last_flush(const struct inflight_split *s, uint16_t num, uint16_t used_idx,
			     uint8_t *out)
{
	uint16_t n = (uint16_t)(used_idx - READ_ONCE(s->used_idx));
	uint16_t i = READ_ONCE(s->last_batch_head);

	if (n > num)
		return false;
	for (; n > 0; n--) {
		if (i >= num)
			return false;
		out[i] = 0;
		i = READ_ONCE(s->desc[i].next);
	}
	return true;
}

/*
 * The avail ring still shows the newest num entries. What we noted (@exact: with counters that are
 * positions in that ring) as popped from one of those must be what stands there, or this is not
 * the ring that the notes are about.
 */
static bool split_agrees(const struct vu_ring *r, bool exact, uint16_t avail_idx)
{
	uint16_t ahead = (uint16_t)(avail_idx - (uint16_t)r->avail_pos);

	if (ahead + r->n_recovered > r->num)
		return false;
	for (unsigned int i = 0; exact && i < r->n_recovered; i++) {
		const struct ring_recovered *rec = &r->recovered[i];
		const uint16_t *at = &r->avail->ring[rec->counter & (r->num - 1u)];

		if (rec->counter >= r->avail_pos)
			return false;
		if (r->avail_pos - rec->counter + ahead <= r->num && guest_load16(at) != rec->id)
			return false;
	}
	return true;
}

/*
 * The count of popped buffers, whose low 16 bits we know. Our own note of it may lag by a burst; in
 * the region of a front end there is none, and it only has to be beyond the counters in use.
 */
static uint64_t split_avail_pos(const struct vu_ring *r, const struct vu_inflight_ring *infl)
{
	uint16_t low = (uint16_t)(r->used_idx + r->n_recovered);
	uint64_t hint;

	if (infl->owner) {
		hint = infl->owner->avail_pos;
		return hint + (uint64_t)(int16_t)(uint16_t)(low - (uint16_t)hint);
	}
	hint = r->n_recovered ? r->recovered[r->n_recovered - 1].counter + 1 : 0;
	return hint + (uint16_t)(low - (uint16_t)hint);
}

static bool split_load(struct vu_ring *r, const struct vu_inflight_ring *infl)
{
	const struct inflight_split *s = infl->state;
	_cleanup_free_ uint8_t *out = malloc(r->num);

	if (!out)
		return false;
	for (unsigned int i = 0; i < r->num; i++)
		out[i] = READ_ONCE(s->desc[i].inflight) == 1;
	if (!split_last_flush(s, r->num, r->used_idx, out))
		return false;
	for (unsigned int i = 0; i < r->num; i++)
		if (out[i])
			r->recovered[r->n_recovered++] = (struct ring_recovered){
				.counter = READ_ONCE(s->desc[i].counter),
				.id = (uint16_t)i,
				.n_slots = 1,
			};
	qsort(r->recovered, r->n_recovered, sizeof(*r->recovered), recovered_cmp);
	r->avail_pos = split_avail_pos(r, infl);
	return split_agrees(r, infl->owner, guest_load16_acquire(&r->avail->idx));
}

/* Bring the notes to what was found. The same stores in the same order as after a flush. */
static void split_settle(struct vu_ring *r, struct inflight_split *s)
{
	for (unsigned int i = 0; i < r->n_recovered; i++)
		r->busy[r->recovered[i].id] = true;
	for (unsigned int i = 0; i < r->num; i++)
		if (!r->busy[i])
			WRITE_ONCE(s->desc[i].inflight, 0);
	inflight_order();
	WRITE_ONCE(s->used_idx, r->used_idx);
}

static void split_take_over(struct vu_ring *r, const struct vu_ring_config *c)
{
	struct inflight_split *s = c->inflight->state;
	uint64_t fresh = r->avail_pos;
	bool ours = state_is_ours(c->inflight, c) && split_load(r, c->inflight);

	if (!ours) {
		vu_inflight_forget(c->inflight);
		inflight_order();
		r->n_recovered = 0;
		r->avail_pos = fresh;
	}
	split_settle(r, s);
	if (!ours)
		state_is_fresh(c->inflight, c);
	r->avail_seen = (uint16_t)r->avail_pos;
	r->track_split = s;
	if (c->inflight->owner)
		r->track_pos = &c->inflight->owner->avail_pos;
	*r->track_pos = r->avail_pos;
}

/*
 * Packed
 */

/* A private copy of a state, checked as it is made. */
struct packed_copy {
	union inflight_entry *entry;
	uint8_t *taken; /* entry is on the free list, or in a chain */
	union inflight_positions positions;
	uint16_t free_head;
	bool seen; /* the guest saw the last flush */
	bool flush_open;
};

/* A run that was being handed back goes as far as its slots are used in order. */
static void packed_run_seen(const struct vu_ring *r, const struct inflight_packed *s,
			    union inflight_positions *pos)
{
	uint16_t idx = pos->old_used_idx;
	bool wrap = pos->old_used_wrap;

	if (READ_ONCE(s->run) != INFLIGHT_RUN)
		return;
	for (unsigned int n = 0; n < r->num && (idx != pos->used_idx || wrap != !!pos->used_wrap) &&
				 !packed_is_avail(packed_slot_flags(r, idx), wrap);
	     n++)
		packed_advance(r, &idx, &wrap, 1);
	pos->used_idx = pos->old_used_idx = idx;
	pos->used_wrap = pos->old_used_wrap = wrap;
}

static bool packed_positions(const struct vu_ring *r, const struct inflight_packed *s,
			     struct packed_copy *copy)
{
	union inflight_heads heads = {.word = READ_ONCE(s->heads.word)};
	union inflight_positions pos = {.word = READ_ONCE(s->positions.word)};

	if (pos.used_idx >= r->num || pos.old_used_idx >= r->num)
		return false;
	if (pos.mark && pos.mark != (uint16_t)guest_load32(&r->device_event->word))
		return false;
	packed_run_seen(r, s, &pos);
	copy->flush_open = pos.used_idx != pos.old_used_idx || !pos.used_wrap != !pos.old_used_wrap;
	copy->seen = copy->flush_open &&
		     !packed_is_avail(packed_slot_flags(r, pos.old_used_idx), pos.old_used_wrap);
	copy->free_head = copy->seen ? heads.free_head : heads.old_free_head;
	copy->positions = pos;
	return true;
}

static bool packed_free_list(const struct vu_ring *r, struct packed_copy *copy)
{
	uint16_t i = copy->free_head;

	while (i != r->num) {
		if (i > r->num || copy->taken[i])
			return false;
		copy->taken[i] = 1;
		i = copy->entry[i].next;
	}
	return true;
}

/* One chain that was in flight, from its head @i on. */
static bool packed_load_chain(struct vu_ring *r, const struct inflight_packed *s,
			      struct packed_copy *copy, uint16_t i)
{
	const union inflight_entry head = copy->entry[i];
	struct ring_recovered *rec = &r->recovered[r->n_recovered];
	struct ring_desc d = {0};

	*rec = (struct ring_recovered){
		.counter = READ_ONCE(s->desc[i].counter),
		.first = r->n_slots_out,
		.entry = i,
		.n_slots = head.num,
	};
	for (unsigned int n = 0; n < head.num; n++) {
		const struct inflight_desc_packed *at = &s->desc[i];
		union inflight_data data;

		if (i >= r->num || copy->taken[i])
			return false;
		data.word = READ_ONCE(at->data.word);
		copy->taken[i] = 1;
		d = (struct ring_desc){
			.addr = READ_ONCE(at->addr),
			.len = data.len,
			.flags = data.flags,
			.next = data.id,
		};
		r->recovered_desc[r->n_slots_out++] = d;
		if (n + 1 < head.num)
			i = copy->entry[i].next;
	}
	if (head.num == 0 || i != head.last || d.next >= r->num || r->busy[d.next])
		return false;
	rec->id = d.next;
	r->busy[rec->id] = true;
	r->entries[rec->id].of_id = rec->entry;
	r->entries[rec->entry].last = head.last;
	r->n_recovered++;
	return true;
}

static bool packed_load_chains(struct vu_ring *r, const struct inflight_packed *s,
			       struct packed_copy *copy)
{
	for (unsigned int i = 0; i < r->num; i++)
		if (!copy->taken[i] && copy->entry[i].inflight == 1 &&
		    !packed_load_chain(r, s, copy, (uint16_t)i))
			return false;
	for (unsigned int i = 0; i < r->num; i++) {
		if (!copy->taken[i])
			return false;
		r->entries[i].next = copy->entry[i].next;
	}
	qsort(r->recovered, r->n_recovered, sizeof(*r->recovered), recovered_cmp);
	return true;
}

static void packed_set_positions(struct vu_ring *r, const struct packed_copy *copy)
{
	const union inflight_positions *pos = &copy->positions;

	r->used_idx = copy->seen ? pos->used_idx : pos->old_used_idx;
	r->used_wrap = copy->seen ? pos->used_wrap : pos->old_used_wrap;
	r->avail_idx = r->used_idx;
	r->avail_wrap = r->used_wrap;
	packed_advance(r, &r->avail_idx, &r->avail_wrap, r->n_slots_out);
	r->free_head = copy->free_head;
	r->mark = pos->mark;
	if (r->n_recovered)
		r->avail_pos = r->recovered[r->n_recovered - 1].counter + 1;
}

static bool packed_load(struct vu_ring *r, const struct inflight_packed *s,
			struct packed_copy *copy)
{
	_cleanup_free_ union inflight_entry *entry = calloc(r->num, sizeof(*entry));
	_cleanup_free_ uint8_t *taken = calloc(r->num, 1);

	if (!entry || !taken)
		return false;
	copy->entry = entry;
	copy->taken = taken;
	for (unsigned int i = 0; i < r->num; i++)
		entry[i].word = READ_ONCE(s->desc[i].entry.word);
	if (!packed_positions(r, s, copy) || !packed_free_list(r, copy) ||
	    !packed_load_chains(r, s, copy))
		return false;
	packed_set_positions(r, copy);
	return !r->n_slots_out || packed_is_avail(packed_slot_flags(r, r->used_idx), r->used_wrap);
}

/* The last flush was not seen: take back what it wrote behind its first slot. */
static void packed_roll_back(struct vu_ring *r, const struct packed_copy *copy)
{
	uint16_t idx = r->used_idx;
	bool wrap = r->used_wrap;

	if (!copy->flush_open || copy->seen)
		return;
	for (unsigned int i = 1; i < r->n_slots_out; i++) {
		packed_advance(r, &idx, &wrap, 1);
		if (idx == copy->positions.used_idx)
			break;
		guest_store64(&r->desc[idx].rest, (uint64_t)packed_avail_flags(wrap) << 48);
		ring_log_used(r, idx * sizeof(*r->desc), sizeof(*r->desc));
	}
}

/* Entries on the free list are not in flight, whatever the last process had no time to note. */
static void packed_settle(struct vu_ring *r, struct inflight_packed *s)
{
	for (uint16_t i = r->free_head; i != r->num; i = r->entries[i].next)
		WRITE_ONCE(s->desc[i].entry.inflight, 0);
}

static void packed_fresh(struct vu_ring *r, struct inflight_packed *s)
{
	for (unsigned int i = 0; i < r->num; i++) {
		union inflight_entry entry = {.next = (uint16_t)(i + 1)};

		r->entries[i].next = entry.next;
		s->desc[i].entry.word = entry.word;
	}
	r->free_head = 0;
	do {
		if (getrandom(&r->mark, sizeof(r->mark), GRND_NONBLOCK) != sizeof(r->mark))
			r->mark = (uint16_t)(uintptr_t)r | 1;
	} while (r->mark == 0);
}

/* Forget what a load that failed half-way left in @r. */
static void packed_unload(struct vu_ring *r, uint16_t idx, bool wrap)
{
	memset(r->busy, 0, r->num * sizeof(*r->busy));
	r->n_recovered = r->n_slots_out = 0;
	r->avail_idx = r->used_idx = idx;
	r->avail_wrap = r->used_wrap = wrap;
	r->avail_pos = 0;
}

static void packed_take_over(struct vu_ring *r, const struct vu_ring_config *c)
{
	struct inflight_packed *s = c->inflight->state;
	uint16_t base_idx = r->used_idx;
	bool base_wrap = r->used_wrap;
	struct packed_copy copy = {0};
	bool ours = state_is_ours(c->inflight, c) && packed_load(r, s, &copy);

	if (ours) {
		packed_roll_back(r, &copy);
		ours = !ring_packed_foreign(r, &base_idx, &base_wrap);
	}
	if (ours) {
		packed_settle(r, s);
	} else {
		vu_inflight_forget(c->inflight);
		inflight_order();
		packed_unload(r, base_idx, base_wrap);
		packed_fresh(r, s);
	}
	inflight_order();
	r->track_packed = s;
	ring_track_heads(r);
	ring_track_positions(r, r->used_idx, r->used_wrap);
	inflight_order();
	WRITE_ONCE(s->run, 0); /* what it says of an open flush is needed until that is closed */
	if (!ours)
		state_is_fresh(c->inflight, c);
	ring_packed_mark(r);
}

/**
 * ring_take_over() - get the state in @config->inflight going, and from it what was in flight
 * Return: 0, -EINVAL if the state cannot be that of such a ring, -ENOMEM.
 */
int ring_take_over(struct vu_ring *r, const struct vu_ring_config *config)
{
	const struct vu_inflight_ring *infl = config->inflight;

	if (!infl || !infl->state)
		return 0;
	if (infl->packed != r->packed || infl->num < r->num)
		return -EINVAL;
	if (r->info.in_order && !r->packed) {
		vu_inflight_forget(config->inflight); /* the used index says it all */
		return 0;
	}
	r->recovered = calloc(r->num, sizeof(*r->recovered));
	if (!r->recovered)
		return -ENOMEM;
	if (!r->packed) {
		split_take_over(r, config);
		return 0;
	}
	r->entries = calloc(r->num, sizeof(*r->entries));
	r->recovered_desc = calloc(r->num, sizeof(*r->recovered_desc));
	if (!r->entries || !r->recovered_desc)
		return -ENOMEM;
	packed_take_over(r, config);
	if (r->one_used)
		free_ptr(&r->entries); /* one store shows a flush: indices are all it takes */
	return 0;
}
