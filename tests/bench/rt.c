/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rt.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

uint64_t rt_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void rt_sleep_until(uint64_t ns)
{
	const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

int rt_set_priority(pid_t tid, int priority)
{
	const struct sched_param param = {.sched_priority = priority};

	return sched_setscheduler(tid, priority ? SCHED_FIFO : SCHED_OTHER, &param) < 0 ? -errno
											: 0;
}

/* A file of two numbers: ns on a CPU, ns waited for one. */
static void read_schedstat(const char *path, uint64_t *ran, uint64_t *waited)
{
	FILE *f = fopen(path, "re");

	*ran = *waited = 0;
	if (!f)
		return;
	if (fscanf(f, "%" SCNu64 " %" SCNu64, ran, waited) != 2)
		*ran = *waited = 0;
	fclose(f);
}

uint64_t rt_waited_ns(pid_t tid)
{
	uint64_t ran, waited;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tid);
	read_schedstat(path, &ran, &waited);
	return waited;
}

uint64_t rt_used_ns(pid_t pid)
{
	uint64_t ran, waited, sum = 0;
	struct dirent *entry;
	char path[320];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		read_schedstat(path, &ran, &waited);
		sum += ran;
	}
	closedir(dir);
	return sum;
}
