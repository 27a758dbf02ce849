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

bool lanes_can_steer(const struct sw *sw)
{
	const struct nic_info *nic = sw->nic ? nic_info(sw->nic) : NULL;

	return nic && !sw->steer_refused && nic->rx_queues > 1 && steer_nic_may(nic) &&
	       vxdp_bpf_xdp_mode(sw->bpf) == VXDP_XDP_NATIVE;
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

void lanes_steer(struct settling *s)
{
	struct steer_rule rule[VXDP_NIC_QUEUES_MAX];
	struct sw *sw = s->sw;
	unsigned int n = 0;
	int err;

	if (!sw->nic)
		return;
	sw->steer.n_queues = s->nic.n_queues;
	for (unsigned int q = s->nic.n_queues - s->plan.n_steered; q < s->nic.n_queues; q++) {
		rule[n].queue = (uint16_t)q;
		memcpy(rule[n++].mac, s->mac[s->plan.queue[q]], sizeof(rule[0].mac));
	}
	err = steer_set(&sw->steer, rule, n);
	if (!err)
		return;
	log_warn("%s: the NIC takes no rules by destination address: %s", sw->nic_name,
		 strerror(-err));
	sw->steer_refused = true;
	s->again = true;
}

/* Only there, and only once a second: a guest may have made its address known, or another one. */
void lanes_check_addresses(struct sw *sw)
{
	if (!lanes_can_steer(sw))
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
