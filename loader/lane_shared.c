/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Receive. The XDP program knows whose frame it is and writes the port in front of it. A batch is
 * taken from the ring, sorted by port (one list a port, in the order of arrival) and copied into
 * each guest's receive buffers, so that a guest's ring is touched once a batch. A chunk goes back
 * to the fill ring at once: who has no buffers loses its frames, and holds up nobody.
 *
 * A port that has just joined still has older frames on the way by its tap. What arrives here for
 * it meanwhile is kept in the stash, and delivered when lanes.c knows that they are through.
 *
 * Transmit. A guest's burst takes chunks under the queue's lock, fills them without it, and
 * submits them under it again, so that workers wait for each other only for some stores. Chunks
 * come back when one that sends looks, or the queue's worker does.
 */
#include "lane_shared.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <time.h>

#include "checksum.h"
#include "deliver.h"
#include "frame.h"
#include "lane_kernel.h"

#define LIST_END	  0xff /* no frame of the batch */
#define TX_DRAIN_TRIES	  10
#define TX_DRAIN_PAUSE_NS (1000 * 1000)

_Static_assert(SHARED_BATCH < LIST_END, "places in a batch are bytes");

/* ---- From the wire ---- */

static uint64_t chunk_of(const struct shared_queue *q, uint64_t addr)
{
	return ALIGN_DOWN(addr, (uint64_t)q->umem.chunk_bytes);
}

void shared_fill_all(struct shared_queue *q)
{
	for (uint32_t i = 0; i < SHARED_RX_CHUNKS; i++)
		*xsk_ring_addr(&q->xsk.fill, i) = (uint64_t)i * q->umem.chunk_bytes;
	xsk_ring_produced(&q->xsk.fill, SHARED_RX_CHUNKS);
}

/* Frames of one port, in order. */
struct shared_list {
	const struct shared_frame *frame;
	const uint8_t *next;
	uint8_t first;
};

/* There are as many places in the fill ring as chunks, so there is room for each. */
static void chunk_back(struct shared_queue *q, const struct shared_frame *f, uint32_t *n_back)
{
	*xsk_ring_addr(&q->xsk.fill, (*n_back)++) = chunk_of(q, f->addr);
}

/* All frames of one port to its guest. Whom there is no room for now loses them. */
static void deliver_list(struct shared_queue *q, struct pair *p, const struct shared_list *list)
{
	struct deliver_frame frame[SHARED_BATCH];
	struct iovec iov[SHARED_BATCH];
	bool stopped = __atomic_load_n(&p->fault, __ATOMIC_RELAXED);
	unsigned int n = 0, done = 0;
	uint64_t bytes = 0;

	for (uint8_t i = list->first; i != LIST_END; i = list->next[i], n++) {
		uint8_t *at = (uint8_t *)q->umem.base + list->frame[i].addr;

		iov[n] = (struct iovec){at, list->frame[i].bytes};
		frame[n] = (struct deliver_frame){
			.bytes = list->frame[i].bytes,
			.n_iov = 1,
			.iov = &iov[n],
			.head = at,
		};
	}
	if (!stopped)
		done = deliver_burst(p, frame, n, &p->stats.rx_shared);
	for (unsigned int i = done; i < n; i++)
		bytes += frame[i].bytes;
	if (done < n)
		deliver_drop(p, stopped ? VXDP_DROP_RX_STOP : VXDP_DROP_RX_NO_BUFFER, n - done,
			     bytes);
}

/* Keep a frame for later. False: too many wait. */
static bool stash_put(struct shared_queue *q, const struct shared_frame *f)
{
	if (q->n_stashed == SHARED_STASH_MAX)
		return false;
	q->stash[q->n_stashed++] = *f;
	return true;
}

