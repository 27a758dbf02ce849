/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sockets.bpf.h - from the wire into the AF_XDP socket of a NIC queue.
 *
 * Theory of operation
 *
 * A queue is one guest's, and then the socket's memory is the guest's (direct lane), or all
 * guests', and then it is vxdp's own (shared lane). What stands in front of a frame differs: the
 * empty virtio-net header of the guest's buffer, filled in here while the cache line is at hand, so
 * that user space never touches a frame; or the port it goes to, so that user space need not look
 * that up again.
 */
#ifndef VXDP_SOCKETS_BPF_H
#define VXDP_SOCKETS_BPF_H

#include "fast.bpf.h"

/*
 * Put an empty virtio-net header in front of the frame (virtio 1.2, 5.1.6.1): no offloads, and if
 * it is the long one, one buffer. Drivers keep at least 64 bytes there for XDP.
 */
static __always_inline int add_virtio_header(struct xdp_md *xdp, __u32 bytes)
{
	const struct virtio_net_hdr_mrg_rxbuf empty = {
		.num_buffers = __builtin_bswap16(bpf_htons(1)), /* little-endian */
	};
	void *data;

	if (bpf_xdp_adjust_head(xdp, bytes == sizeof(empty.hdr) ? -(int)sizeof(empty.hdr)
								: -(int)sizeof(empty)))
		return XDP_ABORTED;
	data = (void *)(long)xdp->data;
	if (bytes == sizeof(empty.hdr)) {
		if (data + sizeof(empty.hdr) > (void *)(long)xdp->data_end)
			return XDP_ABORTED;
		__builtin_memcpy(data, &empty.hdr, sizeof(empty.hdr));
		return XDP_REDIRECT;
	}
	if (data + sizeof(empty) > (void *)(long)xdp->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, &empty, sizeof(empty));
	return XDP_REDIRECT;
}

static __always_inline int add_shared_head(struct xdp_md *xdp, __u16 port)
{
	const struct vxdp_shared_head head = {.port = port};
	void *data;

	if (bpf_xdp_adjust_head(xdp, -(int)sizeof(head)))
		return XDP_ABORTED;
	data = (void *)(long)xdp->data;
	if (data + sizeof(head) > (void *)(long)xdp->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, &head, sizeof(head));
	return XDP_REDIRECT;
}

/*
 * Generic XDP runs after GRO: there, TCP comes in frames of any size, of which AF_XDP takes only
 * some, so it takes none. TCP for a port that wants it from the kernel has not come here.
 */
static __always_inline bool fits_socket(struct xdp_md *xdp, __u64 at, const struct fast *f,
					const struct vxdp_port *port)
{
	if (f->frame.bytes > port->direct_frame_bytes)
		return false;
	return !(at & AT_GENERIC) ||
	       !is_tcp_or_unclear(f->proto, f->l3, (void *)(long)xdp->data_end);
}

/* The port, if it is up, and takes frames of this queue and like this one; or NULL. */
static __always_inline struct vxdp_port *socket_port(struct xdp_md *xdp, __u64 at,
						     const struct fast *f, __u32 owner)
{
	__u16 wanted = VXDP_PORT_UP;
	struct vxdp_port *port;

	if (owner != VXDP_QUEUE_SHARED && owner != f->frame.out_port)
		return NULL;
	wanted |= owner == VXDP_QUEUE_SHARED ? VXDP_PORT_SHARED : VXDP_PORT_DIRECT;
	port = port_get(f->frame.out_port);
	if (!port || (port->flags & wanted) != wanted || !fits_socket(xdp, at, f, port))
		return NULL;
	return port;
}

/*
 * Return: XDP_PASS if it is not for a socket.
 * @with_head: put something in front; if not, there are no shared queues
 */
static __always_inline int redirect_to_socket(struct xdp_md *xdp, __u64 at, struct fast *f,
					      bool with_head)
{
	__u32 index = AT_QUEUE(at), owner;
	struct vxdp_queue *queue = bpf_map_lookup_elem(&queues, &index);

	if (!queue)
		return XDP_PASS;
	owner = *(volatile __u16 *)&queue->owner;
	if (owner == VXDP_QUEUE_SHARED && !with_head)
		return XDP_PASS;
	if (!socket_port(xdp, at, f, owner) ||
	    bpf_redirect_map(&xsks, index, XDP_PASS) != XDP_REDIRECT)
		return XDP_PASS;
	fast_done(xdp, f, owner == VXDP_QUEUE_SHARED ? VXDP_TO_SHARED : VXDP_TO_DIRECT);
	if (!with_head)
		return XDP_REDIRECT;
	return owner == VXDP_QUEUE_SHARED ? add_shared_head(xdp, f->frame.out_port)
					  : add_virtio_header(xdp, queue->hdr_bytes);
}

#endif /* VXDP_SOCKETS_BPF_H */
