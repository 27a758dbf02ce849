/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * abi.h - what the BPF programs and the tool share: the layout of the pinned maps.
 *
 * Plain structs of fixed-width integers with every byte of padding named, so that `bpftool map
 * dump` prints all of it by name and no byte of a hash key is ever uninitialised. No functions,
 * pointers, bool or long. Compiles as BPF (with vmlinux.h or UAPI headers) and as C11.
 */
#ifndef VXDP_ABI_H
#define VXDP_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#include "verdict.h"

#define VXDP_ABI_VERSION 2u

#define VXDP_PORTS_MAX	     256u   /* entries of the ports map; ids 0..2 are taken, see below */
#define VXDP_NIC_QUEUES_MAX  256u   /* NIC receive queues that can be given to a port */
#define VXDP_SPREAD_CPUS_MAX 64u    /* CPUs over which flows for taps are spread */
#define VXDP_FDB_MAX	     65536u /* addresses a switch remembers */
#define VXDP_FDB_WIRE_MAX    49152u /* of these, what the wire or the host may teach by default */
#define VXDP_PORT_MACS_MAX   16384u /* entries of port_macs, of all ports together */
#define VXDP_UPLINKS_MAX     8u	    /* NICs of one switch; a power of two */

/* Port ids. A port keeps its id for as long as it is attached. */
#define VXDP_PORT_NONE	 0u /* never a port */
#define VXDP_PORT_UPLINK 1u /* the wire behind the first NIC */
#define VXDP_PORT_HOST	 2u /* the host's own stack, whose address stays on that NIC */
#define VXDP_PORT_FIRST	 3u /* first id given to a guest, or to a further NIC */

enum vxdp_port_kind {
	VXDP_KIND_NONE = 0,
	VXDP_KIND_UPLINK = 1,
	VXDP_KIND_HOST = 2,
	VXDP_KIND_VM = 3,  /* vhost-user port: its tap belongs to the vxdp process */
	VXDP_KIND_TAP = 4, /* tap port: served by the kernel alone */
};

/* vxdp_port.flags */
#define VXDP_PORT_UP	     0x0001u /* the guest is there and its rings run */
#define VXDP_PORT_DIRECT     0x0002u /* XDP may send frames to its AF_XDP sockets, or its tap */
#define VXDP_PORT_TCP_KERNEL 0x0004u /* TCP for it takes the kernel lane: GRO in, TSO out */
#define VXDP_PORT_CAPTURE    0x0008u /* `vxdp dump` is listening */
#define VXDP_PORT_SHARED     0x0010u /* frames may go to it through VXDP_QUEUE_SHARED queues */
#define VXDP_PORT_TAP_XDP    0x0020u /* its guest finishes checksums: XDP runs on its tap too */
#define VXDP_PORT_SPREAD     0x0080u /* XDP spreads its flows over CPUs, and so over its queues */

/* ports map: array, index = port id. ifindex 0 = free entry. */
struct vxdp_port {
	__u32 ifindex;		  /* netdev: the NIC or the port's tap */
	__u16 kind;		  /* enum vxdp_port_kind */
	__u16 flags;		  /* VXDP_PORT_* */
	__u32 direct_frame_bytes; /* longest frame the direct lane takes, from the Ethernet header
				     on */
	__u32 capture_bytes;	  /* how much of each frame `vxdp dump` wants */
	char name[16];		  /* as `vxdp status` prints it */
};

/* How a port takes part in VLANs; the rules are in vlan.h. */
enum vxdp_vlan_mode {
	VXDP_VLAN_ALL = 0,    /* carries every VLAN as it is: tags come and go with the frames */
	VXDP_VLAN_ACCESS = 1, /* in one VLAN, and does not see tags */
	VXDP_VLAN_TRUNK = 2,  /* in the VLANs of a list, tagged, and in one more, untagged */
};

#define VXDP_VLAN_MASK 0x0fffu
#define VXDP_VLAN_MAX  4094u
#define VXDP_VLAN_NONE 0xffffu

/* vxdp_policy.flags */
#define VXDP_POLICY_NO_LEARN	0x0001u /* source addresses are not learnt here */
#define VXDP_POLICY_NO_FLOOD	0x0002u /* unknown unicast is not sent here */
#define VXDP_POLICY_ISOLATED	0x0004u /* does not talk to other isolated ports */
#define VXDP_POLICY_SPOOF_CHECK 0x0008u /* sends from the addresses in port_macs only */

/*
 * policies map: array, index = port id, memory-mapped by the tool. What the user has set for the
 * port; all zeros = no restrictions. Only the tool writes it, and raises the generation then.
 */
struct vxdp_policy {
	__u16 vlan_mode; /* enum vxdp_vlan_mode */
	__u16 pvid;	 /* ACCESS: its VLAN; TRUNK: VLAN of untagged frames, or VXDP_VLAN_NONE */
	__u32 flags;	 /* VXDP_POLICY_* */
	__u32 storm_pps; /* broadcast, multicast and unknown frames a second; 0 = no limit */
	__u32 mac_limit; /* addresses it may teach; 0 = config.fdb_port_max */
	__u64 vlans[64]; /* TRUNK: bit n % 64 of vlans[n / 64] = member of VLAN n, tagged */
};

/* meters map: array, index = port id. CLOCK_MONOTONIC until when what was let through is paid for.
 */
struct vxdp_meter {
	__u64 storm_ns; /* flooding, held against storm_pps */
	__u64 raise_ns; /* raising the generation by learning; of VXDP_PORT_NONE: removing aged
			   entries */
};

