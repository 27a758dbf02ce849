// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory tables: the layout, what is refused, and files that are cut short under us. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "peer.h"
#include "vhost/dirty.h"
#include "vhost/event.h"
#include "vhost/mem.h"
#include "vxdp/util.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)
#define HUGE (2 * MIB)

static int memory_file(uint64_t bytes)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static struct vu_region region(int fd, uint64_t gpa, uint64_t bytes, uint64_t offset)
{
	return (struct vu_region){.gpa = gpa,
				  .bytes = bytes,
				  .uaddr = 0x7f0000000000ull + gpa,
				  .mmap_offset = offset,
				  .fd = fd};
}

/* What QEMU passes for a guest of 256 MiB: one file, the hole of the VGA memory left out. */
static void test_layout(void **state)
{
	int fd = memory_file(16 * MIB);
	struct vu_region regions[] = {
		region(fd, 0, 0xa0000, 0),
		region(fd, 0xc0000, 16 * MIB - 0xc0000, 0xc0000),
	};
	struct vu_mem *mem;

	assert_int_equal(vu_mem_new(regions, 2, 5000, &mem), 0);
	close(fd); /* the table has its own */
	assert_int_equal(mem->private_bytes, 2 * PAGE);
	assert_int_equal((uintptr_t)mem->base % PAGE, 0);
	assert_int_equal(mem->bytes, 2 * PAGE + 0xa0000 + 16 * MIB - 0xc0000);
	assert_ptr_equal(mem->region[0].va, mem->base + mem->private_bytes);
	assert_int_equal(mem->region[1].page_bytes, PAGE);

	/* No holes: every page can be written. */
	for (size_t at = 0; at < mem->bytes; at += PAGE)
		mem->base[at] = 1;
	/* The same file behind both. */
	mem->region[1].va[0] = 42;
	assert_int_equal(vu_mem_region_of(mem, 0xc0000, 1)->va[0], 42);
	assert_null(vu_mem_region_of(mem, 0xa0000, 1));
	assert_null(vu_mem_region_of(mem, 0x9ffff, 2));
	assert_null(vu_mem_region_of(mem, 16 * MIB - 1, 2));
	assert_null(vu_mem_region_of(mem, UINT64_MAX, 2));
	assert_ptr_equal(vu_mem_at_uaddr(mem, 0x7f0000000000ull + 0xc0010, 16),
			 mem->region[1].va + 16);
	assert_null(vu_mem_at_uaddr(mem, 0x7f0000000000ull + 0x9fff0, 17));
	assert_null(vu_mem_at_uaddr(mem, 0xc0010, 16));
	vu_mem_free(&mem);
	assert_null(mem);
	vu_mem_free(&mem);
}

static int huge_file(uint64_t bytes)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | 21u << 26 /* 2 MiB */);

	if (fd >= 0 && ftruncate(fd, (off_t)bytes))
		close_fd(&fd);
	return fd;
}

/* Huge pages: aligned, no filler between the regions, a region may begin within a page. */
static void test_huge_pages(void **state)
{
	int huge = huge_file(4 * HUGE), small = memory_file(MIB);
	struct vu_region regions[] = {
		region(small, 0x10000000, MIB, 0),
		region(huge, 0, 0xa0000, 0),
		region(huge, 0xc0000, 2 * HUGE - 0xc0000, 0xc0000),
		region(huge, 0x20000000, HUGE / 2, 2 * HUGE + PAGE),
	};
	struct vu_mem *mem;

	if (huge < 0) {
		close(small);
		print_message("# no huge pages in this kernel\n");
		skip();
	}
	assert_int_equal(vu_mem_new(regions, 4, 3 * PAGE, &mem), 0);
	assert_int_equal(((uintptr_t)mem->base + mem->private_bytes) % HUGE, 0);
	assert_int_equal(mem->bytes, 3 * PAGE + HUGE + 2 * HUGE + HUGE + MIB);
	assert_ptr_equal(mem->region[1].va, mem->base + mem->private_bytes);
	assert_ptr_equal(mem->region[2].va, mem->base + mem->private_bytes + HUGE + 0xc0000);
	assert_ptr_equal(mem->region[3].va, mem->base + mem->private_bytes + 3 * HUGE + PAGE);
	assert_ptr_equal(mem->region[0].va, mem->base + mem->bytes - MIB);
	assert_int_equal(mem->region[3].page_bytes, HUGE);
	mem->region[0].va[MIB - 1] = 1;
	vu_mem_free(&mem);
	close(small);
	close(huge);
}

