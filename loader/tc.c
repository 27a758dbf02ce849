// SPDX-License-Identifier: GPL-2.0-or-later
#include "tc.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <vxdp/util.h>

#include "bpf_prog.h"
#include "netlink.h"

/*
 * Our place on a hook. Filters run in order of priority; those made without one get 49152 and less,
 * so ours runs before them and after what somebody put first on purpose.
 */
#define TC_PRIORITY 10
#define TC_HANDLE   0x76786470 /* "vxdp" */

int tc_qdisc_add(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err = bpf_tc_hook_create(&hook);

	if (err == -EEXIST)
		return 0;
	return err ? err : 1;
}

static void count_filter(void *arg, const struct nlmsghdr *message)
{
	int *n = arg;

	if (message->nlmsg_type == RTM_NEWTFILTER)
		(*n)++;
}

/* Return: number of filters on a hook, or -errno. */
static int count_filters(unsigned int ifindex, uint32_t parent)
{
	struct netlink_request request;
	struct tcmsg *tc;
	int n = 0, err;

	tc = netlink_init(&request, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*tc));
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	err = netlink_ask(NETLINK_ROUTE, &request, count_filter, &n);
	return err ? err : n;
}

int tc_qdisc_del(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int ingress = count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
	int egress = count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
	int err;

	if (ingress < 0 || egress < 0)
		return MIN(ingress, egress);
	if (ingress || egress)
		return 0;
	err = bpf_tc_hook_destroy(&hook);
	return err ? err : 1;
}

/* Id of the program at our place on a hook; 0 if there is none. */
static unsigned int prog_at_our_place(const struct bpf_tc_hook *hook)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	return bpf_tc_query(hook, &opts) ? 0 : opts.prog_id;
}

int tc_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	unsigned int id = prog_at_our_place(&hook);

	if (id && !bpf_prog_is_ours(id))
		return -EBUSY;
	return bpf_tc_attach(&hook, &opts);
}

unsigned int tc_attached(unsigned int ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	unsigned int id = prog_at_our_place(&hook);

	return id && bpf_prog_is_ours(id) ? id : 0;
}

int tc_detach(unsigned int ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	int err;

	if (!tc_attached(ifindex, point))
		return 0;
	err = bpf_tc_detach(&hook, &opts);
	return err ? err : 1;
}
