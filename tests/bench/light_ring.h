/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * light_ring.h - the driver side of a virtqueue, made to cost little.
 *
 * tests/lib/frontend*.c lays the ring out and tells the back end of it; from then on only this
 * touches it. A buffer takes one descriptor (an indirect table, if it is in several parts) and
 * comes from a pool, first in first out: how many buffers the pool has is how much memory the
 * switch goes through before it meets the same buffer again.
 *
 * The back end is trusted to return what it was given: this measures, and other tests check.
 */
#ifndef BENCH_LIGHT_RING_H
#define BENCH_LIGHT_RING_H

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

/* What comes back: buffer @number, of which @bytes were written. */
struct light_used {
	uint32_t number;
	uint32_t bytes;
};

struct light_ring {
	struct fe_ring *q;
	bool packed, is_rx;
	uint16_t mask;		      /* ring size - 1 */
	uint16_t avail_idx, used_idx; /* split: free-running; packed: below the ring size */
	bool avail_wrap, used_wrap;   /* packed */
	bool held; /* packed: the first descriptor of a burst is published last */
	uint16_t held_at, held_flags;
	uint16_t n_room; /* descriptors that can be added */

	uint16_t *ids; /* of free descriptors (packed: buffer ids), first in first out */
	uint32_t ids_head, ids_tail;
	uint32_t *number_of; /* buffer, by id */

	uint32_t *pool; /* numbers of the free buffers */
	uint32_t pool_head, pool_tail, pool_mask;
	uint32_t buffer_bytes;
	uint8_t *va;
	uint64_t gpa;
	struct fe_desc *table; /* indirect tables of n_parts by buffer number, or NULL: none */
	uint64_t table_gpa;
	uint32_t n_parts;
};

#define LIGHT_PART_BYTES 4096u /* buffers longer than that go into the ring in parts */

/** light_ring_open() - after negotiation: ring @index with a pool of @n_buffers */
int light_ring_open(struct light_ring *l, struct fe *fe, unsigned int index, uint16_t num,
		    uint32_t n_buffers, uint32_t buffer_bytes);
void light_ring_close(struct light_ring *l);

static inline uint32_t light_n_parts(uint32_t bytes)
{
	return (bytes + LIGHT_PART_BYTES - 1) / LIGHT_PART_BYTES;
}

static inline uint32_t light_n_free(const struct light_ring *l)
{
	uint32_t n = l->pool_tail - l->pool_head;

	return n < l->n_room ? n : l->n_room;
}

static inline uint8_t *light_va(const struct light_ring *l, uint32_t number)
{
	return l->va + (size_t)number * l->buffer_bytes;
}

static inline void light_give(struct light_ring *l, uint32_t number)
{
	l->pool[l->pool_tail++ & l->pool_mask] = number;
}

/* The buffer that light_add() will add next. */
static inline uint32_t light_next(const struct light_ring *l, uint32_t ahead)
{
	return l->pool[(l->pool_head + ahead) & l->pool_mask];
}

/** light_table_write() - @bytes at @gpa, in parts, into the table of buffer @number */
void light_table_write(struct light_ring *l, uint32_t number, uint64_t gpa, uint32_t bytes);

/** light_add() - make the pool's next buffer available; there is one (light_n_free()) */
static inline void light_add(struct light_ring *l, uint32_t bytes)
{
	const uint32_t number = l->pool[l->pool_head++ & l->pool_mask];
	const uint16_t id = l->ids[l->ids_head++ & l->mask];
	uint64_t gpa = l->gpa + (uint64_t)number * l->buffer_bytes;
	uint16_t flags = l->is_rx ? FE_DESC_WRITE : 0;

	l->number_of[id] = number;
	l->n_room--;
	if (unlikely(l->table != NULL)) {
		const uint32_t n = light_n_parts(bytes);

		light_table_write(l, number, gpa, bytes);
		gpa = l->table_gpa + (uint64_t)number * l->n_parts * sizeof(struct fe_desc);
		bytes = n * (uint32_t)sizeof(struct fe_desc);
		flags = FE_DESC_INDIRECT;
	}
	if (!l->packed) {
		uint16_t *slot = &l->q->avail->ring[l->avail_idx++ & l->mask];

		l->q->desc[id] = (struct fe_desc){.gpa = gpa, .bytes = bytes, .flags = flags};
		if (*slot != id)
			*slot = id;
		return;
	}
	struct fe_packed_desc *d = &l->q->pdesc[l->avail_idx];

	flags |= l->avail_wrap ? FE_DESC_AVAIL : FE_DESC_USED;
	d->gpa = gpa;
	d->bytes = bytes;
	d->id = id;
	if (!l->held) {
		l->held = true;
		l->held_at = l->avail_idx;
		l->held_flags = flags;
	} else {
		store_release(&d->flags, flags);
	}
	if (++l->avail_idx > l->mask) {
		l->avail_idx = 0;
		l->avail_wrap = !l->avail_wrap;
	}
}

/** light_publish() - let the back end see what was added, and kick it if it wants that */
static inline void light_publish(struct light_ring *l)
{
	const uint64_t one = 1;
	bool wanted;

	if (l->packed) {
		if (!l->held)
			return;
		store_release(&l->q->pdesc[l->held_at].flags, l->held_flags);
		l->held = false;
	} else {
		store_release(&l->q->avail->idx, l->avail_idx);
	}
	full_fence();
	wanted = l->packed ? READ_ONCE(l->q->device_event->flags) != 1
			   : !(READ_ONCE(l->q->used->flags) & 1);
	if (unlikely(wanted) && write(l->q->kick_fd, &one, sizeof(one)) < 0)
		return; /* full: the back end will wake up */
}

static inline bool light_packed_is_used(const struct light_ring *l)
{
	const uint16_t flags = load_acquire(&l->q->pdesc[l->used_idx].flags);

	return !!(flags & FE_DESC_AVAIL) == l->used_wrap &&
	       !!(flags & FE_DESC_USED) == l->used_wrap;
}

static inline void light_release(struct light_ring *l, uint16_t id, uint32_t bytes,
				 struct light_used *out)
{
	*out = (struct light_used){.number = l->number_of[id & l->mask], .bytes = bytes};
	l->ids[l->ids_tail++ & l->mask] = id;
	l->n_room++;
}

/** light_get_used() - what the back end is done with: up to @n buffers, to be given back */
static inline unsigned int light_get_used(struct light_ring *l, struct light_used *out,
					  unsigned int n)
{
	unsigned int i = 0;

	if (!l->packed) {
		const uint16_t there = load_acquire(&l->q->used->idx) - l->used_idx;

		for (n = MIN(n, there); i < n; i++) {
			const struct fe_used_elem *e = &l->q->used->ring[l->used_idx++ & l->mask];

			light_release(l, (uint16_t)e->id, e->bytes, &out[i]);
		}
		return n;
	}
	for (; i < n && light_packed_is_used(l); i++) {
		const struct fe_packed_desc *d = &l->q->pdesc[l->used_idx];

		light_release(l, d->id, d->bytes, &out[i]);
		if (++l->used_idx > l->mask) {
			l->used_idx = 0;
			l->used_wrap = !l->used_wrap;
		}
	}
	return i;
}

#endif /* BENCH_LIGHT_RING_H */