/* A list of frames for @port: delivered, kept, or gone. */
static void dispose(struct shared_queue *q, uint16_t port, const struct shared_list *list,
		    uint32_t *n_back)
{
	struct shared_target *t = &q->target[port];

	if (t->pair && !t->held)
		deliver_list(q, t->pair, list);
	for (uint8_t i = list->first; i != LIST_END; i = list->next[i]) {
		const struct shared_frame *f = &list->frame[i];

		if (!t->pair)
			count(&q->n_gone, 1, f->bytes);
		else if (t->held && stash_put(q, f))
			continue;
		else if (t->held)
			deliver_drop(t->pair, VXDP_DROP_RX_NO_BUFFER, 1, f->bytes);
		chunk_back(q, f, n_back);
	}
}

/* Sort @n frames by port and dispose of them. */
static void sort_out(struct shared_queue *q, const struct shared_frame *frame, unsigned int n)
{
	uint8_t next[SHARED_BATCH], last[SHARED_BATCH];
	struct shared_list list[SHARED_BATCH];
	unsigned int n_lists = 0;
	uint32_t n_back = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int l = 0;

		while (l < n_lists && frame[list[l].first].port != frame[i].port)
			l++;
		next[i] = LIST_END;
		if (l == n_lists)
			list[n_lists++] = (struct shared_list){frame, next, (uint8_t)i};
		else
			next[last[l]] = (uint8_t)i;
		last[l] = (uint8_t)i;
	}
	for (unsigned int l = 0; l < n_lists; l++)
		dispose(q, frame[list[l].first].port, &list[l], &n_back);
	if (!n_back)
		return;
	xsk_ring_produced(&q->xsk.fill, n_back);
	xsk_kick_fill(&q->xsk);
}

static unsigned int rx_ready(struct shared_queue *q, uint32_t n)
{
	struct shared_frame frame[SHARED_BATCH];

	n = MIN(n, (uint32_t)SHARED_BATCH);
	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_desc(&q->xsk.rx, i);
		const struct vxdp_shared_head *head =
			(void *)((uint8_t *)q->umem.base + desc->addr);

		/* Our own program wrote it. */
		frame[i] = (struct shared_frame){
			.addr = desc->addr + sizeof(*head),
			.bytes = desc->len - (uint32_t)sizeof(*head),
			.port = head->port & (VXDP_PORTS_MAX - 1),
		};
	}
	sort_out(q, frame, n);
	xsk_ring_consumed(&q->xsk.rx, n); /* and delivered, which turn.c waits for */
	return n;
}

void shared_rx_all(struct shared_queue *q)
{
	uint32_t n;

	while ((n = xsk_ring_ready(&q->xsk.rx)))
		rx_ready(q, n);
}

void shared_release(struct shared_queue *q, uint32_t port)
{
	struct shared_frame mine[SHARED_BATCH];
	unsigned int n_mine = 0, n_kept = 0;

	if (q->target[port].turned_ns)
		q->n_turned--;
	q->target[port].turned_ns = 0;
	q->target[port].held = false;
	for (unsigned int i = 0; i < q->n_stashed; i++) {
		if (q->stash[i].port != port) {
			q->stash[n_kept++] = q->stash[i];
			continue;
		}
		mine[n_mine++] = q->stash[i];
		if (n_mine == SHARED_BATCH) {
			sort_out(q, mine, n_mine);
			n_mine = 0;
		}
	}
	q->n_stashed = n_kept;
	sort_out(q, mine, n_mine);
}

/* ---- Turns (turn.h) ---- */

/* Read the tap of a guest to its end. False: there are frames it has no buffers for. */
static bool tap_drain(struct pair *p, uint64_t now_ns)
{
	bool drained = true;

	deliver_lock(p);
	/* What is held or waits is younger. */
	if (p->rx && p->rx_enabled && !p->tap_held && !turn_pending(&p->tap_turn))
		drained = kernel_rx_drain(p, now_ns);
	deliver_unlock(p);
	return drained;
}

