/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * steer.bpf.h - a hash of a frame's flow, the same in both directions.
 *
 * skb->hash would not do: it is zero on NICs that give none, and the host's own TCP changes it for
 * a connection that retransmits. Fragments are hashed by their addresses alone, as the kernel's
 * flow dissector does.
 */
#ifndef VXDP_STEER_BPF_H
#define VXDP_STEER_BPF_H

#include "parse.bpf.h"

static __always_inline __u32 hash_mix(__u32 hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static __always_inline __u32 ports_hash(struct __sk_buff *skb, __u32 l4_at, __u8 l4)
{
	__be16 l4_ports[2];

	if (l4 != IPPROTO_TCP && l4 != IPPROTO_UDP)
		return 0;
	if (bpf_skb_load_bytes(skb, l4_at, l4_ports, sizeof(l4_ports)))
		return 0;
	return (l4_ports[0] ^ l4_ports[1]) * 0x9e3779b1;
}

static __always_inline __u32 ipv4_hash(struct __sk_buff *skb, __u32 l3_at)
{
	__u32 l3[IPV4_MIN_BYTES / 4];
	__u32 hash;

	if (bpf_skb_load_bytes(skb, l3_at, l3, sizeof(l3)))
		return 0;
	hash = l3[3] ^ l3[4];
	if (bpf_ntohl(l3[1]) & IPV4_FRAGMENT_BITS)
		return hash;
	return hash ^
	       ports_hash(skb, l3_at + (((__u8 *)l3)[0] & 0x0f) * 4, ((__u8 *)l3)[IPV4_PROTO_AT]);
}

static __always_inline __u32 ipv6_hash(struct __sk_buff *skb, __u32 l3_at)
{
	__u32 l3[IPV6_BYTES / 4];

	if (bpf_skb_load_bytes(skb, l3_at, l3, sizeof(l3)))
		return 0;
	return l3[2] ^ l3[3] ^ l3[4] ^ l3[5] ^ l3[6] ^ l3[7] ^ l3[8] ^ l3[9] ^
	       ports_hash(skb, l3_at + IPV6_BYTES, ((__u8 *)l3)[IPV6_NEXT_AT]);
}

static __always_inline __u32 flow_hash(struct __sk_buff *skb)
{
	__u32 l3_at = sizeof(struct ethhdr);
	struct vlan_tag tag;
	struct ethhdr eth;
	__be16 proto;
	int i;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
		return 0;
	proto = eth.h_proto;
#pragma unroll
	for (i = 0; i < VLAN_TAGS_MAX; i++) {
		if (!is_vlan(proto) || bpf_skb_load_bytes(skb, l3_at, &tag, sizeof(tag)))
			break;
		proto = tag.inner_proto;
		l3_at += sizeof(tag);
	}
	if (proto == bpf_htons(ETH_P_IP))
		return hash_mix(ipv4_hash(skb, l3_at));
	if (proto == bpf_htons(ETH_P_IPV6))
		return hash_mix(ipv6_hash(skb, l3_at));
	return 0;
}

/* The same of a frame in XDP, whose l3 and what is there is known. IPv6 headers are not walked. */
static __always_inline __u32 flow_hash_xdp(__be16 proto, void *l3, void *end)
{
	__u32 *words = l3, hash;
	__u8 l4, *l4_at;

	if (proto == bpf_htons(ETH_P_IP)) {
		if (l3 + IPV4_MIN_BYTES > end)
			return 0;
		hash = words[3] ^ words[4];
		l4 = ((__u8 *)l3)[IPV4_PROTO_AT];
		if (bpf_ntohl(words[1]) & IPV4_FRAGMENT_BITS)
			return hash_mix(hash);
		l4_at = l3 + (((__u8 *)l3)[0] & 0x0f) * 4;
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		if (l3 + IPV6_BYTES > end)
			return 0;
		hash = words[2] ^ words[3] ^ words[4] ^ words[5] ^ words[6] ^ words[7] ^ words[8] ^
		       words[9];
		l4 = ((__u8 *)l3)[IPV6_NEXT_AT];
		l4_at = l3 + IPV6_BYTES;
	} else {
		return 0;
	}
	if ((l4 == IPPROTO_TCP || l4 == IPPROTO_UDP) && (void *)(l4_at + 4) <= end)
		hash ^= (((__be16 *)l4_at)[0] ^ ((__be16 *)l4_at)[1]) * 0x9e3779b1;
	return hash_mix(hash);
}

#endif /* VXDP_STEER_BPF_H */
