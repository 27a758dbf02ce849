/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * light.c - both guests of a guest-to-guest benchmark, or all of many, in one thread.
 *
 *   light [--packed] [--ring N] [--buffers N] [--huge] [--gso] [--listen] SOCKET SOCKET
 *         [SOCKET SOCKET]...
 *
 * Connects to the vhost-user back ends behind the sockets, or waits for them to connect, as a front
 * end and a driver that polls.
 * Port 0 talks to port 1, 2 to 3 and so on. Then reads commands from standard input, and answers
 * each with one line of JSON:
 *
 *   run [KEY=VALUE]...   frames for some time; the keys:
 *     ms=500 size=64 macs=1
 *     rate=0             frames a second in all; 0: as many as the rings take (open loop)
 *     window=0           frames of a direction on their way at most (closed loop); 0: no limit
 *     burst=32           frames added at a time
 *     check=256          one frame out of so many is compared byte by byte
 *     touch=0            1: the sending guest writes each frame whole, not the headers only
 *     one_way=0          1: only the first of two ports sends
 *     tid=TID pid=PID    the switch: thread to raise with this one, process whose CPU time counts
 *   prime [KEY=VALUE]... frames of all addresses, until all arrive where they should
 *
 * How it keeps out of the way of what is measured is said in light_ring.h and light_run.c; what
 * the frames look like in light_frame.h.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "light_run.h"
#include "rt.h"

#define CONNECT_MS   5000
#define PRIME_TRIES  50
#define PRIME_NS     100000000u
#define HUGE_BYTES   (2u << 20)
#define GSO_BYTES    (17u * LIGHT_PART_BYTES)
#define BUFFER_BYTES 2176u /* as DPDK's: not a power of two */
#define GSO_RX_BYTES LIGHT_PART_BYTES
#define CALIBRATE_NS 50000000u

struct setup {
	bool packed, huge, gso, listen;
	uint16_t ring;
	uint32_t n_buffers;
};

static uint32_t tx_bytes(const struct setup *s)
{
	return s->gso ? GSO_BYTES : BUFFER_BYTES;
}

static uint32_t rx_bytes(const struct setup *s)
{
	return s->gso ? GSO_RX_BYTES : BUFFER_BYTES;
}

/* As every driver does, it keeps the receive ring full. */
static uint32_t n_rx_buffers(const struct setup *s)
{
	return MAX(s->n_buffers, s->ring);
}

static struct fe_config config_of(const struct setup *s)
{
	const size_t rings = (size_t)s->ring * 64 + (256u << 10);
	const size_t tables = s->n_buffers * sizeof(struct fe_desc) * 32u;
	struct fe_config c;

	fe_config_init(&c);
	c.features &= ~FE_F(FE_F_EVENT_IDX);
	if (s->packed)
		c.features |= FE_F(FE_F_PACKED);
	if (s->gso)
		c.features |= FE_F(FE_F_CSUM) | FE_F(FE_F_GUEST_CSUM) | FE_F(FE_F_HOST_TSO4) |
			      FE_F(FE_F_GUEST_TSO4) | FE_F(FE_F_HOST_ECN) | FE_F(FE_F_GUEST_ECN);
	c.rx_num = c.tx_num = s->ring;
	c.n_regions = 1;
	c.region_bytes = ALIGN_UP(rings + tables + (size_t)s->n_buffers * tx_bytes(s) +
					  (size_t)n_rx_buffers(s) * rx_bytes(s),
				  (size_t)HUGE_BYTES);
	c.hugepage_bytes = s->huge ? HUGE_BYTES : 0;
	return c;
}

static void fill_rx(struct light_ring *rx)
{
	for (uint32_t n = light_n_free(rx); n; n--)
		light_add(rx, rx->buffer_bytes);
	light_publish(rx);
}

static int port_start(struct light_port *p)
{
	int err = fe_dev_ring_start(p->rx.q) ?: fe_dev_ring_start(p->tx.q);

	for (unsigned int i = 0; !err && i < 2 && p->fe->features & FE_F(FE_F_PROTOCOL); i++)
		err = fe_dev_ring_enable(p->fe, i, true);
	if (!err)
		err = fe_dev_set_status(p->fe, FE_STATUS_ACKNOWLEDGE | FE_STATUS_DRIVER |
						       FE_STATUS_FEATURES_OK | FE_STATUS_DRIVER_OK);
	fill_rx(&p->rx);
	fe_ring_kick_always(p->rx.q);
	fe_ring_kick_always(p->tx.q);
	return err;
}

