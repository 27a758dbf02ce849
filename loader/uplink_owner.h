/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink_owner.h - whose a further NIC is: $VXDP_RUNDIR/<nic>/switch has the name of its switch.
 */
#ifndef VXDP_LOADER_UPLINK_OWNER_H
#define VXDP_LOADER_UPLINK_OWNER_H

#include <net/if.h>

/** uplink_owner_write() - note it, as holder of the NIC's lock. Return: 0 or -errno. */
int uplink_owner_write(const char *nic, const char *name);

/** uplink_owner_clear() - remove the note */
void uplink_owner_clear(const char *nic);

/**
 * uplink_owner() - which switch has @nic as a further uplink, with a process or without
 * @name: set to the switch's name
 * Return: 0, or -ENOENT.
 */
int uplink_owner(const char *nic, char name[IFNAMSIZ]);

/** uplink_forget() - remove what says that @nic is an uplink. Return: number of files removed. */
int uplink_forget(const char *nic);

#endif /* VXDP_LOADER_UPLINK_OWNER_H */
