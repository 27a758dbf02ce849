/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.c - the far end of the wire: sends test frames, checks what comes back, counts.
 *
 *   wire prime IFACE --src MAC --dst MAC   one frame at a time, until the guest's echoes are there
 *   wire echo  IFACE --src MAC --dst MAC   a guest swaps the addresses and sends all back
 *   wire send  IFACE --src MAC --dst MAC   as fast as possible, nothing comes back
 *   wire count IFACE --src MAC             how many frames arrive from MAC, until SIGTERM and quiet
 *
 * `prime` finds out when the path is up (at most --timeout MS) and teaches addresses, on each of
 * the --flows. `echo` sends --count frames with at most --window of them on their way, so that a
 * healthy path loses none. Prints one JSON object; exits 0 when the exchange took place, whatever
 * it found, and 3 when no frame of `prime` came back.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

#include "frame.h"
#include "include/vxdp/util.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define BATCH 32

struct options {
	struct frame_spec spec;
	unsigned int count, window;
	int timeout_ms;
};

struct result {
	uint64_t n_sent, n_refused, n_received, n_corrupt, n_duplicate, n_reordered;
};

struct wire {
	int fd;
	const struct options *opt;
	struct result result;
	uint8_t *seen;	     /* per sequence number: came back */
	uint32_t *flow_next; /* per flow: the lowest number that may come next */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/*
 * A packet socket on @iface. With @from set, only frames of that source pass its filter; else
 * all that others send.
 */
static int wire_open(const char *iface, const uint8_t *from, int *out)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(iface),
	};
	const int one = 1, rcvbuf_bytes = 64 << 20;

	if (fd < 0 || addr.sll_ifindex == 0)
		return -errno;
	if (from) {
		uint32_t high = (uint32_t)from[0] << 24 | from[1] << 16 | from[2] << 8 | from[3];
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
			BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(from[4] << 8 | from[5]), 0,
				 1),
			BPF_STMT(BPF_RET | BPF_K, 64),
			BPF_STMT(BPF_RET | BPF_K, 0),
		};
		struct sock_fprog filter = {.len = ARRAY_SIZE(code), .filter = code};

		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
			return -errno;
	}
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf_bytes, sizeof(rcvbuf_bytes)) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

static void check_frame(struct wire *w, const uint8_t *buf, size_t bytes)
{
	const struct frame_spec *spec = &w->opt->spec;
	uint32_t seq;

	if (!frame_seq(spec, buf, bytes, &seq))
		return;
	if (seq >= w->result.n_sent || !frame_echo_ok(spec, seq, buf, bytes)) {
		w->result.n_corrupt++;
		return;
	}
	if (w->seen[seq]) {
		w->result.n_duplicate++;
		return;
	}
	w->seen[seq] = 1;
	w->result.n_received++;
	if (seq < w->flow_next[seq % spec->n_flows])
		w->result.n_reordered++;
	else
		w->flow_next[seq % spec->n_flows] = seq + 1;
}

/* Take in all that has arrived, waiting for the first at most @wait_ms. */
static bool receive(struct wire *w, int wait_ms)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	const uint64_t before = w->result.n_received + w->result.n_corrupt;
	uint8_t buf[FRAME_MAX_BYTES + 1];
	ssize_t got;

	if (poll(&p, 1, wait_ms) <= 0)
		return false;
	while ((got = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC)) > 0)
		check_frame(w, buf, (size_t)got);
	return w->result.n_received + w->result.n_corrupt > before;
}

/* Send up to @n frames from @seq on; returns how many the kernel took. */
static unsigned int send_burst(struct wire *w, const struct frame_spec *spec, uint32_t seq,
			       unsigned int n)
{
	static uint8_t bufs[BATCH][FRAME_MAX_BYTES];
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	int taken;

	n = MIN(n, (unsigned int)BATCH);
	for (unsigned int i = 0; i < n; i++) {
		iov[i] = (struct iovec){bufs[i], frame_build(spec, seq + i, bufs[i])};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	taken = sendmmsg(w->fd, msgs, n, 0);
	if (taken < 0)
		w->result.n_refused++;
	return taken < 0 ? 0 : (unsigned int)taken;
}

/* One frame at a time, until each flow had a few echoes in a row. */
static bool prime(struct wire *w)
{
	const struct frame_spec *spec = &w->opt->spec;
	const int64_t end = now_ms() + w->opt->timeout_ms;
	unsigned int n_in_row = 0;

	while (n_in_row < 4 * spec->n_flows) {
		uint32_t seq = n_in_row % spec->n_flows;

		w->seen[seq] = 0;
		w->result.n_sent = MAX(w->result.n_sent, seq + 1);
		if (now_ms() > end)
			return false;
		if (send_burst(w, spec, seq, 1) && receive(w, 50))
			n_in_row++;
		else
			n_in_row = 0;
	}
	while (receive(w, 50))
		; /* late ones of the attempts before */
	return true;
}

static void echo(struct wire *w)
{
	const struct options *opt = w->opt;
	struct result *r = &w->result;
	uint64_t n_lost = 0; /* not waited for any more */

	while (r->n_received < opt->count) {
		uint64_t n_out = r->n_sent - MIN(r->n_sent, r->n_received + n_lost);
		uint64_t n = MIN(opt->count - r->n_sent, opt->window - MIN(n_out, opt->window));

		if (n > 0)
			r->n_sent +=
				send_burst(w, &opt->spec, (uint32_t)r->n_sent, (unsigned int)n);
		if (receive(w, opt->timeout_ms))
			continue;
		n_lost = r->n_sent - r->n_received;
		if (r->n_sent == opt->count)
			break;
	}
	while (receive(w, 50))
		; /* late ones and doubles */
}

static void send_all(struct wire *w)
{
	struct result *r = &w->result;

	while (r->n_sent < w->opt->count)
		r->n_sent += send_burst(w, &w->opt->spec, (uint32_t)r->n_sent,
					w->opt->count - (unsigned int)r->n_sent);
}

/*
 * Nobody reads this socket: the kernel counts what passes the filter, queued or not. Frames that
 * are still on their way when the signal comes count as well: until there was none for a while.
 */
static int count_until_quiet(int fd)
{
	const struct timespec quiet = {.tv_nsec = 300000000};
	struct tpacket_stats stats;
	socklen_t bytes = sizeof(stats);
	struct signalfd_siginfo info;
	_cleanup_close_ int signal_fd = -1;
	uint64_t n_received = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	fputs("counting\n", stderr);
	if (signal_fd < 0 || read(signal_fd, &info, sizeof(info)) < 0)
		return -errno;
	do {
		if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) < 0)
			return -errno;
		n_received += stats.tp_packets;
		nanosleep(&quiet, NULL);
	} while (stats.tp_packets);
	printf("{\"received\":%" PRIu64 "}\n", n_received);
	return 0;
}

