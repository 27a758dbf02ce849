// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold - attach to a NIC and hold on to it, for tests in shell
 *
 *	hold attach NIC auto|native|skb [bare]
 *	                                  prints "MODE: WHY" once attached, detaches at the end of
 *	                                  its standard input; on failure "ERRNO: MESSAGE: HINT"
 *	hold cleanup NIC                  prints how many things were removed and put back
 *	hold info NIC                     prints what is known about a NIC
 *	hold hooks NIC                    prints how the TC hooks are attached to: tcx, clsact or
 *	                                  none, for ingress and egress
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "loader/bpf.h"
#include "loader/nic.h"
#include "loader/tc.h"
#include "loader/tcx.h"

static int fail(int err, const struct vx_error *error)
{
	printf("%s: %s: %s\n", strerrorname_np(-err), error->message, error->hint);
	return 1;
}

static int hold(const char *name, const char *mode, bool bare_ok)
{
	struct vxdp_bpf_opts opts = {.nic = name, .bare_ok = bare_ok};
	struct vx_error error = {0};
	struct vxdp_bpf *bpf = NULL;
	struct nic *nic = NULL;
	char buffer[64];
	int err;

	if (!strcmp(mode, "native"))
		opts.mode = VXDP_XDP_NATIVE;
	else if (!strcmp(mode, "skb"))
		opts.mode = VXDP_XDP_SKB;
	err = nic_open(name, NULL, NULL, &nic, &error);
	if (!err)
		err = vxdp_bpf_open(&opts, &bpf, &error);
	if (err) {
		nic_close(&nic);
		return fail(err, &error);
	}
	printf("%s: %s%s\n", vxdp_bpf_xdp_mode(bpf) == VXDP_XDP_SKB ? "skb" : "native",
	       vxdp_bpf_xdp_why(bpf), vxdp_bpf_writes_headers(bpf) ? "" : ", bare");
	fflush(stdout);
	while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
		;
	vxdp_bpf_close(&bpf);
	nic_close(&nic);
	return 0;
}

static int cleanup(const char *name)
{
	struct vx_error error = {0};
	int programs = vxdp_bpf_cleanup(name, &error);
	int settings = programs < 0 ? programs : nic_cleanup(name, &error);

	if (settings < 0)
		return fail(settings, &error);
	printf("%d removed, %d put back\n", programs, settings);
	return 0;
}

static int info(const char *name)
{
	struct vx_error error = {0};
	struct nic_info nic;
	int err = nic_info_get(name, &nic, &error);

	if (!err)
		err = nic_usable(&nic, &error);
	if (err)
		return fail(err, &error);
	printf("mtu %u, %s, %s, kind '%s', driver '%s', queues %u/%u of %u, master '%s', ", nic.mtu,
	       nic.up ? "up" : "down", nic.carrier ? "carrier" : "no carrier", nic.kind, nic.driver,
	       nic.rx_queues, nic.tx_queues, nic.rx_queues_max, nic.master);
	printf("rxvlan %d%s, lro %d%s, zerocopy %d\n", nic.rxvlan, nic.rxvlan_fixed ? " fixed" : "",
	       nic.lro, nic.lro_fixed ? " fixed" : "", nic.zerocopy);
	return 0;
}

static const char *hook(unsigned int ifindex, enum bpf_tc_attach_point point)
{
	if (tcx_attached(ifindex, point))
		return "tcx";
	return tc_attached(ifindex, point) ? "clsact" : "none";
}

static int hooks(const char *name)
{
	unsigned int ifindex = if_nametoindex(name);

	printf("%s %s\n", hook(ifindex, BPF_TC_INGRESS), hook(ifindex, BPF_TC_EGRESS));
	return 0;
}

int main(int argc, char **argv)
{
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "attach"))
		return hold(argv[2], argv[3], argc == 5 && !strcmp(argv[4], "bare"));
	if (argc == 3 && !strcmp(argv[1], "cleanup"))
		return cleanup(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "info"))
		return info(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "hooks"))
		return hooks(argv[2]);
	fprintf(stderr,
		"usage: hold attach NIC MODE [bare] | cleanup NIC | info NIC | hooks NIC\n");
	return 2;
}
