// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_net.c - a network device: buffers, frames and virtio-net headers.
 *
 * Each ring has a pool of buffers of one size; the number of a buffer is its cookie in the ring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

#define TX_PARTS_MAX FE_INDIRECT_MAX

static int pool_open(struct fe_ring *q, unsigned int n, uint32_t buffer_bytes)
{
	q->pool = calloc(n, sizeof(*q->pool));
	q->pool_free = calloc(n, sizeof(*q->pool_free));
	if (!q->pool || !q->pool_free)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		q->pool[i] = fe_mem_alloc(q->fe, buffer_bytes, 64);
		q->pool_free[i] = i;
		if (!q->pool[i])
			return -ENOMEM;
	}
	q->pool_n = q->pool_n_free = n;
	q->buffer_bytes = buffer_bytes;
	return 0;
}

int fe_net_rings_open(struct fe *fe)
{
	const struct fe_config *c = &fe->config;
	int err = 0;

	for (unsigned int i = 0; !err && i < fe->n_rings; i++) {
		struct fe_ring *q = &fe->ring[i];
		bool is_rx = !(i & 1);
		unsigned int num = is_rx ? c->rx_num : c->tx_num;

		if (q->fe)
			continue; /* there from an earlier connection */
		err = fe_ring_open(fe, i, num);
		if (!err && is_rx)
			err = pool_open(q, num / c->rx_parts, c->rx_buffer_bytes);
		else if (!err)
			err = pool_open(q, num < 256 ? num : 256, c->tx_buffer_bytes);
	}
	return err;
}

/* A receive buffer of several descriptors: the header alone, the rest in equal pieces. */
static void add_rx(struct fe_ring *q, uint16_t number)
{
	unsigned int n = q->fe->config.rx_parts;
	uint64_t gpa = q->pool[number], end = gpa + q->buffer_bytes;
	struct fe_part parts[TX_PARTS_MAX];

	for (unsigned int i = 0; i < n; i++) {
		uint32_t bytes = (q->buffer_bytes - FE_HDR_BYTES) / (n > 1 ? n - 1 : 1);

		if (i == 0)
			bytes = FE_HDR_BYTES;
		if (i == n - 1)
			bytes = end - gpa;
		parts[i] = (struct fe_part){.gpa = gpa, .bytes = bytes, .writable = true};
		gpa += bytes;
	}
	if (fe_ring_add(q, parts, n, FE_ADD_HOLD, number) < 0)
		q->pool_free[q->pool_n_free++] = number;
}

void fe_net_refill(struct fe *fe, unsigned int pair)
{
	struct fe_ring *q = fe_rx(fe, pair);
	unsigned int n = q->pool_n_free;

	while (n--)
		add_rx(q, q->pool_free[--q->pool_n_free]);
	fe_ring_publish(q);
	fe_ring_kick(q);
}

int fe_net_rings_start(struct fe *fe)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < fe->n_rings; i++)
		err = fe_dev_ring_start(&fe->ring[i]);
	if (fe->features & FE_F(FE_F_PROTOCOL))
		for (unsigned int i = 0; !err && i < fe->n_rings; i++)
			err = fe_dev_ring_enable(fe, i, true);
	if (!err)
		err = fe_dev_set_status(fe, FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER |
						    FE_STATUS_FEATURES_OK | FE_STATUS_DRIVER_OK);
	for (unsigned int i = 0; !err && i < fe->n_rings; i++) {
		if (fe->ring[i].is_rx)
			fe_net_refill(fe, i / 2);
		fe_ring_kick_always(&fe->ring[i]); /* a front end should, whatever is in it */
	}
	return err;
}

int fe_net_rings_stop(struct fe *fe)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < fe->n_rings; i++)
		if (fe->features & FE_F(FE_F_PROTOCOL))
			err = fe_dev_ring_enable(fe, i, false);
	for (unsigned int i = 0; !err && i < fe->n_rings; i++)
		err = fe_dev_ring_stop(&fe->ring[i]);
	return err;
}

int fe_net_start(struct fe *fe)
{
	int err = fe_dev_negotiate(fe);

	if (!err)
		err = fe_dev_mem_table(fe);
	if (!err)
		err = fe_net_rings_open(fe);
	if (!err)
		err = fe_net_rings_start(fe);
	return err;
}

int fe_net_reconnect(struct fe *fe)
{
	for (unsigned int i = 0; i < fe->n_rings; i++) {
		struct fe_ring *q = &fe->ring[i];

		if (q->fe && q->packed)
			fe_ring_reset(q);
		else if (q->fe)
			q->base = __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
	}
	return fe_net_start(fe);
}

