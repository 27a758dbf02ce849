/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sink.c - drop all that arrives on a netdev, at the earliest point, until SIGTERM or SIGINT.
 *
 *   sink IFACE [pass [skb]]
 *
 * With "pass" it drops nothing: what remains is what it costs that there is a program. With "skb"
 * that runs in the stack rather than in the driver.
 *
 * What the far end of a wire does with frames would else be time of the switch's thread, whose
 * softirq it runs in. The netdev's own counters still see each frame. Prints "ready".
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "include/vxdp/util.h"

int main(int argc, char **argv)
{
	const bool skb = argc == 4 && !strcmp(argv[3], "skb");
	const bool pass = (argc == 3 || skb) && !strcmp(argv[2], "pass");
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K,
		 .dst_reg = BPF_REG_0,
		 .imm = pass ? XDP_PASS : XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = skb ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	unsigned int ifindex = argc == 2 || pass ? if_nametoindex(argv[1]) : 0;
	sigset_t set;
	int prog, link, signal;

	if (!ifindex) {
		fputs("usage: sink IFACE [pass [skb]]\n", stderr);
		return 2;
	}
	prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "sink", "GPL", code, ARRAY_SIZE(code), NULL);
	link = prog < 0 ? prog : bpf_link_create(prog, (int)ifindex, BPF_XDP, &opts);
	if (link < 0) {
		fprintf(stderr, "sink: %s: %s\n", argv[1], strerror(-link));
		return 1;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("ready");
	fflush(stdout);
	sigwait(&set, &signal);
	return 0; /* the link goes with the process */
}
