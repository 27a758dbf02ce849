// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * livegen - send numbered UDP frames out of a netdev, straight from the kernel.
 *
 *   livegen --dev IF --src-mac M --dst-mac M --src A --dst A [--port P] [--frame BYTES]
 *           [--count N] [--rate PPS] [--flows N] [--seconds S]
 *
 * Frames are sent by a BPF program (bpf_redirect) that runs over BPF_PROG_TEST_RUN with live
 * frames: some million a second into a veth, with no socket or queueing discipline in the way. The
 * peer of a veth has to run NAPI (an XDP program, or GRO on) to take them. IPv4, no UDP checksum.
 * Frames a driver refuses show in its own drop counters. Prints {"sent":N,"seconds":S}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "livegen.h"
#include "livegen.skel.h"

#define BATCH	  64
#define FRAME_MAX 1514
#define HEADERS	  (sizeof(struct ether_header) + sizeof(struct iphdr) + sizeof(struct udphdr))

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

struct opts {
	unsigned int ifindex;
	struct ether_addr src_mac, dst_mac;
	struct in_addr src, dst;
	uint16_t port;
	uint32_t frame, flows;
	uint64_t count, rate;
	double seconds;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "livegen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint16_t ip_sum(const void *data)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (int i = 0; i < 10; i++)
		sum += p[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void make_frame(const struct opts *o, uint8_t *frame)
{
	struct ether_header eth = {.ether_type = htons(ETHERTYPE_IP)};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	struct udphdr udp = {0};
	uint16_t payload = (uint16_t)(o->frame - HEADERS);

	memset(frame, 0, o->frame);
	memcpy(eth.ether_shost, &o->src_mac, 6);
	memcpy(eth.ether_dhost, &o->dst_mac, 6);
	ip.tot_len = htons((uint16_t)(sizeof(ip) + sizeof(udp) + payload));
	ip.saddr = o->src.s_addr;
	ip.daddr = o->dst.s_addr;
	ip.check = ip_sum(&ip);
	udp.uh_sport = htons(20000);
	udp.uh_dport = htons(o->port);
	udp.uh_ulen = htons((uint16_t)(sizeof(udp) + payload));
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &ip, sizeof(ip));
	memcpy(frame + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
}

static struct livegen_bpf *load(const struct opts *o)
{
	struct livegen_bpf *skel = livegen_bpf__open();

	if (!skel)
		fail("open");
	skel->rodata->ifindex = o->ifindex;
	skel->rodata->seq_offset = HEADERS;
	skel->rodata->n_flows = o->flows;
	skel->rodata->size = o->frame - (uint32_t)HEADERS;
	skel->rodata->first_port = 20000;
	if (livegen_bpf__load(skel))
		fail("load");
	return skel;
}

/* Runs the program for a part of the frames. Return: how many it was. */
static uint64_t send_part(const struct opts *o, int prog, const uint8_t *frame, uint64_t left)
{
	uint64_t part = o->rate ? o->rate / 10 + 1 : 4096;
	struct xdp_md ctx = {.data_end = o->frame};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = o->frame,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH, );

	part = part < left ? part : left;
	run.repeat = (int)part;
	if (part < BATCH)
		run.batch_size = (uint32_t)part;
	if (bpf_prog_test_run_opts(prog, &run))
		fail("BPF_PROG_TEST_RUN");
	return part;
}

static void generate(const struct opts *o)
{
	struct livegen_bpf *skel = load(o);
	int prog = bpf_program__fd(skel->progs.livegen);
	uint8_t frame[FRAME_MAX];
	double start = now();
	uint64_t sent = 0;

	make_frame(o, frame);
	while (sent < o->count && (!o->seconds || now() - start < o->seconds)) {
		double wait;

		sent += send_part(o, prog, frame, o->count - sent);
		wait = o->rate ? start + (double)sent / (double)o->rate - now() : 0;
		if (wait > 0)
			usleep((useconds_t)(wait * 1e6));
	}
	printf("{\"sent\":%llu,\"seconds\":%.3f}\n", (unsigned long long)sent, now() - start);
	livegen_bpf__destroy(skel);
}

static const struct option long_options[] = {
	{"dev", required_argument, 0, 'i'},	{"src-mac", required_argument, 0, 'm'},
	{"dst-mac", required_argument, 0, 'M'}, {"src", required_argument, 0, 'a'},
	{"dst", required_argument, 0, 'A'},	{"port", required_argument, 0, 'p'},
	{"frame", required_argument, 0, 'f'},	{"count", required_argument, 0, 'c'},
	{"rate", required_argument, 0, 'r'},	{"flows", required_argument, 0, 'n'},
	{"seconds", required_argument, 0, 's'}, {0},
};

static bool parse_option(struct opts *o, int c)
{
	switch (c) {
	case 'i':
		return (o->ifindex = if_nametoindex(optarg)) != 0;
	case 'm':
		return ether_aton_r(optarg, &o->src_mac);
	case 'M':
		return ether_aton_r(optarg, &o->dst_mac);
	case 'a':
		return inet_pton(AF_INET, optarg, &o->src) == 1;
	case 'A':
		return inet_pton(AF_INET, optarg, &o->dst) == 1;
	case 'p':
		return (o->port = (uint16_t)atoi(optarg)) != 0;
	case 'f':
		o->frame = (uint32_t)atoi(optarg);
		return o->frame >= HEADERS + 8 && o->frame <= FRAME_MAX;
	case 'c':
		return (o->count = strtoull(optarg, NULL, 0)) != 0;
	case 'r':
		o->rate = strtoull(optarg, NULL, 0);
		return true;
	case 'n':
		return (o->flows = (uint32_t)atoi(optarg)) != 0;
	case 's':
		o->seconds = atof(optarg);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct opts o = {.port = 7000, .frame = 60, .flows = 1, .count = UINT64_MAX};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!parse_option(&o, c)) {
			fprintf(stderr, "livegen: bad option or value '%s'\n",
				optarg ? optarg : "");
			return 2;
		}
	}
	if (!o.ifindex || (o.count == UINT64_MAX && !o.seconds)) {
		fprintf(stderr, "usage: livegen --dev IF --src-mac M --dst-mac M --src A --dst A "
				"--count N | --seconds S ...\n");
		return 2;
	}
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	generate(&o);
	return 0;
}
