/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "light_ring.h"

#include <errno.h>
#include <string.h>

/* For each buffer a table of descriptors. */
static int tables_open(struct light_ring *l, uint32_t n_buffers)
{
	const uint32_t n = light_n_parts(l->buffer_bytes);
	const size_t bytes = (size_t)n_buffers * n * sizeof(struct fe_desc);

	if (l->is_rx || n == 1)
		return 0;
	l->n_parts = n;
	l->table_gpa = fe_mem_alloc(l->q->fe, bytes, 64);
	l->table = l->table_gpa ? fe_mem_va(l->q->fe, l->table_gpa, bytes) : NULL;
	return l->table ? 0 : -ENOMEM;
}

void light_table_write(struct light_ring *l, uint32_t number, uint64_t gpa, uint32_t bytes)
{
	struct fe_desc *d = &l->table[(size_t)number * l->n_parts];

	for (uint16_t next = 1; bytes; next++, d++) {
		const uint32_t part = MIN(bytes, LIGHT_PART_BYTES);

		*d = (struct fe_desc){.gpa = gpa, .bytes = part};
		gpa += part;
		bytes -= part;
		if (bytes && !l->packed) {
			d->flags = FE_DESC_NEXT;
			d->next = next;
		}
	}
}

static int pool_open(struct light_ring *l, uint32_t n_buffers, uint32_t buffer_bytes)
{
	const size_t bytes = (size_t)n_buffers * buffer_bytes;
	uint32_t size = 1;

	while (size < n_buffers)
		size *= 2;
	l->pool = calloc(size, sizeof(*l->pool));
	l->gpa = fe_mem_alloc(l->q->fe, bytes, LIGHT_PART_BYTES);
	l->va = l->gpa ? fe_mem_va(l->q->fe, l->gpa, bytes) : NULL;
	if (!l->pool || !l->va)
		return -ENOMEM;
	memset(l->va, 0, bytes);
	l->pool_mask = size - 1;
	l->buffer_bytes = buffer_bytes;
	for (uint32_t i = 0; i < n_buffers; i++)
		light_give(l, i);
	return tables_open(l, n_buffers);
}

int light_ring_open(struct light_ring *l, struct fe *fe, unsigned int index, uint16_t num,
		    uint32_t n_buffers, uint32_t buffer_bytes)
{
	int err = fe_ring_open(fe, index, num);

	if (err)
		return err;
	*l = (struct light_ring){.q = &fe->ring[index],
				 .packed = fe->ring[index].packed,
				 .is_rx = fe->ring[index].is_rx,
				 .mask = num - 1,
				 .avail_wrap = true,
				 .used_wrap = true,
				 .n_room = num};
	l->ids = calloc(num, sizeof(*l->ids));
	l->number_of = calloc(num, sizeof(*l->number_of));
	if (!l->ids || !l->number_of)
		return -ENOMEM;
	for (uint16_t i = 0; i < num; i++)
		l->ids[i] = i;
	l->ids_tail = num;
	/* No interrupts, ever: this guest polls. EVENT_IDX is not negotiated. */
	if (l->packed)
		l->q->driver_event->flags = 1;
	else
		l->q->avail->flags = 1;
	return pool_open(l, n_buffers, buffer_bytes);
}

void light_ring_close(struct light_ring *l)
{
	free_ptr(&l->ids);
	free_ptr(&l->number_of);
	free_ptr(&l->pool);
}
