// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * other.bpf.c - programs of somebody else, which vxdp has to live with.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("xdp")
int other_xdp(struct xdp_md *xdp)
{
	return XDP_PASS;
}

SEC("tc")
int other_tc(struct __sk_buff *skb)
{
	return -1; /* TC_ACT_UNSPEC */
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
