/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * finished.bpf.h - has a guest's frame all of its checksum, as far as XDP on its tap can tell?
 *
 * The virtio-net header, which says so (VIRTIO_NET_HDR_F_NEEDS_CSUM), is not there for XDP. But an
 * unfinished checksum of TCP or UDP is the sum of the pseudo header (virtio 1.2, 5.1.6.2), with the
 * length, or without it where frames are to be segmented: what looks so may be unfinished, and of
 * those that are finished one in 32768 does by chance. What carries other packets inside is not
 * finished for sure, as their checksums may be what is left to do; nor are fragments and headers
 * with options, which are rare.
 */
#ifndef VXDP_FINISHED_BPF_H
#define VXDP_FINISHED_BPF_H

#include "parse.bpf.h"

#define IPV4_PLAIN 0x45 /* version, and a header without options */
#define TCP_SUM_AT 16
#define UDP_SUM_AT 6

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* @addresses: their sum; @bytes: of the upper layer, as it is on the wire */
static __always_inline bool l4_finished(__u8 proto, void *l4, void *end, __u64 addresses,
					__be16 bytes)
{
	__u16 *sum = l4 + (proto == IPPROTO_TCP ? TCP_SUM_AT : UDP_SUM_AT);

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
	if ((void *)(sum + 1) > end)
		return false;
	addresses += bpf_htons(proto);
	return *sum != sum_fold(addresses + bytes) && *sum != sum_fold(addresses);
}

static __always_inline bool ipv4_finished(void *l3, void *end)
{
	__u32 *words = l3;

	if (l3 + IPV4_MIN_BYTES > end || *(__u8 *)l3 != IPV4_PLAIN ||
	    words[1] & bpf_htonl(IPV4_FRAGMENT_BITS))
		return false;
	return l4_finished(((__u8 *)l3)[IPV4_PROTO_AT], l3 + IPV4_MIN_BYTES, end,
			   (__u64)words[3] + words[4],
			   bpf_htons(bpf_ntohs(((__be16 *)l3)[1]) - IPV4_MIN_BYTES));
}

static __always_inline bool ipv6_finished(void *l3, void *end)
{
	__u32 *words = l3;
	__u64 sum = 0;
	int i;

	if (l3 + IPV6_BYTES > end)
		return false;
#pragma unroll
	for (i = 2; i < IPV6_BYTES / 4; i++)
		sum += words[i];
	return l4_finished(((__u8 *)l3)[IPV6_NEXT_AT], l3 + IPV6_BYTES, end, sum,
			   ((__be16 *)l3)[2]);
}

/* @proto: of what is at @l3 */
static __always_inline bool is_finished(__be16 proto, void *l3, void *end)
{
	if (proto == bpf_htons(ETH_P_IP))
		return ipv4_finished(l3, end);
	if (proto == bpf_htons(ETH_P_IPV6))
		return ipv6_finished(l3, end);
	return proto == bpf_htons(ETH_P_ARP);
}

#endif /* VXDP_FINISHED_BPF_H */
