// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket with friendly and with hostile clients, and with hostile servers. The server
 * runs in a thread of its own, as the event loop of a process would.
 */
#include "cli_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "loader/ctl.h"
#include "loader/ctl_wire.h"

#define LONG_REPLY (300 * 1024)

struct fixture {
	struct event_loop *loop;
	struct ctl_server *server;
	pthread_t thread;
	bool runs;
	char dir[32], path[64];
	unsigned int n_closed; /* of clients that asked for it */
	unsigned int fds_before;
};

static int run_echo(void *owner, struct ctl_request *request, json_t **reply,
		    struct vx_error *error)
{
	*reply = json_pack("{s:O,s:b}", "body", request->body, "fd", request->fd >= 0);
	return 0;
}

static int run_long(void *owner, struct ctl_request *request, json_t **reply,
		    struct vx_error *error)
{
	char *text = calloc(1, LONG_REPLY + 1);

	memset(text, 'x', LONG_REPLY);
	*reply = json_pack("{s:s}", "text", text);
	free(text);
	return 0;
}

static int run_refuse(void *owner, struct ctl_request *request, json_t **reply,
		      struct vx_error *error)
{
	vx_fail(error, -ENODEV, "no such thing");
	vx_hint(error, "look elsewhere");
	return -ENODEV;
}

static void count_close(void *arg)
{
	__atomic_add_fetch((unsigned int *)arg, 1, __ATOMIC_SEQ_CST);
}

static int run_hold(void *owner, struct ctl_request *request, json_t **reply,
		    struct vx_error *error)
{
	struct fixture *t = owner;

	ctl_client_on_close(request->client, count_close, &t->n_closed);
	return 0;
}

static const struct ctl_command commands[] = {
	{"echo", run_echo, "send it back"},
	{"long", run_long, "a lot"},
	{"refuse", run_refuse, "no"},
	{"hold", run_hold, "tell when the client goes"},
	{NULL, NULL, NULL},
};

static void *serve(void *arg)
{
	event_loop_run(((struct fixture *)arg)->loop);
	return NULL;
}

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));
	struct vx_error error;

	t->fds_before = fds_open();
	strcpy(t->dir, "/tmp/vxdp-ctl.XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->path, sizeof(t->path), "%s/ctl", t->dir);
	assert_int_equal(event_loop_open(&t->loop), 0);
	assert_int_equal(ctl_server_open(t->loop, t->path, commands, t, &error, &t->server), 0);
	assert_int_equal(pthread_create(&t->thread, NULL, serve, t), 0);
	t->runs = true;
	*state = t;
	return 0;
}

static void stop(struct fixture *t)
{
	if (!t->runs)
		return;
	event_loop_stop(t->loop, 0);
	pthread_join(t->thread, NULL);
	t->runs = false;
}

/* Nothing may be left open, whatever the clients did. */
static int teardown(void **state)
{
	struct fixture *t = *state;
	unsigned int left;

	stop(t);
	ctl_server_close(&t->server);
	event_loop_close(&t->loop);
	assert_int_equal(access(t->path, F_OK), -1);
	rmdir(t->dir);
	left = fds_open() - t->fds_before;
	free(t);
	return left ? -1 : 0;
}

static json_t *request(const char *cmd)
{
	return json_pack("{s:s}", "cmd", cmd);
}

