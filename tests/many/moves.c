/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moves.c - an address goes from place to place: how soon do its frames follow?
 *
 * Guest 0 sends to the address every 100 us, or as fast as it can, so that every lane has the flow
 * cached. Then the address speaks up once, by a broadcast, from another place. Frames that were on
 * their way may still come to the old place; after the first one at the new place none may. At the
 * new place no frame may overtake another.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

#define PERIOD_US   100
#define BEFORE_US   50000  /* at the old place, before it moves */
#define AFTER_US    100000 /* at the new place; the switch may hold an address for 50 ms */
#define PATIENCE_US 5000000
#define MOVES	    12
#define BURST	    32 /* as fast as it can: at once */

struct watch {
	unsigned int old, new; /* stations */
	uint32_t seq;
	int64_t next_us;
	uint32_t first_new; /* number of the first frame at the new place, or 0 */
	uint32_t last_new;  /* of the newest there */
	bool full_rate;
	uint64_t n_new, n_old, n_stray, n_elsewhere, n_reordered;
};

static const uint8_t moving_mac[6] = {0x02, 0x5b, 0, 0, 0, 1};

static void send_some(struct stations *s, struct watch *w)
{
	if (!w->full_rate && now_us() < w->next_us)
		return;
	w->next_us = now_us() + PERIOD_US;
	for (int i = 0; i < (w->full_rate ? BURST : 1); i++) {
		if (station_send(s, 0, s->at[0].mac, moving_mac, 0, w->seq + 1))
			break;
		w->seq++;
	}
	station_flush(s, 0);
}

static void arrived(struct watch *w, unsigned int at, uint32_t seq)
{
	if (at == w->new) {
		if (!w->first_new)
			w->first_new = seq;
		w->n_new++;
		w->n_reordered += seq < w->last_new;
		w->last_new = seq;
	} else if (at == w->old && w->first_new && seq > w->first_new) {
		w->n_stray++;
	} else if (at == w->old) {
		w->n_old++;
	} else {
		w->n_elsewhere++;
	}
}

/* Some frames, when it is time; then see what has come where. */
static void step(struct stations *s, struct watch *w)
{
	struct frame f;

	send_some(s, w);
	for (unsigned int i = 1; i < s->n; i++) {
		for (int k = 0; k < 2 * BURST && station_recv(s, i, &f) > 0; k++)
			if (memcmp(f.dst, moving_mac, 6) == 0)
				arrived(w, i, f.seq);
	}
}

static void step_for(struct stations *s, struct watch *w, int64_t us)
{
	for (int64_t end = now_us() + us; now_us() < end;)
		step(s, w);
}

/* Return: us until the first frame came to the new place, or -ETIMEDOUT. */
static int64_t move(struct stations *s, struct watch *w, unsigned int to)
{
	const int64_t start = now_us();

	*w = (struct watch){.old = w->new, .new = to, .seq = w->seq, .full_rate = w->full_rate};
	if (send_retry(s, to, moving_mac, broadcast_mac, STATION_ALL, 0))
		return -ETIMEDOUT;
	while (!w->n_new && now_us() < start + PATIENCE_US)
		step(s, w);
	return w->n_new ? now_us() - start : -ETIMEDOUT;
}

int mode_moves(struct stations *s, const struct many_options *opt)
{
	const unsigned int wire = s->n_guests, places[] = {1, 2, wire, 1, wire, 2};
	uint64_t n_stray = 0, n_elsewhere = 0, n_reordered = 0, n_arrived = 0;
	struct watch w = {.new = 2, .full_rate = opt->full_rate};
	int64_t worst_us = 0;
	int err = settle(s);

	for (unsigned int i = 0; !err && i < MOVES; i++) {
		int64_t us = move(s, &w, places[i % ARRAY_SIZE(places)]);

		if (us < 0)
			err = (int)us;
		worst_us = MAX(worst_us, us);
		step_for(s, &w, i ? AFTER_US : AFTER_US + BEFORE_US);
		if (!i)
			continue; /* while it was unknown, it was sought everywhere */
		n_stray += w.n_stray;
		n_elsewhere += w.n_elsewhere;
		n_reordered += w.n_reordered;
		n_arrived += w.n_new;
	}
	printf("{\"moves\":%d,\"worst_ms\":%.1f,\"stray\":%" PRIu64 ",\"elsewhere\":%" PRIu64
	       ",\"reordered\":%" PRIu64 ",\"sent\":%u,\"arrived\":%" PRIu64 "}\n",
	       MOVES, (double)worst_us / 1000, n_stray, n_elsewhere, n_reordered, w.seq, n_arrived);
	return err;
}
