/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Receive. The XDP program puts an empty virtio-net header in front of each frame, so what arrives
 * is exactly what a receive buffer has to hold, and the buffer is given to the kernel such that it
 * begins there. A received frame then costs no access to guest memory other than the used ring:
 * not one byte of the frame is looked at. A buffer at V becomes UMEM address
 *
 *	copy mode     V - base - 256              the kernel copies header and frame to chunk + 256
 *	zero copy     V - base - 256 - headroom + header bytes
 *	                                          the NIC writes the frame to chunk +
 *	                                          256 + headroom, and the program the
 *	                                          header before it, in the buffer
 *
 * Beside other XDP programs the one of ours may have to be the bare one, which leaves the header
 * out. Then it is the frame that is made to arrive behind the header's place, and the header is
 * written here (rx_place(), which costs the other way nothing).
 *
 * The kernel returns addresses. They nearly always come back in the order they were given
 * (always in copy mode), so what is posted is kept as a queue: the oldest entry is compared first,
 * and only if it is another one are the next ones searched.
 *
 * A buffer which cannot be the kernel's target (scattered, too short, at the very end of memory,
 * across pages that need not be contiguous for a zero-copy NIC) stays in the window, and a chunk
 * of our own is posted instead; its frame is copied, and counted as bounced.
 *
 * Transmit. The guest's frame is submitted where it lies and its buffer is used when the kernel
 * returns the address. A scattered frame is copied into a chunk of ours, and so is one with an
 * unfinished checksum, which must not be finished in the guest's own memory.
 */
#include "lane_direct.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "checksum.h"
#include "deliver.h"
#include "frame.h"

#define FILL_BATCH 64
#define PAGE_BYTES 4096u

static inline uint32_t posted_count(const struct posted_queue *q)
{
	return q->tail - q->head;
}

static inline struct posted *posted_at(struct posted_queue *q, uint32_t i)
{
	return &q->entry[i & (XSK_RING_ENTRIES - 1)];
}

static inline void posted_add(struct posted_queue *q, struct posted entry)
{
	*posted_at(q, q->tail++) = entry;
}

/* Take the entry of @addr out of the queue. Its kind is POSTED_DONE if there is none. */
static inline struct posted posted_take(struct posted_queue *q, uint64_t addr)
{
	struct posted found = {.kind = POSTED_DONE};
	uint32_t i = q->head;

	for (; i != q->tail; i++) {
		struct posted *e = posted_at(q, i);

		if (likely(e->addr == addr && e->kind != POSTED_DONE)) {
			found = *e;
			e->kind = POSTED_DONE;
			break;
		}
	}
	while (q->head != q->tail && posted_at(q, q->head)->kind == POSTED_DONE)
		q->head++;
	return found;
}

/* Does a zero-copy NIC see [va, va + bytes) in one piece? Copy mode does not care. */
static bool dma_contiguous(const struct pair *p, const struct direct_socket *s, const uint8_t *va,
			   size_t bytes)
{
	const struct vu_mem *mem = vu_ring_info(p->rx)->mem;
	uint64_t page = PAGE_BYTES;

	if (!s->xsk.zerocopy)
		return true;
	for (unsigned int i = 0; i < mem->n_regions; i++)
		if ((uint64_t)(va - mem->region[i].va) < mem->region[i].bytes)
			page = mem->region[i].page_bytes;
	return ((uintptr_t)va & ~(page - 1)) == (((uintptr_t)va + bytes - 1) & ~(page - 1));
}

/* From the UMEM address a buffer is given as to its first byte, where the header belongs. */
static inline uint64_t rx_lead(const struct pair *p, const struct direct_socket *s)
{
	return XSK_PACKET_HEADROOM + s->umem.headroom_bytes -
	       (s->xsk.zerocopy || s->bare ? p->hdr_bytes : 0);
}

/*
 * The UMEM address of a receive buffer, or 0 if the kernel cannot write to it: header and longest
 * frame have to fit into one part, and the whole chunk lies in the UMEM (xp_check_unaligned()).
 */
static inline uint64_t rx_address(const struct pair *p, const struct direct_socket *s,
				  const struct vu_chain *c, uint64_t lead)
{
	uint32_t room = MAX(p->frame_bytes_max, s->umem.room_bytes);
	uint8_t *va = c->iov[0].iov_base;
	uint64_t addr;

	if (unlikely(c->n_iov != 1 || c->bytes < p->hdr_bytes + room))
		return 0;
	addr = (uint64_t)(va - (uint8_t *)s->umem.base) - lead;
	if (unlikely(addr + s->umem.chunk_bytes > s->umem.bytes))
		return 0;
	if (s->xsk.zerocopy &&
	    !dma_contiguous(p, s, (uint8_t *)s->umem.base + addr, s->umem.chunk_bytes))
		return 0;
	return addr;
}

