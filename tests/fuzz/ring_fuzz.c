// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ring_fuzz.c - a guest that writes what it likes into its rings, and a worker that serves them.
 *
 * Theory of operation: the input says which kind of ring it is and then gives commands, one byte
 * and its arguments each: good or bad descriptors, indices, event words and nonsense on the guest's
 * side; every call of ring.h on the worker's; sudden ends with in-flight state, and scribbling in
 * that state. Ring areas and guest memory are heap blocks of exactly their size, so that the
 * sanitiser sees a single byte too much. Whatever comes out of a ring must lie in guest memory, add
 * up, and be out only once.
 */
#include <assert.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "vhost/ring.h"
#include "vhost/ring_setup.h"
#include "vxdp/util.h"

#define DATA_BYTES    8192u
#define GPA_DATA      0x10000ull
#define GPA_NEXT      (GPA_DATA + DATA_BYTES) /* a second region right behind the first */
#define GPA_AREAS     0x100000ull	      /* the ring areas are guest memory as well */
#define NUM_MAX	      64
#define OUT_MAX	      (2 * NUM_MAX)
#define COMMANDS      200
#define IOV_MAX_BURST 1100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum command {
	CMD_BUFFER, /* a good one, at the next place */
	CMD_DESC,   /* any descriptor anywhere */
	CMD_TABLE,  /* a descriptor in an indirect table */
	CMD_AVAIL,  /* split: avail entry and index */
	CMD_EVENT,  /* driver area's event word */
	CMD_RAW,    /* bytes into a ring area */
	CMD_POP,
	CMD_PUSH,
	CMD_UNPOP,
	CMD_FLUSH,
	CMD_NOTIFY,
	CMD_KICK,
	CMD_STOP,
	CMD_END, /* sudden */
	CMD_SCRIBBLE,
	CMD_RUN,
	N_COMMANDS,
};

struct fuzz {
	struct input in;
	struct vu_mem mem;
	struct vu_ring_config config;
	struct vu_ring *ring;
	struct vu_inflight_ring state;
	size_t desc_bytes, driver_bytes, device_bytes;
	bool started;
	uint16_t next; /* split: avail index; packed: slot */
	bool wrap;
	struct vu_head out[OUT_MAX]; /* popped, not pushed */
	unsigned int n_out;
	unsigned int n_newest; /* of those, at the end: popped after the last push or start */
};

static void region_add(struct fuzz *f, uint64_t gpa, void *va, size_t bytes)
{
	struct vu_region *r = &f->mem.region[f->mem.n_regions++];

	*r = (struct vu_region){
		.gpa = gpa, .bytes = bytes, .uaddr = gpa, .va = va, .fd = -1, .ino = gpa};
}

static void *block(size_t bytes)
{
	void *p = NULL;

	if (posix_memalign(&p, 16, bytes))
		abort();
	memset(p, 0, bytes);
	return p;
}

static void memory_make(struct fuzz *f)
{
	unsigned int num = f->config.num;
	bool packed = f->config.packed;

	f->desc_bytes = 16ul * num;
	f->driver_bytes = packed ? 4 : 6 + 2ul * num;
	f->device_bytes = packed ? 4 : 6 + 8ul * num;
	f->config.desc = block(f->desc_bytes);
	f->config.driver = block(f->driver_bytes);
	f->config.device = block(f->device_bytes);
	region_add(f, GPA_DATA, block(DATA_BYTES), DATA_BYTES);
	region_add(f, GPA_NEXT, block(DATA_BYTES), DATA_BYTES);
	region_add(f, GPA_AREAS, f->config.desc, f->desc_bytes);
	region_add(f, GPA_AREAS + 0x10000, f->config.driver, f->driver_bytes);
	region_add(f, GPA_AREAS + 0x20000, f->config.device, f->device_bytes);
	f->config.mem = &f->mem;
}

