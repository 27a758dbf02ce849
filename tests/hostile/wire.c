// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define RECEIVE_BYTES (4 << 20)

static int open_here(const char *ifname, int all)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(all ? ETH_P_ALL : WIRE_ETHERTYPE),
				      .sll_ifindex = (int)if_nametoindex(ifname)};
	int one = 1, bytes = RECEIVE_BYTES;
	int fd;

	if (!address.sll_ifindex)
		return -errno;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex,
					  .mr_type = PACKET_MR_PROMISC};
	if (!bind(fd, (void *)&address, sizeof(address)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)))
		return fd;
	one = -errno;
	close(fd);
	return one;
}

int wire_open(const char *where, int all)
{
	const char *colon = strchr(where, ':');
	int home, there, fd;
	char path[128];

	if (!colon)
		return -EINVAL;
	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(colon - where), where);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return -errno;
	there = open(path, O_RDONLY | O_CLOEXEC);
	fd = there < 0 || setns(there, CLONE_NEWNET) ? -errno : open_here(colon + 1, all);
	if (setns(home, CLONE_NEWNET) && fd >= 0) {
		close(fd);
		fd = -errno;
	}
	if (there >= 0)
		close(there);
	close(home);
	return fd;
}

int wire_send(int fd, const void *frame, size_t bytes)
{
	return send(fd, frame, bytes, 0) == (ssize_t)bytes ? 0 : -errno;
}

int wire_recv(int fd, void *frame, size_t size)
{
	ssize_t got = recv(fd, frame, size, MSG_TRUNC);

	if (got >= 0)
		return (int)got;
	return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
}
