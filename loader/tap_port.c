// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 *	order of attaching                      undone in reverse by detaching
 *	the NIC prepared (nic_stand())          with its last port
 *	the tap noted in the state file         forgotten
 *	the tap made, if it is not there        removed, if it was made
 *	vxdp_tap_ingress on the tap             taken off
 *	the entry in the maps                   cleared: from here on its frames are dropped
 *
 * A tap can go at any time: it is its owner's. The programs then drop what is for it
 * (drop_no_port), its entry stays with its name and its addresses, `vxdp status` calls it gone, and
 * attaching a tap of that name again fills the entry in anew.
 */
#include "tap_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "state.h"
#include "tap.h"
#include "tap_dev.h"
#include "tap_owner.h"
#include "verdicts.h"

#define ETHERNET_BYTES (14 + 4) /* header and one VLAN tag */

/* ---- Looking ---- */

static bool is_there(const struct vxdp_port *port)
{
	char ifname[IFNAMSIZ];

	return if_indextoname(port->ifindex, ifname);
}

/* The port, of any kind, that is called @name or is on netdev @ifindex. Return: 0 or -ENOENT. */
static int find(const struct vxdp_pins *pins, const char *name, unsigned int ifindex, uint32_t *id,
		struct vxdp_port *port)
{
	for (*id = VXDP_PORT_FIRST; *id < VXDP_PORTS_MAX; (*id)++) {
		if (vxdp_port_get(pins, *id, port))
			continue;
		if (name && !strncmp(port->name, name, sizeof(port->name)))
			return 0;
		if (ifindex && port->ifindex == ifindex)
			return 0;
	}
	return -ENOENT;
}

static int find_name(const struct vxdp_pins *pins, const char *name, uint32_t *id,
		     struct vxdp_port *port)
{
	return find(pins, name, 0, id, port);
}

bool tap_port_named(const struct vxdp_pins *pins, const char *name)
{
	struct vxdp_port port;
	uint32_t id;

	return !find_name(pins, name, &id, &port) && port.kind == VXDP_KIND_TAP;
}

static int find_netdev(const struct vxdp_pins *pins, const char *ifname, uint32_t *id,
		       struct vxdp_port *port)
{
	return find(pins, NULL, if_nametoindex(ifname), id, port);
}

/* Return: 0 if the name is free or its tap has gone, 1 if it is there and may be, -EEXIST. */
static int check_free(const struct vxdp_pins *pins, const char *nic,
		      const struct tap_port_options *o, struct vx_error *error)
{
	struct vxdp_port port;
	uint32_t id;

	if (find_name(pins, o->name, &id, &port) && find_netdev(pins, o->tap, &id, &port))
		return 0;
	if (port.kind == VXDP_KIND_TAP && !is_there(&port))
		return 0;
	if (o->may_exist)
		return 1;
	vx_fail(error, -EEXIST, "%s already has a port %s", nic, port.name);
	vx_hint(error, "choose another --name, or say --may-exist");
	return -EEXIST;
}

/* ---- The netdev ---- */

static int dev_usable(const struct tap_dev *dev, const struct tap_port_options *o,
		      struct vx_error *error)
{
	if (!dev->is_tap)
		return vx_fail(error, -EOPNOTSUPP, "%s is no tap device", dev->name);
	if (dev->master[0]) {
		vx_fail(error, -EBUSY, "%s is a port of %s", dev->name, dev->master);
		vx_hint(error, "ip link set dev %s nomaster", dev->name);
		return -EBUSY;
	}
	if (o->owner || o->group || o->mtu || o->queues)
		log_warn("%s: is there and used as it is; --owner, --group, --queues and --mtu are "
			 "for a tap that vxdp makes",
			 dev->name);
	return 0;
}

static int dev_make(const struct nic_info *nic, const struct tap_port_options *o,
		    struct vx_error *error)
{
	struct tap_dev_options options = {
		.owner = TAP_DEV_ANYONE,
		.group = TAP_DEV_ANYONE,
		.multi_queue = o->queues > 1,
		.mtu = o->mtu ? o->mtu : nic->mtu,
	};

	if (o->owner && tap_owner_find(o->owner, false, &options.owner))
		return vx_fail(error, -ENOENT, "there is no user '%s'", o->owner);
	if (o->group && tap_owner_find(o->group, true, &options.group))
		return vx_fail(error, -ENOENT, "there is no group '%s'", o->group);
	return tap_dev_make(o->tap, &options, error);
}

/* Noted before it is made: what is noted and not there does no harm. */
static int dev_prepare(const struct nic_info *nic, const struct tap_port_options *o,
		       struct tap_dev *dev, struct vx_error *error)
{
	struct state_tap noted = {};
	int err = tap_dev_get(o->tap, dev);
	bool ours;