static void setup(struct fuzz *f)
{
	uint8_t flags = take_u8(&f->in), features = take_u8(&f->in);
	uint8_t num = take_u8(&f->in) % NUM_MAX + 1;

	f->config.packed = flags & 1;
	f->config.is_rx = flags & 2;
	while (!f->config.packed && num & (num - 1))
		num &= num - 1;
	f->config.num = num;
	f->config.base = flags & 4 ? take_u32(&f->in) : 0x80008000;
	f->config.kick_fd = -1;
	f->config.features = (features & 1 ? 1ull << VIRTIO_RING_F_INDIRECT_DESC : 0) |
			     (features & 2 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0) |
			     (features & 4 ? 1ull << VIRTIO_F_IN_ORDER : 0);
	f->wrap = true;
	memory_make(f);
	if (flags & 8) {
		f->state = (struct vu_inflight_ring){
			.state = block(vu_inflight_region_bytes(num, f->config.packed)),
			.num = num,
			.packed = f->config.packed,
		};
		f->config.inflight = &f->state;
	}
	if (vu_ring_new(&f->ring))
		abort();
}

static void start(struct fuzz *f)
{
	f->started = vu_ring_start(f->ring, &f->config) == 0;
	f->n_out = f->n_newest = 0;
}

static void end(struct fuzz *f)
{
	vu_ring_free(&f->ring);
	for (unsigned int i = 0; i < f->mem.n_regions; i++)
		free(f->mem.region[i].va);
	free(f->state.state);
}

/*
 * The guest
 */

/* An address: mostly in some region, near one of its ends. */
static uint64_t take_gpa(struct fuzz *f)
{
	uint8_t how = take_u8(&f->in);
	const struct vu_region *r = &f->mem.region[how % f->mem.n_regions];

	if (how & 0x80)
		return take_number(&f->in);
	if (how & 0x40)
		return r->gpa + r->bytes - take_u8(&f->in);
	return r->gpa + take_u8(&f->in);
}

static uint32_t take_len(struct fuzz *f)
{
	uint8_t how = take_u8(&f->in);

	if (how < 0xc0)
		return how % 96;
	return how & 1 ? take_u32(&f->in) : take_u16(&f->in);
}

static void words_put(void *at, uint64_t addr, uint64_t rest)
{
	memcpy(at, &addr, sizeof(addr));
	memcpy((char *)at + sizeof(addr), &rest, sizeof(rest));
}

static uint64_t rest_of(const struct fuzz *f, uint32_t len, uint16_t flags, uint16_t other)
{
	return f->config.packed ? len | (uint64_t)other << 32 | (uint64_t)flags << 48
				: len | (uint64_t)flags << 32 | (uint64_t)other << 48;
}

static uint16_t avail_flags(bool wrap)
{
	return wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;
}

static void split_show(struct fuzz *f, uint16_t head, uint16_t step)
{
	uint16_t *avail = f->config.driver;

	avail[2 + f->next % f->config.num] = head;
	f->next = (uint16_t)(f->next + step);
	avail[1] = f->next;
}

static void packed_next(struct fuzz *f)
{
	if (++f->next == f->config.num) {
		f->next = 0;
		f->wrap = !f->wrap;
	}
}

static void cmd_buffer(struct fuzz *f)
{
	uint8_t id = take_u8(&f->in) % f->config.num;
	uint16_t flags = f->config.is_rx ? VRING_DESC_F_WRITE : 0;
	uint64_t gpa = GPA_DATA + take_u16(&f->in) % (2 * DATA_BYTES - 2048);
	struct vring_desc *desc = f->config.desc;

	if (!f->config.packed) {
		words_put(&desc[id], gpa, rest_of(f, 1500, flags, 0));
		split_show(f, id, 1);
		return;
	}
	words_put(&desc[f->next], gpa, rest_of(f, 1500, flags | avail_flags(f->wrap), id));
	packed_next(f);
}

static void cmd_desc(struct fuzz *f)
{
	unsigned int slot = take_u8(&f->in) % f->config.num;
	uint64_t gpa = take_gpa(f);
	uint32_t len = take_len(f);
	uint16_t flags = take_u8(&f->in) & 7, other = take_u8(&f->in);
	struct vring_desc *desc = f->config.desc;

	if (f->config.packed) {
		if (other & 0x80) {
			slot = f->next;
			flags |= avail_flags(f->wrap);
			packed_next(f);
		}
		other &= 0x7f;
	}
	words_put(&desc[slot], gpa, rest_of(f, len, flags, other));
}

