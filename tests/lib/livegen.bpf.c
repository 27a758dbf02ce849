// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * livegen.bpf.c - number each frame and send it out. Run by livegen through BPF_PROG_TEST_RUN with
 * live frames; the kernel recycles the frames, so the numbers are written anew each time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "livegen.h"

const volatile __u32 ifindex = 0;
const volatile __u32 seq_offset = 0; /* of the UDP payload */
const volatile __u32 n_flows = 1;
const volatile __u32 size = 0; /* of the UDP payload */
const volatile __u32 first_port = 0;

__u32 counter = 0;

SEC("xdp")
int livegen(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 i = counter++, seq = i / n_flows, flow = i % n_flows;
	__u8 *p = data + (seq_offset & 0x3f);

	if (p + 8 > (__u8 *)end)
		return XDP_ABORTED;
	/* UDP source port, then the payload's header as in traffic_udp.c */
	*(__u16 *)(p - 8) = __builtin_bswap16((__u16)(first_port + flow));
	*(__u16 *)p = __builtin_bswap16(LIVEGEN_MAGIC);
	*(__u16 *)(p + 2) = __builtin_bswap16((__u16)size);
	*(__u32 *)(p + 4) = __builtin_bswap32(seq);
	for (__u32 k = 8; k < LIVEGEN_PATTERN_MAX && k < size; k++) {
		if (p + k + 1 > (__u8 *)end)
			break;
		p[k] = (__u8)(seq * 31 + k * 7 + (k >> 8));
	}
	return (int)bpf_redirect(ifindex, 0);
}

char _license[] SEC("license")
= "GPL";
