// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * A switch has the name of the NIC it began with or one of its own, and under that name its maps
 * and its control socket. A further NIC has a directory too, $VXDP_RUNDIR/<nic>/, with a lock, the
 * notes of what was changed on it (state.h), and a file "switch" that says whose it is.
 *
 * Uplinks are wires of their own unless the user says that one stands by for another: both lead to
 * the same wire then, and if both carried frames each broadcast would be delivered twice. One of
 * such a group carries frames: the one that did so far as long as its link is up, else the first
 * whose link is. The host goes on using the others.
 */
#include "uplink.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "lanes.h"
#include "port.h"
#include "rundir.h"
#include "uplink_owner.h"
#include "worker.h"
#include "xdp.h"

#define MTU_ETHERNET 1500

#define for_each_uplink(sw, u)                                                                     \
	for (unsigned int i_ = 0; i_ < VXDP_UPLINKS_MAX; i_++)                                     \
		if (((u) = (sw)->uplink[i_]) != NULL)

#define for_each_port(sw, p)                                                                       \
	for (unsigned int j_ = 0; j_ < VXDP_PORTS_MAX; j_++)                                       \
		if (((p) = (sw)->port[j_]) != NULL)

/* ---- What happens to it ---- */

static void on_gone(void *owner)
{
	struct uplink *u = owner;

	log_error("%s is gone", u->name);
	u->gone = true;
}

/*
 * A NIC that comes up may have given its sockets frames without waking anybody: xsk_poll() says
 * that there is nothing while the NIC is not IFF_UP, and __dev_open() sets that when ndo_open is
 * over, in which virtio_net already receives (virtnet_napi_enable() in virtnet_open()). If those
 * frames took all that was in the fill ring no later one is received either, and so none wakes.
 */
static void wake_all(struct sw *sw)
{
	for (unsigned int i = 0; i < sw->n_workers; i++)
		worker_wake(sw->worker[i]);
}

static void on_link(void *owner, bool up, bool carrier)
{
	struct uplink *u = owner;
	struct port *port;

	log_info("%s is %s%s", u->name, up ? "up" : "down",
		 up && !carrier ? ", without carrier" : "");
	if (up)
		wake_all(u->sw);
	uplink_settle(u->sw);
	for_each_port(u->sw, port) port_settle_soon(port);
}

static void on_mac(void *owner, const uint8_t mac[6])
{
	struct uplink *u = owner;

	vxdp_bpf_mac_changed(u->sw->bpf, u->slot, mac);
}

static void mtu_tell(struct sw *sw)
{
	unsigned int mtu = uplink_mtu(sw);
	struct port *port;

	for_each_port(sw, port) port_mtu_set(port, mtu);
}

static void on_mtu(void *owner, uint32_t mtu)
{
	mtu_tell(((struct uplink *)owner)->sw);
}

static const struct nic_events nic_events = {
	.gone = on_gone,
	.link = on_link,
	.mac = on_mac,
	.mtu = on_mtu,
};

/* A switch that began with a NIC ends with its last one. */
static void leave(struct uplink *u)
{
	struct sw *sw = u->sw;
	struct uplink *other;

	uplink_close(&u);
	for_each_uplink(sw, other) return;
	if (sw->needs_nic)
		event_loop_stop(sw->loop, -ENODEV);
}

static void on_ready(void *arg, uint32_t what)
{
	struct uplink *u = arg;

	nic_watch_dispatch(u->nic);
	if (u->gone)
		leave(u);
}

/* ---- Whose it is ---- */

/* Slot of the uplink whose wire it shares, or its own. */
static unsigned int leader_of(const struct uplink *u)
{
	return vxdp_bpf_uplink(u->sw->bpf, u->slot)->leader % VXDP_UPLINKS_MAX;
}

static int lock(struct uplink *u, struct vx_error *error)
{
	int err;

	if (!strcmp(u->name, u->sw->nic_name))
		return 0;
	err = rundir_lock(u->name, error, &u->lock_fd);
	if (err)
		return err;
	err = uplink_owner_write(u->name, u->sw->nic_name);
	return err ? vx_fail_errno(error, err, "cannot note whose uplink %s is", u->name) : 0;
}

static void unlock(struct uplink *u)
{
	if (u->lock_fd < 0)
		return;
	uplink_owner_clear(u->name);
	rundir_unlock(u->name, &u->lock_fd);
}

/* ---- Opening and closing ---- */

struct uplink *uplink_find(const struct sw *sw, const char *nic)
{
	struct uplink *u;

	for_each_uplink(sw, u) if (!strcmp(u->name, nic)) return u;
	return NULL;
}

