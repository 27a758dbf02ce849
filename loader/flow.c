/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include <vxdp/util.h>

#define REFRESH_NS     1000000000ULL
#define VLAN_TAGS_MAX  2
#define VLAN_TAG_BYTES 4
#define VLAN_ID_MASK   0x0fff
#define IPV6_HDR_BYTES 40
#define IPV6_EXT_MAX   6
#define ETH_P_8021AD_  0x88a8

struct headers {
	uint64_t dst; /* 48 bits */
	uint64_t src;
	uint16_t vlan; /* id of the outer tag, 0 = none */
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
	h->vlan = 0;
	h->ethertype = load_be16(frame + 2 * ETH_ALEN);
	h->l3_offset = ETH_HLEN;
	for (int tag = 0; tag < VLAN_TAGS_MAX; tag++) {
		if (h->ethertype != ETH_P_8021Q && h->ethertype != ETH_P_8021AD_)
			return;
		if (h->l3_offset + VLAN_TAG_BYTES > bytes)
			return;
		if (!tag)
			h->vlan = load_be16(frame + h->l3_offset) & VLAN_ID_MASK;
		h->ethertype = load_be16(frame + h->l3_offset + 2);
		h->l3_offset += VLAN_TAG_BYTES;
	}
}

/* The same walk as in bpf/parse.bpf.h: both directions of a connection agree on their lane. */
static bool is_tcp6(const uint8_t *ip, size_t bytes)
{
	size_t offset = IPV6_HDR_BYTES;
	uint8_t next;

	if (bytes < IPV6_HDR_BYTES)
		return false;
	next = ip[6];
	for (int i = 0; i < IPV6_EXT_MAX; i++) {
		size_t ext = offset;

		if (next == IPPROTO_TCP)
			return true;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_DSTOPTS)
			return false;
		if (ext + 8 > bytes)
			return false;
		offset += next == IPPROTO_FRAGMENT ? 8 : ((size_t)ip[ext + 1] + 1) * 8;
		next = ip[ext];
	}
	return false;
}

static bool is_tcp(const uint8_t *frame, size_t bytes, const struct headers *h)
{
	const uint8_t *ip = frame + h->l3_offset;
	size_t left = bytes - h->l3_offset;

	if (h->ethertype == ETH_P_IP)
		return left >= 20 && ip[9] == IPPROTO_TCP;
	return h->ethertype == ETH_P_IPV6 && is_tcp6(ip, left);
}

static void mac_store(uint64_t mac, uint8_t out[ETH_ALEN])
{
	for (int i = 0; i < ETH_ALEN; i++)
		out[i] = (uint8_t)(mac >> (8 * (ETH_ALEN - 1 - i)));
}

static bool fdb_lookup(const struct flow_tables *tables, uint64_t mac, uint16_t vlan,
		       struct vxdp_fdb_key *key, struct vxdp_fdb_entry *entry)
{
	mac_store(mac, key->mac);
	key->vlan = vlan;
	return bpf_map_lookup_elem(tables->fdb_fd, key, entry) == 0;
}

/* Ask the maps, and keep the source alive there: on this lane the programs never see it. */
static enum flow_lane flow_look_up(struct flow_entry *e, const struct flow_tables *tables,
				   const struct headers *h, uint64_t now_ns)
{
	struct vxdp_fdb_entry entry;
	struct vxdp_fdb_key key;

	if ((h->src | h->dst) & (1ULL << 40)) /* a group address */
		return FLOW_KERNEL;
	if (!fdb_lookup(tables, h->dst, h->vlan, &key, &entry) || entry.port != VXDP_PORT_UPLINK)
		return FLOW_KERNEL;
	if (!fdb_lookup(tables, h->src, h->vlan, &key, &entry) || entry.port != tables->port_id)
		return FLOW_KERNEL;
	if (now_ns - entry.last_seen_ns >= REFRESH_NS && now_ns > entry.last_seen_ns) {
		entry.last_seen_ns = now_ns;
		bpf_map_update_elem(tables->fdb_fd, &key, &entry, BPF_EXIST);
	}
	e->refreshed_ns = now_ns;
	return FLOW_DIRECT;
}

enum flow_lane flow_lane(struct flow_cache *cache, const struct flow_tables *tables,
			 const uint8_t *frame, size_t bytes, uint64_t now_ns)
{
	uint64_t generation = __atomic_load_n(tables->generation, __ATOMIC_RELAXED);
	struct flow_entry *e;
	struct headers h;
	uint64_t dst_and_vlan;

	parse_ethernet(frame, bytes, &h);
	if (tables->tcp_kernel && is_tcp(frame, bytes, &h))
		return FLOW_KERNEL;

	dst_and_vlan = h.dst << 16 | h.vlan;
	e = &cache->entry[((dst_and_vlan ^ h.src) * 0x9e3779b97f4a7c15ULL) >> 56];
	if (unlikely(e->dst_and_vlan != dst_and_vlan || e->src != h.src ||
		     e->generation != generation || now_ns - e->refreshed_ns >= REFRESH_NS)) {
		e->refreshed_ns = now_ns;
		e->lane = flow_look_up(e, tables, &h, now_ns);
		e->dst_and_vlan = dst_and_vlan;
		e->src = h.src;
		e->generation = generation;
	}
	return e->lane;
}
