/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_owner.h - who may open a tap: users and groups by name or number.
 */
#ifndef VXDP_LOADER_TAP_OWNER_H
#define VXDP_LOADER_TAP_OWNER_H

#include <stdbool.h>
#include <stdint.h>

/** tap_owner_find() - a user's, or with @is_group a group's, number. Return: 0 or -ENOENT. */
int tap_owner_find(const char *name, bool is_group, uint32_t *id);

#endif /* VXDP_LOADER_TAP_OWNER_H */
