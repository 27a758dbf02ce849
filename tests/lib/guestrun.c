// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guestrun - run shell commands in a test guest, over virtio-serial ports.
 *
 *   guestrun --agent /dev/vport0p1 /dev/vport0p2 ...   in the guest, started by /init
 *   guestrun --run SOCKET... -- 'shell command'        on the host; stdout, stderr and exit status
 *                                                      are those of the command
 *
 * Theory of operation
 *
 * Each port is a byte stream that carries frames: a fixed header with a magic number, then the
 * payload. A client sends one RUN frame and reads OUT and ERR frames until EXIT. A client that is
 * killed leaves half-read replies behind, so every frame carries the id of its request and the
 * client skips what is not its own, byte by byte until it finds the magic again. A RUN frame on a
 * port whose command still runs kills that command: its client is gone.
 *
 * QEMU serves one client a socket at a time. The host therefore passes several sockets, and takes
 * the first whose lock file is free, so that commands can run beside each other.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAGIC	    0x56475258u
#define PAYLOAD_MAX (64u * 1024)
#define PORTS_MAX   16

enum frame_type { RUN = 1, OUT, ERR, EXIT };

struct frame {
	uint32_t magic;
	uint32_t id;
	uint32_t type;
	uint32_t len;
};

static_assert(sizeof(struct frame) == 16, "frames are the same on both sides");

/* One side's unread input: header and payload are looked for in here. */
struct inbuf {
	size_t fill;
	uint8_t data[sizeof(struct frame) + PAYLOAD_MAX];
};

struct port {
	const char *path;
	int fd;
	bool hung_up; /* nobody has the host's socket open */
	uint32_t id;  /* of the command that runs */
	pid_t pid;    /* 0: none */
	int out, err; /* -1: closed */
	struct inbuf in;
};

static struct port ports[PORTS_MAX];
static int n_ports;

static void die(const char *what)
{
	fprintf(stderr, "guestrun: %s: %s\n", what, strerror(errno));
	exit(125);
}

/**
 * next_frame() - take the first whole frame out of the buffer
 * @in: bytes read so far
 * @f: receives the header
 * @payload: receives the payload, PAYLOAD_MAX bytes
 *
 * Return: false when more bytes are needed. Bytes that cannot start a frame are skipped.
 */
static bool next_frame(struct inbuf *in, struct frame *f, uint8_t *payload)
{
	size_t skip = 0, used;

	while (in->fill - skip >= sizeof(*f)) {
		memcpy(f, in->data + skip, sizeof(*f));
		if (f->magic == MAGIC && f->len <= PAYLOAD_MAX)
			break;
		skip++;
	}
	memmove(in->data, in->data + skip, in->fill - skip);
	in->fill -= skip;
	if (in->fill < sizeof(*f) || in->fill < sizeof(*f) + f->len)
		return false;
	used = sizeof(*f) + f->len;
	memcpy(payload, in->data + sizeof(*f), f->len);
	memmove(in->data, in->data + used, in->fill - used);
	in->fill -= used;
	return true;
}

/* Writes all of it, waiting for room at most five seconds: a dead peer must not block the agent. */
static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};

			if (poll(&pfd, 1, 5000) <= 0 || pfd.revents & (POLLHUP | POLLERR))
				return -EPIPE;
			continue;
		}
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_frame(int fd, uint32_t id, enum frame_type type, const void *data, size_t len)
{
	uint8_t buf[sizeof(struct frame) + PAYLOAD_MAX];
	struct frame f = {.magic = MAGIC, .id = id, .type = type, .len = (uint32_t)len};

	memcpy(buf, &f, sizeof(f));
	memcpy(buf + sizeof(f), data, len);
	return write_all(fd, buf, sizeof(f) + len);
}

/* --- the guest's side --- */

static void on_sigio(int sig)
{
}

