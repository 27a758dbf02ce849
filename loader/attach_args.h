/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach_args.h - what `vxdp attach` can be told: the options, the rules between them, and the
 * same as a request to the process that has the switch already.
 */
#ifndef VXDP_LOADER_ATTACH_ARGS_H
#define VXDP_LOADER_ATTACH_ARGS_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "bpf.h"
#include "opts.h"
#include "policy.h"

#define ATTACH_NAME_MAX 15 /* as in struct vxdp_port */

/* All strings point into argv, into the request, or into constants. NULL and 0: not given. */
struct attach_args {
	/* the port */
	const char *socket_path;
	int fd; /* -1: none */
	const char *tap;
	const char *owner, *group; /* of a tap that is made */
	const char *name;
	const char *role;
	const char *lane;
	const char *tcp_lane;
	bool tap_xdp;
	unsigned int queues;
	unsigned int mtu;
	bool may_exist;
	const char *vlan, *trunk, *native, *mac; /* what it is allowed (policy.h) */
	bool isolated;
	/* a further NIC */
	const char *uplink;
	const char *standby_for;
	/* the process, which all ports of a switch share */
	const char *switch_name; /* not in a request: the process knows it */
	const char *mode;
	const char *poll;
	struct opt_cpus cpus;
	bool dedicated;
	bool share_xdp;
};

/* Room for what attach_args_complete() makes up. */
struct attach_strings {
	char path[PATH_MAX];
	char name[ATTACH_NAME_MAX + 1];
};

extern const struct opt attach_options[];
extern const struct attach_args attach_defaults;

/**
 * attach_args_complete() - check the port's options together and fill in what follows from others
 *
 * The socket's path becomes absolute, and the port gets a name if it has none.
 * Return: 0, or -EINVAL with a usage error.
 */
int attach_args_complete(struct attach_args *args, struct attach_strings *strings,
			 struct vx_error *error);

/**
 * attach_args_policy() - what the port is to be allowed
 * Return: 0, or -EINVAL with a usage error.
 */
int attach_args_policy(const struct attach_args *args, struct policy_change *change,
		       struct vx_error *error);

/**
 * attach_args_pack() - completed args as members of a request, named like the options
 * Return: a new object.
 */
json_t *attach_args_pack(const struct attach_args *args);

/**
 * attach_args_unpack() - the reverse, by the parser of the command line with all its checks
 * @request: stays the owner of the strings
 * @fd: descriptor that came with it, or -1
 */
int attach_args_unpack(struct attach_args *args, const json_t *request, int fd,
		       struct vx_error *error);

/**
 * attach_args_without_xdp() - does the port ask for what there is not in VXDP_XDP_NONE?
 * @mode: what the NICs of the switch are attached with
 * Return: 0, or -EOPNOTSUPP with @error saying which option.
 */
int attach_args_without_xdp(const struct attach_args *args, enum vxdp_xdp_mode mode,
			    struct vx_error *error);

/**
 * attach_args_conflict() - does @wanted ask for another process than the @running one?
 * Return: 0, or -EBUSY with @error saying which option.
 */
int attach_args_conflict(const struct attach_args *wanted, const struct attach_args *running,
			 struct vx_error *error);

/** attach_args_guest() - is a guest to be attached? */
bool attach_args_guest(const struct attach_args *args);

/** attach_absolute() - @path made absolute into @out. Return: 0 or -errno. */
int attach_absolute(const char *path, char *out, size_t bytes);

#endif /* VXDP_LOADER_ATTACH_ARGS_H */
