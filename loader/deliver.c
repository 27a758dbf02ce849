/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The receive buffers come out of the pair's window (window.h), like those of the other lanes, so
 * all of them together keep the order of the ring, and what the direct lane has posted is its own.
 *
 * A burst goes in rounds: pop a buffer for each frame, ask for the cache lines of all of them, then
 * copy. A frame for one buffer, which needs nothing done to it, is copied there at once, its
 * virtio-net header together with its first bytes. Everything else (a frame over several buffers,
 * a scattered one, one with a checksum or segmentation the guest does not do itself) takes the
 * slow way, one by one.
 *
 * A frame is delivered whole or not at all, but for one that is segmented: what of its segments has
 * no room is lost, like on a wire.
 */
#include "deliver.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include <vxdp/util.h>

#include "checksum.h"
#include "frame.h"
#include "segment.h"
#include "worker.h"

/* Buffers looked at for one frame; those of a Linux guest are at least 1536 bytes. */
#define CHAINS_MAX 192
#define ROUND	   BURST

/* A frame in one piece of private memory, to finish a checksum or to cut it. */
static __thread uint8_t scratch[GSO_FRAME_MAX];
static __thread uint8_t segment[SEGMENT_HEADERS_MAX + UINT16_MAX];

/* ---- The table ---- */

int deliver_publish(struct deliver_table *table, uint32_t port, struct pair *const *pairs,
		    unsigned int n, struct worker *const *workers, unsigned int n_workers)
{
	struct deliver_set *set = NULL, *old = table->set[port];
	int err = 0;

	if (old && old->n == n && !memcmp(old->pair, pairs, n * sizeof(pairs[0])))
		return 0;
	if (n) {
		set = malloc(sizeof(*set) + n * sizeof(pairs[0]));
		err = set ? 0 : -ENOMEM;
	}
	if (set) {
		set->n = n;
		memcpy(set->pair, pairs, n * sizeof(pairs[0]));
	}
	if (set)
		__atomic_store_n(&table->known[port], true, __ATOMIC_RELAXED);
	store_release(&table->set[port], set);
	if (!old)
		return err;
	/* Whoever is in a pass now may still have the old one. */
	workers_pass(workers, n_workers);
	free(old);
	return err;
}

/* ---- Room ---- */

/* Chains needed for @bytes, 0 if the window's @n chains are too few. */
static unsigned int chains_for(const struct window *w, unsigned int n, size_t bytes)
{
	size_t room = 0;

	for (unsigned int i = 0; i < n; i++) {
		room += w->chain[w->head + i].bytes;
		if (room >= bytes)
			return i + 1;
	}
	return 0;
}

unsigned int deliver_room(struct pair *q, uint32_t bytes)
{
	int n = window_fill(&q->window, q->rx, 1);

	if (n <= 0)
		return 0;
	if (!q->mergeable)
		return chains_for(&q->window, 1, bytes);
	if (window_first(&q->window)->bytes < q->hdr_bytes)
		return 0;
	for (unsigned int want = 1; want < 2 * CHAINS_MAX; want *= 4) {
		unsigned int chains;

		want = MIN(want, (unsigned int)CHAINS_MAX);
		n = window_fill(&q->window, q->rx, want);
		if (n <= 0)
			return 0;
		chains = chains_for(&q->window, (unsigned int)n, bytes);
		if (chains || (unsigned int)n < want)
			return chains;
	}
	return 0;
}

bool deliver_room_never(const struct pair *q)
{
	unsigned int n = window_chains(&q->window);

	if (!n)
		return false;
	return !q->mergeable || n >= CHAINS_MAX ||
	       q->window.chain[q->window.head].bytes < q->hdr_bytes;
}

