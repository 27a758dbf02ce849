// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_descriptor.c - C6 to C8: descriptors that are not what they should be, or too many for us.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "attack.h"

/* --- C6: the back end runs out of descriptors ------------------------------------------------ */

/* Highest descriptor of the victim. */
static int highest_fd(pid_t pid)
{
	char path[64];
	int highest = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		highest = MAX(highest, atoi(e->d_name));
	if (dir)
		closedir(dir);
	return highest;
}

/* CPU time of the victim in clock ticks. */
static unsigned long cpu_ticks(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char path[64], text[1024] = "";
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fgets(text, sizeof(text), f) && (at = strrchr(text, ')')))
		sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
	fclose(f);
	return user + system;
}

/* All descriptors but @spare are gone for the victim while @run runs. */
static int with_few_fds(struct attack *a, int spare, int (*run)(struct attack *a))
{
	struct rlimit before, few;
	int err;

	if (!a->victim_pid)
		return attack_fail(a, "needs --pid");
	if (prlimit(a->victim_pid, RLIMIT_NOFILE, NULL, &before))
		return -errno;
	few = before;
	few.rlim_cur = highest_fd(a->victim_pid) + 1 + spare;
	if (prlimit(a->victim_pid, RLIMIT_NOFILE, &few, NULL))
		return -errno;
	err = run(a);
	prlimit(a->victim_pid, RLIMIT_NOFILE, &before, NULL);
	return err;
}

static int start_anyway(struct attack *a)
{
	int err = fe_net_start(a->fe);

	return err ? err : attack_alive(a->fe);
}

static int fds_short(struct attack *a, uint64_t spare)
{
	return with_few_fds(a, spare, start_anyway);
}

/* Nobody can be accepted; that must not become a loop. Connections wait, or are hung up on. */
static int connect_in_vain(struct attack *a)
{
	unsigned long before;

	for (int i = 0; i < 5; i++) {
		int err = fe_sock_connect(a->fe, a->path, 1000);

		if (err && err != -EAGAIN)
			return err;
		usleep(20000);
	}
	before = cpu_ticks(a->victim_pid);
	usleep(1000000);
	if (cpu_ticks(a->victim_pid) - before > 80)
		return attack_fail(a, "the back end spins: %lu ticks of 100",
				   cpu_ticks(a->victim_pid) - before);
	return 0;
}

static int accept_short(struct attack *a, uint64_t arg)
{
	int err;

	fe_sock_close(a->fe);
	usleep(300000);
	err = with_few_fds(a, 0, connect_in_vain);
	return err ? err : attack_connect(a, AT_CONNECTED);
}

static const struct step c6[] = {
	{"no descriptor left", fds_short, 0, AT_CONNECTED, WANT_ANY, 0},
	{"1 descriptor left", fds_short, 1, AT_CONNECTED, WANT_ANY, 0},
	{"3 descriptors left", fds_short, 3, AT_CONNECTED, WANT_ANY, 0},
	{"6 descriptors left", fds_short, 6, AT_CONNECTED, WANT_ANY, 0},
	{"none left for a new connection", accept_short, 0, AT_CONNECTED, WANT_OK, 0},
};

/* --- C7: descriptors of another kind --------------------------------------------------------- */

enum kind {
	PLAIN_FILE,
	DEVICE,
	PIPE_END,
	SOCKET_END,
	DIRECTORY,
	EPOLL,
	TIMER,
	CLOSED_PEER,
	READ_ONLY,
	PATH_ONLY,
	EVENT,
	EVENT_FULL,
	OWN_SOCKET,
	N_KINDS,
};

static const char *const kind_names[N_KINDS] = {
	"a plain file",
	"a device",
	"a pipe",
	"a socket",
	"a directory",
	"an epoll set",
	"a timer",
	"a closed socket",
	"a read-only memory file",
	"an O_PATH",
	"an eventfd",
	"a full eventfd, blocking",
	"the connection's own socket",
};

static int read_only_memory(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC), again = -1;
	char path[64];

	if (fd >= 0 && !ftruncate(fd, 16 << 20)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		again = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0)
		close(fd);
	return again;
}

/* One end, the other one closed or kept (it is the caller's process that ends soon). */
static int socket_end(bool keep)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	if (!keep)
		close(pair[1]);
	return pair[0];
}

static int pipe_end(void)
{
	static const char filler[65536];
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return -1;
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	while (write(pair[1], filler, sizeof(filler)) > 0)
		;
	fcntl(pair[1], F_SETFL, 0); /* full, and blocking */
	return pair[1];
}

