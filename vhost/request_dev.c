// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request_dev.c - requests about the device as a whole: features, status, MTU, announcement.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/stat.h>

#include "dev_internal.h"
#include "vxdp/util.h"

#define MTU_MIN 68 /* RFC 791 */
#define MTU_MAX 65535

int vu_handle_get_features(struct vu_dev *dev, struct vu_msg *msg)
{
	msg->payload.u64 = dev->offer;
	return 0;
}

int vu_handle_set_features(struct vu_dev *dev, struct vu_msg *msg)
{
	uint64_t features = msg->payload.u64;

	dev->features_refused = features & ~dev->offer;
	if (dev->features_refused)
		return vu_refuse(dev, -EINVAL, "features 0x%llx were never offered",
				 (unsigned long long)(features & ~dev->offer));
	if (dev->has_features && features == dev->features)
		return 0;
	vu_vring_stop_all(dev);
	dev->features = features;
	dev->has_features = true;
	vu_logging_update(dev);
	dev->ops->features(dev->owner, features);
	return vu_vring_start_all(dev);
}

int vu_handle_get_protocol_features(struct vu_dev *dev, struct vu_msg *msg)
{
	msg->payload.u64 = VU_PROTOCOL_OFFER;
	return 0;
}

int vu_handle_set_protocol_features(struct vu_dev *dev, struct vu_msg *msg)
{
	if (msg->payload.u64 & ~VU_PROTOCOL_OFFER)
		return vu_refuse(dev, -EINVAL, "protocol features 0x%llx were never offered",
				 (unsigned long long)(msg->payload.u64 & ~VU_PROTOCOL_OFFER));
	dev->protocol_features = msg->payload.u64;
	return 0;
}

int vu_handle_set_owner(struct vu_dev *dev, struct vu_msg *msg)
{
	return 0;
}

/* Deprecated; the specification allows to disable all rings. */
int vu_handle_reset_owner(struct vu_dev *dev, struct vu_msg *msg)
{
	for (unsigned int i = 0; i < dev->n_rings; i++)
		vu_vring_enable(dev, &dev->vring[i], false);
	return 0;
}

/* The descriptors to notify by, and the memory, stay: the front end sends them once. */
int vu_handle_reset_device(struct vu_dev *dev, struct vu_msg *msg)
{
	vu_vring_stop_all(dev);
	for (unsigned int i = 0; i < dev->n_rings; i++) {
		vu_vring_reset(dev, &dev->vring[i]);
		vu_vring_forget(dev, &dev->vring[i]);
		dev->vring[i].enabled = false;
	}
	dev->features = 0;
	dev->has_features = false;
	dev->status = 0;
	vu_logging_update(dev);
	return 0;
}

int vu_handle_get_status(struct vu_dev *dev, struct vu_msg *msg)
{
	msg->payload.u64 = dev->status;
	return 0;
}

/* Status 0 is a reset by the driver: whatever it gave us is its own again (virtio 1.2, 2.1). */
int vu_handle_set_status(struct vu_dev *dev, struct vu_msg *msg)
{
	if (msg->payload.u64 > UINT8_MAX)
		return vu_refuse(dev, -EINVAL, "status 0x%llx",
				 (unsigned long long)msg->payload.u64);
	dev->status = (uint8_t)msg->payload.u64;
	if (dev->features_refused)
		dev->status &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if (dev->status)
		return 0;
	vu_vring_stop_all(dev);
	for (unsigned int i = 0; i < dev->n_rings; i++) {
		if (!dev->vring[i].started)
			continue;
		close_fd(&dev->vring[i].kick_fd);
		dev->vring[i].started = false;
		vu_vring_forget(dev, &dev->vring[i]);
	}
	return 0;
}

int vu_handle_get_queue_num(struct vu_dev *dev, struct vu_msg *msg)
{
	msg->payload.u64 = dev->n_rings / 2; /* for a network device: pairs */
	return 0;
}

int vu_handle_net_set_mtu(struct vu_dev *dev, struct vu_msg *msg)
{
	uint64_t mtu = msg->payload.u64;
	int err;

	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return vu_refuse(dev, -EINVAL, "MTU %llu", (unsigned long long)mtu);
	err = dev->ops->set_mtu(dev->owner, (uint16_t)mtu);
	return err ? vu_refuse(dev, err, "MTU %u: %s", (unsigned int)mtu, strerror(-err)) : 0;
}

int vu_handle_send_rarp(struct vu_dev *dev, struct vu_msg *msg)
{
	if (msg->payload.raw[0] & 1)
		return vu_refuse(dev, -EINVAL, "a group address");
	dev->ops->announce(dev->owner, msg->payload.raw);
	return 0;
}

/* Kept for the front end's sake, which watches the other end. We have nothing to say on it. */
int vu_handle_set_backend_req_fd(struct vu_dev *dev, struct vu_msg *msg)
{
	struct stat st;

	if (fstat(msg->fds[0], &st) || !S_ISSOCK(st.st_mode))
		return vu_refuse(dev, -ENOTSOCK, "a descriptor that is no socket");
	close_fd(&dev->backend_fd);
	dev->backend_fd = vu_msg_take_fd(msg, 0);
	return 0;
}
