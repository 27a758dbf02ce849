/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_left.h - how much memory this process may still take.
 */
#ifndef VXDP_LOADER_MEMORY_LEFT_H
#define VXDP_LOADER_MEMORY_LEFT_H

#include <stdint.h>

/** memory_left() - bytes: what the machine has left, or less if control groups allow less */
uint64_t memory_left(void);

/**
 * memory_left_cgroup() - what the control groups of a process leave it, of either version
 * @cgroups: /proc/self/cgroup
 * @mounts: /proc/self/mountinfo
 * Return: bytes, or UINT64_MAX if there is no limit.
 */
uint64_t memory_left_cgroup(const char *cgroups, const char *mounts);

#endif /* VXDP_LOADER_MEMORY_LEFT_H */
