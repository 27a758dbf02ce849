/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A burst is read from the transmit ring, each frame's flow is found, and the frames are then
 * delivered a destination at a time (deliver.h), so that a burst to one guest is one publication
 * there, and one to many guests still is one for each.
 *
 * Order. Frames of a flow stay in order as long as the flow stays in a lane. It changes lanes:
 *
 *   kernel -> guest   What went by the taps is in the destination's tap by the time write()
 *                     returned. So before the first frame of a flow is delivered here, the
 *                     destination's tap is read until it is empty, into the same ring
 *                     (guest_enter()). If that cannot be done now, for want of receive buffers,
 *                     the flow stays in the kernel lane for a while.
 *   guest -> kernel   What was delivered is in the ring already. What is in the batch is delivered
 *                     first, and what waits goes by the kernel lane too (guest_before_kernel()).
 *                     When the configuration changes all that waits is asked for its lane again.
 *
 * Nothing is known of a flow that the cache has forgotten, so it enters anew.
 *
 * What finds no receive buffer: guest_wait.c.
 */
#include "lane_guest.h"

#include <linux/virtio_net.h>
#include <string.h>

#include "capture.h"
#include "frame.h"
#include "guest_wait.h"
#include "lane_kernel.h"
#include "worker.h"

/* ---- Which lane ---- */

/* Read what the destination's taps hold into its rings. False: not all of it. */
static bool guest_enter(const struct pair *p, uint16_t port, uint64_t now_ns)
{
	const struct deliver_set *set = load_acquire(&p->deliver->set[port]);
	bool empty = true;

	for (unsigned int i = 0; set && i < set->n; i++) {
		struct pair *q = set->pair[i];
		struct worker *owner = __atomic_load_n(&q->worker, __ATOMIC_RELAXED);
		bool drained;

		deliver_lock(q);
		drained = kernel_rx_drain(q, now_ns);
		deliver_unlock(q);
		/* It may be asleep, and must ask for buffers. */
		if (!drained && owner != p->worker)
			worker_wake(owner);
		empty &= drained;
	}
	return empty;
}

struct flow_entry *guest_route(struct pair *p, struct guest_batch *b, const uint8_t *head,
			       size_t bytes, uint32_t generation, uint64_t now_ns)
{
	struct flow_key key = flow_key_of(head, bytes, p->tables.port_id);
	struct flow_entry *e = flow_find(p->flows, &key, generation, now_ns);
	bool stays;

	if (likely(e != NULL))
		return e;
	/* Another entry may go, and the answer be another one than before. */
	guest_flush(p, b, now_ns);
	e = flow_look_up(p->flows, &p->tables, &key, generation, now_ns, &stays);
	if (e->lane != FLOW_GUEST)
		return e;
	if (!deliver_pair(p->deliver, e->port, 0)) {
		/* Rings that were only stopped for a moment raise no generation when they run. */
		if (deliver_comes_back(p->deliver, e->port))
			flow_slow(e, now_ns);
		else
			e->lane = FLOW_KERNEL; /* a tap port, or no guest so far */
	} else if (!stays && !guest_enter(p, e->port, now_ns)) {
		flow_slow(e, now_ns);
	}
	return e;
}

/* ---- A burst ---- */

/* Of the frame from @skip on; iov[0] is where it begins. */
static struct deliver_frame frame_of(const struct pair *p, const struct vu_chain *c,
				     const struct guest_head *head)
{
	struct deliver_frame f = {
		.hdr = head->hdr,
		.bytes = c->bytes - p->hdr_bytes,
		.skip = p->hdr_bytes,
		.iov = c->iov,
		.n_iov = c->n_iov,
		.head = head->frame,
	};

	while (f.n_iov > 1 && f.skip >= f.iov->iov_len) {
		f.skip -= (uint32_t)f.iov->iov_len;
		f.iov++;
		f.n_iov--;
	}
	f.head_bytes = (uint16_t)MIN(f.bytes, (uint32_t)sizeof(head->frame));
	return f;
}

/* For a guest with several queue pairs: the same one that its tap would choose. */
static uint32_t hash_of(const struct deliver_frame *f)
{
	uint8_t headers[FLOW_PEEK_BYTES] = {};
	uint32_t bytes = MIN(f->bytes, (uint32_t)sizeof(headers));

	memcpy(headers, f->head, f->head_bytes);
	if (bytes > f->head_bytes)
		iov_read(f->iov, f->n_iov, f->skip + (size_t)f->head_bytes, headers + f->head_bytes,
			 bytes - f->head_bytes);
	return flow_hash(headers, bytes);
}

