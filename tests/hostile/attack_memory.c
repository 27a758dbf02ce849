// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_memory.c - C13 to C16: the guest's memory, as a table, while it is used, and cut short.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attack.h"

#define KIB 1024ull
#define MIB (1024ull * 1024)
#define TIB (1024ull * 1024 * 1024 * 1024)

#define TMPFS_MAGIC_NUMBER 0x01021994

static int send_table(struct attack *a, const struct fe_mem_table *t, unsigned int n,
		      const int *fds, unsigned int n_fds)
{
	return fe_sock_ack(a->fe, FE_SET_MEM_TABLE, t, 8 + n * sizeof(t->region[0]), fds, n_fds);
}

/* The good table, and its descriptors. */
static struct fe_mem_table good_table(struct attack *a, int fds[FE_TABLE_MAX])
{
	struct fe_mem_table t = {.n_regions = a->fe->n_regions};

	for (unsigned int i = 0; i < a->fe->n_regions; i++) {
		t.region[i] = fe_mem_describe(a->fe, i);
		fds[i] = a->fe->region[i].fd;
	}
	return t;
}

/* --- C13: the table -------------------------------------------------------------------------- */

static int count_lies(struct attack *a, uint64_t n_regions)
{
	int fds[FE_TABLE_MAX];
	struct fe_mem_table t = good_table(a, fds);

	t.n_regions = n_regions;
	return send_table(a, &t, 2, fds, n_regions ? 2 : 0);
}

struct twist {
	uint64_t gpa, bytes, uaddr, mmap_offset; /* of the second region; 0: leave it */
};

static const struct twist twists[] = {
	{0, ~0ull, 0, 0},			/* 0 */
	{0, 8 * MIB, 0, ~0ull - 4095},		/* 1: size + offset overflow */
	{0, ~0ull - 4095, 0, 8192},		/* 2 */
	{0, 8 * MIB - 1, 0, 0},			/* 3: not whole pages */
	{0, 4 * KIB, 0, 8 * MIB},		/* 4: offset at the end of the file */
	{0, 4 * KIB, 0, 1 * TIB},		/* 5: offset beyond it */
	{0, 8 * MIB + 4096, 0, 0},		/* 6: larger than the file */
	{0, 8 * MIB, 0, 4096},			/* 7: offset + size larger than the file */
	{4 * MIB, 0, 0, 0},			/* 8: overlap in the guest */
	{0, 0, 0x5a0000000000ull + 4 * MIB, 0}, /* 9: overlap in the front end */
	{~0ull - 4 * MIB + 1, 0, 0, 0},		/* 10: guest address wraps */
	{0, 0, ~0ull - 4 * MIB + 1, 0},		/* 11: front end address wraps */
	{0, 1ull << 48, 0, 0},			/* 12 */
	{0, 1ull << 63, 0, 0},			/* 13 */
	{0, 4 * MIB, 0, 2048},			/* 14: offset in the middle of a page */
	{1024, 0, 0, 0},			/* 15: guest address in the middle of a page */
};

static int twisted(struct attack *a, uint64_t which)
{
	const struct twist *w = &twists[which];
	int fds[FE_TABLE_MAX];
	struct fe_mem_table t = good_table(a, fds);
	struct fe_mem_desc *r = &t.region[1];

	r->gpa = w->gpa ?: r->gpa;
	r->bytes = w->bytes ?: r->bytes;
	r->uaddr = w->uaddr ?: r->uaddr;
	r->mmap_offset = w->mmap_offset ?: r->mmap_offset;
	if (which == 0)
		r->bytes = 0;
	return send_table(a, &t, 2, fds, 2);
}

