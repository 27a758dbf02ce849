/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring.c - what split and packed rings have in common: set-up, checked descriptors, notification.
 *
 * Theory of operation
 *
 * A ring is a private struct (who is where) over three areas of the guest's memory. The guest owns
 * that memory, so nothing found there is believed: a word is loaded once into a private variable,
 * checked, and used from there. What we need to know about our own side (which buffers are out,
 * where the used ring stands) is never read back from the guest.
 *
 * Pop works in bursts. A buffer of one direct descriptor, which is nearly every buffer, is done in
 * line: load 16 bytes, compare flags, translate through the region of the last buffer. All other
 * shapes (chains, indirect tables, parts that straddle regions) go through a struct ring_build.
 * The work one chain can cause is bounded by VU_CHAIN_IOV_MAX descriptors.
 *
 * Push only notes {id, bytes} in a private array. Flush writes all of it to the guest and then
 * makes it visible with one release store, so the guest sees all parts of a mergeable frame at
 * once. Between push and flush a buffer still counts as out: the guest cannot know yet.
 *
 * A guest that breaks the rules breaks its ring: ring_break() notes why, and every later pop fails.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "dirty.h"
#include "event.h"
#include "ring_internal.h"
#include "ring_setup.h"

/*
 * Descriptors
 */

/**
 * ring_break() - note why the ring is broken
 * Return: -EPROTO, for the caller to return.
 */
int ring_break(struct vu_ring *r, const char *fmt, ...)
{
	va_list args;

	if (r->broken)
		return -EPROTO;
	va_start(args, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, args);
	va_end(args);
	store_release(&r->broken, (const char *)r->reason);
	return -EPROTO;
}

static void ring_cache_region(struct vu_ring *r, const struct vu_region *region)
{
	r->cache =
		(struct ring_region){.gpa = region->gpa, .bytes = region->bytes, .va = region->va};
}

/**
 * ring_build_part() - check one descriptor and add its memory to the chain
 *
 * A descriptor may run from one region into another one that follows it in the guest's address
 * space; it then becomes two parts.
 *
 * Return: 0; -ENOSPC if the caller's iov is full; -EPROTO if the ring is broken.
 */
int ring_build_part(struct vu_ring *r, struct ring_build *b, const struct ring_desc *d)
{
	uint64_t gpa = d->addr;
	uint32_t left = d->len;

	if (++b->n_desc > VU_CHAIN_IOV_MAX)
		return ring_break(r, "chain of more than %d descriptors", VU_CHAIN_IOV_MAX);
	if ((d->flags & VRING_DESC_F_WRITE) != r->write_flag)
		return ring_break(r, "%s descriptor in a %s ring",
				  r->write_flag ? "device-readable" : "device-writable",
				  r->write_flag ? "receive" : "transmit");
	if (left && gpa + (left - 1) < gpa)
		return ring_break(r, "buffer 0x%llx+%u wraps", (unsigned long long)gpa, left);
	while (left) {
		const struct vu_region *region = vu_mem_region_of(r->mem, gpa, 1);
		uint32_t bytes;

		if (!region)
			return ring_break(r, "buffer 0x%llx+%u is outside the guest's memory",
					  (unsigned long long)d->addr, d->len);
		if (b->n_iov == VU_CHAIN_IOV_MAX)
			return ring_break(r, "chain of more than %d parts", VU_CHAIN_IOV_MAX);
		if (b->n_iov == b->max_iov)
			return -ENOSPC;
		ring_cache_region(r, region);
		bytes = MIN((uint64_t)left, region->bytes - (gpa - region->gpa));
		b->iov[b->n_iov].iov_base = region->va + (gpa - region->gpa);
		b->iov[b->n_iov++].iov_len = bytes;
		b->bytes += bytes;
		gpa += bytes;
		left -= bytes;
	}
	return 0;
}

/** ring_build_end() - the chain is complete: fill in @chain but for its head */
int ring_build_end(struct vu_ring *r, const struct ring_build *b, struct vu_chain *chain)
{
	if (b->bytes > UINT32_MAX)
		return ring_break(r, "chain of %llu bytes", (unsigned long long)b->bytes);
	chain->n_iov = (uint16_t)b->n_iov;
	chain->bytes = (uint32_t)b->bytes;
	chain->iov = b->iov;
	return 0;
}

