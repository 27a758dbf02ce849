// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines on standard error, any thread. One write(2) a line, so that lines of several threads and
 * processes do not mix. Under systemd each line starts with its syslog priority, "<4>", which the
 * journal takes off again; it says so by JOURNAL_STREAM=device:inode of the stream it reads.
 */
#include "vxdp/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>

#include "vxdp/util.h"

#define LINE_MAX_BYTES 1024

static const struct {
	int syslog;
	const char *word;
} levels[] = {
	[VXDP_LOG_ERROR] = {LOG_ERR, "error: "},
	[VXDP_LOG_WARN] = {LOG_WARNING, "warning: "},
	[VXDP_LOG_INFO] = {LOG_INFO, ""},
	[VXDP_LOG_DEBUG] = {LOG_DEBUG, "debug: "},
};

static enum vxdp_log_level level_max = VXDP_LOG_INFO;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static bool to_journal;

void vxdp_log_level_set(enum vxdp_log_level level)
{
	WRITE_ONCE(level_max, level);
}

static void find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return;
	to_journal = !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

/* May this place print now? @kept_back: how many it did not print in the window that just ended */
static bool may_print(struct vxdp_log_limit *limit, uint32_t *kept_back)
{
	struct timespec now;
	bool may;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&limit_lock);
	if (!limit->printed || (uint64_t)now.tv_sec - limit->window_start_s >= VXDP_LOG_WINDOW_S) {
		*kept_back = limit->kept_back;
		*limit = (struct vxdp_log_limit){.window_start_s = now.tv_sec};
	}
	may = limit->printed < VXDP_LOG_BURST;
	if (may)
		limit->printed++;
	else
		limit->kept_back++;
	pthread_mutex_unlock(&limit_lock);
	return may;
}

/* A peer's text must not forge lines or speak to the terminal. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

static void print_line(enum vxdp_log_level level, const char *text)
{
	char line[LINE_MAX_BYTES + 64], prefix[8] = "";
	int bytes;

	pthread_once(&journal_once, find_journal);
	if (to_journal)
		snprintf(prefix, sizeof(prefix), "<%d>", levels[level].syslog);
	bytes = snprintf(line, sizeof(line), "%s%s%s\n", prefix,
			 to_journal ? "" : levels[level].word, text);
	/* Where should a failure be reported? */
	if (write(STDERR_FILENO, line, bytes) < 0)
		return;
}

void vxdp_log(enum vxdp_log_level level, struct vxdp_log_limit *limit, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	uint32_t kept_back = 0;
	int saved_errno = errno;
	va_list args;

	if (level > READ_ONCE(level_max) || (limit && !may_print(limit, &kept_back)))
		return;
	errno = saved_errno; /* for %m */
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	make_printable(text);
	print_line(level, text);
	if (kept_back) {
		snprintf(text, sizeof(text), "(%u more lines like the last one were kept back)",
			 kept_back);
		print_line(level, text);
	}
	errno = saved_errno;
}
