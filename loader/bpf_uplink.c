// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_uplink.c - the NICs of a switch: their entries in the maps, and the programs on them.
 *
 * The first entry is that of the NIC the switch began with, and has the ports "uplink" and "host";
 * a further one has its NIC's name and "host" with its number. An entry of config.uplink[] comes
 * to life with its ifindex, which is written last and taken away first.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "bpf_impl.h"
#include "bpf_log.h"
#include "bpf_pins.h"
#include "nic.h"

#define NIC_QUEUES_SPARE 64 /* room for queues that ethtool -L may add later */

static struct vxdp_uplink *entry(struct vxdp_bpf *bpf, unsigned int slot)
{
	return &bpf->pins.mapped_config->uplink[slot];
}

/* All but its ifindex. The workers look for the port's id at any time (flow.c). */
static void entry_fill(struct vxdp_uplink *e, const struct vxdp_uplink *up)
{
	__atomic_store_n(&e->port, up->port, __ATOMIC_RELAXED);
	e->host_port = up->host_port;
	e->queue_base = up->queue_base;
	e->n_queues = up->n_queues;
	memcpy(e->host_mac, up->host_mac, sizeof(e->host_mac));
	e->generic_xdp = up->generic_xdp;
	e->standby = up->standby;
	e->leader = up->leader;
	e->no_xdp = up->no_xdp;
}

static void set_end(struct vxdp_bpf *bpf)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		if (entry(bpf, i)->ifindex)
			end = i + 1;
	WRITE_ONCE(bpf->pins.mapped_config->n_uplinks_end, end);
	vxdp_generation_bump(&bpf->pins);
}

/* Queues from @base on that no uplink has, up to @wanted. */
static unsigned int queues_free(struct vxdp_bpf *bpf, unsigned int base, unsigned int wanted)
{
	unsigned int end = MIN(base + wanted, VXDP_NIC_QUEUES_MAX);

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const struct vxdp_uplink *other = entry(bpf, i);

		if (!other->ifindex || !other->n_queues ||
		    other->queue_base + other->n_queues <= base)
			continue;
		end = MIN(end, MAX(base, other->queue_base));
	}
	return end - base;
}

/* A range of the maps queues and xsks for the NIC's queues: the first that is long enough. */
static void queues_take(struct vxdp_bpf *bpf, const struct nic_info *nic, struct vxdp_uplink *up)
{
	unsigned int spare = MIN(nic->rx_queues_max, NIC_QUEUES_SPARE);
	unsigned int wanted = MAX(nic->rx_queues, spare);

	for (unsigned int base = 0; base < VXDP_NIC_QUEUES_MAX; base++) {
		unsigned int n = queues_free(bpf, base, wanted);

		if (n <= up->n_queues)
			continue;
		up->queue_base = (uint16_t)base;
		up->n_queues = (uint16_t)n;
		if (n == wanted)
			break;
	}
}

static void port_names(unsigned int slot, const char *nic, struct vxdp_port *uplink,
		       struct vxdp_port *host)
{
	if (!slot) {
		strcpy(uplink->name, "uplink");
		strcpy(host->name, "host");
		return;
	}
	snprintf(uplink->name, sizeof(uplink->name), "%s", nic);
	snprintf(host->name, sizeof(host->name), "host%u", slot + 1);
}

/* A wire may teach more addresses than a guest; the first NIC's ids say that by themselves. */
static int policy_open(struct vxdp_bpf *bpf, uint32_t id)
{
	struct vxdp_policy policy;
	int err = vxdp_policy_get(&bpf->pins, id, &policy);

	if (err || policy.mac_limit)
		return err;
	policy.mac_limit = VXDP_FDB_WIRE_MAX;
	return vxdp_policy_set(&bpf->pins, id, &policy);
}

static int port_enter(struct vxdp_bpf *bpf, uint32_t fixed, bool first,
		      const struct vxdp_port *port, uint16_t *out)
{
	uint32_t id = fixed;
	int err = first ? 0 : vxdp_port_id(&bpf->pins, port->name, &id);

	if (err)
		return err;
	*out = (uint16_t)id;
	err = vxdp_port_set(&bpf->pins, id, port);
	return err || first ? err : policy_open(bpf, id);
}

