// SPDX-License-Identifier: GPL-2.0-or-later
#include "opts.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vxdp/util.h"

#define WORD_MAX 32 /* longest word opts_nearest() compares */

#define GLOBAL(field) offsetof(struct opts_global, field)

const struct opt opts_global_table[] = {
	OPT("json", 'j', FLAG, GLOBAL(json), NULL, "print JSON, errors too"),
	OPT("pretty", 'p', FLAG, GLOBAL(pretty), NULL, "print JSON with line breaks"),
	OPT("verbose", 'v', COUNT, GLOBAL(verbose), NULL, "say more on standard error"),
	OPT("help", 'h', FLAG, GLOBAL(help), NULL, "print this help"),
	OPT("version", 'V', FLAG, GLOBAL(version), NULL, "print the version"),
	OPT("print-capabilities", 0, FLAG, GLOBAL(print_capabilities), NULL,
	    "print what this vhost-user back end can do, by QEMU's conventions"),
	OPT_END,
};

/* One run of the parser over an argv. */
struct parser {
	const struct opt *table;
	void *args;
	struct opts_global *global;
	int argc;
	char *const *argv;
	int i;		/* the word being looked at */
	uint64_t given; /* options of @table that have had a value, by index */
	struct vx_error *error;
};

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	return MIN(MIN(a, b), c);
}

/* Typing errors between two words: letters left out, added, changed, or two swapped. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[3][WORD_MAX + 1], *before = row[0], *above = row[1], *here = row[2],
					   *spare;
	size_t n_a = strlen(a), n_b = strlen(b);

	if (n_a > WORD_MAX || n_b > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= n_b; j++)
		above[j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		here[0] = i;
		for (size_t j = 1; j <= n_b; j++) {
			here[j] = min3(above[j] + 1, here[j - 1] + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				here[j] = MIN(here[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[n_b];
}

const char *opts_nearest(const char *typed, const char *(*next)(const void *list, unsigned int i),
			 const void *list)
{
	/* One slip in a short word, more in a longer one: else anything resembles anything. */
	unsigned int best = 2 + strlen(typed) / 5, d;
	const char *nearest = NULL, *word;

	for (unsigned int i = 0; (word = next(list, i)); i++) {
		d = distance(typed, word);
		if (d < best && d < strlen(word)) {
			best = d;
			nearest = word;
		}
	}
	return nearest;
}

const struct opt *opts_find(const struct opt *table, const char *name)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (!strcmp(o->name, name))
			return o;
	}
	return NULL;
}

bool opts_takes_value(const struct opt *opt)
{
	return opt->kind != OPT_FLAG && opt->kind != OPT_COUNT;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
	for (const struct opt *o = table; o && o->name; o++) {
		if (o->letter == letter)
			return o;
	}
	return NULL;
}

static const char *next_word(const void *list, unsigned int i)
{
	return ((const char *const *)list)[i];
}

static const char *next_option(const void *list, unsigned int i)
{
	const struct opt *table = list;
	unsigned int n = 0;

	while (table && table[n].name)
		n++;
	return i < n ? table[i].name : opts_global_table[i - n].name;
}

static int parse_uint(const char *text, unsigned int min, unsigned int max, unsigned int *value)
{
	unsigned long long number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || number > UINT_MAX)
			return -EINVAL;
		number = number * 10 + (*text - '0');
	}
	if (number < min || number > max)
		return -ERANGE;
	*value = number;
	return 0;
}

/* Put first-last into @cpus; a CPU named twice is a mistake. */
static int add_cpus(struct opt_cpus *cpus, unsigned int first, unsigned int last)
{
	for (unsigned int cpu = first; cpu <= last; cpu++) {
		for (unsigned int i = 0; i < cpus->n; i++) {
			if (cpus->cpu[i] == (int)cpu)
				return -EINVAL;
		}
		if (cpus->n == CPUS_MAX)
			return -ERANGE;
		cpus->cpu[cpus->n++] = cpu;
	}
	return 0;
}

/* "0,2-5" */
static int parse_cpus(const char *text, struct opt_cpus *cpus)
{
	const unsigned int cpu_max = 8191;
	char copy[256], *rest = copy, *item, *dash;
	unsigned int first, last;
	int err = 0;

	if (strlen(text) >= sizeof(copy))
		return -ERANGE;
	strcpy(copy, text);
	cpus->n = 0;
	while (!err && (item = strsep(&rest, ","))) {
		dash = strchr(item, '-');
		if (dash)
			*dash++ = '\0';
		err = parse_uint(item, 0, cpu_max, &first);
		if (!err)
			err = parse_uint(dash ? dash : item, first, cpu_max, &last);
		if (!err)
			err = add_cpus(cpus, first, last);
	}
	return err;
}

static int set_word(struct parser *p, const struct opt *opt, const char *text)
{
	const char **value = (const char **)((char *)p->args + opt->offset), *near;
	char list[256] = "";
	int err;

	for (const char *const *word = opt->words; *word; word++) {
		if (!strcmp(*word, text)) {
			*value = *word;
			return 0;
		}
		strncat(list, word == opt->words ? "" : ", ", sizeof(list) - strlen(list) - 1);
		strncat(list, *word, sizeof(list) - strlen(list) - 1);
	}
	err = vx_fail_usage(p->error, "--%s cannot be '%s'", opt->name, text);
	near = opts_nearest(text, next_word, opt->words);
	if (near)
		vx_hint(p->error, "did you mean '%s'? It is one of: %s", near, list);
	else
		vx_hint(p->error, "it is one of: %s", list);
	return err;
}