/* port_macs map: hash. With VXDP_POLICY_SPOOF_CHECK, an address the port may send from. */
struct vxdp_port_mac {
	__u16 port; /* port id */
	__u8 mac[6];
};

/* fdb map: hash. */
struct vxdp_fdb_key {
	__u8 mac[6];
	__u16 vlan; /* VLAN the frame belongs to (vlan.h), host byte order; 0 = untagged */
};

#define VXDP_FDB_STATIC 0x0001u /* does not age and does not move */

struct vxdp_fdb_entry {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC; refreshed about once a second */
	__u16 port;	    /* port id */
	__u16 flags;	    /* VXDP_FDB_* */
	__u32 moved_ms;	    /* when it moved, 0 = never; low bits of CLOCK_MONOTONIC */
};

/* An owner that is no port: the queue's AF_XDP socket has memory of vxdp's own, for all ports. */
#define VXDP_QUEUE_SHARED 0xffffu

/* queues map: array, index = NIC receive queue. Whose memory the queue's AF_XDP socket fills. */
struct vxdp_queue {
	__u16 owner;	 /* port id, VXDP_QUEUE_SHARED, or VXDP_PORT_NONE */
	__u16 hdr_bytes; /* of the empty virtio-net header its frames get in front: 10 or 12 */
};

/*
 * Flows from the wire that turned from one lane to another, counted before the first frame of the
 * new lane is on its way, so that who reads that one can let the older frames come first
 * (loader/turn.h). Memory-mapped by the tool.
 *
 *	queue_turns	array, index as in queues: left to TC until then, to this queue's socket now
 *	port_turns	array, index = port id of the guest: past the stack until then, TC's now
 */
struct vxdp_turns {
	__u32 count;
	__u32 done;    /* port_turns: of these, those for which the tool has seen to the order */
	__u32 pad[14]; /* a cache line: many look at it */
};

/* What a frame on a VXDP_QUEUE_SHARED queue gets in front. */
struct vxdp_shared_head {
	__u16 port; /* port id it goes to */
	__u16 pad[3];
};

/*
 * One NIC of the switch: a wire, and the host's own stack, which is a station of its own on each
 * NIC. Entry 0 is the NIC the switch began with, if there was one.
 */
struct vxdp_uplink {
	__u32 ifindex;	  /* 0 = free entry */
	__u16 port;	  /* id of the wire */
	__u16 host_port;  /* id of the host's stack on this NIC */
	__u16 queue_base; /* where its receive queues begin in the maps queues and xsks */
	__u16 n_queues;	  /* how many of them are there */
	__u8 host_mac[6];
	__u8 generic_xdp; /* 1: XDP runs in the stack, ours or, with no_xdp, another's */
	__u8 standby;	  /* 1: another uplink to the same wire carries the frames */
	__u8 leader;	  /* entry of the uplink whose wire it shares; its own: none */
	__u8 no_xdp;	  /* 1: none of our XDP is on it, and TC has all frames */
	__u8 pad[2];
};

/*
 * config map: one entry, memory-mapped by the tool. `generation` is raised whenever the FDB, a
 * port or a policy changes in a way that can change where a frame goes; whoever caches a decision
 * compares it first.
 */
struct vxdp_config {
	__u64 generation;
	__u32 abi_version;
	__u32 uplink_ifindex; /* of uplink[0], as are host_mac and generic_xdp */
	__u64 ageing_ns;      /* 0 = addresses never age */
	__u8 host_mac[6];
	__u8 generic_xdp;
	__u8 n_cpus;	     /* entries of the map cpus that are in use */
	__u32 fdb_port_max;  /* addresses one port may teach; 0 = no limit */
	__u32 n_ports_end;   /* one past the highest port id in use: bounds the flood loop */
	__u64 capture_lost;  /* records for which the capture ring had no room */
	__u32 n_uplinks_end; /* one past the last entry in use of uplink[] */
	__u32 tcp_is_tcs;    /* 1: no port takes TCP past the host's stack */
	struct vxdp_uplink uplink[VXDP_UPLINKS_MAX];
};

/* stats map: per-CPU array, index = port id. */
struct vxdp_counter {
	__u64 packets; /* wire packets: a GSO frame counts as its segments */
	__u64 bytes;
};

struct vxdp_port_stats {
#define VXDP_STATS_FIELD(NAME, name, is_drop, text) struct vxdp_counter name;
	VXDP_VERDICTS(VXDP_STATS_FIELD)
#undef VXDP_STATS_FIELD
};

/* capture map: ring buffer of these, each followed by captured_bytes of the frame. */
struct vxdp_capture {
	__u64 time_ns;	      /* CLOCK_MONOTONIC (bpf_ktime_get_ns) */
	__u32 frame_bytes;    /* on the wire */
	__u32 captured_bytes; /* what follows */
	__u16 port;	      /* port id it came from */
	__u16 out_port;	      /* port id it went to, or VXDP_PORT_NONE */
	__u16 verdict;	      /* enum vxdp_verdict */
	__u16 vlan_tci;	      /* tag that was not in the data any more; 0 = none */
};

#ifndef __bpf__
_Static_assert(sizeof(struct vxdp_port) == 32, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_policy) == 528, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_port_mac) == 8, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_turns) == 64, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_shared_head) == 8, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_fdb_key) == 8, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_fdb_entry) == 16, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_uplink) == 24, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_config) == 248, "layout is shared with the BPF programs");
_Static_assert(sizeof(struct vxdp_port_stats) == 16 * VXDP_N_VERDICTS, "one counter a verdict");
_Static_assert(sizeof(struct vxdp_capture) == 24, "layout is shared with the BPF programs");
#endif

#endif /* VXDP_ABI_H */
