// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp features: what will work on a NIC, what will not, and the command that changes that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "features.h"
#include "lane_direct.h"
#include "out.h"
#include "vxdp/util.h"

static const char *const answers[] = {
	[VXDP_NO] = "no", [VXDP_YES] = "yes", [VXDP_UNKNOWN] = "unknown"};
static const char *const weights[] = {
	[FEATURE_NEEDED] = "needed", [FEATURE_SPEED] = "speed", [FEATURE_INFO] = "info"};

static bool has(const struct feature *features, const char *name)
{
	return features_find(features, name)->answer != VXDP_NO;
}

/* What `attach` would choose today; which needs no guest to know. */
static json_t *predict_lane(const struct nic_info *nic, const struct feature *features)
{
	const char *lane = "kernel", *why;
	bool zerocopy = nic->zerocopy == VXDP_YES, native = has(features, "native_xdp");

	if (!has(features, "usable") || !has(features, "tap") || !has(features, "btf")) {
		lane = "none";
		why = "something that is needed is missing";
	} else if (!has(features, "af_xdp")) {
		why = "the kernel has no AF_XDP";
	} else if (nic->mtu > DIRECT_MTU_MAX) {
		why = "frames of this MTU do not fit one buffer of the direct lane";
	} else if (nic->rxvlan && nic->rxvlan_fixed) {
		why = "receive VLAN offload cannot be turned off, and hides tags from XDP";
	} else if (zerocopy && native) {
		lane = "shared";
		why = "zero copy into vxdp's memory, one copy from there; into the guest's with "
		      "--dedicated, or on a queue that the NIC steers its address to";
	} else {
		lane = "direct";
		why = "into the guest's memory, one copy by the kernel; several share the queues";
	}
	return json_pack("{s:s,s:s,s:s}", "lane", lane, "lane_reason", why, "xdp",
			 native ? "native" : "skb");
}

static json_t *json_features(const struct feature *features, unsigned int n)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < n; i++) {
		const struct feature *f = &features[i];

		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", f->name, "answer",
						answers[f->answer], "weight", weights[f->weight],
						"detail", f->detail, "fix", f->fix));
	}
	return list;
}

static void print_text(const json_t *document)
{
	const json_t *feature, *guest = json_object_get(document, "guest");
	size_t i;

	out_text("%s: driver %s, MTU %llu, %llu receive queue%s\n", out_str(document, "nic"),
		 *out_str(document, "driver") ? out_str(document, "driver") : "unknown",
		 out_uint(document, "mtu"), out_uint(document, "rx_queues"),
		 out_uint(document, "rx_queues") == 1 ? "" : "s");
	json_array_foreach(json_object_get(document, "features"), i, feature)
	{
		out_text("  %-7s %-16s %s\n", out_str(feature, "answer"), out_str(feature, "name"),
			 out_str(feature, "detail"));
		if (*out_str(feature, "fix"))
			out_text("  %-7s %-16s -> %s\n", "", "", out_str(feature, "fix"));
	}
	out_text("a guest would get: lane %s (%s), %s XDP\n", out_str(guest, "lane"),
		 out_str(guest, "lane_reason"), out_str(guest, "xdp"));
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	struct feature features[FEATURES_MAX];
	json_auto_t *document = NULL;
	struct nic_info nic;
	unsigned int n;
	int err = ask_nic_arg(operands->v[0], error);

	if (!err)
		err = nic_info_get(operands->v[0], &nic, error);
	if (err)
		return err;
	n = features_probe(&nic, features);
	document = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:i,s:b,s:b,s:I,s:o,s:o}", "nic",
			     nic.name, "driver", nic.driver, "bus", nic.bus, "kind", nic.kind,
			     "mtu", (int)nic.mtu, "rx_queues", (int)nic.rx_queues, "tx_queues",
			     (int)nic.tx_queues, "rx_queues_max", (int)nic.rx_queues_max, "up",
			     nic.up, "carrier", nic.carrier, "xdp_features",
			     (json_int_t)nic.xdp_features, "features", json_features(features, n),
			     "guest", predict_lane(&nic, features));
	out_result(document, print_text);
	return 0;
}

const struct command cmd_features = {
	.name = "features",
	.operands = "NIC",
	.summary = "say what will work on NIC, and which command changes what will not",
	.n_operands_min = 1,
	.n_operands_max = 1,
	.run = run,
};
