/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight_layout.h - the bytes of the in-flight state ("Inflight I/O tracking" of the vhost-user
 * specification, native byte order). Only the rings and vhost/inflight.c include this.
 *
 * A process can be killed between any two stores. What it stored before that point is there for
 * its successor, and nothing after it: so order is all that matters, and a compiler barrier is all
 * it takes (inflight_order()). Each update ends in one store that makes it count:
 *
 *            what makes it count                    until then
 *   pop      split: inflight = 1                    it was never popped
 *            packed: heads                          the entry is still on the free list
 *   run      (ring_run.c) each used entry           it was never popped
 *   flush    the guest's used index or flags        still in flight; the notes are ignored
 *
 * Between the flush becoming visible and the notes being brought up to date, the notes written
 * before (last_batch_head; the new next to the old positions) say what was in it.
 */
#ifndef VHOST_INFLIGHT_LAYOUT_H
#define VHOST_INFLIGHT_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_VERSION     1
#define INFLIGHT_ALIGN_BYTES 64

#define INFLIGHT_RUN 0x7275

#define inflight_order() __atomic_signal_fence(__ATOMIC_SEQ_CST)

struct inflight_desc_split {
	uint8_t inflight;
	uint8_t padding[5];
	uint16_t next; /* of the buffers of the last flush */
	uint64_t counter;
};

struct inflight_split {
	uint64_t features; /* 0 */
	uint16_t version;  /* 0: nothing in here yet */
	uint16_t desc_num;
	uint16_t last_batch_head;
	uint16_t used_idx;
	struct inflight_desc_split desc[];
};

/* First word of a packed entry, stored at once. */
union inflight_entry {
	struct {
		uint8_t inflight;
		uint8_t padding;
		uint16_t next; /* free entry, or next descriptor of the chain */
		uint16_t last; /* head only: last descriptor of the chain */
		uint16_t num;  /* head only: descriptors in the chain */
	};
	uint64_t word;
};

/* Third word of a packed entry, likewise. */
union inflight_data {
	struct {
		uint16_t id;
		uint16_t flags;
		uint32_t len;
	};
	uint64_t word;
};

struct inflight_desc_packed {
	union inflight_entry entry;
	uint64_t counter;
	union inflight_data data;
	uint64_t addr;
};

union inflight_heads {
	struct {
		uint16_t free_head;
		uint16_t old_free_head;
	};
	uint32_t word;
};

union inflight_positions {
	struct {
		uint16_t used_idx;
		uint16_t old_used_idx;
		uint8_t used_wrap;
		uint8_t old_used_wrap;
		/*
		 * Padding in the specification. We note here what we wrote to the event area's
		 * unused offset field: a guest that reset the ring meanwhile has zeroed it.
		 */
		uint16_t mark;
	};
	uint64_t word;
};

struct inflight_packed {
	uint64_t features; /* 0 */
	uint16_t version;  /* 0: nothing in here yet */
	uint16_t desc_num;
	union inflight_heads heads;
	union inflight_positions positions;
	/*
	 * Padding in the specification. We note here that the open flush is a run: its slots are
	 * written one after the other, and none of its buffers is noted (ring_run.c).
	 */
	uint16_t run;
	uint8_t padding[6];
	struct inflight_desc_packed desc[];
};

_Static_assert(sizeof(struct inflight_desc_split) == 16, "layout of the specification");
_Static_assert(offsetof(struct inflight_split, desc) == 16, "layout of the specification");
_Static_assert(sizeof(struct inflight_desc_packed) == 32, "layout of the specification");
_Static_assert(offsetof(struct inflight_desc_packed, data) == 16, "layout of the specification");
_Static_assert(offsetof(struct inflight_packed, heads) == 12, "layout of the specification");
_Static_assert(offsetof(struct inflight_packed, positions) == 16, "layout of the specification");
_Static_assert(offsetof(struct inflight_packed, desc) == 32, "layout of the specification");

/*
 * Own file, in front of each ring's state: which ring it is about. Three areas by the bytes of the
 * file they are in and by both addresses a front end gave them, so that neither another guest nor
 * the same guest in another process (addresses are random) is taken for it.
 */
struct inflight_area {
	uint64_t dev, ino, file_offset;
	uint64_t gpa, uaddr;
};

struct inflight_ident {
	struct inflight_area desc, driver, device;
	uint64_t features;
	uint32_t num;
	uint32_t packed;
};

struct inflight_owner {
	struct inflight_ident ident;
	uint64_t avail_pos; /* split: buffers popped so far; may lag by one burst */
};

#endif /* VHOST_INFLIGHT_LAYOUT_H */
