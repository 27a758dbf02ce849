// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each question is a function that fills in its answer; the table at the end of the file is the
 * order in which they are printed. Nothing here changes the NIC or the machine.
 */
#include "features.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <vxdp/util.h>

#include "bpf.h"
#include "pins.h"
#include "privileges.h"
#include "tap.h"

#define TAP_DEVICE  "/dev/net/tun"
#define KERNEL_BTF  "/sys/kernel/btf/vmlinux"
#define PAGE_MTU    3498 /* with its headroom a frame still fits one page */
#define GUEST_BYTES (1024ULL * 1024 * 1024)

static void detail(struct feature *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fix(struct feature *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void detail(struct feature *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, args);
	va_end(args);
}

static void fix(struct feature *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->fix, sizeof(f->fix), fmt, args);
	va_end(args);
}

static enum vxdp_answer answer(bool yes)
{
	return yes ? VXDP_YES : VXDP_NO;
}

static void ask_privileges(const struct nic_info *nic, struct feature *f)
{
	struct vx_error error = {0};

	f->answer = answer(!privileges_check(&error));
	detail(f, "%s", f->answer == VXDP_YES ? "this user may attach" : error.message);
	if (f->answer == VXDP_NO)
		fix(f, "sudo vxdp features %s", nic->name);
}

static void ask_usable(const struct nic_info *nic, struct feature *f)
{
	struct vx_error error = {0};

	f->answer = answer(!nic_usable(nic, &error) && !nic->master[0]);
	if (error.message[0]) {
		detail(f, "%s", error.message);
	} else if (nic->master[0]) {
		detail(f, "it is a leg of %s, which would not get its frames any more",
		       nic->master);
		fix(f, "ip link set dev %s nomaster", nic->name);
	} else {
		detail(f, "%s", nic->kind[0] ? nic->kind : "an Ethernet NIC");
	}
}

static void ask_up(const struct nic_info *nic, struct feature *f)
{
	f->answer = answer(nic->up && nic->carrier);
	detail(f, "%s", !nic->up ? "down" : nic->carrier ? "up" : "no carrier");
	if (!nic->up)
		fix(f, "ip link set dev %s up", nic->name);
}

/* "BASIC REDIRECT": what the driver says of itself */
static void list_xdp(const struct nic_info *nic, char *text, size_t bytes)
{
	static const char *const names[] = {"basic",   "redirect", "transmit",	    "zero copy",
					    "offload", "frags",	   "transmit frags"};
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (nic->xdp_features & 1u << i && n < bytes)
			n += snprintf(text + n, bytes - n, "%s%s", n ? ", " : "", names[i]);
	}
}

static void ask_native(const struct nic_info *nic, struct feature *f)
{
	char list[128];

	list_xdp(nic, list, sizeof(list));
	if (!nic->xdp_known) {
		f->answer = VXDP_UNKNOWN;
		detail(f, "this kernel does not say; attach tries it");
	} else if (nic->xdp_features & NIC_XDP_BASIC) {
		f->answer = VXDP_YES;
		detail(f, "driver %s: %s", nic->driver, list);
	} else {
		f->answer = VXDP_NO;
		detail(f, "the driver has none: XDP runs in the stack (skb mode), slower");
	}
}

static void ask_other_program(const struct nic_info *nic, struct feature *f)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct vxdp_pins pins;

	f->answer = VXDP_YES;
	if (bpf_xdp_query(nic->ifindex, 0, &query)) {
		f->answer = VXDP_UNKNOWN;
		detail(f, "cannot be asked");
	} else if (!query.prog_id) {
		detail(f, "no other XDP program is attached");
	} else if (!vxdp_pins_open(nic->name, false, &pins, NULL)) {
		if (vxdp_uplinks_no_xdp(&pins))
			detail(f, "XDP program %u is attached, which --mode tc leaves alone",
			       query.prog_id);
		else
			detail(f, "vxdp's own program is attached (id %u)", query.prog_id);
		vxdp_pins_close(&pins);
	} else {
		f->answer = VXDP_UNKNOWN;
		detail(f,
		       "XDP program %u is attached: only libxdp's dispatcher runs two, and --mode "
		       "tc needs none",
		       query.prog_id);
		fix(f, "ip link set dev %s xdp off", nic->name);
	}
}

