/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * privileges.h - what the process may do: checked at the start, reduced before the first thread.
 */
#ifndef VXDP_LOADER_PRIVILEGES_H
#define VXDP_LOADER_PRIVILEGES_H

#include "error.h"

/** privileges_check() - Return: 0, or -EPERM if attaching cannot work as this user */
int privileges_check(struct vx_error *error);

/** privileges_raise_limits() - as many descriptors and as much locked memory as allowed */
void privileges_raise_limits(void);

/**
 * privileges_drop() - give up, for good, every capability the data path does not use
 *
 * Affects the calling thread and those it starts later, so call it before the first one.
 */
int privileges_drop(struct vx_error *error);

#endif /* VXDP_LOADER_PRIVILEGES_H */
