/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verdicts.h - names and texts of vxdp/verdict.h, for printing.
 */
#ifndef VXDP_LOADER_VERDICTS_H
#define VXDP_LOADER_VERDICTS_H

#include <jansson.h>
#include <stdbool.h>

#include <vxdp/abi.h>

struct verdict_info {
	const char *name;
	bool is_drop;
	const char *text;
};

/* By enum vxdp_verdict. */
extern const struct verdict_info verdicts[VXDP_N_VERDICTS];

/** verdict_find() - the entry called @name, or NULL */
const struct verdict_info *verdict_find(const char *name);

/** verdicts_json() - {"to_direct":{"packets":0,"bytes":0},...}, every verdict; a new reference */
json_t *verdicts_json(const struct vxdp_port_stats *stats);

#endif /* VXDP_LOADER_VERDICTS_H */
