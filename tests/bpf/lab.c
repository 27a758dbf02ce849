// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "loader/nic.h"
#include "tap.h"

#define VNET_HDR_BYTES 10
#define SETTLE_MS      60 /* nothing arrives for so long: nothing will */

/* A directory of the test's mount namespace alone. */
#define LAB_DIR "/run/vxdp-test"

void lab_run(const char *fmt, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	if (status)
		tap_bail("'%s' failed (%d)", command, status);
}

void lab_isolate(void)
{
	if (geteuid())
		tap_bail("needs root");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		tap_bail("unshare: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL))
		tap_bail("mount: %s", strerror(errno));
	lab_run("mkdir -p " LAB_DIR "/bpf " LAB_DIR "/run");
	setenv("VXDP_BPFFS", LAB_DIR "/bpf", 1);
	setenv("VXDP_RUNDIR", LAB_DIR "/run", 1);
	lab_run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	lab_run("ip link set lo up");
	lab_run("ip link add " LAB_NIC " address 02:00:00:00:00:01 type veth peer name " LAB_WIRE
		" address 02:00:00:00:00:02");
	lab_run("ethtool -K " LAB_WIRE " tx off txvlan off gro on >/dev/null");
	lab_run("ip link set " LAB_NIC " up && ip link set " LAB_WIRE " up");
}

static void open_tap(struct lab *lab, unsigned int i)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "tap%u", i);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		tap_bail("cannot make %s: %s", ifr.ifr_name, strerror(errno));
	lab_run("ip link set tap%u up", i);
	lab->end[i].fd = fd;
	lab->end[i].ifindex = if_nametoindex(ifr.ifr_name);
}

static void open_packet_socket(struct lab *lab, enum lab_end end, const char *netdev,
			       uint16_t protocol)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(protocol),
				      .sll_ifindex = (int)if_nametoindex(netdev)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		tap_bail("cannot listen on %s: %s", netdev, strerror(errno));
	lab->end[end].fd = fd;
	lab->end[end].ifindex = address.sll_ifindex;
}

void lab_port_reset(struct lab *lab, unsigned int i, uint16_t flags)
{
	struct vxdp_port port = {.ifindex = lab->end[i].ifindex,
				 .kind = VXDP_KIND_VM,
				 .flags = VXDP_PORT_UP | flags,
				 .direct_frame_bytes = 1522,
				 .capture_bytes = 256};

	snprintf(port.name, sizeof(port.name), "vm%u", i);
	if (vxdp_port_set(lab->pins, LAB_PORT(i), &port))
		tap_bail("cannot set port %u", LAB_PORT(i));
}

void lab_policy(struct lab *lab, uint32_t id, const struct vxdp_policy *policy)
{
	const struct vxdp_policy none = {0};

	if (vxdp_policy_set(lab->pins, id, policy ? policy : &none))
		tap_bail("cannot set the policy of port %u", id);
}

void lab_open(struct lab *lab, enum vxdp_xdp_mode mode)
{
	struct vxdp_bpf_opts opts = {.nic = LAB_NIC, .mode = mode};
	struct vx_error error = {0};
	struct nic_info info;

	memset(lab, 0, sizeof(*lab));
	lab_isolate();
	if (vxdp_bpf_open(&opts, &lab->bpf, &error))
		tap_bail("%s (%s)", error.message, error.hint);
	if (nic_info_get(LAB_NIC, &info, &error))
		tap_bail("%s", error.message);
	memcpy(lab->host_mac, info.mac, sizeof(lab->host_mac));
	lab->pins = vxdp_bpf_pins(lab->bpf);
	lab->nic_ifindex = if_nametoindex(LAB_NIC);
	for (unsigned int i = 0; i < LAB_TAPS; i++) {
		open_tap(lab, i);
		lab_port_reset(lab, i, 0);
		if (vxdp_bpf_tap_attach(lab->bpf, lab->end[i].ifindex, &error))
			tap_bail("%s", error.message);
	}
	/* ETH_P_ALL also to see what is not expected there */
	open_packet_socket(lab, LAB_AT_WIRE, LAB_WIRE, 0x0003);
	open_packet_socket(lab, LAB_AT_HOST, LAB_NIC, PACKET_ETHERTYPE);
}

void lab_close(struct lab *lab)
{
	vxdp_bpf_close(&lab->bpf);
	for (int i = 0; i < LAB_ENDS; i++)
		close_fd(&lab->end[i].fd);
}

static void send_one(struct lab *lab, enum lab_end from, const struct packet *packet)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)lab->end[from].ifindex};
	uint8_t buffer[VNET_HDR_BYTES + PACKET_MAX] = {0};
	ssize_t sent;

	if (from < LAB_AT_WIRE) {
		memcpy(buffer + VNET_HDR_BYTES, packet->data, packet->bytes);
		sent = write(lab->end[from].fd, buffer, VNET_HDR_BYTES + packet->bytes);
	} else {
		memcpy(&to.sll_protocol, packet->data + 12, sizeof(to.sll_protocol));
		sent = sendto(lab->end[from].fd, packet->data, packet->bytes, 0,
			      (struct sockaddr *)&to, sizeof(to));
	}
	/* ENOBUFS: the program on the egress hook has dropped it. */
	if (sent < 0 && errno != ENOBUFS)
		tap_diag("sending %zu bytes: %s", packet->bytes, strerror(errno));
}

