// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem.c - see mem.h.
 *
 * Theory of operation: the whole range is reserved at once, as anonymous memory, and the files are
 * mapped over it. They go in by page size, largest first, and the private area ends where the
 * first of them begins. So every mapping starts on a boundary of its own page size without any
 * filler in between, and fillers would cost real memory once the range is a UMEM.
 *
 * A file can only be mapped from a page boundary on, while a region can begin in the middle of a
 * huge page (QEMU's second region begins 768 KiB into its file). What is mapped in front of and
 * behind the region is the same front end's memory, of no use to us.
 *
 * What a hostile front end could pass, and what stops it:
 *
 *   numbers that wrap, overlap or are no pages       checked before anything is mapped
 *   a file shorter than its region (CVE-2026-86561)  fstat() before mmap()
 *   a file that is cut short later                   guard.h
 *   a file that cannot be written, or no file        mmap() refuses it
 *   a file whose pages it serves itself (FUSE):      refused by file system type
 *   a page fault would wait for the peer
 */
#include "mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "dirty.h"
#include "guard.h"
#include "vxdp/util.h"

#define PAGE_BYTES 4096ull

/* What the owner of a table does not see. */
struct table {
	struct vu_mem mem;
	struct vu_guard *guard[VU_REGIONS_MAX];
};

static int refuse(const char **why, int error, const char *reason)
{
	*why = reason;
	return error;
}

static bool wraps(uint64_t start, uint64_t bytes)
{
	return start + bytes < start;
}

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

static int check_numbers(const struct vu_region *r, const char **why)
{
	if (!r->bytes)
		return refuse(why, -EINVAL, "a memory region of size 0");
	if ((r->bytes | r->gpa | r->mmap_offset) % PAGE_BYTES)
		return refuse(why, -EINVAL, "a memory region that is not made of whole pages");
	if (wraps(r->gpa, r->bytes) || wraps(r->uaddr, r->bytes))
		return refuse(why, -EINVAL, "a memory region whose addresses wrap");
	return 0;
}

static int check_overlap(const struct vu_region *regions, unsigned int n, const char **why)
{
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			const struct vu_region *a = &regions[i], *b = &regions[j];

			if (overlap(a->gpa, a->bytes, b->gpa, b->bytes))
				return refuse(why, -EINVAL,
					      "memory regions that overlap in the guest");
			if (overlap(a->uaddr, a->bytes, b->uaddr, b->bytes))
				return refuse(why, -EINVAL,
					      "memory regions that overlap in the front end");
		}
	}
	return 0;
}

/* Looks at the file behind a region and fills in what it says. */
static int check_file(struct vu_region *r, const char **why)
{
	struct stat st;
	int err;

	err = vu_peer_file_check(r->fd, r->mmap_offset, r->bytes, &st, &r->page_bytes, why);
	if (err)
		return err;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return 0;
}

/* The pages of the file that hold the region. */
static uint64_t map_offset(const struct vu_region *r)
{
	return ALIGN_DOWN(r->mmap_offset, r->page_bytes);
}

static uint64_t map_bytes(const struct vu_region *r)
{
	return ALIGN_UP(r->mmap_offset + r->bytes, r->page_bytes) - map_offset(r);
}

static int table_check(struct vu_mem *mem, const char **why)
{
	int err;

	for (unsigned int i = 0; i < mem->n_regions; i++) {
		err = check_numbers(&mem->region[i], why);
		if (!err)
			err = check_file(&mem->region[i], why);
		if (err)
			return err;
	}
	return check_overlap(mem->region, mem->n_regions, why);
}

/* Reserves the range, and sets mem->base so that the first mapping has its alignment. */
static int reserve(struct vu_mem *mem, const char **why)
{
	uint64_t align = PAGE_BYTES, bytes = mem->private_bytes, lead, spare;
	uint8_t *start;

	for (unsigned int i = 0; i < mem->n_regions; i++) {
		align = MAX(align, mem->region[i].page_bytes);
		if (__builtin_add_overflow(bytes, map_bytes(&mem->region[i]), &bytes) ||
		    bytes > INT64_MAX / 2)
			return refuse(why, -ENOMEM, "more memory than there are addresses");
	}
	start = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return refuse(why, -errno, "more memory than this process may map");
	lead = -((uintptr_t)start + mem->private_bytes) & (align - 1);
	spare = align - lead;
	if (lead)
		munmap(start, lead);
	if (spare)
		munmap(start + lead + bytes, spare);
	mem->base = start + lead;
	mem->bytes = bytes;
	return 0;
}

