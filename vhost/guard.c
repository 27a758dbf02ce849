// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.c - see guard.h.
 *
 * Theory of operation: the handler runs in whichever thread touched the page, while the main
 * thread may add and remove guards of other devices. It must not take a lock and must not look
 * into memory that may be freed. So guards live in nodes that are never freed, only used again,
 * on a list that only grows; each node carries a sequence number that is odd while it changes.
 * The faulting thread is using the very mapping it faulted on, so that mapping's own node cannot
 * be changing: a node that is, is somebody else's and is skipped.
 */
#include "guard.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vxdp/util.h"

#define PAGE_BYTES   4096ul
#define WINDOW_BYTES (2ul << 20) /* one huge page of the usual size */

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

struct vu_guard {
	struct vu_guard *next;
	unsigned int sequence; /* odd while the fields below change */
	uintptr_t start;
	size_t bytes; /* 0: free for use */
	bool *dead;
	int fd;
};

static struct vu_guard *guards;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction previous;

/*
 * A consistent copy of a node, or false if it is changing. Ordered by the accesses themselves: who
 * reads a new field also reads the odd number that was written before it.
 */
static bool node_read(struct vu_guard *g, struct vu_guard *copy)
{
	unsigned int sequence = load_acquire(&g->sequence);

	copy->start = load_acquire(&g->start);
	copy->bytes = load_acquire(&g->bytes);
	copy->dead = load_acquire(&g->dead);
	copy->fd = load_acquire(&g->fd);
	return !(sequence & 1) && sequence == load_acquire(&g->sequence);
}

static void node_write(struct vu_guard *g, uintptr_t start, size_t bytes, bool *dead, int fd)
{
	unsigned int sequence = g->sequence;

	store_release(&g->sequence, sequence + 1);
	store_release(&g->start, start);
	store_release(&g->bytes, bytes);
	store_release(&g->dead, dead);
	store_release(&g->fd, fd);
	store_release(&g->sequence, sequence + 2);
}

/*
 * The system call itself: mmap() of the C library is not on the list of functions that a signal
 * handler may call.
 */
static bool put_zero_pages(uintptr_t start, uintptr_t end)
{
	return syscall(SYS_mmap, start, end - start, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		       0) == (long)start;
}

/*
 * The whole mapping, so that the rest of it raises no further signals. A system that never
 * overcommits can refuse that much memory: then what is needed just now.
 */
static bool replace(const struct vu_guard *g, uintptr_t address)
{
	uintptr_t end = g->start + g->bytes;
	uintptr_t window = ALIGN_DOWN(address, WINDOW_BYTES);
	uintptr_t page = ALIGN_DOWN(address, PAGE_BYTES);

	return put_zero_pages(g->start, end) ||
	       put_zero_pages(MAX(g->start, window), MIN(end, window + WINDOW_BYTES)) ||
	       put_zero_pages(page, page + PAGE_BYTES);
}

static bool replaced(uintptr_t address)
{
	struct vu_guard *g, copy;
	uint64_t one = 1;
	ssize_t n;

	for (g = load_acquire(&guards); g; g = g->next) {
		if (!node_read(g, &copy) || address - copy.start >= copy.bytes)
			continue;
		if (!replace(&copy, address))
			return false;
		__atomic_store_n(copy.dead, true, __ATOMIC_RELAXED);
		if (copy.fd >= 0) {
			n = write(copy.fd, &one, sizeof(one));
			(void)n; /* ours and non-blocking: a full counter is a raised event */
		}
		return true;
	}
	return false;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	if (info->si_code > 0 && replaced((uintptr_t)info->si_addr)) {
		errno = saved_errno;
		return;
	}
	errno = saved_errno;
	if (previous.sa_flags & SA_SIGINFO) {
		previous.sa_sigaction(number, info, context);
	} else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
		previous.sa_handler(number);
	} else {
		/* Back to what was there; the access is tried again, or the signal sent again. */
		sigaction(number, &previous, NULL);
		if (info->si_code <= 0)
			raise(number);
	}
}

static void install(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

	action.sa_sigaction = on_sigbus;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &previous);
}

static struct vu_guard *node_get(void)
{
	struct vu_guard *g;

	for (g = guards; g; g = g->next)
		if (!g->bytes)
			return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->next = guards;
	store_release(&guards, g);
	return g;
}

int vu_guard_add(void *start, size_t bytes, bool *dead, struct vu_guard **out)
{
	struct vu_guard *g;

	if (!bytes)
		return -EINVAL;
	pthread_once(&once, install);
	pthread_mutex_lock(&lock);
	g = node_get();
	if (g)
		node_write(g, (uintptr_t)start, bytes, dead, -1);
	pthread_mutex_unlock(&lock);
	if (!g)
		return -ENOMEM;
	*out = g;
	return 0;
}

void vu_guard_fd_set(struct vu_guard *g, int fd)
{
	store_release(&g->fd, fd);
}

void vu_guard_remove(struct vu_guard **g)
{
	if (!*g)
		return;
	pthread_mutex_lock(&lock);
	node_write(*g, 0, 0, NULL, -1);
	pthread_mutex_unlock(&lock);
	*g = NULL;
}

static int refuse(const char **why, int error, const char *reason)
{
	*why = reason;
	return error;
}

int vu_peer_file_check(int fd, uint64_t offset, uint64_t bytes, struct stat *st,
		       uint64_t *page_bytes, const char **why)
{
	struct statfs fs;
	uint64_t end;

	if (fstat(fd, st) || fstatfs(fd, &fs))
		return refuse(why, -errno, "a descriptor that is no file");
	if (!S_ISREG(st->st_mode))
		return refuse(why, -EINVAL, "a descriptor that is no regular file");
	if (fs.f_type == FUSE_SUPER_MAGIC)
		return refuse(why, -EINVAL, "a file on a user-space file system");
	*page_bytes = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : PAGE_BYTES;
	if (*page_bytes < PAGE_BYTES || *page_bytes & (*page_bytes - 1))
		return refuse(why, -EINVAL, "a file with odd pages");
	if (__builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
		return refuse(why, -EINVAL, "sizes that wrap");
	if (end > (uint64_t)st->st_size)
		return refuse(why, -EINVAL, "more memory than its file has");
	return 0;
}

int vu_peer_map(struct vu_peer_map *map, int fd, uint64_t offset, uint64_t bytes, const char **why)
{
	uint64_t page_bytes = PAGE_BYTES, start_offset;
	struct stat st;
	int err;

	if (!bytes)
		return refuse(why, -EINVAL, "a mapping of size 0");
	err = vu_peer_file_check(fd, offset, bytes, &st, &page_bytes, why);
	if (err)
		return err;
	start_offset = ALIGN_DOWN(offset, page_bytes);
	map->start_bytes = ALIGN_UP(offset + bytes, page_bytes) - start_offset;
	map->start = mmap(NULL, map->start_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)start_offset);
	if (map->start == MAP_FAILED) {
		map->start = NULL;
		return refuse(why, -errno, "a file that cannot be mapped");
	}
	map->data = (uint8_t *)map->start + (offset - start_offset);
	map->bytes = bytes;
	map->dead = false;
	err = vu_guard_add(map->start, map->start_bytes, &map->dead, &map->guard);
	if (err) {
		vu_peer_unmap(map);
		return refuse(why, err, "no memory");
	}
	return 0;
}

void vu_peer_unmap(struct vu_peer_map *map)
{
	if (!map->start)
		return;
	vu_guard_remove(&map->guard);
	munmap(map->start, map->start_bytes);
	map->start = NULL;
	map->data = NULL;
	map->bytes = 0;
}