struct refusal {
	const char *why;
	struct vu_region r[2];
};

static void check_refused(const struct vu_region *regions, unsigned int n, const char *why)
{
	struct vu_mem *mem = NULL;
	const char *said = "";

	assert_true(vu_mem_new_why(regions, n, PAGE, &mem, &said) < 0);
	assert_null(mem);
	if (why)
		assert_string_equal(said, why);
}

static void test_refused_numbers(void **state)
{
	const unsigned int fds = peer_fds();
	int fd = memory_file(MIB);
	const struct vu_region good = region(fd, 0x100000, MIB / 2, 0);
	struct vu_region r[2];

#define ALONE(why, change)                                                                         \
	do {                                                                                       \
		r[0] = good;                                                                       \
		change;                                                                            \
		check_refused(r, 1, why);                                                          \
	} while (0)
#define PAIR(why, change)                                                                          \
	do {                                                                                       \
		r[0] = good;                                                                       \
		r[1] = region(fd, 0x200000, MIB / 2, MIB / 2);                                     \
		change;                                                                            \
		check_refused(r, 2, why);                                                          \
	} while (0)

	check_refused(&good, 0, NULL);
	check_refused(&good, VU_REGIONS_MAX + 1, NULL);
	ALONE("a memory region of size 0", r[0].bytes = 0);
	ALONE("a memory region that is not made of whole pages", r[0].bytes = 100);
	ALONE("a memory region that is not made of whole pages", r[0].gpa += 512);
	ALONE("a memory region that is not made of whole pages", r[0].mmap_offset = 1);
	ALONE("a memory region whose addresses wrap", r[0].gpa = -PAGE);
	ALONE("a memory region whose addresses wrap", r[0].uaddr = -1000ull);
	ALONE("sizes that wrap", r[0].mmap_offset = -PAGE);
	ALONE("more memory than its file has", r[0].bytes = MIB + PAGE);
	ALONE("more memory than its file has", r[0].mmap_offset = MIB / 2 + PAGE);
	ALONE("more memory than its file has", r[0].mmap_offset = 1ull << 62);
	ALONE("more memory than its file has", r[0].bytes = 1ull << 48);
	ALONE("a memory region without a usable descriptor", r[0].fd = -1);
	PAIR("memory regions that overlap in the guest", r[1].gpa = r[0].gpa);
	PAIR("memory regions that overlap in the guest", r[1].gpa = r[0].gpa + r[0].bytes - PAGE);
	PAIR("memory regions that overlap in the front end", r[1].uaddr = r[0].uaddr);
	PAIR("memory regions that overlap in the front end",
	     r[1].uaddr = r[0].uaddr - r[1].bytes + 1);
	PAIR("memory regions that overlap in the guest", r[1] = r[0]);
	close(fd);
	assert_int_equal(peer_fds(), fds);
}

static void check_refused_file(int fd)
{
	struct vu_region r = region(fd, 0, PAGE, 0);

	assert_true(fd >= 0);
	check_refused(&r, 1, NULL);
	close(fd);
}

