/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fair.h - a pair's share of its worker's time.
 */
#ifndef VXDP_LOADER_FAIR_H
#define VXDP_LOADER_FAIR_H

#include <stdbool.h>
#include <stdint.h>

struct pair;

/* Of a pair; all in cycles. */
struct fair_share {
	uint64_t cost;	    /* of this pass */
	uint64_t ahead;	    /* what it had more than its share */
	unsigned int burst; /* frames it may send, and read from its tap, in one visit */
	bool waits;	    /* it sends nothing in the next pass */
};

/* Of a worker. */
struct fair {
	uint64_t start_cycles, start_ns;
	uint64_t visit_cycles;	 /* VISIT_NS; 0 while it is not known how many */
	unsigned int n_moved;	 /* pairs that had work in this pass */
	unsigned int n_waiting;	 /* pairs that wait, in the next one */
	struct fair_share *last; /* that moved something */
};

/** fair_start() - when the worker begins */
void fair_start(struct fair *fair, uint64_t cycles, uint64_t now_ns);

/** fair_clock() - to be called now and then: how fast cycles go by is learnt from it */
void fair_clock(struct fair *fair, uint64_t cycles, uint64_t now_ns);

/** fair_join() - a pair that is new to its worker */
void fair_join(struct pair *p);

/**
 * fair_visited() - a visit that moved frames took @cost cycles
 * Return: how many of them are put down to the pair.
 */
uint64_t fair_visited(struct fair *fair, struct pair *p, uint64_t cost);

/** fair_pass_end() - after a visit to each of @pairs: who has to wait in the next pass? */
void fair_pass_end(struct fair *fair, struct pair *const *pairs, unsigned int n);

#endif /* VXDP_LOADER_FAIR_H */
