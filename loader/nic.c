// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nic.c - what vxdp changes on a NIC, and what happens to it.
 *
 * Theory of operation
 *
 * The guests' addresses are not the NIC's, so it has to be promiscuous: by a packet socket's
 * membership, which the kernel takes back whenever the process ends; and if there are tap ports,
 * which need no process, by the flag that `ip link set NIC promisc on` sets. The two offloads are
 * different: nobody would turn them on again after kill -9. Each one's former state is in the state
 * file before it is changed, and is taken out after it was put back.
 *
 * Receive VLAN offload would take the tag out of the frame before XDP sees it; LRO would merge
 * frames that are to be forwarded as they came.
 */
#include "nic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "ethtool.h"
#include "netlink.h"
#include "nic_link.h"
#include "state.h"
#include "steer_nic.h"

#define WATCH_BUFFER (16 * 1024)

struct nic {
	struct nic_info info;
	struct nic_events events;
	void *owner;
	int promisc_fd;
	int watch_fd;
	bool gone;
	bool kept; /* nic_keep() */
};

/* Offloads that are off while attached: the name in the state file, and ethtool's. */
static const struct {
	const char *state;
	const char *feature;
} offloads[] = {
	{STATE_RXVLAN, ETHTOOL_RXVLAN},
	{STATE_LRO, ETHTOOL_LRO},
};

static int offload_off(const struct nic_info *info, const char *state, const char *feature)
{
	struct ethtool_feature now;
	int err = ethtool_feature_get(info->name, feature, &now);

	if (err || !now.on || now.fixed)
		return 0;
	err = state_note(info->name, info->ifindex, state);
	if (err)
		return err;
	err = ethtool_feature_set(info->name, feature, false);
	if (!err)
		return 0;
	log_warn("%s: cannot turn %s off: %s", info->name, feature, strerror(-err));
	state_forget(info->name, info->ifindex, state);
	return 0;
}

/* Return: number of offloads put back. */
static int offloads_restore(const char *name, unsigned int ifindex)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++) {
		int err;

		if (!state_noted(name, ifindex, offloads[i].state))
			continue;
		err = ethtool_feature_set(name, offloads[i].feature, true);
		if (err)
			log_warn("%s: cannot turn %s on again: %s", name, offloads[i].feature,
				 strerror(-err));
		state_forget(name, ifindex, offloads[i].state);
		n++;
	}
	return n;
}

/* There is nothing to put back on a NIC that is no more. */
static void offloads_forget(const struct nic_info *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
		state_forget(info->name, info->ifindex, offloads[i].state);
}

static int promisc_open(unsigned int ifindex)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct packet_mreq promisc = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		return -errno;
	return TAKE_FD(fd);
}

/* Return: 1 if the flag was changed, 0 if it was so already, -errno. */
static int promisc_flag_set(const char *name, bool on)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr))
		return -errno;
	if (!(ifr.ifr_flags & IFF_PROMISC) == !on)
		return 0;
	ifr.ifr_flags ^= IFF_PROMISC;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 1;
}

/* Return: number of things put back. */
static int promisc_flag_restore(const char *name, unsigned int ifindex)
{
	if (!state_noted(name, ifindex, STATE_PROMISC))
		return 0;
	promisc_flag_set(name, false);
	state_forget(name, ifindex, STATE_PROMISC);
	return 1;
}

static int watch_open(void)
{
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return TAKE_FD(fd);
}

static int offloads_off(const struct nic_info *info, struct vx_error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++) {
		int err = offload_off(info, offloads[i].state, offloads[i].feature);

		if (err)
			return vx_fail_errno(error, err, "cannot note the state of %s", info->name);
	}
	return 0;
}

static int prepare(struct nic *nic, struct vx_error *error)
{
	const char *name = nic->info.name;
	int err;

	nic->watch_fd = watch_open();
	if (nic->watch_fd < 0)
		return vx_fail_errno(error, nic->watch_fd, "cannot watch %s", name);
	nic->promisc_fd = promisc_open(nic->info.ifindex);
	if (nic->promisc_fd < 0)
		return vx_fail_errno(error, nic->promisc_fd, "cannot make %s promiscuous", name);
	err = offloads_off(&nic->info, error);
	return err ? err : nic_info_get(name, &nic->info, error);
}

int nic_open(const char *name, const struct nic_events *events, void *owner, struct nic **out,
	     struct vx_error *error)
{
	struct nic *nic = calloc(1, sizeof(*nic));
	int err;

	if (!nic)
		return vx_fail_errno(error, -ENOMEM, "cannot prepare %s", name);
	nic->promisc_fd = nic->watch_fd = -1;
	nic->owner = owner;
	if (events)
		nic->events = *events;
	err = nic_info_get(name, &nic->info, error);
	if (!err)
		err = nic_usable(&nic->info, error);
	if (!err)
		err = prepare(nic, error);
	if (err)
		nic_close(&nic);
	else
		*out = nic;
	return err;
}

