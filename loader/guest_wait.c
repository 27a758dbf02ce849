/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Back pressure. A frame that finds no receive buffer waits in its own guest's transmit buffer. It
 * is dropped, and counted where it was going to, when that port has taken none for STALL_NS, or
 * after WAIT_NS in any case. A port that takes none is stalled for this sender: until it takes some
 * again nothing waits for it.
 *
 * Frames for other ports go on, since those that wait are set aside; one port may have half of the
 * places, and what is more is dropped. Only if the guest has sent to nobody else for a while, then
 * the ring is left alone when no place is free. With IN_ORDER nothing can be set aside, and nothing
 * waits.
 */
#include "guest_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "lane_kernel.h"

#define STALL_NS    (100 * 1000000ULL)
#define WAIT_NS	    (500 * 1000000ULL)
#define TICK_NS	    (1 * 1000000ULL) /* waited between two attempts, at most */
#define OTHER_NS    (10 * 1000000ULL)
#define WAITING_MAX 128
#define PARTS_MAX   20 /* of a frame that waits: those of a Linux guest have up to 19 */

struct waiting {
	uint64_t since_ns;
	uint32_t hash;
	uint16_t port;
	struct vu_head buffer;
	struct guest_head head;
	struct deliver_frame frame; /* its iov is part[], its head is head.frame */
	struct iovec part[PARTS_MAX];
};

/* Oldest first. */
struct guest_waiting {
	unsigned int n;
	uint32_t generation; /* under which their lane was found */
	uint64_t clock_ns;   /* how long frames have waited, see tick() */
	uint64_t last_ns;
	uint64_t other_ns;		  /* when a frame went elsewhere than the one before it */
	uint16_t last_port;		  /* where that one went */
	unsigned int n_ports;		  /* that frames wait for */
	uint8_t n_for[VXDP_PORTS_MAX];	  /* how many, by port */
	uint64_t took_ns[VXDP_PORTS_MAX]; /* when it last took one of those */
	uint64_t stalled[VXDP_PORTS_MAX / 64]; /* bit: it has not taken any for too long */
	uint8_t order[WAITING_MAX]; /* places in frame[]: those that wait, then free ones */
	struct waiting frame[WAITING_MAX];
};

