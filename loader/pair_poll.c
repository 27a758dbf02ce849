/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pair_poll.h"

#include <linux/if_ether.h>
#include <string.h>

#include "capture.h"
#include "deliver.h"
#include "lane_direct.h"
#include "lane_kernel.h"

#define TX_PARTS (BURST + VU_CHAIN_IOV_MAX)

static void fault(struct pair *p, const char *reason, bool is_rx, bool is_mem)
{
	if (p->fault)
		return;
	p->fault_rx = is_rx;
	p->fault_mem = is_mem;
	__atomic_store_n(&p->fault, reason, __ATOMIC_RELEASE);
}

/* The first bytes of a buffer in private memory: nobody can change them after the checks. */
static void peek(const struct vu_chain *c, size_t skip, uint8_t *to, size_t bytes)
{
	for (unsigned int i = 0; i < c->n_iov && bytes; i++) {
		size_t len = c->iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len = MIN(len - skip, bytes);
		memcpy(to, (const uint8_t *)c->iov[i].iov_base + skip, len);
		to += len;
		bytes -= len;
		skip = 0;
	}
}

static struct direct_socket *tx_socket(struct pair *p)
{
	return p->n_sockets && !p->socket[0]->tx_stuck ? p->socket[0] : NULL;
}

/*
 * The headers of all frames of a burst, at the same time: the guest's core wrote them last, and
 * each would else be waited for on its own.
 */
static void tx_prefetch(const struct vu_chain *chain, int n)
{
	for (int i = 0; i < n; i++) {
		const uint8_t *first = chain[i].n_iov ? chain[i].iov[0].iov_base : NULL;

		__builtin_prefetch(first);
		__builtin_prefetch(first + CACHE_LINE_BYTES);
	}
}

/* One guest frame: check, choose the lane, send. Pushes the buffer unless the kernel holds it. */
static void tx_one(struct pair *p, const struct vu_chain *c, uint64_t now_ns)
{
	struct direct_socket *s = tx_socket(p);
	struct {
		struct vu_net_hdr hdr;
		uint8_t frame[FLOW_PEEK_BYTES];
	} private = {};
	uint32_t bytes = c->bytes - p->hdr_bytes;
	enum flow_lane lane = FLOW_KERNEL;

	if (c->bytes < p->hdr_bytes + (uint32_t)ETH_HLEN) {
		count(&p->stats.drops[VXDP_DROP_TX_SHORT], 1, c->bytes);
		vu_ring_push(p->tx, c->head, 0);
		return;
	}
	peek(c, 0, (uint8_t *)&private.hdr, p->hdr_bytes);
	if (vu_net_hdr_check(&private.hdr, bytes, p->features)) {
		count(&p->stats.drops[VXDP_DROP_TX_OFFLOAD], 1, bytes);
		vu_ring_push(p->tx, c->head, 0);
		return;
	}
	if (s) {
		size_t n = MIN(bytes, (uint32_t)FLOW_PEEK_BYTES);

		peek(c, p->hdr_bytes, private.frame, n);
		lane = flow_lane(&p->flows, &p->tables, private.frame, n, now_ns);
	}
	/* A GSO frame of a flow of the direct lane: only a guest that breaks its own rules. */
	if (lane == FLOW_DIRECT && !private.hdr.gso_type) {
		if (unlikely(p->capture != NULL))
			capture_send(p->capture, p->tables.port_id, VXDP_PORT_UPLINK, VXDP_TO_WIRE,
				     c->iov, c->n_iov, p->hdr_bytes, bytes);
		direct_tx(p, s, &private.hdr, c);
		return;
	}
	kernel_tx(p, &private.hdr, c);
	vu_ring_push(p->tx, c->head, 0);
}

/* A ring that is started and not enabled: its frames are taken and thrown away (vhost-user.rst). */
static void tx_discard(struct pair *p, const struct vu_chain *c)
{
	count(&p->stats.drops[VXDP_DROP_TX_DISABLED], 1, c->bytes);
	vu_ring_push(p->tx, c->head, 0);
}

