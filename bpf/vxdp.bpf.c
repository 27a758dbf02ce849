// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * vxdp.bpf.c - the switch: what happens to a frame at each hook.
 *
 * Theory of operation
 *
 * Every port is a netdev: the wire is the NIC, each guest is a tap, and the host's own stack is
 * still the NIC, whose address stays where it was. These programs are the complete switch;
 * user space only speeds up what they would have done anyway.
 *
 *	hook                  sees                        what it does not keep goes on to
 *	vxdp_uplink_xdp       frames from the wire        TC ingress (XDP_PASS)
 *	vxdp_uplink_ingress   the same, as skbs, GRO'd    the host's stack
 *	vxdp_uplink_egress    frames of the host          the wire
 *	vxdp_tap_ingress      frames of one guest         nowhere: it always decides
 *
 * Each program goes: parse, decide() whether and where to, act, and finish_*(), which is the one
 * place where the verdict is counted and the frame recorded for `vxdp dump`.
 *
 * A frame meets several hooks and must be counted at the first and switched once:
 *
 *	wire -> guest memory    XDP counts to_direct or to_shared and learns; TC never sees it
 *	wire -> anything else   XDP leaves all to TC ingress
 *	guest -> wire           goes through TC egress, which knows it by its ingress_ifindex
 *	guest -> host           goes through XDP (if generic) and TC ingress again; the mark
 *	                        VXDP_MARK_TO_HOST says it was switched. XDP cannot see marks, which
 *				is why it neither learns nor counts what it passes.
 *
 * A NIC need not have the XDP program (--mode tc): TC ingress then is the first that sees a frame,
 * and does with it whatever it does with what XDP has passed.
 *
 * Several NICs (uplinks) make one switch: each has these programs, and is a port for its wire and
 * one for the host's stack behind it. No frame goes from one uplink to another; how frames that
 * come back are known is in uplink.bpf.h.
 *
 * With the direct lane the bytes in front of a frame are the guest's: first the virtio-net header
 * of the buffer, which XDP fills in here, while it has the cache line at hand, so that user space
 * never touches a frame; then other buffers, which is why the start of the metadata is never moved.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "fast.bpf.h"
#include "fdb.bpf.h"
#include "flood.bpf.h"
#include "flows.bpf.h"
#include "loop.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "policy.bpf.h"
#include "stats.bpf.h"
#include "sockets.bpf.h"
#include "steer.bpf.h"
#include "taps.bpf.h"
#include "wires.bpf.h"

/*
 * May the frame come in? Its VLAN is known then, and its source learnt, if it can be. Link control
 * (spanning tree, LACP, LLDP) always may.
 */
static __always_inline bool admit(struct vxdp_config *cfg, struct vxdp_frame *frame,
				  const struct vxdp_policy *in, bool *learnt, __u32 *verdict)
{
	if (is_link_control(frame))
		return true;
	if (!vlan_enter(frame, in)) {
		*verdict = VXDP_DROP_VLAN_IN;
		return false;
	}
	if (!source_allowed(frame, in)) {
		*verdict = VXDP_DROP_SPOOFED;
		return false;
	}
	*learnt = fdb_learn(cfg, in, &frame->src, frame->in_port, frame->now);
	return true;
}

/*
 * To a wire or to the host: guests reach all of them. A wire reaches the host on its own NIC alone,
 * and the host chooses the NIC itself, by its routes. Sets frame->out_port.
 */
static __always_inline __u32 nic_verdict(const struct vxdp_uplink *up, struct vxdp_frame *frame,
					 const struct vxdp_port *port)
{
	if (!up)
		return port->kind == VXDP_KIND_HOST ? VXDP_TO_HOST : VXDP_TO_WIRE;
	if (frame->in_port == up->host_port) {
		frame->out_port = up->port;
		return VXDP_TO_WIRE;
	}
	return frame->out_port == up->host_port ? VXDP_TO_HOST : VXDP_DROP_OTHER_UPLINK;
}

static __always_inline __u32 port_verdict(const struct vxdp_uplink *up, struct vxdp_frame *frame)
{
	struct vxdp_port *port = port_get(frame->out_port);

	if (!port)
		return VXDP_DROP_NO_PORT;
	if (port->kind < VXDP_KIND_VM)
		return nic_verdict(up, frame, port);
	return port->flags & VXDP_PORT_UP ? VXDP_TO_PORT : VXDP_DROP_PORT_DOWN;
}

