/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * fast.bpf.h - frames from the wire that XDP takes to a guest past the host's stack: where they
 * come in, and which port they go to.
 *
 * Theory of operation
 *
 * Most frames that an ordinary host gets are its own, so what is never a guest's is told from the
 * rest by its first bytes alone.
 *
 * For as long as config.generation stays what it is, policy and the address table say the same of a
 * pair of addresses. So each CPU remembers what they said, in fast_flows: that is two look-ups in a
 * hash table less for a frame. It remembers what is left to TC as well, such as TCP for a tap,
 * which so costs little more than a program that lets all pass. After FLOW_NS it asks again,
 * which also notes that the source address is still there. Frames with a tag are looked up each
 * time; those that policy changes, or that go to more than one port, are TC's.
 *
 * Frames of a flow that turns to the other lane overtake those before it, here - what passes waits
 * to be one of a batch (gro_normal_one()), what is redirected for the end of the NAPI poll - and
 * in user space, which reads one lane before the other. So each turn is counted, for the reader to
 * put in order (loader/turn.h), and a flow that has turned to TC stays there for a while, and until
 * its reader has seen to that: it could not tell the frames of two turns apart.
 *
 * Only what has been sent on is learnt and counted here, by fast_done(): what XDP lets pass comes
 * to TC, which does both. Either way the frame that was looked up has its source noted.
 */
#ifndef VXDP_FAST_BPF_H
#define VXDP_FAST_BPF_H

#include "fdb.bpf.h"
#include "flows.bpf.h"
#include "loop.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"
#include "stats.bpf.h"

/* What vxdp_uplink_at() tells of the NIC a frame came by. */
#define AT_VALID     (1ULL << 63)
#define AT_GENERIC   (1ULL << 32)	  /* XDP runs in the stack */
#define AT_NO_QUEUE  0xffff		  /* one that has no AF_XDP sockets */
#define AT_QUEUE(at) ((__u32)(at)&0xffff) /* in the maps queues and xsks */
#define AT_PORT(at)  ((__u32)(at) >> 16)  /* id of the wire */

#define FAST_AWAY_NS 100000000 /* a flow that has turned to TC stays there */
#define FAST_AWAY_MS (FAST_AWAY_NS / 1000000)

/* Untagged frames with these addresses that come in here go there. */
struct fast_flow {
	__u64 dst; /* as mac_word() */
	__u64 src;
	__u64 generation; /* under which that was so */
	__u64 until_ns;	  /* coarse CLOCK_MONOTONIC; 0: the entry is free */
	__u32 ifindex;	  /* where they come in */
	__u16 in_port;	  /* its id */
	__u16 out_port;	  /* VXDP_PORT_NONE: they are TC's */
	__u32 tcp_is_tcs;
	__u32 left_ms; /* when it turned to TC, 0 = never; low bits of CLOCK_MONOTONIC */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWS);
	__type(key, __u32);
	__type(value, struct fast_flow);
} fast_flows SEC(".maps");

/* A frame on its way past the stack. */
struct fast {
	struct vxdp_frame frame;
	struct vxdp_config *cfg;
	const struct vxdp_policy *in; /* if it was looked up */
	struct fast_flow *flow;	      /* where to remember it, or NULL */
	__u64 dst, src;		      /* as in struct fast_flow */
	__u64 generation;
	__u32 ifindex;
	__u32 queue; /* AT_QUEUE() */
	void *l3;
	__be16 proto; /* of what is at l3 */
	bool known;   /* it was remembered */
};

/* ---- Where it comes in ---- */

static __always_inline __u64 at_uplink(const struct vxdp_uplink *up, __u32 rx_queue)
{
	__u64 queue = rx_queue < up->n_queues ? up->queue_base + rx_queue : AT_NO_QUEUE;

	return AT_VALID | (up->generic_xdp ? AT_GENERIC : 0) | (__u64)up->port << 16 |
	       (queue & 0xffff);
}

/*
 * Where XDP is: AT_VALID and what the macros above take out; 0: all is left to TC, which it is on a
 * standby, and for what seems to be a frame of our own that came back. A function that the verifier
 * looks at by itself: within the programs it would be too much.
 */
__noinline __u64 vxdp_uplink_at(struct xdp_md *xdp)
{
	struct vxdp_config *cfg = config_get();
	struct vxdp_frame frame = {};
	const struct vxdp_uplink *up;
	struct vxdp_policy *policy;
	__be16 proto;
	void *l3;

	up = cfg ? uplink_by_ifindex(cfg, xdp->ingress_ifindex) : NULL;
	if (!up || up->standby)
		return 0;
	if (cfg->n_uplinks_end > 1) {
		policy = policy_get(up->port);
		if (!policy || !parse_xdp(xdp, &frame, &proto, &l3) || !vlan_enter(&frame, policy))
			return 0;
		if (loop_source(cfg, up, &frame, false) != LOOP_NOT)
			return 0;
	}
	return at_uplink(up, xdp->rx_queue_index);
}

