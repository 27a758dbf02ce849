/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic.h - facts about a NIC, what vxdp changes on it, and what happens to it.
 *
 * All by netlink and ioctl in the process's own network namespace; sysfs may show another one's.
 */
#ifndef VXDP_LOADER_NIC_H
#define VXDP_LOADER_NIC_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"

enum vxdp_answer { VXDP_NO, VXDP_YES, VXDP_UNKNOWN };

/* NETDEV_XDP_ACT_*: what a driver says it can do (kernel 6.3 and later). */
#define NIC_XDP_BASIC	     0x01u
#define NIC_XDP_REDIRECT     0x02u
#define NIC_XDP_NDO_XMIT     0x04u
#define NIC_XDP_XSK_ZEROCOPY 0x08u
#define NIC_XDP_HW_OFFLOAD   0x10u
#define NIC_XDP_RX_SG	     0x20u
#define NIC_XDP_NDO_XMIT_SG  0x40u

struct nic_info {
	char name[IFNAMSIZ];
	unsigned int ifindex;
	uint8_t mac[6];
	uint32_t mtu;
	bool up; /* administratively */
	bool carrier;
	bool loopback;
	bool ethernet;
	char kind[16];	       /* rtnetlink's: "veth", "bond", "vlan"; "" for hardware */
	char master[IFNAMSIZ]; /* bridge or bond it is a leg of, or "" */
	char driver[32];       /* or "" */
	char bus[32];	       /* PCI address or the like, or "" */
	unsigned int rx_queues;
	unsigned int tx_queues;
	unsigned int rx_queues_max; /* what `ethtool -L` could give; 0 = unknown */
	bool xdp_known;		    /* does the kernel tell xdp_features? */
	uint64_t xdp_features;	    /* NIC_XDP_* */
	uint32_t zerocopy_segs_max; /* buffers a zero-copy frame may take */
	enum vxdp_answer zerocopy;
	bool rxvlan, rxvlan_fixed; /* receive VLAN offload: on; cannot be changed */
	bool lro, lro_fixed;
	bool ntuple, ntuple_fixed; /* steering rules */
};

/** nic_info_get() - read all of it. Return: 0; -ENODEV if there is no such NIC; -errno. */
int nic_info_get(const char *name, struct nic_info *info, struct vx_error *error);

/** nic_usable() - can it be attached at all? Return: 0, or -EOPNOTSUPP with the reason. */
int nic_usable(const struct nic_info *info, struct vx_error *error);

struct nic;

/* What the owner wants to know; each may be NULL. Called from nic_watch_dispatch(). */
struct nic_events {
	void (*gone)(void *owner); /* removed, or moved to another network namespace */
	void (*link)(void *owner, bool up, bool carrier);
	void (*mac)(void *owner, const uint8_t mac[6]);
	void (*mtu)(void *owner, uint32_t mtu);
};

/**
 * nic_open() - prepare a NIC: promiscuous, receive VLAN offload and LRO off; watch it
 *
 * What was on is noted in $VXDP_RUNDIR/<nic>/state.json first, so that it is put back even by a
 * successor of a killed process. Promiscuity is a packet socket's and ends with the process.
 *
 * @events: stays the caller's
 * Return: 0 or -errno, with everything as it was and @out untouched.
 */
int nic_open(const char *name, const struct nic_events *events, void *owner, struct nic **out,
	     struct vx_error *error);

/** nic_keep() - nic_close() shall leave the offloads as they are now: there are tap ports */
void nic_keep(struct nic *nic);

/** nic_close() - put everything back; *nic may be NULL and is set to NULL */
void nic_close(struct nic **nic);

/** nic_info() - as of nic_open(), kept up to date by nic_watch_dispatch() */
const struct nic_info *nic_info(const struct nic *nic);

/** nic_reads_vlans() - is every VLAN tag in the frame where XDP can see it? */
bool nic_reads_vlans(const struct nic *nic);

/** nic_watch_fd() - readable when nic_watch_dispatch() is due */
int nic_watch_fd(const struct nic *nic);

/** nic_watch_dispatch() - read what the kernel says and call the events; never blocks */
void nic_watch_dispatch(struct nic *nic);

/**
 * nic_stand() - prepare a NIC for tap ports, which no process stands by: as nic_open() does, but
 * promiscuous by the NIC's own flag. Noted in the state file; nic_cleanup() undoes it.
 * Return: 0 or -errno.
 */
int nic_stand(const struct nic_info *info, struct vx_error *error);

/** nic_stand_down() - the last tap port has gone, and a process goes on: undo the flag */
void nic_stand_down(const struct nic_info *info);

/**
 * nic_cleanup() - put back what a killed process changed on @name
 * Return: number of things put back, or -errno.
 */
int nic_cleanup(const char *name, struct vx_error *error);

#endif /* VXDP_LOADER_NIC_H */