/**
 * ring_table_check() - may this descriptor point to an indirect table, and of which length?
 * Return: number of descriptors in the table, or -EPROTO.
 */
int ring_table_check(struct vu_ring *r, const struct ring_desc *d)
{
	unsigned int n = d->len / sizeof(struct ring_desc_words);

	if (!r->indirect)
		return ring_break(r, "indirect descriptor, which was not negotiated");
	if (d->flags & VRING_DESC_F_NEXT)
		return ring_break(r, "indirect descriptor with a next one");
	if (n == 0 || d->len % sizeof(struct ring_desc_words))
		return ring_break(r, "indirect table of %u bytes", d->len);
	if (n > VU_CHAIN_IOV_MAX)
		return ring_break(r, "indirect table of %u descriptors", n);
	if (d->addr + (d->len - 1) < d->addr)
		return ring_break(r, "indirect table wraps");
	return (int)n;
}

/* Copy bytes that may lie in two regions. Each byte is read once. */
static int ring_copy_in(struct vu_ring *r, uint64_t gpa, void *out, uint32_t bytes)
{
	uint8_t *to = out;

	while (bytes) {
		const struct vu_region *region = vu_mem_region_of(r->mem, gpa, 1);
		uint32_t part;

		if (!region)
			return ring_break(r, "indirect table is outside the guest's memory");
		part = MIN((uint64_t)bytes, region->bytes - (gpa - region->gpa));
		for (uint32_t i = 0; i < part; i++)
			*to++ = __atomic_load_n(region->va + (gpa - region->gpa) + i,
						__ATOMIC_RELAXED);
		gpa += part;
		bytes -= part;
	}
	return 0;
}

/** ring_table_load() - copy one descriptor of an indirect table; it may have any alignment */
int ring_table_load(struct vu_ring *r, uint64_t gpa, struct ring_desc_words *words)
{
	const uint8_t *va = ring_region_va(&r->cache, gpa, sizeof(*words));
	const struct ring_desc_words *at = (const void *)va;
	const struct vu_region *region;

	if (!va) {
		region = vu_mem_region_of(r->mem, gpa, sizeof(*words));
		if (region) {
			ring_cache_region(r, region);
			va = region->va + (gpa - region->gpa);
			at = (const void *)va;
		}
	}
	if (va && (uintptr_t)va % sizeof(uint64_t) == 0) {
		words->addr = __atomic_load_n(&at->addr, __ATOMIC_RELAXED);
		words->rest = __atomic_load_n(&at->rest, __ATOMIC_RELAXED);
		return 0;
	}
	return ring_copy_in(r, gpa, words, sizeof(*words));
}

/** ring_log_used() - tell a migrating front end that we wrote to the used ring (or packed ring) */
void ring_log_used(const struct vu_ring *r, uint64_t offset, uint64_t bytes)
{
	if (unlikely(r->log_used && r->mem->dirty))
		vu_dirty_gpa(r->mem->dirty, r->log_gpa + offset, bytes);
}

/*
 * Set-up and end, main thread
 */

/* What a running ring has and a stopped one has not. */
static void ring_release(struct vu_ring *r)
{
	free_ptr(&r->busy);
	free_ptr(&r->pushed);
	free_ptr(&r->entries);
	free_ptr(&r->recovered);
	free_ptr(&r->recovered_desc);
	r->n_recovered = r->recovered_at = 0;
	r->track_split = NULL;
	r->track_packed = NULL;
	r->track_pos = &r->track_pos_unused;
	r->mark = 0;
}

int vu_ring_new(struct vu_ring **out)
{
	struct vu_ring *r = aligned_alloc(64, ALIGN_UP(sizeof(*r), (size_t)64));

	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	ring_release(r);
	r->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->call_fd < 0) {
		int err = -errno;

		free(r);
		return err;
	}
	*out = r;
	return 0;
}

void vu_ring_free(struct vu_ring **r)
{
	if (!*r)
		return;
	close_fd(&(*r)->call_fd);
	ring_release(*r);
	free(*r);
	*r = NULL;
}

