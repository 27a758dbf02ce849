// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vhost_net.c - what QEMU does with vhost=on: the ioctls of linux/vhost.h. Addresses of rings are
 * those of this process, and the tap has the long header.
 */
#include "vhost_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "include/vxdp/util.h"

static int set_features(struct fe *fe, int vhost)
{
	__u64 features;

	if (ioctl(vhost, VHOST_GET_FEATURES, &features))
		return -errno;
	/* Where virtio has ANY_LAYOUT, vhost-net has a header that it makes itself. */
	features &= ~(1ull << VHOST_NET_F_VIRTIO_NET_HDR);
	fe->offered = features;
	fe->features = features & fe->config.features;
	features = fe->features;
	return ioctl(vhost, VHOST_SET_FEATURES, &features) ? -errno : 0;
}

static int set_memory(struct fe *fe, int vhost)
{
	const size_t bytes =
		sizeof(struct vhost_memory) + fe->n_regions * sizeof(struct vhost_memory_region);
	_cleanup_free_ struct vhost_memory *memory = calloc(1, bytes);

	if (!memory)
		return -ENOMEM;
	memory->nregions = fe->n_regions;
	for (unsigned int i = 0; i < fe->n_regions; i++)
		memory->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = fe->region[i].gpa,
			.memory_size = fe->region[i].bytes,
			.userspace_addr = (uintptr_t)fe->region[i].va,
		};
	return ioctl(vhost, VHOST_SET_MEM_TABLE, memory) ? -errno : 0;
}

static int start_ring(struct fe_ring *ring, int vhost, int tap_fd)
{
	struct vhost_vring_state num = {.index = ring->index, .num = ring->num};
	struct vhost_vring_state base = {.index = ring->index};
	struct vhost_vring_addr addr = {
		.index = ring->index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	struct vhost_vring_file file = {.index = ring->index};

	ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ioctl(vhost, VHOST_SET_VRING_NUM, &num) || ioctl(vhost, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(vhost, VHOST_SET_VRING_ADDR, &addr))
		return -errno;
	file.fd = ring->kick_fd;
	if (ioctl(vhost, VHOST_SET_VRING_KICK, &file))
		return -errno;
	file.fd = ring->call_fd;
	if (ioctl(vhost, VHOST_SET_VRING_CALL, &file))
		return -errno;
	file.fd = tap_fd;
	if (ioctl(vhost, VHOST_NET_SET_BACKEND, &file))
		return -errno;
	ring->started = true;
	return 0;
}

int vhost_net_start(struct fe *fe, int tap_fd)
{
	const int header = FE_HDR_BYTES;
	int vhost =
		open("/dev/vhost-net", O_RDWR | O_CLOEXEC); /* for as long as this process runs */
	int err = 0;

	if (vhost < 0 || ioctl(vhost, VHOST_SET_OWNER) || ioctl(tap_fd, TUNSETVNETHDRSZ, &header))
		return -errno;
	err = set_features(fe, vhost);
	if (!err)
		err = set_memory(fe, vhost);
	if (!err)
		err = fe_net_rings_open(fe);
	for (unsigned int i = 0; !err && i < fe->n_rings; i++)
		err = start_ring(&fe->ring[i], vhost, tap_fd);
	if (err)
		return err;
	fe_net_refill(fe, 0);
	for (unsigned int i = 0; i < fe->n_rings; i++)
		fe_ring_kick_always(&fe->ring[i]);
	return 0;
}