/*
 * Give the kernel the oldest buffers of the window, up to @max of them and to the first that is
 * none for it. The fill ring is written last and at once: its lines come from the core that the
 * NIC's queue runs on, and stores behind one that waits for a line wait too.
 */
static uint32_t fill_run(struct pair *p, struct direct_socket *s, uint32_t max)
{
	const struct vu_chain *chain = window_first(&p->window);
	const uint64_t lead = rx_lead(p, s);
	uint64_t addr[FILL_BATCH];
	uint32_t n = 0;

	for (; n < max; n++) {
		addr[n] = rx_address(p, s, &chain[n], lead);
		if (unlikely(!addr[n]))
			break;
		*posted_at(&s->rx, s->rx.tail + n) = (struct posted){
			.addr = addr[n],
			.head = chain[n].head,
			.kind = POSTED_GUEST,
			.seq = (uint16_t)(p->window.taken + n),
		};
	}
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_addr(&s->xsk.fill, i) = addr[i];
	s->rx.tail += n;
	s->guest_posted += n;
	window_take(&p->window, n);
	return n;
}

void direct_fill(struct pair *p, struct direct_socket *s)
{
	uint32_t room = MIN(XSK_RING_ENTRIES - posted_count(&s->rx), (uint32_t)FILL_BATCH);
	unsigned int share = direct_share(p);
	uint32_t n = 0;
	int chains;

	room = MIN(room, xsk_ring_free(&s->xsk.fill, room));
	if (!room || s->guest_posted >= share)
		return;
	chains = window_fill(&p->window, p->rx, MIN(room, share - s->guest_posted));
	if (chains <= 0)
		p->rx_starved = true;
	else
		n = fill_run(p, s, MIN((uint32_t)chains, MIN(room, share - s->guest_posted)));
	chains -= (int)n;
	/* The next buffer is none for the kernel: receive into chunks of our own meanwhile. */
	for (; chains > 0 && n < room && s->n_rx_bounce && s->guest_posted < share; n++) {
		uint64_t addr = s->rx_bounce[--s->n_rx_bounce];

		posted_add(&s->rx, (struct posted){.addr = addr, .kind = POSTED_BOUNCE});
		*xsk_ring_addr(&s->xsk.fill, n) = addr;
	}
	if (!n)
		return;
	xsk_ring_produced(&s->xsk.fill, n);
	xsk_kick_fill(&s->xsk);
}

static void rx_bounced(struct pair *p, struct direct_socket *s, uint64_t chunk,
		       const uint8_t *frame, uint32_t bytes)
{
	const struct vu_net_hdr empty = {};

	if (!s->bare) {
		frame += p->hdr_bytes;
		bytes -= p->hdr_bytes;
	}

	if (deliver_copy(p, &empty, frame, bytes))
		count(&p->stats.rx_bounced, 1, bytes);
	else
		count(&p->stats.drops[VXDP_DROP_RX_NO_BUFFER], 1, bytes);
	s->rx_bounce[s->n_rx_bounce++] = chunk;
}

/*
 * A frame which did not come as the guest wants it: without a header, or elsewhere than asked for
 * (a driver with a headroom of its own). @to: where header and frame belong. Return: bytes of both.
 */
static uint32_t rx_place(const struct pair *p, const struct direct_socket *s, uint8_t *to,
			 const uint8_t *at, uint32_t bytes)
{
	const struct vu_net_hdr empty = {.num_buffers = htole16(1)};
	uint32_t lacks = s->bare ? p->hdr_bytes : 0;

	if (at != to + lacks)
		memmove(to + lacks, at, bytes);
	memcpy(to, &empty, lacks);
	return lacks + bytes;
}

/*
 * What this pass and the fill after it will touch and another core wrote last: load all of it now,
 * at the same time. One line at a time costs the way between the cores each time, which is more
 * than everything else that is done for a frame.
 */
static void rx_prefetch(const struct pair *p, struct direct_socket *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += CACHE_LINE_BYTES / sizeof(struct xdp_desc))
		__builtin_prefetch(xsk_ring_desc(&s->xsk.rx, i));
	vu_ring_prefetch(p->rx, n);
	for (uint32_t i = 0; i < n; i += CACHE_LINE_BYTES / sizeof(uint64_t))
		prefetch_write(xsk_ring_addr(&s->xsk.fill, i));
}

/*
 * Frames that came back in the order their buffers were given, into guest buffers, and lie where
 * they were asked to: nearly all.
 *
 * Return: how many, of @n.
 */
