// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_vring.c - C9 to C12: which ring, how large, where, and from where on.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attack.h"

/* --- C9: ring numbers ------------------------------------------------------------------------ */

/* One message about ring @index, well-formed apart from that. */
static int about_ring(struct attack *a, uint32_t request, uint64_t index)
{
	struct fe_vring_state state = {.index = index, .num = 256};
	struct fe_vring_addr addr = {.index = index};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	switch (request) {
	case FE_SET_VRING_ADDR:
		addr.desc_uaddr = addr.avail_uaddr = addr.used_uaddr = a->fe->region[0].uaddr;
		err = fe_sock_ack(a->fe, request, &addr, sizeof(addr), NULL, 0);
		break;
	case FE_SET_VRING_KICK:
	case FE_SET_VRING_CALL:
	case FE_SET_VRING_ERR:
		err = fe_sock_ack(a->fe, request, &index, sizeof(index), &fd, 1);
		break;
	case FE_GET_VRING_BASE: /* has a reply of its own: only a hang-up says no */
		err = fe_sock_send(a->fe, request, 0, &state, sizeof(state), NULL, 0);
		if (!err)
			err = fe_sock_wait_closed(a->fe, 5000) ? -EPIPE : 0;
		break;
	case FE_SET_VRING_ENABLE:
		state.num = 1;
		/* fall through */
	default:
		err = fe_sock_ack(a->fe, request, &state, sizeof(state), NULL, 0);
	}
	close(fd);
	return err;
}

static int bad_index(struct attack *a, uint64_t request)
{
	static const uint64_t indices[] = {256, 0x100,	0xffff,	    0x10000,	0x10001,
					   512, 0x1000, 0x80000000, 0xffffffff, 0x80000001};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++) {
		err = attack_connect(a, AT_MEMORY);
		if (err)
			return err;
		err = about_ring(a, request, indices[i]);
		if (err != -EPIPE && err != -EREMOTEIO)
			return attack_fail(a, "ring %#llx: %s", (unsigned long long)indices[i],
					   strerror(-err));
	}
	return err;
}

/* KICK, CALL and ERR: eight bits of index, then flags. */
static int bad_fd_index(struct attack *a, uint64_t request)
{
	uint64_t index = 2 * a->fe->n_queue_pairs;

	return index > 255 ? -EREMOTEIO : about_ring(a, request, index);
}

static int reserved_bits(struct attack *a, uint64_t request)
{
	static const uint64_t indices[] = {0x200, 0x10000, 1ull << 32, 1ull << 63};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++) {
		err = attack_connect(a, AT_MEMORY);
		if (!err)
			err = about_ring(a, request, indices[i]);
		if (err && err != -EPIPE && err != -EREMOTEIO)
			return err;
	}
	return err;
}

static int first_beyond(struct attack *a, uint64_t request)
{
	return about_ring(a, request, 2 * a->fe->n_queue_pairs);
}

#define BAD_INDEX(name)                                                                            \
	{                                                                                          \
#name " (CVE-2020-10723, qemu 4403)", bad_index, FE_##name, AT_NOTHING,            \
			WANT_REFUSE, 0                                                             \
	}

static const struct step c9[] = {
	BAD_INDEX(SET_VRING_NUM),
	BAD_INDEX(SET_VRING_ADDR),
	BAD_INDEX(SET_VRING_BASE),
	BAD_INDEX(GET_VRING_BASE),
	BAD_INDEX(SET_VRING_ENABLE),
	{"SET_VRING_NUM without REPLY_ACK", bad_index, FE_SET_VRING_NUM, AT_NOTHING, WANT_REFUSE,
	 STEP_NO_ACK},
	{"the first ring there is not", first_beyond, FE_SET_VRING_NUM, AT_MEMORY, WANT_REFUSE, 0},
	{"SET_VRING_KICK", bad_fd_index, FE_SET_VRING_KICK, AT_MEMORY, WANT_REFUSE, 0},
	{"SET_VRING_CALL", bad_fd_index, FE_SET_VRING_CALL, AT_MEMORY, WANT_REFUSE, 0},
	{"SET_VRING_ERR", bad_fd_index, FE_SET_VRING_ERR, AT_MEMORY, WANT_REFUSE, 0},
	{"SET_VRING_KICK with reserved bits", reserved_bits, FE_SET_VRING_KICK, AT_NOTHING,
	 WANT_ANY, 0},
	{"SET_VRING_CALL with reserved bits", reserved_bits, FE_SET_VRING_CALL, AT_NOTHING,
	 WANT_ANY, 0},
};

