// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vring.c - when a ring runs.
 *
 * Theory of operation: the front end describes a ring bit by bit, in any order, and may change
 * what it said while the ring runs. So no request starts a ring by itself: each one changes what
 * is known, with the ring stopped, and then asks whether everything is there now. One place
 * decides, and one place checks what the front end said.
 *
 *   started  everything known   enabled   the ring
 *   -------  ----------------   -------   ------------------------------------------------------
 *   no       any                any       is ours; the owner does not know it
 *   yes      no                 any       waits for the missing piece
 *   yes      yes                no        the owner's: no frames to the guest, transmitted frames
 *                                         are taken and discarded
 *   yes      yes                yes       the owner's
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dev_internal.h"
#include "ring_setup.h"
#include "vxdp/util.h"

#define F_RING_PACKED 34

/* One area of a ring: where it is, how long, how aligned. */
struct area {
	const char *name;
	uint64_t uaddr, bytes;
	unsigned int align;
	void *va;
};

static unsigned int index_of(const struct vu_dev *dev, const struct vu_vring *v)
{
	return (unsigned int)(v - dev->vring);
}

int vu_vring_make(struct vu_dev *dev, struct vu_vring *v)
{
	int err = v->ring ? 0 : vu_ring_new(&v->ring);

	if (err)
		return vu_refuse(dev, err, "ring %u: %s", index_of(dev, v), strerror(-err));
	return 0;
}

static bool everything_known(const struct vu_dev *dev, const struct vu_vring *v)
{
	return v->num && v->has_addr && dev->has_features && dev->mem;
}

/* virtio 1.2, 2.7 and 2.8.10.1: sizes and alignment of the three areas. */
static void areas_of(const struct vu_vring *v, bool packed, struct area area[3])
{
	uint64_t num = v->num;

	area[0] = (struct area){"descriptor area", v->addr.desc, 16 * num, 16, NULL};
	area[1] = (struct area){"driver area", v->addr.avail, packed ? 4 : 6 + 2 * num,
				packed ? 4 : 2, NULL};
	area[2] = (struct area){"device area", v->addr.used, packed ? 4 : 6 + 8 * num, 4, NULL};
}

static int areas_find(struct vu_dev *dev, const struct vu_vring *v, struct area area[3])
{
	for (struct area *a = area; a < area + 3; a++) {
		a->va = vu_mem_at_uaddr(dev->mem, a->uaddr, a->bytes);
		if (!a->va)
			return vu_refuse(dev, -ENXIO,
					 "ring %u: its %s 0x%llx+%llu is not in a memory region",
					 index_of(dev, v), a->name, (unsigned long long)a->uaddr,
					 (unsigned long long)a->bytes);
		if ((uintptr_t)a->va % a->align)
			return vu_refuse(dev, -EINVAL, "ring %u: its %s 0x%llx is not aligned",
					 index_of(dev, v), a->name, (unsigned long long)a->uaddr);
		for (const struct area *b = area; b < a; b++)
			if (a->uaddr < b->uaddr + b->bytes && b->uaddr < a->uaddr + a->bytes)
				return vu_refuse(dev, -EINVAL, "ring %u: its %s overlaps its %s",
						 index_of(dev, v), a->name, b->name);
	}
	return 0;
}

/* The memory that outlives us, for this ring: the front end's if it gave one, else our file. */
static int inflight_open(struct vu_dev *dev, struct vu_vring *v, bool packed)
{
	unsigned int index = index_of(dev, v);
	int err;

	if (dev->inflight_map) {
		if (index >= dev->inflight_queues || v->num > dev->inflight_num)
			return vu_refuse(dev, -EINVAL,
					 "ring %u of size %u is not in the in-flight region", index,
					 v->num);
		err = vu_inflight_region_ring(dev->inflight_map->data, dev->inflight_map->bytes,
					      index, dev->inflight_num, packed, &v->inflight);
		if (err)
			return vu_refuse(dev, err, "ring %u is not in the in-flight region", index);
	} else if (dev->inflight_file) {
		err = vu_inflight_file_ring(dev->inflight_file, index, (uint16_t)v->num, packed,
					    &v->inflight);
		if (err) {
			vxdp_log(VXDP_LOG_WARN, &dev->log_limit,
				 "%s: ring %u runs without a record of what is in flight: %s",
				 dev->name, index, strerror(-err));
			return 0;
		}
	} else {
		return 0;
	}
	v->has_inflight = true;
	return 0;
}

