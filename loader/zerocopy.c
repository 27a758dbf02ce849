/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * What a driver tells its NIC as the length of a receive buffer is the chunk without the kernel's
 * headroom and ours (xsk_pool_get_rx_frame_size()), and rounded down to what the NIC counts in.
 * Most count in 128 bytes at most: a buffer of 1536 holds every frame of an MTU of 1500, and
 * reaches no further than the receive buffers of a Linux guest. Intel's gigabit and 82599 families
 * count in KiB, where that would be 1024: longer frames would be cut into two, or be dropped. They
 * get 2048.
 *
 * The NIC stops at the longest frame it accepts, or at the end of the buffer. Of the families that
 * count in KiB, igb accepts the longest: 1648 bytes whatever the MTU (IGB_MAX_FRAME_BUILD_SKB). A
 * guest's buffer with less room than that is not given to it, or a stranger on the wire could write
 * past its end.
 */
#include "zerocopy.h"

#include <errno.h>
#include <string.h>

#include <vxdp/util.h>

#define HEADROOM_BYTES 256 /* ours, for the virtio-net header: what the program may write to */
#define PAGE_BYTES     4096
#define KIB	       1024
#define FINE_UNIT      128
#define FINE_LEAST     1536
#define KIB_LEAST      2048
#define KIB_ACCEPTED   1664 /* 1648, in units of 128 */

static uint32_t round_up(uint32_t n, uint32_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static bool counts_in_kib(const struct nic_info *nic)
{
	static const char *const drivers[] = {"igb", "igc", "ixgbe"};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(nic->driver, drivers[i]))
			return true;
	return false;
}

int zerocopy_chunks(const struct nic_info *nic, uint32_t frame_bytes, struct xsk_umem *umem)
{
	const bool kib = counts_in_kib(nic);
	uint32_t buffer = kib ? MAX(round_up(frame_bytes, KIB), (uint32_t)KIB_LEAST)
			      : MAX(round_up(frame_bytes, FINE_UNIT), (uint32_t)FINE_LEAST);

	if (buffer + XSK_PACKET_HEADROOM + HEADROOM_BYTES > PAGE_BYTES)
		return -EMSGSIZE;
	umem->chunk_bytes = buffer + XSK_PACKET_HEADROOM + HEADROOM_BYTES;
	umem->headroom_bytes = HEADROOM_BYTES;
	umem->room_bytes = kib ? KIB_ACCEPTED : 0;
	return 0;
}
