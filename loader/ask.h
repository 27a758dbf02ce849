/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask.h - facts about attached NICs: from the process that has one, and where none runs from the
 * maps that a killed one left pinned.
 */
#ifndef VXDP_LOADER_ASK_H
#define VXDP_LOADER_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "error.h"

/** ask_nics() - names of all NICs that are attached, or were and are not cleaned up; sorted */
json_t *ask_nics(void);

/** ask_nic_arg() - check a NIC's name given by the user. Return: 0 or -EINVAL. */
int ask_nic_arg(const char *nic, struct vx_error *error);

/**
 * ask_process() - send {"cmd":@cmd} or, with @port, {"cmd":@cmd,"port":@port} to the NIC's process
 * @reply: a new reference without "ok"; NULL if it is of no interest
 * @runs: set to whether there is such a process
 * Return: 0 or -errno.
 */
int ask_process(const char *nic, const char *cmd, const char *port, struct vx_error *error,
		json_t **reply, bool *runs);

/**
 * ask_status(), ask_stats() - what status -j and stats -j print of one NIC
 * Return: 0; -ENOENT if it is not attached; -errno.
 */
int ask_status(const char *nic, struct vx_error *error, json_t **status);
int ask_stats(const char *nic, struct vx_error *error, json_t **stats);

#endif /* VXDP_LOADER_ASK_H */
