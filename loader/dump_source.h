/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump_source.h - where `vxdp dump` gets frames from: the programs' ring buffer, and over a socket
 * the process, for what its lanes forward without the programs.
 */
#ifndef VXDP_LOADER_DUMP_SOURCE_H
#define VXDP_LOADER_DUMP_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <vxdp/abi.h>

#include "error.h"
#include "event.h"
#include "pins.h"

struct dump_source;

/* @record is followed by record->captured_bytes of the frame, checked to be there. */
typedef void (*dump_frame_fn)(void *arg, const struct vxdp_capture *record);

/**
 * dump_source_open() - start a capture
 * @pins: writable; must outlive the source. One capture a NIC at a time.
 * @port: name, or NULL for all guests
 * @on_frame: called from the event loop for each frame
 * @on_end: called when the process that serves the NIC has gone
 */
int dump_source_open(struct event_loop *loop, const char *nic, const struct vxdp_pins *pins,
		     const char *port, unsigned int snaplen, dump_frame_fn on_frame,
		     void (*on_end)(void *arg), void *arg, struct vx_error *error,
		     struct dump_source **out);

/**
 * dump_source_stop() - end the capture; frames already recorded are still delivered
 * Return: how many frames were lost because they were not read in time.
 */
uint64_t dump_source_stop(struct dump_source *source);

/** dump_source_close() - *source may be NULL */
void dump_source_close(struct dump_source **source);

/**
 * dump_flags_set() - have the programs record the frames of a port
 * @port: name, or NULL for all guests
 * Return: 0, or -ENOENT if there is no such port, or -errno.
 */
int dump_flags_set(const struct vxdp_pins *pins, const char *port, unsigned int snaplen);

/** dump_flags_clear() - have them record nothing any more */
void dump_flags_clear(const struct vxdp_pins *pins);

/** dump_port_is_fixed() - is @port "uplink" or "host", which belong to no guest? */
bool dump_port_is_fixed(const char *port);

#endif /* VXDP_LOADER_DUMP_SOURCE_H */
