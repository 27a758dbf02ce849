// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdb_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vxdp/util.h"
#include "words.h"

const char *const fdb_actions[] = {
	[FDB_SHOW] = "show",   [FDB_ADD] = "add",	[FDB_DEL] = "del",
	[FDB_FLUSH] = "flush", [FDB_AGEING] = "ageing", NULL};

enum fdb_word { WORD_DEV, WORD_PORT, WORD_VLAN, WORD_STATIC, WORD_DYNAMIC };

/* Two words for the same. */
#define WORDS_PORT (1u << WORD_DEV | 1u << WORD_PORT)

static const char *const words[] = {
	[WORD_DEV] = "dev",	  [WORD_PORT] = "port",	      [WORD_VLAN] = "vlan",
	[WORD_STATIC] = "static", [WORD_DYNAMIC] = "dynamic", NULL};

/* Which words may follow which action. */
static const unsigned int allowed[] = {
	[FDB_SHOW] = WORDS_PORT | 1u << WORD_VLAN,
	[FDB_ADD] = WORDS_PORT | 1u << WORD_VLAN | 1u << WORD_STATIC | 1u << WORD_DYNAMIC,
	[FDB_DEL] = 1u << WORD_VLAN | WORDS_PORT,
	[FDB_FLUSH] = WORDS_PORT | 1u << WORD_VLAN | 1u << WORD_DYNAMIC,
	[FDB_AGEING] = 0,
};

static int take_vlan(const char *text, struct fdb_args *args, struct vx_error *error)
{
	uint32_t vlan;
	int err = words_uint(text, "a VLAN (0: untagged)", 0, VXDP_VLAN_MAX, &vlan, error);

	if (!err)
		args->vlan = (int)vlan;
	return err;
}

static int take_ageing(const char *text, struct fdb_args *args, struct vx_error *error)
{
	int err = words_uint(text, "a number of seconds (0: never)", 0, FDB_AGEING_MAX_S,
			     &args->ageing_s, error);

	if (err)
		return err;
	if (args->ageing_s && args->ageing_s < FDB_AGEING_MIN_S)
		return vx_fail_usage(error,
				     "addresses in use are refreshed once a second: "
				     "not less than %u seconds",
				     FDB_AGEING_MIN_S);
	args->sets_ageing = true;
	return 0;
}

static int refuse_word(const struct fdb_args *args, const char *word, struct vx_error *error)
{
	int err = vx_fail_usage(error, "fdb %s: '%s' does not belong here",
				fdb_actions[args->action], word);
	const char *near = opts_nearest(word, words_next, words);

	if (near && strcmp(near, word))
		vx_hint(error, "did you mean '%s'?", near);
	else
		vx_hint(error, "see: vxdp help fdb");
	return err;
}

/* One word and its value. Return: number of words taken, or -EINVAL. */
static int take_word(const char *word, const char *value, struct fdb_args *args,
		     struct vx_error *error)
{
	int which = words_index(words, word);

	if (which < 0 || !(allowed[args->action] & 1u << which))
		return refuse_word(args, word, error);
	switch ((enum fdb_word)which) {
	case WORD_STATIC:
		args->is_static = true;
		return 1;
	case WORD_DYNAMIC:
		args->is_dynamic = true;
		return 1;
	case WORD_DEV:
	case WORD_PORT:
	case WORD_VLAN:
		break;
	}
	if (!value)
		return vx_fail_usage(error, "fdb: '%s' needs a value", word);
	if (which != WORD_VLAN)
		args->port = value;
	else if (take_vlan(value, args, error))
		return -EINVAL;
	return 2;
}

static int check(const struct fdb_args *args, struct vx_error *error)
{
	if (args->action == FDB_ADD && !args->port) {
		vx_fail_usage(error, "fdb add: behind which port?");
		vx_hint(error, "usage: vxdp fdb add NIC MAC dev PORT [vlan N] [static]");
		return -EINVAL;
	}
	if (args->is_static && args->is_dynamic)
		return vx_fail_usage(error, "an entry is either static or dynamic");
	return 0;
}

int fdb_args_parse(const struct operands *operands, struct fdb_args *args, struct vx_error *error)
{
	unsigned int i = 0;
	int action, n = 0;

	*args = (struct fdb_args){.action = FDB_SHOW, .vlan = FDB_VLAN_ANY};
	action = operands->n ? words_index(fdb_actions, operands->v[0]) : -1;
	if (action >= 0) {
		args->action = action;
		i++;
	}
	if (i >= operands->n)
		return vx_fail_usage(error, "fdb: of which NIC?");
	args->nic = operands->v[i++];
	if (args->action == FDB_ADD || args->action == FDB_DEL) {
		if (i >= operands->n)
			return vx_fail_usage(error, "fdb %s: which address?",
					     fdb_actions[args->action]);
		if (words_mac(operands->v[i++], args->mac, error))
			return -EINVAL;
	}
	if (args->action == FDB_AGEING && i < operands->n &&
	    take_ageing(operands->v[i++], args, error))
		return -EINVAL;
	for (; i < operands->n; i += n) {
		n = take_word(operands->v[i], i + 1 < operands->n ? operands->v[i + 1] : NULL, args,
			      error);
		if (n < 0)
			return n;
	}
	return check(args, error);
}
