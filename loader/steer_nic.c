/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A rule is an n-tuple rule of type ETHER_FLOW that looks at the destination address only. Drivers
 * either choose a place for it themselves (RX_CLS_LOC_ANY), or want one to be named: then it is
 * the last free one, where rules of others are least likely to come.
 *
 * Frames without a rule are spread by the hash indirection table. The one that was there is kept
 * and put back; after kill -9 it is the driver's default that is put back.
 *
 * Written from the kernel's interface (include/uapi/linux/ethtool.h, net/ethtool/ioctl.c): no NIC
 * that takes such rules was at hand.
 */
#include "steer_nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "ethtool.h"
#include "state.h"

#define TABLE_MAX  4096 /* entries of an indirection table */
#define PLACES_MAX 65536

struct ethtool_rx_flow_spec steer_nic_rule(const struct steer_rule *rule, uint32_t place)
{
	struct ethtool_rx_flow_spec spec = {
		.flow_type = ETHER_FLOW,
		.ring_cookie = rule->queue,
		.location = place,
	};

	memcpy(spec.h_u.ether_spec.h_dest, rule->mac, sizeof(rule->mac));
	memset(spec.m_u.ether_spec.h_dest, 0xff, sizeof(rule->mac));
	return spec;
}

bool steer_nic_may(const struct nic_info *nic)
{
	return nic->ntuple || !nic->ntuple_fixed;
}

/* ---- Rules ---- */

static void rule_name(char *what, size_t bytes, uint32_t place)
{
	snprintf(what, bytes, STATE_RULE "%u", place);
}

/* The last place without a rule. */
static int free_place(const char *nic, uint32_t n_rules, uint32_t n_places, uint32_t *place)
{
	_cleanup_free_ struct ethtool_rxnfc *all =
		calloc(1, sizeof(*all) + n_rules * sizeof(all->rule_locs[0]));
	int err;

	if (!all)
		return -ENOMEM;
	all->cmd = ETHTOOL_GRXCLSRLALL;
	all->rule_cnt = n_rules;
	err = ethtool_ioctl(nic, all);
	if (err < 0)
		return err;
	for (uint32_t at = n_places; at-- > 0;) {
		bool taken = false;

		for (uint32_t i = 0; i < MIN(all->rule_cnt, n_rules); i++)
			taken |= all->rule_locs[i] == at;
		if (taken)
			continue;
		*place = at;
		return 0;
	}
	return -ENOSPC;
}

static int choose_place(const char *nic, uint32_t *place)
{
	struct ethtool_rxnfc count = {.cmd = ETHTOOL_GRXCLSRLCNT};
	int err = ethtool_ioctl(nic, &count);

	if (err < 0)
		return err;
	*place = RX_CLS_LOC_ANY;
	if (count.data & RX_CLS_LOC_SPECIAL)
		return 0;
	if (!count.data || count.data > PLACES_MAX || count.rule_cnt > PLACES_MAX)
		return -EOPNOTSUPP;
	return free_place(nic, count.rule_cnt, (uint32_t)count.data, place);
}

static int ntuple_on(const struct nic_info *nic)
{
	struct ethtool_feature now;
	int err = ethtool_feature_get(nic->name, ETHTOOL_NTUPLE, &now);

	if (err || now.on)
		return err;
	err = state_note(nic->name, nic->ifindex, STATE_NTUPLE);
	if (err)
		return err;
	err = ethtool_feature_set(nic->name, ETHTOOL_NTUPLE, true);
	if (err)
		state_forget(nic->name, nic->ifindex, STATE_NTUPLE);
	return err;
}

static int rule_add(void *arg, const struct steer_rule *rule, uint32_t *place)
{
	struct ethtool_rxnfc insert = {.cmd = ETHTOOL_SRXCLSRLINS};
	const struct nic_info *nic = ((struct steer_nic *)arg)->info;
	char what[32];
	int err = ntuple_on(nic);

	if (!err)
		err = choose_place(nic->name, place);
	if (err)
		return err;
	insert.fs = steer_nic_rule(rule, *place);
	/* The kernel writes the place back. */
	err = ethtool_ioctl(nic->name, &insert);
	if (err < 0)
		return err;
	*place = insert.fs.location;
	rule_name(what, sizeof(what), *place);
	return state_note(nic->name, nic->ifindex, what);
}