static bool bit(const uint64_t *bits, uint16_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void bit_set(uint64_t *bits, uint16_t n, bool on)
{
	bits[n / 64] &= ~(1ULL << n % 64);
	bits[n / 64] |= (uint64_t)on << n % 64;
}

int guest_waiting_new(struct guest_waiting **out)
{
	struct guest_waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	for (unsigned int i = 0; i < WAITING_MAX; i++)
		w->order[i] = (uint8_t)i;
	*out = w;
	return 0;
}

unsigned int guest_waiting_count(const struct guest_waiting *w)
{
	return w->n;
}

bool guest_waits_for(const struct guest_waiting *w, uint16_t port)
{
	return w->n_for[port];
}

void guest_took(struct guest_waiting *w, uint16_t port)
{
	if (unlikely(bit(w->stalled, port)))
		bit_set(w->stalled, port, false);
}

static unsigned int waiting_max(const struct pair *p)
{
	const struct vu_ring_info *info = vu_ring_info(p->tx);

	return info->in_order ? 0 : MIN((unsigned int)WAITING_MAX, info->num / 2u);
}

/* Does the guest send to one port only? Then nobody else is held up if it has to wait. */
static bool one_port_only(const struct guest_waiting *w, uint64_t now_ns)
{
	return w->n_ports == 1 && now_ns - w->other_ns >= OTHER_NS;
}

void guest_elsewhere(struct pair *p, uint16_t port, uint64_t now_ns)
{
	struct guest_waiting *w = p->waiting;

	if (likely(w->last_port == port))
		return;
	w->last_port = port;
	w->other_ns = now_ns;
}

struct pair *guest_expected(const struct pair *p)
{
	const struct deliver_set *set = load_acquire(&p->deliver->set[p->waiting->last_port]);

	return set && set->n == 1 && p->guest_lane ? set->pair[0] : NULL;
}

unsigned int guest_may_pop(const struct pair *p, uint64_t now_ns)
{
	const struct guest_waiting *w = p->waiting;

	if (likely(!w->n) || !one_port_only(w, now_ns))
		return BURST;
	return MIN(waiting_max(p) - w->n, (unsigned int)BURST);
}

/* May one more frame wait for this port? */
static bool may_wait(const struct pair *p, const struct deliver_frame *f, uint16_t port,
		     uint64_t now_ns)
{
	const struct guest_waiting *w = p->waiting;
	unsigned int max = waiting_max(p);

	if (w->n >= max || f->n_iov > PARTS_MAX || bit(w->stalled, port))
		return false;
	return w->n_for[port] < max / 2 || one_port_only(w, now_ns);
}

static void wait_count(struct guest_waiting *w, uint16_t port)
{
	w->n_ports += !w->n_for[port]++;
}

bool guest_wait(struct pair *p, const struct guest_batch *b, unsigned int i, uint64_t now_ns)
{
	struct guest_waiting *w = p->waiting;
	struct waiting *place = &w->frame[w->order[w->n]];
	const struct deliver_frame *f = &b->frame[i];

	if (!may_wait(p, f, b->flow[i]->port, now_ns))
		return false;
	if (!w->n)
		w->last_ns = now_ns;
	place->since_ns = w->clock_ns;
	place->hash = b->hash[i];
	place->port = b->flow[i]->port;
	place->buffer = b->buffer[i];
	memcpy(place->head.frame, f->head, f->head_bytes);
	memcpy(place->part, f->iov, f->n_iov * sizeof(f->iov[0]));
	place->frame = *f;
	place->frame.iov = place->part;
	place->frame.head = place->head.frame;
	if (!w->n++)
		w->generation = b->flow[i]->generation;
	wait_count(w, place->port);
	return true;
}

static void wait_end(struct pair *p, struct waiting *f)
{
	vu_ring_push(p->tx, f->buffer, 0);
	f->frame.n_iov = 0; /* dealt with */
}

/* It was counted as sent to a guest when it was added. */
static void uncount(struct pair *p, const struct deliver_frame *f)
{
	count(&p->stats.tx_guest, -(uint64_t)deliver_packets(f), -(uint64_t)f->bytes);
}

static void by_kernel(struct pair *p, struct waiting *f)
{
	const struct deliver_frame *d = &f->frame;

	uncount(p, d);
	kernel_tx(p, &d->hdr, d->iov, d->n_iov, d->skip, d->bytes);
	wait_end(p, f);
}

/* The configuration changed: do they still go there? */
static void route_again(struct pair *p, uint32_t generation, uint64_t now_ns)
{
	struct guest_waiting *w = p->waiting;

	for (unsigned int i = 0; i < w->n; i++) {
		struct waiting *f = &w->frame[w->order[i]];
		struct flow_key key =
			flow_key_of(f->head.frame, f->frame.head_bytes, p->tables.port_id);
		struct flow_entry *e = flow_find(p->flows, &key, generation, now_ns);
		bool stays;

		if (!e)
			e = flow_look_up(p->flows, &p->tables, &key, generation, now_ns, &stays);
		f->port = e->port;
		if (e->lane == FLOW_GUEST && deliver_pair(p->deliver, e->port, 0))
			continue;
		if (e->lane == FLOW_GUEST)
			flow_slow(e, now_ns);
		by_kernel(p, f);
	}
	w->generation = generation;
}

/* Take out those that are dealt with, and note for which ports the others wait. */
static unsigned int wait_compact(struct guest_waiting *w)
{
	uint8_t order[WAITING_MAX];
	unsigned int kept = 0, gone = 0, n = w->n;

	memset(w->n_for, 0, sizeof(w->n_for));
	w->n_ports = 0;
	for (unsigned int i = 0; i < n; i++) {
		struct waiting *f = &w->frame[w->order[i]];

		if (f->frame.n_iov) {
			wait_count(w, f->port);
			w->order[kept++] = w->order[i];
		} else {
			order[gone++] = w->order[i];
		}
	}
	memcpy(&w->order[kept], order, gone);
	w->n = kept;
	return gone;
}

void guest_wait_end(struct pair *p, const struct flow_key *key)
{
	struct guest_waiting *w = p->waiting;
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n; i++) {
		struct waiting *f = &w->frame[w->order[i]];
		struct flow_key other =
			flow_key_of(f->head.frame, f->frame.head_bytes, p->tables.port_id);

		if (memcmp(&other, key, sizeof(other)) != 0)
			continue;
		by_kernel(p, f);
		n++;
	}
	if (n)
		wait_compact(w);
}

