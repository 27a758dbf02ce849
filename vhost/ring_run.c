/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_run.c - buffers that are taken and handed back at once, in order: frames from guest to
 * guest.
 *
 * Theory of operation
 *
 * A ring from which nothing is in flight is left for a moment with some of its oldest available
 * buffers and gets the first of them back, used, in the order they were available. Should the
 * process die in between, the ring says itself how far it came: in the split layout by the used
 * index, in the packed one by the flags of each descriptor, which are written one after the other.
 * So nothing has to be noted of each buffer (inflight_layout.h), only for each run where it starts
 * and ends.
 *
 * What is seen of a run by the guest is some of its first buffers: each has to be whole in itself.
 */
#include <errno.h>
#include <stddef.h>

#include "ring_internal.h"

#define LINES_AHEAD 2 /* of a buffer that are asked for: a small frame and its header */

/* An entry of the split used ring, as it lies in the second half of a struct vu_buf. */
_Static_assert(offsetof(struct vu_buf, bytes) == offsetof(struct vu_buf, id) + 4, "one entry");

static inline uint8_t *run_va(struct vu_ring *r, struct ring_region *region, uint64_t gpa,
			      uint32_t bytes)
{
	uint8_t *va = ring_region_va(region, gpa, bytes);
	const struct vu_region *found;

	if (likely(va != NULL))
		return va;
	found = vu_mem_region_of(r->mem, gpa, bytes);
	if (!found)
		return NULL; /* or in two regions */
	*region = (struct ring_region){.gpa = found->gpa, .bytes = found->bytes, .va = found->va};
	return ring_region_va(region, gpa, bytes);
}

static inline void run_prefetch(const uint8_t *va, bool to_write)
{
	for (unsigned int i = 0; i < LINES_AHEAD; i++) {
		if (to_write)
			prefetch_write(va + (size_t)i * CACHE_LINE_BYTES);
		else
			__builtin_prefetch(va + (size_t)i * CACHE_LINE_BYTES);
	}
}

/*
 * Split
 */

static void split_prefetch_used(const struct vu_ring *r, unsigned int n)
{
	const unsigned int mask = r->num - 1u,
			   per_line = CACHE_LINE_BYTES / sizeof(r->used->ring[0]);

	for (unsigned int i = 0; i < n; i += per_line)
		prefetch_write(&r->used->ring[(r->used_idx + i) & mask]);
}

static inline unsigned int split_take(struct vu_ring *r, const uint16_t *heads, unsigned int n,
				      struct vu_buf *bufs, bool is_rx)
{
	const uint16_t mask = VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	const uint16_t want = is_rx ? VRING_DESC_F_WRITE : 0;
	const struct ring_desc_words *const desc = r->desc;
	struct ring_region region = r->cache;
	bool *const busy = r->busy;
	unsigned int i;

	for (i = 0; i < n; i++) {
		const uint16_t head = heads[i];
		const struct ring_desc d = ring_split_desc(&desc[head]);
		uint8_t *va = run_va(r, &region, d.addr, d.len);

		if (unlikely((d.flags & mask) != want || !va || !d.len || busy[head]))
			break;
		run_prefetch(va, is_rx);
		busy[head] = true;
		bufs[i] = (struct vu_buf){.base = va, .id = head, .bytes = d.len};
	}
	r->cache = region;
	r->avail_pos += i;
	return i;
}

/* Of the buffers that are known to be there, which the guest has no reason to touch any more. */
static void split_ahead(const struct vu_ring *r, unsigned int n)
{
	const unsigned int mask = r->num - 1u;

	n = MIN(n, (unsigned int)(uint16_t)(r->avail_seen - (uint16_t)r->avail_pos));
	for (unsigned int i = 0; i < n; i++) {
		const uint16_t head = guest_load16(&r->avail->ring[(r->avail_pos + i) & mask]);

		__builtin_prefetch(&r->desc[head & mask]);
	}
	split_prefetch_used(r, n);
}

void vu_ring_run_ahead(const struct vu_ring *r, unsigned int n)
{
	if (!r->packed)
		split_ahead(r, n);
}

static int split_run_pop(struct vu_ring *r, struct vu_buf *bufs, unsigned int max)
{
	uint16_t heads[RING_POP_BATCH];
	int n = ring_split_available(r, MIN(max, (unsigned int)RING_POP_BATCH));

	if (n == 0)
		return 0;
	if (n < 0 || ring_split_heads(r, heads, (unsigned int)n))
		return -EAGAIN; /* vu_ring_pop() says why */
	split_prefetch_used(r, (unsigned int)n);
	n = (int)(r->write_flag ? split_take(r, heads, (unsigned int)n, bufs, true)
				: split_take(r, heads, (unsigned int)n, bufs, false));
	return n ?: -EAGAIN;
}

static void split_write_used(ring_split_entry *to, const struct vu_buf *bufs, unsigned int n,
			     bool written)
{
	const uint64_t mask = written ? UINT64_MAX : UINT32_MAX;

	for (unsigned int i = 0; i < n; i++)
		to[i] = htole64((bufs[i].id | (uint64_t)bufs[i].bytes << 32) & mask);
}

static void split_run_used(struct vu_ring *r, const struct vu_buf *bufs, unsigned int n,
			   bool written)
{
	const uint16_t first = (uint16_t)(r->used_idx & (r->num - 1u));
	const unsigned int tail = MIN(n, (unsigned int)(r->num - first));

	split_write_used(&r->used->ring[first], bufs, tail, written);
	split_write_used(&r->used->ring[0], bufs + tail, n - tail, written);
	ring_split_log(r, first, n);
	r->used_idx = (uint16_t)(r->used_idx + n);
	r->n_unnotified += n;
	guest_store16_release(&r->used->idx, r->used_idx);
	inflight_order();
	*r->track_pos = r->avail_pos;
	if (r->track_split)
		WRITE_ONCE(r->track_split->used_idx, r->used_idx);
	ring_log_used(r, offsetof(struct ring_split_used, idx), sizeof(uint16_t));
}

