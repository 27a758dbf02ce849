// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * hash.bpf.c - what the XDP programs work out of a frame by functions that have no program of their
 * own, returned as a program's result: for hash_test.
 */
#include "bpf/steer.bpf.h"

SEC("xdp")
int hash_flow(struct xdp_md *xdp)
{
	struct vxdp_frame frame = {};
	__be16 proto;
	void *l3;

	if (!parse_xdp(xdp, &frame, &proto, &l3))
		return 0;
	return flow_hash_xdp(proto, l3, (void *)(long)xdp->data_end);
}

SEC("xdp")
int hash_is_tcp(struct xdp_md *xdp)
{
	struct vxdp_frame frame = {};
	__be16 proto;
	void *l3;

	if (!parse_xdp(xdp, &frame, &proto, &l3))
		return 0;
	return is_tcp_or_unclear(proto, l3, (void *)(long)xdp->data_end);
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
