/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_kernel.h - guest rings <-> the port's tap.
 *
 * Frames go whole, with their virtio-net header: one copy, made by the kernel straight from or to
 * the guest's buffers, checksum and segmentation requests intact.
 */
#ifndef VXDP_LOADER_LANE_KERNEL_H
#define VXDP_LOADER_LANE_KERNEL_H

#include "pair.h"

/**
 * kernel_tx() - write one guest frame to the tap
 * @hdr: private, checked copy of its virtio-net header
 * @frame: where the frame is, after @skip bytes
 * @bytes: of the frame
 *
 * Counts what became of it. Neither pushes nor flushes.
 */
void kernel_tx(struct pair *p, const struct vu_net_hdr *hdr, const struct iovec *frame,
	       unsigned int n_frame, size_t skip, uint32_t bytes);

/**
 * kernel_rx() - frames from the tap into the guest's receive buffers
 * @budget: how many at most
 * Return: frames moved. Sets p->rx_starved when only buffers are missing. Pushes, does not flush.
 */
unsigned int kernel_rx(struct pair *p, unsigned int budget, uint64_t now_ns);

/**
 * kernel_rx_drain() - everything that is in the tap now; by any worker, with the receive lock held
 * Return: true if it was empty in the end.
 */
bool kernel_rx_drain(struct pair *p, uint64_t now_ns);

/** kernel_rx_discard() - drop what the tap still holds for a guest that has gone, and count it */
void kernel_rx_discard(struct pair *p);

#endif /* VXDP_LOADER_LANE_KERNEL_H */
