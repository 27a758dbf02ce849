// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request_ring.c - requests about one ring. Each changes what is known of it, with the ring
 * stopped, and leaves it to vring.c whether it can run now.
 */
#include <errno.h>
#include <string.h>

#include "dev_internal.h"
#include "event.h"
#include "ring_setup.h"
#include "vxdp/util.h"

/* The whole 32 bits are compared: 0x10000 is no ring 0 (CVE-2020-10723). */
static struct vu_vring *ring_at(struct vu_dev *dev, uint64_t index)
{
	if (index < dev->n_rings)
		return &dev->vring[index];
	vu_refuse(dev, -EINVAL, "ring %llu of %u", (unsigned long long)index, dev->n_rings);
	return NULL;
}

int vu_take_event(struct vu_dev *dev, struct vu_msg *msg, bool absent, int *fd)
{
	*fd = -1;
	if (absent != (msg->n_fds == 0))
		return vu_refuse(dev, -EINVAL,
				 absent ? "a descriptor that is not announced" : "no descriptor");
	if (absent)
		return 0;
	if (vu_event_check(msg->fds[0]))
		return vu_refuse(dev, -EBADF, "a descriptor that is no eventfd");
	*fd = vu_msg_take_fd(msg, 0);
	return 0;
}

int vu_handle_set_vring_num(struct vu_dev *dev, struct vu_msg *msg)
{
	uint32_t num = msg->payload.state.num;
	struct vu_vring *v = ring_at(dev, msg->payload.state.index);

	if (!v)
		return -EINVAL;
	if (!num || num > VU_RING_NUM_MAX)
		return vu_refuse(dev, -EINVAL, "size %u", num);
	if (num == v->num)
		return 0;
	vu_vring_stop(dev, v);
	v->num = num;
	return vu_vring_start(dev, v);
}

int vu_handle_set_vring_addr(struct vu_dev *dev, struct vu_msg *msg)
{
	const struct vu_vring_addr addr = msg->payload.addr;
	struct vu_vring *v = ring_at(dev, addr.index);

	if (!v)
		return -EINVAL;
	if (addr.flags & ~VU_VRING_F_LOG)
		return vu_refuse(dev, -EINVAL, "flags 0x%x", addr.flags);
	if (v->has_addr && !memcmp(&addr, &v->addr, sizeof(addr)))
		return 0;
	vu_vring_stop(dev, v);
	v->addr = addr;
	v->has_addr = true;
	return vu_vring_start(dev, v);
}

int vu_handle_set_vring_base(struct vu_dev *dev, struct vu_msg *msg)
{
	struct vu_vring *v = ring_at(dev, msg->payload.state.index);

	if (!v)
		return -EINVAL;
	vu_vring_stop(dev, v);
	v->base = msg->payload.state.num;
	return vu_vring_start(dev, v);
}

/* Stops the ring. The front end knows from the answer where to go on: nothing to remember. */
int vu_handle_get_vring_base(struct vu_dev *dev, struct vu_msg *msg)
{
	struct vu_vring *v = ring_at(dev, msg->payload.state.index);

	if (!v)
		return -EINVAL;
	vu_vring_stop(dev, v);
	vu_vring_forget(dev, v);
	close_fd(&v->kick_fd);
	v->started = false;
	v->broken = false;
	msg->payload.state.num = v->base;
	return 0;
}

/* SET_VRING_KICK, _CALL and _ERR: which ring (or NULL), and the eventfd or -1. */
static struct vu_vring *take_ring_event(struct vu_dev *dev, struct vu_msg *msg, int *fd)
{
	uint64_t what = msg->payload.u64;
	struct vu_vring *v = ring_at(dev, what & ~VU_VRING_NO_FD);

	if (v && vu_take_event(dev, msg, what & VU_VRING_NO_FD, fd))
		return NULL;
	return v;
}

int vu_handle_set_vring_kick(struct vu_dev *dev, struct vu_msg *msg)
{
	int fd, err;
	struct vu_vring *v = take_ring_event(dev, msg, &fd);

	if (!v)
		return -EINVAL;
	vu_vring_stop(dev, v);
	close_fd(&v->kick_fd);
	v->kick_fd = fd;
	v->started = true;
	v->broken = false;
	err = vu_vring_start(dev, v);
	if (err) {
		close_fd(&v->kick_fd);
		v->started = false;
	}
	return err;
}

int vu_handle_set_vring_call(struct vu_dev *dev, struct vu_msg *msg)
{
	int fd, err;
	struct vu_vring *v = take_ring_event(dev, msg, &fd);

	if (!v)
		return -EINVAL;
	err = vu_vring_make(dev, v);
	if (err) {
		close_fd(&fd);
		return err;
	}
	vu_ring_call_fd_set(v->ring, fd);
	return 0;
}

int vu_handle_set_vring_err(struct vu_dev *dev, struct vu_msg *msg)
{
	int fd;
	struct vu_vring *v = take_ring_event(dev, msg, &fd);

	if (!v)
		return -EINVAL;
	close_fd(&v->err_fd);
	v->err_fd = fd;
	return 0;
}

int vu_handle_set_vring_enable(struct vu_dev *dev, struct vu_msg *msg)
{
	struct vu_vring *v = ring_at(dev, msg->payload.state.index);

	if (!v)
		return -EINVAL;
	if (msg->payload.state.num > 1)
		return vu_refuse(dev, -EINVAL, "state %u", msg->payload.state.num);
	vu_vring_enable(dev, v, msg->payload.state.num);
	return 0;
}
