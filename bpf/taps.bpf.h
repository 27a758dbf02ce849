/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * taps.bpf.h - from the wire straight into the tap of a tap port, with no skb made.
 *
 * Theory of operation
 *
 * The devmap `taps` has the ports that may be reached so. What does not come this way - TCP, which
 * is better off with GRO; broadcast; frames that policy changes; too long ones - goes on to TC, and
 * so does everything when the tap has gone, since the kernel takes it out of the map.
 *
 * Measured on a veth, tap read by a process, 400 000 frames of 64 bytes: 9 to 21 ticks of softirq
 * time this way, 28 to 32 by TC; 1514 bytes: 9 to 22 and 28 to 49.
 *
 * A tap puts a frame that comes from XDP into the queue of the CPU it comes on. For a tap with many
 * queues it is therefore first sent to a CPU by the hash of its flow (cpumap `cpus`), where
 * vxdp_uplink_cpu runs and sends it on: a flow stays in one queue, and flows spread over all.
 */
#ifndef VXDP_TAPS_BPF_H
#define VXDP_TAPS_BPF_H

#include "fdb.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"
#include "stats.bpf.h"
#include "steer.bpf.h"

/* What vxdp_uplink_at() tells of the NIC a frame came by. */
#define AT_VALID     (1ULL << 63)
#define AT_GENERIC   (1ULL << 32)	  /* XDP runs in the stack */
#define AT_NO_QUEUE  0xffff		  /* one that has no AF_XDP sockets */
#define AT_QUEUE(at) ((__u32)(at)&0xffff) /* in the maps queues and xsks */
#define AT_PORT(at)  ((__u32)(at) >> 16)  /* id of the wire */

/* The same frame at two programs: which port it is for, and what it is. */
struct tap_target {
	struct vxdp_frame frame;
	struct vxdp_config *cfg;
	struct vxdp_policy *in;
	struct vxdp_port *port;
	__be16 proto;
	void *l3;
};

/* May the frame pass from the wire to the port just as it is? */
static __always_inline bool tap_allowed(const struct tap_target *t, __u32 id)
{
	struct vxdp_policy *out = policy_get(id);
	__u32 tag = t->frame.tag;

	return out && vxdp_policy_plain(t->in, out, tag & TAG_PRESENT, tag & VXDP_VLAN_MASK);
}

/* Its VLAN, by the wire's policy; false also if the source has to be looked at. */
static __always_inline bool tap_vlan_enter(struct tap_target *t)
{
	return !(t->in->flags & VXDP_POLICY_SPOOF_CHECK) && vlan_enter(&t->frame, t->in);
}

static __always_inline bool tap_find(struct xdp_md *xdp, __u64 at, struct tap_target *t)
{
	const __u16 wanted = VXDP_PORT_UP | VXDP_PORT_DIRECT;
	struct vxdp_frame *frame = &t->frame;
	__u32 id;

	t->cfg = config_get();
	t->in = policy_get(frame->in_port);
	if (!t->cfg || !t->in || at & AT_GENERIC || !parse_xdp(xdp, frame, &t->proto, &t->l3))
		return false;
	if (mac_is_group(frame->dst.mac) || !tap_vlan_enter(t))
		return false;
	id = fdb_port(t->cfg, &frame->dst, frame->now);
	t->port = id >= VXDP_PORT_FIRST ? port_get(id) : NULL;
	if (!t->port || t->port->kind != VXDP_KIND_TAP || (t->port->flags & wanted) != wanted)
		return false;
	frame->out_port = id;
	frame->bytes = bpf_xdp_get_buff_len(xdp);
	/* A tap takes no frame of several buffers. */
	return frame->bytes <= t->port->direct_frame_bytes &&
	       frame->bytes == xdp->data_end - xdp->data && tap_allowed(t, id);
}

static __always_inline int tap_done(struct xdp_md *xdp, struct tap_target *t)
{
	fdb_learn(t->cfg, t->in, &t->frame.src, t->frame.in_port, t->frame.now);
	finish_xdp(xdp, &t->frame, VXDP_TO_PORT);
	return XDP_REDIRECT;
}

/* In the program on the NIC. The frame is counted here, or on the CPU it is sent to. */
static __always_inline int redirect_to_tap(struct xdp_md *xdp, __u64 at)
{
	struct tap_target t = {.frame = {.in_port = AT_PORT(at), .packets = 1}};
	void *end = (void *)(long)xdp->data_end;
	__u32 id;

	if (!tap_find(xdp, at, &t))
		return XDP_PASS;
	if (t.port->flags & VXDP_PORT_TCP_KERNEL && is_tcp_or_unclear(t.proto, t.l3, end))
		return XDP_PASS;
	id = t.frame.out_port;
	if (t.port->flags & VXDP_PORT_SPREAD && t.cfg->n_cpus) {
		if (!bpf_map_lookup_elem(&taps, &id))
			return XDP_PASS;
		id = flow_hash_xdp(t.proto, t.l3, end) % t.cfg->n_cpus;
		return bpf_redirect_map(&cpus, id, XDP_PASS);
	}
	if (bpf_redirect_map(&taps, id, XDP_PASS) != XDP_REDIRECT)
		return XDP_PASS;
	return tap_done(xdp, &t);
}

/*
 * On the CPU that it chose. Not by the devmap: the kernel wants all programs that use one map of
 * that kind to be alike, which in libxdp's dispatcher the first one is not.
 */
static __always_inline int redirect_to_tap_here(struct xdp_md *xdp, __u64 at)
{
	struct tap_target t = {.frame = {.in_port = AT_PORT(at), .packets = 1}};

	if (!tap_find(xdp, at, &t) || bpf_redirect(t.port->ifindex, 0) != XDP_REDIRECT)
		return XDP_PASS;
	return tap_done(xdp, &t);
}

#endif /* VXDP_TAPS_BPF_H */
