// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request_mem.c - requests about memory: the guest's, the log of written pages, the in-flight
 * region.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev_internal.h"
#include "vxdp/util.h"

/*
 * Memory
 */

/* Is @b, as the front end says it, what is mapped as @a? */
static bool same_region(const struct vu_region *a, const struct vu_region *b)
{
	struct stat st;

	return a->gpa == b->gpa && a->bytes == b->bytes && a->uaddr == b->uaddr &&
	       a->mmap_offset == b->mmap_offset && !fstat(b->fd, &st) && a->dev == st.st_dev &&
	       a->ino == st.st_ino;
}

static bool same_table(const struct vu_mem *mem, const struct vu_region *regions, unsigned int n)
{
	if (!mem || mem->n_regions != n || vu_mem_is_dead(mem))
		return false;
	for (unsigned int i = 0; i < n; i++)
		if (!same_region(&mem->region[i], &regions[i]))
			return false;
	return true;
}

static bool log_covers(const struct vu_dirty *dirty, const struct vu_mem *mem)
{
	for (unsigned int i = 0; mem && i < mem->n_regions; i++)
		if (!vu_dirty_covers(dirty, mem->region[i].gpa + mem->region[i].bytes))
			return false;
	return true;
}

/* The new table is made before the old one goes: a refused one changes nothing. */
static int memory_change(struct vu_dev *dev, const struct vu_region *regions, unsigned int n)
{
	struct vu_mem *mem = NULL;
	const char *why;
	int err;

	if (same_table(dev->mem, regions, n))
		return 0;
	err = n ? vu_mem_new_why(regions, n, dev->private_bytes, &mem, &why) : 0;
	if (err)
		return vu_refuse(dev, err, "%s (%s)", why, strerror(-err));
	if (dev->dirty && !log_covers(dev->dirty, mem))
		vxdp_log(VXDP_LOG_WARN, &dev->log_limit,
			 "%s: the front end's log is too small for the guest's memory", dev->name);
	vu_vring_stop_all(dev);
	if (dev->mem && dev->ops->mem_release)
		dev->ops->mem_release(dev->owner, dev->mem);
	vu_mem_free(&dev->mem);
	dev->mem = mem;
	if (mem)
		vu_mem_watch(mem, dev->dead_fd);
	vu_logging_update(dev);
	return vu_vring_start_all(dev);
}

static struct vu_region region_of(const struct vu_mem_entry *e, int fd)
{
	return (struct vu_region){
		.gpa = e->gpa,
		.bytes = e->bytes,
		.uaddr = e->uaddr,
		.mmap_offset = e->mmap_offset,
		.fd = fd,
	};
}

int vu_handle_set_mem_table(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_mem_table *table = &msg->payload.table;
	struct vu_region regions[VU_FDS_MAX];
	uint32_t n = table->n_regions;

	if (n == 0 || n > VU_FDS_MAX)
		return vu_refuse(dev, -EINVAL, "%u memory regions", n);
	if (n != msg->n_fds || msg->header.bytes != 8 + n * sizeof(table->region[0]))
		return vu_refuse(dev, -EINVAL, "%u memory regions in %u bytes with %u descriptors",
				 n, msg->header.bytes, msg->n_fds);
	for (uint32_t i = 0; i < n; i++)
		regions[i] = region_of(&table->region[i], msg->fds[i]);
	memset(dev->again, 0, sizeof(dev->again));
	memset(dev->owed, 0, sizeof(dev->owed));
	return memory_change(dev, regions, n);
}

int vu_handle_get_max_mem_slots(struct vu_dev *dev, struct vu_msg *msg)
{
	msg->payload.u64 = VU_REGIONS_MAX;
	return 0;
}

static struct vu_slot *slot_find(struct vu_slot *slots, const struct vu_mem_entry *e)
{
	for (unsigned int i = 0; i < VU_REGIONS_MAX; i++)
		if (slots[i].n && slots[i].gpa == e->gpa && slots[i].bytes == e->bytes &&
		    slots[i].uaddr == e->uaddr)
			return &slots[i];
	return NULL;
}

/* Adds @n to the entry of a region; a list that is full of others stays as it is. */
static void slot_add(struct vu_slot *slots, const struct vu_mem_entry *e, unsigned int n)
{
	struct vu_slot *slot = slot_find(slots, e);

	for (unsigned int i = 0; !slot && i < VU_REGIONS_MAX; i++)
		if (!slots[i].n)
			slot = &slots[i];
	if (slot)
		*slot = (struct vu_slot){e->gpa, e->bytes, e->uaddr, slot->n + n};
}

static bool same_place(const struct vu_region *r, const struct vu_mem_entry *e)
{
	return r->gpa == e->gpa && r->uaddr == e->uaddr && r->bytes == e->bytes;
}

int vu_handle_add_mem_reg(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_mem_entry *e = &msg->payload.single.region;
	struct vu_region regions[VU_REGIONS_MAX], added = region_of(e, msg->fds[0]);
	unsigned int n = dev->mem ? dev->mem->n_regions : 0;

	for (unsigned int i = 0; i < n; i++) {
		regions[i] = dev->mem->region[i];
		if (same_region(&regions[i], &added)) {
			slot_add(dev->again, e, 1);
			return 0;
		}
	}
	if (n == VU_REGIONS_MAX)
		return vu_refuse(dev, -ENOSPC, "more than %u memory regions", VU_REGIONS_MAX);
	regions[n] = added;
	return memory_change(dev, regions, n + 1);
}

