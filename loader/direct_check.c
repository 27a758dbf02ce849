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

static void reason(struct port *port, const char *text)
{
	snprintf(port->direct.reason, sizeof(port->direct.reason), "%s", text);
}

/*
 * Pinning makes every page of the guest's files real, also those the guest never touched, and
 * files can be made as long as one likes: no more than half of what is left.
 */
static bool memory_affordable(struct port *port, const struct vu_mem *mem)
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
		port->direct.reason, sizeof(port->direct.reason),
		"pinning the guest's memory takes %llu MiB more, and %llu are left (machine or MemoryMax)",
		(unsigned long long)needed >> 20, (unsigned long long)available >> 20);
	return false;
}

bool direct_possible(struct port *port)
{
	struct direct *d = &port->direct;
	struct vu_dev_info info;

	vu_dev_info(port->dev, &info);
	if (d->refused)
		return false; /* the reason stands */
	if (port->features & (1ULL << VIRTIO_F_IN_ORDER)) {
		reason(port,
		       "the guest negotiated IN_ORDER, and the direct lane completes out of order");
	} else if (port->sw->need_zerocopy && !port->sw->dedicated && !port->steerable) {
		reason(port, "zero copy needs the NIC to be this guest's alone: --dedicated");
	} else {
		/* Once it is pinned it is paid for. */
		return d->n_sockets || (info.mem && memory_affordable(port, info.mem));
	}
	return false;
}

void direct_refuse(struct port *port, unsigned int queue, int err)
{
	struct direct *d = &port->direct;

	switch (err) {
	case -EFAULT:
		reason(port, "the guest's memory cannot be pinned: use memory-backend-memfd or "
			     "hugepages, with share=on");
		break;
	case -ENOBUFS:
	case -ENOMEM:
		reason(port, "not enough lockable memory for the guest's RAM (RLIMIT_MEMLOCK)");
		break;
	case -EBUSY:
		snprintf(d->reason, sizeof(d->reason),
			 "NIC queue %u is used by another AF_XDP program", queue);
		break;
	case -ENETDOWN:
		reason(port, "the NIC is down");
		return; /* not for ever */
	default:
		snprintf(d->reason, sizeof(d->reason), "AF_XDP on NIC queue %u: %s", queue,
			 strerror(-err));
	}
	d->refused = true;
	log_warn("%s: no direct lane: %s", port->name, d->reason);
}

/* ---- Looking after it ---- */

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
		port->direct.refused = true;
		reason(port, "pages were taken out of the guest's memory (balloon?), which an "
			     "AF_XDP UMEM does not notice");
		log_warn("%s: no direct lane any more: %s", port->name, port->direct.reason);
		port_settle_soon(port);
		return;
	}
}
