/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cycles.h - the processor's time stamp counter: what `vxdp status` counts busy time in.
 */
#ifndef VXDP_LOADER_CYCLES_H
#define VXDP_LOADER_CYCLES_H

#include <stdint.h>

#include <vxdp/util.h>

static inline uint64_t cycles_now(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return monotonic_ns();
#endif
}

#endif /* VXDP_LOADER_CYCLES_H */
