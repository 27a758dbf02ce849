/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.h - which lane a guest's frame takes.
 *
 * One truth: what forwards is in the pinned maps, and a cached answer only repeats what they said
 * under the same generation of the configuration. Both addresses must be known, the source on
 * this port and the destination behind an uplink or on another guest's port; whatever is new,
 * flooded or for somebody else goes to the kernel lane, whose programs learn and forward it.
 *
 * One lane a flow: the answer depends only on what is the same in all frames of a flow (addresses,
 * VLAN, protocol), never on a frame's size or offload request, so nothing overtakes anything.
 * When the answer changes, see lane_guest.h.
 */
#ifndef VXDP_LOADER_FLOW_H
#define VXDP_LOADER_FLOW_H

#include <endian.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vxdp/abi.h>
#include <vxdp/util.h>

#include "pins.h"

#define FLOW_SETS	4096 /* a power of two */
#define FLOW_WAYS	2
#define FLOW_PEEK_BYTES 128 /* headers looked at, at most */
#define FLOW_REFRESH_NS 1000000000ULL
#define FLOW_RETRY_NS	1000000ULL
#define FLOW_TAGGED	0x8000 /* beside a VLAN id */

enum flow_lane { FLOW_KERNEL, FLOW_DIRECT, FLOW_GUEST };

/* Addresses as they lie in the frame, first byte lowest. */
struct flow_key {
	uint64_t dst_and_vlan; /* destination << 16 | has a tag << 15 | its VLAN id */
	uint64_t src_and_port; /* source << 16 | port it comes from */
};

struct flow_entry {
	struct flow_key key;
	uint64_t refreshed_ns; /* when the FDB last heard of the source from here */
	uint32_t generation;
	uint16_t port; /* where it goes: port id */
	uint8_t lane;  /* enum flow_lane */
	uint8_t wire;  /* FLOW_DIRECT: entry of config.uplink[] */
};

_Static_assert(sizeof(struct flow_entry) * FLOW_WAYS == 64, "a set is a cache line");

/* Of one worker. */
struct flow_cache {
	struct flow_entry set[FLOW_SETS][FLOW_WAYS];
} __attribute__((aligned(64)));

/* Where the answers come from. */
struct flow_tables {
	const struct vxdp_pins *pins;
	uint16_t port_id;
	bool tcp_kernel; /* TCP to and from the wire takes the kernel lane */
};

/** flow_generation() - of the configuration, to be asked once for each burst */
static inline uint32_t flow_generation(const struct flow_tables *tables)
{
	return (uint32_t)__atomic_load_n(&tables->pins->mapped_config->generation,
					 __ATOMIC_RELAXED);
}

/**
 * flow_key_of() - what tells a frame's flow from others
 * @frame: its first bytes, which nobody else can change meanwhile
 * @bytes: at least 14
 */
static inline struct flow_key flow_key_of(const uint8_t *frame, size_t bytes, uint16_t port_id)
{
	uint64_t dst, src, vlan = 0;
	uint16_t type, tci;

	memcpy(&dst, frame, sizeof(dst));
	memcpy(&src, frame + ETH_ALEN, sizeof(src));
	memcpy(&type, frame + 2 * ETH_ALEN, sizeof(type));
	if (unlikely((type == htobe16(ETH_P_8021Q) || type == htobe16(ETH_P_8021AD)) &&
		     bytes >= ETH_HLEN + 4)) {
		memcpy(&tci, frame + ETH_HLEN, sizeof(tci));
		vlan = FLOW_TAGGED | (be16toh(tci) & VXDP_VLAN_MASK);
	}
	return (struct flow_key){le64toh(dst) << 16 | vlan, le64toh(src) << 16 | port_id};
}

static inline struct flow_entry *flow_set(struct flow_cache *cache, const struct flow_key *key)
{
	uint64_t hash = (key->dst_and_vlan ^ key->src_and_port >> 7) * 0x9e3779b97f4a7c15ULL;

	return cache->set[hash >> 52];
}

_Static_assert(FLOW_SETS == 1 << 12, "flow_set() takes that many bits");

/**
 * flow_find() - the answer, if it is cached and still true
 * @now_ns: CLOCK_MONOTONIC, may be some microseconds old
 */
static inline struct flow_entry *flow_find(struct flow_cache *cache, const struct flow_key *key,
					   uint32_t generation, uint64_t now_ns)
{
	struct flow_entry *e = flow_set(cache, key);

	for (int i = 0; i < FLOW_WAYS; i++, e++)
		if (e->key.dst_and_vlan == key->dst_and_vlan &&
		    e->key.src_and_port == key->src_and_port)
			return likely(e->generation == generation &&
				      now_ns - e->refreshed_ns < FLOW_REFRESH_NS)
				       ? e
				       : NULL;
	return NULL;
}

/**
 * flow_look_up() - ask the maps, and cache the answer
 * @stays: set to: the flow was in this lane, to this port, all the time
 */
struct flow_entry *flow_look_up(struct flow_cache *cache, const struct flow_tables *tables,
				const struct flow_key *key, uint32_t generation, uint64_t now_ns,
				bool *stays);

/** flow_slow() - kernel lane for the moment; asked anew in FLOW_RETRY_NS */
static inline void flow_slow(struct flow_entry *e, uint64_t now_ns)
{
	e->lane = FLOW_KERNEL;
	e->refreshed_ns = now_ns - FLOW_REFRESH_NS + FLOW_RETRY_NS;
}

/** flow_forget() - everything that comes from a port */
void flow_forget(struct flow_cache *cache, uint16_t port_id);

/**
 * flow_is_tcp_or_unclear() - does a frame belong to a TCP connection, as far as can be seen?
 * @frame: its first bytes, private
 * @bytes: at least 14; FLOW_PEEK_BYTES is enough
 */
bool flow_is_tcp_or_unclear(const uint8_t *frame, size_t bytes);

/** flow_hash() - that of vxdp_tap_steering (bpf/steer.bpf.h), for the same @frame and @bytes */
uint32_t flow_hash(const uint8_t *frame, size_t bytes);

#endif /* VXDP_LOADER_FLOW_H */
