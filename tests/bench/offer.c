/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer.c - see offer.h
 *
 * BPF_PROG_TEST_RUN with live frames, and a program that redirects each to the netdev: no socket
 * and no queueing discipline in the way. Setting a run up takes some 30 ms, so all is one run.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <string.h>

#include <bpf/bpf.h>

#include "offer.h"
#include "include/vxdp/util.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define BATCH 64

/* return bpf_redirect(ifindex, 0) */
static int redirect_program(int ifindex)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = ifindex},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "offer", "GPL", code, ARRAY_SIZE(code), NULL);
}

/* UDP between two addresses of the range for benchmarks; the payload is zeros. */
static void make_frame(struct offer *o)
{
	static const uint8_t ip[] = {0x45, 0, 0,   0,  0, 0, 0,	  0,  64, 17,
				     0,	   0, 198, 18, 0, 1, 198, 18, 0,  2};
	static const uint8_t ports[] = {0x27, 0x10, 0, 9};
	const uint16_t ip_bytes = htons((uint16_t)(o->bytes - 14));
	const uint16_t udp_bytes = htons((uint16_t)(o->bytes - 34));
	uint8_t *frame = o->frame;
	uint32_t sum = 0;

	memcpy(frame, o->dst, 6);
	memcpy(frame + 6, o->src, 6);
	frame[12] = ETHERTYPE_IP >> 8;
	memcpy(frame + 14, ip, sizeof(ip));
	memcpy(frame + 16, &ip_bytes, 2);
	memcpy(frame + 34, ports, sizeof(ports));
	memcpy(frame + 38, &udp_bytes, 2);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

int offer_load(struct offer *o)
{
	make_frame(o);
	o->prog = redirect_program(o->ifindex);
	return MIN(o->prog, 0);
}

int offer_send(const struct offer *o)
{
	struct xdp_md ctx = {.data_end = o->bytes};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = o->frame, .data_size_in = o->bytes,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)o->count,
		    .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	return bpf_prog_test_run_opts(o->prog, &run);
}
