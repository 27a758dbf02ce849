/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Guest to tap: one writev() a frame. The virtio-net header the kernel sees is our checked copy,
 * the rest are the guest's own buffers.
 *
 * Tap to guest: tun cuts off what does not fit without saying so, and a frame's length is not
 * known before it is read. So a read always offers room for the longest frame there can be:
 *
 *   mergeable, enough buffers   readv() straight into them
 *   mergeable, too few          read() into the pair's `held` buffer; copied as soon as there is
 *                               room, dropped after HELD_MAX_NS. Nothing else is read meanwhile:
 *                               what waits, waits in the tap's queue, which drops when it is full
 *   one buffer a frame          readv() into it with `held` as overflow: what spills is dropped
 */
#include "lane_kernel.h"

#include <errno.h>
#include <endian.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#define HELD_MAX_NS (100 * 1000000ULL)
/* Buffers looked at for one frame; those of a Linux guest are at least 1536 bytes. */
#define RX_CHAINS_MAX 192
#define TCP_HDR_MIN   20
#define UIO_PARTS_MAX 1024 /* of one readv() or writev() (UIO_MAXIOV) */

/* Copy @bytes to @offset bytes into a scattered buffer. */
static void iov_write(const struct iovec *iov, unsigned int n, size_t offset, const void *from,
		      size_t bytes)
{
	const uint8_t *src = from;

	for (unsigned int i = 0; i < n && bytes; i++) {
		size_t room;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		room = MIN(iov[i].iov_len - offset, bytes);
		memcpy((uint8_t *)iov[i].iov_base + offset, src, room);
		src += room;
		bytes -= room;
		offset = 0;
	}
}

static void iov_read(const struct iovec *iov, unsigned int n, size_t offset, void *to, size_t bytes)
{
	uint8_t *dst = to;

	for (unsigned int i = 0; i < n && bytes; i++) {
		size_t there;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		there = MIN(iov[i].iov_len - offset, bytes);
		memcpy(dst, (const uint8_t *)iov[i].iov_base + offset, there);
		dst += there;
		bytes -= there;
		offset = 0;
	}
}

/* Wire packets in one frame. Only the counters depend on it. */
static uint32_t wire_packets(const struct vu_net_hdr *hdr, const uint8_t *tcp_offset_byte,
			     uint32_t frame_bytes)
{
	uint8_t type = hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
	uint32_t l4 = le16toh(hdr->csum_start);
	uint32_t size = le16toh(hdr->gso_size);
	uint32_t headers = l4 + 8;

	if (type == VIRTIO_NET_HDR_GSO_NONE || !size)
		return 1;
	if (type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6)
		headers = l4 + MAX((*tcp_offset_byte >> 4) * 4u, (unsigned int)TCP_HDR_MIN);
	if (headers >= frame_bytes)
		return 1;
	return (frame_bytes - headers + size - 1) / size;
}

