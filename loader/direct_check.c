/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * direct_check.c - may a guest's memory be an AF_XDP UMEM, and is it one still?
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "memory_left.h"
#include "port.h"

#define PAGE_BYTES	 4096
#define STAT_BLOCK_BYTES 512 /* of st_blocks, whatever the file system (stat(2)) */

static void reason(struct direct_uplink *on, const char *text)
{
	snprintf(on->reason, sizeof(on->reason), "%s", text);
}

/*
 * Pinning makes every page of the guest's files real, also those the guest never touched, and
 * files can be made as long as one likes: no more than half of what is left.
 */
static bool memory_affordable(struct direct_uplink *on, const struct vu_mem *mem)
{
	uint64_t needed = 0, available = memory_left();

	for (unsigned int i = 0; i < mem->n_regions; i++) {
		const struct vu_region *r = &mem->region[i];
		struct stat st = {};

		/* Huge pages were set aside beforehand. */
		if (r->page_bytes > PAGE_BYTES || fstat(r->fd, &st))
			continue;
		needed += r->bytes - MIN(r->bytes, (uint64_t)st.st_blocks * STAT_BLOCK_BYTES);
	}
	needed += mem->bytes / COPY_CHUNK_BYTES * DIRECT_KERNEL_BYTES_A_CHUNK;
	if (needed <= available / 2)
		return true;
	snprintf(
		on->reason, sizeof(on->reason),
		"pinning the guest's memory takes %llu MiB more, and %llu are left (machine or MemoryMax)",
		(unsigned long long)needed >> 20, (unsigned long long)available >> 20);
	return false;
}

bool direct_possible(struct port *port, const struct uplink *u)
{
	struct direct_uplink *on = &port->direct.on[u->slot];
	struct vu_dev_info info;

	vu_dev_info(port->dev, &info);
	if (on->refused)
		return false; /* the reason stands */
	if (port->features & (1ULL << VIRTIO_F_IN_ORDER)) {
		reason(on,
		       "the guest negotiated IN_ORDER, and the direct lane completes out of order");
	} else if (port->sw->need_zerocopy && !uplink_is_dedicated(u) && !port->steerable) {
		reason(on, "zero copy needs the NIC to be this guest's alone: --dedicated");
	} else {
		/* Once it is pinned it is paid for. */
		return on->n_sockets || (info.mem && memory_affordable(on, info.mem));
	}
	return false;
}

void direct_refuse(struct port *port, const struct uplink *u, unsigned int queue, int err)
{
	struct direct_uplink *on = &port->direct.on[u->slot];

	switch (err) {
	case -EFAULT:
		reason(on, "the guest's memory cannot be pinned: use memory-backend-memfd or "
			   "hugepages, with share=on");
		break;
	case -ENOBUFS:
	case -ENOMEM:
		reason(on, "not enough lockable memory for the guest's RAM (RLIMIT_MEMLOCK)");
		break;
	case -EBUSY:
		snprintf(on->reason, sizeof(on->reason),
			 "NIC queue %u is used by another AF_XDP program", queue);
		break;
	case -ENOSPC:
		reason(on, "there are more NIC queues than the port has room for");
		break;
	case -ENETDOWN:
		reason(on, "the NIC is down");
		return; /* not for ever */
	default:
		snprintf(on->reason, sizeof(on->reason), "AF_XDP on NIC queue %u: %s", queue,
			 strerror(-err));
	}
	on->refused = true;
	log_warn("%s: no direct lane: %s", port->name, on->reason);
}

/* ---- Looking after it ---- */

static void refuse_everywhere(struct port *port, const char *why)
{
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX; i++) {
		port->direct.on[i].refused = true;
		reason(&port->direct.on[i], why);
	}
	log_warn("%s: no direct lane any more: %s", port->name, why);
	port_settle_soon(port);
}

/*
 * A hole punched into the file (balloon, free page reporting, virtio-mem) splits guest and UMEM:
 * the guest gets a new page there, and the kernel goes on writing to the old one.
 */
void direct_check_memory(struct port *port)
{
	struct vu_dev_info info;

	vu_dev_info(port->dev, &info);
	if (!port->direct.n_sockets || !info.mem)
		return;
	for (unsigned int i = 0; i < info.mem->n_regions; i++) {
		struct stat st;

		if (fstat(info.mem->region[i].fd, &st) ||
		    (uint64_t)st.st_blocks >= port->direct.blocks[i])
			continue;
		refuse_everywhere(port, "pages were taken out of the guest's memory (balloon?), "
					"which an AF_XDP UMEM does not notice");
		return;
	}
}
