// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp.c - our XDP program on a NIC.
 *
 * Theory of operation
 *
 * libxdp runs several programs on one NIC by a dispatcher, into which each is linked (freplace).
 * Where the kernel does not allow that, ours is attached alone. What is there already decides:
 *
 *	nothing             libxdp, and if that fails, alone; but if others are to have room, the
 *	                    bare one by libxdp before that (alone is faster)
 *
 *	ours alone          a killed predecessor's: replaced in one step, the driver does not stop
 *
 *	a dispatcher        ours is linked in by libxdp, or the bare one if it does not take that; a
 *	                    predecessor's is taken out then
 *
 *	another one alone   is not touched: -EBUSY
 */
#include "xdp.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "bpf_log.h"
#include "bpf_prog.h"

#define DISPATCHER "xdp_dispatcher" /* libxdp's */
/* If set, the bare program is tried first, as if the other were refused. For tests. */
#define BARE_ENV "VXDP_XDP_BARE"

enum found_kind { FOUND_NOTHING, FOUND_OURS_ALONE, FOUND_OTHER_ALONE, FOUND_DISPATCHER };

#define OURS_MAX 4 /* of ours in one dispatcher; a killed upgrade may have left a second one */

struct found {
	enum found_kind kind;
	enum xdp_attach_mode mode;
	unsigned int id;      /* of the program */
	unsigned int n_other; /* programs in the dispatcher that are not ours */
	unsigned int n_ours;
	unsigned int ours[OURS_MAX]; /* their ids */
	char name[32]; /* of the program, or of one that is not ours in the dispatcher */
};

static bool is_ours(const struct xdp_program *prog)
{
	return !strncmp(xdp_program__name(prog), XDP_PROG, strlen(XDP_PROG));
}

/* Programs in the dispatcher. Return: 0, or -errno if libxdp cannot make sense of it. */
static int look_into_dispatcher(unsigned int ifindex, struct found *found)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *prog = NULL;
	int err = (int)libxdp_get_error(mp);

	if (err || !mp)
		return err ? err : -ENOENT;
	while ((prog = xdp_multiprog__next_prog(prog, mp))) {
		if (is_ours(prog)) {
			if (found->n_ours < OURS_MAX)
				found->ours[found->n_ours++] = xdp_program__id(prog);
			continue;
		}
		found->n_other++;
		snprintf(found->name, sizeof(found->name), "%s", xdp_program__name(prog));
	}
	xdp_multiprog__close(mp);
	return 0;
}

/*
 * What is attached now. libxdp is asked about its dispatcher only: up to 1.3.1 at least it leaks a
 * descriptor of a program that is alone.
 */
static void look(unsigned int ifindex, struct found *found)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, now);

	memset(found, 0, sizeof(*found));
	if (bpf_xdp_query((int)ifindex, 0, &now))
		return;
	found->mode = now.drv_prog_id ? XDP_MODE_NATIVE : XDP_MODE_SKB;
	found->id = now.drv_prog_id ? now.drv_prog_id : now.skb_prog_id;
	if (!found->id)
		return;
	bpf_prog_name(found->id, found->name, sizeof(found->name));
	if (bpf_prog_is_ours(found->id))
		found->kind = FOUND_OURS_ALONE;
	else if (!strcmp(found->name, DISPATCHER) && !look_into_dispatcher(ifindex, found))
		found->kind = FOUND_DISPATCHER;
	else
		found->kind = FOUND_OTHER_ALONE;
}

static __u32 mode_flag(enum xdp_attach_mode mode)
{
	return mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
}

/* @id: of our program that shall go */
static int detach_from_dispatcher(unsigned int ifindex, unsigned int id)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *prog = NULL;
	int n = 0;

	if (libxdp_get_error(mp) || !mp)
		return 0;
	while (!n && (prog = xdp_multiprog__next_prog(prog, mp))) {
		if (xdp_program__id(prog) != id)
			continue;
		n = xdp_program__detach(prog, (int)ifindex, xdp_multiprog__attach_mode(mp), 0);
		n = n ? n : 1;
	}
	xdp_multiprog__close(mp);
	return n;
}

