/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_internal.h - what the two layouts share. Only vhost/ring*.c and vhost/inflight*.c include
 * this.
 */
#ifndef VHOST_RING_INTERNAL_H
#define VHOST_RING_INTERNAL_H

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include <vxdp/util.h>
#include "inflight.h"
#include "inflight_layout.h"
#include "mem.h"
#include "ring.h"

struct vu_ring_config;

#define RING_REASON_BYTES 120
#define RING_POP_BATCH	  64 /* heads looked at ahead of their descriptors */

/*
 * How far ahead of pop the descriptors of a packed ring are loaded: two cache lines. More is worse,
 * since it takes lines away from a driver that is writing them.
 */
#define PACKED_AHEAD 8

#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED  (1u << VRING_PACKED_DESC_F_USED)

/* A descriptor in the guest's memory, as the two words we read it in. Little-endian. */
struct ring_desc_words {
	uint64_t addr;
	uint64_t rest; /* split: len, flags, next; packed: len, id, flags; from bit 0 on */
};

/* Our copy of a descriptor, host byte order. */
struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next; /* split: next descriptor; packed: buffer id */
};

/*
 * Used ring of the split layout (virtio 1.2, 2.7.8); an avail_event word follows ring[num]. An
 * entry has the id in bits 0-31 and the length in bits 32-63, and is aligned like one of them.
 */
typedef uint64_t ring_split_entry __attribute__((aligned(4)));

struct ring_split_used {
	uint16_t flags;
	uint16_t idx;
	ring_split_entry ring[];
};

/* Available ring of the split layout (2.7.6); a used_event word follows ring[num]. */
struct ring_split_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

/* Event suppression area of the packed layout (2.8.14), read and written as one word. */
struct ring_event {
	uint32_t word; /* offset in bits 0-14, wrap counter in bit 15, flags in bits 16-17 */
};

/* A pushed buffer waiting for the flush. */
struct ring_used {
	uint16_t id;
	uint16_t n_slots;
	uint32_t bytes;
};

/* A buffer our predecessor had popped and not pushed, in the order it popped them. */
struct ring_recovered {
	uint64_t counter;
	uint32_t first; /* packed: of its descriptors in recovered_desc */
	uint16_t id;
	uint16_t n_slots;
	uint16_t entry; /* packed: its first entry of the in-flight state */
};

/* Packed, with in-flight state: our own copy of what has to be remembered of each entry or id. */
struct ring_entry {
	uint16_t next;	/* by entry: next free one, or next of its chain */
	uint16_t last;	/* by first entry of a chain: its last one */
	uint16_t of_id; /* by buffer id: first entry of its chain */
};

/* Some region of the guest's memory. */
struct ring_region {
	uint64_t gpa;
	uint64_t bytes;
	uint8_t *va;
};

struct vu_ring {
	/* Read for every burst, constant while the ring runs. */
	struct ring_desc_words *desc;
	union {
		struct ring_split_avail *avail;
		struct ring_event *driver_event;
	};
	union {
		struct ring_split_used *used;
		struct ring_event *device_event;
	};
	bool *busy; /* by head or buffer id: popped and not flushed */
	struct ring_used *pushed;
	uint16_t num;
	bool packed;
	bool event_idx;
	bool indirect;
	bool one_used; /* IN_ORDER transmit ring: one used entry stands for a whole flush */
	bool log_used;
	uint16_t write_flag; /* what the WRITE flag must be in every descriptor */
	uint64_t log_gpa;

	struct ring_region cache; /* that held the last buffer; the guess for the next one */

	/*
	 * Where we are. avail_pos counts all buffers ever popped; in a split ring its low 16 bits
	 * are the next entry of the avail ring. Packed: avail_idx and used_idx are slots.
	 */
	uint64_t avail_pos;
	uint16_t avail_seen; /* split: avail->idx as last read */
	uint16_t avail_idx;
	uint16_t used_idx;
	bool avail_wrap;
	bool used_wrap;
	uint32_t n_slots_out; /* packed: slots popped and not flushed */
	uint32_t n_in_flight; /* buffers popped and not pushed */
	uint32_t n_pushed;    /* buffers pushed and not flushed */