/* The same by ADD_MEM_REG. */
static int twisted_add(struct attack *a, uint64_t which)
{
	const struct twist *w = &twists[which];
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};
	struct fe_mem_desc *r = &s.region;
	int err;

	s.region.gpa += 64 * MIB;
	s.region.uaddr += 1 * TIB;
	r->gpa = w->gpa ?: r->gpa;
	r->bytes = which == 0 ? 0 : (w->bytes ?: r->bytes);
	r->uaddr = w->uaddr ?: r->uaddr;
	r->mmap_offset = w->mmap_offset ?: r->mmap_offset;
	err = fe_sock_ack(a->fe, FE_ADD_MEM_REG, &s, sizeof(s), &a->fe->region[1].fd, 1);
	return err;
}

static int identical(struct attack *a, uint64_t arg)
{
	int fds[FE_TABLE_MAX];
	struct fe_mem_table t = good_table(a, fds);

	t.region[1] = t.region[0];
	fds[1] = fds[0];
	return send_table(a, &t, 2, fds, 2);
}

static int eight_on_one(struct attack *a, uint64_t arg)
{
	struct fe_mem_table t = {.n_regions = 8};
	int fds[FE_TABLE_MAX];

	for (unsigned int i = 0; i < 8; i++) {
		t.region[i] = fe_mem_describe(a->fe, 0);
		t.region[i].gpa += i * 16 * MIB;
		t.region[i].uaddr += i * 16 * MIB;
		t.region[i].bytes = 1 * MIB;
		t.region[i].mmap_offset = i * MIB;
		fds[i] = a->fe->region[0].fd;
	}
	return send_table(a, &t, 8, fds, 8);
}

/*
 * A file without pages, of a size nobody has: to map it costs nothing, to pin it would take all
 * memory of the host.
 */
static int sparse(struct attack *a, uint64_t bytes)
{
	int fds[FE_TABLE_MAX], err;
	struct fe_mem_table t = good_table(a, fds);
	struct fe_ring *q = a->fe->ring;

	fds[1] = fe_mem_file(bytes, 0);
	if (fds[1] < 0)
		return fds[1] == -EFBIG ? -EREMOTEIO : fds[1];
	t.region[1].bytes = bytes;
	err = send_table(a, &t, 2, fds, 2);
	for (unsigned int i = 0; !err && i < 2; i++) {
		err = fe_dev_ring_start(&q[i]);
		if (!err)
			err = fe_dev_ring_enable(a->fe, i, true);
	}
	attack_poke(a, 10);
	usleep(500000);
	close(fds[1]);
	return err;
}

static int hugetlb_offset(struct attack *a, uint64_t offset)
{
	int fds[FE_TABLE_MAX], err;
	struct fe_mem_table t = good_table(a, fds);

	fds[1] = fe_mem_file(8 * MIB, 2 * MIB);
	if (fds[1] < 0)
		return 0; /* no huge pages in this kernel */
	t.region[1].bytes = 4 * MIB;
	t.region[1].mmap_offset = offset;
	err = send_table(a, &t, 2, fds, 2);
	close(fds[1]);
	return err;
}

#define TABLE(name, which)                                                                         \
	{                                                                                          \
		name, twisted, which, AT_NEGOTIATED, WANT_REFUSE, 0                                \
	}
#define ADD(name, which)                                                                           \
	{                                                                                          \
		"ADD_MEM_REG: " name, twisted_add, which, AT_MEMORY, WANT_REFUSE, 0                \
	}

