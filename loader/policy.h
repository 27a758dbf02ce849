/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - what the user allows a port, in words: those of `vxdp port set`, and some of them as
 * options of `vxdp attach`.
 */
#ifndef VXDP_LOADER_POLICY_H
#define VXDP_LOADER_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "pins.h"

#define POLICY_MACS_MAX 64 /* addresses one port may be held to */

enum policy_key {
	POLICY_VLAN,
	POLICY_TRUNK,
	POLICY_NATIVE,
	POLICY_ISOLATED,
	POLICY_LEARNING,
	POLICY_FLOOD,
	POLICY_STORM,
	POLICY_MAC_LIMIT,
	POLICY_SPOOF_CHECK,
	POLICY_MAC,
};

/** policy_keys - the words for enum policy_key, ending with NULL */
extern const char *const policy_keys[];

/** policy_values() - the words a key takes, ending with NULL; NULL if it takes others */
const char *const *policy_values(enum policy_key key);

/* What is to change, and to what. All zeros: nothing. */
struct policy_change {
	unsigned int given; /* 1 << enum policy_key */
	uint32_t flags;	    /* VXDP_POLICY_* that change */
	struct vxdp_policy to;
	uint8_t macs[POLICY_MACS_MAX][6];
	int n_macs;
};

/**
 * policy_change_take() - one key and its value
 * Return: 0, or -EINVAL with a usage error.
 */
int policy_change_take(struct policy_change *change, const char *key, const char *value,
		       struct vx_error *error);

/**
 * policy_change_check() - after the last one: do they go together?
 * Return: 0, or -EINVAL with a usage error.
 */
int policy_change_check(const struct policy_change *change, struct vx_error *error);

/**
 * policy_change_apply() - change the policy of a port, in every lane at once
 * @port: its id; the name is for errors
 * Return: 0 or -errno with @error set.
 */
int policy_change_apply(const struct policy_change *change, const struct vxdp_pins *pins,
			uint32_t port, const char *name, struct vx_error *error);

/** policy_json() - what is allowed the port: a new object */
json_t *policy_json(const struct vxdp_pins *pins, uint32_t port);

/** policy_add() - to each of a list of ports with an "id", as "policy" */
void policy_add(const struct vxdp_pins *pins, json_t *ports);

/** policy_is_open() - does such an object say that everything is allowed? */
bool policy_is_open(const json_t *policy);

/** policy_print() - such an object as the words of `vxdp port set` */
void policy_print(const json_t *policy);

#endif /* VXDP_LOADER_POLICY_H */
