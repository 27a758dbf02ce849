// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * traffic - make traffic that can be checked, and check it. Runs on the wire, on the host and in
 * the guest. Every command prints one JSON object.
 *
 *   traffic udp-recv --port P [--bind A] [--join GROUP --dev IF] [--expect N] [--idle S]
 *   traffic udp-send --to A --port P [--size MIN-MAX] [--count N] [--rate PPS] [--flows N] [--dev
 * IF] traffic udp-echo --port P [--bind A] traffic udp-ping --to A --port P [--size MIN-MAX] one of
 * every size, there and back traffic tcp-recv --port P [--bind A] [--flows CONNECTIONS] traffic
 * tcp-send --to A --port P --bytes N
 *
 * --size is the UDP payload. --background FILE: the command returns its pid once it listens, and
 * the result is in FILE when it is done (SIGTERM ends it early). --timeout S bounds everything.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

static volatile sig_atomic_t stop;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

bool stopped(void)
{
	return stop;
}

static void on_signal(int sig)
{
	stop = 1;
}

static void put(struct result *r, const char *name, const char *value)
{
	r->len += (size_t)snprintf(r->json + r->len, sizeof(r->json) - r->len, "%s\"%s\":%s",
				   r->len ? "," : "", name, value);
	if (r->len >= sizeof(r->json))
		r->len = sizeof(r->json) - 1;
}

void put_u64(struct result *r, const char *name, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	put(r, name, text);
}

void put_double(struct result *r, const char *name, double v)
{
	char text[64];

	snprintf(text, sizeof(text), "%.6f", v);
	put(r, name, text);
}

void put_text(struct result *r, const char *name, const char *v)
{
	char text[128];

	snprintf(text, sizeof(text), "\"%s\"", v);
	put(r, name, text);
}

/* A reader of the background file sees all of the result or none. */
void emit(const struct opts *o, struct result *r)
{
	char temp[256];
	FILE *f = stdout;

	if (o->background) {
		snprintf(temp, sizeof(temp), "%s.new", o->background);
		f = fopen(temp, "w");
		if (!f)
			fail(temp);
	}
	fprintf(f, "{%s}\n", r->json);
	if (fflush(f))
		fail("write");
	if (o->background && (fclose(f) || rename(temp, o->background)))
		fail(o->background);
}

/* Resolves a numeric address; "fe80::1%eth0" carries its scope, --dev sets it too. */
static socklen_t parse_addr(const struct opts *o, const char *text, struct sockaddr_storage *sa)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(o->port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		errno = EINVAL;
		fail(text);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(o->port);
	v6->sin6_scope_id = o->dev ? if_nametoindex(o->dev) : 0;
	return sizeof(*v6);
}

static void join_group(const struct opts *o, int fd)
{
	struct ipv6_mreq m6 = {.ipv6mr_interface = if_nametoindex(o->dev ? o->dev : "")};
	struct ip_mreqn m4 = {.imr_ifindex = (int)m6.ipv6mr_interface};

	if (inet_pton(AF_INET, o->join, &m4.imr_multiaddr) == 1) {
		if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4)))
			fail(o->join);
	} else if (inet_pton(AF_INET6, o->join, &m6.ipv6mr_multiaddr) != 1 ||
		   setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6))) {
		fail(o->join);
	}
}

/* Multicast leaves by --dev; nothing is looped back to the sender's own sockets. */
static void sender_options(const struct opts *o, int fd, int family)
{
	struct ip_mreqn out = {.imr_ifindex = o->dev ? (int)if_nametoindex(o->dev) : 0};
	int one = 1, zero = 0;

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof(zero));
		if (o->dev)
			setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &zero, sizeof(zero));
		if (o->dev)
			setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &out.imr_ifindex,
				   sizeof(out.imr_ifindex));
	}
}

/**
 * open_socket() - make the socket of a command
 * @o: options
 * @type: SOCK_DGRAM or SOCK_STREAM
 * @sa: receives the address: of the peer, or for a listener its own
 * @len: receives its length
 * @listener: bind (and, for streams, listen) rather than connect
 */
int open_socket(const struct opts *o, int type, struct sockaddr_storage *sa, socklen_t *len,
		bool listener)
{
	int one = 1, buffer = 8 << 20;
	int fd;

	*len = parse_addr(o, listener ? (o->bind ? o->bind : "::") : o->to, sa);
	fd = socket(sa->ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	if (type == SOCK_DGRAM) {
		/* Root may go beyond the limit; elsewhere the limit has to do. */
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
		sender_options(o, fd, sa->ss_family);
	}
	if (!listener)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)sa, *len))
		fail("bind");
	if (type == SOCK_STREAM && listen(fd, 16))
		fail("listen");
	if (o->join)
		join_group(o, fd);
	return fd;
}

/* The socket is ready: let the caller go on, and work in a child of its own. */
void go_background(const struct opts *o)
{
	pid_t pid;
	int null;

	if (!o->background)
		return;
	unlink(o->background);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid) {
		printf("%d\n", pid);
		fflush(stdout);
		_exit(0);
	}
	setsid();
	null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
}

static const struct command {
	const char *name;
	int (*run)(const struct opts *o);
} commands[] = {
	{"udp-recv", udp_recv}, {"udp-send", udp_send}, {"udp-echo", udp_echo},
	{"udp-ping", udp_ping}, {"tcp-recv", tcp_recv}, {"tcp-send", tcp_send},
};

static const struct option long_options[] = {
	{"to", required_argument, 0, 't'},
	{"bind", required_argument, 0, 'B'},
	{"join", required_argument, 0, 'j'},
	{"dev", required_argument, 0, 'd'},
	{"port", required_argument, 0, 'p'},
	{"size", required_argument, 0, 's'},
	{"count", required_argument, 0, 'c'},
	{"bytes", required_argument, 0, 'b'},
	{"expect", required_argument, 0, 'e'},
	{"rate", required_argument, 0, 'r'},
	{"flows", required_argument, 0, 'f'},
	{"idle", required_argument, 0, 'i'},
	{"timeout", required_argument, 0, 'T'},
	{"background", required_argument, 0, 'g'},
	{0},
};

static void parse_size(struct opts *o, char *text)
{
	char *end;

	o->size_min = (uint32_t)strtoul(text, &end, 0);
	o->size_max = *end == '-' ? (uint32_t)strtoul(end + 1, NULL, 0) : o->size_min;
}

static void parse(struct opts *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 't':
			o->to = optarg;
			break;
		case 'B':
			o->bind = optarg;
			break;
		case 'j':
			o->join = optarg;
			break;
		case 'd':
			o->dev = optarg;
			break;
		case 'g':
			o->background = optarg;
			break;
		case 'p':
			o->port = (uint16_t)atoi(optarg);
			break;
		case 's':
			parse_size(o, optarg);
			break;
		case 'c':
			o->count = strtoull(optarg, NULL, 0);
			break;
		case 'b':
			o->bytes = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			o->expect = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			o->rate = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			o->flows = (unsigned int)atoi(optarg);
			break;
		case 'i':
			o->idle = atof(optarg);
			break;
		case 'T':
			o->timeout = atof(optarg);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct opts o = {.port = 7000,
			 .size_min = 64,
			 .size_max = 64,
			 .count = 1,
			 .flows = 1,
			 .idle = 2,
			 .timeout = 60};
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		parse(&o, argc - 1, argv + 1);
		return commands[i].run(&o);
	}
	fprintf(stderr,
		"usage: traffic udp-recv|udp-send|udp-echo|udp-ping|tcp-recv|tcp-send ...\n");
	return 2;
}