/* --- starting a ring with something wrong about it ------------------------------------------- */

struct start {
	uint32_t num;
	uint32_t base;
	struct fe_vring_addr addr;
};

static struct start good_start(struct fe_ring *q)
{
	return (struct start){.num = q->num, .base = q->base, .addr = fe_dev_ring_addr(q)};
}

/* The whole sequence; the first refusal, or -EREMOTEIO if the ring was given up right away. */
static int start_ring(struct attack *a, struct fe_ring *q, const struct start *s)
{
	struct fe_vring_state num = {q->index, s->num}, base = {q->index, s->base};
	struct fe *fe = a->fe;
	int err = fe_sock_ack(fe, FE_SET_VRING_NUM, &num, sizeof(num), NULL, 0);

	q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!err)
		err = fe_sock_ack(fe, FE_SET_VRING_BASE, &base, sizeof(base), NULL, 0);
	if (!err)
		err = fe_sock_ack(fe, FE_SET_VRING_ADDR, &s->addr, sizeof(s->addr), NULL, 0);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_ERR, q->index, q->err_fd);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_CALL, q->index, q->call_fd);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_KICK, q->index, q->kick_fd);
	if (!err)
		err = fe_dev_ring_enable(fe, q->index, true);
	if (!err)
		fe_ring_kick_always(q);
	return err;
}

/* --- C10: ring sizes ------------------------------------------------------------------------- */

static int start_num(struct attack *a, uint64_t num)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	s.num = num;
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

static int num_while_running(struct attack *a, uint64_t num)
{
	struct fe_vring_state state = {.index = 1, .num = num};

	return fe_sock_ack(a->fe, FE_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
}

/* What was allocated for a size must go when it is said again. */
static int num_often(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++)
		err = num_while_running(a, i % 2 ? 256 : 32768);
	return err;
}

/* The in-flight region is for rings of 8, the rings have 256: more is in flight than fits. */
static int inflight_smaller(struct attack *a, uint64_t arg)
{
	struct fe_inflight want = {.n_queues = 2, .queue_num = 8};
	struct fe_msg reply;
	int fd, err;

	if (!(a->fe->protocol_features & FE_PF(FE_PF_INFLIGHT_SHMFD)))
		return 0;
	err = fe_sock_call(a->fe, FE_GET_INFLIGHT_FD, &want, 20, &reply, &fd);
	if (err || fd < 0)
		return err;
	err = fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &reply.inflight, 20, &fd, 1);
	close(fd);
	for (unsigned int i = 0; !err && i < 2; i++) {
		struct start s = good_start(&a->fe->ring[i]);

		for (unsigned int j = 0; j < 200; j++) {
			struct fe_part part = {.gpa = fe_mem_alloc(a->fe, 2048, 64),
					       .bytes = 2048,
					       .writable = a->fe->ring[i].is_rx};

			fe_ring_add(&a->fe->ring[i], &part, 1, 0, FE_NO_BUFFER);
		}
		err = start_ring(a, &a->fe->ring[i], &s);
	}
	attack_poke(a, 40);
	return err;
}

