/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Nearly all frames between guests are alike: one buffer here, one buffer there, no offload asked
 * for, a flow that is cached, the same destination as the frame before. For these, every frame's
 * first HEAD_BYTES are loaded once, into registers; they are looked at there, and from there they
 * are stored into the receiver's buffer, so that what was checked is what is sent. What follows
 * them decides nothing and is copied from guest to guest.
 *
 * The buffers on both sides are borrowed from their rings for as long as that takes
 * (vu_ring_run_start()): those of the receiver first, so that they are on their way when the first
 * frame is looked at. Only if its window (window.h) holds older ones, those are used.
 *
 * The first frame that is different ends the run: lane_guest.c can do everything, and has not lost
 * any order by that, since all before it has been delivered.
 */
#include "guest_run.h"

#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>

#include "deliver.h"
#include "guest_wait.h"

#define HEAD_WORDS  4
#define HEAD_BYTES  (HEAD_WORDS * 8)
#define LEAST	    64 /* bytes, virtio-net header included: nothing here handles less */
#define ASKED_BYTES (2 * CACHE_LINE_BYTES) /* of each buffer by then (vu_ring_run_start()) */
#define LONG	    256 /* more than that is worth memcpy(), and asking for ahead */

_Static_assert(sizeof(struct vu_net_hdr) + ETH_HLEN + 4 <= HEAD_BYTES, "all that is looked at");
_Static_assert(LEAST >= HEAD_BYTES + 16, "copy_rest() copies 16 bytes at least");

typedef uint64_t pair_of_words __attribute__((vector_size(16)));

/* The first bytes of a buffer as words, in the order of memory. */
union head {
	uint64_t word[HEAD_WORDS];
	pair_of_words pair[HEAD_WORDS / 2]; /* what a register holds */
	uint8_t byte[HEAD_BYTES];
	struct {
		struct vu_net_hdr hdr;
		uint8_t frame[HEAD_BYTES - sizeof(struct vu_net_hdr)];
	} __attribute__((packed));
};

/* Which bits of the head ask for something. */
static const union head asks_mask = {.hdr = {.flags = 0xff, .gso_type = 0xff}};
/* Those, and which tell the flow if it has no VLAN tag: alike in these, the same has to be done. */
static const union head alike_mask = {.hdr = {.flags = 0xff, .gso_type = 0xff},
				      .frame = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
						0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
/* What the receiver gets as virtio-net header. */
static const union head plain_mask = {.frame = {[0 ... sizeof(asks_mask.frame) - 1] = 0xff}};
static const union head plain = {.byte = {[offsetof(struct vu_net_hdr, num_buffers)] = 1}};

struct run {
	struct pair *p, *q;
	uint16_t port; /* q's */
	uint32_t bytes_max;
	uint32_t generation;
	uint64_t now_ns;
	union head last; /* of the frame before */
	uint64_t bytes;
	unsigned int have; /* of to[] that the ring lends */
	struct vu_buf to[BURST];
};

static bool asks_for_nothing(const union head *h)
{
	return !((h->word[0] & asks_mask.word[0]) | (h->word[1] & asks_mask.word[1]));
}

static inline bool is_alike(const union head *a, const union head *b)
{
	const pair_of_words differs = ((a->pair[0] ^ b->pair[0]) & alike_mask.pair[0]) |
				      ((a->pair[1] ^ b->pair[1]) & alike_mask.pair[1]);

	return !(differs[0] | differs[1]);
}

static struct flow_entry *flow_of(const struct run *r, const union head *h)
{
	const struct flow_key key = flow_key_of(h->frame, sizeof(h->frame), r->p->tables.port_id);
	struct flow_entry *e = flow_find(r->p->flows, &key, r->generation, r->now_ns);

	return e && e->lane == FLOW_GUEST ? e : NULL;
}

static inline bool is_tagged(const union head *h)
{
	uint16_t type;

	memcpy(&type, h->frame + 2 * ETH_ALEN, sizeof(type));
	return type == htobe16(ETH_P_8021Q) || type == htobe16(ETH_P_8021AD);
}

/* Does a frame that is not like the one before go where the run goes, as it is? */
static bool goes_along(struct run *r, const union head *h)
{
	const struct flow_entry *e = asks_for_nothing(h) ? flow_of(r, h) : NULL;

	if (!e || e->port != r->port)
		return false;
	r->last = *h;
	if (is_tagged(h))
		r->last.hdr = asks_mask.hdr; /* no frame that may pass is like that */
	return true;
}

/* @n bytes, 16 at least. A call to memcpy() takes longer for a few. */
static inline void copy_rest(uint8_t *to, const uint8_t *from, uint32_t n)
{
	const uint32_t last = n - 16;

	if (unlikely(n > LONG)) {
		memcpy(to, from, n);
		return;
	}
	for (uint32_t i = 0; i < last; i += 16)
		memcpy(to + i, from + i, 16);
	memcpy(to + last, from + last, 16);
}

/* One frame from @from to @to, if it is as expected. */
static inline bool run_one(struct run *r, const struct vu_buf *from, struct vu_buf *to)
{
	const uint32_t bytes = from->bytes;
	union head h;

	if (unlikely(bytes < LEAST || bytes > r->bytes_max || bytes > to->bytes))
		return false;
	memcpy(&h, from->base, sizeof(h));
	if (unlikely(!is_alike(&h, &r->last)) && !goes_along(r, &h))
		return false;
	for (unsigned int i = 0; i < HEAD_WORDS / 2; i++)
		h.pair[i] = (h.pair[i] & plain_mask.pair[i]) | plain.pair[i];
	memcpy(to->base, &h, sizeof(h));
	copy_rest(to->base + HEAD_BYTES, from->base + HEAD_BYTES, bytes - HEAD_BYTES);
	to->bytes = bytes;
	r->bytes += bytes - (uint32_t)sizeof(h.hdr);
	return true;
}

/*
 * Ask for what comes behind the lines that vu_ring_run_start() asked for, while the frame before is
 * copied. Above all those to be written: a store waits for its line with all stores behind it.
 */
static inline void ask_for_rest(const struct run *r, const struct vu_buf *from,
				const struct vu_buf *to)
{
	const uint32_t bytes = MIN(MIN(from->bytes, to->bytes), r->bytes_max);

	for (uint32_t at = ASKED_BYTES; at < bytes; at += CACHE_LINE_BYTES) {
		prefetch_write(to->base + at);
		__builtin_prefetch(from->base + at);
	}
}

/* Return: how many frames were put into the receiver's buffers. */
static unsigned int run_copy(struct run *r, const struct vu_buf *from, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (i + 1 < n && unlikely(from[i + 1].bytes > LONG))
			ask_for_rest(r, &from[i + 1], &r->to[i + 1]);
		if (unlikely(!run_one(r, &from[i], &r->to[i])))
			break;
	}
	return i;
}

