/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * window.h - the guest's receive buffers that were taken from its ring and not yet given to a
 * lane.
 *
 * Both lanes write into one receive ring. They take their buffers from here, oldest first, so what
 * is left is always the newest part of what was popped and can be put back as if it had never
 * been taken. The parts of consecutive chains lie side by side in one iovec array: any number of
 * them can be handed to readv() as they are.
 */
#ifndef VXDP_LOADER_WINDOW_H
#define VXDP_LOADER_WINDOW_H

#include <stdbool.h>

#include "vhost/ring.h"

#define WINDOW_CHAINS 256
#define WINDOW_PARTS  (WINDOW_CHAINS + VU_CHAIN_IOV_MAX)

struct window {
	unsigned int head; /* first chain */
	unsigned int tail; /* one past the last */
	unsigned int parts_tail;
	uint16_t taken; /* chains ever taken, modulo 2^16: the newest taken one is number taken - 1
			 */
	struct vu_chain chain[WINDOW_CHAINS];
	struct iovec part[WINDOW_PARTS];
};

static inline unsigned int window_chains(const struct window *w)
{
	return w->tail - w->head;
}

static inline struct vu_chain *window_first(struct window *w)
{
	return &w->chain[w->head];
}

/**
 * window_fill() - pop until there are @chains chains, or the ring is empty
 * Return: number of chains in the window, or -EPROTO if the ring is broken.
 */
int window_fill(struct window *w, struct vu_ring *rx, unsigned int chains);

/** window_prefetch() - start loading the beginning of the oldest @n buffers, to write to */
void window_prefetch(const struct window *w, unsigned int n);

/** window_bufs() - the oldest ones as they are for a run: up to @n, as long as they are of one
 * piece */
unsigned int window_bufs(const struct window *w, struct vu_buf *bufs, unsigned int n);

/** window_take() - the oldest @chains chains are used up */
static inline void window_take(struct window *w, unsigned int chains)
{
	w->head += chains;
	w->taken = (uint16_t)(w->taken + chains);
	if (w->head == w->tail) {
		w->head = 0;
		w->tail = 0;
		w->parts_tail = 0;
	}
}

/** window_empty_into() - put everything in the window back into @rx */
void window_empty_into(struct window *w, struct vu_ring *rx);

/** window_untake() - the newest taken chains were put back into the ring by their lane */
static inline void window_untake(struct window *w, unsigned int chains)
{
	w->taken = (uint16_t)(w->taken - chains);
}

#endif /* VXDP_LOADER_WINDOW_H */
