/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rundir.h - the runtime directory of a NIC, $VXDP_RUNDIR/<nic>/, and the lock in it.
 *
 * Whoever holds the lock is the NIC's data path. It is an flock(), so it goes with its process
 * however that ends; what a killed process left in the directory is the next holder's.
 */
#ifndef VXDP_LOADER_RUNDIR_H
#define VXDP_LOADER_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define RUNDIR_DEFAULT "/run/vxdp"

/** rundir_root() - $VXDP_RUNDIR or its default */
const char *rundir_root(void);

/** rundir_nic_valid() - could @nic be the name of a netdev (and so of a directory)? */
bool rundir_nic_valid(const char *nic);

/**
 * rundir_path() - path of @leaf in the NIC's directory
 * @leaf: "ctl", "state.json"...; NULL for the directory itself
 * Return: 0, -EINVAL for a name no NIC can have, -ENAMETOOLONG.
 */
int rundir_path(char *path, size_t bytes, const char *nic, const char *leaf);

/**
 * rundir_lock() - become the NIC's one process
 * @fd: holds the lock for as long as it is open; untouched on error
 * Return: 0; -EBUSY if another process holds it, with its pid in @error's text; else -errno.
 */
int rundir_lock(const char *nic, struct vx_error *error, int *fd);

/** rundir_lock_wait() - the same, but wait half a minute for a process that is on its way out */
int rundir_lock_wait(const char *nic, struct vx_error *error, int *fd);

/** rundir_unlock() - remove the directory if it is empty but for the lock, and let go of it */
void rundir_unlock(const char *nic, int *fd);

/** rundir_clear() - as holder of the lock, remove the files a killed process left. How many. */
int rundir_clear(const char *nic);

#endif /* VXDP_LOADER_RUNDIR_H */
