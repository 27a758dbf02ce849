// SPDX-License-Identifier: GPL-2.0-or-later
#include "verdicts.h"

#include <string.h>

#include <vxdp/util.h>

const struct verdict_info verdicts[VXDP_N_VERDICTS] = {
#define VERDICT_INFO(NAME, name, is_drop, text) [VXDP_##NAME] = {#name, is_drop, text},
	VXDP_VERDICTS(VERDICT_INFO)
#undef VERDICT_INFO
};

const struct verdict_info *verdict_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (!strcmp(verdicts[i].name, name))
			return &verdicts[i];
	}
	return NULL;
}

json_t *verdicts_json(const struct vxdp_port_stats *stats)
{
	/* One counter a verdict, in their order: abi.h asserts it. */
	const struct vxdp_counter *counters = (const struct vxdp_counter *)stats;
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		json_object_set_new(object, verdicts[i].name,
				    json_pack("{s:I,s:I}", "packets",
					      (json_int_t)counters[i].packets, "bytes",
					      (json_int_t)counters[i].bytes));
	}
	return object;
}