/*
 * Interrupt the guest whatever it asked for. Not by write(): the peer can fill the counter and take
 * O_NONBLOCK away again, and a worker that sleeps here stops all ports.
 */
static bool ring_interrupt(struct vu_ring *r)
{
	if (!__atomic_load_n(&r->call_real, __ATOMIC_RELAXED))
		return false;
	vu_event_signal(r->call_fd);
	return true;
}

static bool ring_config_ok(const struct vu_ring_config *c)
{
	if (c->num == 0 || c->num > VU_RING_NUM_MAX)
		return false;
	return c->packed || (c->num & (c->num - 1)) == 0;
}

static void ring_configure(struct vu_ring *r, const struct vu_ring_config *c)
{
	bool in_order = c->features & (1ULL << VIRTIO_F_IN_ORDER);

	r->desc = c->desc;
	r->avail = c->driver;
	r->used = c->device;
	r->num = c->num;
	r->packed = c->packed;
	r->event_idx = c->features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	r->indirect = c->features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	r->one_used = in_order && !c->is_rx;
	r->log_used = c->log_used;
	r->write_flag = c->is_rx ? VRING_DESC_F_WRITE : 0;
	r->log_gpa = c->log_gpa;
	r->cache = (struct ring_region){0};
	r->mem = c->mem;
	r->n_slots_out = r->n_in_flight = r->n_pushed = 0;
	r->notified = false;
	r->n_unnotified = 0;
	r->kick_wanted = true; /* what an area of zeros says */
	r->broken = NULL;
	r->info = (struct vu_ring_info){
		.num = c->num,
		.packed = c->packed,
		.is_rx = c->is_rx,
		.in_order = in_order,
		.kick_fd = c->kick_fd,
		.mem = c->mem,
	};
}

int vu_ring_start(struct vu_ring *r, const struct vu_ring_config *config)
{
	int err = -ENOMEM;

	if (!ring_config_ok(config))
		return -EINVAL;
	ring_release(r);
	ring_configure(r, config);
	r->busy = calloc(config->num, sizeof(*r->busy));
	r->pushed = calloc(config->num, sizeof(*r->pushed));
	if (!r->busy || !r->pushed)
		goto fail;
	err = r->packed ? ring_packed_start(r, config->base) : ring_split_start(r);
	if (!err)
		err = ring_take_over(r, config);
	if (err)
		goto fail;
	r->avail_pos_first = r->avail_pos;
	r->info.n_recovered = r->n_recovered;
	ring_interrupt(r);
	return 0;
fail:
	ring_release(r);
	return err;
}

/* What was recovered and never popped goes back unused: no base could say that it is there. */
static void ring_return_recovered(struct vu_ring *r)
{
	for (; r->recovered_at < r->n_recovered; r->recovered_at++) {
		const struct ring_recovered *rec = &r->recovered[r->recovered_at];

		r->n_in_flight++;
		vu_ring_push(r, (struct vu_head){.id = rec->id, .n_slots = rec->n_slots}, 0);
	}
}

uint32_t vu_ring_stop(struct vu_ring *r)
{
	ring_return_recovered(r);
	vu_ring_flush(r);
	vu_ring_notify(r);
	ring_release(r);
	return r->packed ? ring_packed_base(r) : r->used_idx;
}

void vu_ring_call_fd_set(struct vu_ring *r, int fd)
{
	bool real = fd >= 0;

	if (real)
		fcntl(fd, F_SETFL, O_NONBLOCK); /* a full counter must not stop a worker */
	else
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return; /* no descriptor left: the old one stays, at worst it is told too much */
	__atomic_store_n(&r->call_real, real, __ATOMIC_RELAXED);
	dup3(fd, r->call_fd, O_CLOEXEC);
	close(fd);
	ring_interrupt(r); /* what was used before now may not have been told to this one */
}

/*
 * The worker's side
 */

static int ring_pop_recovered(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
			      struct iovec *iov, unsigned int max_iov)
{
	unsigned int i;

