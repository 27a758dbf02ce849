// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp.c - our XDP program on a NIC.
 *
 * Theory of operation
 *
 * libxdp runs several programs on one NIC by a dispatcher, into which each is linked (freplace).
 * Where the kernel does not allow that, ours is attached alone. What is there already decides:
 *
 *	nothing             libxdp; if that fails, alone
 *	ours alone          a killed predecessor's: replaced in one step, the driver does not stop
 *	a dispatcher        ours is taken out if it is in there, and linked in again by libxdp
 *	another one alone   is not touched: -EBUSY
 */
#include "xdp.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <xdp/libxdp.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "bpf_log.h"
#include "tc.h"

#define PROG_NAME "vxdp_uplink_xdp"

enum found_kind { FOUND_NOTHING, FOUND_OURS_ALONE, FOUND_OTHER_ALONE, FOUND_DISPATCHER };

struct found {
	enum found_kind kind;
	enum xdp_attach_mode mode;
	unsigned int id;      /* of the program, unless it is a dispatcher */
	unsigned int n_other; /* programs in the dispatcher that are not ours */
	char name[32];	      /* of the program, or of one that is not ours in the dispatcher */
};

static bool is_ours(const struct xdp_program *prog)
{
	return !strcmp(xdp_program__name(prog), PROG_NAME) && prog_is_ours(xdp_program__id(prog));
}

static void look_into(const struct xdp_multiprog *mp, struct found *found)
{
	struct xdp_program *prog = NULL;

	found->mode = xdp_multiprog__attach_mode(mp);
	if (xdp_multiprog__is_legacy(mp)) {
		prog = xdp_multiprog__main_prog(mp);
		found->kind = is_ours(prog) ? FOUND_OURS_ALONE : FOUND_OTHER_ALONE;
		found->id = xdp_program__id(prog);
		snprintf(found->name, sizeof(found->name), "%s", xdp_program__name(prog));
		return;
	}
	found->kind = FOUND_DISPATCHER;
	while ((prog = xdp_multiprog__next_prog(prog, mp))) {
		if (is_ours(prog))
			continue;
		found->n_other++;
		snprintf(found->name, sizeof(found->name), "%s", xdp_program__name(prog));
	}
}

/* What is attached now. If libxdp cannot make sense of it, it is somebody else's. */
static void look(unsigned int ifindex, struct found *found)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	__u32 id = 0;

	memset(found, 0, sizeof(*found));
	if (!libxdp_get_error(mp) && mp) {
		look_into(mp, found);
		xdp_multiprog__close(mp);
	} else if (!bpf_xdp_query_id((int)ifindex, 0, &id) && id) {
		found->kind = prog_is_ours(id) ? FOUND_OURS_ALONE : FOUND_OTHER_ALONE;
		found->id = id;
		snprintf(found->name, sizeof(found->name), "program %u", id);
	}
}

static __u32 mode_flag(enum xdp_attach_mode mode)
{
	return mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

static int detach_from(struct xdp_multiprog *mp, unsigned int ifindex)
{
	struct xdp_program *prog = NULL;
	int err;

	if (xdp_multiprog__is_legacy(mp)) {
		if (!is_ours(xdp_multiprog__main_prog(mp)))
			return 0;
		err = xdp_multiprog__detach(mp);
		return err ? err : 1;
	}
	while ((prog = xdp_multiprog__next_prog(prog, mp))) {
		if (!is_ours(prog))
			continue;
		err = xdp_program__detach(prog, (int)ifindex, xdp_multiprog__attach_mode(mp), 0);
		return err ? err : 1;
	}
	return 0;
}

int xdp_detach(unsigned int ifindex)
{
	struct xdp_multiprog *mp;
	int err;

	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(mp) || !mp)
		return 0;
	err = detach_from(mp, ifindex);
	xdp_multiprog__close(mp);
	return err;
}

static int attach_by_libxdp(unsigned int ifindex, enum xdp_attach_mode mode,
			    struct bpf_object *object)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = PROG_NAME);
	struct xdp_program *prog = xdp_program__create(&opts);
	int err = (int)libxdp_get_error(prog);

	if (err)
		return err;
	err = xdp_program__attach(prog, (int)ifindex, mode, 0);
	xdp_program__close(prog);
	return err;
}

/* @old_id: program to replace, or 0 if nothing may be there */
static int attach_alone(unsigned int ifindex, enum xdp_attach_mode mode, unsigned int old_id,
			struct bpf_object *object)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	_cleanup_close_ int old_fd = -1;
	__u32 flags = mode_flag(mode);
	struct bpf_program *prog;
	int err = bpf_object__load(object);

	if (err)
		return err;
	if (old_id) {
		old_fd = bpf_prog_get_fd_by_id(old_id);
		if (old_fd < 0)
			return -errno;
		opts.old_prog_fd = old_fd;
		flags |= XDP_FLAGS_REPLACE;
	} else {
		flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
	}
	prog = bpf_object__find_program_by_name(object, PROG_NAME);
	return bpf_xdp_attach((int)ifindex, bpf_program__fd(prog), flags, &opts);
}

