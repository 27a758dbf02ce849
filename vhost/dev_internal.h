/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dev_internal.h - what the files of the control plane share: dev.c (life cycle), request.c (what
 * each request does), vring.c (when a ring runs). Nobody else includes this.
 */
#ifndef VHOST_DEV_INTERNAL_H
#define VHOST_DEV_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "dev.h"
#include "dirty.h"
#include "guard.h"
#include "inflight.h"
#include "msg.h"
#include "proto.h"
#include "sock.h"
#include "vxdp/log.h"

#define VU_WHY_BYTES 160

/*
 * A ring as the front end has described it so far. It runs while all of this is true: started
 * (SET_VRING_KICK came), num and address known, features and memory known, not broken.
 */
struct vu_vring {
	struct vu_ring *ring; /* NULL until it is first needed */
	uint32_t num;	      /* 0: unknown */
	uint32_t base;	      /* of SET_VRING_BASE, later where it was stopped */
	bool has_addr;
	struct vu_vring_addr addr;
	bool started;
	bool enabled;
	bool broken; /* until it is started anew */
	bool running;
	int kick_fd; /* -1: none */
	int err_fd;
	struct vu_inflight_ring inflight; /* while it runs, if has_inflight */
	bool has_inflight;
};

/*
 * QEMU up to 7.2 says ADD_MEM_REG and REM_MEM_REG once for each queue pair, since each keeps a
 * list of its own. So a region may be added again, and has to go with the first REM_MEM_REG (its
 * place may be needed for its successor at once); the others that are owed find nothing to remove.
 */
struct vu_slot {
	uint64_t gpa, bytes, uaddr;
	unsigned int n; /* how often it was added again, or how many removals are owed */
};

struct vu_dev {
	const struct vu_dev_ops *ops;
	void *owner;
	char *name;
	uint64_t offer;
	unsigned int n_rings;
	size_t private_bytes;
	struct vu_inflight_file *inflight_file; /* NULL: runs without */
	struct vxdp_log_limit log_limit;
	int epoll_fd;
	int dead_fd; /* eventfd: a peer's file we have mapped was cut short */
	struct vu_sock sock;
	uint64_t n_connects;

	/* The connection; all that follows starts anew with each one. */
	struct vu_conn conn;
	bool waits_for_out; /* EPOLLOUT is on */
	bool dispatching;   /* callbacks may be on the stack: who fails now is dropped after them */
	bool ending;	    /* the connection is being closed */
	bool failed;
	char why[VU_WHY_BYTES]; /* of the last refusal */
	uint64_t connected_ms;
	pid_t peer_pid;
	uint64_t features;
	bool has_features;
	bool features_refused;
	uint64_t protocol_features;
	uint8_t status;
	int backend_fd; /* of SET_BACKEND_REQ_FD: nothing has to be said on it so far */
	int log_fd;	/* of SET_LOG_FD */
	struct vu_mem *mem;
	struct vu_slot again[VU_REGIONS_MAX]; /* of regions in mem; n == 0: unused */
	struct vu_slot owed[VU_REGIONS_MAX];  /* of regions that were in mem */
	struct vu_dirty *dirty;
	struct vu_peer_map *inflight_map; /* of SET_INFLIGHT_FD, or NULL */
	uint16_t inflight_queues, inflight_num;
	unsigned int n_running;

	struct vu_vring vring[];
};

/**
 * vu_refuse() - note what is wrong with a request
 * Return: @error, for the caller to return.
 */
int vu_refuse(struct vu_dev *dev, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* request.c */

/**
 * vu_request() - do what a message asks for, and answer it
 * Return: 0; or -errno, with dev->why filled in, if the connection has to be closed.
 */
int vu_request(struct vu_dev *dev, struct vu_msg *msg);

/* request_*.c: a handler for each request, and what they share */

#define VU_HANDLER(id, name, lower, min, max, fds_min, fds_max, needs, reply)                      \
	int vu_handle_##lower(struct vu_dev *dev, struct vu_msg *msg);
VU_REQUESTS(VU_HANDLER)
#undef VU_HANDLER

/**
 * vu_take_event() - an eventfd of the front end
 * @absent: the message says that there is none
 * @fd: the descriptor, now the caller's, or -1
 */
int vu_take_event(struct vu_dev *dev, struct vu_msg *msg, bool absent, int *fd);

/** vu_logging_update() - log writes if there is a log and LOG_ALL says so. Rings are stopped. */
void vu_logging_update(struct vu_dev *dev);

/** vu_inflight_region_drop() - unmap the region of SET_INFLIGHT_FD. Rings are stopped. */
void vu_inflight_region_drop(struct vu_dev *dev);

/* vring.c */

/** vu_vring_make() - make the ring behind @v if there is none yet. Return: 0 or -errno. */
int vu_vring_make(struct vu_dev *dev, struct vu_vring *v);

/**
 * vu_vring_start() - let the ring run if all it needs is there
 *
 * Return: 0 if it runs or something is missing; -ENXIO if its addresses are not in the guest's
 * memory; another -errno if it can never run like this. dev->why says more.
 */
int vu_vring_start(struct vu_dev *dev, struct vu_vring *v);

/** vu_vring_stop() - if it runs: take it back from the owner, note where it stands */
void vu_vring_stop(struct vu_dev *dev, struct vu_vring *v);

/** vu_vring_forget() - the front end knows where the stopped ring stands, or has reset it */
void vu_vring_forget(struct vu_dev *dev, struct vu_vring *v);

/** vu_vring_reset() - stop it and forget all that the front end said, but for enabled */
void vu_vring_reset(struct vu_dev *dev, struct vu_vring *v);

void vu_vring_stop_all(struct vu_dev *dev);

/**
 * vu_vring_start_all() - start each ring that can run
 *
 * Rings whose addresses are not in the guest's memory wait for a table that has them.
 *
 * Return: 0, or -errno if one of them can never run like this.
 */
int vu_vring_start_all(struct vu_dev *dev);

/** vu_vring_enable() - SET_VRING_ENABLE */
void vu_vring_enable(struct vu_dev *dev, struct vu_vring *v, bool enabled);

#endif /* VHOST_DEV_INTERNAL_H */
