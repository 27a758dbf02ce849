// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp __complete WORD... - what could stand in place of the last word, one a line. ":files" is
 * for the shell to complete a file name. Asked by vxdp.bash; says nothing rather than anything
 * wrong.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "fdb_args.h"
#include "out.h"
#include "policy.h"
#include "vxdp/util.h"
#include "words.h"

/* What the words before the last one mean. */
struct place {
	const struct command *command; /* NULL: none yet */
	const struct opt *value_of;    /* option whose value is being typed, or NULL */
	struct operands operands;      /* before the last word */
};

static const struct opt *find_option(const struct command *command, const char *word)
{
	const struct opt *tables[] = {command ? command->opts : NULL, opts_global_table};

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct opt *o = tables[t]; o && o->name; o++) {
			if (word[1] == '-' ? !strcmp(word + 2, o->name)
					   : word[1] == o->letter && !word[2])
				return o;
		}
	}
	return NULL;
}

static void take_word(struct place *p, const char *word)
{
	const struct opt *opt;

	p->value_of = NULL;
	if (word[0] == '-' && word[1]) {
		opt = find_option(p->command, word);
		if (opt && opts_takes_value(opt))
			p->value_of = opt;
	} else if (!p->command) {
		p->command = command_find(word);
	} else if (p->operands.n < OPERANDS_MAX) {
		p->operands.v[p->operands.n++] = word;
	}
}

static struct place find_place(int n, char *const words[])
{
	struct place p = {0};

	for (int i = 0; i < n; i++) {
		if (p.value_of)
			p.value_of = NULL; /* this word is its value */
		else
			take_word(&p, words[i]);
	}
	return p;
}

static void print_words(const char *const *words)
{
	for (; words && *words; words++)
		out_text("%s\n", *words);
}

static void print_netdevs(void)
{
	struct if_nameindex *list = if_nameindex();

	for (struct if_nameindex *i = list; i && i->if_name; i++)
		out_text("%s\n", i->if_name);
	if (list)
		if_freenameindex(list);
}

static void print_attached(void)
{
	json_auto_t *names = ask_nics();
	json_t *name;
	size_t i;

	json_array_foreach(names, i, name) out_text("%s\n", json_string_value(name));
}

/* @all: also those which are no guests */
static void print_ports(const char *nic, bool all)
{
	json_auto_t *status = NULL;
	json_t *port;
	size_t i;

	if (!nic || ask_status(nic, NULL, &status))
		return;
	if (all)
		out_text("uplink\nhost\n");
	json_array_foreach(json_object_get(status, "ports"), i, port)
		out_text("%s\n", out_str(port, "name"));
}

static const char *operand(const struct place *p, unsigned int i)
{
	return i < p->operands.n ? p->operands.v[i] : NULL;
}

static void print_values(const struct place *p)
{
	const struct opt *opt = p->value_of;

	if (opt->kind == OPT_WORD)
		print_words(opt->words);
	else if (opt->complete == COMPLETE_FILE)
		out_text(":files\n");
	else if (opt->complete == COMPLETE_NETDEV)
		print_netdevs();
	else if (opt->complete == COMPLETE_PORT)
		print_ports(operand(p, 0), true);
	else if (opt->complete == COMPLETE_NIC)
		print_netdevs();
	else if (opt->complete == COMPLETE_SWITCH)
		print_attached();
}

static void print_options(const struct opt *table)
{
	for (; table && table->name; table++)
		out_text("--%s\n", table->name);
}

static void print_fdb(const struct place *p)
{
	static const char *const words[] = {"dev", "vlan", "static", "dynamic", NULL};
	const char *last = operand(p, p->operands.n - 1);
	unsigned int n_before_nic = 0;

	for (const char *const *a = fdb_actions; *a && p->operands.n; a++)
		n_before_nic |= !strcmp(*a, p->operands.v[0]);
	if (!p->operands.n)
		print_words(fdb_actions);
	if (p->operands.n == n_before_nic)
		print_attached();
	else if (!strcmp(last, "dev"))
		print_ports(operand(p, n_before_nic), true);
	else if (strcmp(last, "vlan") && strcmp(p->operands.v[0], "ageing"))
		print_words(words);
}

static void print_port_words(const struct place *p)
{
	unsigned int i = p->operands.n && words_index(port_actions, p->operands.v[0]) >= 0;
	bool sets = i && !strcmp(p->operands.v[0], "set");
	int key;

	if (!p->operands.n)
		print_words(port_actions);
	if (p->operands.n == i) {
		print_attached();
	} else if (p->operands.n == i + 1) {
		print_ports(operand(p, i), true);
	} else if (sets && (p->operands.n - i) % 2 == 0) {
		print_words(policy_keys);
	} else if (sets) {
		key = words_index(policy_keys, operand(p, p->operands.n - 1));
		print_words(key >= 0 ? policy_values(key) : NULL);
	}
}

static void print_commands(void)
{
	for (const struct command *const *c = commands; *c; c++)
		out_text("%s\n", (*c)->name);
}

static void print_operands(const struct place *p)
{
	const struct command *c = p->command;

	if (c == &cmd_fdb) {
		print_fdb(p);
	} else if (c == &cmd_port) {
		print_port_words(p);
	} else if (c == &cmd_help) {
		print_commands();
	} else if (p->operands.n >= c->n_operands_max) {
		return;
	} else if (p->operands.n == 1) { /* detach, stats */
		print_ports(operand(p, 0), c == &cmd_stats);
	} else if (c == &cmd_attach || c == &cmd_features) {
		print_netdevs();
	} else {
		print_attached();
	}
}

int complete(int argc, char *const argv[])
{
	const char *word = argc > 0 ? argv[argc - 1] : "";
	struct place p = find_place(MAX(argc - 1, 0), argv);

	if (p.value_of) {
		print_values(&p);
	} else if (word[0] == '-') {
		print_options(p.command ? p.command->opts : NULL);
		print_options(opts_global_table);
	} else if (p.command) {
		print_operands(&p);
	} else {
		print_commands();
	}
	return out_flush(NULL) ? VX_FAILED : VX_OK;
}