static void inflight_close(struct vu_vring *v)
{
	if (v->has_inflight)
		vu_inflight_ring_close(&v->inflight);
	v->has_inflight = false;
}

static int configure(struct vu_dev *dev, struct vu_vring *v, struct vu_ring_config *config)
{
	bool packed = dev->features >> F_RING_PACKED & 1;
	struct area area[3];
	int err;

	if (!packed && v->num & (v->num - 1))
		return vu_refuse(dev, -EINVAL, "ring %u: size %u of a split ring", index_of(dev, v),
				 v->num);
	areas_of(v, packed, area);
	err = areas_find(dev, v, area);
	if (!err)
		err = inflight_open(dev, v, packed);
	if (err)
		return err;
	*config = (struct vu_ring_config){
		.num = (uint16_t)v->num,
		.packed = packed,
		.is_rx = index_of(dev, v) % 2 == 0,
		.features = dev->features,
		.mem = dev->mem,
		.desc = area[0].va,
		.driver = area[1].va,
		.device = area[2].va,
		.log_gpa = v->addr.log,
		.log_used = v->addr.flags & VU_VRING_F_LOG,
		.base = v->base,
		.inflight = v->has_inflight ? &v->inflight : NULL,
		.kick_fd = v->kick_fd,
	};
	return 0;
}

int vu_vring_start(struct vu_dev *dev, struct vu_vring *v)
{
	struct vu_ring_config config;
	int err;

	if (v->running || !v->started || v->broken || !everything_known(dev, v))
		return 0;
	err = vu_vring_make(dev, v);
	if (!err)
		err = configure(dev, v, &config);
	if (err)
		return err;
	err = vu_ring_start(v->ring, &config);
	if (err) {
		inflight_close(v);
		return vu_refuse(dev, err == -ENXIO ? -EINVAL : err,
				 "ring %u: size %u, base 0x%x: %s", index_of(dev, v), v->num,
				 v->base, strerror(-err));
	}
	/* Without PROTOCOL_FEATURES there is no SET_VRING_ENABLE either. */
	if (!(dev->features >> VU_F_PROTOCOL_FEATURES & 1))
		v->enabled = true;
	v->running = true;
	dev->n_running++;
	dev->ops->ring_start(dev->owner, index_of(dev, v), v->ring);
	if (v->running)
		dev->ops->ring_enable(dev->owner, index_of(dev, v), v->enabled);
	return 0;
}

void vu_vring_stop(struct vu_dev *dev, struct vu_vring *v)
{
	if (!v->running)
		return;
	dev->ops->ring_stop(dev->owner, index_of(dev, v), v->ring);
	v->base = vu_ring_stop(v->ring);
	inflight_close(v);
	v->running = false;
	dev->n_running--;
}

void vu_vring_forget(struct vu_dev *dev, struct vu_vring *v)
{
	if (dev->inflight_file)
		vu_inflight_file_forget(dev->inflight_file, index_of(dev, v));
}

void vu_vring_reset(struct vu_dev *dev, struct vu_vring *v)
{
	vu_vring_stop(dev, v);
	close_fd(&v->kick_fd);
	v->num = 0;
	v->base = 0;
	v->has_addr = false;
	v->started = false;
	v->broken = false;
}

void vu_vring_stop_all(struct vu_dev *dev)
{
	for (unsigned int i = 0; i < dev->n_rings; i++)
		vu_vring_stop(dev, &dev->vring[i]);
}

int vu_vring_start_all(struct vu_dev *dev)
{
	char why[VU_WHY_BYTES] = "";
	int first = 0;

	for (unsigned int i = 0; i < dev->n_rings; i++) {
		int err = vu_vring_start(dev, &dev->vring[i]);

		if (err == -ENXIO)
			vxdp_log(VXDP_LOG_INFO, &dev->log_limit, "%s: waits for memory: %s",
				 dev->name, dev->why);
		if (err && err != -ENXIO && !first) {
			first = err;
			memcpy(why, dev->why, sizeof(why));
		}
	}
	if (first)
		memcpy(dev->why, why, sizeof(why));
	return first;
}

void vu_vring_enable(struct vu_dev *dev, struct vu_vring *v, bool enabled)
{
	if (v->enabled == enabled)
		return;
	v->enabled = enabled;
	if (v->running)
		dev->ops->ring_enable(dev->owner, index_of(dev, v), enabled);
}
