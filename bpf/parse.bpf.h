/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * parse.bpf.h - what the programs read from a frame. Every bounds check is here.
 *
 * XDP reads the frame in place, with all its VLAN tags. TC copies the few bytes it needs, since an
 * skb's head may hold less than the headers, and the outer tag is usually beside the data there.
 */
#ifndef VXDP_PARSE_BPF_H
#define VXDP_PARSE_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <vxdp/abi.h>

#define ETH_P_IP     0x0800
#define ETH_P_ARP    0x0806
#define ETH_P_IPV6   0x86DD
#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88A8

#define VLAN_TAGS_MAX 2

#define IPPROTO_HOPOPTS	 0
#define IPPROTO_ICMP	 1
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH	 51
#define IPPROTO_ICMPV6	 58
#define IPPROTO_DSTOPTS	 60
#define IPPROTO_MH	 135
#define IPPROTO_HIP	 139
#define IPPROTO_SHIM6	 140

#define IPV4_MIN_BYTES	   20
#define IPV4_PROTO_AT	   9
#define IPV4_FRAGMENT_BITS 0x3fff /* "more fragments" and the offset */
#define IPV6_BYTES	   40
#define IPV6_NEXT_AT	   6
#define IPV6_HEADERS_MAX   4 /* extension headers walked */

struct vlan_tag {
	__be16 tci;
	__be16 inner_proto;
};

/* A frame on its way through a program. */
struct vxdp_frame {
	struct vxdp_fdb_key src;
	struct vxdp_fdb_key dst;
	__u64 now;     /* when it came, by the coarse clock */
	__u32 bytes;   /* on the wire, all segments of a GSO frame together */
	__u32 packets; /* on the wire */
	__u16 in_port;
	__u16 out_port;
	__u16 captured;	  /* a port it goes to is being dumped */
	__u16 at_nic;	  /* it comes from a wire or the host */
	__u16 action;	  /* enum vxdp_vlan_action on its way to out_port */
	__u16 known;	  /* its flow was, so nobody records it (flows.bpf.h) */
	__be16 tag_proto; /* ethertype of its tag, or what a tag would have */
	__u16 pad;	  /* Linux 6.1 wants each byte of what a function is given set */
	__u32 tag;	  /* outermost, as it came: TAG_PRESENT | TCI, or 0 */
	__u32 tag_now;	  /* the same, as it is now */
};

#define TAG_PRESENT 0x10000u

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool mac_is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline bool mac_is_zero(const __u8 *mac)
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static __always_inline bool mac_equal(const __u8 *a, const __u8 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]));
}

/*
 * 01:80:c2:00:00:0x stays on its link (IEEE 802.1Q table 8-1: spanning tree, PAUSE, LACP, LLDP...).
 */
static __always_inline bool mac_is_link_local(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && mac[3] == 0x00 &&
	       mac[4] == 0x00 && (mac[5] & 0xf0) == 0x00;
}

/*
 * An address in a frame as a number, with two bytes of zeros for the VLAN of a struct vxdp_fdb_key.
 * One load, however the frame is aligned; there have to be two bytes more to read behind it.
 */
static __always_inline __u64 mac_word(const __u8 *mac)
{
	typedef __u64 __attribute__((__may_alias__)) word;

	return *(const word *)mac & bpf_cpu_to_be64(0xffffffffffff0000ULL);
}

/* The VLAN is not known before the port's policy is. */
static __always_inline void frame_set_keys(struct vxdp_frame *frame, const struct ethhdr *eth)
{
	frame->now = bpf_ktime_get_coarse_ns();
	__builtin_memcpy(frame->src.mac, eth->h_source, sizeof(frame->src.mac));
	__builtin_memcpy(frame->dst.mac, eth->h_dest, sizeof(frame->dst.mac));
}