static void print_result(const struct result *r)
{
	printf("{\"sent\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"received\":%" PRIu64
	       ",\"corrupt\":%" PRIu64 ",\"duplicate\":%" PRIu64 ",\"reordered\":%" PRIu64 "}\n",
	       r->n_sent, r->n_refused, r->n_received, r->n_corrupt, r->n_duplicate,
	       r->n_reordered);
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6;
}

static bool parse_size(const char *text, struct frame_spec *spec)
{
	int n = sscanf(text, "%u-%u", &spec->bytes_min, &spec->bytes_max);

	if (n == 1)
		spec->bytes_max = spec->bytes_min;
	return n >= 1 && spec->bytes_min >= FRAME_MIN_BYTES && spec->bytes_max <= FRAME_MAX_BYTES &&
	       spec->bytes_min <= spec->bytes_max;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"src", 1, 0, 's'},   {"dst", 1, 0, 'd'},     {"count", 1, 0, 'n'},
		{"size", 1, 0, 'b'},  {"flows", 1, 0, 'f'},   {"window", 1, 0, 'w'},
		{"prime", 1, 0, 'p'}, {"timeout", 1, 0, 't'}, {0},
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			ok = parse_mac(optarg, opt->spec.src);
			break;
		case 'd':
			ok = parse_mac(optarg, opt->spec.dst);
			break;
		case 'b':
			ok = parse_size(optarg, &opt->spec);
			break;
		case 'n':
			ok = sscanf(optarg, "%u", &opt->count) == 1;
			break;
		case 'f':
			ok = sscanf(optarg, "%u", &opt->spec.n_flows) == 1;
			break;
		case 'w':
			ok = sscanf(optarg, "%u", &opt->window) == 1;
			break;
		case 't':
			ok = sscanf(optarg, "%d", &opt->timeout_ms) == 1;
			break;
		default:
			ok = false;
		}
	}
	return ok && optind == argc - 2 && opt->spec.n_flows && opt->count && opt->window;
}

static int run(const char *mode, const char *iface, const struct options *opt)
{
	const bool counting = strcmp(mode, "count") == 0;
	_cleanup_free_ uint8_t *seen = calloc(MAX(opt->count, opt->spec.n_flows), 1);
	_cleanup_free_ uint32_t *flow_next = calloc(opt->spec.n_flows, sizeof(*flow_next));
	_cleanup_close_ int fd = -1;
	struct wire w = {.opt = opt, .seen = seen, .flow_next = flow_next};
	int err = seen && flow_next ? 0 : -ENOMEM;

	if (!err)
		err = wire_open(iface, counting ? opt->spec.src : NULL, &fd);
	if (err)
		return err;
	if (counting)
		return count_until_quiet(fd);
	w.fd = fd;
	if (strcmp(mode, "prime") == 0)
		return prime(&w) ? 0 : -EHOSTUNREACH;
	if (strcmp(mode, "echo") == 0)
		echo(&w);
	else
		send_all(&w);
	print_result(&w.result);
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.spec = {.tag = (uint32_t)getpid() << 16 | 0x7864,
			 .n_flows = 1,
			 .bytes_min = FRAME_MIN_BYTES,
			 .bytes_max = 1514},
		.count = 1000,
		.window = 32,
		.timeout_ms = 500,
	};
	int err;

	if (!parse_options(argc, argv, &opt)) {
		fputs("usage: wire prime|echo|send|count IFACE --src MAC [--dst MAC] [--count N] "
		      "[--size N|MIN-MAX] [--flows N] [--window N] [--timeout MS]\n",
		      stderr);
		return 2;
	}
	err = run(argv[optind], argv[optind + 1], &opt);
	if (err)
		fprintf(stderr, "wire: %s: %s\n", argv[optind + 1], strerror(-err));
	return err == -EHOSTUNREACH ? 3 : !!err;
}
