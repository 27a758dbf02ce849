/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "light_run.h"

#include <x86intrin.h>

#include "rt.h"

#define RECLAIM_MAX	256u
#define QUIET_NS	3000000u   /* nothing came for so long: nothing will ... */
#define QUIET_SHARED_NS 40000000u  /* ... if others use the CPUs too */
#define DRAIN_NS	300000000u /* at most */
#define STUCK_NS	5000000u   /* a window that stays full has lost all its frames */
#define AHEAD		4u	   /* buffers are fetched so long before they are written to */

static uint64_t ns_to_tsc(const struct light_bench *b, uint64_t ns)
{
	return (uint64_t)((double)ns * b->tsc_per_ns);
}

static void reclaim(struct light_ring *tx)
{
	struct light_used done[RECLAIM_MAX];
	unsigned int n = light_get_used(tx, done, RECLAIM_MAX);

	for (unsigned int i = 0; i < n; i++)
		light_give(tx, done[i].number);
}

/* How many frames may be sent now. */
static uint32_t credit(struct light_bench *b, struct light_port *p, uint64_t now)
{
	const struct light_options *opt = &b->opt;
	const struct light_port *peer = &b->port[p->index ^ 1];
	uint32_t n = opt->burst;

	if (opt->one_way && p->index & 1)
		return 0;
	if (opt->limit)
		n = MIN(n, opt->limit - p->tx_seq);
	if (opt->window) {
		const uint32_t on_the_way = p->tx_seq - peer->rx_next;

		n = MIN(n, opt->window - MIN(on_the_way, opt->window));
	}
	if (opt->rate) {
		const double senders = opt->one_way ? b->n_ports / 2.0 : b->n_ports;
		const double due = (double)(now - b->start_tsc) / b->tsc_per_ns *
					   (double)opt->rate / 1e9 / senders +
				   (double)p->index / b->n_ports;

		n = due > p->tx_seq ? MIN(n, (uint32_t)due - p->tx_seq) : 0;
	}
	return n;
}

static void write_frame(struct light_bench *b, struct light_port *p, uint8_t *at, uint64_t now)
{
	const struct light_format *f = &b->format;
	const struct light_mark mark = {.run = b->run, .seq = p->tx_seq, .tsc = now};
	const bool whole = b->opt.touch || (b->opt.check && p->tx_seq % b->opt.check == 0);

	light_frame_write(f, at + FE_HDR_BYTES, &f->header[p->index * f->n_macs + p->address],
			  &mark);
	if (whole)
		light_pattern_write(f, at + FE_HDR_BYTES, p->tx_seq);
	p->tx_seq++;
	if (++p->address == f->n_macs)
		p->address = 0;
}

static void send_burst(struct light_bench *b, struct light_port *p, uint64_t now)
{
	struct light_ring *tx = &p->tx;
	uint32_t n = credit(b, p, now);

	if (!n)
		return;
	if (light_n_free(tx) < n)
		reclaim(tx);
	n = MIN(n, light_n_free(tx));
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *ahead = light_va(tx, light_next(tx, AHEAD));

		__builtin_prefetch(ahead, 1);
		__builtin_prefetch(ahead + 64, 1);
		write_frame(b, p, light_va(tx, light_next(tx, 0)), now);
		light_add(tx, b->format.bytes + FE_HDR_BYTES);
	}
	if (n)
		light_publish(tx);
}

/* All of it, over the buffers that it came in. */
static bool is_whole(const struct light_bench *b, const struct light_port *p,
		     const struct light_used *used, unsigned int n, uint32_t seq)
{
	const struct light_format *f = &b->format;
	uint32_t from = 0;

	for (unsigned int i = 0; i < n; i++) {
		const uint32_t skip = i ? 0 : FE_HDR_BYTES;
		const uint8_t *at = light_va(&p->rx, used[i].number) + skip;
		const uint32_t bytes = used[i].bytes - skip;

		if (!light_pattern_is(f, at, from, bytes, seq))
			return false;
		from += bytes;
	}
	return true;
}

/* One frame, in @n buffers. */
static void take_frame(struct light_bench *b, struct light_port *p, const struct light_used *used,
		       unsigned int n, uint64_t now)
{
	const uint8_t *frame = light_va(&p->rx, used[0].number) + FE_HDR_BYTES;
	const struct light_format *f = &b->format;
	struct light_mark mark;
	uint32_t bytes = 0;

	for (unsigned int i = 0; i < n; i++)
		bytes += used[i].bytes;
	memcpy(&mark, frame + f->header_bytes, sizeof(mark));
	if (mark.run != b->run || frame[2] != p->index || frame[8] != (p->index ^ 1)) {
		p->n_foreign++;
		return;
	}
	if (bytes != f->bytes + FE_HDR_BYTES ||
	    (b->opt.check && mark.seq % b->opt.check == 0 && !is_whole(b, p, used, n, mark.seq)))
		p->n_corrupt++;
	if (likely(mark.seq == p->rx_next)) {
		p->rx_next++;
	} else if (mark.seq > p->rx_next) {
		p->n_lost += mark.seq - p->rx_next;
		p->rx_next = mark.seq + 1;
	} else {
		p->n_late++;
	}
	p->n_received++;
	latency_add(&b->latency, now - mark.tsc);
}

/* The rest of a frame whose first buffers end @used: all of it was published at once. */
static unsigned int take_rest(struct light_port *p, struct light_used *used, unsigned int n,
			      unsigned int wanted)
{
	unsigned int got = light_get_used(&p->rx, used + n, wanted - n);

	return n + got;
}

