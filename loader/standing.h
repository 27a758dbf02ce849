/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * standing.h - what commands do to a NIC that no process has: its tap ports stand by themselves.
 *
 * Each call needs the NIC's lock (rundir.h) and returns with everything in place.
 */
#ifndef VXDP_LOADER_STANDING_H
#define VXDP_LOADER_STANDING_H

#include "attach_args.h"
#include "error.h"

/** standing_attach() - add a tap port; with the first one, make the NIC a switch */
int standing_attach(const char *nic, const struct attach_args *args, struct vx_error *error);

/**
 * standing_detach() - remove a tap port; with the last one, everything
 * Return: 0; -ENOENT if there is no such port; -errno.
 */
int standing_detach(const char *nic, const char *port, struct vx_error *error);

/** standing_clean_up() - remove everything. Return: how many things, or -errno. */
int standing_clean_up(const char *nic, struct vx_error *error);

/**
 * standing_upgrade() - replace the programs by this version's, under traffic
 * Return: number of tap ports; -ENOENT if there are none; -EPROTO if the maps are not this
 * version's; -errno.
 */
int standing_upgrade(const char *nic, struct vx_error *error);

#endif /* VXDP_LOADER_STANDING_H */
