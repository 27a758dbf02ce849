// SPDX-License-Identifier: GPL-2.0-or-later
/* What comes out on standard error. */
#include "cli_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vxdp/log.h"

#define THREADS	       4
#define LINES_A_THREAD 200

static char text[1 << 20];

/* Run @fn in a process of its own, with standard error in a file, and return what it wrote. */
static const char *run(void (*fn)(void), bool journal)
{
	FILE *file = tmpfile();
	char stream[64];
	struct stat st;
	size_t n;
	pid_t pid;

	assert_non_null(file);
	fstat(fileno(file), &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	pid = fork();
	if (pid == 0) {
		setenv("JOURNAL_STREAM", journal ? stream : "1:2", 1);
		fcntl(fileno(file), F_SETFL, O_APPEND);
		dup2(fileno(file), STDERR_FILENO);
		fn();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static void one_of_each(void)
{
	log_error("an error");
	log_warn("a warning");
	log_info("a message");
	log_debug("a detail");
}

static void with_debug(void)
{
	vxdp_log_level_set(VXDP_LOG_DEBUG);
	one_of_each();
}

static void test_levels(void **state)
{
	assert_string_equal(run(one_of_each, false), "error: an error\nwarning: a warning\n"
						     "a message\n");
	assert_string_equal(run(with_debug, false), "error: an error\nwarning: a warning\n"
						    "a message\ndebug: a detail\n");
}

static void test_journal(void **state)
{
	assert_string_equal(run(with_debug, true), "<3>an error\n<4>a warning\n"
						   "<6>a message\n<7>a detail\n");
}

static void shout(void)
{
	for (int i = 0; i < 1000; i++)
		log_warn_limited("call %d", i);
	log_warn_limited("from elsewhere");
}

static unsigned int count_lines(const char *from, const char *what)
{
	unsigned int n = 0;

	while ((from = strstr(from, what))) {
		from += strlen(what);
		n++;
	}
	return n;
}

static void test_limit(void **state)
{
	const char *out = run(shout, false);

	assert_int_equal(count_lines(out, "warning: call "), VXDP_LOG_BURST);
	assert_non_null(strstr(out, "call 9\n"));
	assert_non_null(strstr(out, "from elsewhere\n")); /* each place has its own */
}

/* A limit whose window is over: what was kept back is told. */
static void after_the_window(void)
{
	struct vxdp_log_limit limit = {
		.window_start_s = 0, .printed = VXDP_LOG_BURST, .kept_back = 17};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	limit.window_start_s = now.tv_sec - VXDP_LOG_WINDOW_S;
	vxdp_log(VXDP_LOG_INFO, &limit, "again");
	vxdp_log(VXDP_LOG_INFO, &limit, "and again");
}

static void test_kept_back(void **state)
{
	assert_string_equal(run(after_the_window, false),
			    "again\n(17 more lines like the last one were kept back)\nand again\n");
}

static void nasty(void)
{
	char longer[5000];

	log_info("a\nerror: forged\r\033[31m");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_info("%s", longer);
}

static void test_nasty_text(void **state)
{
	const char *out = run(nasty, false), *line;

	assert_memory_equal(out, "a?error: forged??[31m\n", 22);
	line = out + 22;
	assert_true(strlen(line) < 1100 && strlen(line) > 1000); /* cut, and one line */
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void keeps_errno(void)
{
	errno = ENOTTY;
	log_info("%m");
	log_info("%s", errno == ENOTTY ? "kept" : "lost");
}

static void test_errno(void **state)
{
	assert_string_equal(run(keeps_errno, false), "Inappropriate ioctl for device\nkept\n");
}

static struct vxdp_log_limit shared = {0};

static void *talk(void *arg)
{
	for (int i = 0; i < LINES_A_THREAD; i++) {
		log_info("thread line of a certain length, all of it");
		vxdp_log(VXDP_LOG_INFO, &shared, "limited");
	}
	return NULL;
}

static void talk_together(void)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, talk, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void test_threads(void **state)
{
	const char *out = run(talk_together, false);

	assert_int_equal(count_lines(out, "thread line of a certain length, all of it\n"),
			 THREADS * LINES_A_THREAD);
	assert_int_equal(count_lines(out, "limited\n"), VXDP_LOG_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),	   cmocka_unit_test(test_journal),
		cmocka_unit_test(test_limit),	   cmocka_unit_test(test_kept_back),
		cmocka_unit_test(test_nasty_text), cmocka_unit_test(test_errno),
		cmocka_unit_test(test_threads),
	};

	return run_all(tests);
}
