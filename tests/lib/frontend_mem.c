// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_mem.c - guest memory.
 *
 * Three addresses of one byte, all different, so that a back end that mixes them up is caught: ours
 * (va), the guest's (gpa) and the front end's (uaddr), which a real front end would have mapped
 * and this one just makes up. The regions have gaps between them in every address space.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frontend.h"

#define GPA_FIRST  0x0ull
#define GPA_GAP	   0x200000ull
#define UADDR_BASE 0x5a0000000000ull
#define UADDR_GAP  0x40000000ull
#define PAGE_BYTES 4096u

int fe_mem_file(size_t bytes, size_t hugepage_bytes)
{
	int fd = memfd_create("guest",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | (hugepage_bytes ? MFD_HUGETLB : 0));
	int err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, bytes))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int region_map(struct fe *fe, unsigned int index)
{
	struct fe_region *r = &fe->region[index];
	bool shared = fe->config.one_file && index;
	size_t file_bytes = fe->config.one_file ? r->bytes * fe->config.n_regions : r->bytes;

	r->fd = shared ? dup(fe->region[0].fd) : fe_mem_file(file_bytes, fe->config.hugepage_bytes);
	if (r->fd < 0)
		return shared ? -errno : r->fd;
	r->va = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, r->mmap_offset);
	if (r->va == MAP_FAILED) {
		r->va = NULL;
		return -errno;
	}
	return 0;
}

int fe_mem_open(struct fe *fe)
{
	uint64_t gpa = GPA_FIRST;
	int err = 0;

	for (unsigned int i = 0; i < FE_REGIONS_MAX; i++)
		fe->region[i].fd = -1;
	if (fe->config.n_regions > FE_REGIONS_MAX)
		return -E2BIG;
	for (unsigned int i = 0; !err && i < fe->config.n_regions; i++) {
		struct fe_region *r = &fe->region[i];

		r->bytes = fe->config.region_bytes;
		r->gpa = gpa;
		r->uaddr = UADDR_BASE + i * UADDR_GAP + gpa;
		r->mmap_offset = fe->config.one_file ? i * r->bytes : 0;
		r->n_allocated = PAGE_BYTES; /* so that no good address is 0 */
		gpa += r->bytes + GPA_GAP;
		err = region_map(fe, i);
		fe->n_regions++;
	}
	return err;
}

void fe_mem_close(struct fe *fe)
{
	for (unsigned int i = 0; i < fe->n_regions; i++) {
		struct fe_region *r = &fe->region[i];

		if (r->va)
			munmap(r->va, r->bytes);
		if (r->fd >= 0)
			close(r->fd);
	}
	fe->n_regions = 0;
}

uint64_t fe_mem_alloc_in(struct fe *fe, unsigned int index, size_t bytes, size_t align)
{
	struct fe_region *r = &fe->region[index];
	uint64_t at = (r->n_allocated + align - 1) / align * align;

	if (index >= fe->n_regions || at + bytes > r->bytes)
		return 0;
	r->n_allocated = at + bytes;
	return r->gpa + at;
}

uint64_t fe_mem_alloc(struct fe *fe, size_t bytes, size_t align)
{
	uint64_t gpa = 0;

	for (unsigned int i = 0; !gpa && i < fe->n_regions; i++)
		gpa = fe_mem_alloc_in(fe, i, bytes, align);
	return gpa;
}

void *fe_mem_va(const struct fe *fe, uint64_t gpa, size_t bytes)
{
	for (unsigned int i = 0; i < fe->n_regions; i++) {
		const struct fe_region *r = &fe->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->bytes && bytes <= r->bytes - (gpa - r->gpa))
			return r->va + (gpa - r->gpa);
	}
	return NULL;
}

uint64_t fe_mem_uaddr(const struct fe *fe, uint64_t gpa)
{
	for (unsigned int i = 0; i < fe->n_regions; i++) {
		const struct fe_region *r = &fe->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->bytes)
			return r->uaddr + (gpa - r->gpa);
	}
	return 0;
}

struct fe_mem_desc fe_mem_describe(const struct fe *fe, unsigned int index)
{
	const struct fe_region *r = &fe->region[index];

	return (struct fe_mem_desc){
		.gpa = r->gpa, .bytes = r->bytes, .uaddr = r->uaddr, .mmap_offset = r->mmap_offset};
}