static const struct step c13[] = {
	{"0 regions", count_lies, 0, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"9 regions", count_lies, 9, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"0xffffffff regions (qemu 4403)", count_lies, 0xffffffff, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"0xffffffff regions without REPLY_ACK", count_lies, 0xffffffff, AT_NEGOTIATED, WANT_REFUSE,
	 STEP_NO_ACK},
	TABLE("size 0", 0),
	TABLE("offset + size overflow", 1),
	TABLE("size + offset overflow", 2),
	TABLE("not whole pages (SPDK 1183)", 3),
	TABLE("offset at the end of the file", 4),
	TABLE("offset beyond the file", 5),
	TABLE("larger than the file (CVE-2026-86561)", 6),
	TABLE("offset + size larger than the file", 7),
	TABLE("overlap in the guest", 8),
	TABLE("overlap in the front end", 9),
	TABLE("guest address wraps", 10),
	TABLE("front end address wraps", 11),
	TABLE("2^48 bytes of a file of 8 MiB", 12),
	TABLE("2^63 bytes", 13),
	TABLE("offset in the middle of a page", 14),
	TABLE("guest address in the middle of a page", 15),
	ADD("size 0", 0),
	ADD("offset + size overflow", 1),
	ADD("larger than the file", 6),
	ADD("overlap in the guest", 8),
	ADD("overlap in the front end", 9),
	ADD("guest address wraps", 10),
	ADD("2^48 bytes of a file of 8 MiB", 12),
	{"identical regions", identical, 0, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"8 regions of one file", eight_on_one, 0, AT_NEGOTIATED, WANT_OK, 0},
	{"a sparse file of 2^48 bytes", sparse, 1ull << 48, AT_RINGS, WANT_ANY, 0},
	{"huge pages at offset 4096", hugetlb_offset, 4096, AT_NEGOTIATED, WANT_ANY, 0},
	{"huge pages at offset 2 MiB + 4096", hugetlb_offset, 2 * MIB + 4096, AT_NEGOTIATED,
	 WANT_ANY, 0},
};

/* By itself, because it must not be tried without a limit on the back end's memory (run.sh). */
static const struct step c13_sparse[] = {
	{"a sparse file of 256 GiB", sparse, TIB / 4, AT_RINGS, WANT_ANY, 0},
};

/* --- C14: changes while it runs -------------------------------------------------------------- */

static int same_table_again(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		err = fe_dev_mem_table(a->fe);
	}
	exchange_drain(&a->exchange, 1000);
	return err;
}

/* Another region comes and goes while frames flow: the rings move to a new table each time. */
static int add_and_remove(struct attack *a, uint64_t rounds)
{
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};
	int err = 0;

	s.region.gpa += 256 * MIB;
	s.region.uaddr += 1 * TIB;
	for (unsigned int i = 0; !err && i < rounds; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		err = fe_sock_ack(a->fe, FE_ADD_MEM_REG, &s, sizeof(s), &a->fe->region[1].fd, 1);
		exchange_step(&a->exchange, 16);
		if (!err)
			err = fe_sock_ack(a->fe, FE_REM_MEM_REG, &s, sizeof(s), NULL, 0);
	}
	exchange_drain(&a->exchange, 1000);
	return err;
}

/* Without rings: many times, what leaks adds up. */
static int add_and_remove_idle(struct attack *a, uint64_t arg)
{
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};
	int err = 0;

	s.region.gpa += 256 * MIB;
	s.region.uaddr += 1 * TIB;
	for (unsigned int i = 0; !err && i < a->cycles; i++) {
		err = fe_sock_ack(a->fe, FE_ADD_MEM_REG, &s, sizeof(s), &a->fe->region[1].fd, 1);
		if (!err)
			err = fe_sock_ack(a->fe, FE_REM_MEM_REG, &s, sizeof(s), NULL, 0);
	}
	return err;
}

static int remove_used(struct attack *a, uint64_t index)
{
	exchange_step(&a->exchange, 16);
	return fe_dev_mem_remove(a->fe, index);
}

/* The table without the rings' region, and with it again: only the guest's own affair. */
static int table_without_rings(struct attack *a, uint64_t arg)
{
	int fds[FE_TABLE_MAX], err;
	struct fe_mem_table t = good_table(a, fds);

	exchange_step(&a->exchange, 16);
	t.n_regions = 1;
	t.region[0] = t.region[1];
	err = send_table(a, &t, 1, fds + 1, 1);
	attack_poke(a, 16);
	usleep(50000);
	if (!err)
		err = fe_dev_mem_table(a->fe);
	return err == -EPIPE ? 0 : err;
}

static int remove_unknown(struct attack *a, uint64_t arg)
{
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};

	s.region.gpa += 1 * TIB;
	return fe_sock_ack(a->fe, FE_REM_MEM_REG, &s, sizeof(s), NULL, 0);
}

