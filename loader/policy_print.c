// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy_print.c - the policies map in words. The text is what `vxdp port set` takes.
 */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "policy.h"
#include "vxdp/util.h"
#include "words.h"

static const char *const modes[] = {
	[VXDP_VLAN_ALL] = "all", [VXDP_VLAN_ACCESS] = "access", [VXDP_VLAN_TRUNK] = "trunk"};

/* @vlan: access: its VLAN; @trunk and @native: of a trunk; null where there is none */
static json_t *vlan_json(const struct vxdp_policy *policy)
{
	bool is_trunk = policy->vlan_mode == VXDP_VLAN_TRUNK;
	_cleanup_free_ char *list = is_trunk ? words_vlans_print(policy->vlans) : NULL;
	const char *mode = policy->vlan_mode < ARRAY_SIZE(modes) ? modes[policy->vlan_mode] : "?";
	json_t *native = is_trunk && policy->pvid != VXDP_VLAN_NONE ? json_integer(policy->pvid)
								    : json_null();
	json_t *vlan =
		policy->vlan_mode == VXDP_VLAN_ACCESS ? json_integer(policy->pvid) : json_null();

	return json_pack("{ss, so, ss?, so}", "mode", mode, "vlan", vlan, "trunk", list, "native",
			 native);
}

static int compare_macs(const void *a, const void *b)
{
	return memcmp(a, b, 6);
}

static json_t *macs_json(const struct vxdp_pins *pins, uint32_t port)
{
	uint8_t macs[POLICY_MACS_MAX][6];
	int n = vxdp_port_macs_get(pins, port, macs, POLICY_MACS_MAX);
	json_t *list = json_array();
	char text[WORDS_MAC_CHARS];

	n = MAX(0, MIN(n, POLICY_MACS_MAX));
	qsort(macs, n, sizeof(macs[0]), compare_macs);
	for (int i = 0; i < n; i++) {
		words_mac_print(macs[i], text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* @macs: the result takes it over */
static json_t *to_json(const struct vxdp_policy *p, json_t *macs)
{
	return json_pack("{so, sb, sb, sb, sI, sI, sb, so}", "vlan", vlan_json(p), "isolated",
			 !!(p->flags & VXDP_POLICY_ISOLATED), "learning",
			 !(p->flags & VXDP_POLICY_NO_LEARN), "flood",
			 !(p->flags & VXDP_POLICY_NO_FLOOD), "storm", (json_int_t)p->storm_pps,
			 "mac_limit", (json_int_t)p->mac_limit, "spoof_check",
			 !!(p->flags & VXDP_POLICY_SPOOF_CHECK), "macs", macs);
}

json_t *policy_json(const struct vxdp_pins *pins, uint32_t port)
{
	struct vxdp_policy policy = {};

	vxdp_policy_get(pins, port, &policy);
	return to_json(&policy, macs_json(pins, port));
}

void policy_add(const struct vxdp_pins *pins, json_t *ports)
{
	json_t *port;
	size_t i;

	json_array_foreach(ports, i, port)
		json_object_set_new(port, "policy", policy_json(pins, out_uint(port, "id")));
}

bool policy_is_open(const json_t *policy)
{
	const struct vxdp_policy none = {};
	json_auto_t *open = to_json(&none, json_array());

	return json_equal(policy, open);
}

static const char *on_off(const json_t *policy, const char *key)
{
	return json_is_true(json_object_get(policy, key)) ? "on" : "off";
}

static void print_vlan(const json_t *vlan)
{
	const char *mode = out_str(vlan, "mode");

	if (!strcmp(mode, "access")) {
		out_text("vlan %llu", out_uint(vlan, "vlan"));
	} else if (!strcmp(mode, "trunk")) {
		out_text("trunk %s native ", out_str(vlan, "trunk"));
		if (json_is_null(json_object_get(vlan, "native")))
			out_text("none");
		else
			out_text("%llu", out_uint(vlan, "native"));
	} else {
		out_text("vlan %s", mode);
	}
}

static void print_number(const char *key, unsigned long long number, const char *none)
{
	if (number)
		out_text(" %s %llu", key, number);
	else
		out_text(" %s %s", key, none);
}

void policy_print(const json_t *policy)
{
	const json_t *macs = json_object_get(policy, "macs"), *mac;
	size_t i;

	print_vlan(json_object_get(policy, "vlan"));
	out_text(" isolated %s learning %s flood %s", on_off(policy, "isolated"),
		 on_off(policy, "learning"), on_off(policy, "flood"));
	print_number("storm", out_uint(policy, "storm"), "off");
	print_number("mac-limit", out_uint(policy, "mac_limit"), "default");
	out_text(" spoof-check %s mac ", on_off(policy, "spoof_check"));
	json_array_foreach((json_t *)macs, i, mac)
		out_text("%s%s", i ? "," : "", json_string_value(mac));
	if (!json_array_size(macs))
		out_text("none");
}
