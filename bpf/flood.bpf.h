/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * flood.bpf.h - one copy of a frame for each port that shall have one.
 */
#ifndef VXDP_FLOOD_BPF_H
#define VXDP_FLOOD_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

struct flood {
	struct __sk_buff *skb;
	__u32 in_port;
	__u32 barred;	/* VXDP_PORT_* flags of ports that get none */
	__u32 captured; /* longest capture_bytes of the ports that got one */
};

static long flood_port(__u32 index, void *arg)
{
	struct flood *flood = arg;
	__u32 id = VXDP_PORT_FIRST + index;
	struct vxdp_port *port = port_get(id);

	if (!port || id == flood->in_port || !(port->flags & VXDP_PORT_UP) ||
	    port->flags & flood->barred)
		return 0;
	if (port->flags & VXDP_PORT_CAPTURE && port->capture_bytes > flood->captured)
		flood->captured = port->capture_bytes;
	bpf_clone_redirect(flood->skb, port->ifindex, 0);
	return 0;
}

/*
 * To every guest that is up, but where it came from. A port whose queue is full loses its copy,
 * which its netdev counts.
 */
static __always_inline void flood(struct __sk_buff *skb, const struct vxdp_config *cfg,
				  struct vxdp_frame *frame)
{
	struct flood flood = {.skb = skb, .in_port = frame->in_port};
	__u32 n = cfg->n_ports_end;

	if (n <= VXDP_PORT_FIRST || n > VXDP_PORTS_MAX)
		return;
	if (!mac_is_group(frame->dst.mac))
		flood.barred = VXDP_PORT_NO_FLOOD;
	bpf_loop(n - VXDP_PORT_FIRST, flood_port, &flood, 0);
	frame->captured = flood.captured > 0xffff ? 0xffff : flood.captured;
}

#endif /* VXDP_FLOOD_BPF_H */
