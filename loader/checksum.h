/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VXDP_LOADER_CHECKSUM_H
#define VXDP_LOADER_CHECKSUM_H

#include <stdint.h>

/**
 * checksum_finish() - finish a checksum the guest left to the device (virtio 1.2, 5.1.6.2)
 * @frame: private memory
 * @bytes: of the frame; @start + @offset + 2 <= @bytes
 * @start: first byte that is summed
 * @offset: where the checksum is, from @start; it holds the pseudo-header's sum
 */
void checksum_finish(uint8_t *frame, uint32_t bytes, uint16_t start, uint16_t offset);

#endif /* VXDP_LOADER_CHECKSUM_H */
