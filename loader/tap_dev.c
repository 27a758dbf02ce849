// SPDX-License-Identifier: GPL-2.0-or-later
#include "tap_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <vxdp/util.h>

#include "netlink.h"
#include "tap.h"

#define TAP_DEVICE   "/dev/net/tun"
#define TAP_TX_QUEUE 1000 /* frames a queue holds while the guest is slow; as the kernel's own */

static uint8_t attr_u8(const struct nlattr *attr)
{
	uint8_t value = 0;

	netlink_bytes(attr, &value, sizeof(value));
	return value;
}

static void take_tun(const struct nlattr *data, struct tap_dev *dev)
{
	const struct nlattr *tun[IFLA_TUN_MAX + 1];

	netlink_nested(data, tun, ARRAY_SIZE(tun));
	dev->is_tap = attr_u8(tun[IFLA_TUN_TYPE]) == IFF_TAP;
	dev->multi_queue = attr_u8(tun[IFLA_TUN_MULTI_QUEUE]);
	dev->queues = netlink_u32(tun[IFLA_TUN_NUM_QUEUES]);
	dev->owner = tun[IFLA_TUN_OWNER] ? netlink_u32(tun[IFLA_TUN_OWNER]) : TAP_DEV_ANYONE;
	dev->group = tun[IFLA_TUN_GROUP] ? netlink_u32(tun[IFLA_TUN_GROUP]) : TAP_DEV_ANYONE;
}

static void take_link(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attrs[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *link = NLMSG_DATA(message);
	struct tap_dev *dev = arg;
	uint32_t master;
	char kind[16];

	if (message->nlmsg_type != RTM_NEWLINK)
		return;
	netlink_attrs(message, sizeof(*link), attrs, ARRAY_SIZE(attrs));
	netlink_nested(attrs[IFLA_LINKINFO], info, ARRAY_SIZE(info));
	netlink_text(info[IFLA_INFO_KIND], kind, sizeof(kind));
	dev->ifindex = link->ifi_index;
	dev->up = link->ifi_flags & IFF_UP;
	dev->carrier = link->ifi_flags & IFF_LOWER_UP;
	dev->mtu = netlink_u32(attrs[IFLA_MTU]);
	master = netlink_u32(attrs[IFLA_MASTER]);
	if (!master || !if_indextoname(master, dev->master))
		dev->master[0] = '\0';
	if (!strcmp(kind, "tun"))
		take_tun(info[IFLA_INFO_DATA], dev);
	/* Of a tap with one queue the kernel does not say whether it is open, but for its carrier.
	 */
	if (!dev->multi_queue)
		dev->queues = dev->carrier;
}

int tap_dev_get(const char *name, struct tap_dev *dev)
{
	struct netlink_request request;
	int err;

	*dev = (struct tap_dev){.owner = TAP_DEV_ANYONE, .group = TAP_DEV_ANYONE};
	if (!*name || strlen(name) >= sizeof(dev->name))
		return -ENODEV;
	memcpy(dev->name, name, strlen(name) + 1);
	netlink_init(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	err = netlink_ask(NETLINK_ROUTE, &request, take_link, dev);
	if (err)
		return err;
	return dev->ifindex ? 0 : -ENODEV;
}

static int open_queue(const char *name, bool multi_queue)
{
	_cleanup_close_ int fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = {};

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0);
	if (ioctl(fd, TUNSETIFF, &ifr))
		return -errno;
	return TAKE_FD(fd);
}

static int dev_ioctl(unsigned long request, struct ifreq *ifr)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, request, ifr) ? -errno : 0;
}

int tap_dev_up(const char *name)
{
	struct ifreq ifr = {};
	int err;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	err = dev_ioctl(SIOCGIFFLAGS, &ifr);
	if (err || ifr.ifr_flags & IFF_UP)
		return err;
	ifr.ifr_flags |= IFF_UP;
	return dev_ioctl(SIOCSIFFLAGS, &ifr);
}

static int set_up(const char *name, const struct tap_dev_options *options)
{
	struct tap tap = {.first_fd = -1};
	struct ifreq ifr = {};
	int err;

	snprintf(tap.ifname, sizeof(tap.ifname), "%s", name);
	tap.ifindex = if_nametoindex(name);
	/* A kernel built without IPv6 has no address to withhold. */
	err = tap_silence(&tap);
	if (err && err != -EAFNOSUPPORT && err != -EOPNOTSUPP)
		return err;
	err = tap_mtu_set(&tap, options->mtu);
	if (err)
		return err;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_qlen = TAP_TX_QUEUE;
	err = dev_ioctl(SIOCSIFTXQLEN, &ifr);
	if (err)
		return err;
	tap_no_qdisc(&tap);
	return tap_dev_up(name);
}

int tap_dev_make(const char *name, const struct tap_dev_options *options, struct vx_error *error)
{
	_cleanup_close_ int fd = open_queue(name, options->multi_queue);
	int err;

	if (fd < 0) {
		vx_fail_errno(error, fd, "cannot make the tap %s through %s", name, TAP_DEVICE);
		vx_hint(error, "modprobe tun, and run as root (CAP_NET_ADMIN)");
		return fd;
	}
	err = set_up(name, options);
	if (!err && options->owner != TAP_DEV_ANYONE && ioctl(fd, TUNSETOWNER, options->owner))
		err = -errno;
	if (!err && options->group != TAP_DEV_ANYONE && ioctl(fd, TUNSETGROUP, options->group))
		err = -errno;
	/* Last: until here it goes by itself when something fails. */
	if (!err && ioctl(fd, TUNSETPERSIST, 1))
		err = -errno;
	return err ? vx_fail_errno(error, err, "cannot set up the tap %s", name) : 0;
}

int tap_dev_remove(unsigned int ifindex)
{
	struct netlink_request request;
	struct ifinfomsg *link;

	link = netlink_init(&request, RTM_DELLINK, NLM_F_ACK, sizeof(*link));
	link->ifi_index = (int)ifindex;
	return netlink_ask(NETLINK_ROUTE, &request, NULL, NULL);
}

int tap_dev_steer(const struct tap_dev *dev, int prog_fd)
{
	_cleanup_close_ int fd = -1;

	if (!dev->multi_queue)
		return -EOPNOTSUPP;
	if (dev->queues)
		return -EBUSY;
	fd = open_queue(dev->name, true);
	if (fd < 0)
		return fd;
	return ioctl(fd, TUNSETSTEERINGEBPF, &prog_fd) ? -errno : 0;
}
