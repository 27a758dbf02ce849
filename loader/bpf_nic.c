// SPDX-License-Identifier: GPL-2.0-or-later
#include "bpf_nic.h"

#include <errno.h>

#include "bpf_impl.h"
#include "state.h"
#include "tc.h"
#include "tcx.h"

static int program_fd(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	return prog ? bpf_program__fd(prog) : -ENOENT;
}

static int fail_tc(const char *nic, int err, struct vx_error *error)
{
	vx_fail_errno(error, err, "cannot attach the TC programs to %s", nic);
	if (err == -EBUSY)
		vx_hint(error, "a filter of another program has the same priority and handle: see "
			       "`tc filter show dev NIC ingress` and `... egress`");
	return err;
}

/* The note comes first: a qdisc that is noted and missing does no harm. */
static int add_clsact(const struct nic_info *nic)
{
	bool noted = state_noted(nic->name, nic->ifindex, STATE_CLSACT);
	int added, err;

	err = state_note(nic->name, nic->ifindex, STATE_CLSACT);
	if (err)
		return err;
	added = tc_qdisc_add(nic->ifindex);
	if (added <= 0 && !noted)
		state_forget(nic->name, nic->ifindex, STATE_CLSACT);
	return added < 0 ? added : 0;
}

typedef int (*attach_fn)(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd);

static int attach_both(unsigned int ifindex, const struct bpf_object *main, attach_fn attach)
{
	int err = attach(ifindex, BPF_TC_INGRESS, program_fd(main, "vxdp_uplink_ingress"));

	if (err)
		return err;
	return attach(ifindex, BPF_TC_EGRESS, program_fd(main, "vxdp_uplink_egress"));
}

static int attach_tc(struct bpf_nic *nic, const struct bpf_object *main, struct vx_error *error)
{
	int err;

	nic->tc_attached = true;
	err = attach_both(nic->info.ifindex, main, tcx_attach);
	if (err == -EOPNOTSUPP) {
		err = add_clsact(&nic->info);
		if (!err)
			err = attach_both(nic->info.ifindex, main, tc_attach);
	}
	return err ? fail_tc(nic->info.name, err, error) : 0;
}

/* Return: number of things removed. */
static int detach_tc(const struct nic_info *nic)
{
	int n = 0;

	n += tcx_detach(nic->ifindex, BPF_TC_INGRESS) > 0;
	n += tcx_detach(nic->ifindex, BPF_TC_EGRESS) > 0;
	n += tc_detach(nic->ifindex, BPF_TC_INGRESS) > 0;
	n += tc_detach(nic->ifindex, BPF_TC_EGRESS) > 0;
	if (state_noted(nic->name, nic->ifindex, STATE_CLSACT)) {
		n += tc_qdisc_del(nic->ifindex) > 0;
		state_forget(nic->name, nic->ifindex, STATE_CLSACT);
	}
	return n;
}

/* What a killed predecessor left is taken off; whatever others have there is theirs. */
static int go_without_xdp(struct bpf_nic *nic, struct vx_error *error)
{
	int err = xdp_detach(nic->info.ifindex);

	if (err < 0)
		return vx_fail_errno(error, err, "cannot detach XDP from %s", nic->info.name);
	nic->xdp = (struct xdp_attached){.mode = VXDP_XDP_NONE,
					 .why = "asked for: all frames from the wire go by TC"};
	return 0;
}

static int attach_xdp(struct bpf_nic *nic, const struct bpf_object *main,
		      const struct vxdp_bpf_opts *opts, struct vx_error *error)
{
	int err;

	if (opts->mode == VXDP_XDP_NONE)
		return go_without_xdp(nic, error);
	err = xdp_attach(&nic->info, opts->mode, opts->bare_ok, opts->share, bpf_xdp_object_open,
			 (void *)main, &nic->xdp, error);
	nic->xdp_attached = !err;
	return err;
}

int bpf_nic_attach(struct bpf_nic *nic, const struct bpf_object *main,
		   const struct vxdp_bpf_opts *opts, struct vxdp_uplink *config,
		   struct vx_error *error)
{
	int err = attach_xdp(nic, main, opts, error);

	if (err)
		return err;
	config->generic_xdp = nic->xdp.mode != VXDP_XDP_NATIVE;
	config->no_xdp = nic->xdp.mode == VXDP_XDP_NONE;
	return attach_tc(nic, main, error);
}

void bpf_nic_detach(struct bpf_nic *nic)
{
	if (nic->tc_attached)
		detach_tc(&nic->info);
	if (nic->xdp_attached)
		xdp_detach(nic->info.ifindex);
	nic->tc_attached = nic->xdp_attached = false;
}

int bpf_nic_cleanup(const struct nic_info *info, struct vx_error *error)
{
	int n = detach_tc(info);
	int err = xdp_detach(info->ifindex);

	if (err < 0)
		return vx_fail_errno(error, err, "cannot detach XDP from %s", info->name);
	return n + err;
}