static int programs_attach(struct uplink *u, const struct uplink *leader, struct vx_error *error)
{
	struct sw *sw = u->sw;
	struct vxdp_bpf_opts opts = {.nic = u->name,
				     .mode = vxdp_bpf_mode(sw->bpf),
				     .bare_ok = true,
				     .share = sw->share_xdp,
				     .standby = leader != NULL,
				     .leader = leader ? leader_of(leader) : 0};

	return vxdp_bpf_uplink_add(sw->bpf, &opts, &u->slot, error);
}

static void say_xdp(const struct uplink *u)
{
	const struct xdp_attached *xdp = vxdp_bpf_uplink_xdp(u->sw->bpf, u->slot);

	log_info("%s: XDP %s: %s", u->name, vxdp_xdp_mode_name(xdp->mode), xdp->why);
}

/* The programs are there. */
static int watch(struct uplink *u, struct vx_error *error)
{
	int err;

	say_xdp(u);
	u->sw->uplink[u->slot] = u;
	err = nic_open(u->name, &nic_events, u, &u->nic, error);
	if (err)
		return err;
	lanes_begin(u);
	err = event_add(u->sw->loop, nic_watch_fd(u->nic), EPOLLIN, on_ready, u, &u->event);
	return err ? vx_fail_errno(error, err, "cannot watch %s", u->name) : 0;
}

static struct uplink *uplink_new(struct sw *sw, const char *name)
{
	struct uplink *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->sw = sw;
	u->slot = VXDP_UPLINKS_MAX;
	u->lock_fd = -1;
	snprintf(u->name, sizeof(u->name), "%s", name);
	return u;
}

static int prepare(struct uplink *u, const struct uplink *leader, struct vx_error *error)
{
	struct nic_info info;
	int err = nic_info_get(u->name, &info, error);

	if (!err)
		err = nic_usable(&info, error);
	if (!err)
		err = lock(u, error);
	if (!err)
		err = programs_attach(u, leader, error);
	if (!err)
		err = watch(u, error);
	if (!err && vxdp_tap_ports(u->sw->pins))
		err = nic_stand(nic_info(u->nic), error);
	return err;
}

static int check(struct sw *sw, const struct uplink_options *o, struct uplink **leader,
		 struct vx_error *error)
{
	struct port *port;

	for_each_port(sw, port) if (!strcmp(port->name, o->nic)) return vx_fail(
		error, -EEXIST, "%s has a port called %s", sw->nic_name, o->nic);
	*leader = o->standby_for ? uplink_find(sw, o->standby_for) : NULL;
	if (o->standby_for && !*leader)
		return vx_fail(error, -ENOENT, "%s has no uplink %s", sw->nic_name, o->standby_for);
	return 0;
}

int uplink_add(struct sw *sw, const struct uplink_options *o, struct vx_error *error)
{
	struct uplink *leader, *u = uplink_find(sw, o->nic);
	unsigned int mtu = uplink_mtu(sw);
	struct port *port;
	int err;

	if (u)
		return o->may_exist ? 0
				    : vx_fail(error, -EEXIST, "%s is an uplink of %s already",
					      o->nic, sw->nic_name);
	err = check(sw, o, &leader, error);
	if (err)
		return err;
	u = uplink_new(sw, o->nic);
	if (!u)
		return vx_fail_errno(error, -ENOMEM, "cannot attach %s", o->nic);
	err = prepare(u, leader, error);
	if (err) {
		uplink_close(&u);
		return err;
	}
	log_info("%s: uplink of %s%s%s", u->name, sw->nic_name, leader ? ", standing by for " : "",
		 leader ? leader->name : "");
	uplink_settle(sw);
	if (uplink_mtu(sw) != mtu)
		mtu_tell(sw);
	for_each_port(sw, port) port_settle_soon(port);
	return 0;
}

static int adopt(struct sw *sw, unsigned int slot, struct vx_error *error)
{
	struct uplink *u = uplink_new(sw, vxdp_bpf_uplink_name(sw->bpf, slot));
	int err;

	if (!u)
		return vx_fail_errno(error, -ENOMEM, "cannot attach %s", sw->nic_name);
	u->slot = slot;
	err = lock(u, error);
	if (!err)
		err = watch(u, error);
	if (err)
		uplink_close(&u);
	return err;
}

int uplink_open_all(struct sw *sw, struct vx_error *error)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		const char *name = vxdp_bpf_uplink_name(sw->bpf, i);
		bool namesake = !strcmp(name, sw->nic_name);
		struct vx_error why = {};
		int err;

		if (!vxdp_bpf_uplink(sw->bpf, i)->ifindex)
			continue;
		err = adopt(sw, i, namesake ? error : &why);
		if (err && namesake)
			return err;
		if (err)
			log_warn("an uplink of a killed vxdp is left out: %s", why.message);
	}
	uplink_settle(sw);
	return 0;
}

