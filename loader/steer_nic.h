/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steer_nic.h - steering rules in a real NIC, by SIOCETHTOOL.
 *
 * Each change is noted in the NIC's state file, so that a successor of a killed process undoes it.
 */
#ifndef VXDP_LOADER_STEER_NIC_H
#define VXDP_LOADER_STEER_NIC_H

#include <linux/ethtool.h>

#include "nic.h"
#include "steer.h"

struct steer_nic {
	const struct nic_info *info;
	struct ethtool_rxfh_indir *table; /* as it was before, or NULL */
};

/* Its "nic" is a struct steer_nic. */
extern const struct steer_ops steer_nic_ops;

/** steer_nic_rule() - what ETHTOOL_SRXCLSRLINS is told for a rule */
struct ethtool_rx_flow_spec steer_nic_rule(const struct steer_rule *rule, uint32_t place);

/** steer_nic_may() - does the driver have steering rules at all, on or to be turned on? */
bool steer_nic_may(const struct nic_info *nic);

/** steer_nic_undo() - what a killed process left. Return: number of things put back. */
int steer_nic_undo(const char *nic, unsigned int ifindex);

#endif /* VXDP_LOADER_STEER_NIC_H */
