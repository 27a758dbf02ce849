// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_ring.c - the driver side of a virtqueue, split or packed.
 *
 * Ids: split, the head descriptor of the chain; packed, the buffer id. Both come from one
 * first-in-first-out list. With IN_ORDER buffers come back in that order, so descriptors are then
 * used in ring order, as the document demands of a driver, without a line of extra code.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frontend.h"

#define load_acquire(p)	      __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_relaxed(p)	      __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_release(p, val) __atomic_store_n(p, val, __ATOMIC_RELEASE)
#define store_relaxed(p, val) __atomic_store_n(p, val, __ATOMIC_RELAXED)
#define full_fence()	      __atomic_thread_fence(__ATOMIC_SEQ_CST)

static bool has_feature(const struct fe_ring *q, unsigned int bit)
{
	return q->fe->features & FE_F(bit);
}

static uint16_t *used_event(const struct fe_ring *q)
{
	return &q->avail->ring[q->num];
}

static uint16_t *avail_event(const struct fe_ring *q)
{
	return (uint16_t *)&q->used->ring[q->num];
}

void fe_ring_reset(struct fe_ring *q)
{
	size_t avail_bytes = q->packed ? sizeof(struct fe_event) : 6 + 2u * q->num;
	size_t used_bytes = q->packed ? sizeof(struct fe_event) : 6 + 8u * q->num;

	memset(fe_mem_va(q->fe, q->desc_gpa, 16u * q->num), 0, 16u * q->num);
	memset(fe_mem_va(q->fe, q->driver_gpa, avail_bytes), 0, avail_bytes);
	memset(fe_mem_va(q->fe, q->device_gpa, used_bytes), 0, used_bytes);
	memset(q->slot, 0, q->num * sizeof(*q->slot));
	q->base = q->packed ? 1u << 15 | 1u << 31 : 0;
	q->avail_idx = q->used_idx = 0;
	q->avail_wrap = q->used_wrap = true;
	q->n_since_kick = 0;
	q->held = q->in_batch = false;
	q->n_added = q->n_used; /* the device forgot the others */
	q->free_head = q->order_head = q->order_tail = 0;
	q->free_tail = q->num;
	q->n_free_desc = q->num;
	for (unsigned int i = 0; i < q->num; i++) {
		q->free_ids[i] = i;
		if (i < q->pool_n)
			q->pool_free[i] = i;
	}
	q->pool_n_free = q->pool_n;
}

static int ring_place(struct fe_ring *q)
{
	size_t avail_bytes = q->packed ? sizeof(struct fe_event) : 6 + 2u * q->num;
	size_t used_bytes = q->packed ? sizeof(struct fe_event) : 6 + 8u * q->num;
	struct fe *fe = q->fe;

	q->desc_gpa = fe_mem_alloc(fe, 16u * q->num, 16);
	q->driver_gpa = fe_mem_alloc(fe, avail_bytes, 4);
	q->device_gpa = fe_mem_alloc(fe, used_bytes, 4);
	if (!q->desc_gpa || !q->driver_gpa || !q->device_gpa)
		return -ENOMEM;
	q->desc = fe_mem_va(fe, q->desc_gpa, 16u * q->num);
	q->avail = fe_mem_va(fe, q->driver_gpa, avail_bytes);
	q->used = fe_mem_va(fe, q->device_gpa, used_bytes);
	q->pdesc = (void *)q->desc;
	q->driver_event = (void *)q->avail;
	q->device_event = (void *)q->used;
	return 0;
}

int fe_ring_open(struct fe *fe, unsigned int index, uint16_t num)
{
	struct fe_ring *q = &fe->ring[index];
	int err;

	fe_ring_close(q);
	q->fe = fe;
	q->index = index;
	q->num = num;
	q->is_rx = !(index & 1);
	q->packed = has_feature(q, FE_F_PACKED);
	q->kick_fd = q->call_fd = q->err_fd = -1;
	q->slot = calloc(num, sizeof(*q->slot));
	q->next = calloc(num, sizeof(*q->next));
	q->free_ids = calloc(num, sizeof(*q->free_ids));
	q->order = calloc(num, sizeof(*q->order));
	if (!q->slot || !q->next || !q->free_ids || !q->order)
		return -ENOMEM;
	err = ring_place(q);
	if (!err)
		fe_ring_reset(q);
	return err;
}