static void ask_frags(const struct nic_info *nic, struct feature *f)
{
	f->answer = nic->xdp_known ? answer(nic->xdp_features & NIC_XDP_RX_SG) : VXDP_UNKNOWN;
	if (f->answer == VXDP_YES)
		detail(f, "frames longer than a page too");
	else if (nic->mtu > PAGE_MTU)
		detail(f, "MTU %u: native XDP may be refused", nic->mtu);
	else
		detail(f, "not needed at MTU %u", nic->mtu);
	if (f->answer != VXDP_YES && nic->mtu > PAGE_MTU)
		fix(f, "ip link set dev %s mtu %u", nic->name, PAGE_MTU);
}

static void ask_af_xdp(const struct nic_info *nic, struct feature *f)
{
	_cleanup_close_ int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	f->answer = fd >= 0 ? VXDP_YES : errno == EPERM ? VXDP_UNKNOWN : VXDP_NO;
	if (f->answer == VXDP_NO)
		detail(f, "the kernel has no AF_XDP (CONFIG_XDP_SOCKETS): kernel lane only");
	else
		detail(f, "%s", f->answer == VXDP_YES ? "sockets can be made" : "needs root");
}

static void ask_zero_copy(const struct nic_info *nic, struct feature *f)
{
	f->answer = nic->zerocopy;
	if (f->answer == VXDP_YES) {
		detail(f,
		       "into vxdp's memory; into a guest's with --dedicated, since the NIC writes "
		       "before XDP decides");
		fix(f, "vxdp attach %s --vm SOCK --dedicated", nic->name);
	} else if (f->answer == VXDP_NO) {
		detail(f, "the driver has none: the kernel copies each frame once");
	} else {
		detail(f, "this kernel does not say; attach --dedicated tries it");
	}
}

static void ask_queues(const struct nic_info *nic, struct feature *f)
{
	f->answer = answer(nic->rx_queues > 1 || nic->rx_queues_max > 1);
	if (nic->rx_queues_max > nic->rx_queues)
		detail(f, "%u of %u receive queues: each can have a processor of its own",
		       nic->rx_queues, nic->rx_queues_max);
	else
		detail(f, "%u receive, %u transmit queues", nic->rx_queues, nic->tx_queues);
	if (nic->rx_queues_max > nic->rx_queues)
		fix(f, "ethtool -L %s combined %u", nic->name, nic->rx_queues_max);
}

static void ask_steering(const struct nic_info *nic, struct feature *f)
{
	f->answer = answer(!nic->ntuple_fixed || nic->ntuple);
	detail(f, "%s",
	       f->answer == VXDP_YES
		       ? "a guest known by one address gets a queue of its own (not tried on "
			 "hardware)"
		       : "the NIC cannot steer addresses to queues (ntuple)");
	if (f->answer == VXDP_YES && !nic->ntuple)
		fix(f, "ethtool -K %s ntuple on", nic->name);
}