/* The server still answers. */
static void assert_serves(const struct fixture *t)
{
	json_auto_t *asked = request("echo"), *reply = NULL;
	struct vx_error error;

	assert_int_equal(ctl_call(t->path, asked, -1, &error, &reply), 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_true(json_equal(json_object_get(reply, "body"), asked));
}

static int connected(const struct fixture *t)
{
	struct vx_error error;
	int fd = -1;

	assert_int_equal(ctl_connect(t->path, &error, &fd), 0);
	return fd;
}

static void test_echo(void **state)
{
	struct fixture *t = *state;
	json_auto_t *asked = request("echo"), *reply = NULL;
	struct vx_error error;
	struct stat st;

	assert_serves(t);
	assert_int_equal(ctl_call(t->path, asked, STDIN_FILENO, &error, &reply), 0);
	assert_true(json_is_true(json_object_get(reply, "fd")));
	assert_int_equal(stat(t->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_error(void **state)
{
	struct fixture *t = *state;
	json_auto_t *refuse = request("refuse"), *typo = request("ehco"), *reply = NULL;
	struct vx_error error;

	assert_int_equal(ctl_call(t->path, refuse, -1, &error, &reply), -ENOENT);
	assert_null(reply);
	assert_int_equal(error.code, VX_NOT_FOUND);
	assert_string_equal(error.message, "no such thing");
	assert_string_equal(error.hint, "look elsewhere");
	assert_int_equal(ctl_call(t->path, typo, -1, &error, &reply), -EINVAL);
	assert_string_equal(error.hint, "did you mean 'echo'?");
}

static void test_help(void **state)
{
	struct fixture *t = *state;
	json_auto_t *asked = request("help"), *reply = NULL;
	struct vx_error error;

	assert_int_equal(ctl_call(t->path, asked, -1, &error, &reply), 0);
	assert_int_equal(json_object_size(json_object_get(reply, "commands")), 4);
}

static void test_long_reply(void **state)
{
	struct fixture *t = *state;
	json_auto_t *asked = request("long"), *reply = NULL;
	struct vx_error error;

	assert_int_equal(ctl_call(t->path, asked, -1, &error, &reply), 0);
	assert_int_equal(json_string_length(json_object_get(reply, "text")), LONG_REPLY);
}

/* Send raw bytes, return what is answered, or NULL if the server hung up. */
static json_t *exchange_raw(int fd, const void *data, size_t bytes)
{
	static char answer[CTL_PACKET_MAX];
	int memfd;
	ssize_t n;

	assert_int_equal(send(fd, data, bytes, MSG_NOSIGNAL), bytes);
	n = ctl_wire_receive(fd, answer, sizeof(answer), &memfd);
	close_fd(&memfd);
	return n > 0 ? json_loadb(answer, n, 0, NULL) : NULL;
}

static void assert_refused(const struct fixture *t, const void *data, size_t bytes)
{
	_cleanup_close_ int fd = connected(t);
	json_auto_t *reply = exchange_raw(fd, data, bytes);

	assert_true(json_is_object(json_object_get(reply, "error")));
	assert_false(json_is_true(json_object_get(reply, "ok")));
	assert_serves(t);
}

static void test_hostile_packets(void **state)
{
	static const char *const packets[] = {
		"{",
		"null",
		"[]",
		"\"cmd\"",
		"{\"cmd\":1}",
		"{} {}",
		"{}",
		"\xff\xfe",
		"{\"cmd\":null}",
		"{\"cmd\":\"\\u0000\"}",
		"{\"cmd\":\"echo\",\"cmd\":\"long\"}",
	};
	static char deep[CTL_PACKET_MAX + 1000];
	struct fixture *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(packets); i++)
		assert_refused(t, packets[i], strlen(packets[i]));
	memset(deep, '[', sizeof(deep));
	assert_refused(t, deep, CTL_PACKET_MAX);
	assert_refused(t, deep, sizeof(deep)); /* longer than a packet may be */
	assert_refused(t, "\0\0\0", 3);
}

static void test_empty_packet(void **state)
{
	struct fixture *t = *state;
	_cleanup_close_ int fd = connected(t);

	assert_null(exchange_raw(fd, "", 0)); /* the same as hanging up */
	assert_serves(t);
}

static void test_many_descriptors(void **state)
{
	struct fixture *t = *state;
	int fds[64];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(fds))}};
	char text[] = "{\"cmd\":\"echo\"}";
	struct iovec iov = {.iov_base = text, .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	_cleanup_close_ int fd = connected(t);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = STDIN_FILENO;
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	for (int i = 0; i < 100; i++) {
		char answer[512];

		assert_true(sendmsg(fd, &msg, MSG_NOSIGNAL) > 0);
		assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
	}
	assert_serves(t); /* and teardown counts descriptors */
}

static bool has_gone(int err)
{
	return err == -EPIPE || err == -ECONNRESET;
}

static void test_client_that_does_not_read(void **state)
{
	struct fixture *t = *state;
	_cleanup_close_ int fd = connected(t);
	json_auto_t *asked = request("long");
	int err = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 5000 && !has_gone(err); i++) {
		err = ctl_wire_send(fd, asked, -1);
		if (err == -EAGAIN)
			usleep(1000);
	}
	assert_true(has_gone(err)); /* the server closed it */
	assert_serves(t);
}