static void refill(struct light_port *p)
{
	struct light_ring *rx = &p->rx;
	uint32_t n = light_n_free(rx);

	while (n--)
		light_add(rx, rx->buffer_bytes);
	light_publish(rx);
}

static unsigned int receive_burst(struct light_bench *b, struct light_port *p)
{
	struct light_used used[LIGHT_BURST_MAX + 64];
	unsigned int n = light_get_used(&p->rx, used, b->opt.burst);
	const uint64_t now = __rdtsc();

	if (!n)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *at = light_va(&p->rx, used[i].number);

		__builtin_prefetch(at);
		__builtin_prefetch(at + 64);
	}
	for (unsigned int i = 0; i < n;) {
		struct fe_hdr hdr;
		unsigned int parts;

		memcpy(&hdr, light_va(&p->rx, used[i].number), sizeof(hdr));
		parts = MAX(1u, MIN(hdr.num_buffers, 64u));
		if (unlikely(i + parts > n))
			n = take_rest(p, used, n, i + parts);
		parts = MIN(parts, n - i);
		take_frame(b, p, &used[i], parts, now);
		for (; parts; parts--)
			light_give(&p->rx, used[i++].number);
	}
	p->n_bursts++;
	p->heard_tsc = now;
	refill(p);
	return n;
}

/* A window that has been full for long: its frames are lost, go on without them. */
static void unstick(struct light_bench *b, struct light_port *p, uint64_t now)
{
	struct light_port *peer = &b->port[p->index ^ 1];

	if (!b->opt.window || peer->rx_next == p->tx_seq ||
	    now - MIN(now, peer->heard_tsc) < ns_to_tsc(b, STUCK_NS))
		return;
	peer->n_lost += p->tx_seq - peer->rx_next;
	peer->rx_next = p->tx_seq;
	peer->heard_tsc = now;
}

static void drain(struct light_bench *b)
{
	const uint64_t patience = b->opt.switch_tid ? QUIET_NS : QUIET_SHARED_NS;
	const uint64_t end = rt_now_ns() + DRAIN_NS;
	uint64_t quiet = rt_now_ns() + patience;

	while (rt_now_ns() < MIN(end, quiet)) {
		for (unsigned int i = 0; i < b->n_ports; i++) {
			if (receive_burst(b, &b->port[i]))
				quiet = rt_now_ns() + patience;
			reclaim(&b->port[i].tx);
		}
	}
	for (unsigned int i = 0; i < b->n_ports; i++) {
		struct light_port *p = &b->port[i], *peer = &b->port[i ^ 1];

		peer->n_lost += p->tx_seq - peer->rx_next;
	}
}

/* The virtio-net header of each buffer stays as it is for the whole run. */
static void prepare(struct light_bench *b)
{
	for (unsigned int i = 0; i < b->n_ports; i++) {
		struct light_port *p = &b->port[i];

		reclaim(&p->tx);
		for (uint32_t k = 0; k < p->tx.pool_mask + 1; k++)
			light_virtio_header(&b->format, light_va(&p->tx, p->tx.pool[k]));
		p->tx_seq = p->rx_next = p->address = 0;
		p->n_received = p->n_lost = p->n_late = p->n_corrupt = p->n_foreign = 0;
		p->n_bursts = 0;
		p->heard_tsc = __rdtsc();
	}
	memset(&b->latency, 0, sizeof(b->latency));
	b->run++;
}

static bool is_all_sent(const struct light_bench *b)
{
	for (unsigned int i = 0; i < b->n_ports; i++) {
		if (!b->opt.limit || b->port[i].tx_seq < b->opt.limit)
			return false;
	}
	return true;
}

static void loop(struct light_bench *b)
{
	const uint64_t end = __rdtsc() + ns_to_tsc(b, b->opt.ms * 1000000ull);
	uint64_t now;

	b->start_tsc = __rdtsc();
	while ((now = __rdtsc()) < end && !is_all_sent(b)) {
		for (unsigned int i = 0; i < b->n_ports; i++) {
			struct light_port *p = &b->port[i];

			receive_burst(b, p);
			send_burst(b, p, b->opt.window || b->opt.rate ? __rdtsc() : now);
			unstick(b, p, now);
		}
	}
}

static int set_priorities(const struct light_bench *b, int priority)
{
	if (!b->opt.switch_tid)
		return 0;
	return rt_set_priority(b->opt.switch_tid, priority) ?: rt_set_priority(0, priority);
}

int light_run(struct light_bench *b, struct light_result *r)
{
	uint64_t start_ns, waited_ns, used_ns;
	int err;

	prepare(b);
	err = set_priorities(b, 1);
	if (err)
		return err;
	waited_ns = rt_waited_ns(b->opt.switch_tid);
	used_ns = rt_used_ns(b->opt.switch_pid);
	start_ns = rt_now_ns();
	loop(b);
	*r = (struct light_result){.seconds = (double)(rt_now_ns() - start_ns) / 1e9};
	r->cpu_seconds = (double)(rt_used_ns(b->opt.switch_pid) - used_ns) / 1e9;
	r->waited = (double)(rt_waited_ns(b->opt.switch_tid) - waited_ns) / 1e9 / r->seconds;
	for (unsigned int i = 0; i < b->n_ports; i++) {
		r->n_sent += b->port[i].tx_seq;
		r->n_in_time += b->port[i].n_received;
	}
	drain(b);
	return set_priorities(b, 0);
}