/* Nobody else waits for a guest without buffers: its frames go to the stash meanwhile. */
static void tap_first(struct shared_queue *q, struct shared_target *t, uint64_t now_ns)
{
	if (!t->pair || t->held || tap_drain(t->pair, now_ns))
		return;
	t->held = true;
	t->turned_ns = now_ns;
	q->n_turned++;
}

static void turned_retry(struct shared_queue *q, uint64_t now_ns)
{
	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX && q->n_turned; id++) {
		const struct shared_target *t = &q->target[id];

		if (t->turned_ns &&
		    (tap_drain(t->pair, now_ns) || now_ns - t->turned_ns >= TURN_MAX_NS))
			shared_release(q, id);
	}
}

/*
 * There are frames whose flows came by taps until lately, and none is to overtake what is still
 * there. Return: false if it is too early for them.
 */
static bool taps_first(struct shared_queue *q, uint64_t now_ns)
{
	if (!turn_waited(&q->turn, TURN_SOCKET_NS, now_ns) &&
	    now_ns - q->turn.ended_ns >= TURN_GAP_NS)
		return false;
	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++)
		tap_first(q, &q->target[id], now_ns);
	turn_end(&q->turn, now_ns);
	return true;
}

/* May @n frames be taken now? */
static bool turns(struct shared_queue *q, uint32_t n)
{
	uint64_t now_ns = monotonic_ns();

	turned_retry(q, now_ns);
	return n && (!turn_pending(&q->turn) || taps_first(q, now_ns));
}

static unsigned int shared_rx(struct shared_queue *q)
{
	uint32_t n = xsk_ring_ready(&q->xsk.rx); /* asked again it may say more */

	if (unlikely(q->n_turned || turn_pending(&q->turn)) && !turns(q, n))
		return 0;
	return n ? rx_ready(q, n) : 0;
}

/* ---- To the wire ---- */

static void tx_reap(struct shared_queue *q)
{
	uint32_t n = xsk_ring_ready(&q->xsk.done);

	for (uint32_t i = 0; i < n; i++)
		q->tx_free[q->n_tx_free + i] = chunk_of(q, *xsk_ring_addr(&q->xsk.done, i));
	if (!n)
		return;
	xsk_ring_consumed(&q->xsk.done, n);
	__atomic_store_n(&q->n_tx_free, q->n_tx_free + n, __ATOMIC_RELAXED);
	__atomic_store_n(&q->n_tx_flying, q->n_tx_flying - n, __ATOMIC_RELAXED);
}

static unsigned int tx_free(const struct shared_queue *q)
{
	return __atomic_load_n(&q->n_tx_free, __ATOMIC_RELAXED);
}

static unsigned int tx_flying(const struct shared_queue *q)
{
	return __atomic_load_n(&q->n_tx_flying, __ATOMIC_RELAXED);
}

unsigned int shared_tx_room(struct shared_queue *q)
{
	if (tx_free(q) < BURST) {
		pthread_mutex_lock(&q->tx_lock);
		tx_reap(q);
		pthread_mutex_unlock(&q->tx_lock);
	}
	return MIN(tx_free(q), (unsigned int)BURST);
}

static void chunks_take(struct shared_burst *b)
{
	struct shared_queue *q = b->q;
	unsigned int n;

	pthread_mutex_lock(&q->tx_lock);
	tx_reap(q);
	n = MIN(q->n_tx_free, BURST - b->n_frames);
	for (unsigned int i = 0; i < n; i++)
		b->chunk[i] = q->tx_free[q->n_tx_free - 1 - i];
	__atomic_store_n(&q->n_tx_free, q->n_tx_free - n, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&q->tx_lock);
	b->n_chunks = n;
}