static void cmd_table(struct fuzz *f)
{
	unsigned int at = take_u16(&f->in) % (DATA_BYTES - 16);
	uint64_t gpa = take_gpa(f);
	uint32_t len = take_len(f);
	uint16_t flags = take_u8(&f->in) & 7, other = take_u8(&f->in);

	words_put(f->mem.region[0].va + at, gpa, rest_of(f, len, flags, other));
}

static void cmd_avail(struct fuzz *f)
{
	uint16_t head = take_u8(&f->in), step = take_u8(&f->in);

	if (!f->config.packed)
		split_show(f, head & 0x80 ? take_u16(&f->in) : head,
			   step & 0x80 ? take_u16(&f->in) : step % 4);
}

static void cmd_event(struct fuzz *f)
{
	uint32_t word = take_u32(&f->in);
	uint16_t *driver = f->config.driver;

	if (f->config.packed) {
		memcpy(driver, &word, sizeof(word));
		return;
	}
	driver[0] = (uint16_t)word;
	driver[2 + f->config.num] = (uint16_t)(word >> 16);
}

static void cmd_raw(struct fuzz *f)
{
	uint8_t which = take_u8(&f->in);
	struct vu_region *r = &f->mem.region[which % f->mem.n_regions];
	size_t at = take_u16(&f->in) % r->bytes, n = which >> 4;

	take_bytes(&f->in, r->va + at, MIN(n, r->bytes - at));
}

/*
 * The worker
 */

static bool in_guest(const struct fuzz *f, const struct iovec *iov)
{
	const uint8_t *va = iov->iov_base;

	for (unsigned int i = 0; i < f->mem.n_regions; i++) {
		const struct vu_region *r = &f->mem.region[i];

		if (va >= r->va && va < r->va + r->bytes &&
		    iov->iov_len <= (size_t)(r->va + r->bytes - va))
			return iov->iov_len > 0;
	}
	return false;
}

static void check_chain(const struct fuzz *f, const struct vu_chain *c)
{
	uint64_t bytes = 0;

	assert(c->head.id < f->config.num);
	assert(c->head.n_slots >= 1 && c->head.n_slots <= f->config.num);
	assert(c->n_iov <= VU_CHAIN_IOV_MAX);
	for (unsigned int i = 0; i < c->n_iov; i++) {
		assert(in_guest(f, &c->iov[i]));
		bytes += c->iov[i].iov_len;
	}
	assert(bytes == c->bytes);
	for (unsigned int i = 0; i < f->n_out; i++)
		assert(f->out[i].id != c->head.id);
}

static void cmd_pop(struct fuzz *f)
{
	static struct iovec iov[IOV_MAX_BURST];
	struct vu_chain chains[NUM_MAX];
	unsigned int max = take_u8(&f->in) % NUM_MAX + 1;
	unsigned int max_iov = take_u8(&f->in);
	int n;

	max_iov = max_iov & 1 ? IOV_MAX_BURST : max_iov;
	n = vu_ring_pop(f->ring, chains, max, iov, max_iov);
	assert(n == -EPROTO || (n >= 0 && n <= (int)max));
	assert(n >= 0 || vu_ring_broken(f->ring));
	for (int i = 0; i < n; i++) {
		check_chain(f, &chains[i]);
		f->out[f->n_out++] = chains[i].head;
		f->n_newest++;
	}
	assert(f->n_out <= f->config.num);
	assert(vu_ring_in_flight(f->ring) == f->n_out);
}

