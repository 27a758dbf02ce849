/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pins.h - the pinned maps of one NIC: $VXDP_BPFFS/vxdp/<nic>/<map>.
 *
 * The running vxdp holds them (bpf.h), and a command opens the same ones without it. Everything
 * that reads or writes a map is here; what the maps hold is in vxdp/abi.h.
 */
#ifndef VXDP_LOADER_PINS_H
#define VXDP_LOADER_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vxdp/abi.h>

#include "error.h"

#define BPFFS_DEFAULT "/sys/fs/bpf"

/* M(name): every pinned map, by the name it has in bpf/maps.bpf.h. */
#define VXDP_PINNED_MAPS(M)                                                                        \
	M(config)                                                                                  \
	M(fdb)                                                                                     \
	M(learned)                                                                                 \
	M(ports)                                                                                   \
	M(policies)                                                                                \
	M(port_macs)                                                                               \
	M(meters)                                                                                  \
	M(port_by_ifindex)                                                                         \
	M(queues)                                                                                  \
	M(xsks)                                                                                    \
	M(taps)                                                                                    \
	M(cpus)                                                                                    \
	M(stats)                                                                                   \
	M(queue_turns)                                                                             \
	M(port_turns)                                                                              \
	M(capture)

/* Descriptors of the maps, -1 when closed, and the configuration as it is in memory. */
struct vxdp_pins {
#define VXDP_PIN_FD(name) int name;
	VXDP_PINNED_MAPS(VXDP_PIN_FD)
#undef VXDP_PIN_FD
	struct vxdp_config *mapped_config; /* shared with the BPF programs; READ_ONCE() */
	/* What is opened to look only has not these. */
	const struct vxdp_policy *mapped_policies;   /* by port id */
	const struct vxdp_turns *mapped_queue_turns; /* by NIC queue */
	struct vxdp_turns *mapped_port_turns;	     /* by port id; the workers write `done` */
	int refresh_prog; /* vxdp_fdb_refresh of bpf/vxdp.bpf.c; -1: not loaded */
	bool writable;
};

#define VXDP_PINS_NONE                                                                             \
	(struct vxdp_pins)                                                                         \
	{                                                                                          \
		VXDP_PINNED_MAPS(VXDP_PIN_NONE).refresh_prog = -1                                  \
	}
#define VXDP_PIN_NONE(name) .name = -1,

/** vxdp_bpffs() - $VXDP_BPFFS or its default */
const char *vxdp_bpffs(void);

/** vxdp_pins_path() - where a map of @nic is pinned; @map NULL for their directory */
int vxdp_pins_path(char *path, size_t bytes, const char *nic, const char *map);

/**
 * vxdp_pins_open() - open the pinned maps of a NIC that is, or was, attached
 * @writable: false to look only
 * @out: untouched on error; vxdp_pins_close() ends it
 * Return: 0; -ENOENT if nothing is pinned; -EPROTO if another version of vxdp pinned it; -errno.
 */
int vxdp_pins_open(const char *nic, bool writable, struct vxdp_pins *out, struct vx_error *error);

/** vxdp_pins_map() - make the mapped_* of their descriptors. Return: 0 or -errno. */
int vxdp_pins_map(struct vxdp_pins *pins);

/** vxdp_pins_close() - close the descriptors; what is pinned stays */
void vxdp_pins_close(struct vxdp_pins *pins);

/* Frames may go elsewhere now: make whoever caches decisions look again. */
void vxdp_generation_bump(const struct vxdp_pins *pins);

/* The FDB. A key is {mac, vlan}, vlan in host byte order, 0 = untagged. */

/** vxdp_fdb_get() - look up an address. Return: 0, -ENOENT or -errno. */
int vxdp_fdb_get(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key,
		 struct vxdp_fdb_entry *entry);

/**
 * vxdp_fdb_set() - add or change an address
 * @flags: VXDP_FDB_STATIC or 0
 * Return: 0; -ENOSPC when the FDB is full; -errno.
 */
int vxdp_fdb_set(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key, uint16_t port,
		 uint16_t flags);

/**
 * vxdp_fdb_refresh() - @key was seen just now on @port; for the running vxdp only
 * Return: 0; -ENOENT if the address is not, or no longer, known there; -errno.
 */
int vxdp_fdb_refresh(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key, uint16_t port);

/** vxdp_fdb_del() - remove an address. Return: 0, -ENOENT or -errno. */
int vxdp_fdb_del(const struct vxdp_pins *pins, const struct vxdp_fdb_key *key);

/**
 * vxdp_fdb_fn - one entry of the FDB
 * Return: what shall happen to it.
 */
enum vxdp_fdb_next { VXDP_FDB_KEEP, VXDP_FDB_DELETE, VXDP_FDB_STOP };
typedef enum vxdp_fdb_next (*vxdp_fdb_fn)(void *arg, const struct vxdp_fdb_key *key,
					  const struct vxdp_fdb_entry *entry);

/**
 * vxdp_fdb_walk() - call @fn for every entry, in no order
 *
 * The programs go on learning meanwhile: an entry made during the walk may be missed.
 *
 * Return: number of entries deleted, or -errno.
 */