/* Only if it is still there, and not what somebody put there meanwhile. */
static int detach_alone(unsigned int ifindex, const struct found *found)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(found->id);
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);
	int err;

	if (fd < 0)
		return -errno;
	err = bpf_xdp_detach((int)ifindex, mode_flag(found->mode) | XDP_FLAGS_REPLACE, &opts);
	return err ? err : 1;
}

int xdp_detach(unsigned int ifindex)
{
	struct found found;
	int err = 0;

	look(ifindex, &found);
	if (found.kind == FOUND_OURS_ALONE)
		return detach_alone(ifindex, &found);
	for (unsigned int i = 0; i < found.n_ours && err >= 0; i++)
		err = detach_from_dispatcher(ifindex, found.ours[i]);
	return err < 0 ? err : found.n_ours > 0;
}

static int attach_by_libxdp(unsigned int ifindex, enum xdp_attach_mode mode,
			    struct bpf_object *object, const char *name)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = name);
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
			struct bpf_object *object, const char *name)
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
	prog = bpf_object__find_program_by_name(object, name);
	return bpf_xdp_attach((int)ifindex, bpf_program__fd(prog), flags, &opts);
}

struct attempt {
	unsigned int ifindex;
	xdp_object_fn open;
	void *arg;
	bool bare_ok, share;
	const char *name; /* of the program to try first, and then of the one that worked */
	struct found found;
};

static int try_libxdp(const struct attempt *attempt, enum xdp_attach_mode mode)
{
	struct bpf_object *object;
	int err;

	bpf_log_init();
	err = attempt->open(attempt->arg, attempt->name, &object);
	if (err)
		return err;
	err = attach_by_libxdp(attempt->ifindex, mode, object, attempt->name);
	bpf_object__close(object);
	return err;
}

static int try_alone(const struct attempt *attempt, enum xdp_attach_mode mode, unsigned int old_id)
{
	struct bpf_object *object;
	int err;

	bpf_log_init();
	err = attempt->open(attempt->arg, attempt->name, &object);
	if (err)
		return err;
	err = attach_alone(attempt->ifindex, mode, old_id, object, attempt->name);
	bpf_object__close(object);
	return err;
}

/*
 * Of the two errors the first one counts if it says that the driver has no XDP. The second can be
 * about the maps then: Linux 6.1 knows them from the dispatcher, and says EINVAL.
 */
static int try_mode(struct attempt *attempt, enum xdp_attach_mode mode)
{
	int err, alone;

	if (attempt->found.kind == FOUND_OURS_ALONE)
		return try_alone(attempt, mode, attempt->found.id);
	err = try_libxdp(attempt, mode);
	if (!err)
		return 0;
	if (attempt->share || (attempt->bare_ok && attempt->found.n_other)) {
		attempt->name = XDP_PROG_BARE;
		err = try_libxdp(attempt, mode);
		if (!err)
			return 0;
		attempt->name = XDP_PROG;
	}
	if (attempt->found.n_other)
		return err;
	alone = try_alone(attempt, mode, 0);
	return alone && err == -EOPNOTSUPP ? err : alone;
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
		"so that both can run, where the kernel allows that; --mode tc needs no XDP",
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
	bytes = strlen(attached->why);
	if (attached->bare)
		snprintf(attached->why + bytes, sizeof(attached->why) - bytes,
			 "; virtio-net headers are left to the workers");
}

/*
 * Put ours into the dispatcher beside its predecessor, and take that one out then. The other way
 * round there would be a moment without any, in which some drivers reset the NIC. While both are
 * there, the second one sees what the first has let pass, and lets it pass too.
 */
static int replace_in_dispatcher(struct attempt *attempt)
{
	const struct found *old = &attempt->found;
	int err = try_libxdp(attempt, old->mode);

	if (err && attempt->bare_ok) {
		attempt->name = XDP_PROG_BARE;
		err = try_libxdp(attempt, old->mode);
	}
	if (err) {
		attempt->name = XDP_PROG;
		return err;
	}
	for (unsigned int i = 0; i < old->n_ours && err >= 0; i++)
		err = detach_from_dispatcher(attempt->ifindex, old->ours[i]);
	if (err < 0)
		log_warn("an XDP program left by a predecessor cannot be removed: %s",
			 strerror(-err));
	return 0;
}

