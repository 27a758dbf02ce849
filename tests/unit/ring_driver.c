/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring_driver.h"

#include <errno.h>
#include <sys/mman.h>

#include "../../vhost/dirty.h"

struct drv_log drv_log[64];
unsigned int drv_n_log;
const struct drv *drv_log_ring;

/* Stand-ins for vhost/dirty.c and vhost/mem.c: note instead of log. */
static void log_note(uint64_t gpa, uint64_t bytes)
{
	const struct drv *d = drv_log_ring;
	struct drv_log *entry = &drv_log[drv_n_log];

	if (!d || drv_n_log == ARRAY_SIZE(drv_log))
		return;
	*entry = (struct drv_log){.gpa = gpa, .bytes = bytes};
	entry->seen = d->packed ? d->ring->desc[d->used].rest >> 48 : d->ring->used->idx;
	drv_n_log++;
}

void vu_dirty_gpa(struct vu_dirty *dirty, uint64_t gpa, uint64_t bytes)
{
	log_note(gpa, bytes);
}

void vu_mem_dirty_slow(const struct vu_mem *mem, const void *va, size_t bytes)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		uint64_t offset = (uintptr_t)va - (uintptr_t)mem->region[i].va;

		if (offset < mem->region[i].bytes)
			log_note(mem->region[i].gpa + offset, bytes);
	}
}

uint32_t drv_random(struct drv *d)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 17;
	d->random ^= d->random << 5;
	return d->random;
}

/*
 * Memory
 */

static uint8_t *ram_new(size_t bytes)
{
	uint8_t *ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(ram, MAP_FAILED);
	return ram;
}

static void region_set(struct drv *d, unsigned int i, uint64_t gpa, size_t bytes)
{
	d->ram[i] = ram_new(bytes);
	d->mem.region[i] = (struct vu_region){
		.gpa = gpa,
		.bytes = bytes,
		.uaddr = gpa + 0x7f0000000000ull,
		.va = d->ram[i],
		.fd = -1,
		.dev = 1,
		.ino = 100 + i,
	};
	d->mem.n_regions = i + 1;
}

void drv_open(struct drv *d, uint16_t num, bool packed, bool is_rx, uint64_t features)
{
	size_t desc = 0, driver, device, tables, data;

	memset(d, 0, sizeof(*d));
	driver = ALIGN_UP(desc + 16ul * num, 64ul);
	device = ALIGN_UP(driver + (packed ? 4 : 6 + 2ul * num), 64ul);
	tables = ALIGN_UP(device + (packed ? 4 : 6 + 8ul * num), 4096ul);
	data = ALIGN_UP(tables + (size_t)DRV_TABLE_BYTES * num, 4096ul);
	d->num = num;
	d->packed = packed;
	d->random = 2463534242u;
	d->ram0_bytes = data + DRV_DATA_BYTES;
	region_set(d, 0, DRV_GPA0, d->ram0_bytes);
	region_set(d, 1, DRV_GPA0 + d->ram0_bytes, DRV_SIDE_BYTES);
	region_set(d, 2, DRV_GPA2, DRV_SIDE_BYTES);
	d->tables_gpa = DRV_GPA0 + tables;
	d->data_gpa = DRV_GPA0 + data;
	d->config = (struct vu_ring_config){
		.num = num,
		.packed = packed,
		.is_rx = is_rx,
		.features = features,
		.mem = &d->mem,
		.desc = d->ram[0] + desc,
		.driver = d->ram[0] + driver,
		.device = d->ram[0] + device,
		.log_gpa = DRV_LOG_GPA,
		.base = packed ? 0x80008000 : 0,
		.kick_fd = -1,
	};
	d->buf = calloc(num, sizeof(*d->buf));
	d->free = calloc(num, sizeof(*d->free));
	d->fifo = calloc(num, sizeof(*d->fifo));
	assert_true(d->buf && d->free && d->fifo);
	for (unsigned int i = 0; i < num; i++)
		d->free[i] = (uint16_t)i;
	d->n_free = d->n_free_slots = num;
	d->wrap = d->used_wrap = true;
	assert_int_equal(vu_ring_new(&d->ring), 0);
}

void drv_start(struct drv *d)
{
	assert_int_equal(vu_ring_start(d->ring, &d->config), 0);
}