static int port_open(struct light_port *p, const struct setup *s, const char *socket)
{
	_cleanup_close_ int listen_fd = s->listen ? fe_sock_listen(socket) : -1;
	const struct fe_config config = config_of(s);
	int err = fe_open(&config, &p->fe);

	if (!err && s->listen)
		err = listen_fd < 0 ? listen_fd : fe_sock_accept(p->fe, listen_fd, CONNECT_MS);
	else if (!err)
		err = fe_sock_connect(p->fe, socket, CONNECT_MS);
	if (!err)
		err = fe_dev_negotiate(p->fe);
	if (!err && s->packed && !(p->fe->features & FE_F(FE_F_PACKED)))
		err = -EOPNOTSUPP;
	if (!err && s->gso && !(p->fe->features & FE_F(FE_F_GUEST_TSO4)))
		err = -EOPNOTSUPP;
	if (!err)
		err = fe_dev_mem_table(p->fe);
	if (!err)
		err = light_ring_open(&p->rx, p->fe, 0, s->ring, n_rx_buffers(s), rx_bytes(s));
	if (!err)
		err = light_ring_open(&p->tx, p->fe, 1, s->ring, s->n_buffers, tx_bytes(s));
	return err ?: port_start(p);
}

static void port_close(struct light_port *p)
{
	light_ring_close(&p->rx);
	light_ring_close(&p->tx);
	fe_close(&p->fe);
}

static double tsc_per_ns(void)
{
	const uint64_t start = rt_now_ns(), start_tsc = __rdtsc();
	uint64_t ns;

	while ((ns = rt_now_ns() - start) < CALIBRATE_NS)
		;
	return (double)(__rdtsc() - start_tsc) / (double)ns;
}

static bool parse_key(struct light_options *o, struct light_format *f, const char *key, uint64_t n)
{
	if (strcmp(key, "ms") == 0)
		o->ms = (unsigned int)n;
	else if (strcmp(key, "size") == 0)
		f->bytes = (uint32_t)n;
	else if (strcmp(key, "macs") == 0)
		f->n_macs = (uint32_t)n;
	else if (strcmp(key, "rate") == 0)
		o->rate = n;
	else if (strcmp(key, "window") == 0)
		o->window = (uint32_t)n;
	else if (strcmp(key, "burst") == 0)
		o->burst = (uint32_t)n;
	else if (strcmp(key, "check") == 0)
		o->check = (uint32_t)n;
	else if (strcmp(key, "touch") == 0)
		o->touch = n;
	else if (strcmp(key, "one_way") == 0)
		o->one_way = n;
	else if (strcmp(key, "tid") == 0)
		o->switch_tid = (pid_t)n;
	else if (strcmp(key, "pid") == 0)
		o->switch_pid = (pid_t)n;
	else
		return false;
	return true;
}

/* "KEY=VALUE ..." into the options of the next run. */
static int parse_command(struct light_bench *b, char *text, const struct setup *s)
{
	struct light_format f = {.bytes = 64, .n_macs = 1, .gso = s->gso};
	char *rest = NULL;

	b->opt = (struct light_options){.ms = 500, .burst = 32, .check = 256};
	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		char key[16];
		uint64_t n;

		if (sscanf(word, "%15[a-z_]=%" SCNu64, key, &n) != 2 ||
		    !parse_key(&b->opt, &f, key, n))
			return -EINVAL;
	}
	if (!b->opt.burst || b->opt.burst > LIGHT_BURST_MAX || !f.n_macs || f.n_macs > 65535 ||
	    f.bytes + FE_HDR_BYTES > tx_bytes(s))
		return -EINVAL;
	return light_format_make(&b->format, b->n_ports, f.n_macs, f.bytes, f.gso);
}

static int command_run(struct light_bench *b)
{
	uint64_t received = 0, lost = 0, late = 0, corrupt = 0, foreign = 0, bursts = 0;
	struct light_result r;
	int err = light_run(b, &r);

	if (err)
		return err;
	for (unsigned int i = 0; i < b->n_ports; i++) {
		const struct light_port *p = &b->port[i];

		received += p->n_received;
		lost += p->n_lost;
		late += p->n_late;
		corrupt += p->n_corrupt;
		foreign += p->n_foreign;
		bursts += p->n_bursts;
	}
	printf("{\"size_bytes\":%u,\"seconds\":%.4f,\"sent\":%" PRIu64 ",\"received\":%" PRIu64
	       ",\"in_time\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64
	       ",\"corrupt\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"burst\":%.1f"
	       ",\"p50_ns\":%.0f,\"p99_ns\":%.0f,\"waited\":%.4f,\"cpu_seconds\":%.4f}\n",
	       b->format.bytes, r.seconds, r.n_sent, received, r.n_in_time, lost, late, corrupt,
	       foreign, bursts ? (double)received / (double)bursts : 0,
	       latency_quantile(&b->latency, 0.5) / b->tsc_per_ns,
	       latency_quantile(&b->latency, 0.99) / b->tsc_per_ns, r.waited, r.cpu_seconds);
	return 0;
}

