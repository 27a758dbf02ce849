/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steer.h - rules of a NIC that give a guest's frames a receive queue of their own.
 *
 * What was asked of the NIC and is to be undone is remembered here; asking it is steer_nic.h, or
 * whatever a test brings.
 */
#ifndef VXDP_LOADER_STEER_H
#define VXDP_LOADER_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include <vxdp/abi.h>

/* "Frames to this address go to this queue." */
struct steer_rule {
	uint8_t mac[6];
	uint16_t queue;
};

/* Return 0 or -errno. */
struct steer_ops {
	/* @place: how to name the rule when it is to go */
	int (*rule_add)(void *nic, const struct steer_rule *rule, uint32_t *place);
	int (*rule_del)(void *nic, uint32_t place);
	/* Everything without a rule goes to the first @n_queues; 0: as it was before */
	int (*spread)(void *nic, unsigned int n_queues);
};

struct steer {
	const struct steer_ops *ops;
	void *nic;
	unsigned int n_queues; /* of the NIC */
	unsigned int n_rules;
	unsigned int n_spread; /* 0: as it was before */
	struct steer_rule rule[VXDP_NIC_QUEUES_MAX];
	uint32_t place[VXDP_NIC_QUEUES_MAX];
};

/**
 * steer_set() - have these rules, and no others
 * @wanted: each for one of the last @n queues of the NIC
 *
 * A queue with a rule gets nothing else: all other frames are kept to the queues before them. No
 * queue may be in use by a guest that it has no rule for, neither before nor after.
 *
 * Return: 0, or -errno with everything undone.
 */
int steer_set(struct steer *s, const struct steer_rule *wanted, unsigned int n);

/** steer_clear() - undo all of it */
void steer_clear(struct steer *s);

#endif /* VXDP_LOADER_STEER_H */