void drv_close(struct drv *d)
{
	vu_ring_free(&d->ring);
	for (unsigned int i = 0; i < d->mem.n_regions; i++)
		munmap(d->ram[i], d->mem.region[i].bytes);
	free(d->buf);
	free(d->free);
	free(d->fifo);
}

void *drv_va(const struct drv *d, uint64_t gpa)
{
	const struct vu_region *region = vu_mem_region_of(&d->mem, gpa, 1);

	assert_non_null(region);
	return region->va + (gpa - region->gpa);
}

/*
 * Descriptors
 */

static struct ring_split_avail *drv_avail(const struct drv *d)
{
	return d->config.driver;
}

static struct ring_split_used *drv_used_ring(const struct drv *d)
{
	return d->config.device;
}

static struct ring_desc_words *drv_desc(const struct drv *d)
{
	return d->config.desc;
}

void drv_table_desc(const struct drv *d, uint64_t gpa, uint64_t addr, uint32_t len, uint32_t high)
{
	uint64_t words[2] = {htole64(addr), htole64(len | (uint64_t)high << 32)};
	const uint8_t *from = (const uint8_t *)words;

	for (unsigned int i = 0; i < sizeof(words); i++)
		*(uint8_t *)drv_va(d, gpa + i) = from[i];
}

void drv_split_desc(const struct drv *d, unsigned int i, uint64_t addr, uint32_t len,
		    uint16_t flags, uint16_t next)
{
	drv_desc(d)[i].addr = htole64(addr);
	drv_desc(d)[i].rest = htole64(len | (uint64_t)flags << 32 | (uint64_t)next << 48);
}

void drv_packed_desc(const struct drv *d, unsigned int i, uint64_t addr, uint32_t len, uint16_t id,
		     uint16_t flags)
{
	/* Atomic: a device may look at what is not available yet, as long as it does not use it. */
	__atomic_store_n(&drv_desc(d)[i].addr, htole64(addr), __ATOMIC_RELAXED);
	__atomic_store_n(&drv_desc(d)[i].rest,
			 htole64(len | (uint64_t)id << 32 | (uint64_t)flags << 48),
			 __ATOMIC_RELEASE);
}

void drv_split_avail(struct drv *d, uint16_t head)
{
	drv_avail(d)->ring[d->idx++ & (d->num - 1)] = htole16(head);
	guest_store16_release(&drv_avail(d)->idx, d->idx);
}

static void packed_next(struct drv *d)
{
	if (++d->idx == d->num) {
		d->idx = 0;
		d->wrap = !d->wrap;
	}
}

void drv_packed_avail(struct drv *d, uint64_t addr, uint32_t len, uint16_t id, uint16_t flags)
{
	drv_packed_desc(d, d->idx, addr, len, id, flags | packed_avail_flags(d->wrap));
	packed_next(d);
}

/*
 * Buffers
 */

static uint16_t take_free(struct drv *d)
{
	uint16_t id = d->free[d->free_at];

	d->free_at = (d->free_at + 1) % d->num;
	d->n_free--;
	return id;
}

static void give_free(struct drv *d, uint16_t id)
{
	d->free[(d->free_at + d->n_free++) % d->num] = id;
}

static uint16_t write_flag(const struct drv *d)
{
	return d->config.is_rx ? VRING_DESC_F_WRITE : 0;
}

static uint64_t table_of(const struct drv *d, uint16_t id)
{
	return d->tables_gpa + (uint64_t)id * DRV_TABLE_BYTES;
}

static void add_split(struct drv *d, struct drv_buf *b, uint16_t head, unsigned int n_direct)
{
	unsigned int n_table = b->n_parts - n_direct;

	for (unsigned int i = 0; i < n_table; i++) {
		uint16_t flags = write_flag(d) | (i + 1 < n_table ? VRING_DESC_F_NEXT : 0);

		drv_table_desc(d, table_of(d, head) + 16ull * i, b->part[n_direct + i].gpa,
			       b->part[n_direct + i].bytes, flags | (i + 1) << 16);
	}
	for (unsigned int i = 0; i < b->n_slots; i++) {
		uint16_t flags = i + 1 < b->n_slots ? VRING_DESC_F_NEXT : 0;
		uint16_t next = i + 1 < b->n_slots ? b->desc[i + 1] : 0xffff;

		if (i < n_direct)
			drv_split_desc(d, b->desc[i], b->part[i].gpa, b->part[i].bytes,
				       flags | write_flag(d), next);
		else
			drv_split_desc(d, b->desc[i], table_of(d, head), 16 * n_table,
				       flags | VRING_DESC_F_INDIRECT, next);
	}
	drv_split_avail(d, head);
}