static int map_region(struct table *t, unsigned int i, uint8_t *at, const char **why)
{
	struct vu_region *r = &t->mem.region[i];
	size_t bytes = map_bytes(r);
	void *va;
	int err;

	va = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, r->fd,
		  (off_t)map_offset(r));
	if (va == MAP_FAILED)
		return refuse(why, -errno, "a memory region that cannot be mapped");
	r->va = at + (r->mmap_offset - map_offset(r));
	madvise(va, bytes, MADV_DONTDUMP);
	err = vu_guard_add(va, bytes, &t->mem.dead, &t->guard[i]);
	if (err)
		return refuse(why, err, "no memory");
	return 0;
}

/* The one with the largest pages among those that are not mapped yet, or -1. */
static int next_region(const struct vu_mem *mem)
{
	int next = -1;

	for (unsigned int i = 0; i < mem->n_regions; i++) {
		if (mem->region[i].va)
			continue;
		if (next < 0 || mem->region[i].page_bytes > mem->region[next].page_bytes)
			next = (int)i;
	}
	return next;
}

static int map_all(struct table *t, const char **why)
{
	struct vu_mem *mem = &t->mem;
	uint8_t *at = mem->base + mem->private_bytes;
	int i, err;

	while ((i = next_region(mem)) >= 0) {
		err = map_region(t, (unsigned int)i, at, why);
		if (err)
			return err;
		at += map_bytes(&mem->region[i]);
	}
	/* A child would share the pages with us, and pinned ones would be copied under us. */
	madvise(mem->base, mem->bytes, MADV_DONTFORK);
	return 0;
}

static int take_regions(struct vu_mem *mem, const struct vu_region *regions, unsigned int n,
			const char **why)
{
	for (unsigned int i = 0; i < n; i++) {
		struct vu_region *r = &mem->region[i];

		*r = (struct vu_region){.gpa = regions[i].gpa,
					.bytes = regions[i].bytes,
					.uaddr = regions[i].uaddr,
					.mmap_offset = regions[i].mmap_offset};
		r->fd = fcntl(regions[i].fd, F_DUPFD_CLOEXEC, 0);
		if (r->fd < 0)
			return refuse(why, -errno, "a memory region without a usable descriptor");
		mem->n_regions++;
	}
	return 0;
}

int vu_mem_new_why(const struct vu_region *regions, unsigned int n, size_t private_bytes,
		   struct vu_mem **out, const char **why)
{
	struct table *t;
	struct vu_mem *mem;
	int err;

	if (!n || n > VU_REGIONS_MAX)
		return refuse(why, -EINVAL, "no memory region, or too many of them");
	t = calloc(1, sizeof(*t));
	if (!t)
		return refuse(why, -ENOMEM, "no memory");
	mem = &t->mem;
	mem->private_bytes = ALIGN_UP(private_bytes, PAGE_BYTES);

	err = take_regions(mem, regions, n, why);
	if (!err)
		err = table_check(mem, why);
	if (!err)
		err = reserve(mem, why);
	if (!err)
		err = map_all(t, why);
	if (err) {
		vu_mem_free(&mem);
		return err;
	}
	*out = mem;
	return 0;
}

int vu_mem_new(const struct vu_region *regions, unsigned int n, size_t private_bytes,
	       struct vu_mem **out)
{
	const char *why;

	return vu_mem_new_why(regions, n, private_bytes, out, &why);
}

void vu_mem_free(struct vu_mem **mem)
{
	struct table *t;

	if (!*mem)
		return;
	t = container_of(*mem, struct table, mem);
	for (unsigned int i = 0; i < t->mem.n_regions; i++) {
		vu_guard_remove(&t->guard[i]);
		close_fd(&t->mem.region[i].fd);
	}
	if (t->mem.base)
		munmap(t->mem.base, t->mem.bytes);
	free(t);
	*mem = NULL;
}

void vu_mem_watch(struct vu_mem *mem, int fd)
{
	struct table *t = container_of(mem, struct table, mem);

	for (unsigned int i = 0; i < mem->n_regions; i++)
		vu_guard_fd_set(t->guard[i], fd);
}

void *vu_mem_at_uaddr(const struct vu_mem *mem, uint64_t uaddr, uint64_t bytes)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *r = &mem->region[i];
		uint64_t offset = uaddr - r->uaddr;

		if (offset < r->bytes && bytes <= r->bytes - offset)
			return r->va + offset;
	}
	return NULL;
}

void vu_mem_dirty_slow(const struct vu_mem *mem, const void *va, size_t bytes)
{
	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *r = &mem->region[i];
		uint64_t offset = (uintptr_t)va - (uintptr_t)r->va;

		if (offset >= r->bytes)
			continue;
		vu_dirty_gpa(mem->dirty, r->gpa + offset, MIN(bytes, r->bytes - offset));
		return;
	}
}
