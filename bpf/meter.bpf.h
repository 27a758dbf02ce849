/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * meter.bpf.h - how often something may happen, on all CPUs together.
 *
 * A meter is one number: the time until which what was let through is paid for. It may run ahead of
 * the clock by the burst that is allowed.
 */
#ifndef VXDP_METER_BPF_H
#define VXDP_METER_BPF_H

#include "maps.bpf.h"

#define METER_TRIES 4

/* May something that costs @cost of time happen now? */
static __always_inline bool meter_take(__u64 *paid_until, __u64 now, __u64 cost, __u64 burst)
{
	__u64 seen, from;
	int i;

#pragma unroll
	for (i = 0; i < METER_TRIES; i++) {
		seen = *(volatile __u64 *)paid_until;
		from = seen > now ? seen : now;
		if (from - now >= burst)
			return false;
		if (__sync_val_compare_and_swap(paid_until, seen, from + cost) == seen)
			return true;
	}
	return true; /* too many CPUs at once to count them all */
}

#endif /* VXDP_METER_BPF_H */