/* The same, without a call where there is one NIC. */
static __always_inline __u64 fast_at(struct xdp_md *xdp, const struct vxdp_config *cfg)
{
	const struct vxdp_uplink *first = &cfg->uplink[0];

	if (cfg->n_uplinks_end == 1 && first->ifindex == xdp->ingress_ifindex && !first->standby)
		return at_uplink(first, xdp->rx_queue_index);
	return vxdp_uplink_at(xdp);
}

/* Is it for many, or for the host itself, and so TC's whatever else is said of it? */
static __always_inline bool is_tcs(struct xdp_md *xdp, const struct vxdp_config *cfg)
{
	const struct ethhdr *eth = (void *)(long)xdp->data;

	if ((void *)(eth + 1) > (void *)(long)xdp->data_end || mac_is_group(eth->h_dest))
		return true;
	/* Beside the address there are bytes to read, here and there. */
	return mac_word(eth->h_dest) == mac_word(cfg->uplink[0].host_mac);
}

/* TCP without a tag, and not behind extension headers, as most of it is? */
static __always_inline bool is_plain_tcp(struct xdp_md *xdp)
{
	const struct ethhdr *eth = (void *)(long)xdp->data;
	const __u8 *l3 = (void *)(eth + 1);

	if ((void *)l3 + IPV4_MIN_BYTES > (void *)(long)xdp->data_end)
		return false;
	return (eth->h_proto == bpf_htons(ETH_P_IP) && l3[IPV4_PROTO_AT] == IPPROTO_TCP) ||
	       (eth->h_proto == bpf_htons(ETH_P_IPV6) && l3[IPV6_NEXT_AT] == IPPROTO_TCP);
}

/* From the wire there is GRO for TCP, which may be the only way in which any port has that. */
static __always_inline bool wire_is_tcs(struct xdp_md *xdp, const struct vxdp_config *cfg)
{
	return is_tcs(xdp, cfg) || (cfg->tcp_is_tcs && is_plain_tcp(xdp));
}

/* ---- What a CPU remembers ---- */

static __always_inline bool flow_is(const struct fast *f)
{
	const struct fast_flow *flow = f->flow;

	return flow && flow->dst == f->dst && flow->src == f->src && flow->ifindex == f->ifindex;
}

static __always_inline bool flow_holds(const struct fast *f)
{
	return flow_is(f) && f->flow->generation == f->generation &&
	       f->flow->until_ns > f->frame.now;
}

static __always_inline void turn_count(void *map, __u32 index)
{
	struct vxdp_turns *turns = bpf_map_lookup_elem(map, &index);

	if (turns)
		__sync_fetch_and_add(&turns->count, 1);
}

/* A tap port has no reader that it could be too early for. */
static __always_inline bool turn_is_early(const struct fast_flow *flow,
					  const struct vxdp_port *port, __u32 id, __u32 now_ms)
{
	const struct vxdp_turns *turns = bpf_map_lookup_elem(&port_turns, &id);

	if (!port || port->kind != VXDP_KIND_VM || !turns)
		return false;
	return (flow->left_ms && now_ms - flow->left_ms < FAST_AWAY_MS) ||
	       turns->done != turns->count;
}

/*
 * It has been looked up anew: is that another lane than before? May send it to TC after all.
 * Return: for how long that may be remembered.
 */
static __always_inline __u64 flow_turn(struct fast *f, const struct vxdp_port *port)
{
	struct fast_flow *flow = f->flow;
	__u32 now_ms = f->frame.now / 1000000;

	if (!flow_is(f)) {
		if (flow)
			flow->left_ms = 0;
	} else if (flow->out_port && !f->frame.out_port) {
		flow->left_ms = now_ms | 1;
		turn_count(&port_turns, flow->out_port);
	} else if (!flow->out_port && f->frame.out_port) {
		if (turn_is_early(flow, port, f->frame.out_port, now_ms)) {
			f->frame.out_port = VXDP_PORT_NONE;
			return FAST_AWAY_NS;
		}
		turn_count(&queue_turns, f->queue);
	}
	return FLOW_NS;
}

