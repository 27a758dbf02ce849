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
 * The first frame that is different ends the run: lane_guest.c can do everything, and has not lost
 * any order by that, since all before it has been delivered.
 */
#include "guest_run.h"

#include <linux/if_ether.h>
#include <stddef.h>
#include <string.h>

#include "deliver.h"
#include "guest_wait.h"

#define HEAD_WORDS 4
#define HEAD_BYTES (HEAD_WORDS * 8)
#define LEAST	   64 /* bytes, virtio-net header included: nothing here handles less */

_Static_assert(sizeof(struct vu_net_hdr) + ETH_HLEN + 4 <= HEAD_BYTES, "all that is looked at");
_Static_assert(LEAST >= HEAD_BYTES + 16, "copy_rest() copies 16 bytes at least");

/* The first bytes of a buffer as words, in the order of memory. */
union head {
	uint64_t word[HEAD_WORDS];
	uint8_t byte[HEAD_BYTES];
	struct {
		struct vu_net_hdr hdr;
		uint8_t frame[HEAD_BYTES - sizeof(struct vu_net_hdr)];
	} __attribute__((packed));
};

/* Which bits of the head ask for something, and which tell the flow (if it has no VLAN tag). */
static const union head asks_mask = {.hdr = {.flags = 0xff, .gso_type = 0xff}};
static const union head flow_mask = {.frame = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					       0xff, 0xff, 0xff, 0xff, 0xff}};
/* What the receiver gets as virtio-net header. */
static const union head plain_mask = {.frame = {[0 ... sizeof(asks_mask.frame) - 1] = 0xff}};
static const union head plain = {.byte = {[offsetof(struct vu_net_hdr, num_buffers)] = 1}};

struct run {
	struct pair *p, *q;
	uint16_t port; /* q's */
	uint32_t bytes_max;
	uint32_t generation;
	uint64_t now_ns;
	union head last; /* of the frame before: the same flow goes the same way */
	bool last_known;
	uint64_t bytes;
	uint32_t used[BURST];
};

static inline bool asks_for_nothing(const union head *h)
{
	return !((h->word[0] & asks_mask.word[0]) | (h->word[1] & asks_mask.word[1]));
}

static inline bool is_same_flow(const union head *a, const union head *b)
{
	uint64_t differs = 0;

	for (unsigned int i = 1; i < HEAD_WORDS; i++)
		differs |= (a->word[i] ^ b->word[i]) & flow_mask.word[i];
	return !differs;
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

/* Does the frame go where the run goes? */
static inline bool goes_along(struct run *r, const union head *h)
{
	const struct flow_entry *e;

	if (likely(r->last_known && is_same_flow(h, &r->last)))
		return true;
	e = flow_of(r, h);
	if (!e || e->port != r->port)
		return false;
	r->last = *h;
	r->last_known = !is_tagged(h);
	return true;
}

/* @n bytes, 16 at least. A call to memcpy() takes longer for a few. */
static inline void copy_rest(uint8_t *to, const uint8_t *from, uint32_t n)
{
	const uint32_t last = n - 16;

	if (unlikely(n > 256)) {
		memcpy(to, from, n);
		return;
	}
	for (uint32_t i = 0; i < last; i += 16)
		memcpy(to + i, from + i, 16);
	memcpy(to + last, from + last, 16);
}

/* One frame from @c to @d, if it is as expected. */
static inline bool run_one(struct run *r, const struct vu_chain *c, const struct vu_chain *d)
{
	const uint8_t *from = c->iov[0].iov_base;
	uint8_t *to = d->iov[0].iov_base;
	union head h;

	if (unlikely(c->n_iov != 1 || d->n_iov != 1 || c->bytes < LEAST ||
		     c->bytes > r->bytes_max || c->bytes > d->bytes))
		return false;
	memcpy(&h, from, sizeof(h));
	if (unlikely(!asks_for_nothing(&h) || !goes_along(r, &h)))
		return false;
	for (unsigned int i = 0; i < HEAD_WORDS; i++) {
		uint64_t word = (h.word[i] & plain_mask.word[i]) | plain.word[i];

		memcpy(to + 8ul * i, &word, sizeof(word));
	}
	copy_rest(to + HEAD_BYTES, from + HEAD_BYTES, c->bytes - HEAD_BYTES);
	r->bytes += c->bytes - (uint32_t)sizeof(h.hdr);
	return true;
}

/* With the receive lock of r->q. */
static unsigned int run_locked(struct run *r, const struct vu_chain *chain, unsigned int n)
{
	struct pair *q = r->q;
	struct window *w = &q->window;
	int have = vu_ring_broken(q->rx) ? 0 : window_fill(w, q->rx, n);
	unsigned int i;

	if (have <= 0 || vu_ring_info(q->rx)->mem->dirty)
		return 0;
	n = MIN(n, (unsigned int)have);
	window_prefetch(w, n);
	for (i = 0; i < n; i++) {
		if (!run_one(r, &chain[i], &w->chain[w->head + i]))
			break;
		r->used[i] = chain[i].bytes;
	}
	if (!i)
		return 0;
	vu_ring_push_run(q->rx, &w->chain[w->head], r->used, i);
	window_take(w, i);
	count(&q->stats.rx_guest, i, r->bytes);
	vu_ring_flush(q->rx);
	vu_ring_notify(q->rx);
	return i;
}

static bool run_start(struct run *r, const struct vu_chain *first)
{
	const struct flow_entry *e;
	const struct pair *p = r->p;
	union head h;

	if (!p->guest_lane || p->hdr_bytes != sizeof(h.hdr) || guest_waiting_count(p->waiting) ||
	    first->n_iov != 1 || first->bytes < LEAST ||
	    __atomic_load_n(&p->capture, __ATOMIC_RELAXED))
		return false;
	memcpy(&h, first->iov[0].iov_base, sizeof(h));
	e = flow_of(r, &h);
	if (!e || deliver_pairs(p->deliver, e->port) != 1)
		return false;
	r->port = e->port;
	r->q = deliver_pair(p->deliver, e->port, 0);
	r->bytes_max = (uint32_t)sizeof(h.hdr) + MIN(p->frame_bytes_max, r->q->frame_bytes_max);
	return r->q->hdr_bytes == sizeof(h.hdr) &&
	       !__atomic_load_n(&r->q->capture, __ATOMIC_RELAXED);
}

unsigned int guest_run(struct pair *p, const struct vu_chain *chain, unsigned int n,
		       uint32_t generation, uint64_t now_ns)
{
	struct run r;
	unsigned int done;

	r.p = p;
	r.generation = generation;
	r.now_ns = now_ns;
	r.last_known = false;
	r.bytes = 0;
	if (!run_start(&r, chain))
		return 0;
	guest_elsewhere(p, r.port, now_ns);
	deliver_lock(r.q);
	done = run_locked(&r, chain, n);
	deliver_unlock(r.q);
	if (!done)
		return 0;
	guest_took(p->waiting, r.port);
	count(&p->stats.tx_guest, done, r.bytes);
	vu_ring_push_run(p->tx, chain, NULL, done);
	return done;
}
