// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spare - how long has a processor had nothing to do?
 *
 *   spare FILE
 *
 * Runs, as the last of all (SCHED_IDLE), on the processor that it is started on, until it is
 * killed. The first 8 bytes of FILE are the nanoseconds so far, in this machine's byte order. Finer
 * than what the kernel says of that (/proc/stat: 10 ms), and interrupts on a processor without work
 * are not counted with it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rt.h"

/* Between two looks at the clock; if it is longer somebody else ran. */
#define SHORT_NS 1000

static uint64_t *map_counter(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	void *at;

	if (fd < 0 || ftruncate(fd, sizeof(uint64_t)))
		return NULL;
	at = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

int main(int argc, char **argv)
{
	const struct sched_param param = {0};
	uint64_t total_ns = 0, last_ns, now_ns;
	volatile uint64_t *counter;

	if (argc != 2) {
		fprintf(stderr, "usage: spare FILE\n");
		return 2;
	}
	counter = map_counter(argv[1]);
	if (!counter || sched_setscheduler(0, SCHED_IDLE, &param)) {
		perror(argv[1]);
		return 1;
	}
	for (last_ns = rt_now_ns();; last_ns = now_ns) {
		now_ns = rt_now_ns();
		if (now_ns - last_ns < SHORT_NS)
			*counter = total_ns += now_ns - last_ns;
	}
}