void deliver_done(struct pair *q, uint32_t bytes)
{
	const struct vu_ring_info *info = vu_ring_info(q->rx);
	struct window *w = &q->window;
	struct vu_chain *first = window_first(w);
	uint16_t n_buffers = 0;
	uint32_t left = bytes;

	for (unsigned int i = w->head; left; i++, n_buffers++)
		left -= MIN(left, w->chain[i].bytes);
	if (q->hdr_bytes == sizeof(struct vu_net_hdr)) {
		uint16_t le = htole16(q->mergeable ? n_buffers : 1);

		/* First buffer alone: with mergeable buffers the header has to fit in one. */
		iov_write(first->iov, first->n_iov, offsetof(struct vu_net_hdr, num_buffers), &le,
			  sizeof(le));
	}
	for (uint16_t i = 0; i < n_buffers; i++) {
		struct vu_chain *c = &w->chain[w->head + i];
		uint32_t used = MIN(bytes, c->bytes);

		if (unlikely(info->mem->dirty != NULL))
			for (unsigned int j = 0; j < c->n_iov; j++)
				vu_mem_dirty(info->mem, c->iov[j].iov_base, c->iov[j].iov_len);
		vu_ring_push(q->rx, c->head, used);
		bytes -= used;
	}
	window_take(w, n_buffers);
}

bool deliver_copy(struct pair *q, const struct vu_net_hdr *hdr, const uint8_t *frame,
		  uint32_t bytes)
{
	unsigned int chains = deliver_room(q, q->hdr_bytes + bytes);
	struct iovec *iov;
	unsigned int parts;

	if (!chains)
		return false;
	iov = window_first(&q->window)->iov;
	parts = deliver_parts(q, chains);
	iov_write(iov, parts, 0, hdr, q->hdr_bytes);
	iov_write(iov, parts, q->hdr_bytes, frame, bytes);
	deliver_done(q, q->hdr_bytes + bytes);
	return true;
}

/* ---- One frame, the slow way ---- */

enum fate { ARRIVED, DROPPED, WAITS };

struct tally {
	uint64_t packets;
	uint64_t bytes;
};

static void drop(struct pair *q, enum vxdp_verdict why, uint64_t packets, uint64_t bytes)
{
	count(&q->stats.drops[why], packets, bytes);
}