/*
 * A predecessor's program in a mode that is not wanted now, or not in a dispatcher where that is
 * wanted, goes first. Return: 1 if it was replaced already, 0 if there is work left, -errno.
 */
static int clear_way(struct attempt *attempt, enum vxdp_xdp_mode wanted)
{
	bool same_mode = (attempt->found.mode == XDP_MODE_SKB) == (wanted == VXDP_XDP_SKB);
	int err;

	if (attempt->found.kind == FOUND_OURS_ALONE && same_mode && !attempt->share)
		return 0;
	if (attempt->found.n_ours && same_mode && !replace_in_dispatcher(attempt))
		return 1;
	err = xdp_detach(attempt->ifindex);
	if (err > 0)
		log_info("an XDP program left by a killed vxdp was removed");
	look(attempt->ifindex, &attempt->found);
	return err < 0 ? err : 0;
}

int xdp_attach(const struct nic_info *nic, enum vxdp_xdp_mode wanted, bool bare_ok, bool share,
	       xdp_object_fn open, void *arg, struct xdp_attached *attached, struct vx_error *error)
{
	const char *bare_only = getenv(BARE_ENV);
	struct attempt attempt = {.ifindex = nic->ifindex,
				  .open = open,
				  .arg = arg,
				  .bare_ok = bare_ok,
				  .share = bare_ok && share,
				  .name = bare_ok && bare_only && *bare_only ? XDP_PROG_BARE
									     : XDP_PROG};
	int err, replaced;

	bpf_log_init();
	look(nic->ifindex, &attempt.found);
	if (attempt.found.kind == FOUND_OTHER_ALONE)
		return fail_foreign(nic->name, &attempt.found, error);
	replaced = clear_way(&attempt, wanted);
	if (replaced < 0)
		return fail_attach(nic->name, wanted, &attempt.found, replaced, error);

	snprintf(attached->why, sizeof(attached->why), "asked for");
	if (wanted != VXDP_XDP_SKB) {
		attached->mode = VXDP_XDP_NATIVE;
		if (wanted == VXDP_XDP_AUTO)
			snprintf(attached->why, sizeof(attached->why), "the driver can");
		err = replaced ? 0 : try_mode(&attempt, XDP_MODE_NATIVE);
		if (err && wanted == VXDP_XDP_AUTO)
			snprintf(attached->why, sizeof(attached->why), "native XDP was refused: %s",
				 refusal(err));
	}
	if (wanted == VXDP_XDP_SKB || (err && wanted == VXDP_XDP_AUTO)) {
		attached->mode = VXDP_XDP_SKB;
		err = replaced ? 0 : try_mode(&attempt, XDP_MODE_SKB);
	}
	if (err)
		return fail_attach(nic->name, wanted, &attempt.found, err, error);
	attached->bare = !strcmp(attempt.name, XDP_PROG_BARE);
	describe(attached, nic->ifindex);
	return 0;
}

int xdp_attach_alone(unsigned int ifindex, const char *prog, xdp_object_fn open, void *arg,
		     struct vx_error *error)
{
	struct attempt attempt = {.ifindex = ifindex, .open = open, .arg = arg, .name = prog};
	char ifname[IFNAMSIZ] = "";
	int err;

	if_indextoname(ifindex, ifname);
	bpf_log_init();
	look(ifindex, &attempt.found);
	if (attempt.found.kind == FOUND_OTHER_ALONE || attempt.found.kind == FOUND_DISPATCHER)
		return fail_foreign(ifname, &attempt.found, error);
	err = try_alone(&attempt, XDP_MODE_NATIVE, attempt.found.id);
	if (err)
		vx_fail(error, err, "cannot attach XDP to %s: %s", ifname, refusal(err));
	return err;
}
