/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <netinet/in.h>
#include <string.h>

#include <vxdp/util.h>
#include <vxdp/vlan.h>

#define VLAN_TAGS_MAX	   2
#define VLAN_TAG_BYTES	   4
#define IPV6_HDR_BYTES	   40
#define IPV6_HEADERS_MAX   4
#define IPPROTO_HIP	   139 /* not in the C library */
#define IPPROTO_SHIM6	   140
#define IPV4_MIN_BYTES	   20
#define IPV4_PROTO_AT	   9
#define IPV4_FRAGMENT_BITS 0x3fff /* "more fragments" and the offset */

static uint16_t load_be16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The ethertype behind VLAN tags, and where what it names begins. */
static uint16_t find_l3(const uint8_t *frame, size_t bytes, size_t *l3)
{
	uint16_t type = load_be16(frame + 2 * ETH_ALEN);

	*l3 = ETH_HLEN;
	for (int tag = 0; tag < VLAN_TAGS_MAX; tag++) {
		if ((type != ETH_P_8021Q && type != ETH_P_8021AD) || *l3 + VLAN_TAG_BYTES > bytes)
			break;
		type = load_be16(frame + *l3 + 2);
		*l3 += VLAN_TAG_BYTES;
	}
	return type;
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

bool flow_is_tcp_or_unclear(const uint8_t *frame, size_t bytes)
{
	size_t l3;
	uint16_t type = find_l3(frame, bytes, &l3);
	const uint8_t *ip = frame + l3;

	if (type == ETH_P_IP)
		return bytes - l3 < IPV4_MIN_BYTES || ip[IPV4_PROTO_AT] == IPPROTO_TCP;
	return type == ETH_P_IPV6 && ipv6_is_tcp_or_unclear(ip, bytes - l3);
}

static uint32_t ports_hash(const uint8_t *l4, size_t bytes, uint8_t proto)
{
	uint16_t a, b;

	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || bytes < 2 * sizeof(a))
		return 0;
	memcpy(&a, l4, sizeof(a));
	memcpy(&b, l4 + sizeof(a), sizeof(b));
	return (uint32_t)(a ^ b) * 0x9e3779b1;
}

