/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.h - which lane a guest's frame takes.
 *
 * One truth: what forwards is in the pinned maps, and a cached answer only repeats what they said
 * under the same generation of the configuration. Both addresses must be known, the source on
 * this port and the destination behind the uplink; whatever is new, flooded or for somebody else
 * goes to the kernel lane, whose programs learn and forward it.
 *
 * One lane a flow: the answer depends only on what is the same in all frames of a flow (addresses,
 * VLAN, protocol), never on a frame's size or offload request, so nothing overtakes anything.
 */
#ifndef VXDP_LOADER_FLOW_H
#define VXDP_LOADER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vxdp/abi.h>

#include "pins.h"

#define FLOW_ENTRIES	256 /* direct-mapped, a power of two */
#define FLOW_PEEK_BYTES 128 /* headers looked at, at most */

enum flow_lane { FLOW_KERNEL, FLOW_DIRECT };

struct flow_entry {
	uint64_t dst_and_vlan; /* destination << 16 | has a tag << 15 | its VLAN id */
	uint64_t src;
	uint64_t generation;
	uint64_t refreshed_ns; /* when the FDB last heard of the source from here */
	enum flow_lane lane;
};

struct flow_cache {
	struct flow_entry entry[FLOW_ENTRIES];
};

/* Where the answers come from. */
struct flow_tables {
	const struct vxdp_pins *pins;
	uint16_t port_id;
	bool tcp_kernel; /* TCP takes the kernel lane */
};

/**
 * flow_lane() - the lane of one frame
 * @frame: its first bytes, which nobody else can change meanwhile
 * @bytes: at least 14; FLOW_PEEK_BYTES is enough
 * @now_ns: CLOCK_MONOTONIC, may be some microseconds old
 */
enum flow_lane flow_lane(struct flow_cache *cache, const struct flow_tables *tables,
			 const uint8_t *frame, size_t bytes, uint64_t now_ns);

#endif /* VXDP_LOADER_FLOW_H */
