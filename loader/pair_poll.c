/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pair_poll.h"

#include <linux/if_ether.h>
#include <string.h>

#include "capture.h"
#include "deliver.h"
#include "frame.h"
#include "guest_run.h"
#include "guest_wait.h"
#include "lane_direct.h"
#include "lane_guest.h"
#include "lane_kernel.h"
#include "lane_shared.h"
#include "tell.h"

#define TX_PARTS (BURST + VU_CHAIN_IOV_MAX)

static void fault(struct pair *p, const char *reason, bool is_rx, bool is_mem)
{
	if (p->fault)
		return;
	p->fault_rx = is_rx;
	p->fault_mem = is_mem;
	__atomic_store_n(&p->fault, reason, __ATOMIC_RELEASE);
}

/* By which lanes frames can go to the wires now, as in pair.wire[]. */
struct tx_wires {
	unsigned int n;
	struct pair_wire wire[VXDP_UPLINKS_MAX];
};

/* The NIC that takes nothing has none: its frames go to the kernel lane. */
static struct pair_wire wire_now(const struct pair_wire *w)
{
	if (w->direct)
		return (struct pair_wire){.direct = w->direct->tx_stuck ? NULL : w->direct};
	if (w->shared && !__atomic_load_n(&w->shared->tx_stuck, __ATOMIC_RELAXED))
		return (struct pair_wire){.shared = w->shared};
	return (struct pair_wire){};
}

/*
 * Find them. Return: how many frames may be taken from the guest, at most @burst. Nobody knows
 * before for which wire they are, so each of the wires has to have room for all.
 */
static unsigned int tx_wires(struct pair *p, struct tx_wires *now, unsigned int burst)
{
	now->n = p->n_wires;
	for (unsigned int i = 0; i < now->n; i++) {
		struct pair_wire *w = &now->wire[i];

		*w = wire_now(&p->wire[i]);
		if (w->direct)
			burst = MIN(burst, direct_tx_room(w->direct));
		else if (w->shared)
			burst = MIN(burst, shared_tx_room(w->shared));
	}
	return burst;
}

/* What a burst has in common. */
struct tx_burst {
	struct guest_batch guest;
	const struct tx_wires *wires;
	struct shared_burst shared[VXDP_UPLINKS_MAX]; /* of the wires that have the shared lane */
	uint32_t generation;
	uint64_t now_ns;
};

/* The beginning of a frame, read once. Return: bytes behind the virtio-net header. */
static size_t read_head(const struct pair *p, const struct vu_chain *c, struct guest_head *head)
{
	size_t n = MIN((size_t)c->bytes - p->hdr_bytes, sizeof(head->frame));

	if (likely(p->hdr_bytes == sizeof(head->hdr) && c->iov[0].iov_len >= sizeof(*head))) {
		memcpy(head, c->iov[0].iov_base, sizeof(*head));
		return n;
	}
	head->hdr = (struct vu_net_hdr){};
	iov_read(c->iov, c->n_iov, 0, &head->hdr, p->hdr_bytes);
	iov_read(c->iov, c->n_iov, p->hdr_bytes, head->frame, n);
	return n;
}

/* The lane to the wire that a flow goes to, or NULL. */
static const struct pair_wire *wire_of(const struct tx_burst *t, const struct flow_entry *flow)
{
	const struct pair_wire *w = &t->wires->wire[flow->wire];

	return flow->lane == FLOW_DIRECT && flow->wire < t->wires->n && (w->direct || w->shared)
		       ? w
		       : NULL;
}

/*
 * May it go to the wire at once? TCP may have to take the other lane, and so does a GSO frame,
 * which only a guest that breaks its own rules sends in a flow of the lanes past it.
 */
static bool takes_wire(const struct pair *p, const struct vu_chain *c, const struct vu_net_hdr *hdr)
{
	uint8_t frame[FLOW_PEEK_BYTES];
	size_t n = MIN((size_t)c->bytes - p->hdr_bytes, sizeof(frame));

	if (hdr->gso_type)
		return false;
	if (!p->tables.tcp_kernel)
		return true;
	iov_read(c->iov, c->n_iov, p->hdr_bytes, frame, n);
	return !flow_is_tcp_or_unclear(frame, n);
}