/* Slot @i of a buffer, at the driver's next slot. */
static void add_packed_slot(struct drv *d, const struct drv_buf *b, uint16_t id, unsigned int i,
			    unsigned int n_direct, unsigned int slot, bool wrap)
{
	uint16_t flags = packed_avail_flags(wrap) | (i + 1 < b->n_slots ? VRING_DESC_F_NEXT : 0);

	if (i < n_direct)
		drv_packed_desc(d, slot, b->part[i].gpa, b->part[i].bytes, id,
				flags | write_flag(d));
	else
		drv_packed_desc(d, slot, table_of(d, id), 16 * (b->n_parts - n_direct), id,
				flags | VRING_DESC_F_INDIRECT);
}

/* The first slot last: it shows the others. */
static void add_packed(struct drv *d, struct drv_buf *b, uint16_t id, unsigned int n_direct)
{
	unsigned int first = d->idx;
	bool first_wrap = d->wrap;

	for (unsigned int i = n_direct; i < b->n_parts; i++)
		drv_table_desc(d, table_of(d, id) + 16ull * (i - n_direct), b->part[i].gpa,
			       b->part[i].bytes, (uint32_t)write_flag(d) << 16);
	packed_next(d);
	for (unsigned int i = 1; i < b->n_slots; i++) {
		add_packed_slot(d, b, id, i, n_direct, d->idx, d->wrap);
		packed_next(d);
	}
	add_packed_slot(d, b, id, 0, n_direct, first, first_wrap);
}

int drv_add(struct drv *d, const struct drv_part *part, unsigned int n, unsigned int n_direct)
{
	unsigned int n_slots = n_direct + (n_direct < n);
	struct drv_buf *b;
	uint16_t id;

	if (d->packed ? d->n_free_slots < n_slots || !d->n_free : d->n_free < n_slots)
		return -1;
	id = take_free(d);
	b = &d->buf[id];
	assert_false(b->out);
	*b = (struct drv_buf){.out = true, .n_parts = n, .n_slots = n_slots, .serial = d->serial++};
	memcpy(b->part, part, n * sizeof(*part));
	for (unsigned int i = 0; i < n; i++)
		b->bytes += part[i].bytes;
	d->fifo[d->n_fifo++] = id;
	if (d->packed) {
		d->n_free_slots -= n_slots;
		add_packed(d, b, id, n_direct);
		return id;
	}
	b->desc[0] = id;
	for (unsigned int i = 1; i < n_slots; i++)
		b->desc[i] = take_free(d);
	add_split(d, b, id, n_direct);
	return id;
}

int drv_add_one(struct drv *d, uint32_t bytes)
{
	struct drv_part part = {d->data_gpa + drv_random(d) % 1000, bytes};

	return drv_add(d, &part, 1, 1);
}

static struct drv_part random_part(struct drv *d)
{
	uint32_t bytes = drv_random(d) % 3000;
	uint64_t room = DRV_SIDE_BYTES - 4096;

	switch (drv_random(d) % 8) {
	case 0:
		bytes = 0;
		break;
	case 1: /* over the border of regions 0 and 1 */
		return (struct drv_part){d->mem.region[1].gpa - bytes + drv_random(d) % (bytes + 1),
					 bytes};
	case 2:
		return (struct drv_part){DRV_GPA2 + drv_random(d) % room, bytes};
	}
	return (struct drv_part){d->data_gpa + drv_random(d) % room, bytes};
}

int drv_add_random(struct drv *d)
{
	unsigned int n = drv_random(d) % 2 ? 1 : 1 + drv_random(d) % DRV_PARTS_MAX;
	struct drv_part part[DRV_PARTS_MAX];
	unsigned int n_direct;

	n = MIN(n, (unsigned int)d->num);
	n_direct = n;
	for (unsigned int i = 0; i < n; i++)
		part[i] = random_part(d);
	if (d->config.features & F_INDIRECT && drv_random(d) % 2)
		n_direct = d->packed ? 0 : drv_random(d) % n;
	return drv_add(d, part, n, n_direct);
}