static int open_kind(struct attack *a, enum kind kind)
{
	int fd = -1;

	switch (kind) {
	case PLAIN_FILE:
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0 && ftruncate(fd, 4096))
			return -1;
		return fd;
	case DEVICE:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case PIPE_END:
		return pipe_end();
	case SOCKET_END:
		return socket_end(true);
	case DIRECTORY:
		return open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case TIMER:
		return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	case CLOSED_PEER:
		return socket_end(false);
	case READ_ONLY:
		return read_only_memory();
	case PATH_ONLY:
		return open("/tmp", O_PATH | O_CLOEXEC);
	case EVENT:
		return eventfd(0, EFD_CLOEXEC);
	case EVENT_FULL:
		fd = eventfd(0, EFD_CLOEXEC);
		if (fd >= 0 && eventfd_write(fd, ~0ull - 1))
			return -1;
		return fd;
	default:
		return fcntl(a->fe->sock, F_DUPFD_CLOEXEC, 0);
	}
}

/* The same step with every kind but those in @except: a refusal each time, or anything. */
static int all_kinds(struct attack *a, uint32_t except, bool must_refuse,
		     int (*pass)(struct attack *a, int fd))
{
	int err = -EREMOTEIO;

	for (unsigned int kind = 0; kind < N_KINDS; kind++) {
		int fd;

		if (except >> kind & 1)
			continue;
		err = attack_connect(a, AT_NEGOTIATED);
		if (err)
			return err;
		fd = open_kind(a, kind);
		if (fd < 0)
			return attack_fail(a, "cannot open %s", kind_names[kind]);
		err = pass(a, fd);
		if (!err)
			err = attack_alive(a->fe) == -EPIPE ? -EPIPE : 0;
		close(fd);
		if (err == -ETIMEDOUT || (must_refuse && !err))
			return attack_fail(a, "%s: %s", kind_names[kind], strerror(-err));
	}
	return must_refuse ? err : 0;
}

static int pass_table(struct attack *a, int fd)
{
	struct fe_mem_table table = {.n_regions = 1};

	table.region[0] = fe_mem_describe(a->fe, 0);
	return fe_sock_ack(a->fe, FE_SET_MEM_TABLE, &table, 40, &fd, 1);
}

static int memory_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 0, true, pass_table);
}

static int pass_add(struct attack *a, int fd)
{
	struct fe_mem_single single = {.region = fe_mem_describe(a->fe, 0)};

	return fe_sock_ack(a->fe, FE_ADD_MEM_REG, &single, sizeof(single), &fd, 1);
}

static int add_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 0, true, pass_add);
}

static int pass_log(struct attack *a, int fd)
{
	return fe_dev_log(a->fe, fd, 1 << 20, 0);
}

static int log_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 0, true, pass_log);
}

static int pass_inflight(struct attack *a, int fd)
{
	struct fe_inflight d = {.mmap_bytes = 1 << 20, .n_queues = 2, .queue_num = 256};

	return fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &d, 20, &fd, 1);
}

static int inflight_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 0, true, pass_inflight);
}

static int pass_backend(struct attack *a, int fd)
{
	return fe_sock_ack(a->fe, FE_SET_BACKEND_REQ_FD, NULL, 0, &fd, 1);
}

static int backend_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 0, false, pass_backend);
}

static int pass_kick(struct attack *a, int fd)
{
	uint64_t index = 1;

	return fe_sock_ack(a->fe, FE_SET_VRING_KICK, &index, 8, &fd, 1);
}

static int kick_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 1u << EVENT | 1u << EVENT_FULL, true, pass_kick);
}

static int pass_call(struct attack *a, int fd)
{
	uint64_t index = 0;

	return fe_sock_ack(a->fe, FE_SET_VRING_CALL, &index, 8, &fd, 1);
}

static int call_kinds(struct attack *a, uint64_t arg)
{
	return all_kinds(a, 1u << EVENT | 1u << EVENT_FULL, true, pass_call);
}

/* A full blocking eventfd as @request's descriptor of a running ring, and traffic. */
static int full_event(struct attack *a, uint64_t request)
{
	int fd = open_kind(a, EVENT_FULL), err = 0;

	for (unsigned int i = 0; !err && i < 2; i++)
		err = fe_dev_ring_fd(a->fe, request, i, fd);
	for (unsigned int i = 0; !err && i < 20; i++) {
		attack_poke(a, 10);
		exchange_step(&a->exchange, 8);
		fe_ring_call_on(fe_rx(a->fe, 0));
		usleep(5000);
	}
	if (!err && request == FE_SET_VRING_ERR) { /* make the back end signal it */
		raw_desc(fe_tx(a->fe, 0), 0, ~0ull, 64, 0, 0);
		raw_avail(fe_tx(a->fe, 0), 0);
		raw_go(fe_tx(a->fe, 0));
		usleep(200000);
	}
	close(fd);
	return err;
}