static uint32_t hash_mix(uint32_t hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static uint32_t ipv4_hash(const uint8_t *ip, size_t bytes)
{
	uint32_t hash;
	size_t l4;

	if (bytes < IPV4_MIN_BYTES)
		return 0;
	l4 = (ip[0] & 0x0fu) * 4;
	hash = load32(ip + 12) ^ load32(ip + 16);
	if (load_be16(ip + 6) & IPV4_FRAGMENT_BITS || l4 > bytes)
		return hash;
	return hash ^ ports_hash(ip + l4, bytes - l4, ip[IPV4_PROTO_AT]);
}

static uint32_t ipv6_hash(const uint8_t *ip, size_t bytes)
{
	uint32_t hash = 0;

	if (bytes < IPV6_HDR_BYTES)
		return 0;
	for (int i = 8; i < IPV6_HDR_BYTES; i += 4)
		hash ^= load32(ip + i);
	return hash ^ ports_hash(ip + IPV6_HDR_BYTES, bytes - IPV6_HDR_BYTES, ip[6]);
}

uint32_t flow_hash(const uint8_t *frame, size_t bytes)
{
	size_t l3;
	uint16_t type = find_l3(frame, bytes, &l3);

	if (type == ETH_P_IP)
		return hash_mix(ipv4_hash(frame + l3, bytes - l3));
	if (type == ETH_P_IPV6)
		return hash_mix(ipv6_hash(frame + l3, bytes - l3));
	return 0;
}

/* ---- Asking the maps ---- */

static void mac_store(uint64_t address_and_more, uint8_t out[ETH_ALEN])
{
	for (int i = 0; i < ETH_ALEN; i++)
		out[i] = (uint8_t)(address_and_more >> (16 + 8 * i));
}

static bool is_tagged(const struct flow_key *key)
{
	return key->dst_and_vlan & FLOW_TAGGED;
}

static uint16_t vid_of(const struct flow_key *key)
{
	return key->dst_and_vlan & VXDP_VLAN_MASK;
}

static bool has_group_address(const struct flow_key *key)
{
	return (key->dst_and_vlan | key->src_and_port) >> 16 & 1;
}

/*
 * May frames of this flow pass from one port to the other just as they are? Everything the user
 * has set for the pair of them is asked here.
 */
static bool passes(const struct flow_tables *tables, const struct flow_key *key, uint32_t out)
{
	const struct vxdp_policy *policies = tables->pins->mapped_policies;

	return vxdp_policy_plain(&policies[tables->port_id], &policies[out], is_tagged(key),
				 vid_of(key));
}

static bool may_send(const struct flow_tables *tables, const uint8_t src[ETH_ALEN])
{
	const struct vxdp_policy *in = &tables->pins->mapped_policies[tables->port_id];

	return !(in->flags & VXDP_POLICY_SPOOF_CHECK) ||
	       vxdp_port_mac_allowed(tables->pins, tables->port_id, src);
}

/* Is the port the wire of an uplink? Then its entry in config.uplink[], else -1. */
static int wire_of(const struct flow_tables *tables, uint16_t port)
{
	const struct vxdp_config *config = tables->pins->mapped_config;

	if (port == VXDP_PORT_UPLINK)
		return 0;
	for (unsigned int i = 1; i < VXDP_UPLINKS_MAX; i++)
		if (__atomic_load_n(&config->uplink[i].port, __ATOMIC_RELAXED) == port)
			return (int)i;
	return -1;
}

/*
 * Ask, set e->port and e->wire, and keep the source alive: on the fast lanes the programs never see
 * it.
 */
static enum flow_lane ask(const struct flow_tables *tables, const struct flow_key *key,
			  struct flow_entry *e)
{
	const struct vxdp_policy *in = &tables->pins->mapped_policies[tables->port_id];
	int vlan = vxdp_vlan_in(in, is_tagged(key), vid_of(key));
	struct vxdp_fdb_key dst = {.vlan = (uint16_t)vlan}, src = {.vlan = (uint16_t)vlan};
	struct vxdp_fdb_entry entry;
	uint16_t port;
	int wire;

	if (has_group_address(key) || vlan == VXDP_VLAN_REFUSED)
		return FLOW_KERNEL;
	mac_store(key->dst_and_vlan, dst.mac);
	if (vxdp_fdb_get(tables->pins, &dst, &entry))
		return FLOW_KERNEL;
	port = e->port = entry.port;
	if (port == VXDP_PORT_HOST || port == tables->port_id || port >= VXDP_PORTS_MAX)
		return FLOW_KERNEL;
	mac_store(key->src_and_port, src.mac);
	if (vxdp_fdb_get(tables->pins, &src, &entry) || entry.port != tables->port_id)
		return FLOW_KERNEL;
	if (!passes(tables, key, port) || !may_send(tables, src.mac))
		return FLOW_KERNEL;
	vxdp_fdb_refresh(tables->pins, &src, tables->port_id);
	wire = wire_of(tables, port);
	e->wire = (uint8_t)MAX(wire, 0);
	return wire >= 0 ? FLOW_DIRECT : FLOW_GUEST;
}

/* The entry of this flow, or the older one of its set. */
static struct flow_entry *entry_for(struct flow_cache *cache, const struct flow_key *key)
{
	struct flow_entry *e = flow_set(cache, key), *oldest = e;

	for (int i = 0; i < FLOW_WAYS; i++, e++) {
		if (!memcmp(&e->key, key, sizeof(*key)))
			return e;
		if (e->refreshed_ns < oldest->refreshed_ns)
			oldest = e;
	}
	return oldest;
}

struct flow_entry *flow_look_up(struct flow_cache *cache, const struct flow_tables *tables,
				const struct flow_key *key, uint32_t generation, uint64_t now_ns,
				bool *stays)
{
	struct flow_entry *e = entry_for(cache, key), old = *e;

	*e = (struct flow_entry){
		.key = *key,
		.refreshed_ns = now_ns,
		.generation = generation,
		.port = VXDP_PORT_NONE,
	};
	e->lane = ask(tables, key, e);
	*stays = !memcmp(&old.key, key, sizeof(*key)) && old.lane == e->lane && old.port == e->port;
	return e;
}

void flow_forget(struct flow_cache *cache, uint16_t port_id)
{
	struct flow_entry *e = cache->set[0];

	for (unsigned int i = 0; i < FLOW_SETS * FLOW_WAYS; i++, e++)
		if ((uint16_t)e->key.src_and_port == port_id)
			*e = (struct flow_entry){};
}