static int ports_enter(struct vxdp_bpf *bpf, unsigned int slot, const struct nic_info *nic,
		       struct vxdp_uplink *up, struct vx_error *error)
{
	struct vxdp_port uplink = {
		.ifindex = nic->ifindex, .kind = VXDP_KIND_UPLINK, .flags = VXDP_PORT_UP};
	struct vxdp_port host = {
		.ifindex = nic->ifindex, .kind = VXDP_KIND_HOST, .flags = VXDP_PORT_UP};
	int err;

	port_names(slot, nic->name, &uplink, &host);
	err = port_enter(bpf, VXDP_PORT_UPLINK, !slot, &uplink, &up->port);
	if (!err)
		err = port_enter(bpf, VXDP_PORT_HOST, !slot, &host, &up->host_port);
	return err ? vx_fail_errno(error, err, "cannot fill the BPF maps") : 0;
}

/* For who reads the maps, and knew them before a switch could have several NICs. */
static void mirror_first(struct vxdp_bpf *bpf)
{
	struct vxdp_config *config = bpf->pins.mapped_config;

	config->uplink_ifindex = config->uplink[0].ifindex;
	config->generic_xdp = config->uplink[0].generic_xdp;
	memcpy(config->host_mac, config->uplink[0].host_mac, sizeof(config->host_mac));
}

static int find_slot(struct vxdp_bpf *bpf, unsigned int *slot, struct vx_error *error)
{
	for (*slot = 0; *slot < VXDP_UPLINKS_MAX; (*slot)++)
		if (!entry(bpf, *slot)->ifindex)
			return 0;
	return vx_fail(error, -ENOSPC, "%s has %u uplinks, and no room for more", bpf->name,
		       VXDP_UPLINKS_MAX);
}

int vxdp_bpf_uplink_add(struct vxdp_bpf *bpf, const struct vxdp_bpf_opts *opts, unsigned int *out,
			struct vx_error *error)
{
	struct vxdp_uplink up = {};
	struct bpf_nic *nic;
	unsigned int slot;
	int err = find_slot(bpf, &slot, error);

	if (err)
		return err;
	nic = &bpf->nic[slot];
	err = nic_info_get(opts->nic, &nic->info, error);
	if (!err) {
		queues_take(bpf, &nic->info, &up);
		memcpy(up.host_mac, nic->info.mac, sizeof(up.host_mac));
		up.standby = opts->standby;
		up.leader = (uint8_t)(opts->standby ? opts->leader : slot);
		err = ports_enter(bpf, slot, &nic->info, &up, error);
	}
	if (!err) {
		entry_fill(entry(bpf, slot), &up);
		WRITE_ONCE(entry(bpf, slot)->ifindex, nic->info.ifindex);
		set_end(bpf);
		err = bpf_nic_attach(nic, bpf->object, opts, entry(bpf, slot), error);
	}
	if (err) {
		vxdp_bpf_uplink_del(bpf, slot);
		return err;
	}
	mirror_first(bpf);
	*out = slot;
	return 0;
}

void vxdp_bpf_uplink_del(struct vxdp_bpf *bpf, unsigned int slot)
{
	const struct vxdp_uplink none = {}, up = *entry(bpf, slot);

	bpf_nic_detach(&bpf->nic[slot]);
	WRITE_ONCE(entry(bpf, slot)->ifindex, 0);
	entry_fill(entry(bpf, slot), &none);
	if (up.port)
		vxdp_port_clear(&bpf->pins, up.port);
	if (up.host_port)
		vxdp_port_clear(&bpf->pins, up.host_port);
	set_end(bpf);
	mirror_first(bpf);
	bpf->nic[slot] = (struct bpf_nic){};
}

void vxdp_bpf_mac_changed(struct vxdp_bpf *bpf, unsigned int slot, const uint8_t mac[6])
{
	memcpy(entry(bpf, slot)->host_mac, mac, 6);
	mirror_first(bpf);
	vxdp_generation_bump(&bpf->pins);
}

void vxdp_bpf_standby_set(struct vxdp_bpf *bpf, unsigned int slot, bool standby)
{
	entry(bpf, slot)->standby = standby;
	vxdp_generation_bump(&bpf->pins);
	/* What was known behind it is behind another one now, and will be learnt there. */
	if (standby)
		vxdp_fdb_flush(&bpf->pins, entry(bpf, slot)->port, false);
}

