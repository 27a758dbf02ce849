// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy.c - from words to a change. It is applied in policy_apply.c, and what the maps then say is
 * put into words in policy_print.c.
 */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "opts.h"
#include "vxdp/util.h"
#include "words.h"

#define STORM_MAX 100000000

#define GIVEN(key) (1u << (key))
#define VLANS	   (GIVEN(POLICY_VLAN) | GIVEN(POLICY_TRUNK)) /* which VLANs it is in */

const char *const policy_keys[] = {[POLICY_VLAN] = "vlan",
				   [POLICY_TRUNK] = "trunk",
				   [POLICY_NATIVE] = "native",
				   [POLICY_ISOLATED] = "isolated",
				   [POLICY_LEARNING] = "learning",
				   [POLICY_FLOOD] = "flood",
				   [POLICY_STORM] = "storm",
				   [POLICY_MAC_LIMIT] = "mac-limit",
				   [POLICY_SPOOF_CHECK] = "spoof-check",
				   [POLICY_MAC] = "mac",
				   NULL};

static const char *const switches[] = {"on", "off", NULL};

/* The flag a key switches, and whether "on" sets it. */
static const struct {
	uint32_t flag;
	bool set_by_on;
} flags[] = {
	[POLICY_ISOLATED] = {VXDP_POLICY_ISOLATED, true},
	[POLICY_LEARNING] = {VXDP_POLICY_NO_LEARN, false},
	[POLICY_FLOOD] = {VXDP_POLICY_NO_FLOOD, false},
	[POLICY_SPOOF_CHECK] = {VXDP_POLICY_SPOOF_CHECK, true},
};

static bool is_switch(enum policy_key key)
{
	return key < ARRAY_SIZE(flags) && flags[key].flag;
}

const char *const *policy_values(enum policy_key key)
{
	return is_switch(key) ? switches : NULL;
}

static int take_switch(struct policy_change *change, enum policy_key key, const char *value,
		       struct vx_error *error)
{
	int which = words_index(switches, value);

	if (which < 0)
		return vx_fail_usage(error, "%s is on or off, not '%s'", policy_keys[key], value);
	change->flags |= flags[key].flag;
	if (!which == flags[key].set_by_on)
		change->to.flags |= flags[key].flag;
	return 0;
}

static int take_vlan(struct policy_change *change, const char *value, struct vx_error *error)
{
	uint32_t vlan;
	int err;

	if (!strcmp(value, "all")) {
		change->to.vlan_mode = VXDP_VLAN_ALL;
		change->to.pvid = 0;
		return 0;
	}
	err = words_uint(value, "a VLAN", 1, VXDP_VLAN_MAX, &vlan, error);
	if (err) {
		vx_hint(error, "'vlan all' carries every VLAN, 'trunk LIST' several");
		return err;
	}
	change->to.vlan_mode = VXDP_VLAN_ACCESS;
	change->to.pvid = (uint16_t)vlan;
	return 0;
}

static int take_trunk(struct policy_change *change, const char *value, struct vx_error *error)
{
	change->to.vlan_mode = VXDP_VLAN_TRUNK;
	if (!(change->given & GIVEN(POLICY_NATIVE)))
		change->to.pvid = VXDP_VLAN_NONE;
	return words_vlans(value, change->to.vlans, error);
}

static int take_native(struct policy_change *change, const char *value, struct vx_error *error)
{
	uint32_t vlan = VXDP_VLAN_NONE;
	int err = 0;

	if (strcmp(value, "none"))
		err = words_uint(value, "a native VLAN (or none)", 0, VXDP_VLAN_MAX, &vlan, error);
	change->to.pvid = (uint16_t)vlan;
	return err;
}

static int take_macs(struct policy_change *change, const char *value, struct vx_error *error)
{
	char word[WORDS_MAC_CHARS];
	size_t bytes;
	int err;

	change->n_macs = 0;
	if (!strcmp(value, "none"))
		return 0;
	for (;; value += bytes + 1) {
		bytes = strcspn(value, ",");
		if (change->n_macs == POLICY_MACS_MAX)
			return vx_fail_usage(error, "at most %d addresses for one port",
					     POLICY_MACS_MAX);
		snprintf(word, sizeof(word), "%.*s", (int)MIN(bytes, sizeof(word)), value);
		err = words_mac(word, change->macs[change->n_macs], error);
		if (err)
			return err;
		change->n_macs++;
		if (!value[bytes])
			return 0;
	}
}

static int take_value(struct policy_change *change, enum policy_key key, const char *value,
		      struct vx_error *error)
{
	switch (key) {
	case POLICY_VLAN:
		return take_vlan(change, value, error);
	case POLICY_TRUNK:
		return take_trunk(change, value, error);
	case POLICY_NATIVE:
		return take_native(change, value, error);
	case POLICY_STORM:
		if (!strcmp(value, "off"))
			return 0;
		return words_uint(value, "a storm limit in frames a second (or off)", 1, STORM_MAX,
				  &change->to.storm_pps, error);
	case POLICY_MAC_LIMIT:
		if (!strcmp(value, "default"))
			return 0;
		return words_uint(value, "a limit of addresses (or default)", 1, VXDP_FDB_MAX,
				  &change->to.mac_limit, error);
	case POLICY_MAC:
		return take_macs(change, value, error);
	default:
		return take_switch(change, key, value, error);
	}
}

int policy_change_take(struct policy_change *change, const char *key, const char *value,
		       struct vx_error *error)
{
	int which = words_index(policy_keys, key);
	const char *near;
	int err;

	if (which < 0) {
		err = vx_fail_usage(error, "a port has no '%s'", key);
		near = opts_nearest(key, words_next, policy_keys);
		if (near)
			vx_hint(error, "did you mean '%s'?", near);
		else
			vx_hint(error, "see: vxdp help port");
		return err;
	}
	if (!value)
		return vx_fail_usage(error, "'%s' needs a value", key);
	if (change->given & GIVEN(which))
		return vx_fail_usage(error, "'%s' is given twice", key);
	err = take_value(change, which, value, error);
	change->given |= GIVEN(which);
	return err;
}

int policy_change_check(const struct policy_change *change, struct vx_error *error)
{
	if ((change->given & VLANS) == VLANS)
		return vx_fail_usage(error, "'vlan' and 'trunk' are two ways to be in VLANs: give "
					    "one of them");
	if (change->given & GIVEN(POLICY_VLAN) && change->given & GIVEN(POLICY_NATIVE))
		return vx_fail_usage(error, "only a trunk has a native VLAN");
	return 0;
}
