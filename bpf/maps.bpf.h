/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * maps.bpf.h - every map that the tool pins, by these names in $VXDP_BPFFS/vxdp/<nic>/, and that
 * `bpftool map dump pinned` prints by the names of abi.h. Three more are the programs' own:
 * capture_scratch, fast_flows and tc_flows.
 */
#ifndef VXDP_MAPS_BPF_H
#define VXDP_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <vxdp/abi.h>

/* Which port an address is behind. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VXDP_FDB_MAX);
	__type(key, struct vxdp_fdb_key);
	__type(value, struct vxdp_fdb_entry);
} fdb SEC(".maps");

/* How many addresses each port has taught; held against config.fdb_port_max. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} learned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_policy);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_meter);
} meters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VXDP_PORT_MACS_MAX);
	__type(key, struct vxdp_port_mac);
	__type(value, __u8);
} port_macs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} port_by_ifindex SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, VXDP_NIC_QUEUES_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_queue);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VXDP_NIC_QUEUES_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_turns);
} queue_turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_turns);
} port_turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, VXDP_NIC_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

/* Tap ports that XDP reaches, by port id; the kernel takes out those whose netdev goes. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} taps SEC(".maps");

/* CPUs 0 to config.n_cpus - 1, each with vxdp_uplink_cpu. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, VXDP_SPREAD_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct bpf_cpumap_val);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VXDP_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct vxdp_port_stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vxdp_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} capture SEC(".maps");

static __always_inline struct vxdp_config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

/* A port that is there, or NULL. */
static __always_inline struct vxdp_port *port_get(__u32 id)
{
	struct vxdp_port *port = bpf_map_lookup_elem(&ports, &id);

	return port && port->ifindex ? port : NULL;
}

#endif /* VXDP_MAPS_BPF_H */