/* The flag that keeps a write from blocking is shared: we take it away again and again. */
static int unblock_again(struct attack *a, uint64_t arg)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;

	err = fe_dev_ring_fd(a->fe, FE_SET_VRING_CALL, 0, fd);
	for (unsigned int i = 0; !err && i < 100; i++) {
		fcntl(fd, F_SETFL, 0);
		if (i % 10 == 0) {
			uint64_t n;

			fcntl(fd, F_SETFL, O_NONBLOCK);
			eventfd_read(fd, &n);
			eventfd_write(fd, ~0ull - 1);
			fcntl(fd, F_SETFL, 0);
		}
		fe_ring_call_on(fe_rx(a->fe, 0));
		attack_poke(a, 4);
		exchange_step(&a->exchange, 4);
		usleep(2000);
	}
	if (!err)
		err = attack_alive(a->fe);
	close(fd);
	return err;
}

static const struct step c7[] = {
	{"memory table", memory_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"memory table without REPLY_ACK", memory_kinds, 0, AT_NOTHING, WANT_REFUSE, STEP_NO_ACK},
	{"ADD_MEM_REG", add_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"log", log_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"in-flight region", inflight_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"channel to the front end", backend_kinds, 0, AT_NOTHING, WANT_ANY, 0},
	{"kick", kick_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"call", call_kinds, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"kick that never empties", full_event, FE_SET_VRING_KICK, AT_RUNNING, WANT_ANY, 0},
	{"call that would block", full_event, FE_SET_VRING_CALL, AT_RUNNING, WANT_ANY, 0},
	{"call that would block, packed", full_event, FE_SET_VRING_CALL, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"error event that would block", full_event, FE_SET_VRING_ERR, AT_RUNNING, WANT_ANY, 0},
	{"call made blocking behind its back", unblock_again, 0, AT_RUNNING, WANT_ANY, 0},
};

/* --- C8: descriptors that lead back to the back end, or to somebody else ---------------------- */

/* Our end of the connection goes to the other side: it would keep itself open for ever. */
static int own_socket_kept(struct attack *a, uint64_t arg)
{
	int err = fe_sock_ack(a->fe, FE_SET_BACKEND_REQ_FD, NULL, 0, &a->fe->sock, 1);

	fe_sock_close(a->fe);
	if (err && err != -EREMOTEIO && err != -EPIPE)
		return err;
	usleep(100000);
	return attack_connect(a, AT_NEGOTIATED); /* must not find itself locked out for good */
}

/* What the back end made for us, as guest memory, as a log, and as itself. */
static int inflight_as_all(struct attack *a, uint64_t arg)
{
	struct fe_inflight want = {.n_queues = 2, .queue_num = 256};
	struct fe_mem_table table = {.n_regions = 1};
	struct fe_msg reply;
	int fd, err;

	if (!(a->fe->protocol_features & FE_PF(FE_PF_INFLIGHT_SHMFD)))
		return 0;
	err = fe_sock_call(a->fe, FE_GET_INFLIGHT_FD, &want, 20, &reply, &fd);
	if (err || fd < 0)
		return err;
	table.region[0] = (struct fe_mem_desc){.gpa = 0, .bytes = 4096, .uaddr = 1ull << 40};
	fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &reply.inflight, 20, &fd, 1);
	fe_sock_ack(a->fe, FE_SET_MEM_TABLE, &table, 40, &fd, 1);
	fe_dev_log(a->fe, fd, 4096, 0);
	close(fd);
	return 0;
}

/* The memory of another guest: it is the front ends' affair that they share it. */
static int shared_memory(struct attack *a, uint64_t arg)
{
	return attack_works(a);
}

/* The listening socket of the back end's own path, connected to by us, as a kick descriptor. */
static int second_connection(struct attack *a, uint64_t request)
{
	struct fe *other;
	uint64_t index = 0;
	int err = attack_open(0, &other);

	if (err)
		return err;
	err = fe_sock_connect(other, a->path, 2000);
	if (!err)
		err = fe_sock_ack(a->fe, request, &index, request == FE_SET_BACKEND_REQ_FD ? 0 : 8,
				  &other->sock, 1);
	fe_close(&other);
	return err;
}

static const struct step c8[] = {
	{"its own connection as channel to the front end", own_socket_kept, 0, AT_NEGOTIATED,
	 WANT_OK, 0},
	{"another connection to it as channel", second_connection, FE_SET_BACKEND_REQ_FD,
	 AT_NEGOTIATED, WANT_ANY, 0},
	{"another connection to it as kick", second_connection, FE_SET_VRING_KICK, AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"its in-flight region as memory, as log and as itself", inflight_as_all, 0, AT_NEGOTIATED,
	 WANT_ANY, 0},
	{"one file as all memory regions", shared_memory, 0, AT_RUNNING, WANT_OK, STEP_ONE_FD},
};

const struct attack_case descriptor_cases[] = {
	STEPS("C6", c6),
	STEPS("C7", c7),
	STEPS("C8", c8),
	{NULL, NULL, 0},
};
