// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdb_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vxdp/util.h"

const char *const fdb_actions[] = {
	[FDB_SHOW] = "show", [FDB_ADD] = "add", [FDB_DEL] = "del", [FDB_FLUSH] = "flush", NULL};

enum fdb_word { WORD_DEV, WORD_VLAN, WORD_STATIC, WORD_DYNAMIC };

static const char *const words[] = {[WORD_DEV] = "dev",
				    [WORD_VLAN] = "vlan",
				    [WORD_STATIC] = "static",
				    [WORD_DYNAMIC] = "dynamic",
				    NULL};

/* Which words may follow which action. */
static const unsigned int allowed[] = {
	[FDB_SHOW] = 1u << WORD_DEV | 1u << WORD_VLAN,
	[FDB_ADD] = 1u << WORD_DEV | 1u << WORD_VLAN | 1u << WORD_STATIC | 1u << WORD_DYNAMIC,
	[FDB_DEL] = 1u << WORD_VLAN | 1u << WORD_DEV,
	[FDB_FLUSH] = 1u << WORD_DEV | 1u << WORD_VLAN | 1u << WORD_DYNAMIC,
};

static int index_of(const char *const *list, const char *word)
{
	for (int i = 0; list[i]; i++) {
		if (!strcmp(list[i], word))
			return i;
	}
	return -1;
}

static const char *next_word(const void *list, unsigned int i)
{
	return ((const char *const *)list)[i];
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* "52:54:00:12:34:56", one or two digits a byte */
static bool parse_mac(const char *text, uint8_t mac[6])
{
	int value, digit, n_digits;

	for (int i = 0; i < 6; i++) {
		value = 0;
		for (n_digits = 0; n_digits < 2 && (digit = hex(*text)) >= 0; n_digits++, text++)
			value = value * 16 + digit;
		if (!n_digits || *text != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = value;
		text++;
	}
	return true;
}

static int take_mac(const char *text, struct fdb_args *args, struct vx_error *error)
{
	static const uint8_t zero[6];

	if (!parse_mac(text, args->mac))
		return vx_fail_usage(error, "'%s' is no address such as 52:54:00:12:34:56", text);
	if (args->mac[0] & 1 || !memcmp(args->mac, zero, sizeof(zero)))
		return vx_fail_usage(error, "%s is not the address of one station", text);
	return 0;
}

static int take_vlan(const char *text, struct fdb_args *args, struct vx_error *error)
{
	int vlan = 0, n = 0;

	for (; text[n] >= '0' && text[n] <= '9' && n < 5; n++)
		vlan = vlan * 10 + text[n] - '0';
	if (!n || text[n] || vlan > FDB_VLAN_MAX)
		return vx_fail_usage(error, "a VLAN is a number from 0 (untagged) to %d, not '%s'",
				     FDB_VLAN_MAX, text);
	args->vlan = vlan;
	return 0;
}

static int refuse_word(const struct fdb_args *args, const char *word, struct vx_error *error)
{
	int err = vx_fail_usage(error, "fdb %s: '%s' does not belong here",
				fdb_actions[args->action], word);
	const char *near = opts_nearest(word, next_word, words);

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
	int which = index_of(words, word);

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
	case WORD_VLAN:
		break;
	}
	if (!value)
		return vx_fail_usage(error, "fdb: '%s' needs a value", word);
	if (which == WORD_DEV)
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
	action = operands->n ? index_of(fdb_actions, operands->v[0]) : -1;
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
		if (take_mac(operands->v[i++], args, error))
			return -EINVAL;
	}
	for (; i < operands->n; i += n) {
		n = take_word(operands->v[i], i + 1 < operands->n ? operands->v[i + 1] : NULL, args,
			      error);
		if (n < 0)
			return n;
	}
	return check(args, error);
}