	for (i = 0; i < max_chains && r->recovered_at < r->n_recovered; i++) {
		const struct ring_recovered *rec = &r->recovered[r->recovered_at];
		struct ring_build b = {.iov = iov, .max_iov = max_iov};
		int err = r->packed ? ring_packed_rebuild(r, rec, &b)
				    : ring_split_rebuild(r, rec, &b);

		if (err || ring_build_end(r, &b, &chains[i]))
			break;
		chains[i].head = (struct vu_head){.id = rec->id, .n_slots = rec->n_slots};
		iov += b.n_iov;
		max_iov -= b.n_iov;
		r->recovered_at++;
	}
	r->n_in_flight += i;
	return i || !r->broken ? (int)i : -EPROTO;
}

int vu_ring_pop(struct vu_ring *r, struct vu_chain *chains, unsigned int max_chains,
		struct iovec *iov, unsigned int max_iov)
{
	if (unlikely(r->broken))
		return -EPROTO;
	if (unlikely(r->recovered_at < r->n_recovered))
		return ring_pop_recovered(r, chains, max_chains, iov, max_iov);
	if (r->packed)
		return ring_packed_pop(r, chains, max_chains, iov, max_iov);
	return ring_split_pop(r, chains, max_chains, iov, max_iov);
}

void vu_ring_unpop(struct vu_ring *r, const struct vu_head *heads, unsigned int n)
{
	r->n_in_flight -= n;
	while (n-- > 0) {
		if (r->recovered_at && r->avail_pos == r->avail_pos_first)
			r->recovered_at--;
		else if (r->packed)
			ring_packed_unpop(r, heads[n]);
		else
			ring_split_unpop(r, heads[n]);
	}
}

void vu_ring_push(struct vu_ring *r, struct vu_head head, uint32_t bytes_written)
{
	if (unlikely(r->n_pushed == r->num))
		vu_ring_flush(r);
	r->pushed[r->n_pushed++] = (struct ring_used){head.id, head.n_slots, bytes_written};
	r->n_in_flight--;
}

void vu_ring_push_run(struct vu_ring *r, const struct vu_chain *chains,
		      const uint32_t *bytes_written, unsigned int n)
{
	struct ring_used *to = &r->pushed[r->n_pushed];

	if (unlikely(n > r->num - r->n_pushed)) {
		for (unsigned int i = 0; i < n; i++)
			vu_ring_push(r, chains[i].head, bytes_written ? bytes_written[i] : 0);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		to[i] = (struct ring_used){chains[i].head.id, chains[i].head.n_slots,
					   bytes_written ? bytes_written[i] : 0};
	r->n_pushed += n;
	r->n_in_flight -= n;
}

void vu_ring_prefetch(const struct vu_ring *r, unsigned int n)
{
	if (r->packed)
		ring_packed_prefetch(r, n);
	else
		ring_split_prefetch(r, n);
}

void vu_ring_flush(struct vu_ring *r)
{
	if (r->n_pushed == 0)
		return;
	if (r->packed)
		ring_packed_flush(r);
	else
		ring_split_flush(r);
	r->n_pushed = 0;
}

bool vu_ring_notify(struct vu_ring *r)
{
	if (!r->n_unnotified)
		return false;
	full_fence(); /* the used entries before the look at what the guest asked for */
	return vu_ring_notify_fenced(r);
}

bool vu_ring_notify_fenced(struct vu_ring *r)
{
	bool must;

	if (!r->n_unnotified)
		return false;
	must = r->packed ? ring_packed_must_notify(r) : ring_split_must_notify(r);
	r->n_unnotified = 0;
	r->notified = true;
	return must && ring_interrupt(r);
}

bool vu_ring_kick_arm(struct vu_ring *r)
{
	bool available = r->packed ? ring_packed_kick_arm(r) : ring_split_kick_arm(r);

	return available || r->recovered_at < r->n_recovered;
}

void vu_ring_kick_disarm(struct vu_ring *r)
{
	if (!r->kick_wanted)
		return;
	r->kick_wanted = false;
	if (r->packed)
		ring_packed_kick_disarm(r);
	else
		ring_split_kick_disarm(r);
}

unsigned int vu_ring_in_flight(const struct vu_ring *r)
{
	return r->n_in_flight;
}

const char *vu_ring_broken(const struct vu_ring *r)
{
	return load_acquire(&r->broken);
}

const struct vu_ring_info *vu_ring_info(const struct vu_ring *r)
{
	return &r->info;
}