static unsigned int poll_tx(struct pair *p, uint64_t now_ns)
{
	struct direct_socket *s = tx_socket(p);
	unsigned int burst = BURST, reaped = 0;
	struct vu_chain chain[BURST];
	struct iovec part[TX_PARTS];
	int n;

	for (unsigned int i = 0; i < p->n_sockets; i++)
		reaped += direct_tx_reap(p, p->socket[i]);
	if (s)
		burst = MIN(burst, direct_tx_room(s));
	n = burst ? vu_ring_pop(p->tx, chain, burst, part, TX_PARTS) : 0;
	if (n < 0) {
		fault(p, vu_ring_broken(p->tx), false, false);
		return reaped;
	}
	tx_prefetch(chain, n);
	for (int i = 0; i < n; i++) {
		if (p->tx_enabled)
			tx_one(p, &chain[i], now_ns);
		else
			tx_discard(p, &chain[i]);
	}
	if (s && direct_tx_outstanding(s))
		direct_tx_kick(s);
	if (n || reaped) {
		vu_ring_flush(p->tx);
		vu_ring_notify(p->tx);
	}
	return (unsigned int)n;
}

static unsigned int poll_rx(struct pair *p, uint64_t now_ns)
{
	unsigned int frames = 0;

	deliver_lock(p);
	p->rx_starved = false;
	/* The tap first: what it holds of a flow is older than what comes on the direct lane. */
	if (p->rx_enabled && p->tap_fd >= 0 && (p->tap_readable || p->held_bytes))
		frames += kernel_rx(p, BURST, now_ns);
	for (unsigned int i = 0; i < p->n_sockets; i++) {
		frames += direct_rx(p, p->socket[i], 2 * BURST);
		direct_fill(p, p->socket[i]);
	}
	if (frames) {
		vu_ring_flush(p->rx);
		vu_ring_notify(p->rx);
	}
	deliver_unlock(p);
	if (unlikely(vu_ring_broken(p->rx) != NULL))
		fault(p, vu_ring_broken(p->rx), true, false);
	return frames;
}

unsigned int pair_poll(struct pair *p, uint64_t now_ns)
{
	struct vu_ring *any = p->rx ? p->rx : p->tx;
	unsigned int frames = 0;

	if (p->fault || !any)
		return 0;
	if (p->tx)
		frames += poll_tx(p, now_ns);
	if (p->rx)
		frames += poll_rx(p, now_ns);
	if (unlikely(vu_mem_is_dead(vu_ring_info(any)->mem)))
		fault(p, "the file behind the guest's memory was cut short", false, true);
	return frames;
}

/* Frames wait for the guest, or would be taken by the next poll. */
static bool rx_wants_buffers(struct pair *p)
{
	if (__atomic_exchange_n(&p->rx_waited, false, __ATOMIC_RELAXED))
		return true;
	for (unsigned int i = 0; i < p->n_sockets; i++)
		if (p->socket[i]->guest_posted < direct_share(p))
			return true;
	return p->rx_starved;
}

bool pair_arm(struct pair *p)
{
	bool available;

	if (p->fault)
		return true;
	if (p->tx && vu_ring_kick_arm(p->tx))
		return false;
	if (!p->rx)
		return true;
	if (p->tap_readable && p->rx_enabled && p->tap_fd >= 0 && !p->rx_starved)
		return false;
	deliver_lock(p);
	available = rx_wants_buffers(p) && vu_ring_kick_arm(p->rx);
	deliver_unlock(p);
	return !available;
}

void pair_disarm(struct pair *p)
{
	if (p->fault)
		return;
	if (p->tx)
		vu_ring_kick_disarm(p->tx);
	if (!p->rx)
		return;
	deliver_lock(p);
	vu_ring_kick_disarm(p->rx);
	deliver_unlock(p);
}

bool pair_needs_clock(const struct pair *p)
{
	bool without_kick = (p->tx && vu_ring_info(p->tx)->kick_fd < 0) ||
			    (p->rx && vu_ring_info(p->rx)->kick_fd < 0);
	bool outstanding = false;

	for (unsigned int i = 0; i < p->n_sockets; i++)
		outstanding |= direct_tx_outstanding(p->socket[i]);
	return !p->fault && (without_kick || outstanding || p->held_bytes);
}