static void test_too_many_clients(void **state)
{
	struct fixture *t = *state;
	int fds[CTL_CLIENTS_MAX * 2];
	json_auto_t *hold = request("hold");
	struct vx_error error;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connected(t);
	assert_serves(t);
	/* The newest are still there; one with something at stake outlives a flood of others. */
	fds[0] = (close(fds[0]), connected(t));
	assert_int_equal(ctl_exchange(fds[0], hold, -1, 5000, &error, NULL), 0);
	for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
		fds[i] = (close(fds[i]), connected(t));
	assert_serves(t);
	assert_int_equal(ctl_exchange(fds[0], hold, -1, 5000, &error, NULL), 0);
	assert_int_equal(__atomic_load_n(&t->n_closed, __ATOMIC_SEQ_CST), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_on_close(void **state)
{
	struct fixture *t = *state;
	int fd = connected(t), other = connected(t);
	json_auto_t *hold = request("hold");
	struct vx_error error;

	assert_int_equal(ctl_exchange(fd, hold, -1, 5000, &error, NULL), 0);
	assert_int_equal(ctl_exchange(other, hold, -1, 5000, &error, NULL), 0);
	close(fd);
	for (int i = 0; i < 500 && !__atomic_load_n(&t->n_closed, __ATOMIC_SEQ_CST); i++)
		usleep(10000);
	assert_int_equal(__atomic_load_n(&t->n_closed, __ATOMIC_SEQ_CST), 1);
	stop(t);
	ctl_server_close(&t->server); /* counts for the other one too */
	assert_int_equal(t->n_closed, 2);
	close(other);
}

static void test_left_behind(void **state)
{
	struct fixture *t = *state;
	struct ctl_server *server = NULL;
	struct sockaddr_un address;
	struct vx_error error;
	char path[80];
	int fd = -1, dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(path, sizeof(path), "%s/dead", t->dir);
	assert_int_equal(ctl_connect(path, &error, &fd), -ENOENT);
	ctl_wire_address(path, &address);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead); /* what is left of a killed process */
	assert_int_equal(ctl_connect(path, &error, &fd), -ENOENT);
	assert_int_equal(error.code, VX_NOT_FOUND);
	assert_int_equal(fd, -1);
	stop(t);
	assert_int_equal(ctl_server_open(t->loop, path, commands, t, &error, &server), 0);
	ctl_server_close(&server);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_path_too_long(void **state)
{
	struct fixture *t = *state;
	struct ctl_server *server = NULL;
	struct vx_error error;
	char path[300];
	int fd = -1;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	stop(t);
	assert_int_equal(ctl_server_open(t->loop, path, commands, t, &error, &server),
			 -ENAMETOOLONG);
	assert_null(server);
	assert_int_equal(ctl_connect(path, &error, &fd), -ENAMETOOLONG);
}

/* A client and the other end of its connection, which the test plays. */
static void with_server(const char *answer, int pass_fd, int wanted)
{
	json_auto_t *asked = request("echo"), *reply = NULL, *object = NULL;
	struct vx_error error = {0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	if (answer) {
		object = json_loads(answer, JSON_DECODE_ANY, NULL);
		if (object)
			assert_int_equal(ctl_wire_send(pair[1], object, pass_fd), 0);
		else
			assert_true(send(pair[1], answer, strlen(answer), 0) > 0);
	}
	assert_int_equal(ctl_exchange(pair[0], asked, -1, 100, &error, &reply), wanted);
	assert_true(!wanted || error.message[0]);
	assert_true(!wanted == !!reply);
	close(pair[0]);
	close(pair[1]);
}

static void test_hostile_server(void **state)
{
	int memfd = memfd_create("reply", MFD_CLOEXEC);

	assert_int_equal(write(memfd, "{\"ok\":true}", 11), 11);
	with_server("{\"ok\":true}", -1, 0);
	with_server("{\"ok\":true,\"reply_bytes\":11}", memfd, 0);
	with_server("{\"ok\":true,\"reply_bytes\":12}", memfd, -EPROTO);
	with_server("{\"ok\":true,\"reply_bytes\":-1}", memfd, -EPROTO);
	with_server("{\"ok\":true,\"reply_bytes\":1000000000000}", memfd, -EPROTO);
	with_server("[1]", -1, -EPROTO);
	with_server("nonsense", -1, -EPROTO);
	with_server("{\"error\":7}", -1, -EIO);
	with_server("{\"error\":{\"code\":99,\"message\":[]}}", -1, -EIO);
	with_server(NULL, -1, -ETIMEDOUT);
	close(memfd);
}

static void test_server_hangs_up(void **state)
{
	json_auto_t *asked = request("echo"), *reply = NULL;
	struct vx_error error;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	shutdown(pair[1], SHUT_WR);
	assert_int_equal(ctl_exchange(pair[0], asked, -1, 1000, &error, &reply), -ECONNRESET);
	close(pair[1]);
	assert_true(has_gone(ctl_exchange(pair[0], asked, -1, 1000, &error, &reply)));
	close(pair[0]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_echo),
		CASE(test_error),
		CASE(test_help),
		CASE(test_long_reply),
		CASE(test_hostile_packets),
		CASE(test_empty_packet),
		CASE(test_many_descriptors),
		CASE(test_client_that_does_not_read),
		CASE(test_too_many_clients),
		CASE(test_on_close),
		CASE(test_left_behind),
		CASE(test_path_too_long),
		cmocka_unit_test(test_hostile_server),
		cmocka_unit_test(test_server_hangs_up),
	};

	return run_all(tests);
}