static const struct step c10[] = {
	{"0", start_num, 0, AT_RINGS, WANT_BROKEN, 0},
	{"0, without REPLY_ACK", start_num, 0, AT_RINGS, WANT_BROKEN, STEP_NO_ACK},
	{"1, split", start_num, 1, AT_RINGS, WANT_ANY, 0},
	{"3, split", start_num, 3, AT_RINGS, WANT_BROKEN, 0},
	{"255, split", start_num, 255, AT_RINGS, WANT_BROKEN, 0},
	{"1, packed", start_num, 1, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"3, packed", start_num, 3, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"32769", start_num, 32769, AT_RINGS, WANT_BROKEN, 0},
	{"32769, packed", start_num, 32769, AT_RINGS, WANT_BROKEN, STEP_PACKED},
	{"65536", start_num, 65536, AT_RINGS, WANT_BROKEN, 0},
	{"65536 + 256", start_num, 65792, AT_RINGS, WANT_BROKEN, 0},
	{"0xffffffff", start_num, 0xffffffff, AT_RINGS, WANT_BROKEN, 0},
	{"128 while the ring of 256 runs", num_while_running, 128, AT_RUNNING, WANT_ANY, 0},
	{"512 while the ring of 256 runs", num_while_running, 512, AT_RUNNING, WANT_ANY, 0},
	{"512 while the packed ring runs", num_while_running, 512, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"another one 5000 times (CVE-2019-14818)", num_often, 5000, AT_MEMORY, WANT_OK, 0},
	{"larger than the in-flight region was made for (CVE-2026-86565)", inflight_smaller, 0,
	 AT_RINGS, WANT_ANY, 0},
	{"larger than the in-flight region, packed (CVE-2026-86565)", inflight_smaller, 0, AT_RINGS,
	 WANT_ANY, STEP_PACKED},
};

/* --- C11: ring addresses --------------------------------------------------------------------- */

enum where { DESC = 1, AVAIL = 2, USED = 4, ALL = 7 };

static void place(struct start *s, unsigned int which, uint64_t uaddr)
{
	if (which & DESC)
		s->addr.desc_uaddr = uaddr;
	if (which & AVAIL)
		s->addr.avail_uaddr = uaddr;
	if (which & USED)
		s->addr.used_uaddr = uaddr;
}

