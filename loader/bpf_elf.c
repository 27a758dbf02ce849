// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_elf.c - the only includer of the skeleton. Only its bytes are used: the programs are loaded
 * as two objects (see bpf.c), which a skeleton cannot do.
 */
#include "bpf_elf.h"

#include <errno.h>

#include "vxdp.skel.h"

int bpf_elf_open(struct bpf_object **out)
{
	struct bpf_object *object;
	const void *elf;
	size_t bytes;

	elf = vxdp_bpf__elf_bytes(&bytes);
	object = bpf_object__open_mem(elf, bytes, NULL);
	if (!object)
		return -errno;
	*out = object;
	return 0;
}
