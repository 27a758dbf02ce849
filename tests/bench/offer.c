/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offer.c - see offer.h
 *
 * BPF_PROG_TEST_RUN with live frames, and a program that redirects to the netdev: no socket and no
 * queueing discipline in the way. Starting and ending such a run takes some 30 ms, for it waits for
 * RCU; so one run is kept going, and sends when it is told to.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "offer.h"
#include "include/vxdp/util.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define BATCH	 64
#define RUNS_MAX (1 << 30)

/*
 *	state->runs++;
 *	if (!state->left)
 *		return XDP_DROP;
 *	state->left--;
 *	return bpf_redirect(ifindex, 0);
 */
static int load_program(int map, int ifindex)
{
	const struct bpf_insn code[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = map},
		{0},
		{.code = BPF_LDX | BPF_DW | BPF_MEM,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct offer_state, runs)},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_DW | BPF_MEM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .off = offsetof(struct offer_state, runs)},
		{.code = BPF_LDX | BPF_DW | BPF_MEM,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct offer_state, left)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_2, .off = 5},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -1},
		{.code = BPF_STX | BPF_DW | BPF_MEM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .off = offsetof(struct offer_state, left)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = ifindex},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "offer", "GPL", code, ARRAY_SIZE(code), NULL);
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6;
}

bool offer_option(struct offer *o, int option, const char *text)
{
	if (option != 'b')
		return parse_mac(text, option == 's' ? o->src : o->dst);
	return sscanf(text, "%u", &o->bytes) == 1 && o->bytes >= OFFER_BYTES_MIN &&
	       o->bytes <= OFFER_BYTES_MAX;
}

void offer_make_frame(struct offer *o)
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
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	void *state;

	offer_make_frame(o);
	o->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "offer", sizeof(uint32_t), sizeof(*o->state), 1,
				&opts);
	if (o->map < 0)
		return o->map;
	state = mmap(NULL, sizeof(*o->state), PROT_READ | PROT_WRITE, MAP_SHARED, o->map, 0);
	if (state == MAP_FAILED)
		return -errno;
	o->state = state;
	o->prog = load_program(o->map, o->ifindex);
	return MIN(o->prog, 0);
}

int offer_run(const struct offer *o)
{
	struct xdp_md ctx = {.data_end = o->bytes};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = o->frame, .data_size_in = o->bytes,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = RUNS_MAX,
		    .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int err = bpf_prog_test_run_opts(o->prog, &run);

	return err == -EINTR ? 0 : err;
}

void offer_unload(struct offer *o)
{
	if (o->state)
		munmap((void *)o->state, sizeof(*o->state));
	close_fd(&o->prog);
	close_fd(&o->map);
}