/* To that one port, if it may. */
static __always_inline __u32 decide_for_port(const struct vxdp_uplink *up, struct vxdp_frame *frame,
					     const struct vxdp_policy *in, __u32 id)
{
	struct vxdp_policy *out;
	__u32 verdict;

	frame->out_port = id;
	if (id == frame->in_port)
		return VXDP_DROP_HAIRPIN;
	verdict = port_verdict(up, frame);
	out = policy_get(frame->out_port);
	if (!out || (verdict != VXDP_TO_PORT && verdict != VXDP_TO_WIRE && verdict != VXDP_TO_HOST))
		return verdict;
	if (vxdp_policy_isolated(in, out))
		return VXDP_DROP_ISOLATED;
	frame->action = vlan_leave(frame, out);
	return frame->action == VXDP_VLAN_DROP ? VXDP_DROP_VLAN_OUT : verdict;
}

/* What is for the link itself: the host has that of its NIC, and the guests' on the first one. */
static __always_inline __u32 link_port(const struct vxdp_config *cfg, const struct vxdp_uplink *up,
				       const struct vxdp_frame *frame)
{
	if (!up)
		return uplink_first_host(cfg);
	return frame->in_port == up->host_port ? up->port : up->host_port;
}

/*
 * Where the destination address says the frame goes; sets frame->out_port if that is one port.
 * @up: the NIC it is at, NULL for a guest's; @learnt: is its source where it came from?
 */
static __always_inline __u32 decide(struct vxdp_config *cfg, const struct vxdp_uplink *up,
				    struct vxdp_frame *frame, const struct vxdp_policy *in,
				    bool *learnt)
{
	__u32 id = VXDP_PORT_NONE, verdict;

	if (!admit(cfg, frame, in, learnt, &verdict))
		return verdict;
	if (mac_is_link_local(frame->dst.mac))
		return decide_for_port(up, frame, in, link_port(cfg, up, frame));
	if (!mac_is_group(frame->dst.mac))
		id = fdb_port(cfg, &frame->dst, frame->now);
	if (id != VXDP_PORT_NONE)
		return decide_for_port(up, frame, in, id);
	return storm_allows(frame, in) ? VXDP_FLOODED : VXDP_DROP_STORM;
}

#define DECIDED_LEARNT 0x10000u

/*
 * The same: verdict, and DECIDED_LEARNT. A function that the verifier looks at by itself, once for
 * each program: within them its ways would multiply with what comes before and after.
 * @nic: ifindex of the NIC it is at, 0 for a guest's
 */
__noinline __u32 vxdp_decide(struct vxdp_frame *given, __u32 nic)
{
	struct vxdp_config *cfg = config_get();
	const struct vxdp_uplink *up = NULL;
	struct vxdp_frame frame;
	struct vxdp_policy *in;
	bool learnt = false;
	__u32 verdict;

	if (!cfg || !given)
		return VXDP_DROP_NO_PORT;
	frame = *given; /* Linux 6.1 takes the key of a map from the function's own stack only */
	in = policy_get(frame.in_port);
	if (nic)
		up = uplink_by_ifindex(cfg, nic);
	if (!in || (nic && !up))
		return VXDP_DROP_NO_PORT;
	verdict = decide(cfg, up, &frame, in, &learnt);
	*given = frame;
	return verdict | (learnt ? DECIDED_LEARNT : 0);
}

/* vxdp_decide(), and what it says is kept. */
static __always_inline __u32 decide_flow(struct vxdp_frame *frame, const struct vxdp_policy *in,
					 const struct flow_look *look, __u32 nic)
{
	__u32 decided = vxdp_decide(frame, nic);
	__u32 verdict = decided & ~DECIDED_LEARNT;

	flow_keep(look, frame, in, decided & DECIDED_LEARNT, verdict);
	return verdict;
}

/* At a NIC: what was decided on another frame of this flow, or else is decided now. */
static __always_inline __u32 decide_at_nic(const struct vxdp_config *cfg, struct vxdp_frame *frame,
					   const struct vxdp_policy *in, __u32 nic, bool egress)
{
	struct flow_look look = {};

	if (flow_find(&look, cfg, frame, FLOW_HOOK(nic, egress)))
		return look.flow->verdict;
	return decide_flow(frame, in, &look, nic);
}

/* A redirect to a netdev that is no more, such as a deleted tap, would lose the frame uncounted. */
static __always_inline bool port_has_gone(struct __sk_buff *skb, const struct vxdp_frame *frame)
{
	struct vxdp_port *port = port_get(frame->out_port);
	__u32 mtu = 0;

	return !port || bpf_check_mtu(skb, port->ifindex, &mtu, 0, 0) == -ENODEV;
}