static int set_number(struct parser *p, const struct opt *opt, const char *text, void *value)
{
	unsigned int max = opt->kind == OPT_FD ? INT_MAX : opt->max, number;

	if (parse_uint(text, opt->min, max, &number)) {
		return vx_fail_usage(p->error, "--%s takes a number from %u to %u, not '%s'",
				     opt->name, opt->min, max, text);
	}
	*(unsigned int *)value = number;
	return 0;
}

static int set_value(struct parser *p, const struct opt *opt, const char *text)
{
	void *value = (char *)p->args + opt->offset;

	switch (opt->kind) {
	case OPT_WORD:
		return set_word(p, opt, text);
	case OPT_UINT:
	case OPT_FD:
		return set_number(p, opt, text, value);
	case OPT_CPUS:
		if (!parse_cpus(text, value))
			return 0;
		return vx_fail_usage(p->error, "--%s takes a list such as 0,2-5, not '%s'",
				     opt->name, text);
	default:
		*(const char **)value = text;
		return 0;
	}
}

/* Two ways to write one thing (--vm, --socket-path) share their offset: neither twice nor both. */
static int check_once(struct parser *p, const struct opt *opt)
{
	for (unsigned int i = 0; p->table[i].name; i++) {
		if (!(p->given & 1ULL << i) || p->table[i].offset != opt->offset)
			continue;
		if (&p->table[i] == opt)
			return vx_fail_usage(p->error, "--%s is given twice", opt->name);
		return vx_fail_usage(p->error, "--%s and --%s say the same: give one of them",
				     p->table[i].name, opt->name);
	}
	p->given |= 1ULL << (opt - p->table);
	return 0;
}

static bool is_global(const struct opt *opt)
{
	return opts_find(opts_global_table, opt->name) == opt;
}

/* @text: the value if it is in the same word, else NULL */
static int take_option(struct parser *p, const struct opt *opt, const char *text)
{
	char *base = is_global(opt) ? (char *)p->global : p->args;
	int err;

	if (!opts_takes_value(opt)) {
		if (text)
			return vx_fail_usage(p->error, "--%s takes no value", opt->name);
		if (opt->kind == OPT_COUNT)
			(*(unsigned int *)(base + opt->offset))++;
		else
			*(bool *)(base + opt->offset) = true;
		return 0;
	}
	err = check_once(p, opt);
	if (err)
		return err;
	if (!text) {
		if (p->i + 1 >= p->argc)
			return vx_fail_usage(p->error, "--%s needs a value: --%s %s", opt->name,
					     opt->name, opt->value);
		text = p->argv[++p->i];
	}
	return set_value(p, opt, text);
}

static int take_long(struct parser *p, const char *word)
{
	const char *equals = strchr(word, '='), *near;
	const struct opt *opt;
	char name[WORD_MAX + 1];
	int err;

	snprintf(name, sizeof(name), "%.*s", equals ? (int)MIN(equals - word, INT_MAX) : INT_MAX,
		 word);
	opt = opts_find(p->table, name);
	if (!opt)
		opt = opts_find(opts_global_table, name);
	if (opt)
		return take_option(p, opt, equals ? equals + 1 : NULL);
	err = vx_fail_usage(p->error, "no option --%s here", name);
	near = opts_nearest(name, next_option, p->table);
	if (near)
		vx_hint(p->error, "did you mean --%s?", near);
	return err;
}

static int take_letters(struct parser *p, const char *letters)
{
	const struct opt *opt;
	int err;

	for (; *letters; letters++) {
		opt = find_letter(p->table, *letters);
		if (!opt)
			opt = find_letter(opts_global_table, *letters);
		if (!opt)
			return vx_fail_usage(p->error, "no option -%c here", *letters);
		if (opts_takes_value(opt))
			return take_option(p, opt, letters[1] ? letters + 1 : NULL);
		err = take_option(p, opt, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int take_word(struct parser *p)
{
	const char *word = p->argv[p->i];

	return word[1] == '-' ? take_long(p, word + 2) : take_letters(p, word + 1);
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

int opts_parse_global(int argc, char *const argv[], struct opts_global *global,
		      struct vx_error *error)
{
	struct parser p = {.global = global, .argc = argc, .argv = argv, .error = error};
	int err = 0;

	for (; p.i < argc && is_option(argv[p.i]) && !err; p.i++)
		err = take_word(&p);
	return err ? err : p.i;
}

static int check_operands(const struct command *command, const struct operands *operands,
			  struct vx_error *error)
{
	int err = 0;

	if (operands->n > command->n_operands_max)
		err = vx_fail_usage(error, "%s: '%s' is one too many", command->name,
				    operands->v[command->n_operands_max]);
	else if (operands->n < command->n_operands_min)
		err = vx_fail_usage(error, "%s: something is missing", command->name);
	if (err)
		vx_hint(error, "usage: vxdp %s %s (see: vxdp help %s)", command->name,
			command->operands, command->name);
	return err;
}

int opts_parse(const struct command *command, int argc, char *const argv[], void *args,
	       struct operands *operands, struct opts_global *global, struct vx_error *error)
{
	struct parser p = {.table = command->opts,
			   .args = args,
			   .global = global,
			   .argc = argc,
			   .argv = argv,
			   .error = error};
	bool only_operands = false;
	int err = 0;

	if (command->args_bytes)
		memcpy(args, command->defaults, command->args_bytes);
	operands->n = 0;
	for (; p.i < argc && !err; p.i++) {
		if (!only_operands && !strcmp(argv[p.i], "--"))
			only_operands = true;
		else if (!only_operands && is_option(argv[p.i]))
			err = take_word(&p);
		else if (operands->n < OPERANDS_MAX)
			operands->v[operands->n++] = argv[p.i];
		else
			err = vx_fail_usage(error, "too many words");
	}
	if (err || global->help || global->version || global->print_capabilities)
		return err;
	return check_operands(command, operands, error);
}