static void cmd_run(struct fuzz *f)
{
	unsigned int max = take_u8(&f->in) % NUM_MAX + 1, used = take_u8(&f->in);
	struct vu_buf bufs[NUM_MAX];
	int n;

	vu_ring_run_ahead(f->ring, max);
	n = vu_ring_run_start(f->ring, bufs, max);
	assert(n == 0 || n == -EAGAIN || (n > 0 && n <= (int)max && n <= f->config.num));
	for (int i = 0; i < n; i++) {
		struct iovec part = {bufs[i].base, bufs[i].bytes};
		struct vu_chain chain = {{(uint16_t)bufs[i].id, 1}, 1, bufs[i].bytes, &part};

		check_chain(f, &chain);
		for (int j = 0; j < i; j++)
			assert(bufs[j].id != bufs[i].id);
		memset(bufs[i].base, 0, f->config.is_rx ? bufs[i].bytes : 0);
	}
	if (n <= 0)
		return;
	vu_ring_run_end(f->ring, bufs, (unsigned int)n, used % ((unsigned int)n + 1),
			f->config.is_rx);
	f->n_newest = 0;
	assert(vu_ring_in_flight(f->ring) == f->n_out);
}

static void push_at(struct fuzz *f, unsigned int at)
{
	vu_ring_push(f->ring, f->out[at], f->config.is_rx ? take_u16(&f->in) : 0);
	f->n_out--;
	memmove(&f->out[at], &f->out[at + 1], (f->n_out - at) * sizeof(f->out[0]));
	f->n_newest = 0;
}

static void cmd_push(struct fuzz *f)
{
	unsigned int n = take_u8(&f->in) % 16, at = take_u8(&f->in);

	while (n-- > 0 && f->n_out)
		push_at(f, f->config.features >> VIRTIO_F_IN_ORDER & 1 ? 0 : at % f->n_out);
}

static void cmd_unpop(struct fuzz *f)
{
	unsigned int n = f->n_newest ? take_u8(&f->in) % (f->n_newest + 1) : 0;

	vu_ring_unpop(f->ring, &f->out[f->n_out - n], n);
	f->n_out -= n;
	f->n_newest -= n;
	assert(vu_ring_in_flight(f->ring) == f->n_out);
}

static void cmd_kick(struct fuzz *f)
{
	if (take_u8(&f->in) & 1)
		vu_ring_kick_arm(f->ring);
	else
		vu_ring_kick_disarm(f->ring);
}

static void cmd_stop(struct fuzz *f)
{
	while (f->n_out)
		push_at(f, 0);
	f->config.base = vu_ring_stop(f->ring);
	start(f);
}

static void cmd_end(struct fuzz *f)
{
	vu_ring_free(&f->ring);
	if (vu_ring_new(&f->ring))
		abort();
	start(f);
}

static void cmd_scribble(struct fuzz *f)
{
	size_t bytes = vu_inflight_region_bytes(f->config.num, f->config.packed);
	size_t at = take_u16(&f->in) % bytes;

	if (f->state.state)
		take_bytes(&f->in, (char *)f->state.state + at, MIN((size_t)4, bytes - at));
}

static void (*const commands[N_COMMANDS])(struct fuzz *f) = {
	[CMD_BUFFER] = cmd_buffer, [CMD_DESC] = cmd_desc,	  [CMD_TABLE] = cmd_table,
	[CMD_AVAIL] = cmd_avail,   [CMD_EVENT] = cmd_event,	  [CMD_RAW] = cmd_raw,
	[CMD_POP] = cmd_pop,	   [CMD_PUSH] = cmd_push,	  [CMD_UNPOP] = cmd_unpop,
	[CMD_STOP] = cmd_stop,	   [CMD_END] = cmd_end,		  [CMD_KICK] = cmd_kick,
	[CMD_FLUSH] = NULL,	   [CMD_SCRIBBLE] = cmd_scribble, [CMD_NOTIFY] = NULL,
	[CMD_RUN] = cmd_run,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {.in = {.data = data, .left = size}};
	int lowest = fds_lowest();

	setup(&f);
	start(&f);
	for (unsigned int i = 0; i < COMMANDS && f.started && f.in.left; i++) {
		unsigned int command = take_u8(&f.in) % N_COMMANDS;

		if (command == CMD_FLUSH)
			vu_ring_flush(f.ring);
		else if (command == CMD_NOTIFY)
			vu_ring_notify(f.ring);
		else
			commands[command](&f);
	}
	end(&f);
	assert(fds_lowest() == lowest);
	return 0;
}
