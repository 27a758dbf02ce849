/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lanes_steer.c - guests' addresses to NIC queues of their own, where the NIC can do that.
 *
 * A guest can be steered to a queue when it is known by one address alone: frames to a second one
 * would come in elsewhere. So it has the shared lane until it has sent something, and if it goes
 * by several addresses, for good.
 */
#include <stdio.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "lanes_internal.h"

bool lanes_can_steer(const struct uplink *u)
{
	return uplink_queues(u) > 1 && !u->steer_refused && steer_nic_may(nic_info(u->nic)) &&
	       uplink_is_native(u);
}

struct address_search {
	uint32_t port;
	unsigned int n;
	uint8_t mac[6];
};

static enum vxdp_fdb_next look_at(void *arg, const struct vxdp_fdb_key *key,
				  const struct vxdp_fdb_entry *entry)
{
	struct address_search *s = arg;

	if (entry->port != s->port || (s->n && !memcmp(s->mac, key->mac, sizeof(s->mac))))
		return VXDP_FDB_KEEP;
	memcpy(s->mac, key->mac, sizeof(s->mac));
	s->n++;
	return s->n > 1 ? VXDP_FDB_STOP : VXDP_FDB_KEEP;
}

bool lanes_address(const struct port *port, uint8_t mac[6])
{
	struct address_search s = {.port = port->id};

	vxdp_fdb_walk(port->sw->pins, look_at, &s);
	memcpy(mac, s.mac, sizeof(s.mac));
	return s.n == 1;
}

void lanes_steer(struct settling *s, struct settling_uplink *su)
{
	struct steer_rule rule[VXDP_NIC_QUEUES_MAX];
	const unsigned int n_queues = su->nic.n_queues;
	struct uplink *u = su->uplink;
	unsigned int n = 0;
	int err;

	u->steer.n_queues = n_queues;
	for (unsigned int q = n_queues - su->plan.n_steered; q < n_queues; q++) {
		rule[n].queue = (uint16_t)q;
		memcpy(rule[n++].mac, su->mac[su->plan.queue[q]], sizeof(rule[0].mac));
	}
	err = steer_set(&u->steer, rule, n);
	if (!err)
		return;
	log_warn("%s: the NIC takes no rules by destination address: %s", u->name, strerror(-err));
	u->steer_refused = true;
	s->again = true;
}

static bool can_steer_any(const struct sw *sw)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (sw->uplink[i] && lanes_can_steer(sw->uplink[i]))
			return true;
	return false;
}

/* Only there, and only once a second: a guest may have made its address known, or another one. */
void lanes_check_addresses(struct sw *sw)
{
	if (!can_steer_any(sw))
		return;
	for (unsigned int id = 0; id < VXDP_PORTS_MAX; id++) {
		struct port *port = sw->port[id];
		uint8_t mac[6];
		bool known = port && lanes_address(port, mac);

		if (!port || (known == port->steerable &&
			      (!known || !memcmp(mac, port->steer_mac, sizeof(mac)))))
			continue;
		lanes_settle_soon(sw);
		return;
	}
}
