/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * capture.bpf.h - frames for `vxdp dump`: one record a frame, made where its verdict is counted.
 *
 * A frame is recorded when the port it came from or a port it goes to has VXDP_PORT_CAPTURE. A
 * flooded frame is one record too, with out_port VXDP_PORT_NONE. When the ring is full the record
 * is lost, the frame is not.
 */
#ifndef VXDP_CAPTURE_BPF_H
#define VXDP_CAPTURE_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

#define CAPTURE_DATA_MAX 16384 /* longest part of a frame that is recorded */

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

/* @load: bpf_skb_load_bytes or bpf_xdp_load_bytes, @data_bytes: what there is to load from @ctx */
#define CAPTURE(load, ctx, data_bytes, frame, verdict_)                                            \
	do {                                                                                       \
		__u32 zero_ = 0, wanted_ = capture_wanted(frame);                                  \
		struct capture_record *record_;                                                    \
                                                                                                   \
		if (__builtin_expect(!wanted_, 1))                                                 \
			break;                                                                     \
		record_ = bpf_map_lookup_elem(&capture_scratch, &zero_);                           \
		if (!record_)                                                                      \
			break;                                                                     \
		capture_head(&record_->head, frame, verdict_);                                     \
		if (wanted_ > (data_bytes))                                                        \
			wanted_ = (data_bytes);                                                    \
		if (wanted_ > CAPTURE_DATA_MAX)                                                    \
			wanted_ = CAPTURE_DATA_MAX;                                                \
		if (wanted_ < 1 || load(ctx, 0, record_->data, wanted_))                           \
			break;                                                                     \
		record_->head.captured_bytes = wanted_;                                            \
		bpf_ringbuf_output(&capture, record_, sizeof(record_->head) + wanted_, 0);         \
	} while (0)

static __always_inline void capture_head(struct vxdp_capture *head, const struct vxdp_frame *frame,
					 __u32 verdict)
{
	head->time_ns = bpf_ktime_get_ns();
	head->frame_bytes = frame->bytes;
	head->port = frame->in_port;
	head->out_port = frame->out_port;
	head->verdict = verdict;
	head->vlan_tci = frame->vlan_tci;
}

#endif /* VXDP_CAPTURE_BPF_H */
