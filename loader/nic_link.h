/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic_link.h - what nic.c and nic_info.c share.
 */
#ifndef VXDP_LOADER_NIC_LINK_H
#define VXDP_LOADER_NIC_LINK_H

#include <linux/netlink.h>

#include "nic.h"

/** nic_info_from_link() - fill in what an RTM_NEWLINK message says */
void nic_info_from_link(struct nic_info *info, const struct nlmsghdr *message);

#endif /* VXDP_LOADER_NIC_LINK_H */
