/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ethtool.h - what a driver tells about its NIC, and its switches, by SIOCETHTOOL.
 */
#ifndef VXDP_LOADER_ETHTOOL_H
#define VXDP_LOADER_ETHTOOL_H

#include <stdbool.h>
#include <stddef.h>

/* Names of features as `ethtool -k` has them in the kernel. */
#define ETHTOOL_RXVLAN "rx-vlan-hw-parse"
#define ETHTOOL_LRO    "rx-lro"
#define ETHTOOL_NTUPLE "rx-ntuple-filter"

struct ethtool_feature {
	bool on;
	bool fixed; /* nobody can change it */
};

/** ethtool_ioctl() - Return: what the command returned (0, or for a few a number), or -errno. */
int ethtool_ioctl(const char *nic, void *command);

/** ethtool_feature_get() - Return: 0, -ENOENT if the kernel knows no such feature, -errno. */
int ethtool_feature_get(const char *nic, const char *name, struct ethtool_feature *feature);

/** ethtool_feature_set() - Return: 0; -EOPNOTSUPP if the driver would not; -errno. */
int ethtool_feature_set(const char *nic, const char *name, bool on);

/** ethtool_driver() - names of driver and bus address, "" where not known */
void ethtool_driver(const char *nic, char *driver, size_t driver_bytes, char *bus,
		    size_t bus_bytes);

/** ethtool_channels() - number of queues, at least 1 each; @rx_max 0 if it cannot be changed */
void ethtool_channels(const char *nic, unsigned int *rx, unsigned int *tx, unsigned int *rx_max);

#endif /* VXDP_LOADER_ETHTOOL_H */