/* The lane of a frame that was checked. Pushes the buffer unless it is still needed. */
static void tx_lane(struct pair *p, struct tx_burst *t, unsigned int i, const struct vu_chain *c,
		    size_t head_bytes)
{
	const struct guest_head *head = &t->guest.head[i];
	uint32_t bytes = c->bytes - p->hdr_bytes;
	struct flow_entry *flow = p->guest_lane || t->wires->n
					  ? guest_route(p, &t->guest, head->frame, head_bytes,
							t->generation, t->now_ns)
					  : NULL;
	const struct pair_wire *wire = flow ? wire_of(t, flow) : NULL;

	if (flow && flow->lane == FLOW_GUEST && p->guest_lane &&
	    guest_add(p, &t->guest, i, c, flow, t->now_ns))
		return;
	if (wire && takes_wire(p, c, &head->hdr)) {
		guest_elsewhere(p, VXDP_PORT_NONE, t->now_ns);
		if (unlikely(p->capture != NULL))
			capture_send(p->capture, p->tables.port_id, flow->port, VXDP_TO_WIRE,
				     c->iov, c->n_iov, p->hdr_bytes, bytes);
		if (wire->direct) {
			direct_tx(p, wire->direct, &head->hdr, c);
			return;
		}
		shared_tx(p, &t->shared[flow->wire], &head->hdr, c, head->frame, head_bytes);
	} else {
		if (flow)
			guest_before_kernel(p, &t->guest, flow, t->now_ns);
		kernel_tx(p, &head->hdr, c->iov, c->n_iov, p->hdr_bytes, bytes);
	}
	vu_ring_push(p->tx, c->head, 0);
}

static void tx_drop(struct pair *p, enum vxdp_verdict why, const struct vu_chain *c, uint32_t bytes)
{
	count(&p->stats.drops[why], 1, bytes);
	vu_ring_push(p->tx, c->head, 0);
}

static void tx_one(struct pair *p, struct tx_burst *t, unsigned int i, const struct vu_chain *c)
{
	struct guest_head *head = &t->guest.head[i];
	uint32_t bytes = c->bytes - p->hdr_bytes;
	size_t n;

	if (c->bytes < p->hdr_bytes + (uint32_t)ETH_HLEN) {
		tx_drop(p, VXDP_DROP_TX_SHORT, c, c->bytes);
		return;
	}
	n = read_head(p, c, head);
	if ((head->hdr.flags | head->hdr.gso_type) &&
	    vu_net_hdr_check(&head->hdr, bytes, p->features)) {
		tx_drop(p, VXDP_DROP_TX_OFFLOAD, c, bytes);
		return;
	}
	tx_lane(p, t, i, c, n);
}

/* Plain frames at the front of a burst. Return: how many are dealt with and pushed. */
static unsigned int tx_runs(struct pair *p, const struct vu_chain *chain, unsigned int n,
			    uint32_t generation, uint64_t now_ns)
{
	struct vu_buf buf[BURST];
	unsigned int n_bufs = 0, done = 0, run;

	while (n_bufs < n && vu_chain_buf(&chain[n_bufs], &buf[n_bufs]))
		n_bufs++;
	while (done < n_bufs) {
		run = guest_run(p, &buf[done], n_bufs - done, generation, now_ns);
		vu_ring_push_run(p->tx, &chain[done], NULL, run);
		done += run;
		if (run < GUEST_RUN_MIN)
			break;
	}
	return done;
}

/*
 * The same without taking anything out of the ring for longer than that: most bursts are like the
 * one before.
 *
 * Return: how many are dealt with and flushed; p->runs is false if there may be others.
 */
static unsigned int tx_run_at_once(struct pair *p, unsigned int max, uint64_t now_ns)
{
	struct vu_buf buf[BURST];
	int n = vu_ring_run_start(p->tx, buf, max);
	unsigned int done;

	if (n <= 0) {
		p->runs = n == 0;
		return 0;
	}
	done = guest_run(p, buf, (unsigned int)n, flow_generation(&p->tables), now_ns);
	vu_ring_run_end(p->tx, buf, (unsigned int)n, done, false);
	p->runs = done == (unsigned int)n;
	return done;
}

static void tx_all(struct pair *p, const struct tx_wires *wires, const struct vu_chain *chain,
		   unsigned int n, uint64_t now_ns)
{
	struct pair *const to = guest_expected(p);
	unsigned int done;
	struct tx_burst t;

	/* Cache lines come from another core: ask for as many as possible before using any. */
	vu_ring_prefetch(p->tx, n);
	if (to && !to->rx_shared)
		vu_ring_prefetch(to->rx, n);
	t.guest.n = 0;
	t.wires = wires;
	for (unsigned int i = 0; i < wires->n; i++)
		shared_burst_init(&t.shared[i], wires->wire[i].shared);
	t.generation = flow_generation(&p->tables);
	t.now_ns = now_ns;
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *first = chain[i].n_iov ? chain[i].iov[0].iov_base : NULL;

		__builtin_prefetch(first);
		__builtin_prefetch(first + CACHE_LINE_BYTES);
	}
	if (to)
		deliver_expect(to, n);
	done = tx_runs(p, chain, n, t.generation, now_ns);
	p->runs = done == n;
	for (unsigned int i = done; i < n; i++)
		tx_one(p, &t, i, &chain[i]);
	guest_flush(p, &t.guest, now_ns);
	for (unsigned int i = 0; i < wires->n; i++)
		if (wires->wire[i].shared)
			shared_tx_flush(&t.shared[i]);
}

