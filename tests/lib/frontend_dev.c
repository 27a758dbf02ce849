// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frontend_dev.c - the message sequences of an ordinary front end.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frontend.h"

#define NO_FD 0x100u /* vring descriptor messages: none is passed */

int fe_dev_get_u64(struct fe *fe, uint32_t request, uint64_t *value)
{
	struct fe_msg reply;
	int err = fe_sock_call(fe, request, NULL, 0, &reply, NULL);

	if (err)
		return err;
	if (reply.header.payload_bytes != sizeof(reply.u64)) {
		fe_bad(fe, "%s answered with %u bytes", fe_request_name(request),
		       reply.header.payload_bytes);
		return -EPROTO;
	}
	*value = reply.u64;
	return 0;
}

int fe_dev_set_features(struct fe *fe, uint64_t features)
{
	int err = fe_sock_ack_u64(fe, FE_SET_FEATURES, features);

	if (!err)
		fe->features = features;
	return err;
}

int fe_dev_set_status(struct fe *fe, uint64_t status)
{
	if (!(fe->protocol_features & FE_PF(FE_PF_STATUS)))
		return 0;
	return fe_sock_ack_u64(fe, FE_SET_STATUS, status);
}

static int negotiate_protocol(struct fe *fe)
{
	int err;

	if (!(fe->offered & FE_F(FE_F_PROTOCOL)))
		return 0;
	err = fe_dev_get_u64(fe, FE_GET_PROTOCOL_FEATURES, &fe->offered_protocol);
	if (err)
		return err;
	fe->protocol_features = 0; /* no acknowledgements before the back end knows */
	err = fe_sock_ack_u64(fe, FE_SET_PROTOCOL_FEATURES,
			      fe->offered_protocol & fe->config.protocol_features);
	if (err)
		return err;
	fe->protocol_features = fe->offered_protocol & fe->config.protocol_features;
	fe->n_queue_pairs = 1;
	if (fe->protocol_features & FE_PF(FE_PF_MQ))
		err = fe_dev_get_u64(fe, FE_GET_QUEUE_NUM, &fe->n_queue_pairs);
	return err;
}

int fe_dev_negotiate(struct fe *fe)
{
	int err = fe_dev_get_u64(fe, FE_GET_FEATURES, &fe->offered);

	if (!err)
		err = negotiate_protocol(fe);
	if (!err)
		err = fe_sock_ack(fe, FE_SET_OWNER, NULL, 0, NULL, 0);
	if (!err)
		err = fe_dev_set_features(fe, fe->offered & fe->config.features);
	if (!err)
		err = fe_dev_set_status(fe, FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER |
						    FE_STATUS_FEATURES_OK);
	return err;
}

int fe_dev_mem_table(struct fe *fe)
{
	struct fe_mem_table table = {.n_regions = fe->n_regions};
	int fds[FE_TABLE_MAX];

	if (fe->n_regions > FE_TABLE_MAX)
		return -E2BIG;
	for (unsigned int i = 0; i < fe->n_regions; i++) {
		table.region[i] = fe_mem_describe(fe, i);
		fds[i] = fe->region[i].fd;
	}
	return fe_sock_ack(fe, FE_SET_MEM_TABLE, &table,
			   offsetof(struct fe_mem_table, region[0]) +
				   fe->n_regions * sizeof(table.region[0]),
			   fds, fe->n_regions);
}

int fe_dev_mem_add(struct fe *fe, unsigned int index)
{
	struct fe_mem_single single = {.region = fe_mem_describe(fe, index)};

	return fe_sock_ack(fe, FE_ADD_MEM_REG, &single, sizeof(single), &fe->region[index].fd, 1);
}

int fe_dev_mem_remove(struct fe *fe, unsigned int index)
{
	struct fe_mem_single single = {.region = fe_mem_describe(fe, index)};

	return fe_sock_ack(fe, FE_REM_MEM_REG, &single, sizeof(single), NULL, 0);
}

struct fe_vring_addr fe_dev_ring_addr(const struct fe_ring *ring)
{
	return (struct fe_vring_addr){.index = ring->index,
				      .desc_uaddr = fe_mem_uaddr(ring->fe, ring->desc_gpa),
				      .avail_uaddr = fe_mem_uaddr(ring->fe, ring->driver_gpa),
				      .used_uaddr = fe_mem_uaddr(ring->fe, ring->device_gpa)};
}

int fe_dev_ring_fd(struct fe *fe, uint32_t request, unsigned int index, int fd)
{
	uint64_t payload = index | (fd < 0 ? NO_FD : 0);

	return fe_sock_ack(fe, request, &payload, sizeof(payload), &fd, fd < 0 ? 0 : 1);
}

static int state_message(struct fe *fe, uint32_t request, unsigned int index, uint32_t num)
{
	struct fe_vring_state state = {.index = index, .num = num};

	return fe_sock_ack(fe, request, &state, sizeof(state), NULL, 0);
}

int fe_dev_ring_enable(struct fe *fe, unsigned int index, bool on)
{
	return state_message(fe, FE_SET_VRING_ENABLE, index, on);
}

int fe_dev_ring_start(struct fe_ring *ring)
{
	struct fe_vring_addr addr = fe_dev_ring_addr(ring);
	struct fe *fe = ring->fe;
	unsigned int i = ring->index;
	int err;

	if (ring->kick_fd < 0 && !fe->config.no_kick_fd)
		ring->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->call_fd < 0 && !fe->config.no_call_fd)
		ring->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->err_fd < 0)
		ring->err_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	err = state_message(fe, FE_SET_VRING_NUM, i, ring->num);
	if (!err)
		err = state_message(fe, FE_SET_VRING_BASE, i, ring->base);
	if (!err)
		err = fe_sock_ack(fe, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_ERR, i, ring->err_fd);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_CALL, i, ring->call_fd);
	if (!err)
		err = fe_dev_ring_fd(fe, FE_SET_VRING_KICK, i, ring->kick_fd);
	ring->started = !err;
	return err;
}

int fe_dev_ring_stop(struct fe_ring *ring)
{
	struct fe_vring_state state = {.index = ring->index};
	struct fe_msg reply;
	int err;

	err = fe_sock_call(ring->fe, FE_GET_VRING_BASE, &state, sizeof(state), &reply, NULL);
	if (err)
		return err;
	if (reply.header.payload_bytes != sizeof(reply.state) || reply.state.index != ring->index) {
		fe_bad(ring->fe, "GET_VRING_BASE of ring %u answered for ring %u", ring->index,
		       reply.state.index);
		return -EPROTO;
	}
	ring->base = reply.state.num;
	ring->started = false;
	return 0;
}

int fe_dev_log(struct fe *fe, int fd, uint64_t bytes, uint64_t mmap_offset)
{
	struct fe_log log = {.bytes = bytes, .mmap_offset = mmap_offset};
	struct fe_msg reply;
	int err = fe_sock_send(fe, FE_SET_LOG_BASE, 0, &log, sizeof(log), &fd, 1);

	if (!err)
		err = fe_sock_recv(fe, &reply, NULL, 20000);
	if (!err && reply.header.payload_bytes == sizeof(uint64_t) && reply.u64)
		err = -EREMOTEIO;
	return err;
}