static __always_inline void flow_remember(const struct fast *f, bool tcp_is_tcs, __u64 for_ns)
{
	struct fast_flow *flow = f->flow;

	if (!flow)
		return;
	flow->dst = f->dst;
	flow->src = f->src;
	flow->generation = f->generation;
	flow->until_ns = f->frame.now + for_ns;
	flow->ifindex = f->ifindex;
	flow->in_port = f->frame.in_port;
	flow->out_port = f->frame.out_port;
	flow->tcp_is_tcs = tcp_is_tcs;
}

/* ---- Where to ---- */

/* By policy and the address table: the guest's port, or VXDP_PORT_NONE. Sets the VLAN. */
static __always_inline __u32 fast_port(struct fast *f)
{
	struct vxdp_frame *frame = &f->frame;
	const struct vxdp_policy *out;
	__u32 id;

	f->in = frame->in_port ? policy_get(frame->in_port) : NULL;
	if (!f->in || f->in->flags & VXDP_POLICY_SPOOF_CHECK || !vlan_enter(frame, f->in))
		return VXDP_PORT_NONE;
	id = fdb_port(f->cfg, &frame->dst, frame->now);
	out = id >= VXDP_PORT_FIRST ? policy_get(id) : NULL;
	if (!out ||
	    !vxdp_policy_plain(f->in, out, frame->tag & TAG_PRESENT, frame->tag & VXDP_VLAN_MASK))
		return VXDP_PORT_NONE;
	return id;
}

/* Sets frame.out_port, and remembers it. Return: is TCP for it TC's? */
static __always_inline bool fast_look_up(struct fast *f)
{
	const __u16 lanes = VXDP_PORT_DIRECT | VXDP_PORT_SHARED;
	__u32 id = fast_port(f);
	struct vxdp_port *port = id ? port_get(id) : NULL;
	bool tcp_is_tcs;
	__u64 for_ns;

	f->frame.out_port = port && port->flags & lanes ? id : VXDP_PORT_NONE;
	for_ns = flow_turn(f, port);
	tcp_is_tcs = port && port->flags & VXDP_PORT_TCP_KERNEL;
	flow_remember(f, tcp_is_tcs, for_ns);
	return tcp_is_tcs;
}

/* The port of the guest it came from, or VXDP_PORT_NONE if TC is to refuse it. */
static __always_inline __u32 guest_in_port(const struct fast *f)
{
	__u32 *id = bpf_map_lookup_elem(&port_by_ifindex, &f->ifindex);

	if (!id || mac_is_group(f->frame.src.mac) || mac_is_zero(f->frame.src.mac))
		return VXDP_PORT_NONE;
	return *id;
}

/*
 * May the frame go to one guest just as it is? Then frame.out_port is that guest's port, which may
 * have gone meanwhile.
 * @f: all zeros, but for the configuration, the netdev, and the port if it came in by the wire
 */
static __always_inline bool fast_find(struct xdp_md *xdp, struct fast *f, bool from_wire)
{
	struct vxdp_frame *frame = &f->frame;
	bool tcp_is_tcs;
	__u32 slot;

	if (!parse_xdp(xdp, frame, &f->proto, &f->l3))
		return false;
	/* Before anything is looked up: a change meanwhile makes what is remembered worthless. */
	f->generation = *(volatile __u64 *)&f->cfg->generation;
	if (!frame->tag) {
		__builtin_memcpy(&f->dst, &frame->dst, sizeof(f->dst));
		__builtin_memcpy(&f->src, &frame->src, sizeof(f->src));
		slot = flow_slot(f->dst, f->src);
		f->flow = bpf_map_lookup_elem(&fast_flows, &slot);
		f->known = flow_holds(f);
	}
	if (f->known) {
		frame->in_port = f->flow->in_port;
		frame->out_port = f->flow->out_port;
		tcp_is_tcs = f->flow->tcp_is_tcs;
	} else {
		if (!from_wire)
			frame->in_port = guest_in_port(f);
		tcp_is_tcs = fast_look_up(f);
	}
	if (!frame->out_port)
		return false;
	/* Where GRO is; a guest's has what segments its guest made. */
	if (from_wire && tcp_is_tcs &&
	    is_tcp_or_unclear(f->proto, f->l3, (void *)(long)xdp->data_end))
		return false;
	frame->bytes = bpf_xdp_get_buff_len(xdp);
	return true;
}

/* It was sent on: note its source, and count it. */
static __always_inline void fast_done(struct xdp_md *xdp, struct fast *f, __u32 verdict)
{
	if (!f->known && f->in)
		fdb_learn(f->cfg, f->in, &f->frame.src, f->frame.in_port, f->frame.now);
	finish_xdp(xdp, &f->frame, verdict);
}

#endif /* VXDP_FAST_BPF_H */