/* Change the tag of a frame that goes to one port as that port wants it. */
static __always_inline __u32 rewrite(struct __sk_buff *skb, struct vxdp_frame *frame, __u32 verdict)
{
	if (verdict == VXDP_TO_PORT && port_has_gone(skb, frame))
		return VXDP_DROP_NO_PORT;
	if (verdict != VXDP_TO_PORT && verdict != VXDP_TO_WIRE && verdict != VXDP_TO_HOST)
		return verdict;
	return tag_set(skb, frame, frame->action) ? VXDP_DROP_REDIRECT : verdict;
}

/* To the netdev of frame->out_port, which decide() found to be there. */
static __always_inline int redirect_to_port(const struct vxdp_frame *frame, __u64 flags)
{
	struct vxdp_port *port = port_get(frame->out_port);

	return port ? bpf_redirect(port->ifindex, flags) : SHOT;
}

/* Let it go on to where it was going anyway, the host's stack or the wire, if that may have it. */
static __always_inline int pass_on(struct __sk_buff *skb, struct vxdp_frame *frame, __u32 id)
{
	return leave_by(skb, frame, id) ? PASS : SHOT;
}

/*
 * With several uplinks: is this frame from the wire not for the guests? Then its verdict, else
 * VXDP_N_VERDICTS. The host gets what comes by its NIC, but for what it got from the guest itself.
 */
static __always_inline __u32 refuse_from_wire(struct vxdp_config *cfg, const struct vxdp_uplink *up,
					      const struct vxdp_policy *in,
					      struct vxdp_frame *frame, __be16 proto, int *action)
{
	enum loop_source source;

	*action = PASS;
	if (cfg->n_uplinks_end < 2 || !vlan_enter(frame, in))
		return VXDP_N_VERDICTS;
	source = loop_source(cfg, up, frame, is_announcement(frame, proto));
	if (source == LOOP_GUEST)
		*action = SHOT;
	if (source != LOOP_NOT)
		return VXDP_DROP_LOOP;
	if (!up->standby)
		return VXDP_N_VERDICTS;
	return mac_equal(frame->dst.mac, up->host_mac) || mac_is_link_local(frame->dst.mac)
		       ? VXDP_TO_HOST
		       : VXDP_DROP_STANDBY;
}

/*
 * From the wire. Frames between two stations on the wire are seen because the NIC is promiscuous:
 * they are counted as hairpin and left to the stack, which drops what is not for it.
 */
static __always_inline int uplink_ingress(struct __sk_buff *skb, struct vxdp_config *cfg,
					  const struct vxdp_uplink *up,
					  const struct vxdp_policy *policy,
					  struct vxdp_frame *frame)
{
	int action = SHOT;
	__u32 verdict;

	if (up->generic_xdp)
		restore_mac_header(skb);
	if (!parse_skb(skb, frame))
		return finish_skb(skb, frame, VXDP_DROP_RUNT, SHOT);
	verdict = refuse_from_wire(cfg, up, policy, frame, skb->protocol, &action);
	if (verdict != VXDP_N_VERDICTS)
		return finish_skb(skb, frame, verdict, action);
	action = SHOT;
	verdict = decide_at_nic(cfg, frame, policy, skb->ifindex, false);
	verdict = rewrite(skb, frame, verdict);
	if (verdict == VXDP_TO_PORT) {
		action = redirect_to_port(frame, 0);
	} else if (verdict == VXDP_FLOODED) {
		vxdp_flood(skb, frame);
		action = pass_on(skb, frame, up->host_port);
	} else if (verdict == VXDP_TO_HOST || verdict == VXDP_DROP_HAIRPIN ||
		   verdict == VXDP_DROP_OTHER_UPLINK) {
		action = PASS;
	}
	return finish_skb(skb, frame, verdict, action);
}

SEC("tc")
int vxdp_uplink_ingress(struct __sk_buff *skb)
{
	struct vxdp_config *cfg = config_get();
	struct vxdp_frame frame = {.at_nic = true};
	const struct vxdp_uplink *up;
	struct vxdp_policy *policy;

	if (skb->mark == VXDP_MARK_TO_HOST) {
		skb->mark = 0;
		return PASS;
	}
	up = cfg ? uplink_by_ifindex(cfg, skb->ifindex) : NULL;
	if (!up)
		return PASS;
	frame.in_port = up->port;
	policy = policy_get(frame.in_port);
	return policy ? uplink_ingress(skb, cfg, up, policy, &frame) : PASS;
}