int vxdp_fdb_walk(const struct vxdp_pins *pins, vxdp_fdb_fn fn, void *arg);

/** vxdp_fdb_flush() - remove the learnt (@statics: also static) entries of a port,
 * VXDP_PORT_NONE for those of all ports. Return: number removed, or -errno. */
int vxdp_fdb_flush(const struct vxdp_pins *pins, uint32_t port, bool statics);

/**
 * vxdp_fdb_age() - remove what was not seen for config.ageing_ns
 *
 * To be called every few seconds; also corrects the count of addresses each port has taught.
 * Return: number removed, or -errno.
 */
int vxdp_fdb_age(const struct vxdp_pins *pins);

/* Ports, queues and sockets. What changes here raises the generation. */

/** vxdp_port_get() - Return: 0, or -ENOENT if the id is free (@port is filled in anyway) */
int vxdp_port_get(const struct vxdp_pins *pins, uint32_t id, struct vxdp_port *port);

#define VXDP_PORT_NAME_BYTES sizeof(((struct vxdp_port *)NULL)->name)

/** vxdp_port_name() - what the port is called; its number if it has no name */
void vxdp_port_name(const struct vxdp_pins *pins, uint32_t id, char name[VXDP_PORT_NAME_BYTES]);

/** vxdp_port_find() - the port called @name: uplink, host, or a guest's. Return: 0 or -ENOENT. */
int vxdp_port_find(const struct vxdp_pins *pins, const char *nic, const char *name, uint32_t *id,
		   struct vx_error *error);

/**
 * vxdp_port_id() - an id for port @name
 *
 * The id the name had under a predecessor if that is free, else one nobody had, else one that some
 * other absent port had, whose FDB entries and counters are then removed.
 *
 * Return: 0, or -ENOSPC.
 */
int vxdp_port_id(const struct vxdp_pins *pins, const char *name, uint32_t *id);

/** vxdp_port_set() - write a port's entry, and what follows from all ports together */
int vxdp_port_set(const struct vxdp_pins *pins, uint32_t id, const struct vxdp_port *port);

/** vxdp_port_flags() - set and clear VXDP_PORT_* flags of a port. Return: 0 or -errno. */
int vxdp_port_flags(const struct vxdp_pins *pins, uint32_t id, uint16_t set, uint16_t clear);

/** vxdp_tap_ports() - how many tap ports there are, their taps present or not */
unsigned int vxdp_tap_ports(const struct vxdp_pins *pins);

/** vxdp_port_clear() - free a port's id: entry, FDB entries, queues, counters and policy */
int vxdp_port_clear(const struct vxdp_pins *pins, uint32_t id);

/* What the user allows a port. It stays with the port's id, and so with its name. */

/** vxdp_policy_get() - a port's policy. Return: 0 or -errno. */
int vxdp_policy_get(const struct vxdp_pins *pins, uint32_t port, struct vxdp_policy *policy);

/** vxdp_policy_set() - change it, for every lane at once. Return: 0 or -errno. */
int vxdp_policy_set(const struct vxdp_pins *pins, uint32_t port, const struct vxdp_policy *policy);

/** vxdp_port_mac_allowed() - is @mac among those the port may send from? */
bool vxdp_port_mac_allowed(const struct vxdp_pins *pins, uint32_t port, const uint8_t mac[6]);

/**
 * vxdp_port_macs_get() - the addresses a port may send from
 * @macs: room for @max of them
 * Return: how many there are, which may be more than @max, or -errno.
 */
int vxdp_port_macs_get(const struct vxdp_pins *pins, uint32_t port, uint8_t (*macs)[6], int max);

/** vxdp_port_macs_set() - replace them. Return: 0; -ENOSPC when the map is full; -errno. */
int vxdp_port_macs_set(const struct vxdp_pins *pins, uint32_t port, const uint8_t (*macs)[6],
		       int n);

/**
 * vxdp_queue_owner_set() - give NIC receive queue @queue to a port, VXDP_PORT_NONE to none
 * @hdr_bytes: length of the virtio-net header its guest wants in front of a frame
 */
int vxdp_queue_owner_set(const struct vxdp_pins *pins, uint32_t queue, uint32_t port,
			 uint16_t hdr_bytes);

/** vxdp_xsk_set() - put an AF_XDP socket bound to @queue into the map */
int vxdp_xsk_set(const struct vxdp_pins *pins, uint32_t queue, int xsk_fd);

/** vxdp_xsk_clear() - take it out again; 0 also if none was there */
int vxdp_xsk_clear(const struct vxdp_pins *pins, uint32_t queue);

/** vxdp_tap_set() - let XDP send frames to tap port @port's netdev; @ifindex 0: no more */
int vxdp_tap_set(const struct vxdp_pins *pins, uint32_t port, uint32_t ifindex);

/** vxdp_stats_get() - a port's counters, all CPUs together. Return: 0 or -errno. */
int vxdp_stats_get(const struct vxdp_pins *pins, uint32_t port, struct vxdp_port_stats *sum);

#endif /* VXDP_LOADER_PINS_H */
