/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdb_args.h - the words of `vxdp fdb`, which are those of `bridge fdb`:
 *
 *	[show] NIC [dev PORT] [vlan N]
 *	add NIC MAC dev PORT [vlan N] [static]
 *	del NIC MAC [vlan N]
 *	flush NIC [dev PORT] [vlan N] [dynamic]
 *	ageing NIC [SECONDS]
 *
 * "port" may be said for "dev".
 */
#ifndef VXDP_LOADER_FDB_ARGS_H
#define VXDP_LOADER_FDB_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "opts.h"

enum fdb_action { FDB_SHOW, FDB_ADD, FDB_DEL, FDB_FLUSH, FDB_AGEING };

#define FDB_VLAN_ANY -1

/* Lanes refresh the addresses they use about once a second. */
#define FDB_AGEING_MIN_S 2u
#define FDB_AGEING_MAX_S 1000000u

struct fdb_args {
	enum fdb_action action;
	const char *nic;
	const char *port; /* NULL: not given */
	uint8_t mac[6];
	int vlan;	 /* FDB_VLAN_ANY: not given */
	bool is_static;	 /* add: neither ages nor moves */
	bool is_dynamic; /* flush: spare static entries */
	bool sets_ageing;
	uint32_t ageing_s; /* 0: addresses do not age */
};

/** fdb_actions - the words for enum fdb_action, ending with NULL */
extern const char *const fdb_actions[];

/** fdb_args_parse() - Return: 0, or -EINVAL with a usage error */
int fdb_args_parse(const struct operands *operands, struct fdb_args *args, struct vx_error *error);

#endif /* VXDP_LOADER_FDB_ARGS_H */