static __always_inline bool came_from_guest(const struct __sk_buff *skb)
{
	__u32 ifindex = skb->ingress_ifindex;
	__u32 *id;

	if (!ifindex)
		return false;
	id = bpf_map_lookup_elem(&port_by_ifindex, &ifindex);
	return id && *id >= VXDP_PORT_FIRST;
}

/*
 * From the host's stack: its own frames, and those it routes or bridges. Addresses other than the
 * NIC's that send from there (macvlan, a bridge above the NIC) are learnt as the host's.
 */
SEC("tc")
int vxdp_uplink_egress(struct __sk_buff *skb)
{
	struct vxdp_config *cfg = config_get();
	struct vxdp_frame frame = {.at_nic = true};
	const struct vxdp_uplink *up;
	struct vxdp_policy *policy;
	int action = SHOT;
	__u32 verdict;

	up = cfg ? uplink_by_ifindex(cfg, skb->ifindex) : NULL;
	if (!up || came_from_guest(skb) || !parse_skb(skb, &frame))
		return PASS;
	frame.in_port = up->host_port;
	policy = policy_get(frame.in_port);
	if (!policy)
		return PASS;
	verdict = decide_at_nic(cfg, &frame, policy, skb->ifindex, true);
	verdict = rewrite(skb, &frame, verdict);
	if (verdict == VXDP_TO_PORT) {
		action = redirect_to_port(&frame, 0);
	} else if (verdict == VXDP_FLOODED) {
		vxdp_flood(skb, &frame);
		action = pass_on(skb, &frame, up->port);
	} else if (verdict == VXDP_TO_WIRE || verdict == VXDP_DROP_HAIRPIN) {
		action = PASS;
	}
	return finish_skb(skb, &frame, verdict, action);
}

/* To the host as if it had come in by the NIC, so that addresses and firewall rules fit. */
static __always_inline int redirect_to_host(struct __sk_buff *skb, const struct vxdp_frame *frame)
{
	skb->mark = VXDP_MARK_TO_HOST;
	return redirect_to_port(frame, BPF_F_INGRESS);
}

static __always_inline __u32 check_wire(struct __sk_buff *skb, const struct vxdp_frame *frame)
{
	struct vxdp_port *port = port_get(frame->out_port);

	return port ? check_nic(skb, port->ifindex, VXDP_TO_WIRE) : VXDP_DROP_NO_PORT;
}

/* @policy: of the port it came from; NULL if its flow was known, and so is for one port */
static __always_inline int send_from_tap(struct __sk_buff *skb, struct vxdp_config *cfg,
					 struct vxdp_frame *frame, const struct vxdp_policy *policy,
					 __u32 verdict)
{
	struct wires wires = {.skb = skb, .cfg = cfg, .frame = frame};
	int action = SHOT;

	if (verdict == VXDP_TO_WIRE)
		verdict = check_wire(skb, frame);
	else if (verdict == VXDP_FLOODED)
		verdict = wires_check(&wires);
	verdict = rewrite(skb, frame, verdict);
	if (verdict == VXDP_TO_PORT || verdict == VXDP_TO_WIRE) {
		action = redirect_to_port(frame, 0);
	} else if (verdict == VXDP_TO_HOST) {
		action = redirect_to_host(skb, frame);
	} else if (verdict == VXDP_FLOODED && policy) {
		vxdp_flood(skb, frame);
		action = wires_flood(&wires);
	}
	return finish_skb(skb, frame, verdict, action);
}

static __always_inline __u32 decide_from_tap(struct __sk_buff *skb, struct vxdp_config *cfg,
					     struct vxdp_frame *frame,
					     const struct vxdp_policy *policy,
					     const struct flow_look *look)
{
	__u32 verdict;

	if (mac_is_group(frame->src.mac) || mac_is_zero(frame->src.mac))
		return VXDP_DROP_BAD_SOURCE;
	verdict = decide_flow(frame, policy, look, 0);
	loop_note_announcement(cfg, frame, skb->protocol);
	return verdict;
}

/* Whose tap it is, if a port's: sets frame->in_port. */
static __always_inline struct vxdp_policy *tap_policy(__u32 ifindex, struct vxdp_frame *frame)
{
	__u32 *id = bpf_map_lookup_elem(&port_by_ifindex, &ifindex);

	if (!id || !port_get(*id))
		return NULL;
	frame->in_port = *id;
	return policy_get(*id);
}