/* The offset in the file does not count: the specification says so. */
int vu_handle_rem_mem_reg(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_mem_entry *e = &msg->payload.single.region;
	struct vu_region regions[VU_REGIONS_MAX];
	unsigned int n = dev->mem ? dev->mem->n_regions : 0, left = 0;
	struct vu_slot *slot;

	for (unsigned int i = 0; i < n; i++)
		if (!same_place(&dev->mem->region[i], e))
			regions[left++] = dev->mem->region[i];
	if (left < n) {
		slot = slot_find(dev->again, e);
		if (slot)
			slot_add(dev->owed, e, slot->n);
		if (slot)
			slot->n = 0;
		return memory_change(dev, regions, left);
	}
	slot = slot_find(dev->owed, e);
	if (!slot)
		return vu_refuse(dev, -ENOENT, "memory region 0x%llx+0x%llx is not there",
				 (unsigned long long)e->gpa, (unsigned long long)e->bytes);
	slot->n--;
	return 0;
}

/*
 * Migration: the log of written pages
 */

void vu_logging_update(struct vu_dev *dev)
{
	struct vu_dirty *dirty = dev->features >> VU_F_LOG_ALL & 1 ? dev->dirty : NULL;

	if (dev->mem && dev->mem->dirty != dirty)
		dev->mem->dirty = dirty; /* rings may run if it stays as it is */
}

/* Nobody may look at the log while it changes; while nobody writes to it, no ring need stop. */
static void logging_pause(struct vu_dev *dev)
{
	if (dev->mem && dev->features >> VU_F_LOG_ALL & 1)
		vu_vring_stop_all(dev);
}

int vu_handle_set_log_base(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_log_range log = msg->payload.log;
	struct vu_dirty *dirty;
	const char *why;
	int err;

	err = vu_dirty_new(msg->fds[0], log.bytes, log.offset, &dirty, &why);
	if (err)
		return vu_refuse(dev, err, "%s (%s)", why, strerror(-err));
	if (!log_covers(dirty, dev->mem)) {
		vu_dirty_free(&dirty);
		return vu_refuse(dev, -EINVAL, "a log of %llu bytes is too small",
				 (unsigned long long)log.bytes);
	}
	vu_dirty_watch(dirty, dev->dead_fd);
	vu_dirty_event_set(dirty, dev->log_fd);
	logging_pause(dev);
	vu_dirty_free(&dev->dirty);
	dev->dirty = dirty;
	vu_logging_update(dev);
	msg->payload.u64 = 0;
	return vu_vring_start_all(dev);
}

int vu_handle_set_log_fd(struct vu_dev *dev, struct vu_msg *msg)
{
	int fd, err;

	err = vu_take_event(dev, msg, msg->n_fds == 0, &fd);
	if (err)
		return err;
	logging_pause(dev);
	if (dev->dirty)
		vu_dirty_event_set(dev->dirty, fd);
	close_fd(&dev->log_fd);
	dev->log_fd = fd;
	return vu_vring_start_all(dev);
}

/*
 * In-flight region
 */

void vu_inflight_region_drop(struct vu_dev *dev)
{
	if (dev->inflight_map)
		vu_peer_unmap(dev->inflight_map);
	free(dev->inflight_map);
	dev->inflight_map = NULL;
}

int vu_handle_get_inflight_fd(struct vu_dev *dev, struct vu_msg *msg)
{
	struct vu_inflight_desc *d = &msg->payload.inflight;
	_cleanup_close_ int fd = -1;
	uint64_t bytes;

	if (!d->n_queues || d->n_queues > dev->n_rings || !d->queue_num ||
	    d->queue_num > VU_RING_NUM_MAX)
		return vu_refuse(dev, -EINVAL, "in-flight region for %u rings of size %u",
				 d->n_queues, d->queue_num);
	bytes = d->n_queues * (uint64_t)MAX(vu_inflight_region_bytes(d->queue_num, false),
					    vu_inflight_region_bytes(d->queue_num, true));
	fd = memfd_create("vhost-user-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return vu_refuse(dev, -errno, "in-flight region: %s", strerror(errno));
	d->bytes = bytes;
	d->offset = 0;
	msg->fds[0] = TAKE_FD(fd); /* there was none: goes out with the reply */
	msg->n_fds = 1;
	return 0;
}

int vu_handle_set_inflight_fd(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_inflight_desc d = msg->payload.inflight;
	struct vu_peer_map *map;
	const char *why;
	int err;

	if (!d.n_queues || d.n_queues > dev->n_rings || !d.queue_num ||
	    d.queue_num > VU_RING_NUM_MAX || d.offset % 64)
		return vu_refuse(dev, -EINVAL, "in-flight region for %u rings of size %u",
				 d.n_queues, d.queue_num);
	/* Checked here, and again for each ring that starts, with the layout it then has. */
	if (d.bytes < d.n_queues * (uint64_t)MIN(vu_inflight_region_bytes(d.queue_num, false),
						 vu_inflight_region_bytes(d.queue_num, true)))
		return vu_refuse(dev, -EINVAL, "in-flight region of %llu bytes for %u rings",
				 (unsigned long long)d.bytes, d.n_queues);
	map = calloc(1, sizeof(*map));
	if (!map)
		return vu_refuse(dev, -ENOMEM, "no memory");
	err = vu_peer_map(map, msg->fds[0], d.offset, d.bytes, &why);
	if (err) {
		free(map);
		return vu_refuse(dev, err, "%s (%s)", why, strerror(-err));
	}
	vu_guard_fd_set(map->guard, dev->dead_fd);
	vu_vring_stop_all(dev);
	vu_inflight_region_drop(dev);
	dev->inflight_map = map;
	dev->inflight_queues = d.n_queues;
	dev->inflight_num = d.queue_num;
	return vu_vring_start_all(dev);
}
