/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_setup.h - how the control plane starts and stops a ring.
 *
 * Only vhost/ uses this; owners of a device see rings through ring.h. All of it runs in the main
 * thread. Between vu_ring_start() and vu_ring_stop() the ring belongs to a worker; only
 * vu_ring_call_fd_set() may be called meanwhile.
 */
#ifndef VHOST_RING_SETUP_H
#define VHOST_RING_SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "inflight.h"
#include "mem.h"
#include "ring.h"

/*
 * The three areas are our addresses. Each lies inside one region and is aligned (virtio 1.2, 2.7
 * and 2.8.10.1: descriptors 16, split driver area 2, split device area 4, packed event areas 4):
 *
 *            desc               driver                        device
 *   split    16 * num           avail: 6 + 2 * num            used: 6 + 8 * num
 *   packed   16 * num           event suppression: 4          event suppression: 4
 */
struct vu_ring_config {
	uint16_t num;	   /* split: a power of two; packed: anything from 1 to VU_RING_NUM_MAX */
	bool packed;	   /* RING_PACKED was negotiated */
	bool is_rx;	   /* the guest receives here */
	uint64_t features; /* acknowledged by the guest */
	struct vu_mem *mem;
	void *desc;
	void *driver;
	void *device;
	uint64_t log_gpa; /* log_guest_addr of SET_VRING_ADDR: of the used ring, or packed ring */
	bool log_used;	  /* log writes to it (VHOST_VRING_F_LOG) */
	/*
	 * As SET_VRING_BASE carries it. Split: not looked at, since the used index in the guest's
	 * memory is the same in an orderly start, and right in all others. Packed: index and wrap
	 * counter (bit 15) of the next available slot in bits 0-15; state that is about this very
	 * ring knows better. Bits 16-31 should say the same of the used side.
	 */
	uint32_t base;
	struct vu_inflight_ring *inflight; /* state that outlives us, or NULL; stays the caller's */
	int kick_fd;			   /* stays the caller's; -1: the guest does not kick */
};

/**
 * vu_ring_new() - make a ring, stopped
 * @out: the ring, untouched on error; vu_ring_free() ends it
 * Return: 0 or -errno.
 */
int vu_ring_new(struct vu_ring **out);

/** vu_ring_free() - end a stopped ring and close its call descriptor. *r may be NULL. */
void vu_ring_free(struct vu_ring **r);

/**
 * vu_ring_start() - get a stopped ring ready for its worker
 *
 * With @config->inflight, what that state says was in flight when the last process died comes out
 * of vu_ring_pop() again before anything else.
 *
 * Return: 0; -EINVAL if @config breaks the rules above or @base cannot be; -ENOMEM. The ring
 * stays stopped on error.
 */
int vu_ring_start(struct vu_ring *r, const struct vu_ring_config *config);

/**
 * vu_ring_stop() - stop a ring whose worker has let go of it, with nothing in flight
 *
 * Return: what GET_VRING_BASE answers.
 */
uint32_t vu_ring_stop(struct vu_ring *r);

/**
 * vu_ring_call_fd_set() - change the descriptor that interrupts the guest
 * @fd: ownership passes to the ring; -1: none
 *
 * Works in any state of the ring, also while a worker is in vu_ring_notify(): the ring keeps one
 * descriptor number for its whole life and puts @fd behind that number.
 */
void vu_ring_call_fd_set(struct vu_ring *r, int fd);

#endif /* VHOST_RING_SETUP_H */