/* From a guest. What the switch does not know as a port is not let into the host's stack. */
SEC("tc")
int vxdp_tap_ingress(struct __sk_buff *skb)
{
	struct vxdp_config *cfg = config_get();
	struct vxdp_policy *policy = NULL;
	struct vxdp_frame frame = {};
	struct flow_look look = {};
	__u32 verdict = VXDP_DROP_RUNT;
	bool whole;

	if (!cfg)
		return SHOT;
	whole = parse_skb(skb, &frame);
	if (whole && flow_find(&look, cfg, &frame, FLOW_HOOK(skb->ifindex, false))) {
		verdict = look.flow->verdict;
	} else {
		policy = tap_policy(skb->ifindex, &frame);
		if (!policy)
			return SHOT;
		if (whole)
			verdict = decide_from_tap(skb, cfg, &frame, policy, &look);
	}
	return send_from_tap(skb, cfg, &frame, policy, verdict);
}

/* Past the stack to the guest it is for. @here: on the CPU that was chosen for it */
static __always_inline int go_fast(struct xdp_md *xdp, struct vxdp_config *cfg, bool with_head,
				   bool here)
{
	__u64 at = fast_at(xdp, cfg);
	struct fast f = {.frame = {.in_port = AT_PORT(at), .packets = 1},
			 .cfg = cfg,
			 .ifindex = xdp->ingress_ifindex,
			 .queue = AT_QUEUE(at)};
	int action;

	if (!at || !fast_find(xdp, &f, true))
		return XDP_PASS;
	if (here)
		return redirect_to_tap_here(xdp, at, &f);
	action = redirect_to_socket(xdp, at, &f, with_head);
	return action == XDP_PASS ? redirect_to_tap(xdp, at, &f) : action;
}

static __always_inline int uplink_xdp(struct xdp_md *xdp, bool with_head, bool here)
{
	struct vxdp_config *cfg = config_get();

	return cfg && !wire_is_tcs(xdp, cfg) ? go_fast(xdp, cfg, with_head, here) : XDP_PASS;
}

/* From the wire, first. */
SEC("xdp.frags")
int vxdp_uplink_xdp(struct xdp_md *xdp)
{
	return uplink_xdp(xdp, true, false);
}

/*
 * The same without anything in front of the frame. For libxdp before 1.5.5, whose dispatcher lets
 * no program in that moves the start of a frame, on kernels that look (6.13; 6.12 and others with
 * their updates).
 */
SEC("xdp.frags")
int vxdp_uplink_xdp_bare(struct xdp_md *xdp)
{
	return uplink_xdp(xdp, false, false);
}

/* What the two above sent to this CPU for a tap with many queues. */
SEC("xdp.frags/cpumap")
int vxdp_uplink_cpu(struct xdp_md *xdp)
{
	return uplink_xdp(xdp, false, true);
}

static __always_inline int go_from_tap(struct xdp_md *xdp, struct vxdp_config *cfg)
{
	struct fast f = {.frame = {.packets = 1},
			 .cfg = cfg,
			 .ifindex = xdp->ingress_ifindex,
			 .queue = AT_NO_QUEUE};

	return fast_find(xdp, &f, false) ? redirect_from_tap(xdp, &f) : XDP_PASS;
}

/*
 * From a guest that was said to finish its checksums, before there is an skb. What it does not send
 * on meets vxdp_tap_ingress.
 */
SEC("xdp")
int vxdp_tap_xdp(struct xdp_md *xdp)
{
	struct vxdp_config *cfg = config_get();

	return cfg && !is_tcs(xdp, cfg) ? go_from_tap(xdp, cfg) : XDP_PASS;
}

/*
 * Which queue of a guest's tap carries a frame: the same one for all frames of a flow, and for both
 * directions of it.
 */
SEC("socket")
int vxdp_tap_steering(struct __sk_buff *skb)
{
	return flow_hash(skb);
}

/*
 * Called by the tool about once a second for each flow that its fast lanes carry, which the other
 * programs do not see. Done here since only here it cannot undo a move that happens meanwhile.
 */
SEC("syscall")
int vxdp_fdb_refresh(struct fdb_refresh *request)
{
	return fdb_refresh(&request->key, request->port);
}

char LICENSE[] SEC("license")
= "Dual BSD/GPL";
