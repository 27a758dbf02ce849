/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "netlink.h"
#include "vhost/net.h"

/* Linux 6.2; missing from older headers. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#endif

#define TAP_DEVICE	"/dev/net/tun"
#define TAP_TX_QUEUE	4096 /* frames a queue holds while the guest is slow; set before use */
#define VIRTIO_BIT(bit) (1ULL << (bit))

static int tap_ioctl(const struct tap *tap, unsigned long request, void *arg)
{
	return ioctl(tap->first_fd, request, arg) ? -errno : 0;
}

/* An ioctl on the device by its name rather than on one of its queues. */
static int dev_ioctl(unsigned long request, struct ifreq *ifr)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return ioctl(fd, request, ifr) ? -errno : 0;
}

static struct ifreq dev_request(const struct tap *tap)
{
	struct ifreq ifr = {};

	memcpy(ifr.ifr_name, tap->ifname, sizeof(ifr.ifr_name));
	return ifr;
}

int tap_queue_open(const struct tap *tap)
{
	_cleanup_close_ int fd = open(TAP_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq ifr = {};

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, tap->ifname, sizeof(ifr.ifr_name));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr))
		return -errno;
	return TAKE_FD(fd);
}

/* IFLA_AF_SPEC / AF_INET6 / ADDR_GEN_MODE none, and IFF_NOARP */
int tap_silence(const struct tap *tap)
{
	struct {
		struct nlmsghdr n;
		struct ifinfomsg i;
		struct rtattr af_spec;
		struct rtattr inet6;
		struct rtattr mode;
		uint8_t value;
		uint8_t pad[3];
	} req = {
		.n = {.nlmsg_len = sizeof(req),
		      .nlmsg_type = RTM_NEWLINK,
		      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.i = {.ifi_family = AF_UNSPEC,
		      .ifi_index = (int)tap->ifindex,
		      .ifi_flags = IFF_NOARP,
		      .ifi_change = IFF_NOARP},
		.af_spec = {.rta_type = IFLA_AF_SPEC, .rta_len = 3 * sizeof(struct rtattr) + 4},
		.inet6 = {.rta_type = AF_INET6, .rta_len = 2 * sizeof(struct rtattr) + 4},
		.mode = {.rta_type = IFLA_INET6_ADDR_GEN_MODE,
			 .rta_len = sizeof(struct rtattr) + 1},
		.value = IN6_ADDR_GEN_MODE_NONE,
	};
	struct {
		struct nlmsghdr n;
		struct nlmsgerr e;
		char rest[512];
	} reply;
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	if (recv(fd, &reply, sizeof(reply), 0) < (ssize_t)(sizeof(reply.n) + sizeof(reply.e)))
		return -EIO;
	return reply.e.error;
}

void tap_no_qdisc(const struct tap *tap)
{
	struct netlink_request request;
	struct tcmsg *tc =
		netlink_init(&request, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*tc));
	int err;

	tc->tcm_ifindex = (int)tap->ifindex;
	tc->tcm_parent = TC_H_ROOT;
	netlink_put(&request, TCA_KIND, "noqueue", sizeof("noqueue"));
	err = netlink_ask(NETLINK_ROUTE, &request, NULL, NULL);
	if (err)
		log_debug("%s: keeps its queueing discipline: %s", tap->ifname, strerror(-err));
}

static int tap_up(struct tap *tap, unsigned int mtu, int steering_prog_fd)
{
	struct ifreq ifr = dev_request(tap);
	int err;

	err = dev_ioctl(SIOCGIFINDEX, &ifr);
	if (err)
		return err;
	tap->ifindex = (unsigned int)ifr.ifr_ifindex;

	/* A kernel built without IPv6 has no address to withhold: EAFNOSUPPORT is fine. */
	err = tap_silence(tap);
	if (err && err != -EAFNOSUPPORT && err != -EOPNOTSUPP)
		return err;
	err = tap_mtu_set(tap, mtu);
	if (err)
		return err;
	ifr.ifr_qlen = TAP_TX_QUEUE;
	err = dev_ioctl(SIOCSIFTXQLEN, &ifr);
	if (err)
		return err;
	tap_no_qdisc(tap);
	if (steering_prog_fd >= 0 && ioctl(tap->first_fd, TUNSETSTEERINGEBPF, &steering_prog_fd))
		return -errno;
	err = tap_carrier_set(tap, false);
	if (err)
		return err;

	err = dev_ioctl(SIOCGIFFLAGS, &ifr);
	if (err)
		return err;
	ifr.ifr_flags |= IFF_UP;
	return dev_ioctl(SIOCSIFFLAGS, &ifr);
}