/* Those that stood by for it now stand by for each other. */
static void leader_replace(struct sw *sw, unsigned int slot)
{
	unsigned int heir = VXDP_UPLINKS_MAX;
	struct uplink *u;

	for_each_uplink(sw, u)
	{
		if (leader_of(u) != slot)
			continue;
		if (heir == VXDP_UPLINKS_MAX)
			heir = u->slot;
		vxdp_bpf_leader_set(sw->bpf, u->slot, heir);
	}
}

static void leave_switch(struct uplink *u)
{
	struct sw *sw = u->sw;
	struct port *port;

	lanes_end(u);
	for_each_port(sw, port)
	{
		port->on[u->slot] = (struct port_uplink){};
		port->direct.on[u->slot] = (struct direct_uplink){};
	}
	sw->uplink[u->slot] = NULL;
	event_del(&u->event);
	nic_close(&u->nic);
	vxdp_bpf_uplink_del(sw->bpf, u->slot);
	nic_cleanup(u->name, NULL);
	leader_replace(sw, u->slot);
	uplink_settle(sw);
	for_each_port(sw, port) port_settle_soon(port);
}

void uplink_close(struct uplink **uplink)
{
	struct uplink *u = TAKE_PTR(*uplink);

	if (!u)
		return;
	if (u->slot < VXDP_UPLINKS_MAX)
		leave_switch(u);
	unlock(u);
	free(u);
}

/* The note whose it is stays as well. */
static void keep(struct uplink *u)
{
	nic_keep(u->nic);
	event_del(&u->event);
	nic_close(&u->nic);
	close_fd(&u->lock_fd);
	free(u);
}

/* From the last on, so that the first is not relieved by one that is about to go. */
void uplink_close_all(struct sw *sw)
{
	bool taps = sw->pins && vxdp_tap_ports(sw->pins);

	for (unsigned int i = VXDP_UPLINKS_MAX; i-- > 0;) {
		if (!sw->uplink[i])
			continue;
		if (taps)
			keep(TAKE_PTR(sw->uplink[i]));
		else
			uplink_close(&sw->uplink[i]);
	}
}

int uplink_stand_all(struct sw *sw, struct vx_error *error)
{
	struct uplink *u;
	int err = 0;

	for_each_uplink(sw, u) if (!err) err = nic_stand(nic_info(u->nic), error);
	return err;
}

/* ---- Several uplinks to one wire ---- */

static bool has_link(const struct uplink *u)
{
	return nic_info(u->nic)->up && nic_info(u->nic)->carrier;
}

static bool stands_by(const struct uplink *u)
{
	return vxdp_bpf_uplink(u->sw->bpf, u->slot)->standby;
}

/* Who shall carry the frames of a wire: who does, if its link is up; else the first whose is. */
static struct uplink *carrier_of(struct sw *sw, unsigned int leader)
{
	struct uplink *u, *now = NULL, *best = NULL;

	for_each_uplink(sw, u)
	{
		if (leader_of(u) != leader || !u->nic)
			continue;
		if (!stands_by(u))
			now = u;
		if (!best || (has_link(u) && !has_link(best)))
			best = u;
	}
	return now && has_link(now) ? now : best;
}

/* Does it carry frames, and shall not, or the other way round? */
static bool changes(struct uplink *u, bool to_standby)
{
	const struct uplink *carrier = carrier_of(u->sw, leader_of(u));

	return carrier && stands_by(u) != to_standby && (u != carrier) == to_standby;
}

/*
 * Who gives up does so first, with empty fast lanes: what came by it is with the guests, or on the
 * way by their taps, before anything comes by the other.
 */
void uplink_settle(struct sw *sw)
{
	struct uplink *u;

	for_each_uplink(sw, u)
	{
		if (!changes(u, true))
			continue;
		lanes_pause(u);
		vxdp_bpf_standby_set(sw->bpf, u->slot, true);
	}
	for_each_uplink(sw, u)
	{
		if (!changes(u, false))
			continue;
		log_info("%s: carries the frames of its wire from now on", u->name);
		vxdp_bpf_standby_set(sw->bpf, u->slot, false);
	}
}

/* ---- What is said about it ---- */

unsigned int uplink_mtu(const struct sw *sw)
{
	unsigned int mtu = 0;
	struct uplink *u;

	for_each_uplink(sw, u) if (u->nic && (!mtu || nic_info(u->nic)->mtu < mtu)) mtu =
		nic_info(u->nic)->mtu;
	return mtu ? mtu : MTU_ETHERNET;
}
