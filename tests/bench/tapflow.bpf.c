// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * tapflow.bpf.c - send a burst of frames out of a netdev, and note the time it took. The kernel
 * runs it for one batch after another, with all that becomes of the frames between two batches.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tapflow.h"

const volatile __u32 ifindex = 0;

struct burst burst = {};

SEC("xdp")
int tapflow(struct xdp_md *ctx)
{
	burst.runs++;
	if (!burst.left) {
		if (!burst.ended_ns)
			burst.ended_ns = bpf_ktime_get_ns();
		return XDP_DROP;
	}
	if (!burst.began_ns)
		burst.began_ns = bpf_ktime_get_ns();
	burst.left--;
	return (int)bpf_redirect(ifindex, 0);
}

char _license[] SEC("license")
= "GPL";