static unsigned int cut(struct fe_part *parts, uint64_t gpa, uint32_t bytes, enum fe_layout layout)
{
	static const uint32_t pieces[FE_N_LAYOUTS][6] = {
		[FE_LAYOUT_ONE] = {UINT32_MAX},
		[FE_LAYOUT_TWO] = {FE_HDR_BYTES, UINT32_MAX},
		[FE_LAYOUT_HEADER] = {1, 2, 3, 4, 2, UINT32_MAX},
		[FE_LAYOUT_MANY] = {7, 64, 300, 300, 300, 300},
	};
	unsigned int n = 0;

	while (bytes && n < TX_PARTS_MAX) {
		uint32_t piece = pieces[layout][n < 5 ? n : 5];

		if (piece > bytes || n == TX_PARTS_MAX - 1)
			piece = bytes;
		parts[n++] = (struct fe_part){.gpa = gpa, .bytes = piece};
		gpa += piece;
		bytes -= piece;
	}
	return n;
}

static void give_buffer(struct fe_ring *q, uint64_t number)
{
	if (number < q->pool_n)
		q->pool_free[q->pool_n_free++] = number;
}

int fe_net_reclaim(struct fe *fe, unsigned int pair)
{
	struct fe_ring *q = fe_tx(fe, pair);
	uint64_t number;
	uint32_t bytes;
	int n = 0;

	while (fe_ring_get(q, &number, &bytes) > 0) {
		give_buffer(q, number);
		n++;
	}
	return n;
}

int fe_net_send(struct fe *fe, unsigned int pair, const struct fe_hdr *hdr, const void *frame,
		size_t bytes, enum fe_layout layout, unsigned int flags)
{
	struct fe_ring *q = fe_tx(fe, pair);
	struct fe_part parts[TX_PARTS_MAX];
	unsigned int n_parts;
	uint16_t number;
	uint8_t *va;

	if (bytes + FE_HDR_BYTES > q->buffer_bytes)
		return -EMSGSIZE;
	fe_net_reclaim(fe, pair);
	if (!q->pool_n_free)
		return -EAGAIN;
	number = q->pool_free[q->pool_n_free - 1];
	va = fe_mem_va(fe, q->pool[number], q->buffer_bytes);
	memset(va, 0, FE_HDR_BYTES);
	if (hdr)
		memcpy(va, hdr, FE_HDR_BYTES);
	memcpy(va + FE_HDR_BYTES, frame, bytes);
	n_parts = cut(parts, q->pool[number], bytes + FE_HDR_BYTES, layout);
	if (fe_ring_add(q, parts, n_parts, flags, number) < 0)
		return -EAGAIN;
	q->pool_n_free--;
	return 0;
}

void fe_net_flush(struct fe *fe, unsigned int pair)
{
	fe_ring_publish(fe_tx(fe, pair));
	fe_ring_kick(fe_tx(fe, pair));
}

/* One used buffer appended to frame[*filled..]; the part past @size is counted but not kept. */
static int take_buffer(struct fe_ring *q, uint8_t *frame, size_t size, size_t *filled, bool first,
		       struct fe_hdr *hdr, bool *was_full)
{
	uint32_t bytes, skip = first ? FE_HDR_BYTES : 0;
	uint64_t number;
	const uint8_t *va;
	size_t n;
	int got = fe_ring_get(q, &number, &bytes);

	if (got <= 0)
		return got;
	if (number >= q->pool_n) { /* a test's own: where it is, the test knows */
		*hdr = (struct fe_hdr){.num_buffers = 1};
		*was_full = true;
		return 1;
	}
	va = fe_mem_va(q->fe, q->pool[number], q->buffer_bytes);
	if (bytes < skip) {
		fe_bad(q->fe, "ring %u: %u bytes do not hold a header", q->index, bytes);
		return -EPROTO;
	}
	if (first)
		memcpy(hdr, va, FE_HDR_BYTES);
	n = bytes - skip;
	if (*filled < size)
		memcpy(frame + *filled, va + skip, n < size - *filled ? n : size - *filled);
	*filled += n;
	*was_full = bytes == q->buffer_bytes;
	give_buffer(q, number);
	return 1;
}

int fe_net_recv(struct fe *fe, unsigned int pair, struct fe_hdr *out_hdr, void *frame, size_t size)
{
	bool mergeable = fe->features & FE_F(FE_F_MRG_RXBUF);
	struct fe_ring *q = fe_rx(fe, pair);
	struct fe_hdr hdr;
	size_t filled = 0;
	bool was_full;
	int got = take_buffer(q, frame, size, &filled, true, &hdr, &was_full);

	if (got <= 0) {
		fe_net_refill(fe, pair);
		return got;
	}
	if (!hdr.num_buffers || (!mergeable && hdr.num_buffers != 1)) {
		fe_bad(fe, "num_buffers is %u", hdr.num_buffers);
		return -EPROTO;
	}
	for (unsigned int i = 1; i < hdr.num_buffers; i++) {
		if (!was_full)
			fe_bad(fe, "buffer %u of %u is not full", i, hdr.num_buffers);
		got = take_buffer(q, frame, size, &filled, false, &hdr, &was_full);
		if (got <= 0) {
			fe_bad(fe, "only %u of %u buffers are there", i, hdr.num_buffers);
			return -EPROTO;
		}
	}
	if (out_hdr)
		*out_hdr = hdr;
	return filled > size ? -EMSGSIZE : (int)filled;
}