static void close_output(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void start_command(struct port *p, uint32_t id, const char *command)
{
	int out[2], err[2];

	if (p->pid) {
		kill(-p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		close_output(&p->out);
		close_output(&p->err);
	}
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe2");
	p->id = id;
	p->pid = fork();
	if (p->pid < 0)
		die("fork");
	if (!p->pid) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	setpgid(p->pid, p->pid);
	close(out[1]);
	close(err[1]);
	p->out = out[0];
	p->err = err[0];
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	fcntl(p->err, F_SETFL, O_NONBLOCK);
}

/* Passes on what the command has written. Stops at an empty pipe, so background jobs may keep it.
 */
static void pass_output(struct port *p, int *fd, enum frame_type type)
{
	uint8_t buf[16384];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			close_output(fd);
		else
			send_frame(p->fd, p->id, type, buf, (size_t)n);
	}
}

static void reap(struct port *p)
{
	uint32_t code;
	int status;

	if (!p->pid || waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	pass_output(p, &p->out, OUT);
	pass_output(p, &p->err, ERR);
	close_output(&p->out);
	close_output(&p->err);
	code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 128 + (uint32_t)WTERMSIG(status);
	send_frame(p->fd, p->id, EXIT, &code, sizeof(code));
	p->pid = 0;
}

static void read_port(struct port *p)
{
	static uint8_t payload[PAYLOAD_MAX + 1];
	struct frame f;
	ssize_t n;

	n = read(p->fd, p->in.data + p->in.fill, sizeof(p->in.data) - p->in.fill);
	if (n == 0)
		p->hung_up = true;
	if (n <= 0)
		return;
	p->in.fill += (size_t)n;
	while (next_frame(&p->in, &f, payload)) {
		payload[f.len] = '\0';
		if (f.type == RUN)
			start_command(p, f.id, (const char *)payload);
	}
}

static void open_ports(char **paths)
{
	for (; *paths && n_ports < PORTS_MAX; paths++) {
		struct port *p = &ports[n_ports];

		p->fd = open(*paths, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (p->fd < 0)
			continue;
		p->path = *paths;
		p->out = -1;
		p->err = -1;
		fcntl(p->fd, F_SETOWN, getpid());
		fcntl(p->fd, F_SETFL, O_NONBLOCK | O_ASYNC);
		n_ports++;
	}
	if (!n_ports)
		die("no virtio-serial port");
}

/*
 * A port nobody is connected to is always "readable" to poll(), so it is left out until SIGIO
 * tells that the other end has changed (and looked at again twice a second, should that be lost).
 */
static _Noreturn void agent(char **paths)
{
	const struct timespec half = {.tv_nsec = 500 * 1000 * 1000};
	sigset_t blocked, open_mask;

	signal(SIGIO, on_sigio);
	signal(SIGCHLD, on_sigio);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGIO);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	open_ports(paths);
	for (;;) {
		struct pollfd pfd[PORTS_MAX * 3];
		int ready;

		for (int i = 0; i < n_ports; i++) {
			struct port *p = &ports[i];

			pfd[3 * i] = (struct pollfd){p->hung_up ? -1 : p->fd, POLLIN, 0};
			pfd[3 * i + 1] = (struct pollfd){p->out, POLLIN, 0};
			pfd[3 * i + 2] = (struct pollfd){p->err, POLLIN, 0};
		}
		ready = ppoll(pfd, (nfds_t)n_ports * 3, &half, &open_mask);
		for (int i = 0; i < n_ports; i++) {
			struct port *p = &ports[i];

			if (ready <= 0)
				p->hung_up = false;
			else if (pfd[3 * i].revents)
				read_port(p);
			pass_output(p, &p->out, OUT);
			pass_output(p, &p->err, ERR);
			reap(p);
		}
	}
}

/* --- the host's side --- */

static int connect_free(char **socks, int n)
{
	for (int tries = 0; tries < 600; tries++) {
		for (int i = 0; i < n; i++) {
			struct sockaddr_un sa = {.sun_family = AF_UNIX};
			char lock[sizeof(sa.sun_path) + 8];
			int fd, lock_fd;

			snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socks[i]);
			snprintf(lock, sizeof(lock), "%s.lock", sa.sun_path);
			lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
			if (lock_fd < 0)
				die(lock);
			if (flock(lock_fd, LOCK_EX | LOCK_NB)) {
				close(lock_fd);
				continue;
			}
			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
				die(sa.sun_path);
			return fd; /* the lock goes with the process */
		}
		usleep(50 * 1000);
	}
	errno = EBUSY;
	die("all ports of the guest are in use");
	return -1;
}

static int run(char **socks, int n, const char *command)
{
	static uint8_t payload[PAYLOAD_MAX];
	static struct inbuf in;
	struct timespec now;
	struct frame f;
	uint32_t id;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	fd = connect_free(socks, n);
	clock_gettime(CLOCK_MONOTONIC, &now);
	id = (uint32_t)getpid() ^ (uint32_t)now.tv_nsec;
	if (strlen(command) >= PAYLOAD_MAX || send_frame(fd, id, RUN, command, strlen(command)))
		die("send");
	for (;;) {
		ssize_t got = read(fd, in.data + in.fill, sizeof(in.data) - in.fill);

		if (got <= 0) {
			errno = ECONNRESET;
			die("guest");
		}
		in.fill += (size_t)got;
		while (next_frame(&in, &f, payload)) {
			if (f.id != id)
				continue;
			if (f.type == OUT || f.type == ERR)
				write_all(f.type == OUT ? 1 : 2, payload, f.len);
			if (f.type == EXIT && f.len == 4)
				return payload[0];
		}
	}
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "--agent"))
		agent(argv + 2);
	if (argc >= 5 && !strcmp(argv[1], "--run") && !strcmp(argv[argc - 2], "--"))
		return run(argv + 2, argc - 4, argv[argc - 1]);
	fprintf(stderr, "usage: guestrun --agent PORT... | --run SOCKET... -- COMMAND\n");
	return 125;
}
