/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - a guest's memory table.
 *
 * A table never changes once it is made: a change of the guest's memory makes a new one, the rings
 * are moved over while nobody touches them (dev.h), and the old one is dropped. All regions are
 * mapped side by side into one range of addresses, behind an area private to us:
 *
 *   base                base + private_bytes                                 base + bytes
 *   | private (ours) ...| region 0 | filler | region 1 | ...                       |
 *
 * Everything in [base, base + bytes) is mapped (fillers, which huge-page alignment can make
 * necessary, are anonymous memory), so the whole range can be registered as one AF_XDP UMEM, in
 * which address - base is the UMEM address.
 */
#ifndef VHOST_MEM_H
#define VHOST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VU_REGIONS_MAX 64 /* what GET_MAX_MEM_SLOTS answers */

struct vu_region {
	uint64_t gpa; /* guest-physical address of its first byte */
	uint64_t bytes;
	uint64_t uaddr;	      /* front end's virtual address of its first byte */
	uint64_t mmap_offset; /* of its first byte in the file */
	uint8_t *va;	      /* our address of its first byte */
	int fd;		      /* owned */
	uint64_t page_bytes;  /* page size of the file (4 KiB, 2 MiB, 1 GiB) */
	uint64_t dev, ino;    /* which file it is */
};

struct vu_mem {
	uint8_t *base;
	size_t bytes;
	size_t private_bytes;
	unsigned int n_regions;
	struct vu_region region[VU_REGIONS_MAX];
	/*
	 * Raised by the SIGBUS handler when the file behind a region was cut short: zero pages were
	 * put in its place so that whoever touched it goes on, and the port has to be closed.
	 */
	bool dead;
	struct vu_dirty *dirty; /* NULL unless the front end logs writes (migration) */
};

/**
 * vu_mem_new() - map a memory table
 * @regions: what the front end says: gpa, bytes, uaddr, mmap_offset and fd of each. The
 *           descriptors stay the caller's; the table keeps duplicates.
 * @n: how many, 1..VU_REGIONS_MAX
 * @private_bytes: size of the private area, rounded up to a page
 * @out: the table, untouched on error; vu_mem_free() ends it
 *
 * Nothing about @regions is trusted: sizes, overlaps, the kind of file and its length are checked
 * before anything is mapped.
 *
 * Return: 0 or -errno.
 */
int vu_mem_new(const struct vu_region *regions, unsigned int n, size_t private_bytes,
	       struct vu_mem **out);

/** vu_mem_new_why() - the same, and *@why says what is wrong when it fails */
int vu_mem_new_why(const struct vu_region *regions, unsigned int n, size_t private_bytes,
		   struct vu_mem **out, const char **why);

/** vu_mem_free() - unmap. Nobody, the kernel included, may use it any more. *mem may be NULL. */
void vu_mem_free(struct vu_mem **mem);

/** vu_mem_watch() - signal @fd (an eventfd of the caller's) when the table is found dead */
void vu_mem_watch(struct vu_mem *mem, int fd);

/**
 * vu_mem_at_uaddr() - our address of [uaddr, uaddr + bytes) of the front end
 *
 * Return: NULL unless all of it lies in one region.
 */
void *vu_mem_at_uaddr(const struct vu_mem *mem, uint64_t uaddr, uint64_t bytes);

/** vu_mem_region_of() - the region holding all of [gpa, gpa + bytes), or NULL; bytes 0 is 1 */
static inline const struct vu_region *vu_mem_region_of(const struct vu_mem *mem, uint64_t gpa,
						       uint64_t bytes)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *r = &mem->region[i];
		uint64_t offset = gpa - r->gpa;

		if (offset < r->bytes && bytes <= r->bytes - offset)
			return r;
	}
	return NULL;
}

/**
 * vu_mem_dirty() - tell a migrating front end that [va, va + bytes) was written
 *
 * Costs one test when nobody migrates. Call it after the write and before the used ring shows it.
 */
void vu_mem_dirty_slow(const struct vu_mem *mem, const void *va, size_t bytes);

static inline void vu_mem_dirty(const struct vu_mem *mem, const void *va, size_t bytes)
{
	if (__builtin_expect(mem->dirty != NULL, 0))
		vu_mem_dirty_slow(mem, va, bytes);
}

/** vu_mem_is_dead() - has a region lost its memory under us? */
static inline bool vu_mem_is_dead(const struct vu_mem *mem)
{
	return __atomic_load_n(&mem->dead, __ATOMIC_RELAXED);
}

#endif /* VHOST_MEM_H */