/*
 * Each address once, again and again, until a whole round has arrived, and only where it should;
 * of many addresses nearly all.
 */
static int command_prime(struct light_bench *b)
{
	const uint64_t n = (uint64_t)b->n_ports * b->format.n_macs;
	struct light_result r;

	b->opt.limit = b->format.n_macs;
	b->opt.rate = 60000;
	b->opt.ms = 2000;
	b->opt.switch_tid = 0;
	for (int i = 0; i < PRIME_TRIES; i++) {
		uint64_t received = 0, foreign = 0;
		int err = light_run(b, &r);

		if (err)
			return err;
		for (unsigned int k = 0; k < b->n_ports; k++) {
			received += b->port[k].n_received;
			foreign += b->port[k].n_foreign;
		}
		if (received >= n - n / 100 && foreign <= n / 100) {
			printf("{\"primed\":%" PRIu64 ",\"rounds\":%d}\n", n, i + 1);
			return 0;
		}
		rt_sleep_until(rt_now_ns() + PRIME_NS);
	}
	return -ETIMEDOUT;
}

static int command(struct light_bench *b, char *line, const struct setup *s)
{
	char *end = line + strcspn(line, " \n");
	const bool is_run = end - line == 3 && strncmp(line, "run", 3) == 0;
	const bool is_prime = end - line == 5 && strncmp(line, "prime", 5) == 0;
	int err = is_run || is_prime ? parse_command(b, end, s) : -EINVAL;

	if (!err)
		err = is_run ? command_run(b) : command_prime(b);
	if (err)
		printf("{\"error\":\"%s\"}\n", strerror(-err));
	fflush(stdout);
	return err;
}

static int serve(struct light_bench *b, const struct setup *s, char **sockets)
{
	char line[256];
	int err = 0;

	b->port = calloc(b->n_ports, sizeof(*b->port));
	if (!b->port)
		return -ENOMEM;
	b->tsc_per_ns = tsc_per_ns();
	for (unsigned int i = 0; !err && i < b->n_ports; i++) {
		b->port[i].index = i;
		err = port_open(&b->port[i], s, sockets[i]);
	}
	if (!err) {
		printf("{\"features\":\"%#" PRIx64 "\"}\n", b->port[0].fe->features);
		fflush(stdout);
	}
	while (!err && fgets(line, sizeof(line), stdin))
		command(b, line, s);
	for (unsigned int i = 0; i < b->n_ports; i++)
		port_close(&b->port[i]);
	light_format_free(&b->format);
	free_ptr(&b->port);
	return err;
}

static bool parse(int argc, char **argv, struct setup *s)
{
	static const struct option longs[] = {
		{"packed", 0, 0, 'p'},
		{"huge", 0, 0, 'h'},
		{"gso", 0, 0, 'g'},
		{"ring", 1, 0, 'r'},
		{"buffers", 1, 0, 'b'},
		{"listen", 0, 0, 'l'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'p')
			s->packed = true;
		else if (c == 'h')
			s->huge = true;
		else if (c == 'g')
			s->gso = true;
		else if (c == 'l')
			s->listen = true;
		else if (c == 'r')
			s->ring = (uint16_t)atoi(optarg);
		else if (c == 'b')
			s->n_buffers = (uint32_t)atoi(optarg);
		else
			return false;
	}
	return s->ring && !(s->ring & (s->ring - 1)) && s->n_buffers && argc - optind >= 2 &&
	       (argc - optind) % 2 == 0;
}

int main(int argc, char **argv)
{
	struct setup setup = {.ring = 1024, .n_buffers = 256};
	static struct light_bench bench;
	int err;

	if (!parse(argc, argv, &setup)) {
		fputs("usage: light [--packed] [--ring N] [--buffers N] [--huge] [--gso] [--listen] "
		      "SOCKET SOCKET [SOCKET SOCKET]...\n",
		      stderr);
		return 2;
	}
	bench.n_ports = (unsigned int)(argc - optind);
	err = serve(&bench, &setup, argv + optind);
	if (err)
		fprintf(stderr, "light: %s\n", strerror(-err));
	return err ? 1 : 0;
}