static void capture(const struct pair *p, struct pair *q, uint16_t port,
		    const struct deliver_frame *f)
{
	struct capture *c = __atomic_load_n(&p->capture, __ATOMIC_ACQUIRE);

	if (!c)
		c = __atomic_load_n(&q->capture, __ATOMIC_ACQUIRE);
	if (c)
		capture_send(c, p->tables.port_id, port, VXDP_TO_PORT, f->iov, f->n_iov, f->skip,
			     f->bytes);
}

static bool too_big(const struct pair *p, const struct deliver_frame *f)
{
	return f->bytes >
	       (f->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE ? p->frame_bytes_max : GSO_FRAME_MAX);
}

bool guest_add(struct pair *p, struct guest_batch *b, unsigned int i, const struct vu_chain *c,
	       struct flow_entry *flow, uint64_t now_ns)
{
	struct deliver_frame *f = &b->frame[b->n];
	const struct deliver_set *set = load_acquire(&p->deliver->set[flow->port]);
	uint32_t hash = 0;

	if (unlikely(!set)) {
		flow_slow(flow, now_ns);
		return false;
	}
	*f = frame_of(p, c, &b->head[i]);
	if (unlikely(too_big(p, f))) {
		count(&p->stats.drops[VXDP_DROP_TX_BIG], 1, f->bytes);
		vu_ring_push(p->tx, c->head, 0);
		return true;
	}
	if (set->n > 1)
		hash = hash_of(f);
	b->to[b->n] = set->pair[set->n > 1 ? hash % set->n : 0];
	b->hash[b->n] = hash;
	b->flow[b->n] = flow;
	b->buffer[b->n] = c->head;
	capture(p, b->to[b->n], flow->port, f);
	b->n++;
	return true;
}

/* A frame that has no room at its destination. */
static void set_aside(struct pair *p, const struct guest_batch *b, unsigned int i, uint64_t now_ns)
{
	const struct deliver_frame *f = &b->frame[i];

	if (guest_wait(p, b, i, now_ns))
		return;
	deliver_drop(b->to[i], VXDP_DROP_RX_NO_BUFFER, deliver_packets(f), f->bytes);
	vu_ring_push(p->tx, b->buffer[i], 0);
}

/* The frames @index[] of the batch, all to one pair. */
static void send_to(struct pair *p, const struct guest_batch *b, const uint8_t *index,
		    unsigned int n, uint64_t now_ns)
{
	struct pair *q = b->to[index[0]];
	uint16_t port = b->flow[index[0]]->port;
	struct deliver_frame gathered[BURST];
	const struct deliver_frame *frames = &b->frame[index[0]];
	unsigned int done = 0;

	/* Side by side already, when all of the batch goes to one guest. */
	if (index[n - 1] - index[0] != (int)n - 1) {
		for (unsigned int i = 0; i < n; i++)
			gathered[i] = b->frame[index[i]];
		frames = gathered;
	}
	guest_elsewhere(p, port, now_ns);
	if (likely(!guest_waits_for(p->waiting, port))) {
		done = deliver_burst(q, frames, n, &q->stats.rx_guest);
		if (likely(done))
			guest_took(p->waiting, port);
	}
	for (unsigned int i = 0; i < done; i++)
		vu_ring_push(p->tx, b->buffer[index[i]], 0);
	for (unsigned int i = done; i < n; i++)
		set_aside(p, b, index[i], now_ns);
}

static void count_sent(struct pair *p, const struct guest_batch *b)
{
	uint64_t packets = 0, bytes = 0;

	for (unsigned int i = 0; i < b->n; i++) {
		bytes += b->frame[i].bytes;
		packets += likely(!b->frame[i].hdr.gso_type) ? 1 : deliver_packets(&b->frame[i]);
	}
	count(&p->stats.tx_guest, packets, bytes);
}

void guest_flush(struct pair *p, struct guest_batch *b, uint64_t now_ns)
{
	bool sent[BURST] = {};

	if (!b->n)
		return;
	count_sent(p, b);
	for (unsigned int first = 0; first < b->n; first++) {
		uint8_t index[BURST];
		unsigned int n = 0;

		if (sent[first])
			continue;
		for (unsigned int i = first; i < b->n; i++) {
			if (b->to[i] != b->to[first])
				continue;
			sent[i] = true;
			index[n++] = (uint8_t)i;
		}
		send_to(p, b, index, n, now_ns);
	}
	b->n = 0;
}

void guest_before_kernel(struct pair *p, struct guest_batch *b, const struct flow_entry *flow,
			 uint64_t now_ns)
{
	guest_flush(p, b, now_ns);
	guest_elsewhere(p, VXDP_PORT_NONE, now_ns);
	if (unlikely(guest_waiting_count(p->waiting)))
		guest_wait_end(p, &flow->key);
}
