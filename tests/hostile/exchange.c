// SPDX-License-Identifier: GPL-2.0-or-later
#include "exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "include/vxdp/util.h"
#include "wire.h"

#define MAGIC	   0x56584543u
#define FRAME_MIN  60u
#define FRAME_MAX  1514u
#define BURST	   32u
#define WAIT_MS	   5
#define BUFFER_MAX 2048

struct frame {
	uint8_t destination[6];
	uint8_t source[6];
	uint16_t ethertype_be;
	uint16_t echoed;
	uint32_t magic;
	uint32_t bytes;
	uint64_t seq;
	uint8_t pattern[];
} __attribute__((packed));

void exchange_init(struct exchange *x, struct fe *fe, int wire_fd, uint8_t id)
{
	const uint8_t guest[6] = {0x52, 0x54, 0x00, 0x5a, 0x01, id};
	const uint8_t wire[6] = {0x52, 0x54, 0x00, 0x5a, 0x02, id};

	memset(x, 0, sizeof(*x));
	x->fe = fe;
	x->wire_fd = wire_fd;
	x->window = 32;
	memcpy(x->guest_mac, guest, sizeof(guest));
	memcpy(x->wire_mac, wire, sizeof(wire));
}

static uint8_t pattern_byte(uint64_t seq, unsigned int at)
{
	return (uint8_t)(seq * 131 + at * 7 + (at >> 8));
}

static unsigned int make_frame(const struct exchange *x, uint64_t seq, uint8_t *to)
{
	struct frame *f = (struct frame *)to;
	unsigned int span = FRAME_MAX - FRAME_MIN + 1;

	memcpy(f->destination, x->wire_mac, 6);
	memcpy(f->source, x->guest_mac, 6);
	f->ethertype_be = htons(WIRE_ETHERTYPE);
	f->echoed = 0;
	f->magic = MAGIC;
	f->seq = seq;
	f->bytes = x->frame_bytes ? x->frame_bytes : FRAME_MIN + (unsigned int)(seq * 389 % span);
	for (unsigned int i = sizeof(*f); i < f->bytes; i++)
		to[i] = pattern_byte(seq, i);
	return f->bytes;
}

static bool is_ours(const struct exchange *x, const uint8_t *bytes, int n, bool echoed)
{
	const struct frame *f = (const struct frame *)bytes;
	const uint8_t *to = echoed ? x->guest_mac : x->wire_mac;
	const uint8_t *from = echoed ? x->wire_mac : x->guest_mac;

	return n >= (int)FRAME_MIN && f->magic == MAGIC && !memcmp(f->destination, to, 6) &&
	       !memcmp(f->source, from, 6) && !!f->echoed == echoed;
}

static bool send_one(struct exchange *x)
{
	unsigned int pairs = x->fe->n_rings / 2, slot = x->seq % x->window;
	uint8_t bytes[BUFFER_MAX] = {0};
	bool chains = x->all_layouts && fe_tx(x->fe, 0)->num > 8;
	enum fe_layout layout = chains ? x->seq % FE_N_LAYOUTS : FE_LAYOUT_ONE;
	bool indirect = x->all_layouts && x->seq % 3 == 0 && x->fe->features & FE_F(FE_F_INDIRECT);
	unsigned int n;

	if (x->n_outstanding >= x->window || x->outstanding[slot])
		return false;
	n = make_frame(x, x->seq, bytes);
	if (fe_net_send(x->fe, x->seq % pairs, NULL, bytes, n, layout,
			indirect ? FE_ADD_INDIRECT : 0))
		return false;
	x->outstanding[slot] = ++x->seq;
	x->n_outstanding++;
	x->n_sent++;
	return true;
}

/* The wire's part: everything from the guest goes back to it. */
static unsigned int echo_wire(struct exchange *x)
{
	uint8_t bytes[BUFFER_MAX];
	struct frame *f = (struct frame *)bytes;
	unsigned int n_echoed = 0;
	int n;

	while (n_echoed < BURST && (n = wire_recv(x->wire_fd, bytes, sizeof(bytes))) > 0) {
		if (!is_ours(x, bytes, n, false))
			continue;
		memcpy(f->destination, x->guest_mac, 6);
		memcpy(f->source, x->wire_mac, 6);
		f->echoed = 1;
		if (wire_send(x->wire_fd, bytes, n))
			break;
		n_echoed++;
	}
	return n_echoed;
}

static void check_returned(struct exchange *x, const uint8_t *bytes, int n)
{
	const struct frame *f = (const struct frame *)bytes;
	unsigned int slot = f->seq % x->window;

	if (x->outstanding[slot] != f->seq + 1) {
		x->n_unknown++; /* a duplicate, or one given up for lost */
		return;
	}
	x->outstanding[slot] = 0;
	x->n_outstanding--;
	x->n_returned++;
	if (x->fe->n_rings == 2 && f->seq + 1 < x->last_returned)
		x->n_reordered++;
	x->last_returned = f->seq + 1;
	if (f->bytes != (uint32_t)n) {
		x->n_corrupt++;
		return;
	}
	for (int i = sizeof(*f); i < n; i++) {
		if (bytes[i] != pattern_byte(f->seq, i)) {
			x->n_corrupt++;
			return;
		}
	}
}