static void test_refused_files(void **state)
{
	const unsigned int fds = peer_fds();
	int fd, pipes[2];
	char path[64];

	check_refused_file(eventfd(0, 0));
	check_refused_file(open("/", O_RDONLY | O_DIRECTORY));
	check_refused_file(open("/dev/null", O_RDWR));
	check_refused_file(open("/dev/zero", O_RDWR));
	check_refused_file(open("/proc/self/mem", O_RDWR));
	assert_int_equal(pipe(pipes), 0);
	check_refused_file(pipes[0]);
	close(pipes[1]);

	fd = memory_file(MIB);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check_refused_file(open(path, O_RDONLY));
	check_refused_file(open(path, O_PATH));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	check_refused_file(fd);

	/* There is such a file, but nobody has that many addresses. */
	fd = memfd_create("sparse", 0);
	assert_int_equal(ftruncate(fd, 1ll << 50), 0);
	check_refused((struct vu_region[]){region(fd, 0, 1ull << 50, 0)}, 1,
		      "more memory than this process may map");
	close(fd);
	assert_int_equal(peer_fds(), fds);
}

static void test_most_regions(void **state)
{
	struct vu_region r[VU_REGIONS_MAX];
	int fd = memory_file(VU_REGIONS_MAX * PAGE);
	struct vu_mem *mem;

	for (unsigned int i = 0; i < VU_REGIONS_MAX; i++)
		r[i] = region(fd, (VU_REGIONS_MAX - i) * 0x10000, PAGE, i * PAGE);
	assert_int_equal(vu_mem_new(r, VU_REGIONS_MAX, 0, &mem), 0);
	assert_int_equal(mem->bytes, VU_REGIONS_MAX * PAGE);
	for (unsigned int i = 0; i < VU_REGIONS_MAX; i++)
		assert_ptr_equal(mem->region[i].va, mem->base + i * PAGE);
	vu_mem_free(&mem);
	close(fd);
}

static void *toucher(void *at)
{
	volatile uint8_t *p = at;

	for (unsigned int i = 0; i < 64; i++)
		p[i * PAGE] = (uint8_t)i;
	return NULL;
}

/* cmocka puts a handler of its own in the place of the library's around each test. */
static struct sigaction library_handler;

static void library_handler_save(void)
{
	int fd = memory_file(PAGE);
	struct vu_region r = region(fd, 0, PAGE, 0);
	struct vu_mem *mem;

	assert_int_equal(vu_mem_new(&r, 1, 0, &mem), 0);
	vu_mem_free(&mem);
	close(fd);
	sigaction(SIGBUS, NULL, &library_handler);
}

static void library_handler_restore(void)
{
	sigaction(SIGBUS, &library_handler, NULL);
}

static void test_file_cut_short(void **state)
{
	int fd = memory_file(MIB), other = memory_file(MIB);
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vu_region regions[] = {region(fd, 0, MIB, 0), region(other, 2 * MIB, MIB, 0)};
	struct vu_mem *mem, *another;
	pthread_t thread;
	uint64_t n = 0;

	library_handler_restore();
	assert_int_equal(vu_mem_new(regions, 2, PAGE, &mem), 0);
	assert_int_equal(vu_mem_new(&regions[1], 1, PAGE, &another), 0);
	vu_mem_watch(mem, event);
	mem->base[0] = 5;
	mem->region[1].va[0] = 6;
	memset(mem->region[0].va, 7, MIB);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_false(vu_mem_is_dead(mem));

	/* Several threads run into it at once; all go on, on zeros. */
	assert_int_equal(pthread_create(&thread, NULL, toucher, mem->region[0].va + MIB / 2), 0);
	toucher(mem->region[0].va);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(vu_mem_is_dead(mem));
	assert_int_equal(mem->region[0].va[PAGE - 1], 0);
	assert_int_equal(read(event, &n, sizeof(n)), sizeof(n));

	/* Nothing else was touched. */
	assert_int_equal(mem->base[0], 5);
	assert_int_equal(mem->region[1].va[0], 6);
	assert_int_equal(another->region[0].va[0], 6);
	assert_false(vu_mem_is_dead(another));
	vu_mem_free(&mem);
	vu_mem_free(&another);
	close(fd);
	close(other);
	close(event);
}

static sigjmp_buf jump;

static void on_bus(int number)
{
	siglongjmp(jump, 1);
}

