/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_driver.h - a guest's driver for the ring tests: memory of three regions, a split or packed
 * ring in the first, and a model of what it made available and what came back.
 *
 *   region 0, gpa 1 GiB     descriptors, driver area, device area, indirect tables, data
 *   region 1                data; follows region 0 in the guest's addresses, not in ours
 *   region 2, gpa 8 GiB     data
 */
#ifndef TESTS_UNIT_RING_DRIVER_H
#define TESTS_UNIT_RING_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "../../vhost/ring_internal.h"
#include "../../vhost/ring_setup.h"

#define F_INDIRECT  (1ull << VIRTIO_RING_F_INDIRECT_DESC)
#define F_EVENT_IDX (1ull << VIRTIO_RING_F_EVENT_IDX)
#define F_IN_ORDER  (1ull << VIRTIO_F_IN_ORDER)

#define DRV_PARTS_MAX	12
#define DRV_TABLE_BYTES (16 * DRV_PARTS_MAX)
#define DRV_GPA0	0x40000000ull
#define DRV_GPA2	0x200000000ull
#define DRV_SIDE_BYTES	(64 * 1024ul)  /* regions 1 and 2 */
#define DRV_DATA_BYTES	(128 * 1024ul) /* data part of region 0 */
#define DRV_LOG_GPA	0x7000000000ull

struct drv_part {
	uint64_t gpa;
	uint32_t bytes;
};

struct drv_buf {
	bool out; /* the device has it */
	unsigned int n_parts;
	struct drv_part part[DRV_PARTS_MAX];
	uint16_t desc[DRV_PARTS_MAX]; /* split: descriptors it occupies */
	unsigned int n_slots;
	uint64_t serial; /* order of being made available */
	uint32_t bytes;
	uint32_t written; /* what the device pushed it with */
};

struct drv {
	struct vu_mem mem;
	struct vu_ring_config config;
	struct vu_ring *ring;
	uint8_t *ram[3];
	size_t ram0_bytes;
	uint64_t tables_gpa, data_gpa;
	uint16_t num;
	bool packed;
	struct drv_buf *buf; /* by head or id */
	uint64_t serial;
	uint32_t random;

	/* free descriptors (split) or ids (packed), as a queue */
	uint16_t *free;
	unsigned int free_at, n_free;
	unsigned int n_free_slots; /* packed */
	uint16_t *fifo;		   /* ids the device has, in order of being made available */
	unsigned int n_fifo;

	uint16_t idx; /* split: next avail index; packed: next slot */
	bool wrap;
	uint16_t used; /* split: next used index; packed: slot of the next used descriptor */
	bool used_wrap;
};

struct drv_used {
	uint16_t id;
	uint32_t bytes;
};

/* What the library logged as dirty, newest last; reset by whoever looks. */
struct drv_log {
	uint64_t gpa, bytes;
	uint64_t seen; /* used index (split) or first word's flags (packed) at that time */
};
extern struct drv_log drv_log[64];
extern unsigned int drv_n_log;
extern const struct drv *drv_log_ring; /* whose `seen` is noted */

uint32_t drv_random(struct drv *d);

/* Memory and ring of this shape, not started. features 0 is everything off. */
void drv_open(struct drv *d, uint16_t num, bool packed, bool is_rx, uint64_t features);
void drv_close(struct drv *d);
/* Start a ring on it; asserts that it works. */
void drv_start(struct drv *d);
/* Our address of @gpa, whatever is there. */
void *drv_va(const struct drv *d, uint64_t gpa);

/* Write a descriptor: slot or table entry. */
void drv_split_desc(const struct drv *d, unsigned int i, uint64_t addr, uint32_t len,
		    uint16_t flags, uint16_t next);
void drv_packed_desc(const struct drv *d, unsigned int i, uint64_t addr, uint32_t len, uint16_t id,
		     uint16_t flags);
void drv_table_desc(const struct drv *d, uint64_t gpa, uint64_t addr, uint32_t len, uint32_t high);
/* Split: put a head into the avail ring and show it. */
void drv_split_avail(struct drv *d, uint16_t head);
/* Packed: a one-slot buffer at the next slot. */
void drv_packed_avail(struct drv *d, uint64_t addr, uint32_t len, uint16_t id, uint16_t flags);

/*
 * Make a buffer of @n parts available; the parts from @n_direct on are in an indirect table.
 * Return: its id, or -1 if there is no room.
 */
int drv_add(struct drv *d, const struct drv_part *part, unsigned int n, unsigned int n_direct);
/* The same with one part somewhere. */
int drv_add_one(struct drv *d, uint32_t bytes);
/* A buffer of random shape. */
int drv_add_random(struct drv *d);
/* Take one used buffer. Return: false if there is none. */
bool drv_get_used(struct drv *d, struct drv_used *used);

/* Is @chain the buffer that its id says? Asserts. */
void drv_check_chain(const struct drv *d, const struct vu_chain *chain);
/* Pop must fail, and the reason contain @what. */
void drv_expect_broken(struct drv *d, const char *what);

/* Random operations for @steps steps, checked against a model; then everything is drained. */
struct drv_property {
	uint16_t num;
	bool packed, is_rx;
	uint64_t features;
	unsigned int steps;
	uint32_t seed;
	bool state;	/* with in-flight state, and sudden ends of the process */
	bool region;	/* that state is in a front end's region */
	bool scribble;	/* which the front end fills with nonsense; no sudden ends then */
	uint16_t start; /* split: index the ring starts at */
};
void drv_run_property(const struct drv_property *p);

#endif /* TESTS_UNIT_RING_DRIVER_H */
