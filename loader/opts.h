/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts.h - command lines by table: each command describes its options once, and parsing, help,
 * completion and the check of the man page all come from there.
 *
 * Options and operands may be mixed, "--" ends the options, long options are written
 * "--name VALUE" or "--name=VALUE" and never abbreviated, short ones can be bundled.
 */
#ifndef VXDP_LOADER_OPTS_H
#define VXDP_LOADER_OPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define OPERANDS_MAX 32
#define CPUS_MAX     64

enum opt_kind {
	OPT_FLAG,  /* bool: true if given */
	OPT_COUNT, /* unsigned int: raised each time it is given */
	OPT_TEXT,  /* const char *: points into argv */
	OPT_WORD,  /* const char *: one of words[], points there */
	OPT_UINT,  /* unsigned int: between min and max */
	OPT_FD,	   /* int: number of a descriptor */
	OPT_CPUS,  /* struct opt_cpus: "0,2-5" */
};

struct opt_cpus {
	int cpu[CPUS_MAX];
	unsigned int n;
};

/* What a shell can offer for a value or an operand, besides the words of an OPT_WORD. */
enum opt_complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_NIC,
	COMPLETE_PORT,
	COMPLETE_NETDEV,
	COMPLETE_SWITCH
};

struct opt {
	const char *name; /* NULL ends a table */
	char letter;	  /* or 0 */
	enum opt_kind kind;
	size_t offset;	   /* of its value in the command's struct */
	const char *value; /* what the help calls its value */
	const char *help;
	const char *const *words; /* OPT_WORD: ends with NULL */
	unsigned int min, max;	  /* OPT_UINT */
	enum opt_complete complete;
};

/* A row of a table; what only some kinds need follows by name: .words, .min and .max, .complete */
#define OPT(name_, letter_, kind_, offset_, value_, help_, ...)                                    \
	{                                                                                          \
		.name = name_, .letter = letter_, .kind = OPT_##kind_, .offset = offset_,          \
		.value = value_, .help = help_, ##__VA_ARGS__                                      \
	}
#define OPT_END                                                                                    \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* What is not an option, in the order given. */
struct operands {
	unsigned int n;
	const char *v[OPERANDS_MAX];
};

struct command {
	const char *name;
	const char *operands; /* as the help prints them: "NIC [PORT]" */
	const char *summary;
	const struct opt *opts;
	const void *defaults; /* initial value of the command's struct */
	size_t args_bytes;    /* its size */
	unsigned int n_operands_min, n_operands_max;
	int (*run)(const void *args, const struct operands *operands, struct vx_error *error);
};

/* Options every command takes. */
struct opts_global {
	bool json;
	bool pretty;
	unsigned int verbose;
	bool help;
	bool version;
	bool print_capabilities;
};

extern const struct opt opts_global_table[];

/**
 * opts_parse_global() - take the global options in front of the command
 * Return: how many words of @argv they were, or -EINVAL.
 */
int opts_parse_global(int argc, char *const argv[], struct opts_global *global,
		      struct vx_error *error);

/**
 * opts_parse() - parse what follows the command's name
 * @command: whose options to take beside the global ones
 * @args: the command's struct, of command->args_bytes; set to its defaults first
 * Return: 0, or -EINVAL with a usage error that says what to type instead.
 *
 * The number of operands is not looked at if help or the like was asked for.
 */
int opts_parse(const struct command *command, int argc, char *const argv[], void *args,
	       struct operands *operands, struct opts_global *global, struct vx_error *error);

/**
 * opts_nearest() - the word the user may have meant
 * @typed: what is not among the words
 * @next: called with 0, 1, 2... gives the words one by one, then NULL
 * Return: the nearest word if it is near enough, or NULL.
 */
const char *opts_nearest(const char *typed, const char *(*next)(const void *list, unsigned int i),
			 const void *list);

/** opts_find() - the option called @name (without dashes) in a table, or NULL */
const struct opt *opts_find(const struct opt *table, const char *name);

/** opts_takes_value() - is the option followed by a value? */
bool opts_takes_value(const struct opt *opt);

#endif /* VXDP_LOADER_OPTS_H */
