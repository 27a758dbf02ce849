// SPDX-License-Identifier: GPL-2.0-or-later
#include "tcx.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

#include <vxdp/util.h>

#include "bpf_prog.h"

/* linux/bpf.h of 6.6; not in older headers. */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS  ((enum bpf_attach_type)47)

#define TCX_PROGS_MAX 64 /* on one hook; the kernel's limit (BPF_MPROG_MAX) */

static enum bpf_attach_type hook_of(enum bpf_tc_attach_point point)
{
	return point == BPF_TC_INGRESS ? TCX_INGRESS : TCX_EGRESS;
}

/* Id of our program on a hook. Return: 0, -ENOENT if there is none, -errno. */
static int our_prog_id(unsigned int ifindex, enum bpf_attach_type hook, uint32_t *id)
{
	uint32_t ids[TCX_PROGS_MAX], n = ARRAY_SIZE(ids);

	if (bpf_prog_query((int)ifindex, hook, 0, NULL, ids, &n))
		return -errno;
	for (uint32_t i = 0; i < n; i++) {
		if (!bpf_prog_is_ours(ids[i]))
			continue;
		*id = ids[i];
		return 0;
	}
	return -ENOENT;
}

/* A descriptor of it. Return: -ENOENT if there is none; else -errno. */
static int our_prog(unsigned int ifindex, enum bpf_attach_type hook)
{
	uint32_t id;
	int err = our_prog_id(ifindex, hook, &id), fd;

	if (err)
		return err;
	fd = bpf_prog_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

int tcx_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd)
{
	_cleanup_close_ int old_fd = our_prog(ifindex, hook_of(point));
	LIBBPF_OPTS(bpf_prog_attach_opts, opts);

	/* An older kernel does not know the hook. */
	if (old_fd == -EINVAL)
		return -EOPNOTSUPP;
	if (old_fd < 0 && old_fd != -ENOENT)
		return old_fd;
	if (old_fd >= 0) {
		opts.flags = BPF_F_REPLACE;
		opts.replace_prog_fd = old_fd;
	}
	return bpf_prog_attach_opts(prog_fd, (int)ifindex, hook_of(point), &opts) ? -errno : 0;
}

unsigned int tcx_attached(unsigned int ifindex, enum bpf_tc_attach_point point)
{
	uint32_t id;

	return our_prog_id(ifindex, hook_of(point), &id) ? 0 : id;
}

int tcx_detach(unsigned int ifindex, enum bpf_tc_attach_point point)
{
	_cleanup_close_ int fd = our_prog(ifindex, hook_of(point));

	if (fd == -ENOENT || fd == -EINVAL)
		return 0;
	if (fd < 0)
		return fd;
	return bpf_prog_detach2(fd, (int)ifindex, hook_of(point)) ? -errno : 1;
}
