// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy_apply.c - a change put into the pinned maps.
 */
#include <errno.h>
#include <string.h>

#include "policy.h"
#include "vxdp/util.h"
#include "vxdp/vlan.h"

#define GIVEN(key) (1u << (key))
#define VLANS	   (GIVEN(POLICY_VLAN) | GIVEN(POLICY_TRUNK)) /* which VLANs it is in */

/* What only makes sense for guests. */
#define GUESTS_ONLY                                                                                \
	(GIVEN(POLICY_ISOLATED) | GIVEN(POLICY_FLOOD) | GIVEN(POLICY_SPOOF_CHECK) |                \
	 GIVEN(POLICY_MAC))

static void merge(const struct policy_change *change, struct vxdp_policy *policy)
{
	const struct vxdp_policy *to = &change->to;

	if (change->given & VLANS) {
		policy->vlan_mode = to->vlan_mode;
		memcpy(policy->vlans, to->vlans, sizeof(policy->vlans));
	}
	if (change->given & (VLANS | GIVEN(POLICY_NATIVE)))
		policy->pvid = to->pvid;
	if (change->given & GIVEN(POLICY_STORM))
		policy->storm_pps = to->storm_pps;
	if (change->given & GIVEN(POLICY_MAC_LIMIT))
		policy->mac_limit = to->mac_limit;
	policy->flags &= ~change->flags;
	policy->flags |= to->flags;
}

/* There may be several of them. A port that is being attached is a guest, and has no entry yet. */
static bool is_wire_or_host(const struct vxdp_pins *pins, uint32_t id)
{
	struct vxdp_port port;

	return !vxdp_port_get(pins, id, &port) &&
	       (port.kind == VXDP_KIND_UPLINK || port.kind == VXDP_KIND_HOST);
}

static int check_merged(const struct policy_change *change, const struct vxdp_pins *pins,
			uint32_t port, const char *name, const struct vxdp_policy *merged,
			struct vx_error *error)
{
	unsigned int wrong = change->given & GUESTS_ONLY;
	int n_macs;

	if (wrong && is_wire_or_host(pins, port))
		return vx_fail_usage(error, "'%s' is for guests, not for %s",
				     policy_keys[__builtin_ctz(wrong)], name);
	if (change->given & GIVEN(POLICY_NATIVE) && merged->vlan_mode != VXDP_VLAN_TRUNK)
		return vx_fail_usage(error, "%s is no trunk, and only a trunk has a native VLAN",
				     name);
	if (!(merged->flags & VXDP_POLICY_SPOOF_CHECK))
		return 0;
	n_macs = change->given & GIVEN(POLICY_MAC) ? change->n_macs
						   : vxdp_port_macs_get(pins, port, NULL, 0);
	if (n_macs)
		return 0;
	vx_fail_usage(error, "%s has no address it may send from", name);
	vx_hint(error, "give the addresses of the guest too: spoof-check on mac 52:54:00:12:34:56");
	return -EINVAL;
}

struct forgetting {
	const struct vxdp_pins *pins;
	uint32_t port;
	const struct vxdp_policy *policy;
};

static enum vxdp_fdb_next forget_entry(void *arg, const struct vxdp_fdb_key *key,
				       const struct vxdp_fdb_entry *entry)
{
	const struct forgetting *f = arg;

	if (entry->port != f->port || entry->flags & VXDP_FDB_STATIC)
		return VXDP_FDB_KEEP;
	if (vxdp_vlan_out(f->policy, key->vlan, false, 0) == VXDP_VLAN_DROP)
		return VXDP_FDB_DELETE;
	if (f->policy->flags & VXDP_POLICY_SPOOF_CHECK &&
	    !vxdp_port_mac_allowed(f->pins, f->port, key->mac))
		return VXDP_FDB_DELETE;
	return VXDP_FDB_KEEP;
}

/* What the port has taught and may not send any more is not behind it any more. */
static int forget(const struct vxdp_pins *pins, uint32_t port, const struct vxdp_policy *policy)
{
	struct forgetting f = {.pins = pins, .port = port, .policy = policy};
	int n = vxdp_fdb_walk(pins, forget_entry, &f);

	return n < 0 ? n : 0;
}

int policy_change_apply(const struct policy_change *change, const struct vxdp_pins *pins,
			uint32_t port, const char *name, struct vx_error *error)
{
	struct vxdp_policy policy;
	int err = vxdp_policy_get(pins, port, &policy);

	if (!change->given)
		return 0;
	if (!err) {
		merge(change, &policy);
		err = check_merged(change, pins, port, name, &policy, error);
		if (err)
			return err;
	}
	if (!err && change->given & GIVEN(POLICY_MAC))
		err = vxdp_port_macs_set(pins, port, change->macs, change->n_macs);
	if (!err)
		err = vxdp_policy_set(pins, port, &policy);
	if (!err)
		err = forget(pins, port, &policy);
	if (err == -ENOSPC)
		return vx_fail(error, err, "all ports together may be held to %u addresses",
			       VXDP_PORT_MACS_MAX);
	return err ? vx_fail_errno(error, err, "cannot change what %s is allowed", name) : 0;
}
