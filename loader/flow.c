/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <endian.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <vxdp/util.h>
#include <vxdp/vlan.h>

#define REFRESH_NS	 1000000000ULL
#define VLAN_TAGS_MAX	 2
#define VLAN_TAG_BYTES	 4
#define TAGGED		 0x8000 /* beside a VLAN id */
#define IPV6_HDR_BYTES	 40
#define IPV6_HEADERS_MAX 4
#define IPPROTO_HIP	 139 /* not in the C library */
#define IPPROTO_SHIM6	 140
#define ETH_P_8021AD_	 0x88a8

struct headers {
	uint64_t dst; /* 48 bits */
	uint64_t src;
	bool tagged;
	uint16_t vid; /* of the outer tag */
	uint16_t ethertype;
	size_t l3_offset;
};

static uint16_t load_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint64_t load_be48(const uint8_t *p)
{
	return (uint64_t)load_be16(p) << 32 | (uint64_t)load_be16(p + 2) << 16 | load_be16(p + 4);
}

static void parse_ethernet(const uint8_t *frame, size_t bytes, struct headers *h)
{
	h->dst = load_be48(frame);
	h->src = load_be48(frame + ETH_ALEN);
	h->tagged = false;
	h->vid = 0;
	h->ethertype = load_be16(frame + 2 * ETH_ALEN);
	h->l3_offset = ETH_HLEN;
	for (int tag = 0; tag < VLAN_TAGS_MAX; tag++) {
		if (h->ethertype != ETH_P_8021Q && h->ethertype != ETH_P_8021AD_)
			return;
		if (h->l3_offset + VLAN_TAG_BYTES > bytes)
			return;
		if (!tag)
			h->vid = load_be16(frame + h->l3_offset) & VXDP_VLAN_MASK;
		h->tagged = true;
		h->ethertype = load_be16(frame + h->l3_offset + 2);
		h->l3_offset += VLAN_TAG_BYTES;
	}
}

static bool ipv6_is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH || next == IPPROTO_MH ||
	       next == IPPROTO_HIP || next == IPPROTO_SHIM6;
}

/*
 * The same answer as in bpf/parse.bpf.h, so that both directions of a connection agree on their
 * lane, and the same for every fragment: only headers that all fragments repeat are walked.
 */
static bool ipv6_is_tcp_or_unclear(const uint8_t *ip, size_t bytes)
{
	size_t at = IPV6_HDR_BYTES;
	uint8_t next;

	if (bytes < IPV6_HDR_BYTES)
		return true;
	next = ip[6];
	for (int i = 0; i < IPV6_HEADERS_MAX; i++) {
		uint8_t type = next;

		if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_FRAGMENT)
			break;
		if (at + 8 > bytes)
			return true;
		next = ip[at];
		if (type == IPPROTO_FRAGMENT)
			break;
		at += ((size_t)ip[at + 1] + 1) * 8;
	}
	return next == IPPROTO_TCP || ipv6_is_extension(next);
}

static bool is_tcp_or_unclear(const uint8_t *frame, size_t bytes, const struct headers *h)
{
	const uint8_t *ip = frame + h->l3_offset;
	size_t left = bytes - h->l3_offset;

	if (h->ethertype == ETH_P_IP)
		return left < 20 || ip[9] == IPPROTO_TCP;
	return h->ethertype == ETH_P_IPV6 && ipv6_is_tcp_or_unclear(ip, left);
}

static void mac_store(uint64_t mac, uint8_t out[ETH_ALEN])
{
	for (int i = 0; i < ETH_ALEN; i++)
		out[i] = (uint8_t)(mac >> (8 * (ETH_ALEN - 1 - i)));
}

/* Ask the maps, and keep the source alive there: on this lane the programs never see it. */
static enum flow_lane flow_look_up(const struct flow_tables *tables, const struct headers *h)
{
	const struct vxdp_policy *in = &tables->pins->mapped_policies[tables->port_id];
	int vlan = vxdp_vlan_in(in, h->tagged, h->vid);
	struct vxdp_fdb_key dst = {.vlan = (uint16_t)vlan}, src = {.vlan = (uint16_t)vlan};
	struct vxdp_fdb_entry entry;

	if ((h->src | h->dst) & (1ULL << 40)) /* a group address */
		return FLOW_KERNEL;
	if (!vxdp_policy_plain(in, &tables->pins->mapped_policies[VXDP_PORT_UPLINK], h->tagged,
			       h->vid))
		return FLOW_KERNEL;
	mac_store(h->dst, dst.mac);
	if (vxdp_fdb_get(tables->pins, &dst, &entry) || entry.port != VXDP_PORT_UPLINK)
		return FLOW_KERNEL;
	mac_store(h->src, src.mac);
	if (vxdp_fdb_get(tables->pins, &src, &entry) || entry.port != tables->port_id)
		return FLOW_KERNEL;
	if (in->flags & VXDP_POLICY_SPOOF_CHECK &&
	    !vxdp_port_mac_allowed(tables->pins, tables->port_id, src.mac))
		return FLOW_KERNEL;
	vxdp_fdb_refresh(tables->pins, &src, tables->port_id);
	return FLOW_DIRECT;
}

enum flow_lane flow_lane(struct flow_cache *cache, const struct flow_tables *tables,
			 const uint8_t *frame, size_t bytes, uint64_t now_ns)
{
	uint64_t generation =
		__atomic_load_n(&tables->pins->mapped_config->generation, __ATOMIC_RELAXED);
	struct flow_entry *e;
	struct headers h;
	uint64_t dst_and_vlan;

	parse_ethernet(frame, bytes, &h);
	if (tables->tcp_kernel && is_tcp_or_unclear(frame, bytes, &h))
		return FLOW_KERNEL;

	dst_and_vlan = h.dst << 16 | h.vid | (h.tagged ? TAGGED : 0);
	e = &cache->entry[((dst_and_vlan ^ h.src) * 0x9e3779b97f4a7c15ULL) >> 56];
	if (unlikely(e->dst_and_vlan != dst_and_vlan || e->src != h.src ||
		     e->generation != generation || now_ns - e->refreshed_ns >= REFRESH_NS)) {
		e->refreshed_ns = now_ns;
		e->lane = flow_look_up(tables, &h);
		e->dst_and_vlan = dst_and_vlan;
		e->src = h.src;
		e->generation = generation;
	}
	return e->lane;
}