void shared_tx(struct pair *p, struct shared_burst *b, const struct vu_net_hdr *hdr,
	       const struct vu_chain *chain, const uint8_t *head, size_t head_bytes)
{
	uint32_t bytes = chain->bytes - p->hdr_bytes;
	uint64_t addr;
	uint8_t *chunk;

	if (bytes > p->frame_bytes_max || bytes > b->q->umem.chunk_bytes) {
		count(&p->stats.drops[VXDP_DROP_TX_BIG], 1, bytes);
		return;
	}
	if (!b->n_chunks)
		chunks_take(b);
	if (!b->n_chunks) { /* another worker was faster */
		count(&p->stats.drops[VXDP_DROP_TX_XSK], 1, bytes);
		return;
	}
	addr = b->chunk[--b->n_chunks];
	chunk = (uint8_t *)b->q->umem.base + addr;
	memcpy(chunk, head, head_bytes);
	iov_read(chain->iov, chain->n_iov, p->hdr_bytes + head_bytes, chunk + head_bytes,
		 bytes - head_bytes);
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		checksum_finish(chunk, bytes, le16toh(hdr->csum_start), le16toh(hdr->csum_offset));
	b->frame[b->n_frames++] = (struct xdp_desc){.addr = addr, .len = bytes};
	count(&p->stats.tx_shared, 1, bytes);
}

/* In copy mode one call sends a limited batch and says EAGAIN if there is more (xsk_sendmsg()). */
static void tx_kick(struct shared_queue *q)
{
	for (int calls = 0; calls < 4; calls++) {
		bool stuck = false;
		int err;

		if (load_acquire(q->xsk.tx.consumer) == load_acquire(q->xsk.tx.producer)) {
			__atomic_store_n(&q->tx_stuck, false, __ATOMIC_RELAXED);
			return;
		}
		if (!xsk_ring_needs_wakeup(&q->xsk.tx))
			return;
		err = xsk_kick_tx(&q->xsk);
		stuck = err && err != -EAGAIN && err != -EBUSY && err != -ENOBUFS;
		if (stuck) {
			__atomic_store_n(&q->tx_stuck, true, __ATOMIC_RELAXED);
			return;
		}
	}
}

void shared_tx_flush(struct shared_burst *b)
{
	struct shared_queue *q = b->q;

	if (!b->n_frames && !b->n_chunks)
		return;
	pthread_mutex_lock(&q->tx_lock);
	/* The ring has more places than there are chunks. */
	for (unsigned int i = 0; i < b->n_frames; i++)
		*xsk_ring_desc(&q->xsk.tx, i) = b->frame[i];
	xsk_ring_produced(&q->xsk.tx, b->n_frames);
	for (unsigned int i = 0; i < b->n_chunks; i++)
		q->tx_free[q->n_tx_free + i] = b->chunk[i];
	__atomic_store_n(&q->n_tx_free, q->n_tx_free + b->n_chunks, __ATOMIC_RELAXED);
	__atomic_store_n(&q->n_tx_flying, q->n_tx_flying + b->n_frames, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&q->tx_lock);
	if (b->n_frames)
		tx_kick(q);
	b->n_frames = 0;
	b->n_chunks = 0;
}

void shared_tx_drain(struct shared_queue *q)
{
	const struct timespec pause = {.tv_nsec = TX_DRAIN_PAUSE_NS};

	for (int i = 0; tx_flying(q) && i < TX_DRAIN_TRIES; i++) {
		shared_poll(q);
		if (tx_flying(q))
			nanosleep(&pause, NULL);
	}
}

/* ---- Both ---- */

unsigned int shared_poll(struct shared_queue *q)
{
	/* A stuck one is tried even if nothing is left of what it had: nobody sends there. */
	if (tx_flying(q) || unlikely(__atomic_load_n(&q->tx_stuck, __ATOMIC_RELAXED))) {
		tx_kick(q);
		pthread_mutex_lock(&q->tx_lock);
		tx_reap(q);
		pthread_mutex_unlock(&q->tx_lock);
	}
	return shared_rx(q);
}

bool shared_needs_clock(const struct shared_queue *q)
{
	return tx_flying(q) || q->n_turned;
}
