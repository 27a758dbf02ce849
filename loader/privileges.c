// SPDX-License-Identifier: GPL-2.0-or-later
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/resource.h>

#include "vxdp/log.h"
#include "vxdp/util.h"

#define FDS_WANTED 65536

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* What the process keeps, and for what. */
static const int kept[] = {
	CAP_NET_ADMIN,	  /* taps, qdiscs, XDP, offloads of the NIC */
	CAP_NET_RAW,	  /* AF_XDP and packet sockets */
	CAP_BPF,	  /* load programs, open and write maps */
	CAP_PERFMON,	  /* programs that read kernel structures */
	CAP_IPC_LOCK,	  /* a UMEM of any size, huge pages */
	CAP_SYS_RESOURCE, /* limits of descriptors and locked memory */
	CAP_SYS_ADMIN,	  /* descriptor of a program by its id: what libxdp does to detach */
	CAP_DAC_OVERRIDE, /* connect to the socket of a QEMU that runs as another user */
};

int privileges_check(struct vx_error *error)
{
	if (capng_get_caps_process() == 0 &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) &&
	    (capng_have_capability(CAPNG_EFFECTIVE, CAP_BPF) ||
	     capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN)))
		return 0;
	vx_fail(error, -EPERM, "attaching a NIC needs CAP_NET_ADMIN and CAP_BPF");
	vx_hint(error, "run it as root");
	return -EPERM;
}

static void raise_limit(int which, rlim_t wanted)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	limit.rlim_max = MAX(limit.rlim_max, wanted);
	if (!setrlimit(which, &limit))
		return;
	getrlimit(which, &limit); /* not more than what is allowed, then */
	limit.rlim_cur = limit.rlim_max;
	setrlimit(which, &limit);
}

void privileges_raise_limits(void)
{
	raise_limit(RLIMIT_NOFILE, FDS_WANTED);
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
}

int privileges_drop(struct vx_error *error)
{
	bool had[ARRAY_SIZE(kept)];

	if (capng_get_caps_process())
		return vx_fail(error, -EIO, "cannot read the process's capabilities");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (had[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     kept[i]);
	}
	/* The bounding set needs CAP_SETPCAP, which a service manager may have taken already. */
	if (capng_apply(CAPNG_SELECT_BOUNDS))
		log_debug("the capability bounding set stays as it is");
	if (capng_apply(CAPNG_SELECT_CAPS))
		return vx_fail(error, -EPERM, "cannot give up capabilities");
	return 0;
}