/* A ring that is started and not enabled: its frames are taken and thrown away (vhost-user.rst). */
static void tx_discard(struct pair *p, const struct vu_chain *c)
{
	tx_drop(p, VXDP_DROP_TX_DISABLED, c, c->bytes);
}

/*
 * One that is stuck is tried, too: sendto() says ENETDOWN while the NIC is not IFF_UP
 * (__xsk_sendmsg()), and nobody else finds out that it takes frames again. What it had may be gone
 * by then, since waiting for the socket sends as well (xsk_poll()).
 */
static void sockets_kick(struct pair *p)
{
	for (unsigned int i = 0; i < p->n_sockets; i++) {
		struct direct_socket *s = p->socket[i];

		if (!direct_tx_outstanding(s) && likely(!s->tx_stuck))
			continue;
		vu_ring_prefetch(p->tx, BURST); /* while the kernel is busy */
		direct_tx_kick(s);
	}
}

static unsigned int poll_tx(struct pair *p, uint64_t now_ns)
{
	unsigned int retried = guest_retry(p, now_ns), reaped = 0, burst, run = 0;
	struct vu_chain chain[BURST];
	struct iovec part[TX_PARTS];
	struct tx_wires wires;
	int n;

	for (unsigned int i = 0; i < p->n_sockets; i++)
		reaped += direct_tx_reap(p, p->socket[i]);
	burst = tx_wires(p, &wires, MIN(guest_may_pop(p, now_ns), p->fair.burst));
	if (unlikely(!p->tx_enabled))
		p->runs = false; /* what comes is handed back, and counted */
	if (burst && p->runs)
		run = tx_run_at_once(p, burst, now_ns);
	n = burst && !p->runs ? vu_ring_pop(p->tx, chain, burst, part, TX_PARTS) : 0;
	if (n < 0) {
		fault(p, vu_ring_broken(p->tx), false, false);
		return reaped;
	}
	if (n && p->tx_enabled)
		tx_all(p, &wires, chain, (unsigned int)n, now_ns);
	for (int i = 0; i < n && !p->tx_enabled; i++)
		tx_discard(p, &chain[i]);
	sockets_kick(p);
	if (n || reaped || retried || run) {
		vu_ring_flush(p->tx);
		tell_later(p->tell, p->tx);
	}
	/* What waited was counted when it was popped, but it shows that there is work. */
	return run + (unsigned int)n ?: retried > 0;
}

static unsigned int poll_sockets(struct pair *p, uint64_t now_ns)
{
	unsigned int frames = 0;

	for (unsigned int i = 0; i < p->n_sockets; i++) {
		struct direct_socket *s = p->socket[i];
		uint32_t ready = s->held ? 0 : xsk_ring_ready(&s->xsk.rx);

		if (ready && !turn_socket_waits(p, s, now_ns))
			frames += direct_rx(p, s, MIN(ready, 2u * BURST));
		direct_fill(p, s);
	}
	return frames;
}

static unsigned int poll_rx(struct pair *p, uint64_t now_ns)
{
	unsigned int frames = 0;

	deliver_lock(p);
	p->rx_starved = false;
	if (p->rx_enabled && p->tap_fd >= 0 && !p->tap_held && (p->tap_readable || p->held_bytes) &&
	    !turn_tap_waits(p, now_ns))
		frames += kernel_rx(p, p->fair.burst, now_ns);
	frames += poll_sockets(p, now_ns);
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
	if (p->tx && likely(!p->fair.waits))
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

/* May the pair's receive side sleep? With the lock held. */
static bool rx_arm(struct pair *p)
{
	if (p->tap_readable && p->rx_enabled && p->tap_fd >= 0 && !p->tap_held && !p->rx_starved)
		return false;
	return !rx_wants_buffers(p) || !vu_ring_kick_arm(p->rx);
}

bool pair_arm(struct pair *p, uint64_t now_ns)
{
	bool may_sleep;

	if (p->fault)
		return true;
	/* While nothing may be popped the clock, or a buffer that comes free, is waited for. */
	if (p->tx && guest_may_pop(p, now_ns) && vu_ring_kick_arm(p->tx))
		return false;
	if (!p->rx)
		return true;
	deliver_lock(p);
	may_sleep = rx_arm(p);
	deliver_unlock(p);
	return may_sleep;
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

bool pair_needs_clock(struct pair *p)
{
	bool without_kick = (p->tx && vu_ring_info(p->tx)->kick_fd < 0) ||
			    (p->rx && vu_ring_info(p->rx)->kick_fd < 0);
	bool outstanding = guest_waiting_count(p->waiting);

	for (unsigned int i = 0; i < p->n_sockets; i++)
		outstanding |= direct_tx_outstanding(p->socket[i]);
	deliver_lock(p);
	outstanding |= p->held_bytes;
	deliver_unlock(p);
	return !p->fault && (without_kick || outstanding);
}