void nic_close(struct nic **nic)
{
	if (!*nic)
		return;
	if ((*nic)->gone)
		offloads_forget(&(*nic)->info);
	else if (!(*nic)->kept)
		offloads_restore((*nic)->info.name, (*nic)->info.ifindex);
	close_fd(&(*nic)->promisc_fd);
	close_fd(&(*nic)->watch_fd);
	free(TAKE_PTR(*nic));
}

void nic_keep(struct nic *nic)
{
	nic->kept = true;
}

const struct nic_info *nic_info(const struct nic *nic)
{
	return &nic->info;
}

bool nic_reads_vlans(const struct nic *nic)
{
	return !nic->info.rxvlan;
}

int nic_watch_fd(const struct nic *nic)
{
	return nic->watch_fd;
}

static void take_gone(struct nic *nic)
{
	if (nic->gone)
		return;
	nic->gone = true;
	if (nic->events.gone)
		nic->events.gone(nic->owner);
}

static void take_change(struct nic *nic, const struct nlmsghdr *message)
{
	const struct nic_info old = nic->info;

	nic_info_from_link(&nic->info, message);
	if ((old.up != nic->info.up || old.carrier != nic->info.carrier) && nic->events.link)
		nic->events.link(nic->owner, nic->info.up, nic->info.carrier);
	if (memcmp(old.mac, nic->info.mac, sizeof(old.mac)) && nic->events.mac)
		nic->events.mac(nic->owner, nic->info.mac);
	if (old.mtu != nic->info.mtu && nic->events.mtu)
		nic->events.mtu(nic->owner, nic->info.mtu);
}

/*
 * A bridge says RTM_DELLINK of a family of its own when the NIC leaves it: only AF_UNSPEC means
 * the NIC itself.
 */
static void take_link(struct nic *nic, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	if ((unsigned int)link->ifi_index != nic->info.ifindex || link->ifi_family != AF_UNSPEC)
		return;
	if (message->nlmsg_type == RTM_DELLINK)
		take_gone(nic);
	else if (message->nlmsg_type == RTM_NEWLINK && !nic->gone)
		take_change(nic, message);
}

static void take_answer_link(void *arg, const struct nlmsghdr *message)
{
	take_link(arg, message);
}

/* Messages were lost: ask how things are now. */
static void look_again(struct nic *nic)
{
	struct netlink_request request;
	struct ifinfomsg *link;
	int err;

	link = netlink_init(&request, RTM_GETLINK, 0, sizeof(*link));
	link->ifi_index = (int)nic->info.ifindex;
	err = netlink_ask(NETLINK_ROUTE, &request, take_answer_link, nic);
	if (err == -ENODEV)
		take_gone(nic);
}

/* What is still in an overflown queue is older than what was lost: it is read first. */
void nic_watch_dispatch(struct nic *nic)
{
	uint8_t buffer[WATCH_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *message;
	bool lost = false;
	ssize_t n;

	for (;;) {
		n = recv(nic->watch_fd, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == ENOBUFS)
			lost = true;
		else if (n < 0 && errno != EINTR)
			break;
		for (message = (void *)buffer; n > 0 && NLMSG_OK(message, n);
		     message = NLMSG_NEXT(message, n))
			take_link(nic, message);
	}
	if (lost && !nic->gone)
		look_again(nic);
}

/* The note comes first: putting back what was not changed does no harm. */
int nic_stand(const struct nic_info *info, struct vx_error *error)
{
	bool noted = state_noted(info->name, info->ifindex, STATE_PROMISC);
	int err = offloads_off(info, error), changed;

	if (!err)
		err = state_note(info->name, info->ifindex, STATE_PROMISC);
	if (err)
		return vx_fail_errno(error, err, "cannot note the state of %s", info->name);
	changed = promisc_flag_set(info->name, true);
	if (changed <= 0 && !noted)
		state_forget(info->name, info->ifindex, STATE_PROMISC);
	return changed < 0 ? vx_fail_errno(error, changed, "cannot make %s promiscuous", info->name)
			   : 0;
}

void nic_stand_down(const struct nic_info *info)
{
	promisc_flag_restore(info->name, info->ifindex);
}

int nic_cleanup(const char *name, struct vx_error *error)
{
	struct nic_info info;
	int err = nic_info_get(name, &info, error);

	if (err)
		return err;
	return promisc_flag_restore(name, info.ifindex) + offloads_restore(name, info.ifindex) +
	       steer_nic_undo(name, info.ifindex);
}
