// SPDX-License-Identifier: GPL-2.0-or-later
/* Help out of the option tables, as text and as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "out.h"
#include "vxdp/util.h"

#define HELP_COLUMN 26

static void print_option(const struct opt *opt)
{
	char left[128], letter[8] = "";
	int width;

	if (opt->letter)
		snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, opt->name,
		 opts_takes_value(opt) ? " " : "", opts_takes_value(opt) ? opt->value : "");
	width = strlen(left);
	if (width > HELP_COLUMN)
		out_text("  %s\n  %*s  %s\n", left, HELP_COLUMN, "", opt->help);
	else
		out_text("  %-*s  %s\n", HELP_COLUMN, left, opt->help);
}

static void print_options(const char *title, const struct opt *table)
{
	if (!table || !table->name)
		return;
	out_text("\n%s\n", title);
	for (; table->name; table++)
		print_option(table);
}

static void print_command(const struct command *command)
{
	out_text("usage: vxdp %s%s%s\n\n  %s\n", command->name, *command->operands ? " " : "",
		 command->operands, command->summary);
	print_options("options:", command->opts);
	print_options("options of every command:", opts_global_table);
}

static void print_all(void)
{
	out_text("vxdp " VXDP_VERSION " - put a virtual machine on the wire\n\n"
		 "usage: vxdp [COMMAND] [OPTION...]; no command is the same as status\n\n");
	for (const struct command *const *c = commands; *c; c++) {
		out_text("  %s%s%s\n", (*c)->name, *(*c)->operands ? " " : "", (*c)->operands);
		out_text("  %*s  %s\n", 8, "", (*c)->summary);
	}
	print_options("options of every command:", opts_global_table);
	out_text("\nvxdp help COMMAND says more; vxdp(8) says all.\n");
}

static json_t *json_options(const struct opt *table)
{
	json_t *list = json_array(), *entry;
	char letter[2] = "";

	for (; table && table->name; table++) {
		letter[0] = table->letter;
		entry = json_pack("{s:s,s:s,s:s?,s:s}", "name", table->name, "letter", letter,
				  "value", table->value, "help", table->help);
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *json_command(const struct command *c)
{
	return json_pack("{s:s,s:s,s:s,s:o}", "name", c->name, "operands", c->operands, "summary",
			 c->summary, "options", json_options(c->opts));
}

static json_t *json_all(void)
{
	json_t *list = json_array();

	for (const struct command *const *c = commands; *c; c++)
		json_array_append_new(list, json_command(*c));
	return json_pack("{s:o,s:o}", "commands", list, "options", json_options(opts_global_table));
}

void help_command(const struct command *command)
{
	json_auto_t *document = NULL;

	if (out_is_json()) {
		document = command ? json_command(command) : json_all();
		out_result(document, NULL);
	} else if (command) {
		print_command(command);
	} else {
		print_all();
	}
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	const struct command *command = NULL;

	if (operands->n) {
		command = command_find(operands->v[0]);
		if (!command)
			return command_unknown(operands->v[0], error);
	}
	help_command(command);
	return 0;
}

const struct command cmd_help = {
	.name = "help",
	.operands = "[COMMAND]",
	.summary = "say how vxdp, or a command, is used",
	.n_operands_max = 1,
	.run = run,
};