/* The device is done with @id. */
static void complete(struct drv *d, uint16_t id)
{
	struct drv_buf *b = &d->buf[id];
	unsigned int at = 0;

	assert_true(id < d->num);
	assert_true(b->out);
	b->out = false;
	while (d->fifo[at] != id)
		at++;
	memmove(&d->fifo[at], &d->fifo[at + 1], (--d->n_fifo - at) * sizeof(*d->fifo));
	if (d->packed) {
		d->n_free_slots += b->n_slots;
		give_free(d, id);
		return;
	}
	for (unsigned int i = 0; i < b->n_slots; i++)
		give_free(d, b->desc[i]);
}

static bool peek_used(const struct drv *d, struct drv_used *used)
{
	uint64_t word;

	if (!d->packed) {
		if (guest_load16_acquire(&drv_used_ring(d)->idx) == d->used)
			return false;
		word = le64toh(drv_used_ring(d)->ring[d->used & (d->num - 1)]);
		assert_true((uint32_t)word < d->num);
		*used = (struct drv_used){(uint16_t)word, (uint32_t)(word >> 32)};
		return true;
	}
	word = guest_load64_acquire(&drv_desc(d)[d->used].rest);
	if (!(word >> 63) != !d->used_wrap || !(word >> 55 & 1) != !d->used_wrap)
		return false;
	*used = (struct drv_used){(uint16_t)(word >> 32), (uint32_t)word};
	assert_true(used->id < d->num);
	assert_int_equal(!(word >> 48 & VRING_DESC_F_WRITE), !used->bytes);
	return true;
}

static void pass_used(struct drv *d, uint16_t id)
{
	if (!d->packed) {
		d->used++;
		return;
	}
	d->used = (uint16_t)(d->used + d->buf[id].n_slots);
	if (d->used >= d->num) {
		d->used = (uint16_t)(d->used - d->num);
		d->used_wrap = !d->used_wrap;
	}
}

/*
 * With IN_ORDER a used entry may stand for all buffers up to its own (virtio 1.2, 2.7.9); those are
 * handed out one by one, which is as good as a batch for the tests.
 */
bool drv_get_used(struct drv *d, struct drv_used *used)
{
	if (!peek_used(d, used))
		return false;
	if (d->config.features & F_IN_ORDER) {
		uint16_t last = used->id;

		assert_true(d->n_fifo > 0);
		while (d->fifo[0] != last) {
			pass_used(d, d->fifo[0]);
			complete(d, d->fifo[0]);
			assert_true(d->n_fifo > 0);
		}
	}
	pass_used(d, used->id);
	complete(d, used->id);
	return true;
}

/*
 * Checks
 */

void drv_check_chain(const struct drv *d, const struct vu_chain *chain)
{
	const struct drv_buf *b = &d->buf[chain->head.id];
	unsigned int at = 0;

	assert_true(chain->head.id < d->num);
	assert_true(b->out);
	assert_int_equal(chain->bytes, b->bytes);
	assert_int_equal(chain->head.n_slots, d->packed ? b->n_slots : 1);
	for (unsigned int i = 0; i < b->n_parts; i++) {
		uint64_t gpa = b->part[i].gpa;
		uint32_t left = b->part[i].bytes;

		while (left) {
			const struct vu_region *region = vu_mem_region_of(&d->mem, gpa, 1);
			uint32_t bytes = MIN((uint64_t)left, region->gpa + region->bytes - gpa);

			assert_true(at < chain->n_iov);
			assert_ptr_equal(chain->iov[at].iov_base, drv_va(d, gpa));
			assert_int_equal(chain->iov[at++].iov_len, bytes);
			gpa += bytes;
			left -= bytes;
		}
	}
	assert_int_equal(at, chain->n_iov);
}

void drv_expect_broken(struct drv *d, const char *what)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chain;

	assert_int_equal(vu_ring_pop(d->ring, &chain, 1, iov, VU_CHAIN_IOV_MAX), -EPROTO);
	assert_non_null(vu_ring_broken(d->ring));
	if (!strstr(vu_ring_broken(d->ring), what))
		fail_msg("reason is \"%s\", not \"%s\"", vu_ring_broken(d->ring), what);
	assert_int_equal(vu_ring_pop(d->ring, &chain, 1, iov, VU_CHAIN_IOV_MAX), -EPROTO);
}
