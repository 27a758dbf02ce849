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

#include <vxdp/util.h>

#include "deliver.h"
#include "frame.h"

#define HELD_MAX_NS   (100 * 1000000ULL)
#define DRAIN_MAX     8192 /* more than a tap's queue holds (tap.c) */
#define UIO_PARTS_MAX 1024 /* of one readv() or writev() (UIO_MAXIOV) */

void kernel_tx(struct pair *p, const struct vu_net_hdr *hdr, const struct iovec *frame,
	       unsigned int n_frame, size_t skip, uint32_t bytes)
{
	uint32_t packets = iov_wire_packets(hdr, frame, n_frame, skip, bytes);
	struct iovec iov[VU_CHAIN_IOV_MAX + 1];
	unsigned int n = 1;

	if (bytes > GSO_FRAME_MAX ||
	    (hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE && bytes > p->frame_bytes_max)) {
		count(&p->stats.drops[VXDP_DROP_TX_BIG], 1, bytes);
		return;
	}
	iov[0] = (struct iovec){(void *)hdr, p->hdr_bytes};
	for (unsigned int i = 0; i < n_frame; i++) {
		if (skip >= frame[i].iov_len) {
			skip -= frame[i].iov_len;
			continue;
		}
		iov[n].iov_base = (uint8_t *)frame[i].iov_base + skip;
		iov[n].iov_len = frame[i].iov_len - skip;
		skip = 0;
		n++;
	}
	/* Only a chain made to annoy has more parts. */
	if (n > UIO_PARTS_MAX || writev(p->tx_tap_fd, iov, (int)n) < 0)
		count(&p->stats.drops[VXDP_DROP_TX_TAP], packets, bytes);
	else
		count(&p->stats.tx_kernel, packets, bytes);
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
	packets = wire_packets(&hdr, tcp_offset, bytes);
	if (deliver_copy(p, &hdr, p->held + p->hdr_bytes, bytes)) {
		count(&p->stats.rx_kernel, packets, bytes);
	} else if (deliver_room_never(p)) {
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

static ssize_t tap_read(struct pair *p, const struct iovec *iov, unsigned int n, bool *readable)
{
	ssize_t bytes = readv(p->tap_fd, iov, (int)n);

	if (bytes < 0)
		*readable = false;
	/* EFAULT: the guest's memory is gone, and with it the frame. EIO: so is the tap. */
	if (bytes < 0 && errno != EAGAIN)
		count(&p->stats.drops[VXDP_DROP_RX_STOP], 1, 0);
	return bytes;
}

/* One frame into buffers that hold the longest there can be. */
static bool rx_straight(struct pair *p, unsigned int chains, bool *readable)
{
	struct iovec *iov = window_first(&p->window)->iov;
	unsigned int parts = deliver_parts(p, chains);
	struct vu_net_hdr hdr = {};
	ssize_t bytes = tap_read(p, iov, parts, readable);
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
	count(&p->stats.rx_kernel, iov_wire_packets(&hdr, iov, parts, p->hdr_bytes, frame_bytes),
	      frame_bytes);
	deliver_done(p, (uint32_t)bytes);
	return true;
}

/* One buffer a frame: what is longer than the buffer spills into `held`, and is dropped. */
static bool rx_one_buffer(struct pair *p, bool *readable)
{
	struct vu_chain *c = window_first(&p->window);
	struct iovec iov[VU_CHAIN_IOV_MAX + 1];
	struct vu_net_hdr hdr = {};
	ssize_t bytes;

	memcpy(iov, c->iov, c->n_iov * sizeof(iov[0]));
	iov[c->n_iov] = (struct iovec){p->held, GSO_FRAME_MAX + VNET_HDR_MAX};
	bytes = tap_read(p, iov, MIN(c->n_iov + 1u, (unsigned int)UIO_PARTS_MAX), readable);
	if (bytes <= p->hdr_bytes)
		return false;
	iov_read(iov, c->n_iov + 1u, 0, &hdr, p->hdr_bytes);
	if ((uint32_t)bytes > c->bytes) {
		count(&p->stats.drops[VXDP_DROP_RX_BIG], 1, (uint32_t)bytes - p->hdr_bytes);
		return true;
	}
	count(&p->stats.rx_kernel,
	      iov_wire_packets(&hdr, c->iov, c->n_iov, p->hdr_bytes,
			       (uint32_t)bytes - p->hdr_bytes),
	      (uint32_t)bytes - p->hdr_bytes);
	deliver_done(p, (uint32_t)bytes);
	return true;
}

/* Mergeable, and too few buffers for the longest frame: perhaps this one is short. */
static bool rx_held(struct pair *p, uint64_t now_ns, bool *readable)
{
	struct iovec iov = {p->held, GSO_FRAME_MAX + VNET_HDR_MAX};
	ssize_t bytes = tap_read(p, &iov, 1, readable);

	if (bytes <= p->hdr_bytes)
		return false;
	p->held_bytes = (uint32_t)bytes;
	p->held_since_ns = now_ns;
	held_try(p, now_ns);
	return true;
}

static unsigned int rx_some(struct pair *p, unsigned int budget, uint64_t now_ns, bool *readable)
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
	/* What is in the tap from a turn on is not to be read by now. */
	while (*readable && done < budget && likely(!turn_pending(&p->tap_turn))) {
		unsigned int chains = deliver_room(p, longest);
		bool moved;

		if (!window_chains(&p->window)) {
			p->rx_starved = true;
			break;
		}
		if (!p->mergeable)
			moved = rx_one_buffer(p, readable);
		else if (chains && deliver_parts(p, chains) <= UIO_PARTS_MAX)
			moved = rx_straight(p, chains, readable);
		else
			moved = rx_held(p, now_ns, readable);
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

unsigned int kernel_rx(struct pair *p, unsigned int budget, uint64_t now_ns)
{
	return rx_some(p, budget, now_ns, &p->tap_readable);
}

bool kernel_rx_drain(struct pair *p, uint64_t now_ns)
{
	/* p->tap_readable is its own worker's: only that one sees the events it stands for. */
	bool readable = p->tap_fd >= 0;
	unsigned int frames = 0, moved = 1;

	if (p->tap_held)
		return false;
	while ((readable || p->held_bytes) && moved && frames < DRAIN_MAX) {
		moved = rx_some(p, BURST, now_ns, &readable);
		frames += moved;
	}
	if (frames) {
		vu_ring_flush(p->rx);
		vu_ring_notify(p->rx);
	}
	/* After so many, those that were there at first are through. */
	return frames >= DRAIN_MAX || (!readable && !p->held_bytes);
}

void kernel_rx_discard(struct pair *p)
{
	ssize_t n;

	for (unsigned int i = 0; i < DRAIN_MAX && !p->held_bytes; i++) {
		n = read(p->tap_fd, p->held, GSO_FRAME_MAX + VNET_HDR_MAX);
		if (n < 0)
			break;
		count(&p->stats.drops[VXDP_DROP_RX_STOP], 1,
		      (uint64_t)MAX(n - (ssize_t)p->hdr_bytes, (ssize_t)0));
	}
}