struct attempt {
	unsigned int ifindex;
	xdp_object_fn open;
	void *arg;
	struct found found;
};

static int try_libxdp(const struct attempt *attempt, enum xdp_attach_mode mode)
{
	struct bpf_object *object;
	int err = attempt->open(attempt->arg, &object);

	if (err)
		return err;
	err = attach_by_libxdp(attempt->ifindex, mode, object);
	bpf_object__close(object);
	return err;
}

static int try_alone(const struct attempt *attempt, enum xdp_attach_mode mode, unsigned int old_id)
{
	struct bpf_object *object;
	int err = attempt->open(attempt->arg, &object);

	if (err)
		return err;
	err = attach_alone(attempt->ifindex, mode, old_id, object);
	bpf_object__close(object);
	return err;
}

static int try_mode(const struct attempt *attempt, enum xdp_attach_mode mode)
{
	int err;

	if (attempt->found.kind == FOUND_OURS_ALONE)
		return try_alone(attempt, mode, attempt->found.id);
	bpf_log_init();
	err = try_libxdp(attempt, mode);
	if (!err || attempt->found.n_other)
		return err;
	bpf_log_init();
	return try_alone(attempt, mode, 0);
}

/* Words for why a mode was refused. */
static const char *refusal(int err)
{
	return *bpf_log_kernel_words() ? bpf_log_kernel_words() : strerror(-err);
}

static int fail_foreign(const char *nic, const struct found *found, struct vx_error *error)
{
	vx_fail(error, -EBUSY, "another XDP program is attached to %s: %s (id %u)", nic,
		found->name, found->id);
	vx_hint(error,
		"take it off (`ip link set dev %s xdpgeneric off xdpdrv off`), or load it by xdp-loader "
		"so that both can run, where the kernel allows that",
		nic);
	return -EBUSY;
}

static int fail_attach(const char *nic, enum vxdp_xdp_mode wanted, const struct found *found,
		       int err, struct vx_error *error)
{
	if (found->n_other) {
		vx_fail(error, -EBUSY, "cannot run beside the XDP program %s on %s: %s",
			found->name, nic, refusal(err));
		vx_hint(error,
			"take it off (`xdp-loader unload %s --all`), or try libxdp 1.5.5 or newer",
			nic);
		return -EBUSY;
	}
	vx_fail(error, err, "cannot attach XDP to %s: %s", nic, refusal(err));
	if (geteuid())
		vx_hint(error, "run it as root");
	else if (wanted == VXDP_XDP_NATIVE)
		vx_hint(error, "try --mode skb, which runs with any driver");
	return err;
}

/* Say beside whom, in addition to @why. */
static void describe(struct xdp_attached *attached, unsigned int ifindex)
{
	size_t bytes = strlen(attached->why);
	struct found found;

	look(ifindex, &found);
	if (found.n_other)
		snprintf(attached->why + bytes, sizeof(attached->why) - bytes,
			 ", beside %u other XDP program%s (%s)", found.n_other,
			 found.n_other > 1 ? "s" : "", found.name);
}

/* A predecessor's program in a mode that is not wanted now, or in a dispatcher, goes first. */
static int clear_way(struct attempt *attempt, enum vxdp_xdp_mode wanted)
{
	bool skb = attempt->found.mode == XDP_MODE_SKB;
	int err;

	if (attempt->found.kind == FOUND_OURS_ALONE && skb == (wanted == VXDP_XDP_SKB))
		return 0;
	err = xdp_detach(attempt->ifindex);
	if (err > 0)
		log_info("an XDP program left by a killed vxdp was removed");
	look(attempt->ifindex, &attempt->found);
	return err < 0 ? err : 0;
}

int xdp_attach(const char *nic, unsigned int ifindex, enum vxdp_xdp_mode wanted, xdp_object_fn open,
	       void *arg, struct xdp_attached *attached, struct vx_error *error)
{
	struct attempt attempt = {.ifindex = ifindex, .open = open, .arg = arg};
	int err;

	bpf_log_init();
	look(ifindex, &attempt.found);
	if (attempt.found.kind == FOUND_OTHER_ALONE)
		return fail_foreign(nic, &attempt.found, error);
	err = clear_way(&attempt, wanted);
	if (err)
		return fail_attach(nic, wanted, &attempt.found, err, error);

	snprintf(attached->why, sizeof(attached->why), "asked for");
	if (wanted != VXDP_XDP_SKB) {
		attached->mode = VXDP_XDP_NATIVE;
		if (wanted == VXDP_XDP_AUTO)
			snprintf(attached->why, sizeof(attached->why), "the driver can");
		err = try_mode(&attempt, XDP_MODE_NATIVE);
		if (err && wanted == VXDP_XDP_AUTO)
			snprintf(attached->why, sizeof(attached->why), "native XDP was refused: %s",
				 refusal(err));
	}
	if (wanted == VXDP_XDP_SKB || (err && wanted == VXDP_XDP_AUTO)) {
		attached->mode = VXDP_XDP_SKB;
		err = try_mode(&attempt, XDP_MODE_SKB);
	}
	if (err)
		return fail_attach(nic, wanted, &attempt.found, err, error);
	describe(attached, ifindex);
	return 0;
}
