// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nic_info.c - facts about a NIC: rtnetlink for the link, ethtool for queues and switches, and the
 * "netdev" family (kernel 6.3) for what the driver can do with XDP.
 */
#include "nic_link.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#include <vxdp/util.h>

#include "ethtool.h"
#include "netlink.h"

/* linux/netdev.h, not in headers before 6.3 */
#define NETDEV_FAMILY		     "netdev"
#define NETDEV_CMD_DEV_GET	     1
#define NETDEV_A_DEV_IFINDEX	     1
#define NETDEV_A_DEV_XDP_FEATURES    3
#define NETDEV_A_DEV_XDP_ZC_MAX_SEGS 4
#define NETDEV_A_DEV_MAX	     6

void nic_info_from_link(struct nic_info *info, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);
	const struct nlattr *attrs[IFLA_MAX + 1], *kind[IFLA_INFO_MAX + 1];
	uint32_t master;

	netlink_attrs(message, sizeof(*link), attrs, ARRAY_SIZE(attrs));
	netlink_nested(attrs[IFLA_LINKINFO], kind, ARRAY_SIZE(kind));
	info->ifindex = link->ifi_index;
	info->up = link->ifi_flags & IFF_UP;
	info->carrier = link->ifi_flags & IFF_LOWER_UP;
	info->loopback = link->ifi_flags & IFF_LOOPBACK;
	info->ethernet = link->ifi_type == ARPHRD_ETHER;
	info->mtu = netlink_u32(attrs[IFLA_MTU]);
	netlink_bytes(attrs[IFLA_ADDRESS], info->mac, sizeof(info->mac));
	netlink_text(kind[IFLA_INFO_KIND], info->kind, sizeof(info->kind));
	master = netlink_u32(attrs[IFLA_MASTER]);
	if (!master || !if_indextoname(master, info->master))
		info->master[0] = '\0';
}

static void take_link(void *arg, const struct nlmsghdr *message)
{
	if (message->nlmsg_type == RTM_NEWLINK)
		nic_info_from_link(arg, message);
}

static int read_link(const char *name, struct nic_info *info)
{
	struct netlink_request request;

	netlink_init(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return netlink_ask(NETLINK_ROUTE, &request, take_link, info);
}

static void take_family(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attrs[CTRL_ATTR_MAX + 1];
	uint16_t *family = arg;

	netlink_attrs(message, GENL_HDRLEN, attrs, ARRAY_SIZE(attrs));
	netlink_bytes(attrs[CTRL_ATTR_FAMILY_ID], family, sizeof(*family));
}

static void take_xdp_features(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attrs[NETDEV_A_DEV_MAX + 1];
	struct nic_info *info = arg;

	netlink_attrs(message, GENL_HDRLEN, attrs, ARRAY_SIZE(attrs));
	info->xdp_known = attrs[NETDEV_A_DEV_XDP_FEATURES];
	info->xdp_features = netlink_u64(attrs[NETDEV_A_DEV_XDP_FEATURES]);
	info->zerocopy_segs_max = netlink_u32(attrs[NETDEV_A_DEV_XDP_ZC_MAX_SEGS]);
}

/* Older kernels have no such family: then nothing is known, and that is no error. */
static void read_xdp_features(struct nic_info *info)
{
	struct netlink_request request;
	struct genlmsghdr *genl;
	uint16_t family = 0;
	uint32_t ifindex = info->ifindex;

	genl = netlink_init(&request, GENL_ID_CTRL, 0, GENL_HDRLEN);
	genl->cmd = CTRL_CMD_GETFAMILY;
	genl->version = 1;
	netlink_put(&request, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY, sizeof(NETDEV_FAMILY));
	if (netlink_ask(NETLINK_GENERIC, &request, take_family, &family) || !family)
		return;
	genl = netlink_init(&request, family, 0, GENL_HDRLEN);
	genl->cmd = NETDEV_CMD_DEV_GET;
	genl->version = 1;
	netlink_put(&request, NETDEV_A_DEV_IFINDEX, &ifindex, sizeof(ifindex));
	netlink_ask(NETLINK_GENERIC, &request, take_xdp_features, info);
}

static void read_feature(const char *nic, const char *name, bool *on, bool *fixed)
{
	struct ethtool_feature feature;

	*on = false;
	*fixed = true;
	if (ethtool_feature_get(nic, name, &feature))
		return;
	*on = feature.on;
	*fixed = feature.fixed;
}

int nic_info_get(const char *name, struct nic_info *info, struct vx_error *error)
{
	struct nic_info new = {};
	int err;

	if (!*name || strlen(name) >= sizeof(new.name))
		return vx_fail(error, -ENODEV, "there is no NIC called '%s'", name);
	strcpy(new.name, name);
	err = read_link(name, &new);
	if (err == -ENODEV)
		return vx_fail(error, err, "there is no NIC called '%s'", name);
	if (err)
		return vx_fail_errno(error, err, "cannot read the state of %s", name);
	ethtool_driver(name, new.driver, sizeof(new.driver), new.bus, sizeof(new.bus));
	ethtool_channels(name, &new.rx_queues, &new.tx_queues, &new.rx_queues_max);
	read_feature(name, ETHTOOL_RXVLAN, &new.rxvlan, &new.rxvlan_fixed);
	read_feature(name, ETHTOOL_LRO, &new.lro, &new.lro_fixed);
	read_feature(name, ETHTOOL_NTUPLE, &new.ntuple, &new.ntuple_fixed);
	read_xdp_features(&new);
	if (!new.xdp_known)
		new.zerocopy = VXDP_UNKNOWN;
	else
		new.zerocopy = new.xdp_features &NIC_XDP_XSK_ZEROCOPY ? VXDP_YES : VXDP_NO;
	*info = new;
	return 0;
}

/* Kinds of netdev that cannot be an uplink. */
static const struct {
	const char *kind;
	const char *why;
	const char *hint;
} refused_kinds[] = {
	{"bond", "is a bond, which hides the NICs' queues", "attach one of the NICs under it"},
	{"team", "is a team, which hides the NICs' queues", "attach one of the NICs under it"},
	{"vlan", "is a VLAN device, which sees one VLAN of its NIC only",
	 "attach the NIC under it; vxdp forwards VLAN tags"},
	{"bridge", "is a bridge, and vxdp is a switch itself",
	 "attach the NIC that is in the bridge"},
	{"macvlan", "is a macvlan device, which sees one address of its NIC only",
	 "attach the NIC under it"},
	{"ipvlan", "is an ipvlan device, which shares the address of its NIC",
	 "attach the NIC under it"},
};

int nic_usable(const struct nic_info *info, struct vx_error *error)
{
	if (info->loopback)
		return vx_fail(error, -EOPNOTSUPP, "%s is the loopback device, no NIC", info->name);
	if (!info->ethernet)
		return vx_fail(error, -EOPNOTSUPP, "%s does not carry Ethernet frames", info->name);
	for (size_t i = 0; i < ARRAY_SIZE(refused_kinds); i++) {
		if (strcmp(info->kind, refused_kinds[i].kind))
			continue;
		vx_fail(error, -EOPNOTSUPP, "%s %s", info->name, refused_kinds[i].why);
		vx_hint(error, "%s", refused_kinds[i].hint);
		return -EOPNOTSUPP;
	}
	return 0;
}