static uint32_t chain_wire_packets(const struct vu_net_hdr *hdr, const struct iovec *iov,
				   unsigned int n, size_t hdr_bytes, uint32_t frame_bytes)
{
	uint8_t tcp_offset = 0;

	if (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	iov_read(iov, n, hdr_bytes + le16toh(hdr->csum_start) + 12, &tcp_offset, 1);
	return wire_packets(hdr, &tcp_offset, frame_bytes);
}

void kernel_tx(struct pair *p, const struct vu_net_hdr *hdr, const struct vu_chain *chain)
{
	uint32_t bytes = chain->bytes - p->hdr_bytes;
	struct iovec iov[VU_CHAIN_IOV_MAX + 1];
	size_t skip = p->hdr_bytes;
	unsigned int n = 1;
	uint32_t packets;

	if (bytes > GSO_FRAME_MAX ||
	    (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE && bytes > p->frame_bytes_max)) {
		count(&p->stats.drops[VXDP_DROP_TX_BIG], 1, bytes);
		return;
	}
	iov[0] = (struct iovec){(void *)hdr, p->hdr_bytes};
	for (unsigned int i = 0; i < chain->n_iov; i++) {
		if (skip >= chain->iov[i].iov_len) {
			skip -= chain->iov[i].iov_len;
			continue;
		}
		iov[n].iov_base = (uint8_t *)chain->iov[i].iov_base + skip;
		iov[n].iov_len = chain->iov[i].iov_len - skip;
		skip = 0;
		n++;
	}
	packets = chain_wire_packets(hdr, chain->iov, chain->n_iov, p->hdr_bytes, bytes);
	/* Only a chain made to annoy has more parts. */
	if (n > UIO_PARTS_MAX || writev(p->tx_tap_fd, iov, (int)n) < 0)
		count(&p->stats.drops[VXDP_DROP_TX_TAP], packets, bytes);
	else
		count(&p->stats.tx_kernel, packets, bytes);
}

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

/* Parts of the window's first @chains chains, which lie side by side. */
static unsigned int parts_of(const struct window *w, unsigned int chains)
{
	const struct vu_chain *first = &w->chain[w->head], *last = first + chains - 1;

	return (unsigned int)(last->iov - first->iov) + last->n_iov;
}

/* The first @bytes of the window's buffers were written: give them to the guest. */
static void window_push(struct pair *p, uint32_t bytes)
{
	struct window *w = &p->window;
	uint16_t n_buffers = 0;
	struct vu_chain *first = window_first(w);
	const struct vu_ring_info *info = vu_ring_info(p->rx);
	uint32_t left = bytes;

	for (unsigned int i = w->head; left; i++, n_buffers++) {
		uint32_t used = MIN(left, w->chain[i].bytes);

		left -= used;
	}
	if (p->hdr_bytes == sizeof(struct vu_net_hdr)) {
		uint16_t le = htole16(p->mergeable ? n_buffers : 1);

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
		vu_ring_push(p->rx, c->head, used);
		bytes -= used;
	}
	window_take(w, n_buffers);
}

/* How many chains a frame of @bytes (header included) takes now; 0: not enough, or unusable. */
static unsigned int window_room(struct pair *p, uint32_t bytes)
{
	int n = window_fill(&p->window, p->rx, 1);

	if (n <= 0)
		return 0;
	if (!p->mergeable)
		return chains_for(&p->window, 1, bytes);
	if (window_first(&p->window)->bytes < p->hdr_bytes)
		return 0;
	for (unsigned int want = 4; want <= RX_CHAINS_MAX; want *= 2) {
		unsigned int chains;

		n = window_fill(&p->window, p->rx, MIN(want, RX_CHAINS_MAX));
		if (n <= 0)
			return 0;
		chains = chains_for(&p->window, (unsigned int)n, bytes);
		if (chains || (unsigned int)n < MIN(want, RX_CHAINS_MAX))
			return chains;
	}
	n = window_fill(&p->window, p->rx, RX_CHAINS_MAX);
	return n > 0 ? chains_for(&p->window, (unsigned int)n, bytes) : 0;
}

bool deliver_copy(struct pair *p, const struct vu_net_hdr *hdr, const uint8_t *frame,
		  uint32_t bytes)
{
	unsigned int chains = window_room(p, p->hdr_bytes + bytes);
	struct iovec *iov;
	unsigned int parts;

	if (!chains)
		return false;
	iov = window_first(&p->window)->iov;
	parts = parts_of(&p->window, chains);
	iov_write(iov, parts, 0, hdr, p->hdr_bytes);
	iov_write(iov, parts, p->hdr_bytes, frame, bytes);
	window_push(p, p->hdr_bytes + bytes);
	return true;
}

/* The held frame, if there is room by now. False: it goes on waiting. */
static bool held_try(struct pair *p, uint64_t now_ns)
{
	struct vu_net_hdr hdr = {};
	uint32_t bytes = p->held_bytes - p->hdr_bytes;
	uint32_t packets;
	uint8_t tcp_offset;
	size_t at;

	memcpy(&hdr, p->held, p->hdr_bytes);
	at = p->hdr_bytes + le16toh(hdr.csum_start) + 12u;
	tcp_offset = at < p->held_bytes ? p->held[at] : 0;
	packets = wire_packets(&hdr, &tcp_offset, bytes);
	if (deliver_copy(p, &hdr, p->held + p->hdr_bytes, bytes)) {
		count(&p->stats.rx_kernel, packets, bytes);
	} else if (window_chains(&p->window) >= RX_CHAINS_MAX) {
		/* Buffers of next to nothing: waiting for more of them does not help. */
		count(&p->stats.drops[VXDP_DROP_RX_BIG], packets, bytes);
	} else if (now_ns - p->held_since_ns >= HELD_MAX_NS) {
		count(&p->stats.drops[VXDP_DROP_RX_NO_BUFFER], packets, bytes);
	} else {
		return false;
	}
	p->held_bytes = 0;
	return true;
}

static ssize_t tap_read(struct pair *p, const struct iovec *iov, unsigned int n)
{
	ssize_t bytes = readv(p->tap_fd, iov, (int)n);

	if (bytes < 0)
		p->tap_readable = false;
	/* EFAULT: the guest's memory is gone, and with it the frame. EIO: so is the tap. */
	if (bytes < 0 && errno != EAGAIN)
		count(&p->stats.drops[VXDP_DROP_RX_STOP], 1, 0);
	return bytes;
}

/* One frame into buffers that hold the longest there can be. */
static bool rx_straight(struct pair *p, unsigned int chains)
{
	struct iovec *iov = window_first(&p->window)->iov;
	unsigned int parts = parts_of(&p->window, chains);
	struct vu_net_hdr hdr = {};
	ssize_t bytes = tap_read(p, iov, parts);
	uint32_t frame_bytes;

	if (bytes <= p->hdr_bytes)
		return false;
	frame_bytes = (uint32_t)bytes - p->hdr_bytes;
	iov_read(iov, parts, 0, &hdr, p->hdr_bytes);
	/* "MUST NOT deliver packets larger than mtu" (virtio 1.2, 5.1.4.1) */
	if (hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE && frame_bytes > p->frame_bytes_max) {
		count(&p->stats.drops[VXDP_DROP_RX_BIG], 1, frame_bytes);
		return true;
	}
	count(&p->stats.rx_kernel, chain_wire_packets(&hdr, iov, parts, p->hdr_bytes, frame_bytes),
	      frame_bytes);
	window_push(p, (uint32_t)bytes);
	return true;
}

/* One buffer a frame: what is longer than the buffer spills into `held`, and is dropped. */
static bool rx_one_buffer(struct pair *p)
{
	struct vu_chain *c = window_first(&p->window);
	struct iovec iov[VU_CHAIN_IOV_MAX + 1];
	struct vu_net_hdr hdr = {};
	ssize_t bytes;

	memcpy(iov, c->iov, c->n_iov * sizeof(iov[0]));
	iov[c->n_iov] = (struct iovec){p->held, GSO_FRAME_MAX + VNET_HDR_MAX};
	bytes = tap_read(p, iov, MIN(c->n_iov + 1u, (unsigned int)UIO_PARTS_MAX));
	if (bytes <= p->hdr_bytes)
		return false;
	iov_read(iov, c->n_iov + 1u, 0, &hdr, p->hdr_bytes);
	if ((uint32_t)bytes > c->bytes) {
		count(&p->stats.drops[VXDP_DROP_RX_BIG], 1, (uint32_t)bytes - p->hdr_bytes);
		return true;
	}
	count(&p->stats.rx_kernel,
	      chain_wire_packets(&hdr, c->iov, c->n_iov, p->hdr_bytes,
				 (uint32_t)bytes - p->hdr_bytes),
	      (uint32_t)bytes - p->hdr_bytes);
	window_push(p, (uint32_t)bytes);
	return true;
}

/* Mergeable, and too few buffers for the longest frame: perhaps this one is short. */
static bool rx_held(struct pair *p, uint64_t now_ns)
{
	struct iovec iov = {p->held, GSO_FRAME_MAX + VNET_HDR_MAX};
	ssize_t bytes = tap_read(p, &iov, 1);

	if (bytes <= p->hdr_bytes)
		return false;
	p->held_bytes = (uint32_t)bytes;
	p->held_since_ns = now_ns;
	held_try(p, now_ns);
	return true;
}

unsigned int kernel_rx(struct pair *p, unsigned int budget, uint64_t now_ns)
{
	uint32_t longest = p->hdr_bytes + (p->gso_rx ? GSO_FRAME_MAX : p->frame_bytes_max);
	unsigned int done = 0;

	if (p->held_bytes) {
		if (!held_try(p, now_ns)) {
			p->rx_starved = true;
			return 0;
		}
		done++;
	}
	while (p->tap_readable && done < budget) {
		unsigned int chains = window_room(p, longest);
		bool moved;

		if (!window_chains(&p->window)) {
			p->rx_starved = true;
			break;
		}
		if (!p->mergeable)
			moved = rx_one_buffer(p);
		else if (chains && parts_of(&p->window, chains) <= UIO_PARTS_MAX)
			moved = rx_straight(p, chains);
		else
			moved = rx_held(p, now_ns);
		if (!moved)
			break;
		done++;
		if (p->held_bytes) {
			p->rx_starved = true;
			break;
		}
	}
	return done;
}