/* Buffers that the ring lends. Asked for before anything is read of the frames. */
static void run_borrow(struct run *r, struct pair *q, unsigned int n)
{
	int have = 0;

	r->q = q;
	deliver_lock(q);
	if (likely(!window_chains(&q->window) && !vu_ring_info(q->rx)->mem->dirty))
		have = vu_ring_run_start(q->rx, r->to, n);
	r->have = have > 0 ? (unsigned int)have : 0;
}

static void run_give_back(struct run *r, unsigned int used)
{
	if (r->have)
		vu_ring_run_end(r->q->rx, r->to, r->have, used, true);
	if (used)
		vu_ring_run_ahead(r->q->rx, used); /* for as many next time */
	r->have = 0;
}

/* Into buffers of the window: those in it are older than what is in the ring. */
static unsigned int run_in_window(struct run *r, const struct vu_buf *from, unsigned int n)
{
	struct vu_ring *rx = r->q->rx;
	struct window *w = &r->q->window;
	uint32_t used[BURST];
	unsigned int done;
	int have;

	if (vu_ring_broken(rx) || vu_ring_info(rx)->mem->dirty)
		return 0;
	have = window_fill(w, rx, n);
	n = have > 0 ? window_bufs(w, r->to, MIN(n, (unsigned int)have)) : 0;
	window_prefetch(w, n);
	done = run_copy(r, from, n);
	if (!done)
		return 0;
	for (unsigned int i = 0; i < done; i++)
		used[i] = r->to[i].bytes;
	vu_ring_push_run(rx, window_first(w), used, done);
	window_take(w, done);
	vu_ring_flush(rx);
	return done;
}

/* To r->q, whose receive lock is held. */
static unsigned int run_go(struct run *r, const struct vu_buf *from, unsigned int n)
{
	struct pair *q = r->q;
	unsigned int done;

	if (likely(r->have)) {
		done = run_copy(r, from, MIN(n, r->have));
		run_give_back(r, done);
	} else {
		done = run_in_window(r, from, n);
	}
	if (!done)
		return 0;
	count(&q->stats.rx_guest, done, r->bytes);
	deliver_tell(q);
	return done;
}

static bool run_may_be(const struct pair *p)
{
	return p->guest_lane && p->hdr_bytes == sizeof(struct vu_net_hdr) &&
	       !guest_waiting_count(p->waiting) && !__atomic_load_n(&p->capture, __ATOMIC_RELAXED);
}

/* Where does the first frame go? */
static struct pair *run_to(struct run *r, const struct vu_buf *first)
{
	const struct deliver_set *set;
	const struct flow_entry *e;
	struct pair *q;
	union head h;

	if (first->bytes < LEAST)
		return NULL;
	memcpy(&h, first->base, sizeof(h));
	e = flow_of(r, &h);
	/* Asked once: another thread may take it away at any time. */
	set = e ? load_acquire(&r->p->deliver->set[e->port]) : NULL;
	if (!set || set->n != 1)
		return NULL;
	q = set->pair[0];
	if (q->hdr_bytes != sizeof(h.hdr) || __atomic_load_n(&q->capture, __ATOMIC_RELAXED))
		return NULL;
	r->port = e->port;
	r->bytes_max = (uint32_t)sizeof(h.hdr) + MIN(r->p->frame_bytes_max, q->frame_bytes_max);
	return q;
}

unsigned int guest_run(struct pair *p, const struct vu_buf *from, unsigned int n,
		       uint32_t generation, uint64_t now_ns)
{
	struct pair *q = guest_expected(p);
	unsigned int done = 0;
	struct run r;

	if (!run_may_be(p))
		return 0;
	r.p = p;
	r.generation = generation;
	r.now_ns = now_ns;
	r.last = asks_mask;
	r.bytes = 0;
	r.have = 0;
	r.q = NULL;
	if (likely(q != NULL))
		run_borrow(&r, q, n);
	q = run_to(&r, from);
	if (unlikely(q != r.q) && r.q) {
		run_give_back(&r, 0);
		deliver_unlock(r.q);
	}
	if (!q)
		return 0;
	if (unlikely(q != r.q))
		run_borrow(&r, q, n);
	guest_elsewhere(p, r.port, now_ns);
	done = run_go(&r, from, n);
	deliver_unlock(q);
	if (!done)
		return 0;
	guest_took(p->waiting, r.port);
	count(&p->stats.tx_guest, done, r.bytes);
	return done;
}
