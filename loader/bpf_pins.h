/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_pins.h - pinning the maps of an object, and taking over those of a predecessor.
 */
#ifndef VXDP_LOADER_BPF_PINS_H
#define VXDP_LOADER_BPF_PINS_H

#include <bpf/libbpf.h>

#include "error.h"

/** bpf_pins_mount() - mount a BPF file system where the pins go, if there is none. */
int bpf_pins_mount(struct vx_error *error);

/**
 * bpf_pins_reuse() - make an object that is not loaded use the maps pinned for @nic
 * Return: 0 if all of them fit; -ENOENT if there are none; -EPROTO if they have another layout;
 * else -errno. On error the object is spoilt.
 */
int bpf_pins_reuse(struct bpf_object *object, const char *nic);

/** bpf_pins_make() - pin the maps of a loaded object for @nic */
int bpf_pins_make(const struct bpf_object *object, const char *nic, struct vx_error *error);

/** bpf_pins_remove() - remove the pins of @nic. Return: how many there were. */
int bpf_pins_remove(const char *nic);

#endif /* VXDP_LOADER_BPF_PINS_H */