/* A program of its own: who had a handler before us still gets what is not ours. */
static int other_sigbus_main(void)
{
	struct vu_region r = region(memory_file(MIB), 0, MIB, 0);
	int fd = memory_file(PAGE);
	volatile uint8_t *p;
	struct vu_mem *mem;

	signal(SIGBUS, on_bus);
	if (vu_mem_new(&r, 1, 0, &mem))
		return 1;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ftruncate(fd, 0))
		return 2;
	if (!sigsetjmp(jump, 1)) {
		p[0] = 1;
		return 3;
	}
	if (vu_mem_is_dead(mem))
		return 4;
	return 0;
}

static void test_other_sigbus(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "mem_test", "other-sigbus", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_dirty(void **state)
{
	int fd = memory_file(0x3000);
	struct vu_dirty *d;
	const char *why;
	uint8_t *file = mmap(NULL, 0x3000, PROT_READ, MAP_SHARED, fd, 0);

	library_handler_restore();
	assert_int_equal(vu_dirty_new(fd, 0, 0, &d, &why), -EINVAL);
	assert_int_equal(vu_dirty_new(fd, 0x3001, 0, &d, &why), -EINVAL);
	assert_int_equal(vu_dirty_new(fd, 0x1000, 0x2001, &d, &why), -EINVAL);
	assert_int_equal(vu_dirty_new(fd, UINT64_MAX, 0x1000, &d, &why), -EINVAL);
	assert_int_equal(vu_dirty_new(fd, 0x1000, UINT64_MAX - 0xfff, &d, &why), -EINVAL);
	assert_int_equal(vu_dirty_new(STDIN_FILENO, 0x1000, 0, &d, &why), -EINVAL);

	assert_int_equal(vu_dirty_new(fd, 0x1000, 0x1008, &d, &why), 0);
	assert_true(vu_dirty_covers(d, 0x1000ull * 8 * PAGE));
	assert_false(vu_dirty_covers(d, 0x1000ull * 8 * PAGE + 1));
	vu_dirty_gpa(d, 7 * PAGE + 5, 0);
	assert_int_equal(file[0x1008], 0);
	vu_dirty_gpa(d, 7 * PAGE + PAGE - 1, 2);
	assert_int_equal(file[0x1008], 0x80);
	assert_int_equal(file[0x1009], 0x01);
	vu_dirty_gpa(d, 0x1000ull * 8 * PAGE - PAGE, UINT64_MAX);
	assert_int_equal(file[0x2007], 0x80);
	assert_int_equal(file[0x2008], 0);

	/* A log that is cut short costs nobody his life. */
	assert_int_equal(ftruncate(fd, 0), 0);
	vu_dirty_gpa(d, 0, PAGE);
	vu_dirty_free(&d);
	munmap(file, 0x3000);
	close(fd);
}

/* A peer fills its eventfd and takes O_NONBLOCK away: raising the event does not block. */
static void test_event_never_blocks(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t n = UINT64_MAX - 1;

	assert_int_equal(vu_event_check(fd), 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(write(fd, &n, sizeof(n)), sizeof(n));
	alarm(5);
	vu_event_signal(fd);
	vu_event_signal(fd);
	alarm(0);
	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	for (unsigned int i = 0; i < 1000; i++)
		vu_event_signal(fd);
	assert_int_equal(read(fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1000);
	close(fd);

	vu_event_signal(-1);
	vu_event_signal(9999);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(vu_event_check(fd), -EBADF);
	vu_event_signal(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_sigbus),	   cmocka_unit_test(test_layout),
		cmocka_unit_test(test_huge_pages),	   cmocka_unit_test(test_refused_numbers),
		cmocka_unit_test(test_refused_files),	   cmocka_unit_test(test_most_regions),
		cmocka_unit_test(test_file_cut_short),	   cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_event_never_blocks),
	};

	if (argc > 1 && !strcmp(argv[1], "other-sigbus"))
		return other_sigbus_main();
	library_handler_save();
	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