static int add_twice(struct attack *a, uint64_t arg)
{
	return fe_dev_mem_add(a->fe, 1);
}

static int add_too_many(struct attack *a, uint64_t arg)
{
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};
	uint64_t slots;
	int err = fe_dev_get_u64(a->fe, FE_GET_MAX_MEM_SLOTS, &slots);

	s.region.bytes = 64 * KIB;
	for (unsigned int i = 0; !err && i <= slots; i++) {
		s.region.gpa += 16 * MIB;
		s.region.uaddr += 16 * MIB + 1 * TIB;
		err = fe_sock_ack(a->fe, FE_ADD_MEM_REG, &s, sizeof(s), &a->fe->region[1].fd, 1);
	}
	return err;
}

static const struct step c14[] = {
	{"the same table 20 times under traffic", same_table_again, 20, AT_RUNNING, WANT_OK, 0},
	{"a region added and removed 10 times under traffic", add_and_remove, 10, AT_RUNNING,
	 WANT_WORKS, 0},
	{"the same, packed", add_and_remove, 5, AT_RUNNING, WANT_WORKS, STEP_PACKED},
	{"a region added and removed many times, idle", add_and_remove_idle, 0, AT_MEMORY, WANT_OK,
	 0},
	{"the region of the rings removed (CVE-2026-86567)", remove_used, 0, AT_RUNNING, WANT_ANY,
	 0},
	{"the region of the rings removed, packed (CVE-2026-86567)", remove_used, 0, AT_RUNNING,
	 WANT_ANY, STEP_PACKED},
	{"an unused region removed under traffic", remove_used, 1, AT_RUNNING, WANT_WORKS, 0},
	{"a table without the rings' region", table_without_rings, 0, AT_RUNNING, WANT_ANY, 0},
	{"an unknown region removed", remove_unknown, 0, AT_MEMORY, WANT_REFUSE, 0},
	{"a region added twice, as front ends do for each queue pair", add_twice, 0, AT_MEMORY,
	 WANT_OK, 0},
	{"more regions than slots", add_too_many, 0, AT_MEMORY, WANT_REFUSE, 0},
};

/* --- C15: memory that goes away under us ------------------------------------------------------ */

/* Something for the back end to touch: buffers on both rings, and kicks. */
static void touch(struct attack *a)
{
	for (unsigned int i = 0; i < 20; i++) {
		attack_poke(a, 8);
		fe_ring_kick_always(fe_tx(a->fe, 0));
		fe_ring_kick_always(fe_rx(a->fe, 0));
		usleep(5000);
	}
}

/* Not through our own mapping from here on: it would be our SIGBUS. */
static int truncated(struct attack *a, uint64_t bytes)
{
	exchange_step(&a->exchange, 16);
	for (unsigned int i = 0; i < a->fe->n_regions; i++)
		if (ftruncate(a->fe->region[i].fd, bytes))
			return -errno;
	touch(a);
	return fe_sock_wait_closed(a->fe, 5000) ? -EPIPE : 0;
}

/* Cut short and grown again: zero pages, in another place. */
static int truncated_and_back(struct attack *a, uint64_t arg)
{
	exchange_step(&a->exchange, 16);
	for (unsigned int i = 0; i < a->fe->n_regions; i++)
		if (ftruncate(a->fe->region[i].fd, 0) ||
		    ftruncate(a->fe->region[i].fd, a->fe->region[i].bytes))
			return -errno;
	touch(a);
	return 0;
}

/* Before the rings start. */
static int truncated_first(struct attack *a, uint64_t arg)
{
	int err = 0;

	for (unsigned int i = 0; i < a->fe->n_regions; i++)
		if (ftruncate(a->fe->region[i].fd, 0))
			return -errno;
	for (unsigned int i = 0; !err && i < a->fe->n_rings; i++) {
		err = fe_dev_ring_start(&a->fe->ring[i]);
		if (!err)
			err = fe_dev_ring_enable(a->fe, i, true);
	}
	touch(a);
	if (!err)
		err = fe_sock_wait_closed(a->fe, 5000) ? -EPIPE : 0;
	return err;
}

