/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * util.h - the few small things every module needs. Nothing here opens a file or keeps state.
 */
#ifndef VXDP_UTIL_H
#define VXDP_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define ALIGN_UP(x, a)	 (((x) + (a)-1) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define CACHE_LINE_BYTES 64 /* for prefetching: on another machine it is merely less good */

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * Memory that somebody else may change at any moment (a guest, the kernel, another thread):
 * exactly one access of exactly this width, never repeated or merged by the compiler.
 */
#define READ_ONCE(x)	   (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile __typeof__(x) *)&(x) = (val))

#define load_acquire(p)	      __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_release(p, val) __atomic_store_n(p, val, __ATOMIC_RELEASE)
#define full_fence()	      __atomic_thread_fence(__ATOMIC_SEQ_CST)

/*
 * Ask for a cache line to write to. __builtin_prefetch(p, 1) asks for one to read only, unless gcc
 * is told of a processor that has this; all have it or take it for a no-op.
 */
static inline void prefetch_write(const void *p)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* CLOCK_MONOTONIC, as the BPF programs have it too (bpf_ktime_get_ns()). */
static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

/* Resources that close themselves. TAKE_*() hands ownership on at the point of escape. */
static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void free_ptr(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

#define _cleanup_close_ __attribute__((cleanup(close_fd)))
#define _cleanup_free_	__attribute__((cleanup(free_ptr)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define TAKE_FD(fd) take_fd(&(fd))
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

#endif /* VXDP_UTIL_H */
