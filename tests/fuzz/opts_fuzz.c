// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * opts_fuzz.c - any command line against the option tables: words separated by NUL, the first one
 * the command's name.
 *
 * Besides not failing: a refused line has a reason, and what `attach` accepts comes out the same
 * after it was sent to another process as a request.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "loader/attach_args.h"
#include "loader/commands.h"
#include "loader/fdb_args.h"
#include "vxdp/util.h"

#define WORDS_MAX 64
#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* main.c's, which is not linked here. */
const struct command *const commands[] = {
	&cmd_attach, &cmd_detach,   &cmd_status, &cmd_stats,   &cmd_fdb,
	&cmd_dump,   &cmd_features, &cmd_help,	 &cmd_version, NULL,
};

const struct command *command_find(const char *name)
{
	for (unsigned int i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

int command_unknown(const char *name, struct vx_error *error)
{
	return vx_fail_usage(error, "no command '%s'", name);
}

static void check_refused(int err, const struct vx_error *error)
{
	if (!err)
		return;
	assert(error->code != VX_OK && error->message[0]);
	json_decref(vx_error_json(error));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void check_attach(struct attach_args args)
{
	struct attach_strings strings;
	struct vx_error error = {0};
	struct attach_args again;
	json_t *request;
	int err = attach_args_complete(&args, &strings, &error);

	check_refused(err, &error);
	if (err)
		return;
	request = attach_args_pack(&args);
	assert(!attach_args_unpack(&again, request, args.fd, &error));
	assert(same_text(args.socket_path, again.socket_path) && args.fd == again.fd);
	assert(same_text(args.name, again.name) && same_text(args.role, again.role));
	assert(same_text(args.lane, again.lane) && same_text(args.tcp_lane, again.tcp_lane));
	assert(args.tap_xdp == again.tap_xdp);
	assert(same_text(args.mode, again.mode) && same_text(args.poll, again.poll));
	assert(args.queues == again.queues && args.mtu == again.mtu);
	assert(args.may_exist == again.may_exist && args.dedicated == again.dedicated);
	assert(args.share_xdp == again.share_xdp);
	assert(args.cpus.n == again.cpus.n &&
	       !memcmp(args.cpus.cpu, again.cpus.cpu, args.cpus.n * sizeof(args.cpus.cpu[0])));
	assert(!attach_args_conflict(&again, &args, &error));
	json_decref(request);
}

static void check_fdb(const struct operands *operands)
{
	struct vx_error error = {0};
	struct fdb_args args;
	int err = fdb_args_parse(operands, &args, &error);

	check_refused(err, &error);
	assert(err || (args.nic && (args.vlan == FDB_VLAN_ANY ||
				    (args.vlan >= 0 && args.vlan <= (int)VXDP_VLAN_MAX))));
	assert(err || args.ageing_s <= FDB_AGEING_MAX_S);
}

static void parse(const struct command *command, int argc, char *const argv[])
{
	_Alignas(max_align_t) char args[1024];
	struct opts_global global = {0};
	struct vx_error error = {0};
	struct operands operands;
	int err;

	assert(command->args_bytes <= sizeof(args));
	err = opts_parse(command, argc, argv, args, &operands, &global, &error);
	check_refused(err, &error);
	if (err || global.help || global.version || global.print_capabilities)
		return;
	if (command == &cmd_attach)
		check_attach(*(struct attach_args *)args);
	else if (command == &cmd_fdb)
		check_fdb(&operands);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[BYTES_MAX + 1], *argv[WORDS_MAX], *next = line;
	struct opts_global global = {0};
	struct vx_error error = {0};
	const struct command *command;
	int argc = 0, n;

	if (size > BYTES_MAX)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	while (next <= line + size && argc < WORDS_MAX) {
		argv[argc++] = next;
		next += strlen(next) + 1;
	}
	n = opts_parse_global(argc, argv, &global, &error);
	check_refused(MIN(n, 0), &error);
	if (n < 0 || n >= argc)
		return 0;
	command = command_find(argv[n]);
	if (command)
		parse(command, argc - n - 1, argv + n + 1);
	return 0;
}
