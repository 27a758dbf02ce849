/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * capture.bpf.h - frames for `vxdp dump`: one record a frame, made where its verdict is counted.
 *
 * A frame is recorded when the port it came from or a port it goes to has VXDP_PORT_CAPTURE. A
 * flooded frame is one record too, with out_port VXDP_PORT_NONE. A frame whose VLAN tag is changed
 * on its way is recorded as it leaves. When the ring is full the record is lost and counted, the
 * frame is not.
 */
#ifndef VXDP_CAPTURE_BPF_H
#define VXDP_CAPTURE_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

#define CAPTURE_DATA_MAX 16384 /* longest part of a frame that is recorded; a power of two */

struct capture_record {
	struct vxdp_capture head;
	__u8 data[CAPTURE_DATA_MAX];
};

/* Where a record is put together, since a ring buffer reserves constant sizes only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_record);
} capture_scratch SEC(".maps");

static __always_inline __u32 capture_wanted_by(__u32 id)
{
	struct vxdp_port *port = bpf_map_lookup_elem(&ports, &id);

	return port && port->flags & VXDP_PORT_CAPTURE ? port->capture_bytes : 0;
}

/* How much of this frame is to be recorded; 0: it is not. */
static __always_inline __u32 capture_wanted(const struct vxdp_frame *frame)
{
	__u32 in = capture_wanted_by(frame->in_port);
	__u32 out = capture_wanted_by(frame->out_port);

	if (in < out)
		in = out;
	if (in < frame->captured)
		in = frame->captured;
	return in;
}

/*
 * How many bytes to copy; 0: none. The mask changes nothing, but tells the verifier that the number
 * is from 1 to CAPTURE_DATA_MAX: before Linux 6.8 it does not understand "not 0", and forgets a
 * bound when the compiler keeps the number on the stack.
 */
static __always_inline __u32 capture_bytes(__u32 wanted, __u32 there)
{
	if (wanted > there)
		wanted = there;
	if (wanted > CAPTURE_DATA_MAX)
		wanted = CAPTURE_DATA_MAX;
	if (!wanted)
		return 0;
	wanted--;
	asm volatile("%0 &= %1" : "+r"(wanted) : "i"(CAPTURE_DATA_MAX - 1));
	return wanted + 1;
}

static __always_inline struct capture_record *capture_begin(const struct vxdp_frame *frame,
							    __u32 verdict)
{
	__u32 zero = 0;
	struct capture_record *record = bpf_map_lookup_elem(&capture_scratch, &zero);

	if (!record)
		return NULL;
	record->head.time_ns = bpf_ktime_get_ns();
	record->head.frame_bytes = frame->bytes;
	record->head.port = frame->in_port;
	record->head.out_port = frame->out_port;
	record->head.verdict = verdict;
	return record;
}

static __always_inline void capture_end(struct capture_record *record, __u32 bytes)
{
	struct vxdp_config *shared;

	record->head.captured_bytes = bytes;
	if (!bpf_ringbuf_output(&capture, record, sizeof(record->head) + bytes, 0))
		return;
	shared = config_get();
	if (shared)
		__sync_fetch_and_add(&shared->capture_lost, 1);
}

/* Rarely called, so not part of every program's way out. */
static __noinline int capture_skb(struct __sk_buff *skb, const struct vxdp_frame *frame,
				  __u32 verdict)
{
	struct capture_record *record = capture_begin(frame, verdict);
	__u32 bytes;

	if (!record)
		return 0;
	record->head.vlan_tci = skb->vlan_present ? skb->vlan_tci : 0;
	bytes = capture_bytes(capture_wanted(frame), skb->len);
	if (bytes && !bpf_skb_load_bytes(skb, 0, record->data, bytes))
		capture_end(record, bytes);
	return 0;
}

static __noinline int capture_xdp(struct xdp_md *xdp, const struct vxdp_frame *frame, __u32 verdict)
{
	struct capture_record *record = capture_begin(frame, verdict);
	__u32 bytes;

	if (!record)
		return 0;
	record->head.vlan_tci = 0; /* in the data */
	bytes = capture_bytes(capture_wanted(frame), frame->bytes);
	if (bytes && !bpf_xdp_load_bytes(xdp, 0, record->data, bytes))
		capture_end(record, bytes);
	return 0;
}

#endif /* VXDP_CAPTURE_BPF_H */