static uint32_t rx_run(struct pair *p, struct direct_socket *s, uint32_t n, uint64_t *bytes)
{
	const uint64_t offset = rx_lead(p, s) << XSK_UNALIGNED_BUF_OFFSET_SHIFT;
	uint64_t all_bytes = 0;
	uint32_t done;

	n = MIN(n, posted_count(&s->rx));
	for (done = 0; done < n; done++) {
		const struct xdp_desc desc = *xsk_ring_desc(&s->xsk.rx, done);
		const struct posted *e = posted_at(&s->rx, s->rx.head + done);

		if (unlikely(desc.addr != (e->addr | offset) || e->kind != POSTED_GUEST))
			break;
		vu_ring_push(p->rx, e->head, desc.len);
		all_bytes += desc.len;
	}
	s->rx.head += done;
	s->guest_posted -= done;
	*bytes = all_bytes - (uint64_t)done * p->hdr_bytes;
	return done;
}

/* Any frame. Return: 1 if it is in a guest buffer, 0 if it was copied or is none of ours. */
static uint32_t rx_any(struct pair *p, struct direct_socket *s, struct xdp_desc desc,
		       uint64_t *bytes)
{
	const uint64_t addr = desc.addr & XSK_ADDR_MASK, lead = rx_lead(p, s);
	uint8_t *chunk = (uint8_t *)s->umem.base + addr;
	uint8_t *at = chunk + XSK_OFFSET(desc.addr);
	struct posted e = posted_take(&s->rx, addr);

	if (e.kind == POSTED_BOUNCE)
		rx_bounced(p, s, e.addr, at, desc.len);
	if (e.kind != POSTED_GUEST)
		return 0;
	if (s->bare || at != chunk + lead)
		desc.len = rx_place(p, s, chunk + lead, at, desc.len);
	vu_mem_dirty(vu_ring_info(p->rx)->mem, chunk + lead, desc.len);
	vu_ring_push(p->rx, e.head, desc.len);
	s->guest_posted--;
	*bytes += desc.len - p->hdr_bytes;
	return 1;
}

unsigned int direct_rx(struct pair *p, struct direct_socket *s, unsigned int budget)
{
	uint32_t ready = xsk_ring_ready(&s->xsk.rx), n = MIN(ready, budget);
	uint64_t packets = 0, bytes = 0;
	uint32_t i = 0;

	if (!n)
		return 0;
	rx_prefetch(p, s, n);
	if (likely(!vu_ring_info(p->rx)->mem->dirty && !s->bare))
		packets = i = rx_run(p, s, n, &bytes);
	for (; i < n; i++)
		packets += rx_any(p, s, *xsk_ring_desc(&s->xsk.rx, i), &bytes);
	xsk_ring_consumed(&s->xsk.rx, n);
	count(&p->stats.rx_direct, packets, bytes);
	return n;
}

unsigned int direct_tx_room(struct direct_socket *s)
{
	return MIN(xsk_ring_free(&s->xsk.tx, BURST), XSK_RING_ENTRIES - posted_count(&s->tx));
}

static void tx_submit(struct direct_socket *s, struct posted entry, uint32_t bytes)
{
	*xsk_ring_desc(&s->xsk.tx, 0) = (struct xdp_desc){.addr = entry.addr, .len = bytes};
	posted_add(&s->tx, entry);
	xsk_ring_produced(&s->xsk.tx, 1);
}

/* The frame in one piece, or NULL. */
static uint8_t *tx_frame(const struct pair *p, const struct direct_socket *s,
			 const struct vu_chain *c, uint32_t bytes)
{
	uint8_t *frame = NULL;

	if (c->n_iov == 1)
		frame = (uint8_t *)c->iov[0].iov_base + p->hdr_bytes;
	else if (c->n_iov == 2 && c->iov[0].iov_len == p->hdr_bytes)
		frame = c->iov[1].iov_base;
	return frame && dma_contiguous(p, s, frame, bytes) ? frame : NULL;
}

static void tx_bounce(struct pair *p, struct direct_socket *s, const struct vu_net_hdr *hdr,
		      const struct vu_chain *chain, uint32_t bytes)
{
	uint8_t *chunk;
	uint64_t addr;

	if (!s->n_tx_bounce || bytes > BOUNCE_CHUNK_BYTES) {
		count(&p->stats.drops[VXDP_DROP_TX_XSK], 1, bytes);
		vu_ring_push(p->tx, chain->head, 0);
		return;
	}
	addr = s->tx_bounce[--s->n_tx_bounce];
	chunk = (uint8_t *)s->umem.base + addr;
	iov_read(chain->iov, chain->n_iov, p->hdr_bytes, chunk, bytes);
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		checksum_finish(chunk, bytes, le16toh(hdr->csum_start), le16toh(hdr->csum_offset));
	tx_submit(s, (struct posted){.addr = addr, .kind = POSTED_BOUNCE}, bytes);
	count(&p->stats.tx_bounced, 1, bytes);
	vu_ring_push(p->tx, chain->head, 0);
}