void fe_ring_close(struct fe_ring *q)
{
	int *fds[] = {&q->kick_fd, &q->call_fd, &q->err_fd};

	if (!q->fe)
		return;
	for (unsigned int i = 0; i < 3; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	free(q->slot);
	free(q->next);
	free(q->free_ids);
	free(q->order);
	free(q->pool);
	free(q->pool_free);
	memset(q, 0, sizeof(*q));
}

static uint16_t take_id(struct fe_ring *q)
{
	return q->free_ids[q->free_head++ % q->num];
}

static void give_id(struct fe_ring *q, uint16_t id)
{
	q->free_ids[q->free_tail++ % q->num] = id;
}

/* The indirect table of buffer @id, filled: its address, or 0. */
static uint64_t fill_indirect(struct fe_ring *q, uint16_t id, const struct fe_part *parts,
			      unsigned int n)
{
	const size_t table_bytes = FE_INDIRECT_MAX * sizeof(struct fe_desc);
	struct fe_desc *table;
	uint64_t gpa;

	if (!q->indirect_gpa)
		q->indirect_gpa = fe_mem_alloc(q->fe, q->num * table_bytes, 16);
	if (!q->indirect_gpa || n > FE_INDIRECT_MAX)
		return 0;
	gpa = q->indirect_gpa + id * table_bytes;
	table = fe_mem_va(q->fe, gpa, table_bytes);
	for (unsigned int i = 0; i < n; i++) {
		table[i] = (struct fe_desc){.gpa = parts[i].gpa, .bytes = parts[i].bytes};
		table[i].flags = parts[i].writable ? FE_DESC_WRITE : 0;
		if (!q->packed && i + 1 < n) {
			table[i].flags |= FE_DESC_NEXT;
			table[i].next = i + 1;
		}
	}
	return gpa;
}

static uint16_t split_add(struct fe_ring *q, const struct fe_part *parts, unsigned int n_desc,
			  uint16_t extra_flags)
{
	uint16_t head = take_id(q), id = head;

	for (unsigned int i = 0; i < n_desc; i++) {
		struct fe_desc *d = &q->desc[id];

		d->gpa = parts[i].gpa;
		d->bytes = parts[i].bytes;
		d->flags = (parts[i].writable ? FE_DESC_WRITE : 0) | extra_flags;
		d->next = 0;
		if (i + 1 < n_desc) {
			q->next[id] = take_id(q);
			d->flags |= FE_DESC_NEXT;
			d->next = q->next[id];
			id = d->next;
		}
	}
	q->avail->ring[q->avail_idx++ % q->num] = head;
	q->n_since_kick++;
	return head;
}

static uint16_t packed_add(struct fe_ring *q, const struct fe_part *parts, unsigned int n_desc,
			   uint16_t extra_flags)
{
	uint16_t id = take_id(q);

	for (unsigned int i = 0; i < n_desc; i++) {
		struct fe_packed_desc *d = &q->pdesc[q->avail_idx];
		uint16_t flags = (parts[i].writable ? FE_DESC_WRITE : 0) | extra_flags |
				 (q->avail_wrap ? FE_DESC_AVAIL : FE_DESC_USED);

		if (i + 1 < n_desc)
			flags |= FE_DESC_NEXT;
		d->gpa = parts[i].gpa;
		d->bytes = parts[i].bytes;
		d->id = id;
		if (!q->held) {
			q->held = true;
			q->held_at = q->avail_idx;
			q->held_flags = flags;
		} else {
			store_release(&d->flags, flags);
		}
		if (++q->avail_idx == q->num) {
			q->avail_idx = 0;
			q->avail_wrap = !q->avail_wrap;
		}
	}
	q->n_since_kick += n_desc;
	return id;
}

int fe_ring_add(struct fe_ring *q, const struct fe_part *parts, unsigned int n, unsigned int flags,
		uint64_t cookie)
{
	bool indirect = flags & FE_ADD_INDIRECT;
	unsigned int n_desc = indirect ? 1 : n;
	struct fe_part table = {.bytes = n * sizeof(struct fe_desc)};
	uint32_t writable = 0;
	uint16_t id;

	if (!n || n_desc > q->n_free_desc || q->free_head == q->free_tail)
		return -ENOSPC;
	if (indirect) {
		table.gpa = fill_indirect(q, q->free_ids[q->free_head % q->num], parts, n);
		if (!table.gpa)
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < n; i++)
		writable += parts[i].writable ? parts[i].bytes : 0;
	if (q->packed)
		id = packed_add(q, indirect ? &table : parts, n_desc,
				indirect ? FE_DESC_INDIRECT : 0);
	else
		id = split_add(q, indirect ? &table : parts, n_desc,
			       indirect ? FE_DESC_INDIRECT : 0);
	q->slot[id] = (struct fe_slot){
		.busy = true, .n_desc = n_desc, .writable_bytes = writable, .cookie = cookie};
	q->order[q->order_tail++ % q->num] = id;
	q->n_free_desc -= n_desc;
	q->n_added++;
	if (!(flags & FE_ADD_HOLD))
		fe_ring_publish(q);
	return id;
}

void fe_ring_publish(struct fe_ring *q)
{
	if (!q->packed) {
		store_release(&q->avail->idx, q->avail_idx);
	} else if (q->held) {
		store_release(&q->pdesc[q->held_at].flags, q->held_flags);
		q->held = false;
	}
}

static bool split_wants_kick(struct fe_ring *q)
{
	uint16_t flags = load_relaxed(&q->used->flags);

	if (!has_feature(q, FE_F_EVENT_IDX)) {
		if (flags > 1)
			fe_bad(q->fe, "used.flags %#x of ring %u", flags, q->index);
		return !(flags & 1);
	}
	if (flags)
		fe_bad(q->fe, "used.flags %#x of ring %u with EVENT_IDX", flags, q->index);
	return (uint16_t)(q->avail_idx - load_relaxed(avail_event(q)) - 1) < q->n_since_kick;
}

static bool packed_wants_kick(struct fe_ring *q)
{
	uint16_t flags = load_acquire(&q->device_event->flags);
	uint16_t off_wrap = load_relaxed(&q->device_event->off_wrap);
	uint16_t off = off_wrap & 0x7fff;

	if (flags > 2 || (flags == 2 && !has_feature(q, FE_F_EVENT_IDX)))
		fe_bad(q->fe, "device event flags %#x of ring %u", flags, q->index);
	if (flags != 2)
		return flags == 0;
	if (off_wrap >> 15 != q->avail_wrap)
		off -= q->num;
	return (uint16_t)(q->avail_idx - off - 1) < q->n_since_kick;
}

void fe_ring_kick_always(struct fe_ring *q)
{
	uint64_t one = 1;

	if (q->kick_fd >= 0 && write(q->kick_fd, &one, sizeof(one)) == sizeof(one))
		q->n_kicks++;
	q->n_since_kick = 0;
}

bool fe_ring_kick(struct fe_ring *q)
{
	bool wanted;

	if (!q->n_since_kick)
		return false;
	full_fence();
	wanted = q->packed ? packed_wants_kick(q) : split_wants_kick(q);
	if (wanted)
		fe_ring_kick_always(q);
	q->n_since_kick = 0;
	return wanted;
}

bool fe_ring_has_used(const struct fe_ring *q)
{
	uint16_t flags;

	if (!q->packed)
		return load_acquire(&q->used->idx) != q->used_idx;
	flags = load_acquire(&q->pdesc[q->used_idx].flags);
	return !!(flags & FE_DESC_AVAIL) == q->used_wrap &&
	       !!(flags & FE_DESC_USED) == q->used_wrap;
}

/* Read the used entry at used_idx, and see whether it makes sense. */
static int read_used(struct fe_ring *q, uint16_t *out_id, uint32_t *bytes)
{
	uint32_t id;

	if (q->packed) {
		id = q->pdesc[q->used_idx].id;
		*bytes = q->pdesc[q->used_idx].bytes;
		if (!(q->pdesc[q->used_idx].flags & FE_DESC_WRITE))
			*bytes = 0; /* virtio 1.2, 2.8.3: means nothing then */
	} else {
		id = q->used->ring[q->used_idx % q->num].id;
		*bytes = q->used->ring[q->used_idx % q->num].bytes;
	}
	if (id >= q->num || !q->slot[id].busy) {
		fe_bad(q->fe, "ring %u: used id %u was not available", q->index, id);
		return -EPROTO;
	}
	if (*bytes > q->slot[id].writable_bytes) {
		fe_bad(q->fe, "ring %u: %u bytes written to a buffer of %u", q->index, *bytes,
		       q->slot[id].writable_bytes);
		return -EPROTO;
	}
	*out_id = id;
	return 0;
}

static void advance_used(struct fe_ring *q, uint16_t n_desc)
{
	if (!q->packed) {
		q->used_idx++;
		return;
	}
	q->used_idx += n_desc;
	if (q->used_idx >= q->num) {
		q->used_idx -= q->num;
		q->used_wrap = !q->used_wrap;
	}
}

static void release(struct fe_ring *q, uint16_t id)
{
	struct fe_slot *s = &q->slot[id];

	q->n_free_desc += s->n_desc;
	if (q->packed)
		give_id(q, id);
	for (unsigned int i = 0; !q->packed && i < s->n_desc; i++) {
		uint16_t next = q->next[id];

		give_id(q, id);
		id = next;
	}
	s->busy = false;
}

int fe_ring_get(struct fe_ring *q, uint64_t *cookie, uint32_t *bytes)
{
	uint16_t id;
	bool last;
	int err;

	if (!q->in_batch) {
		if (!fe_ring_has_used(q))
			return 0;
		err = read_used(q, &q->batch_end, &q->batch_bytes);
		if (err)
			return err;
		q->in_batch = true;
	}
	/* IN_ORDER: one entry may stand for all up to and including it */
	id = has_feature(q, FE_F_IN_ORDER) ? q->order[q->order_head++ % q->num] : q->batch_end;
	last = id == q->batch_end;
	if (!q->packed && load_acquire(&q->used->idx) == q->used_idx) {
		fe_bad(q->fe, "ring %u: used out of order", q->index);
		return -EPROTO;
	}
	*bytes = last ? q->batch_bytes : q->slot[id].writable_bytes;
	*cookie = q->slot[id].cookie;
	advance_used(q, q->slot[id].n_desc);
	release(q, id);
	q->in_batch = !last;
	q->n_used++;
	return 1;
}

unsigned int fe_ring_in_flight(const struct fe_ring *q)
{
	return q->n_added - q->n_used;
}

void fe_ring_call_on(struct fe_ring *q)
{
	bool event_idx = has_feature(q, FE_F_EVENT_IDX);

	if (q->packed) {
		store_relaxed(&q->driver_event->off_wrap,
			      q->used_idx | (uint16_t)(q->used_wrap << 15));
		store_release(&q->driver_event->flags, event_idx ? 2 : 0);
	} else if (event_idx) {
		store_relaxed(used_event(q), q->used_idx);
	} else {
		store_relaxed(&q->avail->flags, 0);
	}
	full_fence();
}

void fe_ring_call_off(struct fe_ring *q)
{
	if (q->packed)
		store_relaxed(&q->driver_event->flags, 1);
	else if (has_feature(q, FE_F_EVENT_IDX))
		store_relaxed(used_event(q), q->used_idx - 1);
	else
		store_relaxed(&q->avail->flags, 1);
}

int fe_ring_wait(struct fe_ring *q, int timeout_ms)
{
	struct pollfd p = {.fd = q->call_fd, .events = POLLIN};
	uint64_t n;

	fe_ring_call_on(q);
	for (int waited_ms = 0; !fe_ring_has_used(q); waited_ms++) {
		if (q->call_fd >= 0)
			waited_ms = timeout_ms;
		if (poll(&p, q->call_fd >= 0, q->call_fd >= 0 ? timeout_ms : 1) > 0 &&
		    read(q->call_fd, &n, sizeof(n)) == sizeof(n)) {
			q->n_calls += n;
			waited_ms = 0;
			if (!fe_ring_has_used(q))
				return 0;
		} else if (waited_ms >= timeout_ms) {
			break;
		}
	}
	return fe_ring_has_used(q);
}

bool fe_ring_error(struct fe_ring *q)
{
	uint64_t n;

	return q->err_fd >= 0 && read(q->err_fd, &n, sizeof(n)) == sizeof(n);
}
