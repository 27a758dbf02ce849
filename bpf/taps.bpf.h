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

#include "fast.bpf.h"
#include "finished.bpf.h"
#include "steer.bpf.h"

/* The tap port it goes to, if XDP may give it such a frame, or NULL. */
static __always_inline struct vxdp_port *tap_port(struct xdp_md *xdp, __u64 at,
						  const struct fast *f)
{
	const __u16 wanted = VXDP_PORT_UP | VXDP_PORT_DIRECT;
	struct vxdp_port *port = port_get(f->frame.out_port);

	if (at & AT_GENERIC || !port || port->kind != VXDP_KIND_TAP ||
	    (port->flags & wanted) != wanted || f->frame.bytes > port->direct_frame_bytes)
		return NULL;
	/* A tap takes no frame of several buffers. */
	return f->frame.bytes == xdp->data_end - xdp->data ? port : NULL;
}

/* In the program on the NIC. The frame is counted here, or on the CPU it is sent to. */
static __always_inline int redirect_to_tap(struct xdp_md *xdp, __u64 at, struct fast *f)
{
	const struct vxdp_port *port = tap_port(xdp, at, f);
	void *end = (void *)(long)xdp->data_end;
	__u32 id = f->frame.out_port;

	if (!port)
		return XDP_PASS;
	if (port->flags & VXDP_PORT_SPREAD && f->cfg->n_cpus) {
		if (!bpf_map_lookup_elem(&taps, &id))
			return XDP_PASS;
		id = flow_hash_xdp(f->proto, f->l3, end) % f->cfg->n_cpus;
		return bpf_redirect_map(&cpus, id, XDP_PASS);
	}
	if (bpf_redirect_map(&taps, id, XDP_PASS) != XDP_REDIRECT)
		return XDP_PASS;
	fast_done(xdp, f, VXDP_TO_PORT);
	return XDP_REDIRECT;
}

/*
 * On the CPU that it chose. Not by the devmap: the kernel wants all programs that use one map of
 * that kind to be alike, which in libxdp's dispatcher the first one is not.
 */
static __always_inline int redirect_to_tap_here(struct xdp_md *xdp, __u64 at, struct fast *f)
{
	const struct vxdp_port *port = tap_port(xdp, at, f);

	if (!port || bpf_redirect(port->ifindex, 0) != XDP_REDIRECT)
		return XDP_PASS;
	fast_done(xdp, f, VXDP_TO_PORT);
	return XDP_REDIRECT;
}

/*
 * In the program on a tap. What needs a choice of the queue, which is made by CPU here too, and
 * what is for anything but another tap, is TC's.
 */
static __always_inline int redirect_from_tap(struct xdp_md *xdp, struct fast *f)
{
	const struct vxdp_port *port = tap_port(xdp, 0, f);

	if (!port || f->frame.out_port == f->frame.in_port || port->flags & VXDP_PORT_SPREAD ||
	    !is_finished(f->proto, f->l3, (void *)(long)xdp->data_end) ||
	    bpf_redirect(port->ifindex, 0) != XDP_REDIRECT)
		return XDP_PASS;
	fast_done(xdp, f, VXDP_TO_PORT);
	return XDP_REDIRECT;
}

#endif /* VXDP_TAPS_BPF_H */