static __always_inline void frame_set_tag(struct vxdp_frame *frame, __be16 proto, __u16 tci)
{
	frame->tag_proto = proto;
	frame->tag = TAG_PRESENT | tci;
	frame->tag_now = frame->tag;
}

/* Addresses and tag of a frame in XDP; *proto and *l3 say what follows the tags. */
static __always_inline bool parse_xdp(struct xdp_md *xdp, struct vxdp_frame *frame, __be16 *proto,
				      void **l3)
{
	void *end = (void *)(long)xdp->data_end;
	struct ethhdr *eth = (void *)(long)xdp->data;
	struct vlan_tag *tag;
	__u64 src, dst;
	int i;

	if ((void *)(eth + 1) > end)
		return false;
	*proto = eth->h_proto;
	tag = (void *)(eth + 1);
#pragma unroll
	for (i = 0; i < VLAN_TAGS_MAX; i++) {
		if (!is_vlan(*proto))
			break;
		if ((void *)(tag + 1) > end)
			return false;
		if (i == 0)
			frame_set_tag(frame, *proto, bpf_ntohs(tag->tci));
		*proto = tag->inner_proto;
		tag++;
	}
	*l3 = tag;
	src = mac_word(eth->h_source);
	dst = mac_word(eth->h_dest);
	frame->now = bpf_ktime_get_coarse_ns();
	__builtin_memcpy(&frame->src, &src, sizeof(frame->src));
	__builtin_memcpy(&frame->dst, &dst, sizeof(frame->dst));
	return true;
}

static __always_inline bool ipv6_next_is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH || next == IPPROTO_MH ||
	       next == IPPROTO_HIP || next == IPPROTO_SHIM6;
}

/*
 * Is the upper layer of an IPv6 packet TCP, or unclear?
 *
 * All packets of a flow must get the same answer, whether they are fragments or not. So only the
 * headers that every fragment repeats are walked (hop-by-hop, routing: RFC 8200 4.5), and the
 * fragment header itself; an extension header after those is visible in the first fragment only
 * and makes the packet unclear.
 */
static __always_inline bool ipv6_is_tcp_or_unclear(void *l3, void *end)
{
	__u8 *header = l3;
	__u8 next;
	int i;

	if ((void *)header + IPV6_BYTES > end)
		return true;
	next = header[IPV6_NEXT_AT];
	header += IPV6_BYTES;
#pragma unroll
	for (i = 0; i < IPV6_HEADERS_MAX; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT)
			break;
		if ((void *)(header + 8) > end)
			return true;
		if (next == IPPROTO_FRAGMENT) {
			next = header[0];
			break;
		}
		next = header[0];
		header += (header[1] + 1) * 8;
	}
	return next == IPPROTO_TCP || ipv6_next_is_extension(next);
}

/*
 * Is this frame TCP, or is it not certain that it is not? The answer is the same for every frame
 * of a flow, so that one lane carries them all. IPv4 says the protocol in every fragment.
 */
static __always_inline bool is_tcp_or_unclear(__be16 proto, void *l3, void *end)
{
	if (proto == bpf_htons(ETH_P_IP)) {
		if (l3 + IPV4_MIN_BYTES > end)
			return true;
		return ((__u8 *)l3)[IPV4_PROTO_AT] == IPPROTO_TCP;
	}
	if (proto == bpf_htons(ETH_P_IPV6))
		return ipv6_is_tcp_or_unclear(l3, end);
	return false;
}

/* Bytes of headers in front of the payload of a GSO frame, or 0 if they are none we know. */
static __always_inline __u32 gso_header_bytes(struct __sk_buff *skb, __u32 l3_at, __be16 proto)
{
	__u8 l3[IPV4_MIN_BYTES];
	__u8 tcp_words;
	__u32 l4_at;
	__u8 l4;

	if (bpf_skb_load_bytes(skb, l3_at, l3, sizeof(l3)))
		return 0;
	if (proto == bpf_htons(ETH_P_IP)) {
		l4_at = l3_at + (l3[0] & 0x0f) * 4;
		l4 = l3[IPV4_PROTO_AT];
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		l4_at = l3_at + IPV6_BYTES;
		l4 = l3[IPV6_NEXT_AT];
	} else {
		return 0;
	}
	if (l4 == IPPROTO_UDP)
		return l4_at + 8;
	if (l4 != IPPROTO_TCP || bpf_skb_load_bytes(skb, l4_at + 12, &tcp_words, 1))
		return 0;
	return l4_at + (tcp_words >> 4) * 4;
}