/* The tag a packet socket tells beside the data. */
static uint32_t auxiliary_tag(struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	const struct tpacket_auxdata *aux = c ? (const void *)CMSG_DATA(c) : NULL;

	return aux && aux->tp_status & TP_STATUS_VLAN_VALID ? LAB_VLAN_TAGGED | aux->tp_vlan_tci
							    : 0;
}

/*
 * The next frame that waits at an end, and its VLAN tag. The host's stack removes the tag before
 * our socket there sees the frame, and says of frames of VLANs it has not that they are not for it.
 */
static ssize_t receive(struct lab *lab, enum lab_end at, uint8_t *buffer, size_t bytes,
		       uint32_t *vlan_tag)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from;
	struct iovec iov = {buffer, bytes};
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	const uint8_t *type = buffer + VNET_HDR_BYTES + 12;
	ssize_t got;

	*vlan_tag = 0;
	if (at < LAB_AT_WIRE) {
		got = read(lab->end[at].fd, buffer, bytes);
		if (got >= (ssize_t)VNET_HDR_BYTES + 18 && type[0] == 0x81 && !type[1])
			*vlan_tag = LAB_VLAN_TAGGED | (uint32_t)(type[2] << 8 | type[3]);
		return got;
	}
	got = recvmsg(lab->end[at].fd, &msg, 0);
	if (got < 0)
		return got;
	*vlan_tag = auxiliary_tag(&msg);
	if (at == LAB_AT_HOST && from.sll_pkttype == PACKET_OTHERHOST)
		*vlan_tag = LAB_VLAN_TAGGED;
	return got;
}

/* Count what is waiting at an end and carries the tag. Return: was there anything at all? */
static bool collect(struct lab *lab, enum lab_end at, uint32_t tag, unsigned int *n)
{
	uint8_t buffer[VNET_HDR_BYTES + PACKET_MAX];
	size_t skip = at < LAB_AT_WIRE ? VNET_HDR_BYTES : 0;
	bool any = false;
	uint32_t vlan_tag;
	ssize_t got;

	while ((got = receive(lab, at, buffer, sizeof(buffer), &vlan_tag)) > 0) {
		any = true;
		if ((size_t)got <= skip || packet_tag(buffer + skip, got - skip) != tag)
			continue;
		(*n)++;
		lab->vlan_tag[at] = vlan_tag;
	}
	return any;
}

static bool wait_for_any(struct lab *lab)
{
	struct pollfd fds[LAB_ENDS];

	for (int i = 0; i < LAB_ENDS; i++)
		fds[i] = (struct pollfd){.fd = lab->end[i].fd, .events = POLLIN};
	return poll(fds, LAB_ENDS, SETTLE_MS) > 0;
}

void lab_send(struct lab *lab, enum lab_end from, const struct packet_spec *spec, unsigned int n,
	      unsigned int arrived[LAB_ENDS])
{
	struct packet_spec tagged = *spec;
	struct packet packet;

	memset(arrived, 0, LAB_ENDS * sizeof(*arrived));
	tagged.tag = ++lab->last_tag;
	packet_build(&tagged, &packet);
	for (unsigned int i = 0; i < n; i++)
		send_one(lab, from, &packet);
	while (wait_for_any(lab)) {
		for (int i = 0; i < LAB_ENDS; i++)
			collect(lab, i, tagged.tag, &arrived[i]);
	}
}

struct vxdp_counter lab_counter(const struct lab *lab, uint32_t port, enum vxdp_verdict verdict)
{
	struct vxdp_port_stats stats;

	if (vxdp_stats_get(lab->pins, port, &stats))
		tap_bail("cannot read the counters of port %u", port);
	return ((const struct vxdp_counter *)&stats)[verdict];
}

uint64_t lab_counted(const struct lab *lab, uint32_t port)
{
	uint64_t n = 0;

	for (int verdict = 0; verdict < VXDP_N_VERDICTS; verdict++)
		n += lab_counter(lab, port, verdict).packets;
	return n;
}

static struct vxdp_fdb_key fdb_key(const uint8_t mac[6], uint16_t vlan)
{
	struct vxdp_fdb_key key = {.vlan = vlan};

	memcpy(key.mac, mac, sizeof(key.mac));
	return key;
}

uint32_t lab_fdb_port(const struct lab *lab, const uint8_t mac[6], uint16_t vlan)
{
	struct vxdp_fdb_key key = fdb_key(mac, vlan);
	struct vxdp_fdb_entry entry;

	return vxdp_fdb_get(lab->pins, &key, &entry) ? VXDP_PORT_NONE : entry.port;
}

void lab_fdb_add(const struct lab *lab, const uint8_t mac[6], uint16_t vlan, uint32_t port,
		 uint16_t flags)
{
	struct vxdp_fdb_key key = fdb_key(mac, vlan);

	if (vxdp_fdb_set(lab->pins, &key, port, flags))
		tap_bail("cannot add to the FDB");
}
