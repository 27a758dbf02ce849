/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "window.h"

#include <string.h>

#include <vxdp/util.h>

/* Move what is left to the start of both arrays. */
static void window_compact(struct window *w)
{
	unsigned int n = window_chains(w);
	unsigned int first_part = (unsigned int)(w->chain[w->head].iov - w->part);

	memmove(w->part, &w->part[first_part], (w->parts_tail - first_part) * sizeof(w->part[0]));
	memmove(w->chain, &w->chain[w->head], n * sizeof(w->chain[0]));
	for (unsigned int i = 0; i < n; i++)
		w->chain[i].iov -= first_part;
	w->head = 0;
	w->tail = n;
	w->parts_tail -= first_part;
}

int window_fill(struct window *w, struct vu_ring *rx, unsigned int chains)
{
	unsigned int have = window_chains(w);
	int n;

	if (have >= chains)
		return (int)have;
	if (w->head &&
	    (w->head + chains > WINDOW_CHAINS || WINDOW_PARTS - w->parts_tail < VU_CHAIN_IOV_MAX))
		window_compact(w);

	n = vu_ring_pop(rx, &w->chain[w->tail], MIN(chains, WINDOW_CHAINS) - have,
			&w->part[w->parts_tail], WINDOW_PARTS - w->parts_tail);
	if (n <= 0)
		return n < 0 ? n : (int)have;
	w->tail += (unsigned int)n;
	w->parts_tail =
		(unsigned int)(w->chain[w->tail - 1].iov - w->part) + w->chain[w->tail - 1].n_iov;
	return (int)window_chains(w);
}

void window_prefetch(const struct window *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct vu_chain *c = &w->chain[w->head + i];

		if (likely(c->n_iov)) {
			prefetch_write(c->iov[0].iov_base);
			prefetch_write((uint8_t *)c->iov[0].iov_base + CACHE_LINE_BYTES);
		}
	}
}

unsigned int window_bufs(const struct window *w, struct vu_buf *bufs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && vu_chain_buf(&w->chain[w->head + i], &bufs[i]); i++)
		;
	return i;
}

void window_empty_into(struct window *w, struct vu_ring *rx)
{
	struct vu_head heads[WINDOW_CHAINS];
	unsigned int n = window_chains(w);

	for (unsigned int i = 0; i < n; i++)
		heads[i] = w->chain[w->head + i].head;
	if (n)
		vu_ring_unpop(rx, heads, n);
	window_take(w, n);
	window_untake(w, n);
}
