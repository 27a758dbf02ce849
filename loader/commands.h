/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.h - what vxdp can be told to do. Each cmd_*.c gives one struct command; main.c has the
 * table.
 */
#ifndef VXDP_LOADER_COMMANDS_H
#define VXDP_LOADER_COMMANDS_H

#include "opts.h"

extern const struct command cmd_attach;
extern const struct command cmd_detach;
extern const struct command cmd_status;
extern const struct command cmd_stats;
extern const struct command cmd_fdb;
extern const struct command cmd_port;
extern const struct command cmd_features;
extern const struct command cmd_dump;
extern const struct command cmd_upgrade;
extern const struct command cmd_version;
extern const struct command cmd_help;

/** port_actions - the first words of `vxdp port`, ending with NULL */
extern const char *const port_actions[];

/* Ends with NULL. */
extern const struct command *const commands[];

/** command_find() - the command called @name, or NULL */
const struct command *command_find(const char *name);

/** command_unknown() - note that there is no command @name, and which may be meant */
int command_unknown(const char *name, struct vx_error *error);

/** help_command() - print how a command is used, all commands if NULL */
void help_command(const struct command *command);

/** complete() - print what can follow a command line's words, of which the last is unfinished */
int complete(int argc, char *const argv[]);

#endif /* VXDP_LOADER_COMMANDS_H */