	if (err && err != -ENODEV)
		return vx_fail_errno(error, err, "cannot look at %s", o->tap);
	ours = !err && !state_tap_get(nic->name, o->name, &noted) &&
	       noted.ifindex == dev->ifindex && noted.created;
	noted = (struct state_tap){.ifindex = dev->ifindex, .created = err || ours};
	snprintf(noted.ifname, sizeof(noted.ifname), "%s", o->tap);
	if (!err)
		err = dev_usable(dev, o, error);
	else if (strlen(o->tap) >= IFNAMSIZ)
		return vx_fail_usage(error, "'%s' cannot be the name of a tap", o->tap);
	else if (!(err = state_tap_note(nic->name, o->name, &noted)))
		err = dev_make(nic, o, error);
	else
		vx_fail_errno(error, err, "cannot note the tap %s", o->tap);
	if (err)
		return err;
	err = tap_dev_get(o->tap, dev);
	noted.ifindex = dev->ifindex;
	if (!err)
		err = tap_dev_up(o->tap);
	if (!err)
		err = state_tap_note(nic->name, o->name, &noted);
	return err ? vx_fail_errno(error, err, "cannot set up %s", o->tap) : 0;
}

/* What of a tap is ours, maps aside. */
static void dev_release(const char *nic, const char *port)
{
	char ifname[IFNAMSIZ];
	struct state_tap tap;
	struct tap_dev dev;

	if (state_tap_get(nic, port, &tap))
		return;
	if (!tap.ifindex)
		tap.ifindex = if_nametoindex(tap.ifname);
	if (!if_indextoname(tap.ifindex, ifname)) {
		; /* it has gone */
	} else if (tap.created && !strcmp(ifname, tap.ifname)) {
		tap_dev_remove(tap.ifindex);
	} else {
		vxdp_bpf_tap_detach(tap.ifindex);
		if (!tap_dev_get(ifname, &dev))
			tap_dev_steer(&dev, -1);
	}
	state_tap_forget(nic, port);
}

/* ---- Attaching and detaching ---- */

/* What XDP may do with frames for the tap, if there is XDP in the driver, and with those from it.
 */
static uint16_t lane_flags(const struct tap_port_options *o, const struct tap_dev *dev)
{
	uint16_t flags = VXDP_PORT_DIRECT | (o->tap_xdp ? VXDP_PORT_TAP_XDP : 0);

	if (o->lane && !strcmp(o->lane, "kernel"))
		return flags & VXDP_PORT_TAP_XDP;
	if (!o->tcp_lane || strcmp(o->tcp_lane, "direct"))
		flags |= VXDP_PORT_TCP_KERNEL;
	if (dev->multi_queue)
		flags |= VXDP_PORT_SPREAD;
	return flags;
}

static int enter(struct vxdp_bpf *bpf, const struct tap_port_options *o, const struct tap_dev *dev,
		 struct vx_error *error)
{
	const struct vxdp_pins *pins = vxdp_bpf_pins(bpf);
	struct vxdp_port port = {.ifindex = dev->ifindex,
				 .kind = VXDP_KIND_TAP,
				 .flags = VXDP_PORT_UP | lane_flags(o, dev),
				 .direct_frame_bytes = dev->mtu + ETHERNET_BYTES};
	struct vxdp_port old;
	uint32_t id;
	int err = 0;

	if (find_name(pins, o->name, &id, &old))
		err = vxdp_port_id(pins, o->name, &id);
	if (err)
		return vx_fail_errno(error, err, "no free port number");
	snprintf(port.name, sizeof(port.name), "%s", o->name);
	err = policy_change_apply(o->policy, pins, id, o->name, error);
	if (err)
		return err;
	if (port.flags & VXDP_PORT_SPREAD && vxdp_bpf_spread(bpf))
		port.flags &= ~(VXDP_PORT_SPREAD | VXDP_PORT_DIRECT);
	if (port.flags & VXDP_PORT_DIRECT)
		err = vxdp_tap_set(pins, id, dev->ifindex);
	if (!err)
		err = vxdp_port_set(pins, id, &port);
	return err ? vx_fail_errno(error, err, "cannot enter the port into the maps") : 0;
}

static void steer(const struct vxdp_bpf *bpf, const struct tap_dev *dev)
{
	int err = dev->multi_queue ? tap_dev_steer(dev, vxdp_bpf_steering_fd(bpf)) : 0;

	if (err == -EBUSY)
		log_info("%s: is open, so that the choice of its queues stays as it is", dev->name);
	else if (err)
		log_warn("%s: cannot choose the queues of frames: %s", dev->name, strerror(-err));
}

int tap_port_add(struct vxdp_bpf *bpf, const struct nic_info *nic, const struct tap_port_options *o,
		 struct vx_error *error)
{
	const struct vxdp_pins *pins = vxdp_bpf_pins(bpf);
	struct tap_dev dev;
	int err = check_free(pins, nic->name, o, error);

