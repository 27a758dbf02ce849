/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_foreign.c - packed ring: buffers that the front end handed back while nobody served the
 *ring.
 *
 * Theory of operation
 *
 * Between the death of a back end and the return of one, QEMU's own virtio-net takes the guest's
 * kicks, and with the link down it hands back every transmit buffer it finds
 * (virtio_net_drop_tx_queue_data(), virtqueue_packed_drop_all()). It starts where it last knew the
 * ring to stand, which is where the dead back end once started: a packed ring has no index in
 * memory that says better. So there may be a hole ahead of where our notes say we are:
 *
 *	used_idx        avail_idx        hole               end
 *	   | popped by us   | available     | used by others    | not available yet
 *
 * In a lap a slot ahead of us is available or still shows the lap before; used in this lap it can
 * only be by others. The driver will come to those slots after ours and takes them. So everything
 * before the hole goes back to it unsent, which is what happened to the frames behind it, and the
 * ring starts at the end of the hole, which is the base the front end gives us then.
 */
#include <string.h>

#include "ring_internal.h"

struct cursor {
	uint16_t idx;
	bool wrap;
};

static void cursor_advance(const struct vu_ring *r, struct cursor *at, unsigned int n)
{
	packed_advance(r, &at->idx, &at->wrap, n);
}

static bool cursor_is(const struct cursor *a, const struct cursor *b)
{
	return a->idx == b->idx && a->wrap == b->wrap;
}

/* Slots from @from to @to, which is ahead by at most two laps. */
static unsigned int cursor_distance(const struct vu_ring *r, const struct cursor *from,
				    const struct cursor *to)
{
	unsigned int laps = 2u * r->num;
	unsigned int a = from->idx + (from->wrap ? 0u : r->num);
	unsigned int b = to->idx + (to->wrap ? 0u : r->num);

	return (b + laps - a) % laps;
}

static bool used_in_this_lap(uint16_t flags, bool wrap)
{
	return (flags & (PACKED_AVAIL | PACKED_USED)) == packed_used_flags(wrap);
}

/* From the used position on over what is available: is the next slot used already? */
static bool find_hole(const struct vu_ring *r, struct cursor *hole)
{
	for (unsigned int n = 0; n < r->num; n++) {
		uint16_t flags = packed_slot_flags(r, hole->idx);

		if (!packed_is_avail(flags, hole->wrap))
			return used_in_this_lap(flags, hole->wrap);
		cursor_advance(r, hole, 1);
	}
	return false;
}

/* Where the hole ends: what the front end says, if that can be, or after the last used slot. */
static struct cursor end_of_hole(const struct vu_ring *r, struct cursor hole, struct cursor base)
{
	unsigned int n = cursor_distance(r, &hole, &base);

	if (n >= 1 && n <= r->num)
		return base;
	for (n = 0; n < r->num && used_in_this_lap(packed_slot_flags(r, hole.idx), hole.wrap); n++)
		cursor_advance(r, &hole, 1);
	return hole;
}

/* Buffers in the hole are not ours to hand back any more, in whatever state we had them. */
static void forget_those_within(struct vu_ring *r, struct cursor at, const struct cursor *end)
{
	for (unsigned int n = 0; n < r->num && !cursor_is(&at, end); n++) {
		uint64_t rest = guest_load64_acquire(&r->desc[at.idx].rest);
		uint16_t id = (uint16_t)(rest >> 32);

		if (id < r->num && used_in_this_lap((uint16_t)(rest >> 48), at.wrap))
			r->busy[id] = false;
		cursor_advance(r, &at, 1);
	}
}

/* Hand back one buffer unused. False: the hole is reached. */
static bool hand_back(struct vu_ring *r, struct cursor *at, const struct cursor *hole, uint16_t id,
		      unsigned int n_slots)
{
	uint16_t flags = packed_used_flags(at->wrap);

	if (cursor_distance(r, at, hole) < n_slots)
		return false;
	guest_store64_release(&r->desc[at->idx].rest, (uint64_t)id << 32 | (uint64_t)flags << 48);
	ring_log_used(r, at->idx * sizeof(*r->desc), sizeof(*r->desc));
	cursor_advance(r, at, n_slots);
	return true;
}

/*
 * What our predecessor had popped. If the hole begins in the middle of such a chain, then that one
 * is in the hole by its id, and yet the driver waits for it where it starts.
 */
static void hand_back_recovered(struct vu_ring *r, struct cursor *at, const struct cursor *hole)
{
	uint16_t first_id = (uint16_t)(guest_load64(&r->desc[hole->idx].rest) >> 32);
	struct cursor avail = {r->avail_idx, r->avail_wrap};

	for (unsigned int i = 0; i < r->n_recovered; i++) {
		const struct ring_recovered *rec = &r->recovered[i];

		if (r->busy[rec->id] && !hand_back(r, at, hole, rec->id, rec->n_slots))
			return;
	}
	if (cursor_distance(r, &avail, hole) > r->num)
		hand_back(r, at, hole, first_id, 1);
}

/* What nobody has popped yet: from the avail position to the hole. */
static void hand_back_available(struct vu_ring *r, struct cursor *at, const struct cursor *hole)
{
	struct cursor next = {r->avail_idx, r->avail_wrap};
	unsigned int left = cursor_distance(r, &next, hole);

	if (left > r->num) /* the hole begins among the popped ones */
		return;
	while (left) {
		unsigned int n_slots = 0;
		uint64_t rest;

		do {
			rest = guest_load64_acquire(&r->desc[next.idx].rest);
			cursor_advance(r, &next, 1);
			n_slots++;
		} while (n_slots < left && (uint16_t)(rest >> 48) & VRING_DESC_F_NEXT);
		left -= n_slots;
		if (!hand_back(r, at, hole, (uint16_t)(rest >> 32), n_slots))
			return;
	}
}

/**
 * ring_packed_foreign() - look for buffers that others used, ahead of where the notes say we are
 * @r: positions and recovered buffers are loaded
 * @base_idx: where the front end says the ring stands; on return where it has to start
 * @base_wrap: likewise
 *
 * Return: true if there were some: everything before them went back to the driver.
 */
bool ring_packed_foreign(struct vu_ring *r, uint16_t *base_idx, bool *base_wrap)
{
	struct cursor at = {r->used_idx, r->used_wrap}, hole = at;
	struct cursor end, base = {*base_idx, *base_wrap};

	if (!find_hole(r, &hole))
		return false;
	end = end_of_hole(r, hole, base);
	forget_those_within(r, hole, &end);
	hand_back_recovered(r, &at, &hole);
	hand_back_available(r, &at, &hole);
	*base_idx = end.idx;
	*base_wrap = end.wrap;
	return true;
}