void direct_tx(struct pair *p, struct direct_socket *s, const struct vu_net_hdr *hdr,
	       const struct vu_chain *chain)
{
	uint32_t bytes = chain->bytes - p->hdr_bytes;
	uint8_t *frame = NULL;

	if (bytes > p->frame_bytes_max) {
		count(&p->stats.drops[VXDP_DROP_TX_BIG], 1, bytes);
		vu_ring_push(p->tx, chain->head, 0);
		return;
	}
	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		frame = tx_frame(p, s, chain, bytes);
	if (!frame) {
		tx_bounce(p, s, hdr, chain, bytes);
		return;
	}
	tx_submit(s,
		  (struct posted){.addr = (uint64_t)(frame - (uint8_t *)s->umem.base),
				  .head = chain->head,
				  .kind = POSTED_GUEST},
		  bytes);
	count(&p->stats.tx_direct, 1, bytes);
}

/* In copy mode one call sends a limited batch and says EAGAIN if there is more (xsk_sendmsg()). */
void direct_tx_kick(struct direct_socket *s)
{
	for (int calls = 0; calls < 4; calls++) {
		uint32_t sent = load_acquire(s->xsk.tx.consumer);
		int err;

		s->xsk.tx.cached = sent;
		if (sent == s->xsk.tx.index) {
			s->tx_stuck = false;
			return;
		}
		if (!xsk_ring_needs_wakeup(&s->xsk.tx))
			return;
		err = xsk_kick_tx(&s->xsk);
		if (err && err != -EAGAIN && err != -EBUSY && err != -ENOBUFS) {
			s->tx_stuck = true;
			return;
		}
	}
}

unsigned int direct_tx_reap(struct pair *p, struct direct_socket *s)
{
	uint32_t n = xsk_ring_ready(&s->xsk.done);

	for (uint32_t i = 0; i < n; i++) {
		struct posted e = posted_take(&s->tx, *xsk_ring_addr(&s->xsk.done, i));

		if (e.kind == POSTED_GUEST)
			vu_ring_push(p->tx, e.head, 0);
		else if (e.kind == POSTED_BOUNCE)
			s->tx_bounce[s->n_tx_bounce++] = e.addr;
	}
	if (n)
		xsk_ring_consumed(&s->xsk.done, n);
	return n;
}

static void abandon_tx(struct pair *p, struct direct_socket *s)
{
	for (; s->tx.head != s->tx.tail; s->tx.head++) {
		struct posted *e = posted_at(&s->tx, s->tx.head);

		if (e->kind == POSTED_DONE)
			continue;
		count(&p->stats.drops[VXDP_DROP_TX_XSK], 1, 0);
		if (e->kind == POSTED_GUEST && p->tx)
			vu_ring_push(p->tx, e->head, 0);
	}
}

void direct_abandon(struct pair *p, struct direct_socket *s)
{
	const struct vu_net_hdr empty = {.num_buffers = htole16(1)};
	uint32_t newest = s->rx.tail;
	struct vu_head heads[XSK_RING_ENTRIES];
	uint32_t n = 0;

	/* The window is empty; what was taken last and is all still here can go back. */
	while (newest != s->rx.head) {
		struct posted *e = posted_at(&s->rx, newest - 1);

		if (e->kind != POSTED_GUEST ||
		    e->seq != (uint16_t)(p->window.taken - (s->rx.tail - newest) - 1))
			break;
		newest--;
	}
	for (uint32_t i = newest; i != s->rx.tail; i++)
		heads[n++] = posted_at(&s->rx, i)->head;
	if (n)
		vu_ring_unpop(p->rx, heads, n);
	window_untake(&p->window, n);
	for (uint32_t i = s->rx.head; i != newest; i++) {
		struct posted *e = posted_at(&s->rx, i);

		if (e->kind != POSTED_GUEST)
			continue;
		memcpy((uint8_t *)s->umem.base + e->addr + rx_lead(p, s), &empty, p->hdr_bytes);
		vu_ring_push(p->rx, e->head, p->hdr_bytes);
	}
	s->rx.head = s->rx.tail;
	s->guest_posted = 0;
	abandon_tx(p, s);
}
