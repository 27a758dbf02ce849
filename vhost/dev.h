/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dev.h - one vhost-user virtio-net device: its socket, its state, its rings.
 *
 * All of it runs in the caller's main thread, from vu_dev_dispatch(). The owner's worker threads
 * only ever see the rings, and only between ring_start() and ring_stop():
 *
 *   main thread (here)                     owner
 *   ring complete and started  -> ops->ring_start()   hand the ring to a worker
 *   anything about it changes  -> ops->ring_stop()    take it back: returns when no thread and no
 *                                                     kernel queue can touch its buffers any more
 *   SET_VRING_ENABLE           -> ops->ring_enable()  no stop needed; also called once after
 *                                                     each ring_start(), until when the ring
 *                                                     counts as disabled
 *
 * A memory-table change stops every running ring, replaces the table and starts them again. The
 * call (interrupt) descriptor can change under a running ring; the ring copes by itself.
 */
#ifndef VHOST_DEV_H
#define VHOST_DEV_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"
#include "ring.h"

#define VU_PAIRS_MAX 128 /* queue pairs one device may have */

struct vu_dev;

/* Who opens the socket. */
enum vu_role {
	VU_ROLE_AUTO,	/* connect if somebody accepts there, else listen */
	VU_ROLE_CLIENT, /* connect, and reconnect for ever */
	VU_ROLE_SERVER, /* listen */
};

/*
 * state      | socket          | what can be called
 * -----------+-----------------+---------------------------------------------------------
 * WAITING    | listening or    | vu_dev_dispatch(), vu_dev_close()
 *            | reconnecting    |
 * CONNECTED  | front end there | the same; features and rings are being negotiated
 * RUNNING    | front end there | the same; at least one ring is between start and stop
 */
enum vu_state { VU_WAITING, VU_CONNECTED, VU_RUNNING };

struct vu_dev_ops {
	/*
	 * All of these are called from vu_dev_dispatch(), those that take things back also from
	 * vu_dev_close(), vu_dev_fail() and vu_dev_ring_broken(). Any of them may call
	 * vu_dev_fail(), which then acts a little later; none may call vu_dev_close().
	 */
	/* A front end connected (up) or went away (all rings were stopped before). */
	void (*link)(void *owner, bool up);
	/* Features were negotiated: SET_FEATURES changed them. Called with all rings stopped. */
	void (*features)(void *owner, uint64_t features);
	void (*ring_start)(void *owner, unsigned int index, struct vu_ring *r);
	void (*ring_enable)(void *owner, unsigned int index, bool enabled);
	void (*ring_stop)(void *owner, unsigned int index, struct vu_ring *r);
	/* The table is about to be replaced or dropped; every ring was stopped. May be NULL. */
	void (*mem_release)(void *owner, struct vu_mem *mem);
	/* After migration: tell the network where the guest is now (SEND_RARP). */
	void (*announce)(void *owner, const uint8_t mac[6]);
	/* NET_SET_MTU. Return 0, or -errno to refuse. */
	int (*set_mtu)(void *owner, uint16_t mtu_bytes);
};

struct vu_dev_config {
	const char *name;	 /* for log lines; copied */
	const char *socket_path; /* copied; NULL with fd >= 0 */
	int fd; /* an already listening or connected socket to take over (on success), or -1 */
	enum vu_role role;
	uint64_t features;	/* virtio-net and ring feature bits to offer, bit 30 included */
	unsigned int pairs_max; /* 1..VU_PAIRS_MAX */
	size_t private_bytes;	/* private area in front of the guest's memory (mem.h) */
	const char *state_dir;	/* where the in-flight state is kept, e.g. /run/vxdp/eth0; copied */
};

/**
 * vu_dev_open() - make the device and start listening or connecting
 * @out: the device, untouched on error; vu_dev_close() ends it
 * Return: 0 or -errno (what is wrong with the socket path was logged).
 */
int vu_dev_open(const struct vu_dev_config *config, const struct vu_dev_ops *ops, void *owner,
		struct vu_dev **out);

/** vu_dev_close() - stop all rings, close, remove what vu_dev_open() made. *dev may be NULL. */
void vu_dev_close(struct vu_dev **dev);

/** vu_dev_fd() - an epoll descriptor: when it is readable, call vu_dev_dispatch() */
int vu_dev_fd(const struct vu_dev *dev);

/** vu_dev_dispatch() - do what there is to do, without ever blocking on the peer */
void vu_dev_dispatch(struct vu_dev *dev);

/**
 * vu_dev_ring_broken() - main thread: the owner found ring @index broken (vu_ring_broken())
 *
 * Stops that ring, signals VRING_ERR, logs one line.
 */
void vu_dev_ring_broken(struct vu_dev *dev, unsigned int index);

/** vu_dev_fail() - main thread: close the connection of a peer that misbehaved, for @reason */
void vu_dev_fail(struct vu_dev *dev, const char *reason);

/* Facts for `vxdp status`. */
struct vu_dev_info {
	enum vu_state state;
	enum vu_role role; /* never AUTO once the first connection was tried */
	uint64_t features; /* acknowledged; 0 before SET_FEATURES */
	uint64_t protocol_features;
	unsigned int n_rings_running;
	uint64_t n_connects;
	pid_t peer_pid;		  /* of the front end, 0 if unknown */
	const struct vu_mem *mem; /* or NULL */
};

void vu_dev_info(const struct vu_dev *dev, struct vu_dev_info *info);

/** vu_dev_ring() - ring @index, or NULL if it is not running */
struct vu_ring *vu_dev_ring(const struct vu_dev *dev, unsigned int index);

/** vu_features_offer() - every virtio feature this library can serve */
uint64_t vu_features_offer(void);

/** vu_feature_name() / vu_protocol_feature_name() - "MRG_RXBUF", or NULL for an unknown bit */
const char *vu_feature_name(unsigned int bit);
const char *vu_protocol_feature_name(unsigned int bit);

#endif /* VHOST_DEV_H */
