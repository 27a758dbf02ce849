/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zerocopy.h - how large the chunks have to be that a driver writes to by itself.
 */
#ifndef VXDP_LOADER_ZEROCOPY_H
#define VXDP_LOADER_ZEROCOPY_H

#include "nic.h"
#include "xsk.h"

/**
 * zerocopy_chunks() - chunk, headroom and room in @umem for zero copy with this NIC
 * @frame_bytes: of the longest frame that has to come in
 * Return: 0, or -EMSGSIZE if such a frame does not fit a page together with what goes before it.
 */
int zerocopy_chunks(const struct nic_info *nic, uint32_t frame_bytes, struct xsk_umem *umem);

#endif /* VXDP_LOADER_ZEROCOPY_H */
