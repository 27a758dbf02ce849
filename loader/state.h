/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - what vxdp changed on a NIC and has to put back, remembered in
 * $VXDP_RUNDIR/<nic>/state.json so that a successor can do it after kill -9.
 *
 *	{"ifindex":7,"undo":["rxvlan","clsact"]}
 *
 * A file that names another ifindex is about a NIC that is no more, and counts as empty.
 */
#ifndef VXDP_LOADER_STATE_H
#define VXDP_LOADER_STATE_H

#include <stdbool.h>

#define STATE_RXVLAN "rxvlan" /* receive VLAN offload was on */
#define STATE_LRO    "lro"    /* large receive offload was on */
#define STATE_CLSACT "clsact" /* there was no clsact qdisc */

/** state_note() - remember that @what is to be undone on @nic. Return: 0 or -errno. */
int state_note(const char *nic, unsigned int ifindex, const char *what);

/** state_noted() - is @what to be undone? */
bool state_noted(const char *nic, unsigned int ifindex, const char *what);

/** state_forget() - @what was undone; the file goes with its last entry */
void state_forget(const char *nic, unsigned int ifindex, const char *what);

#endif /* VXDP_LOADER_STATE_H */
