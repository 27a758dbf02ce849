/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A control group's limit holds for all groups below it, so every directory from the process's own
 * up to the mount point is asked. Page cache counts as use there, but goes when memory is needed:
 * it is taken off, as MemAvailable does for the whole machine.
 *
 *	          version 2                        version 1
 *	process   0::/path                         N:memory:/path
 *	mount     type cgroup2                     type cgroup, option memory
 *	limit     memory.max, may be "max"         memory.limit_in_bytes, huge if there is none
 *	use       memory.current                   memory.usage_in_bytes
 *
 * What cannot be read is no limit: the kernel will then say no by itself.
 */
#include "memory_left.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vxdp/util.h>

#define UNLIMITED_V1 (UINT64_MAX / 4) /* it says LONG_MAX, less some bytes of the last page */

struct version {
	const char *type, *option, *limit, *use;
	const char *cache[2]; /* in memory.stat */
};

static const struct version v2 = {
	.type = "cgroup2",
	.limit = "memory.max",
	.use = "memory.current",
	.cache = {"inactive_file ", "active_file "},
};

static const struct version v1 = {
	.type = "cgroup",
	.option = "memory",
	.limit = "memory.limit_in_bytes",
	.use = "memory.usage_in_bytes",
	.cache = {"total_inactive_file ", "total_active_file "},
};

typedef bool (*line_fn)(void *arg, char *line);

/* Calls @take for each line until it says that it has what it wanted. Return: has it? */
static bool each_line(const char *path, line_fn take, void *arg)
{
	FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	bool done = false;
	size_t size = 0;

	while (f && !done && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		done = take(arg, line);
	}
	if (f)
		fclose(f);
	return done;
}

/* ---- A group's files ---- */

struct number {
	const char *name; /* what the line starts with */
	uint64_t value;
};

static bool take_number(void *arg, char *line)
{
	struct number *n = arg;
	char *end;

	if (strncmp(line, n->name, strlen(n->name)))
		return false;
	n->value = strtoull(line + strlen(n->name), &end, 10);
	return end != line + strlen(n->name);
}

static bool group_number(const char *group, const char *file, const char *name, uint64_t *value)
{
	struct number n = {.name = name};
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", group, file) >= (int)sizeof(path) ||
	    !each_line(path, take_number, &n))
		return false;
	*value = n.value;
	return true;
}

static uint64_t group_left(const char *group, const struct version *v)
{
	uint64_t limit, use, cache, cached = 0;

	if (!group_number(group, v->limit, "", &limit) || limit > UNLIMITED_V1 ||
	    !group_number(group, v->use, "", &use))
		return UINT64_MAX;
	for (unsigned int i = 0; i < ARRAY_SIZE(v->cache); i++)
		if (group_number(group, "memory.stat", v->cache[i], &cache))
			cached += cache;
	use -= MIN(use, cached);
	return limit - MIN(limit, use);
}

/* ---- Where the groups are ---- */

struct place {
	const struct version *v;
	char group[PATH_MAX];	   /* the process's, as /proc says */
	char mount[PATH_MAX];	   /* where groups are, */
	char mount_root[PATH_MAX]; /* and which of them is there */
};

/* Is @word in a list with commas? */
static bool has_word(char *list, const char *word)
{
	char *item;

	while ((item = strsep(&list, ",")))
		if (!strcmp(item, word))
			return true;
	return false;
}

/* "ID:CONTROLLERS:PATH"; version 2 has no controllers there. */
static bool take_group(void *arg, char *line)
{
	struct place *p = arg;
	char *path = line, *controllers = strsep(&path, ":");

	controllers = strsep(&path, ":");
	if (!path || !*path)
		return false;
	if (p->v->option ? !has_word(controllers, p->v->option) : *controllers)
		return false;
	return snprintf(p->group, sizeof(p->group), "%s", path) < (int)sizeof(p->group);
}

/* "36 35 98:0 ROOT MOUNT options optional... - TYPE source super-options" (proc(5)) */
static bool take_mount(void *arg, char *line)
{
	char *tail = strstr(line, " - "), *word;
	struct place *p = arg;

	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	word = strsep(&tail, " ");
	if (strcmp(word, p->v->type))
		return false;
	strsep(&tail, " ");
	if (p->v->option && !has_word(tail, p->v->option))
		return false;
	for (int i = 0; i < 3; i++)
		strsep(&line, " ");
	word = strsep(&line, " ");
	if (!word || snprintf(p->mount_root, sizeof(p->mount_root), "%s", word) >= PATH_MAX)
		return false;
	word = strsep(&line, " ");
	return word && snprintf(p->mount, sizeof(p->mount), "%s", word) < PATH_MAX;
}

static uint64_t version_left(const struct version *v, const char *cgroups, const char *mounts)
{
	struct place p = {.v = v};
	uint64_t left = UINT64_MAX;
	char path[2 * PATH_MAX];
	const char *below = p.group;
	size_t root;

	if (!each_line(cgroups, take_group, &p) || !each_line(mounts, take_mount, &p))
		return UINT64_MAX;
	root = strcmp(p.mount_root, "/") ? strlen(p.mount_root) : 0;
	if (!strncmp(below, p.mount_root, root))
		below += root;
	snprintf(path, sizeof(path), "%s%s", p.mount, below);
	for (;;) {
		char *last;
		uint64_t here = group_left(path, v);

		left = MIN(left, here);
		last = strrchr(path, '/');
		if (!last || last < path + strlen(p.mount))
			return left;
		*last = '\0';
	}
}

uint64_t memory_left_cgroup(const char *cgroups, const char *mounts)
{
	uint64_t a = version_left(&v2, cgroups, mounts), b = version_left(&v1, cgroups, mounts);

	return MIN(a, b);
}

uint64_t memory_left(void)
{
	uint64_t group = memory_left_cgroup("/proc/self/cgroup", "/proc/self/mountinfo");
	struct number available = {.name = "MemAvailable:"};

	each_line("/proc/meminfo", take_number, &available);
	available.value *= 1024; /* it says kB and means KiB */
	return MIN(available.value, group);
}