static void ask_promiscuous(const struct nic_info *nic, struct feature *f)
{
	f->answer = VXDP_YES;
	detail(f,
	       "attach makes it take guests' addresses; its own %02x:%02x:%02x:%02x:%02x:%02x "
	       "stays the host's",
	       nic->mac[0], nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
}

static void ask_offloads(const struct nic_info *nic, struct feature *f)
{
	bool stuck = (nic->rxvlan && nic->rxvlan_fixed) || (nic->lro && nic->lro_fixed);

	f->answer = answer(!stuck);
	if (stuck)
		detail(f, "%s cannot be turned off: such frames take the kernel lane",
		       nic->lro && nic->lro_fixed ? "LRO" : "receive VLAN offload");
	else if (nic->rxvlan || nic->lro)
		detail(f, "attach turns off %s%s%s, detach on again",
		       nic->rxvlan ? "receive VLAN offload" : "",
		       nic->rxvlan && nic->lro ? " and " : "", nic->lro ? "LRO" : "");
	else
		detail(f, "nothing hides tags or merges frames before XDP");
}

static void ask_tap(const struct nic_info *nic, struct feature *f)
{
	_cleanup_close_ int fd = open(TAP_DEVICE, O_RDWR | O_CLOEXEC);
	const unsigned int wanted = IFF_VNET_HDR | IFF_MULTI_QUEUE;
	unsigned int flags = 0;
	int err = fd < 0 ? errno : 0;

	if (fd >= 0 && !ioctl(fd, TUNGETFEATURES, &flags) && (flags & wanted) == wanted) {
		f->answer = VXDP_YES;
		detail(f, "multi-queue, virtio-net header with checksum and segmentation offload");
	} else {
		f->answer = err == EACCES || err == EPERM ? VXDP_UNKNOWN : VXDP_NO;
		detail(f, TAP_DEVICE ": %s", err ? strerror(err) : "too old");
		if (f->answer == VXDP_NO)
			fix(f, "modprobe tun");
	}
}

static void ask_uso(const struct nic_info *nic, struct feature *f)
{
	f->answer = answer(tap_uso_supported());
	detail(f, "%s",
	       f->answer == VXDP_YES ? "guests can have UDP segmented by the kernel"
				     : "not in this kernel (6.2), or needs root");
}

static void ask_bpffs(const struct nic_info *nic, struct feature *f)
{
	struct statfs fs;

	f->answer = answer(!statfs(vxdp_bpffs(), &fs) && fs.f_type == BPF_FS_MAGIC);
	detail(f, "%s", vxdp_bpffs());
	if (f->answer == VXDP_YES)
		return;
	detail(f, "%s is no bpffs; attach mounts one", vxdp_bpffs());
	fix(f, "mount -t bpf bpf %s", vxdp_bpffs());
}

static void ask_btf(const struct nic_info *nic, struct feature *f)
{
	f->answer = answer(!access(KERNEL_BTF, R_OK));
	detail(f, "%s",
	       f->answer == VXDP_YES ? KERNEL_BTF
				     : "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
}

static void ask_memlock(const struct nic_info *nic, struct feature *f)
{
	struct vx_error error = {0};
	struct rlimit limit;

	if (!privileges_check(&error)) {
		f->answer = VXDP_YES;
		detail(f, "attach raises the limit by itself");
		return;
	}
	getrlimit(RLIMIT_MEMLOCK, &limit);
	f->answer = answer(limit.rlim_max == RLIM_INFINITY || limit.rlim_max > GUEST_BYTES);
	detail(f, "all memory of a guest on the direct lane is locked; the limit is %llu KiB",
	       (unsigned long long)limit.rlim_max / 1024);
}

static void ask_hugepages(const struct nic_info *nic, struct feature *f)
{
	unsigned long total = 0, unused = 0, kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "HugePages_Total: %lu", &total) == 1 ||
		    sscanf(line, "HugePages_Free: %lu", &unused) == 1 ||
		    sscanf(line, "Hugepagesize: %lu", &kib) == 1)
			continue;
	}
	if (file)
		fclose(file);
	f->answer = answer(total);
	if (total)
		detail(f, "%lu of %lu free, %lu KiB each", unused, total, kib);
	else
		detail(f, "none; guests with ordinary pages work, with more kernel memory for the "
			  "direct lane");
	if (!total && kib)
		fix(f, "sysctl vm.nr_hugepages=%llu", GUEST_BYTES / 1024 / kib);
}

static const struct {
	const char *name;
	enum feature_weight weight;
	void (*ask)(const struct nic_info *nic, struct feature *f);
} questions[] = {
	{"privileges", FEATURE_NEEDED, ask_privileges},
	{"usable", FEATURE_NEEDED, ask_usable},
	{"link", FEATURE_INFO, ask_up},
	{"native_xdp", FEATURE_SPEED, ask_native},
	{"xdp_alone", FEATURE_INFO, ask_other_program},
	{"xdp_frags", FEATURE_INFO, ask_frags},
	{"af_xdp", FEATURE_SPEED, ask_af_xdp},
	{"zero_copy", FEATURE_SPEED, ask_zero_copy},
	{"queues", FEATURE_SPEED, ask_queues},
	{"steering", FEATURE_INFO, ask_steering},
	{"guest_addresses", FEATURE_INFO, ask_promiscuous},
	{"receive_offloads", FEATURE_INFO, ask_offloads},
	{"tap", FEATURE_NEEDED, ask_tap},
	{"udp_segmentation", FEATURE_SPEED, ask_uso},
	{"bpffs", FEATURE_INFO, ask_bpffs},
	{"btf", FEATURE_NEEDED, ask_btf},
	{"memlock", FEATURE_SPEED, ask_memlock},
	{"hugepages", FEATURE_SPEED, ask_hugepages},
};

_Static_assert(ARRAY_SIZE(questions) <= FEATURES_MAX, "an answer for each question");

unsigned int features_probe(const struct nic_info *nic, struct feature features[FEATURES_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		features[i] =
			(struct feature){.name = questions[i].name, .weight = questions[i].weight};
		questions[i].ask(nic, &features[i]);
	}
	return ARRAY_SIZE(questions);
}

const struct feature *features_find(const struct feature *features, const char *name)
{
	while (strcmp(features->name, name))
		features++;
	return features;
}