/*
 * Packed
 */

static inline unsigned int packed_take(struct vu_ring *r, struct vu_buf *bufs, unsigned int max,
				       bool is_rx, uint16_t *seen)
{
	const uint16_t mask = PACKED_AVAIL | PACKED_USED | VRING_DESC_F_NEXT |
			      VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE;
	uint16_t want = packed_avail_flags(r->avail_wrap) | (is_rx ? VRING_DESC_F_WRITE : 0);
	const struct ring_desc_words *const desc = r->desc;
	struct ring_region region = r->cache;
	bool *const busy = r->busy;
	const uint16_t num = r->num;
	uint16_t idx = r->avail_idx;
	unsigned int i;

	for (i = 0; i < max; i++) {
		uint64_t rest = guest_load64_acquire(&desc[idx].rest);
		struct ring_desc d = ring_packed_desc(guest_load64(&desc[idx].addr), rest);
		uint8_t *va;

		*seen = d.flags;
		if (unlikely((d.flags & mask) != want || d.next >= num || busy[d.next]))
			break;
		va = run_va(r, &region, d.addr, d.len);
		if (unlikely(!va || !d.len))
			break;
		run_prefetch(va, is_rx);
		prefetch_write(&desc[idx]); /* for when it is used */
		__builtin_prefetch(&desc[idx + PACKED_AHEAD < num ? idx + PACKED_AHEAD : 0]);
		busy[d.next] = true;
		bufs[i] = (struct vu_buf){.base = va, .id = d.next, .bytes = d.len};
		if (unlikely(++idx == num)) {
			idx = 0;
			want ^= PACKED_AVAIL | PACKED_USED;
		}
	}
	r->cache = region;
	r->avail_wrap = want & PACKED_AVAIL;
	r->avail_idx = idx;
	r->avail_pos += i;
	return i;
}

static int packed_run_pop(struct vu_ring *r, struct vu_buf *bufs, unsigned int max)
{
	unsigned int n;
	uint16_t seen = 0;

	max = MIN(max, (unsigned int)r->num);
	n = r->write_flag ? packed_take(r, bufs, max, true, &seen)
			  : packed_take(r, bufs, max, false, &seen);
	if (n)
		return (int)n;
	return packed_is_avail(seen, r->avail_wrap) ? -EAGAIN : 0;
}

/* In order: what a successor finds used is the beginning of the run. */
static void packed_write_used(struct vu_ring *r, const struct vu_buf *bufs, unsigned int n,
			      bool written)
{
	const uint32_t mask = written ? UINT32_MAX : 0;
	uint16_t idx = r->used_idx;
	uint16_t flags = packed_used_flags(r->used_wrap) | (written ? VRING_DESC_F_WRITE : 0);

	for (unsigned int i = 0; i < n; i++) {
		guest_store64_release(&r->desc[idx].rest, (bufs[i].bytes & mask) |
								  (uint64_t)bufs[i].id << 32 |
								  (uint64_t)flags << 48);
		if (unlikely(r->log_used))
			ring_log_used(r, idx * sizeof(*r->desc), sizeof(*r->desc));
		if (unlikely(++idx == r->num)) {
			idx = 0;
			flags ^= PACKED_AVAIL | PACKED_USED;
		}
	}
}

static void packed_run_used(struct vu_ring *r, const struct vu_buf *bufs, unsigned int n,
			    bool written)
{
	struct inflight_packed *const track = r->track_packed;
	uint16_t idx = r->used_idx;
	bool wrap = r->used_wrap;

	if (track) {
		WRITE_ONCE(track->run, INFLIGHT_RUN);
		packed_advance(r, &r->used_idx, &r->used_wrap, n);
		ring_track_positions(r, idx, wrap);
		inflight_order();
		r->used_idx = idx;
		r->used_wrap = wrap;
	}
	packed_write_used(r, bufs, n, written);
	packed_advance(r, &r->used_idx, &r->used_wrap, n);
	r->n_unnotified += n;
	if (track) {
		inflight_order();
		ring_track_positions(r, r->used_idx, r->used_wrap);
		WRITE_ONCE(track->run, 0);
	}
}

/* Back to the slot of the first buffer that is not handed back. */
static void packed_untake(struct vu_ring *r, unsigned int n)
{
	if (r->avail_idx < n) {
		r->avail_idx = (uint16_t)(r->avail_idx + r->num);
		r->avail_wrap = !r->avail_wrap;
	}
	r->avail_idx = (uint16_t)(r->avail_idx - n);
}

/*
 * Either
 */

int vu_ring_run_start(struct vu_ring *r, struct vu_buf *bufs, unsigned int max)
{
	if (unlikely(r->broken || r->n_in_flight || r->n_pushed || r->one_used ||
		     r->recovered_at < r->n_recovered))
		return -EAGAIN;
	return r->packed ? packed_run_pop(r, bufs, max) : split_run_pop(r, bufs, max);
}

void vu_ring_run_end(struct vu_ring *r, const struct vu_buf *bufs, unsigned int n,
		     unsigned int n_used, bool written)
{
	const unsigned int n_back = n - n_used;
	bool *const busy = r->busy;

	for (unsigned int i = 0; i < n; i++)
		busy[bufs[i].id] = false;
	r->avail_pos -= n_back;
	if (r->packed && n_back)
		packed_untake(r, n_back);
	if (!n_used)
		return;
	if (r->packed)
		packed_run_used(r, bufs, n_used, written);
	else
		split_run_used(r, bufs, n_used, written);
}