static int at_zero(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	place(&s, which, 0);
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

/* Just behind a region: unmapped in every address space. */
static int unmapped(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	place(&s, which, a->fe->region[0].uaddr + a->fe->region[0].bytes + 4096);
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

/* A guest-physical address where the front end's own belongs. */
static int gpa_instead(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	place(&s, which, fe_tx(a->fe, 0)->desc_gpa);
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

static int wraps(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	place(&s, which, ~0ull - 15);
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

/* The last 16 bytes of a region: too few for any ring of 256. */
static int at_end(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	place(&s, which, a->fe->region[0].uaddr + a->fe->region[0].bytes - 16);
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

static int unaligned(struct attack *a, uint64_t which)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	s.addr.desc_uaddr += which & DESC ? 1 : 0;
	s.addr.avail_uaddr += which & AVAIL ? 1 : 0;
	s.addr.used_uaddr += which & USED ? 2 : 0;
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

/* All three at one place, and both rings at it: the guest's own affair, whatever comes of it. */
static int overlapping(struct attack *a, uint64_t arg)
{
	struct start s = good_start(fe_tx(a->fe, 0));
	int err;

	place(&s, ALL, fe_mem_uaddr(a->fe, fe_tx(a->fe, 0)->desc_gpa));
	err = start_ring(a, fe_tx(a->fe, 0), &s);
	if (!err)
		err = start_ring(a, fe_rx(a->fe, 0), &s);
	attack_poke(a, 20);
	usleep(50000);
	return err;
}

/* The used ring inside a receive buffer: our writes change what we are about to write. */
static int inside_buffer(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct start s = good_start(q);
	struct fe_part part = {.gpa = q->desc_gpa, .bytes = 16384, .writable = true};
	int err;

	for (unsigned int i = 0; i < 200; i++)
		fe_ring_add(q, &part, 1, 0, FE_NO_BUFFER);
	err = start_ring(a, q, &s);
	attack_poke(a, 200);
	usleep(100000);
	return err;
}

#define ADDRESS(name, fn, which)                                                                   \
	{                                                                                          \
		name, fn, which, AT_RINGS, WANT_BROKEN, 0                                          \
	}

static const struct step c11[] = {
	ADDRESS("descriptors at 0", at_zero, DESC),
	ADDRESS("available ring at 0", at_zero, AVAIL),
	ADDRESS("used ring at 0", at_zero, USED),
	ADDRESS("descriptors unmapped", unmapped, DESC),
	ADDRESS("available ring unmapped", unmapped, AVAIL),
	ADDRESS("used ring unmapped", unmapped, USED),
	ADDRESS("guest-physical addresses", gpa_instead, ALL),
	ADDRESS("descriptors wrap around 2^64", wraps, DESC),
	ADDRESS("available ring wraps around 2^64", wraps, AVAIL),
	ADDRESS("used ring wraps around 2^64", wraps, USED),
	ADDRESS("descriptors reach past their region", at_end, DESC),
	ADDRESS("available ring reaches past its region", at_end, AVAIL),
	ADDRESS("used ring reaches past its region", at_end, USED),
	ADDRESS("descriptors unaligned", unaligned, DESC),
	ADDRESS("available ring unaligned", unaligned, AVAIL),
	ADDRESS("used ring unaligned", unaligned, USED),
	{"descriptors past their region, packed", at_end, DESC, AT_RINGS, WANT_BROKEN, STEP_PACKED},
	{"descriptors unaligned, packed", unaligned, DESC, AT_RINGS, WANT_BROKEN, STEP_PACKED},
	{"unmapped, without REPLY_ACK", unmapped, ALL, AT_RINGS, WANT_BROKEN, STEP_NO_ACK},
	{"everything in one place", overlapping, 0, AT_RINGS, WANT_ANY, 0},
	{"everything in one place, packed", overlapping, 0, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"rings inside a receive buffer", inside_buffer, 0, AT_RINGS, WANT_ANY, 0},
	{"rings inside a receive buffer, packed", inside_buffer, 0, AT_RINGS, WANT_ANY,
	 STEP_PACKED},
};

/*
 * --- C12: where it goes on
 *
 * A split ring's used index says where it goes on, so its base may be ignored; then all is well.
 */

static int start_base(struct attack *a, uint64_t base)
{
	struct start s = good_start(fe_tx(a->fe, 0));

	s.base = base;
	return start_ring(a, fe_tx(a->fe, 0), &s);
}

static const struct step c12[] = {
	{"257 behind the available index", start_base, 0xfeff, AT_RINGS, WANT_ANY, 0},
	{"32768 away from the available index", start_base, 0x8000, AT_RINGS, WANT_ANY, 0},
	{"ahead of the available index", start_base, 1, AT_RINGS, WANT_ANY, 0},
	{"65536", start_base, 0x10000, AT_RINGS, WANT_ANY, 0},
	{"0xffffffff", start_base, 0xffffffff, AT_RINGS, WANT_ANY, 0},
	{"packed: index beyond the ring", start_base, 0x81008100, AT_RINGS, WANT_BROKEN,
	 STEP_PACKED},
	{"packed: used index beyond the ring", start_base, 0xff008000, AT_RINGS, WANT_ANY,
	 STEP_PACKED},
	{"packed: both wrap bits 0", start_base, 0, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"packed: wrap bits differ", start_base, 0x00008000, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"packed: used ahead of available", start_base, 0x80108000, AT_RINGS, WANT_ANY,
	 STEP_PACKED},
};

const struct attack_case vring_cases[] = {
	STEPS("C9", c9), STEPS("C10", c10), STEPS("C11", c11), STEPS("C12", c12), {NULL, NULL, 0},
};