/* A few pages under the rings and all under the buffers: zeros appear, nobody is told. */
static int punched(struct attack *a, uint64_t arg)
{
	exchange_step(&a->exchange, 16);
	for (unsigned int i = 0; i < a->fe->n_regions; i++)
		if (fallocate(a->fe->region[i].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      a->fe->region[i].bytes))
			return -errno;
	touch(a);
	return 0;
}

/* Holes only under free buffers, which is what a balloon does; the guest then goes on. */
static int ballooned(struct attack *a, uint64_t arg)
{
	if (fallocate(a->fe->region[1].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      a->fe->region[1].bytes))
		return -errno;
	return attack_alive(a->fe);
}

static const struct step c15[] = {
	{"truncated to 0 while it runs", truncated, 0, AT_RUNNING, WANT_CLOSE, 0},
	{"truncated to 0 while it runs, packed", truncated, 0, AT_RUNNING, WANT_CLOSE, STEP_PACKED},
	{"truncated to 4096 while it runs", truncated, 4096, AT_RUNNING, WANT_CLOSE, 0},
	{"truncated and grown again", truncated_and_back, 0, AT_RUNNING, WANT_ANY, 0},
	{"truncated before the rings start", truncated_first, 0, AT_RINGS, WANT_CLOSE, 0},
	{"hole under everything while it runs", punched, 0, AT_RUNNING, WANT_ANY, 0},
	{"hole under everything while it runs, packed", punched, 0, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"hole where nothing is", ballooned, 0, AT_RUNNING, WANT_WORKS, 0},
};

/* --- C16: memory that cannot be pinned ------------------------------------------------------- */

/* Guest memory in files of a file system with pages on disk. */
static int on_disk(struct attack *a, uint64_t arg)
{
	struct statfs fs;

	for (unsigned int i = 0; i < a->fe->n_regions; i++) {
		struct fe_region *r = &a->fe->region[i];
		char path[] = "/var/tmp/vxdp-guest.XXXXXX";
		int fd = mkostemp(path, O_CLOEXEC);

		if (fd < 0)
			return -errno;
		unlink(path);
		if (fstatfs(fd, &fs) || fs.f_type == TMPFS_MAGIC_NUMBER)
			snprintf(a->note, sizeof(a->note), "no disk here, tmpfs instead");
		if (ftruncate(fd, r->bytes) || mmap(r->va, r->bytes, PROT_READ | PROT_WRITE,
						    MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return -errno;
		close(r->fd);
		r->fd = fd;
	}
	return attack_connect(a, AT_RUNNING);
}

static int memlock(struct attack *a, uint64_t bytes)
{
	struct rlimit before, little = {bytes, bytes};
	int err;

	if (!a->victim_pid)
		return attack_fail(a, "needs --pid");
	if (prlimit(a->victim_pid, RLIMIT_MEMLOCK, NULL, &before))
		return -errno;
	little.rlim_max = before.rlim_max;
	if (prlimit(a->victim_pid, RLIMIT_MEMLOCK, &little, NULL))
		return -errno;
	err = attack_connect(a, AT_RUNNING);
	if (!err)
		err = attack_works(a);
	prlimit(a->victim_pid, RLIMIT_MEMLOCK, &before, NULL);
	return err;
}

static int works_step(struct attack *a, uint64_t arg)
{
	int err = on_disk(a, arg);

	return err ? err : attack_works(a);
}

static const struct step c16[] = {
	{"memory in files on a disk", works_step, 0, AT_NOTHING, WANT_OK, 0},
	{"RLIMIT_MEMLOCK of 64 KiB", memlock, 65536, AT_NOTHING, WANT_OK, 0},
};

const struct attack_case memory_cases[] = {
	STEPS("C13", c13), STEPS("C13-sparse", c13_sparse),
	STEPS("C14", c14), STEPS("C15", c15),
	STEPS("C16", c16), {NULL, NULL, 0},
};
