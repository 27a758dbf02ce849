/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_run.h - the guest lane's short way, for frames that nothing has to be done to.
 */
#ifndef VXDP_LOADER_GUEST_RUN_H
#define VXDP_LOADER_GUEST_RUN_H

#include "pair.h"

#define GUEST_RUN_MIN 4 /* shorter runs cost more than they save */

/**
 * guest_run() - deliver frames at the front of a burst that all go to one other guest
 * @from: @n buffers of p->tx, BURST at most
 * @generation: of the configuration, for this burst
 *
 * Return: how many are dealt with, for the caller to hand back. The next one needs lane_guest.h.
 */
unsigned int guest_run(struct pair *p, const struct vu_buf *from, unsigned int n,
		       uint32_t generation, uint64_t now_ns);

#endif /* VXDP_LOADER_GUEST_RUN_H */
