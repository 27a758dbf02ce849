/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - the process that is a switch's data path, from the first attach to the last detach.
 */
#ifndef VXDP_LOADER_PROCESS_H
#define VXDP_LOADER_PROCESS_H

#include <stdint.h>

#include "attach_args.h"

/**
 * process_run() - make a switch with what @args asks for, serve until told to stop, put all back
 * @nic: NIC of the same name that it begins with, or NULL
 * @args: completed; what belongs to the process stays in force for ports that come later
 * The caller holds the switch's lock (rundir.h).
 * Return: 0 after SIGTERM, SIGINT or `vxdp detach`, else -errno.
 */
int process_run(const char *name, const char *nic, const struct attach_args *args,
		struct vx_error *error);

/** process_netns() - a number for the network namespace this process is in */
uint64_t process_netns(void);

#endif /* VXDP_LOADER_PROCESS_H */