uint32_t deliver_packets(const struct deliver_frame *f)
{
	uint8_t byte = 0;
	size_t at = (size_t)le16toh(f->hdr.csum_start) + 12;

	if (f->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	if (at < f->head_bytes)
		byte = f->head[at];
	else
		iov_read(f->iov, f->n_iov, f->skip + at, &byte, 1);
	return wire_packets(&f->hdr, byte, f->bytes);
}

/* No room: for the moment, or for ever? */
static enum fate no_room(struct pair *q, const struct deliver_frame *f)
{
	if (!deliver_room_never(q))
		return WAITS;
	drop(q, VXDP_DROP_RX_BIG, deliver_packets(f), f->bytes);
	return DROPPED;
}

/* What the guest is told of a frame that it takes as it is. */
static struct vu_net_hdr header_for(const struct deliver_frame *f)
{
	struct vu_net_hdr hdr = {.num_buffers = htole16(1)};

	if (!(f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return hdr;
	hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr.csum_start = f->hdr.csum_start;
	hdr.csum_offset = f->hdr.csum_offset;
	if (f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		hdr.gso_type = f->hdr.gso_type;
		hdr.gso_size = f->hdr.gso_size;
		hdr.hdr_len = htole16((uint16_t)MIN(le16toh(f->hdr.hdr_len), f->bytes));
	}
	return hdr;
}

static enum fate deliver_scattered(struct pair *q, const struct deliver_frame *f, struct tally *t)
{
	unsigned int chains = deliver_room(q, q->hdr_bytes + f->bytes);
	struct vu_net_hdr hdr = header_for(f);
	struct iovec *iov;
	unsigned int parts;

	if (!chains)
		return no_room(q, f);
	iov = window_first(&q->window)->iov;
	parts = deliver_parts(q, chains);
	iov_write(iov, parts, 0, &hdr, q->hdr_bytes);
	iov_write(iov, parts, q->hdr_bytes, f->head, f->head_bytes);
	iov_copy(iov, parts, q->hdr_bytes + (size_t)f->head_bytes, f->iov, f->n_iov,
		 f->skip + (size_t)f->head_bytes, f->bytes - f->head_bytes);
	deliver_done(q, q->hdr_bytes + f->bytes);
	t->packets += deliver_packets(f);
	t->bytes += f->bytes;
	return ARRIVED;
}

static void linearize(const struct deliver_frame *f)
{
	memcpy(scratch, f->head, f->head_bytes);
	iov_read(f->iov, f->n_iov, f->skip + (size_t)f->head_bytes, scratch + f->head_bytes,
		 f->bytes - f->head_bytes);
}

static enum fate deliver_checksummed(struct pair *q, const struct deliver_frame *f, struct tally *t)
{
	const struct vu_net_hdr plain = {};

	if (!deliver_room(q, q->hdr_bytes + f->bytes))
		return no_room(q, f);
	linearize(f);
	checksum_finish(scratch, f->bytes, le16toh(f->hdr.csum_start), le16toh(f->hdr.csum_offset));
	deliver_copy(q, &plain, scratch, f->bytes);
	t->packets++;
	t->bytes += f->bytes;
	return ARRIVED;
}

/* Wait for as much room as all segments need, if a ring can have that at all. */
static bool segments_fit(struct pair *q, const struct segmenter *s)
{
	unsigned int want = MIN(segment_count(s), vu_ring_info(q->rx)->num / 4u);
	int n = window_fill(&q->window, q->rx, MIN(want, (unsigned int)WINDOW_CHAINS));

	return n > 0 && (unsigned int)n >= MIN(want, (unsigned int)WINDOW_CHAINS);
}

static enum fate deliver_segments(struct pair *q, const struct deliver_frame *f, struct tally *t)
{
	const struct vu_net_hdr plain = {};
	struct segmenter s;
	uint32_t bytes;

	linearize(f);
	if (segment_start(&s, &f->hdr, scratch, f->bytes)) {
		drop(q, VXDP_DROP_RX_OFFLOAD, 1, f->bytes);
		return DROPPED;
	}
	if (s.headers + MIN(s.size, f->bytes - s.headers) > q->frame_bytes_max) {
		drop(q, VXDP_DROP_RX_BIG, segment_count(&s), f->bytes);
		return DROPPED;
	}
	if (!segments_fit(q, &s))
		return WAITS;
	while ((bytes = segment_next(&s, segment)) > 0) {
		if (!deliver_copy(q, &plain, segment, bytes)) {
			drop(q, VXDP_DROP_RX_NO_BUFFER, 1, bytes);
			continue;
		}
		t->packets++;
		t->bytes += bytes;
	}
	return ARRIVED;
}

/* Does the guest do what the header asks for? */
static inline bool takes_whole(const struct pair *q, const struct vu_net_hdr *hdr)
{
	uint8_t type = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;

	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN && !q->rx_ecn)
		return false;
	return q->rx_gso >> (type & 7) & 1;
}

static enum fate deliver_slow(struct pair *q, const struct deliver_frame *f, struct tally *t)
{
	bool gso = f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;

	/* "MUST NOT deliver packets larger than mtu" (virtio 1.2, 5.1.4.1) */
	if (f->bytes > (gso ? GSO_FRAME_MAX : q->frame_bytes_max)) {
		drop(q, VXDP_DROP_RX_BIG, deliver_packets(f), f->bytes);
		return DROPPED;
	}
	if (gso && !takes_whole(q, &f->hdr))
		return deliver_segments(q, f, t);
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !q->rx_csum)
		return deliver_checksummed(q, f, t);
	return deliver_scattered(q, f, t);
}

/* ---- A burst ---- */

static inline bool is_plain(const struct pair *q, const struct deliver_frame *f)
{
	if (f->n_iov != 1)
		return false;
	if (f->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return q->rx_csum && f->bytes <= GSO_FRAME_MAX && takes_whole(q, &f->hdr);
	if (f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !q->rx_csum)
		return false;
	return f->bytes <= q->frame_bytes_max;
}

/* One buffer, one piece: nearly all there are. */
static inline void put_plain(const struct pair *q, const struct deliver_frame *f, uint8_t *to)
{
	static const uint8_t plain[VNET_HDR_MAX] = {[offsetof(struct vu_net_hdr, num_buffers)] = 1};
	const uint8_t *from = (const uint8_t *)f->iov[0].iov_base + f->skip;
	struct vu_net_hdr needs_csum;
	const void *hdr = plain;

	/*
	 * A header that was only just put together would be loaded before its stores are done, and
	 * those wait behind the ones to the guest's buffers.
	 */
	if (unlikely(f->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
		needs_csum = header_for(f);
		hdr = &needs_csum;
	}
	if (likely(q->hdr_bytes == sizeof(needs_csum)))
		memcpy(to, hdr, sizeof(needs_csum));
	else
		memcpy(to, hdr, offsetof(struct vu_net_hdr, num_buffers));
	to += q->hdr_bytes;
	memcpy(to, f->head, f->head_bytes);
	memcpy(to + f->head_bytes, from + f->head_bytes, f->bytes - f->head_bytes);
}

/* Return: frames of @frames dealt with at once; the next one is for the slow way. */
static unsigned int deliver_plain(struct pair *q, const struct deliver_frame *frames,
				  unsigned int n, struct tally *t)
{
	struct vu_mem *mem = vu_ring_info(q->rx)->mem;
	struct window *w = &q->window;
	int have = window_fill(w, q->rx, n);
	unsigned int i;

	n = have > 0 ? MIN(n, (unsigned int)have) : 0;
	window_prefetch(w, n);
	for (i = 0; i < n; i++) {
		const struct deliver_frame *f = &frames[i];
		const struct vu_chain *c = &w->chain[w->head + i];
		uint32_t total = q->hdr_bytes + f->bytes;

		if (unlikely(c->n_iov != 1 || total > c->bytes || !is_plain(q, f)))
			break;
		put_plain(q, f, c->iov[0].iov_base);
		vu_mem_dirty(mem, c->iov[0].iov_base, total);
		vu_ring_push(q->rx, c->head, total);
		t->packets += deliver_packets(f);
		t->bytes += f->bytes;
	}
	window_take(w, i);
	return i;
}

unsigned int deliver_burst(struct pair *q, const struct deliver_frame *frames, unsigned int n,
			   struct lane_count *lane)
{
	struct tally t = {};
	unsigned int done = 0;

	deliver_lock(q);
	while (done < n && !vu_ring_broken(q->rx)) {
		done += deliver_plain(q, &frames[done], MIN(n - done, (unsigned int)ROUND), &t);
		if (done == n)
			break;
		if (deliver_slow(q, &frames[done], &t) == WAITS)
			break;
		done++;
	}
	if (t.packets) {
		count(lane, t.packets, t.bytes);
		vu_ring_flush(q->rx);
		deliver_tell(q);
	}
	if (done < n)
		__atomic_store_n(&q->rx_waited, true, __ATOMIC_RELAXED);
	deliver_unlock(q);
	/* Its own worker stops it. */
	if (unlikely(vu_ring_broken(q->rx) != NULL))
		worker_wake(__atomic_load_n(&q->worker, __ATOMIC_RELAXED));
	return done;
}

void deliver_expect(struct pair *q, unsigned int n)
{
	int have;

	deliver_lock(q);
	have = window_fill(&q->window, q->rx, n);
	if (have > 0)
		window_prefetch(&q->window, MIN((unsigned int)have, n));
	deliver_unlock(q);
}

void deliver_drop(struct pair *q, enum vxdp_verdict why, uint64_t packets, uint64_t bytes)
{
	deliver_lock(q);
	drop(q, why, packets, bytes);
	deliver_unlock(q);
}
