// SPDX-License-Identifier: GPL-2.0-or-later
#include "bpf_prog.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/util.h>

#define OUR_PREFIX "vxdp_"

int bpf_prog_name(unsigned int id, char *name, size_t bytes)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t info_bytes = sizeof(info);

	name[0] = '\0';
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &info_bytes))
		return -errno;
	snprintf(name, bytes, "%s", info.name);
	return 0;
}

bool bpf_prog_is_ours(unsigned int id)
{
	char name[32];

	return !bpf_prog_name(id, name, sizeof(name)) &&
	       !strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX));
}