/*
 * Packets and bytes on the wire of an skb. A guest's GSO frame comes without gso_segs, so the
 * segments are counted from the payload.
 */
static __always_inline void frame_set_size(struct vxdp_frame *frame, struct __sk_buff *skb,
					   __u32 l3_at, __be16 proto)
{
	__u32 gso_size = skb->gso_size;
	__u32 headers;

	frame->packets = 1;
	frame->bytes = skb->len;
	if (skb->vlan_present)
		frame->bytes += sizeof(struct vlan_tag);
	if (!gso_size)
		return;
	headers = gso_header_bytes(skb, l3_at, proto);
	if (skb->gso_segs)
		frame->packets = skb->gso_segs;
	else if (headers < skb->len)
		frame->packets = (skb->len - headers + gso_size - 1) / gso_size;
	frame->bytes += (frame->packets - 1) * headers;
}

/*
 * Put the Ethernet header back in front of an skb that generic XDP has let through.
 *
 * From Linux 6.9 on (skb_pp_cow_data()) such an skb is often a copy, whose mac_len nobody has set:
 * TC then sees the frame without its Ethernet header, and would forward it so. Pushing room for the
 * header makes the kernel work mac_len out again; what is to stand there was at the mac_header.
 */
static __always_inline void restore_mac_header(struct __sk_buff *skb)
{
	struct ethhdr eth, seen = {};

	if (bpf_skb_load_bytes_relative(skb, 0, &eth, sizeof(eth), BPF_HDR_START_MAC))
		return;
	bpf_skb_load_bytes(skb, 0, &seen, sizeof(seen));
	if (mac_equal(eth.h_dest, seen.h_dest) && mac_equal(eth.h_source, seen.h_source) &&
	    eth.h_proto == seen.h_proto)
		return;
	if (!bpf_skb_change_head(skb, sizeof(eth), 0))
		bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0);
}

/* The head nearly always has the Ethernet header; where it does, no helper is called for it. */
static __always_inline bool load_ethernet(struct __sk_buff *skb, struct ethhdr *eth)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + sizeof(*eth) > end)
		return !bpf_skb_load_bytes(skb, 0, eth, sizeof(*eth));
	__builtin_memcpy(eth, data, sizeof(*eth));
	return true;
}

/* Addresses, tag and size of an skb; false if it is too short to have any. */
static __always_inline bool parse_skb(struct __sk_buff *skb, struct vxdp_frame *frame)
{
	__u32 l3_at = sizeof(struct ethhdr);
	struct vlan_tag tag;
	struct ethhdr eth;
	__be16 proto;

	frame->tag_proto = bpf_htons(ETH_P_8021Q);
	frame->packets = 1;
	frame->bytes = skb->len;
	if (!load_ethernet(skb, &eth))
		return false;
	proto = eth.h_proto;
	if (skb->vlan_present) {
		frame_set_tag(frame, skb->vlan_proto, skb->vlan_tci);
	} else if (is_vlan(proto) && !bpf_skb_load_bytes(skb, l3_at, &tag, sizeof(tag))) {
		frame_set_tag(frame, proto, bpf_ntohs(tag.tci));
		proto = tag.inner_proto;
		l3_at += sizeof(tag);
	}
	frame_set_keys(frame, &eth);
	frame_set_size(frame, skb, l3_at, proto);
	return true;
}

#endif /* VXDP_PARSE_BPF_H */