int tap_open(const char *port_name, unsigned int mtu, int steering_prog_fd, struct tap *out,
	     struct vx_error *error)
{
	struct tap tap = {.first_fd = -1};
	int err;

	if (snprintf(tap.ifname, sizeof(tap.ifname), "vx-%s", port_name) >= IFNAMSIZ)
		return vx_fail(error, -ENAMETOOLONG, "port name %s is too long for its tap vx-%s",
			       port_name, port_name);
	if (if_nametoindex(tap.ifname)) {
		vx_fail(error, -EEXIST, "cannot make the tap %s: there is a device of that name",
			tap.ifname);
		vx_hint(error, "choose another port name with --name");
		return -EEXIST;
	}
	tap.first_fd = tap_queue_open(&tap);
	if (tap.first_fd < 0) {
		vx_fail_errno(error, tap.first_fd, "cannot make the tap %s through %s", tap.ifname,
			      TAP_DEVICE);
		vx_hint(error, "modprobe tun, and run as root (CAP_NET_ADMIN)");
		return tap.first_fd;
	}
	err = tap_up(&tap, mtu, steering_prog_fd);
	if (!err)
		err = tap_offloads_set(&tap, 0);
	if (err) {
		close_fd(&tap.first_fd);
		return vx_fail_errno(error, err, "cannot set up the tap %s", tap.ifname);
	}
	*out = tap;
	return 0;
}

void tap_close(struct tap *tap)
{
	close_fd(&tap->first_fd);
	tap->ifindex = 0;
}

int tap_offloads_set(const struct tap *tap, uint64_t features)
{
	int header_bytes = features ? vu_net_hdr_bytes(features) : (int)sizeof(struct vu_net_hdr);
	unsigned long offloads = 0;
	int err;

	if (features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM)) {
		offloads |= TUN_F_CSUM;
		if (features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4))
			offloads |= TUN_F_TSO4;
		if (features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6))
			offloads |= TUN_F_TSO6;
		if ((offloads & (TUN_F_TSO4 | TUN_F_TSO6)) &&
		    (features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN)))
			offloads |= TUN_F_TSO_ECN;
		/* tun takes both or neither (set_offload() in drivers/net/tun.c) */
		if ((features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO4)) &&
		    (features & VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO6)))
			offloads |= TUN_F_USO4 | TUN_F_USO6;
	}
	err = tap_ioctl(tap, TUNSETVNETHDRSZ, &header_bytes);
	if (err)
		return err;
	return ioctl(tap->first_fd, TUNSETOFFLOAD, offloads) ? -errno : 0;
}

int tap_carrier_set(const struct tap *tap, bool up)
{
	int carrier = up;

	return tap_ioctl(tap, TUNSETCARRIER, &carrier);
}

int tap_mtu_set(const struct tap *tap, unsigned int mtu)
{
	struct ifreq ifr = dev_request(tap);

	ifr.ifr_mtu = (int)mtu;
	return dev_ioctl(SIOCSIFMTU, &ifr);
}

uint64_t tap_tx_dropped(const struct tap *tap)
{
	struct {
		struct nlmsghdr n;
		struct if_stats_msg s;
	} req = {
		.n = {.nlmsg_len = sizeof(req),
		      .nlmsg_type = RTM_GETSTATS,
		      .nlmsg_flags = NLM_F_REQUEST},
		.s = {.ifindex = tap->ifindex,
		      .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)},
	};
	struct {
		struct nlmsghdr n;
		struct if_stats_msg s;
		struct rtattr a;
		struct rtnl_link_stats64 stats __attribute__((packed));
		char rest[256];
	} reply = {};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &req, sizeof(req), 0) < 0 ||
	    recv(fd, &reply, sizeof(reply), 0) < (ssize_t)sizeof(reply.n) ||
	    reply.n.nlmsg_type != RTM_NEWSTATS)
		return 0;
	return reply.stats.tx_dropped;
}

bool tap_uso_supported(void)
{
	/* Asked once: the kernel does not change, and takes some 20 ms to remove the probe. */
	static enum { NOT_ASKED, NO, YES } known;
	_cleanup_close_ int fd = -1;
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (known != NOT_ASKED)
		return known == YES;
	fd = open(TAP_DEVICE, O_RDWR | O_CLOEXEC);
	/* The kernel names the probe tapN; it is gone when this function returns. */
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		return false;
	known = ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) ? NO : YES;
	return known == YES;
}