/* Time in which we were not running either is no time the guest has let pass. */
static void tick(struct guest_waiting *w, uint64_t now_ns)
{
	w->clock_ns += MIN(now_ns - w->last_ns, TICK_NS);
	w->last_ns = now_ns;
}

static bool has_expired(const struct guest_waiting *w, const struct waiting *f)
{
	return w->clock_ns - f->since_ns >= WAIT_NS ||
	       w->clock_ns - MAX(f->since_ns, w->took_ns[f->port]) >= STALL_NS;
}

/* Those that go to @q from number @first on, as many as fit into a burst. */
static void retry_to(struct pair *p, struct pair *q, unsigned int first)
{
	struct guest_waiting *w = p->waiting;
	struct deliver_frame frames[BURST];
	struct waiting *of[BURST];
	unsigned int n = 0, done;

	for (unsigned int i = first; i < w->n && n < BURST; i++) {
		struct waiting *f = &w->frame[w->order[i]];

		if (!f->frame.n_iov || deliver_pair(p->deliver, f->port, f->hash) != q)
			continue;
		of[n] = f;
		frames[n++] = f->frame;
	}
	done = deliver_burst(q, frames, n, &q->stats.rx_guest);
	for (unsigned int i = 0; i < done; i++)
		wait_end(p, of[i]);
	if (done)
		w->took_ns[of[0]->port] = w->clock_ns;
	for (unsigned int i = done; i < n && has_expired(w, of[i]); i++) {
		deliver_drop(q, VXDP_DROP_RX_NO_BUFFER, deliver_packets(&of[i]->frame),
			     of[i]->frame.bytes);
		bit_set(w->stalled, of[i]->port, true);
		wait_end(p, of[i]);
	}
}

static bool is_among(struct pair *const *pairs, unsigned int n, const struct pair *q)
{
	while (n-- > 0)
		if (pairs[n] == q)
			return true;
	return false;
}

unsigned int guest_retry(struct pair *p, uint64_t now_ns)
{
	struct guest_waiting *w = p->waiting;
	uint32_t generation = flow_generation(&p->tables);
	struct pair *tried[WAITING_MAX];
	unsigned int n_tried = 0;

	if (likely(!w->n))
		return 0;
	tick(w, now_ns);
	if (generation != w->generation)
		route_again(p, generation, now_ns);
	for (unsigned int i = 0; i < w->n; i++) {
		struct waiting *f = &w->frame[w->order[i]];
		struct pair *q = deliver_pair(p->deliver, f->port, f->hash);

		if (!f->frame.n_iov || (q && is_among(tried, n_tried, q)))
			continue;
		if (!q) {
			by_kernel(p, f);
			continue;
		}
		retry_to(p, q, i);
		tried[n_tried++] = q;
	}
	return wait_compact(w);
}

void guest_stop(struct pair *p)
{
	struct guest_waiting *w = p->waiting;

	for (unsigned int i = 0; i < w->n; i++) {
		struct waiting *f = &w->frame[w->order[i]];

		uncount(p, &f->frame);
		count(&p->stats.drops[VXDP_DROP_TX_DISABLED], deliver_packets(&f->frame),
		      f->frame.bytes);
		wait_end(p, f);
	}
	wait_compact(w);
}