	if (err)
		return err > 0 ? 0 : err;
	err = nic->ifindex ? nic_stand(nic, error) : 0;
	if (!err)
		err = dev_prepare(nic, o, &dev, error);
	if (!err) {
		steer(bpf, &dev);
		err = vxdp_bpf_tap_attach(bpf, dev.ifindex, error);
	}
	if (!err && o->tap_xdp)
		err = vxdp_bpf_tap_xdp_attach(bpf, dev.ifindex, error);
	if (!err)
		err = enter(bpf, o, &dev, error);
	if (err) {
		dev_release(nic->name, o->name);
		if (nic->ifindex && !vxdp_tap_ports(pins))
			nic_stand_down(nic);
		return err;
	}
	return 0;
}

int tap_port_del(const char *nic, const struct vxdp_pins *pins, const char *name,
		 struct vx_error *error)
{
	struct vxdp_port port;
	struct nic_info info;
	uint32_t id;

	if ((find_name(pins, name, &id, &port) && find_netdev(pins, name, &id, &port)) ||
	    port.kind != VXDP_KIND_TAP)
		return vx_fail(error, -ENOENT, "%s has no port %s", nic, name);
	vxdp_port_clear(pins, id);
	dev_release(nic, port.name);
	if (!vxdp_tap_ports(pins) && !nic_info_get(nic, &info, NULL))
		nic_stand_down(&info);
	return 0;
}

static void remove_one(void *nic, const char *port, const struct state_tap *tap)
{
	dev_release(nic, port);
}

int tap_ports_remove(const char *nic)
{
	return state_taps_walk(nic, remove_one, (void *)nic);
}

/* ---- Reporting ---- */

static const char *lane_of(const struct vxdp_pins *pins, const struct vxdp_port *port,
			   const char **why)
{
	if (!(port->flags & VXDP_PORT_DIRECT)) {
		*why = "asked for";
	} else if (vxdp_uplinks_no_xdp(pins)) {
		*why = VXDP_XDP_NONE_REASON;
	} else if (READ_ONCE(pins->mapped_config->generic_xdp)) {
		*why = "XDP does not run in the driver";
	} else {
		*why = port->flags & VXDP_PORT_TCP_KERNEL
			       ? "XDP sends frames straight to the tap; TCP takes the kernel lane, "
				 "where GRO is"
			       : "XDP sends frames straight to the tap";
		return "direct";
	}
	return "kernel";
}

static json_t *port_status(const struct vxdp_pins *pins, uint32_t id, const struct vxdp_port *port)
{
	char ifname[IFNAMSIZ] = "";
	struct tap_dev dev = {.owner = TAP_DEV_ANYONE};
	const char *state = "gone", *why;
	const char *lane = lane_of(pins, port, &why);

	if (if_indextoname(port->ifindex, ifname) && !tap_dev_get(ifname, &dev))
		state = dev.queues ? "running" : "waiting";
	return json_pack("{s:s,s:i,s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:b,s:i,s:b,s:i,s:i}", "name",
			 port->name, "id", (int)id, "kind", "tap", "state", state, "tap", ifname,
			 "ifindex", (int)port->ifindex, "lane", lane, "lane_reason", why,
			 "tcp_lane",
			 port->flags & VXDP_PORT_TCP_KERNEL || *lane == 'k' ? "kernel" : "direct",
			 "tap_xdp", !!(port->flags & VXDP_PORT_TAP_XDP), "queue_pairs",
			 (int)dev.queues, "multi_queue", dev.multi_queue, "mtu", (int)dev.mtu,
			 "program_id", (int)vxdp_bpf_tap_program(port->ifindex));
}

void tap_ports_status(const struct vxdp_pins *pins, json_t *ports)
{
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++) {
		if (!vxdp_port_get(pins, id, &port) && port.kind == VXDP_KIND_TAP)
			json_array_append_new(ports, port_status(pins, id, &port));
	}
}

void tap_ports_stats(const struct vxdp_pins *pins, json_t *ports)
{
	struct vxdp_port_stats stats;
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++) {
		struct tap tap;
		json_t *counters;

		if (vxdp_port_get(pins, id, &port) || port.kind != VXDP_KIND_TAP ||
		    vxdp_stats_get(pins, id, &stats))
			continue;
		/* Where frames for a slow guest, or for none, are dropped. */
		tap = (struct tap){.ifindex = port.ifindex};
		counters = verdicts_json(&stats);
		json_object_set_new(counters, "drop_rx_tap",
				    json_pack("{s:I,s:i}", "packets",
					      (json_int_t)tap_tx_dropped(&tap), "bytes", 0));
		json_array_append_new(ports,
				      json_pack("{s:s,s:i,s:s,s:o}", "name", port.name, "id",
						(int)id, "kind", "tap", "verdicts", counters));
	}
}
