// SPDX-License-Identifier: GPL-2.0-or-later
/* How a device and its front end find each other: both roles, what is in the way, who returns. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

static int listen_on(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* connect() without letting the device run. */
static void dial(int fd, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		assert_int_equal(errno, EAGAIN);
}

static int try_open(struct peer *p, const struct vu_dev_config *config)
{
	static const struct vu_dev_ops none;
	int err = vu_dev_open(config, &none, p, &p->dev);

	if (err)
		assert_null(p->dev);
	return err;
}

static enum vu_role role_of(const struct peer *p)
{
	struct vu_dev_info info;

	vu_dev_info(p->dev, &info);
	return info.role;
}

static void test_server_file(void **state)
{
	struct vu_dev_config config;
	struct peer p;
	struct stat st;
	mode_t mask = umask(022);

	peer_prepare(&p, &config);
	peer_open_config(&p, &config);
	assert_int_equal(lstat(p.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(umask(mask), 022);
	peer_connect(&p);
	assert_int_equal(p.n_link_up, 1);
	peer_close(&p); /* checks that the file is gone */
}

static void test_in_the_way(void **state)
{
	struct vu_dev_config config;
	char target[128];
	struct stat st;
	struct peer p;
	int fd;

	peer_prepare(&p, &config);
	snprintf(target, sizeof(target), "%s/target", p.dir);

	close(open(p.path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(try_open(&p, &config), -EEXIST);
	assert_true(log_stub_has("is in the way, and it is no socket"));
	config.role = VU_ROLE_AUTO;
	assert_int_equal(try_open(&p, &config), -EEXIST);
	config.role = VU_ROLE_SERVER;
	assert_int_equal(lstat(p.path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(p.path);

	assert_int_equal(mkdir(p.path, 0700), 0);
	assert_int_equal(try_open(&p, &config), -EEXIST);
	assert_int_equal(rmdir(p.path), 0);

	/* A symbolic link, even to a dead socket, is not ours to remove. */
	close(listen_on(target));
	assert_int_equal(symlink(target, p.path), 0);
	assert_int_equal(try_open(&p, &config), -EEXIST);
	assert_int_equal(lstat(target, &st), 0);
	unlink(p.path);
	unlink(target);

	/* Somebody alive stays, somebody dead goes. */
	fd = listen_on(p.path);
	assert_int_equal(try_open(&p, &config), -EADDRINUSE);
	assert_true(log_stub_has("somebody else listens on"));
	close(fd);
	assert_int_equal(lstat(p.path, &st), 0);
	peer_open_config(&p, &config);
	peer_connect(&p);
	assert_int_equal(p.n_link_up, 1);
	peer_close(&p);
}

static void test_bad_config(void **state)
{
	struct vu_dev_config config;
	char path[200];
	struct peer p;
	int pipes[2];

	peer_prepare(&p, &config);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	config.socket_path = path;
	assert_int_equal(try_open(&p, &config), -ENAMETOOLONG);
	config.socket_path = "";
	assert_int_equal(try_open(&p, &config), -ENAMETOOLONG);
	config.socket_path = NULL;
	assert_int_equal(try_open(&p, &config), -ENAMETOOLONG);
	config.socket_path = "/nonexistent/socket";
	assert_int_equal(try_open(&p, &config), -ENOENT);
	assert_true(log_stub_has("cannot listen on /nonexistent/socket"));
	config.socket_path = p.path;
	config.pairs_max = 0;
	assert_int_equal(try_open(&p, &config), -EINVAL);
	config.pairs_max = VU_PAIRS_MAX + 1;
	assert_int_equal(try_open(&p, &config), -EINVAL);
	config.pairs_max = 1;
	assert_int_equal(pipe(pipes), 0);
	config.fd = pipes[0];
	assert_int_equal(try_open(&p, &config), -ENOTSOCK);
	assert_int_equal(fcntl(pipes[0], F_GETFD), 0); /* still ours */
	close(pipes[0]);
	close(pipes[1]);
	peer_close(&p);
}

/* The file is not ours any more when we close: then it stays. */
static void test_replaced_file(void **state)
{
	struct vu_dev_config config;
	struct stat st;
	struct peer p;
	int fd;

	peer_prepare(&p, &config);
	peer_open_config(&p, &config);
	fd = listen_on(p.path);
	vu_dev_close(&p.dev);
	assert_int_equal(lstat(p.path, &st), 0);
	close(fd);
	unlink(p.path);
	peer_close(&p);
}

static void accept_device(struct peer *p, int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};

	for (int i = 0; i < 300 && p->fd < 0; i++) {
		peer_pump(p);
		poll(&wait, 1, 20);
		p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	}
	assert_true(p->fd >= 0);
	peer_pump(p);
}

/* QEMU listens; it goes and comes back, many times. */
static void test_client_reconnects(void **state)
{
	struct vu_dev_config config;
	struct vu_dev_info info;
	struct peer p;
	int listener;

	peer_prepare(&p, &config);
	config.role = VU_ROLE_CLIENT;
	peer_open_config(&p, &config); /* nobody is there yet */
	peer_pump(&p);
	assert_int_equal(role_of(&p), VU_ROLE_CLIENT);
	for (unsigned int i = 1; i <= 3; i++) {
		listener = listen_on(p.path);
		accept_device(&p, listener);
		assert_true(peer_wait(&p, VU_CONNECTED));
		assert_int_equal(p.n_link_up, i);
		peer_start(&p, PEER_F_MODERN, 2);
		assert_non_null(p.ring[0]);
		/* Killed: the file stays behind, dead. */
		close_fd(&p.fd);
		close(listener);
		assert_true(peer_wait(&p, VU_WAITING));
		assert_null(p.ring[0]);
		assert_int_equal(p.n_link_down, i);
	}
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.n_connects, 3);
	unlink(p.path);
	peer_close(&p);
}

static void test_auto_client(void **state)
{
	struct vu_dev_config config;
	struct peer p;
	int listener;

	peer_prepare(&p, &config);
	config.role = VU_ROLE_AUTO;
	listener = listen_on(p.path);
	peer_open_config(&p, &config);
	assert_int_equal(p.n_link_up, 0); /* not before vu_dev_dispatch() */
	assert_int_equal(role_of(&p), VU_ROLE_CLIENT);
	accept_device(&p, listener);
	assert_true(peer_wait(&p, VU_CONNECTED));
	peer_start(&p, PEER_F_MODERN, 2);
	close(listener);
	unlink(p.path);
	peer_close(&p);
}

/* Nobody is there: it listens. Then QEMU starts, as a server: it removes our file. */
static void test_auto_changes_role(void **state)
{
	struct vu_dev_config config;
	struct peer p;
	int listener;

	peer_prepare(&p, &config);
	config.role = VU_ROLE_AUTO;
	peer_open_config(&p, &config);
	assert_int_equal(role_of(&p), VU_ROLE_SERVER);
	peer_connect(&p);
	assert_int_equal(p.n_link_up, 1);
	close_fd(&p.fd);
	peer_pump(&p);

	listener = listen_on(p.path);
	accept_device(&p, listener);
	assert_true(peer_wait(&p, VU_CONNECTED));
	assert_int_equal(role_of(&p), VU_ROLE_CLIENT);
	assert_int_equal(p.n_link_up, 2);
	close(listener);
	unlink(p.path);
	peer_close(&p);
}

/* Somebody removed our file, or left a dead socket in its place: we listen again. */
static void test_auto_takes_back(void **state)
{
	struct vu_dev_config config;
	struct stat st;
	struct peer p;

	peer_prepare(&p, &config);
	config.role = VU_ROLE_AUTO;
	peer_open_config(&p, &config);
	for (unsigned int round = 0; round < 2; round++) {
		unlink(p.path);
		if (round == 1)
			close(listen_on(p.path));
		for (int i = 0; i < 500 && !log_stub_has("was lost: listening again"); i++) {
			peer_pump(&p);
			usleep(10000);
		}
		assert_true(log_stub_has("was lost: listening again"));
		assert_int_equal(lstat(p.path, &st), 0);
		peer_connect(&p);
		assert_int_equal(p.n_link_up, round + 1);
		close_fd(&p.fd);
		peer_pump(&p);
		log_stub_clear();
	}
	peer_close(&p);
}

static void test_second_front_end(void **state)
{
	struct peer p;
	int first;

	peer_open(&p, 1);
	peer_start(&p, PEER_F_MODERN, 2);
	first = p.fd;
	peer_connect(&p);
	assert_true(peer_is_closed(&p));
	assert_true(log_stub_has("vm0: front end refused: another one is connected"));
	close(p.fd);
	p.fd = first;
	assert_non_null(p.ring[0]);
	assert_int_equal(peer_get(&p, VU_REQ_GET_QUEUE_NUM), 1);

	/* It dies with a request half sent, and is back before we looked: let in at once. */
	peer_bytes(&p, "\1\0\0", 3, NULL, 0);
	close(p.fd);
	p.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	dial(p.fd, p.path);
	peer_pump(&p);
	assert_int_equal(p.n_link_up, 2);
	peer_start(&p, PEER_F_MODERN, 2);
	peer_close(&p);
}

/*
 * A front end passes its own end of the connection to us and dies: nothing closes the connection
 * then. The next one is let in all the same.
 */
static void test_front_end_keeps_itself_alive(void **state)
{
	struct vu_dev_config config;
	struct vu_dev_info info;
	struct peer p;
	int status;
	pid_t pid;

	peer_prepare(&p, &config);
	peer_open_config(&p, &config);
	pid = fork();
	if (pid == 0) {
		uint64_t features = VU_NEEDS(BACKEND_REQ);
		struct vu_header h[2] = {
			{VU_REQ_SET_PROTOCOL_FEATURES, VU_VERSION, 8},
			{VU_REQ_SET_BACKEND_REQ_FD, VU_VERSION, 0},
		};

		p.fd = socket(AF_UNIX, SOCK_STREAM, 0);
		dial(p.fd, p.path);
		peer_bytes(&p, &h[0], sizeof(h[0]), NULL, 0);
		peer_bytes(&p, &features, sizeof(features), NULL, 0);
		peer_bytes(&p, &h[1], sizeof(h[1]), &p.fd, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	peer_pump(&p);
	vu_dev_info(p.dev, &info);
	assert_int_equal(info.state, VU_CONNECTED); /* nobody told us */
	assert_int_equal(info.peer_pid, pid);
	peer_connect(&p);
	assert_int_equal(p.n_link_up, 2);
	peer_start(&p, PEER_F_MODERN, 1);
	peer_close(&p);
}

static void test_inherited_listener(void **state)
{
	struct vu_dev_config config;
	struct stat st;
	struct peer p;

	peer_prepare(&p, &config);
	config.fd = listen_on(p.path);
	config.socket_path = NULL;
	config.role = VU_ROLE_AUTO;
	peer_open_config(&p, &config);
	assert_int_equal(role_of(&p), VU_ROLE_SERVER);
	for (unsigned int i = 1; i <= 2; i++) {
		peer_connect(&p);
		assert_int_equal(p.n_link_up, i);
		peer_start(&p, PEER_F_MODERN, 2);
		close_fd(&p.fd);
		peer_pump(&p);
	}
	vu_dev_close(&p.dev);
	assert_int_equal(lstat(p.path, &st), 0); /* whoever made it removes it */
	unlink(p.path);
	peer_close(&p);
}

static void test_inherited_connection(void **state)
{
	struct vu_dev_config config;
	struct peer p;
	int pair[2];

	peer_prepare(&p, &config);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	config.fd = pair[0];
	config.socket_path = NULL;
	peer_open_config(&p, &config);
	p.fd = pair[1];
	assert_true(peer_wait(&p, VU_CONNECTED));
	peer_start(&p, PEER_F_MODERN, 2);
	close_fd(&p.fd);
	assert_true(peer_wait(&p, VU_WAITING));
	usleep(20000);
	peer_pump(&p);
	assert_int_equal(p.n_link_up, 1);
	peer_close(&p);
}

/* No descriptor left when somebody connects: no busy loop, and served once there is one again. */
static void test_accept_without_descriptors(void **state)
{
	struct pollfd poll_fd;
	struct rlimit limit, few;
	struct peer p;

	peer_open(&p, 1);
	close_fd(&p.fd);
	peer_pump(&p);
	p.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = (rlim_t)p.fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	dial(p.fd, p.path);
	peer_pump(&p);
	poll_fd = (struct pollfd){.fd = vu_dev_fd(p.dev), .events = POLLIN};
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(p.n_link_up, 1);
	assert_true(log_stub_has("vm0: cannot accept a front end now"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(peer_wait(&p, VU_CONNECTED));
	assert_int_equal(p.n_link_up, 2);
	peer_close(&p);
}

/* An accepting socket whose queue is full counts as somebody alive. */
static void test_full_backlog(void **state)
{
	struct vu_dev_config config;
	struct peer p;
	int listener, waiting[64];

	peer_prepare(&p, &config);
	config.role = VU_ROLE_AUTO;
	listener = listen_on(p.path);
	for (unsigned int i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		dial(waiting[i], p.path);
	}
	peer_open_config(&p, &config);
	assert_int_equal(role_of(&p), VU_ROLE_CLIENT);
	peer_pump(&p);
	for (unsigned int i = 0; i < ARRAY_SIZE(waiting); i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			close(fd);
		close(waiting[i]);
	}
	accept_device(&p, listener);
	assert_true(peer_wait(&p, VU_CONNECTED));
	close(listener);
	unlink(p.path);
	peer_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_file),
		cmocka_unit_test(test_in_the_way),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_replaced_file),
		cmocka_unit_test(test_client_reconnects),
		cmocka_unit_test(test_auto_client),
		cmocka_unit_test(test_auto_changes_role),
		cmocka_unit_test(test_auto_takes_back),
		cmocka_unit_test(test_second_front_end),
		cmocka_unit_test(test_front_end_keeps_itself_alive),
		cmocka_unit_test(test_inherited_listener),
		cmocka_unit_test(test_inherited_connection),
		cmocka_unit_test(test_accept_without_descriptors),
		cmocka_unit_test(test_full_backlog),
	};

	return cmocka_run_group_tests_name("dev_sock", tests, NULL, NULL);
}