static unsigned int receive_guest(struct exchange *x, unsigned int pair)
{
	uint8_t bytes[BUFFER_MAX];
	unsigned int n_received = 0;
	int n;

	while (n_received < BURST &&
	       (n = fe_net_recv(x->fe, pair, NULL, bytes, sizeof(bytes))) != 0) {
		if (n == -EPROTO)
			break;
		n_received++;
		if (is_ours(x, bytes, n, x->wire_fd >= 0))
			check_returned(x, bytes, n);
	}
	fe_net_refill(x->fe, pair);
	return n_received;
}

bool exchange_step(struct exchange *x, unsigned int n_new)
{
	unsigned int pairs = x->fe->n_rings / 2, progress = 0;

	while (n_new-- && send_one(x))
		progress++;
	for (unsigned int i = 0; i < pairs; i++)
		fe_net_flush(x->fe, i);
	if (x->wire_fd >= 0)
		progress += echo_wire(x);
	for (unsigned int i = 0; i < pairs; i++)
		progress += receive_guest(x, i);
	return progress;
}

void exchange_sleep(struct exchange *x, int timeout_ms)
{
	struct pollfd p[1 + FE_PAIRS_MAX] = {{.fd = x->wire_fd, .events = POLLIN}};
	unsigned int pairs = x->fe->n_rings / 2;
	uint64_t n;

	for (unsigned int i = 0; i < pairs; i++) {
		fe_ring_call_on(fe_rx(x->fe, i));
		fe_ring_call_off(fe_tx(x->fe, i));
		if (fe_ring_has_used(fe_rx(x->fe, i)))
			timeout_ms = 0;
		if (fe_rx(x->fe, i)->call_fd < 0 && timeout_ms > 1)
			timeout_ms = 1;
		p[1 + i] = (struct pollfd){.fd = fe_rx(x->fe, i)->call_fd, .events = POLLIN};
	}
	if (poll(p, 1 + pairs, timeout_ms) <= 0)
		return;
	for (unsigned int i = 0; i < pairs; i++)
		if (p[1 + i].revents && read(p[1 + i].fd, &n, sizeof(n)) == sizeof(n))
			fe_rx(x->fe, i)->n_calls += n;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void exchange_drain(struct exchange *x, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	while (x->n_outstanding && now_ms() < end_ms)
		if (!exchange_step(x, 0))
			exchange_sleep(x, WAIT_MS);
	x->n_lost += x->n_outstanding;
	x->n_outstanding = 0;
	memset(x->outstanding, 0, sizeof(x->outstanding));
}

int exchange_prime(struct exchange *x, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	do {
		exchange_mark(x);
		exchange_step(x, 1);
		exchange_drain(x, 100);
		if (x->n_returned) {
			exchange_mark(x);
			return 0;
		}
	} while (now_ms() < end_ms);
	return -ETIMEDOUT;
}

int exchange_run(struct exchange *x, uint64_t n, int timeout_ms)
{
	int64_t end_ms = now_ms() + timeout_ms;

	exchange_mark(x);
	while (x->n_sent < n && now_ms() < end_ms) {
		uint64_t left = n - x->n_sent;

		if (!exchange_step(x, left < BURST ? left : BURST))
			exchange_sleep(x, WAIT_MS);
	}
	exchange_drain(x, MAX((int)(end_ms - now_ms()), 100));
	return x->n_returned == n && exchange_exact(x) ? 0 : -EIO;
}

void exchange_mark(struct exchange *x)
{
	x->n_sent = x->n_outstanding;
	x->n_returned = x->n_lost = x->n_corrupt = x->n_unknown = x->n_reordered = 0;
}

bool exchange_exact(const struct exchange *x)
{
	return x->n_sent == x->n_returned && !x->n_lost && !x->n_corrupt && !x->n_unknown &&
	       !x->n_reordered && !x->fe->n_bad;
}

void exchange_print(const struct exchange *x, const char *what)
{
	printf("%s sent=%" PRIu64 " returned=%" PRIu64 " lost=%" PRIu64 " corrupt=%" PRIu64
	       " unknown=%" PRIu64 " reordered=%" PRIu64 " broken_rules=%u%s%s\n",
	       what, x->n_sent, x->n_returned, x->n_lost, x->n_corrupt, x->n_unknown,
	       x->n_reordered, x->fe->n_bad, x->fe->n_bad ? ": " : "", x->fe->bad);
	fflush(stdout);
}
