// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp - put a virtual machine on the wire. Here: which command was meant, and how it ended.
 */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "out.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

const struct command *const commands[] = {
	&cmd_attach, &cmd_detach,   &cmd_status,  &cmd_stats, &cmd_fdb,	    &cmd_port,
	&cmd_dump,   &cmd_features, &cmd_upgrade, &cmd_help,  &cmd_version, NULL,
};

const struct command *command_find(const char *name)
{
	for (unsigned int i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

static const char *next_command(const void *list, unsigned int i)
{
	return commands[i] ? commands[i]->name : NULL;
}

int command_unknown(const char *name, struct vx_error *error)
{
	const char *near = opts_nearest(name, next_command, NULL);
	int err = vx_fail_usage(error, "no command '%s'", name);

	if (near)
		vx_hint(error, "did you mean '%s'?", near);
	else
		vx_hint(error, "vxdp help lists the commands");
	return err;
}

static void print_capabilities(void)
{
	json_auto_t *document = json_pack("{s:s}", "type", "net");

	out_mode_set(OUT_JSON);
	out_result(document, NULL);
}

/* Options that have to be known before anything else can go wrong. */
static void scan_early(int argc, char *const argv[], struct opts_global *global)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--print-capabilities"))
			global->print_capabilities = true;
		else if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			global->json = true;
		else if (!strcmp(argv[i], "-p") || !strcmp(argv[i], "--pretty"))
			global->pretty = true;
	}
}

static void apply_global(const struct opts_global *global)
{
	if (global->pretty)
		out_mode_set(OUT_JSON_PRETTY);
	else if (global->json)
		out_mode_set(OUT_JSON);
	if (global->verbose)
		vxdp_log_level_set(VXDP_LOG_DEBUG);
}

static int run_command(const struct command *command, int argc, char *const argv[],
		       struct opts_global *global, struct vx_error *error)
{
	_cleanup_free_ void *args = calloc(1, command->args_bytes + 1);
	struct operands operands;
	int err;

	if (!args)
		return vx_fail_errno(error, -ENOMEM, "%s", command->name);
	err = opts_parse(command, argc, argv, args, &operands, global, error);
	if (err)
		return err;
	apply_global(global);
	if (global->version)
		return cmd_version.run(NULL, &operands, error);
	if (!global->help)
		return command->run(args, &operands, error);
	help_command(command);
	return 0;
}

static int run(int argc, char *const argv[], struct opts_global *global, struct vx_error *error)
{
	const struct command *command = &cmd_status;
	int n = opts_parse_global(argc, argv, global, error);

	if (n < 0)
		return n;
	if (n < argc) {
		command = command_find(argv[n]);
		if (!command)
			return command_unknown(argv[n], error);
		n++;
	} else if (global->help) {
		command = &cmd_help;
		global->help = false;
	}
	return run_command(command, argc - n, argv + n, global, error);
}

int main(int argc, char *argv[])
{
	struct opts_global global = {0};
	struct vx_error error = {0};
	int err;

	if (argc > 1 && !strcmp(argv[1], "__complete"))
		return complete(argc - 2, argv + 2);
	scan_early(argc, argv, &global);
	apply_global(&global);
	if (global.print_capabilities) {
		print_capabilities();
		return out_flush(&error) ? VX_FAILED : VX_OK;
	}
	err = run(argc - 1, argv + 1, &global, &error);
	if (!err)
		err = out_flush(&error);
	if (!err)
		return VX_OK;
	out_error(&error);
	out_flush(NULL);
	return error.code;
}