	/* In-flight state of either layout; both NULL without. Written, never read back. */
	struct inflight_split *track_split;
	struct inflight_packed *track_packed;
	uint64_t *track_pos; /* split: where avail_pos is noted */
	struct ring_entry *entries;
	uint16_t free_head; /* of the free list through entries[].next */
	uint16_t mark;	    /* packed: see inflight_layout.h; 0 without state */

	/* What comes out of pop first; entries before recovered_at did. */
	struct ring_recovered *recovered;
	struct ring_desc *recovered_desc;
	uint32_t n_recovered;
	uint32_t recovered_at;
	uint64_t avail_pos_first; /* avail_pos when the ring started */

	/* Notification of the guest. */
	bool notified;	       /* vu_ring_notify() was called since the ring started */
	uint32_t n_unnotified; /* flushed since then: used entries, packed: slots */
	bool call_real;	       /* there is a guest behind call_fd */
	bool kick_wanted;
	int call_fd; /* one number for the life of the ring */

	uint64_t track_pos_unused; /* what track_pos points to when nobody wants to know */
	struct vu_mem *mem;
	struct vu_ring_info info;
	const char *broken; /* NULL, or reason */
	char reason[RING_REASON_BYTES];
};

/* Guest memory: one access of this width, whatever another processor does meanwhile. */
static inline uint16_t guest_load16(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static inline uint16_t guest_load16_acquire(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static inline uint64_t guest_load64(const uint64_t *p)
{
	return le64toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static inline uint64_t guest_load64_acquire(const uint64_t *p)
{
	return le64toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static inline uint32_t guest_load32(const uint32_t *p)
{
	return le32toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static inline void guest_store16(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELAXED);
}

static inline void guest_store16_release(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELEASE);
}

static inline void guest_store32(uint32_t *p, uint32_t value)
{
	__atomic_store_n(p, htole32(value), __ATOMIC_RELAXED);
}

static inline void guest_store64(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, htole64(value), __ATOMIC_RELAXED);
}

static inline void guest_store64_release(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, htole64(value), __ATOMIC_RELEASE);
}

/** ring_region_va() - our address of [gpa, gpa + bytes) if @region holds it, or NULL */
static inline uint8_t *ring_region_va(const struct ring_region *region, uint64_t gpa,
				      uint32_t bytes)
{
	uint64_t offset = gpa - region->gpa;

	if (likely(offset < region->bytes && bytes <= region->bytes - offset))
		return region->va + offset;
	return NULL;
}

/** ring_split_desc() - a descriptor of the split layout, read once */
static inline struct ring_desc ring_split_desc(const struct ring_desc_words *at)
{
	uint64_t rest = guest_load64(&at->rest);

	return (struct ring_desc){
		.addr = guest_load64(&at->addr),
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.next = (uint16_t)(rest >> 48),
	};
}

/** ring_packed_desc() - a descriptor of the packed layout, from its two words in host order */
static inline struct ring_desc ring_packed_desc(uint64_t addr, uint64_t rest)
{
	return (struct ring_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.next = (uint16_t)(rest >> 32),
		.flags = (uint16_t)(rest >> 48),
	};
}

/* The AVAIL and USED flags of an available and of a used slot of a packed ring (virtio 1.2, 2.8.1).
 */
static inline uint16_t packed_avail_flags(bool wrap)
{
	return wrap ? PACKED_AVAIL : PACKED_USED;
}

static inline uint16_t packed_used_flags(bool wrap)
{
	return wrap ? PACKED_AVAIL | PACKED_USED : 0;
}

static inline bool packed_is_avail(uint16_t flags, bool wrap)
{
	return (flags & (PACKED_AVAIL | PACKED_USED)) == packed_avail_flags(wrap);
}

static inline uint16_t packed_slot_flags(const struct vu_ring *r, uint16_t slot)
{
	return (uint16_t)(guest_load64_acquire(&r->desc[slot].rest) >> 48);
}

static inline void packed_advance(const struct vu_ring *r, uint16_t *idx, bool *wrap,
				  unsigned int n)
{
	unsigned int next = *idx + n;

	if (next >= r->num) {
		next -= r->num;
		*wrap = !*wrap;
	}
	*idx = (uint16_t)next;
}

/** ring_track_heads() - packed: what was taken from or put on the free list counts from now on */
static inline void ring_track_heads(struct vu_ring *r)
{
	union inflight_heads heads = {{.free_head = r->free_head, .old_free_head = r->free_head}};

	WRITE_ONCE(r->track_packed->heads.word, heads.word);
}

/** ring_track_positions() - packed: note the used position, and where the open flush started */
static inline void ring_track_positions(struct vu_ring *r, uint16_t old_idx, bool old_wrap)
{
	union inflight_positions positions = {{
		.used_idx = r->used_idx,
		.old_used_idx = old_idx,
		.used_wrap = r->used_wrap,
		.old_used_wrap = old_wrap,
		.mark = r->mark,
	}};

	WRITE_ONCE(r->track_packed->positions.word, positions.word);
}

/* The parts of one chain while they are collected. */
struct ring_build {
	struct iovec *iov;
	unsigned int max_iov;
	unsigned int n_iov;
	unsigned int n_desc;
	uint64_t bytes;
};

/* ring.c, for the layouts */
int ring_break(struct vu_ring *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ring_build_part(struct vu_ring *r, struct ring_build *b, const struct ring_desc *d);
int ring_build_end(struct vu_ring *r, const struct ring_build *b, struct vu_chain *chain);
int ring_table_check(struct vu_ring *r, const struct ring_desc *d);
int ring_table_load(struct vu_ring *r, uint64_t gpa, struct ring_desc_words *words);
void ring_log_used(const struct vu_ring *r, uint64_t offset, uint64_t bytes);

/* ring_recover.c */
int ring_take_over(struct vu_ring *r, const struct vu_ring_config *config);

/* ring_foreign.c */
bool ring_packed_foreign(struct vu_ring *r, uint16_t *base_idx, bool *base_wrap);

/* ring_split.c */
int ring_split_start(struct vu_ring *r);
int ring_split_rebuild(struct vu_ring *r, const struct ring_recovered *rec, struct ring_build *b);
int ring_split_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		   struct iovec *iov, unsigned int max_iov);
int ring_split_available(struct vu_ring *r, unsigned int wanted);
int ring_split_heads(struct vu_ring *r, uint16_t *heads, unsigned int n);
void ring_split_log(const struct vu_ring *r, uint16_t first, unsigned int n);
void ring_split_unpop(struct vu_ring *r, struct vu_head head);
void ring_split_flush(struct vu_ring *r);
void ring_split_prefetch(const struct vu_ring *r, unsigned int n);
bool ring_split_must_notify(const struct vu_ring *r);
bool ring_split_kick_arm(struct vu_ring *r);
void ring_split_kick_disarm(struct vu_ring *r);

/* ring_packed.c */
int ring_packed_start(struct vu_ring *r, uint32_t base);
int ring_packed_rebuild(struct vu_ring *r, const struct ring_recovered *rec, struct ring_build *b);
void ring_packed_mark(struct vu_ring *r);
int ring_packed_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		    struct iovec *iov, unsigned int max_iov);
void ring_packed_unpop(struct vu_ring *r, struct vu_head head);
void ring_packed_flush(struct vu_ring *r);
void ring_packed_prefetch(const struct vu_ring *r, unsigned int n);
bool ring_packed_must_notify(const struct vu_ring *r);
bool ring_packed_kick_arm(struct vu_ring *r);
void ring_packed_kick_disarm(struct vu_ring *r);
uint32_t ring_packed_base(const struct vu_ring *r);

#endif /* VHOST_RING_INTERNAL_H */
