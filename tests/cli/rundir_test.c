// SPDX-License-Identifier: GPL-2.0-or-later
/* One process a NIC, whatever became of the one before; and how systemd is told. */
#include "cli_test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "loader/notify.h"
#include "loader/rundir.h"

static char root[64];

static int setup(void **state)
{
	strcpy(root, "/tmp/vxdp-run.XXXXXX");
	assert_non_null(mkdtemp(root));
	setenv("VXDP_RUNDIR", root, 1);
	return 0;
}

static int teardown(void **state)
{
	return rmdir(root); /* everything in it has gone */
}

static void test_one_holder(void **state)
{
	struct vx_error error;
	int fd = -1, other = -1;
	char path[128], pid[64];

	assert_int_equal(rundir_lock("eth0", &error, &fd), 0);
	assert_int_equal(rundir_lock("eth0", &error, &other), -EBUSY);
	snprintf(pid, sizeof(pid), "(pid %d)", getpid());
	assert_non_null(strstr(error.message, pid));
	assert_int_equal(other, -1);
	assert_int_equal(rundir_lock("eth1", &error, &other), 0); /* another NIC */
	rundir_unlock("eth1", &other);
	rundir_unlock("eth0", &fd);
	assert_int_equal(fd, -1);
	assert_int_equal(rundir_path(path, sizeof(path), "eth0", NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rundir_lock("eth0", &error, &fd), 0);
	rundir_unlock("eth0", &fd);
}

static void test_killed_holder(void **state)
{
	struct vx_error error;
	char path[128];
	int fd = -1, ready[2];
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (!rundir_lock("eth0", &error, &fd) && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], path, 1), 1);
	assert_int_equal(rundir_lock("eth0", &error, &fd), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(rundir_lock("eth0", &error, &fd), 0); /* no stale lock */
	assert_int_equal(rundir_path(path, sizeof(path), "eth0", "left.rings"), 0);
	close(creat(path, 0600));
	assert_int_equal(rundir_clear("eth0"), 1);
	rundir_unlock("eth0", &fd);
	close(ready[0]);
	close(ready[1]);
}

/* Take and leave the lock as fast as possible: never two at once, never an error but busy. */
static int contend(const char *path)
{
	struct vx_error error;
	int fd = -1, err, inside;

	for (int i = 0; i < 300; i++) {
		err = rundir_lock("eth0", &error, &fd);
		if (err == -EBUSY)
			continue;
		if (err)
			return 1;
		inside = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (inside < 0) /* somebody else is inside */
			return 2;
		close(inside);
		unlink(path);
		rundir_unlock("eth0", &fd);
	}
	return 0;
}

static void test_contention(void **state)
{
	char path[128];
	int status;

	snprintf(path, sizeof(path), "%s/inside", root);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0)
			_exit(contend(path));
	}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",	 ".",	"..",	   "a/b", "a b", "sixteen-letters-",
					  "a:b", "a\n", "\xc3\xa4"};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(rundir_nic_valid(bad[i]));
		assert_int_equal(rundir_path(path, sizeof(path), bad[i], "ctl"), -EINVAL);
	}
	assert_true(rundir_nic_valid("enp0s31f6"));
	assert_int_equal(rundir_path(path, 10, "eth0", "ctl"), -ENAMETOOLONG);
}

static void assert_notified(const char *name, int fd)
{
	char text[64] = "";

	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify("READY=1\nSTATUS=%d ports", 2), 1);
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "READY=1\nSTATUS=2 ports");
}

static void test_notify(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char name[108];

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify("READY=1"), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", root);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_notified(at.sun_path, fd);
	unlink(at.sun_path);
	assert_int_equal(notify("READY=1"), -ENOENT);
	close(fd);

	fd = socket(AF_UNIX, SOCK_DGRAM, 0); /* an abstract name, written with @ */
	snprintf(name, sizeof(name), "@vxdp-test-%d", getpid());
	memcpy(at.sun_path, name, sizeof(name));
	at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      offsetof(struct sockaddr_un, sun_path) + strlen(name)),
			 0);
	assert_notified(name, fd);
	close(fd);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify("READY=1"), 0);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_one_holder), CASE(test_killed_holder), CASE(test_contention),
		CASE(test_names),      CASE(test_notify),
	};

	return run_all(tests);
}