static int del_at(const char *nic, unsigned int ifindex, uint32_t place)
{
	struct ethtool_rxnfc del = {.cmd = ETHTOOL_SRXCLSRLDEL, .fs.location = place};
	int err = ethtool_ioctl(nic, &del);
	char what[32];

	rule_name(what, sizeof(what), place);
	state_forget(nic, ifindex, what);
	return err < 0 ? err : 0;
}

static int rule_del(void *arg, uint32_t place)
{
	const struct nic_info *nic = ((struct steer_nic *)arg)->info;

	return del_at(nic->name, nic->ifindex, place);
}

/* ---- Spreading ---- */

static int table_get(const char *nic, struct ethtool_rxfh_indir **out)
{
	struct ethtool_rxfh_indir size = {.cmd = ETHTOOL_GRXFHINDIR};
	struct ethtool_rxfh_indir *table;
	int err = ethtool_ioctl(nic, &size);

	if (err < 0)
		return err;
	if (!size.size || size.size > TABLE_MAX)
		return -EOPNOTSUPP;
	table = calloc(1, sizeof(*table) + size.size * sizeof(table->ring_index[0]));
	if (!table)
		return -ENOMEM;
	table->cmd = ETHTOOL_GRXFHINDIR;
	table->size = size.size;
	err = ethtool_ioctl(nic, table);
	if (err < 0)
		free(table);
	else
		*out = table;
	return err < 0 ? err : 0;
}

static int table_set(const char *nic, struct ethtool_rxfh_indir *table)
{
	int err;

	table->cmd = ETHTOOL_SRXFHINDIR;
	err = ethtool_ioctl(nic, table);
	return err < 0 ? err : 0;
}

static int spread_default(const char *nic)
{
	struct ethtool_rxfh_indir none = {.cmd = ETHTOOL_SRXFHINDIR};

	return table_set(nic, &none);
}

static int spread_back(struct steer_nic *s)
{
	const struct nic_info *nic = s->info;
	int err = s->table ? table_set(nic->name, s->table) : 0;

	free(TAKE_PTR(s->table));
	state_forget(nic->name, nic->ifindex, STATE_SPREAD);
	if (state_noted(nic->name, nic->ifindex, STATE_NTUPLE)) {
		ethtool_feature_set(nic->name, ETHTOOL_NTUPLE, false);
		state_forget(nic->name, nic->ifindex, STATE_NTUPLE);
	}
	return err;
}

static int spread(void *arg, unsigned int n_queues)
{
	_cleanup_free_ struct ethtool_rxfh_indir *table = NULL;
	struct steer_nic *s = arg;
	const struct nic_info *nic = s->info;
	int err;

	if (!n_queues)
		return spread_back(s);
	err = s->table ? 0 : table_get(nic->name, &s->table);
	if (!err)
		err = table_get(nic->name, &table);
	if (!err)
		err = state_note(nic->name, nic->ifindex, STATE_SPREAD);
	if (err)
		return err;
	for (uint32_t i = 0; i < table->size; i++)
		table->ring_index[i] = i % n_queues;
	return table_set(nic->name, table);
}

const struct steer_ops steer_nic_ops = {
	.rule_add = rule_add,
	.rule_del = rule_del,
	.spread = spread,
};

int steer_nic_undo(const char *nic, unsigned int ifindex)
{
	char what[32];
	int n = 0;

	while (state_find(nic, ifindex, STATE_RULE, what, sizeof(what))) {
		uint32_t place = (uint32_t)strtoul(what + strlen(STATE_RULE), NULL, 10);
		int err = del_at(nic, ifindex, place);

		if (err && err != -ENOENT)
			log_warn("%s: cannot remove steering rule %u: %s", nic, place,
				 strerror(-err));
		state_forget(nic, ifindex, what);
		n++;
	}
	if (state_noted(nic, ifindex, STATE_SPREAD)) {
		spread_default(nic);
		state_forget(nic, ifindex, STATE_SPREAD);
		n++;
	}
	if (state_noted(nic, ifindex, STATE_NTUPLE)) {
		ethtool_feature_set(nic, ETHTOOL_NTUPLE, false);
		state_forget(nic, ifindex, STATE_NTUPLE);
		n++;
	}
	return n;
}
