/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - what vxdp changed on a NIC and has to put back, remembered in
 * $VXDP_RUNDIR/<nic>/state.json so that a successor can do it after kill -9.
 *
 *	{"ifindex":7,"undo":["rxvlan","clsact"],"taps":{"web":{"tap":"tap0","ifindex":9,"created":true}}}
 *
 * A list to undo beside another ifindex is about a NIC that is no more, and counts as empty. The
 * taps are those of the tap ports, which outlive any process and even the NIC.
 */
#ifndef VXDP_LOADER_STATE_H
#define VXDP_LOADER_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define STATE_RXVLAN  "rxvlan"	/* receive VLAN offload was on */
#define STATE_LRO     "lro"	/* large receive offload was on */
#define STATE_CLSACT  "clsact"	/* there was no clsact qdisc */
#define STATE_PROMISC "promisc" /* IFF_PROMISC was not set */
#define STATE_NTUPLE  "ntuple"	/* steering rules were off */
#define STATE_SPREAD  "spread"	/* frames were spread over all queues */
#define STATE_RULE    "rule:"	/* and its place: a steering rule of ours is there */

/** state_note() - remember that @what is to be undone on @nic. Return: 0 or -errno. */
int state_note(const char *nic, unsigned int ifindex, const char *what);

/** state_noted() - is @what to be undone? */
bool state_noted(const char *nic, unsigned int ifindex, const char *what);

/** state_find() - something to be undone whose name begins with @prefix: true, and in @what */
bool state_find(const char *nic, unsigned int ifindex, const char *prefix, char *what,
		size_t bytes);

/** state_forget() - @what was undone; the file goes with its last entry */
void state_forget(const char *nic, unsigned int ifindex, const char *what);

/* The netdev of a tap port. */
struct state_tap {
	char ifname[IFNAMSIZ];
	unsigned int ifindex;
	bool created; /* by vxdp, which therefore removes it */
};

/** state_tap_note() - remember, or change, the tap of @port. Return: 0 or -errno. */
int state_tap_note(const char *nic, const char *port, const struct state_tap *tap);

/** state_tap_get() - Return: 0, or -ENOENT with @tap untouched */
int state_tap_get(const char *nic, const char *port, struct state_tap *tap);

/** state_tap_forget() - @port is detached */
void state_tap_forget(const char *nic, const char *port);

/**
 * state_taps_walk() - call @fn for each tap that is noted
 * @fn: may note and forget; NULL to count only
 * Return: how many there were.
 */
typedef void (*state_tap_fn)(void *arg, const char *port, const struct state_tap *tap);
int state_taps_walk(const char *nic, state_tap_fn fn, void *arg);

#endif /* VXDP_LOADER_STATE_H */