const struct vxdp_uplink *vxdp_bpf_uplink(const struct vxdp_bpf *bpf, unsigned int slot)
{
	return &bpf->pins.mapped_config->uplink[slot];
}

const struct xdp_attached *vxdp_bpf_uplink_xdp(const struct vxdp_bpf *bpf, unsigned int slot)
{
	return &bpf->nic[slot].xdp;
}

const char *vxdp_bpf_uplink_name(const struct vxdp_bpf *bpf, unsigned int slot)
{
	return bpf->nic[slot].info.name;
}

void vxdp_bpf_leader_set(struct vxdp_bpf *bpf, unsigned int slot, unsigned int leader)
{
	entry(bpf, slot)->leader = (uint8_t)leader;
}

/* The programs of a predecessor on its NIC are replaced, without a gap. */
static int adopt(struct vxdp_bpf *bpf, const struct vxdp_bpf_opts *opts, unsigned int slot,
		 struct vx_error *error)
{
	struct vxdp_uplink *up = entry(bpf, slot);
	struct nic_info *info = &bpf->nic[slot].info;
	char name[IFNAMSIZ];
	int err = 0;

	if (!if_indextoname(up->ifindex, name))
		err = vx_fail(error, -ENODEV, "the NIC is gone");
	if (!err)
		err = nic_info_get(name, info, error);
	if (err)
		return err;
	memcpy(up->host_mac, info->mac, sizeof(up->host_mac));
	return bpf_nic_attach(&bpf->nic[slot], bpf->object, opts, up, error);
}

int bpf_uplinks_open(struct vxdp_bpf *bpf, const struct vxdp_bpf_opts *opts, struct vx_error *error)
{
	unsigned int wanted = opts->nic ? if_nametoindex(opts->nic) : 0, slot;
	bool there = false;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		unsigned int ifindex = entry(bpf, i)->ifindex;
		struct vx_error why = {};
		int err = ifindex ? adopt(bpf, opts, i, ifindex == wanted ? error : &why) : 0;

		there |= ifindex && ifindex == wanted;
		if (!err)
			continue;
		if (ifindex == wanted)
			return err;
		log_warn("%s: an uplink of its predecessor is left out: %s", bpf->name,
			 why.message);
		vxdp_bpf_uplink_del(bpf, i);
	}
	set_end(bpf);
	mirror_first(bpf);
	return wanted && !there ? vxdp_bpf_uplink_add(bpf, opts, &slot, error) : 0;
}

bool vxdp_uplinks_no_xdp(const struct vxdp_pins *pins)
{
	const struct vxdp_uplink *up = pins->mapped_config->uplink;
	bool no_xdp = false;

	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++)
		no_xdp |= READ_ONCE(up[i].ifindex) && READ_ONCE(up[i].no_xdp);
	return no_xdp;
}

/* The NICs a switch has by its pinned maps; the switch's own name first, if it is a NIC's. */
unsigned int vxdp_uplink_names(const char *name, char names[VXDP_UPLINKS_MAX + 1][IFNAMSIZ])
{
	struct vxdp_pins pins;
	unsigned int n = 0;

	if (if_nametoindex(name))
		snprintf(names[n++], IFNAMSIZ, "%s", name);
	if (vxdp_pins_open(name, false, &pins, NULL))
		return n;
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		unsigned int ifindex = READ_ONCE(pins.mapped_config->uplink[i].ifindex);

		if (ifindex && if_indextoname(ifindex, names[n]) && strcmp(names[n], name))
			n++;
	}
	vxdp_pins_close(&pins);
	return n;
}

int vxdp_bpf_cleanup(const char *name, struct vx_error *error)
{
	char names[VXDP_UPLINKS_MAX + 1][IFNAMSIZ];
	unsigned int n_names = vxdp_uplink_names(name, names);
	struct nic_info info;
	int n = 0;

	bpf_log_init();
	for (unsigned int i = 0; i < n_names; i++) {
		int err = nic_info_get(names[i], &info, NULL);

		if (!err)
			err = bpf_nic_cleanup(&info, error);
		if (err < 0 && err != -ENODEV)
			return err;
		n += MAX(err, 0);
	}
	return n + bpf_pins_remove(name);
}
