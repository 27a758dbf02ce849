/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * In an order in which a queue that has a rule never gets a frame of somebody else:
 *
 *   1. rules that are not wanted go: their frames are spread like all others
 *   2. the others are spread over fewer queues, or more
 *   3. new rules come
 *
 * If the NIC refuses anything, all of it is undone: a guest then has no queue of its own.
 */
#include "steer.h"

#include <errno.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

static bool same(const struct steer_rule *a, const struct steer_rule *b)
{
	return a->queue == b->queue && !memcmp(a->mac, b->mac, sizeof(a->mac));
}

static bool has(const struct steer_rule *rules, unsigned int n, const struct steer_rule *rule)
{
	for (unsigned int i = 0; i < n; i++)
		if (same(&rules[i], rule))
			return true;
	return false;
}

static void rule_del(struct steer *s, unsigned int i)
{
	int err = s->ops->rule_del(s->nic, s->place[i]);

	if (err && err != -ENOENT)
		log_warn("cannot remove steering rule %u: %s", s->place[i], strerror(-err));
	s->n_rules--;
	s->rule[i] = s->rule[s->n_rules];
	s->place[i] = s->place[s->n_rules];
}

static int spread(struct steer *s, unsigned int n_queues)
{
	int err;

	if (n_queues == s->n_spread)
		return 0;
	err = s->ops->spread(s->nic, n_queues);
	if (!err)
		s->n_spread = n_queues;
	return err;
}

static int rules_add(struct steer *s, const struct steer_rule *wanted, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int err;

		if (has(s->rule, s->n_rules, &wanted[i]))
			continue;
		err = s->ops->rule_add(s->nic, &wanted[i], &s->place[s->n_rules]);
		if (err)
			return err;
		s->rule[s->n_rules++] = wanted[i];
	}
	return 0;
}

int steer_set(struct steer *s, const struct steer_rule *wanted, unsigned int n)
{
	int err;

	if (n && n >= s->n_queues)
		return -ENOSPC;
	for (unsigned int i = 0; i < s->n_rules; i++)
		if (!has(wanted, n, &s->rule[i]))
			rule_del(s, i--);
	err = spread(s, n ? s->n_queues - n : 0);
	if (!err)
		err = rules_add(s, wanted, n);
	if (err)
		steer_clear(s);
	return err;
}

void steer_clear(struct steer *s)
{
	int err;

	while (s->n_rules)
		rule_del(s, s->n_rules - 1);
	err = spread(s, 0);
	if (err)
		log_warn("cannot spread frames over all queues again: %s", strerror(-err));
	s->n_spread = 0;
}
