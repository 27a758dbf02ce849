/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn.h - a flow from the wire turns from one lane to another, and stays in order.
 *
 * Theory of operation
 *
 * XDP sends the frames of a flow to a socket or leaves them to TC, and so to the guest's tap, by
 * what is known of its addresses. When that changes there are frames of it on both ways, and the
 * older ones need not be the first that a worker finds. So XDP counts a turn before the first frame
 * of the new lane is on its way (flow_turn() in bpf/fast.bpf.h), and a worker compares the count
 * after it has seen frames of that lane, and before it takes them. If it is another one:
 *
 *	it lets a moment pass, in which softirq hands out what it has in hand
 *	it reads the other lane, which has the older frames, to what is its end then
 *	it goes on as before
 *
 *	count		who waits		for what
 *	queue_turns	sockets of the queue	taps of the guests it feeds
 *	port_turns	taps of the guest	sockets that feed it
 *
 * No lane waits for longer than TURN_MAX_NS, whatever a guest does with its rings; a shared queue
 * for TURN_SOCKET_NS at most, and once in TURN_GAP_NS, since others' frames wait with it.
 */
#ifndef VXDP_LOADER_TURN_H
#define VXDP_LOADER_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include <vxdp/abi.h>
#include <vxdp/util.h>

/* The few frames that napi_complete_done() has still to hand out (gro_normal_list()). */
#define TURN_SOCKET_NS 100000ULL
/* A NAPI poll of 64 frames, each of them flooded, at whose end sockets get theirs. */
#define TURN_TAP_NS 1000000ULL
#define TURN_MAX_NS (500 * 1000000ULL)
#define TURN_GAP_NS 1000000ULL

/* What a lane knows of the turns that lead to it. Of whoever reads the lane. */
struct turn {
	const struct vxdp_turns *turns;
	uint32_t seen;	   /* all up to this one are dealt with */
	uint32_t noticed;  /* ... up to this one will be, when what is waited for has come */
	uint64_t since_ns; /* that it waits; 0: it does not */
	uint64_t ended_ns;
};

static inline uint32_t turn_count(const struct turn *t)
{
	return __atomic_load_n(&t->turns->count, __ATOMIC_RELAXED);
}

static inline void turn_init(struct turn *t, const struct vxdp_turns *turns)
{
	*t = (struct turn){.turns = turns};
	t->seen = turn_count(t);
}

/** turn_pending() - are there turns not dealt with? To be asked after looking for frames. */
static inline bool turn_pending(const struct turn *t)
{
	return turn_count(t) != t->seen;
}

/** turn_waited() - of a pending one: has it been so for @ns? The first call begins to count. */
static inline bool turn_waited(struct turn *t, uint64_t ns, uint64_t now_ns)
{
	if (!t->since_ns) {
		t->since_ns = now_ns;
		t->noticed = turn_count(t);
	}
	return now_ns - t->since_ns >= ns;
}

/** turn_end() - the turns that were noticed are dealt with */
static inline void turn_end(struct turn *t, uint64_t now_ns)
{
	t->seen = t->noticed;
	t->since_ns = 0;
	t->ended_ns = now_ns;
}

struct direct_socket;
struct pair;

/** turn_tap_init() - of a new pair, whose port and number are set */
void turn_tap_init(struct pair *p);

/** turn_tap_waits() - may the pair's tap not be read yet? With the receive lock held. Flushes. */
bool turn_tap_waits(struct pair *p, uint64_t now_ns);

/** turn_socket_waits() - nor its socket @s, in which there are frames? The same. */
bool turn_socket_waits(struct pair *p, struct direct_socket *s, uint64_t now_ns);

#endif /* VXDP_LOADER_TURN_H */
