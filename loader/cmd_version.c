// SPDX-License-Identifier: GPL-2.0-or-later
#include <bpf/libbpf.h>

#include "commands.h"
#include "out.h"
#include "vxdp/abi.h"
#include "vxdp/util.h"

static void print_text(const json_t *document)
{
	out_text("vxdp %s\nlibbpf %s\njansson %s\nlayout of the pinned maps: %llu\n",
		 out_str(document, "version"), out_str(document, "libbpf"),
		 out_str(document, "jansson"), out_uint(document, "abi"));
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	const char *libbpf = libbpf_version_string();
	json_auto_t *document = NULL;

	if (libbpf[0] == 'v')
		libbpf++;
	document = json_pack("{s:s,s:i,s:s,s:s}", "version", VXDP_VERSION, "abi",
			     (int)VXDP_ABI_VERSION, "libbpf", libbpf, "jansson", JANSSON_VERSION);
	out_result(document, print_text);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "print the version of vxdp and of what it stands on",
	.run = run,
};
