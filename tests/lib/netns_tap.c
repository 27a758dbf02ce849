/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "include/vxdp/util.h"

const char *netns_enter(const char *netns_and_dev)
{
	const char *colon = strchr(netns_and_dev, ':');
	_cleanup_close_ int fd = -1;
	char path[128];

	if (!colon) {
		errno = EINVAL;
		return NULL;
	}
	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(colon - netns_and_dev),
		 netns_and_dev);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || setns(fd, CLONE_NEWNET) ? NULL : colon + 1;
}

int netns_tap_open(const char *netns_and_dev)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	const char *name = netns_enter(netns_and_dev);
	_cleanup_close_ int fd = -1;

	if (!name)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		return -errno;
	return TAKE_FD(fd);
}
