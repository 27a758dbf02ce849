// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tapguest - a guest on a tap, without QEMU: answers ARP and pings, counts UDP by flow and queue
 *
 *	tapguest TAP --mac M --ip A [--queues N] [--seconds S]
 *
 * Opens the tap as QEMU does: vnet header, offloads on. Ends on SIGTERM, or after S seconds, and
 * prints {"frames":N,"udp":N,"replies":N,"bad":N,"flows":N,"moved":N,"queues":[N,...],"seconds":S}.
 * "moved" is how many datagrams came in another queue than the flow's first, "bad" how many IPv4
 * headers and finished UDP checksums were wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define QUEUES_MAX 16
#define FRAME_MAX  65600
#define BURST	   64

static volatile sig_atomic_t stopped;

struct guest {
	const char *tap;
	struct ether_addr mac;
	struct in_addr ip;
	unsigned int n_queues;
	double seconds;
	int fd[QUEUES_MAX];
	uint64_t frames, udp, replies, bad, flows, moved, queue[QUEUES_MAX];
	uint8_t flow_queue[65536]; /* by source port: queue + 1 */
};

struct frame {
	struct virtio_net_hdr vnet;
	uint8_t data[FRAME_MAX];
} __attribute__((packed));

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_signal(int signo)
{
	stopped = 1;
}

static int open_queue(const struct guest *g)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", g->tap);
	if (g->n_queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		fail(g->tap);
	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		fail("TUNSETOFFLOAD");
	return fd;
}

static uint32_t sum16(const void *data, size_t bytes, uint32_t sum)
{
	const uint8_t *p = data;

	for (; bytes > 1; bytes -= 2, p += 2)
		sum += (uint32_t)p[0] << 8 | p[1];
	return bytes ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void reply(struct guest *g, unsigned int queue, struct frame *f, size_t bytes)
{
	struct ether_header *eth = (void *)f->data;

	memcpy(eth->ether_dhost, eth->ether_shost, ETH_ALEN);
	memcpy(eth->ether_shost, &g->mac, ETH_ALEN);
	memset(&f->vnet, 0, sizeof(f->vnet));
	if (write(g->fd[queue], f, sizeof(f->vnet) + bytes) > 0)
		g->replies++;
}

static void take_arp(struct guest *g, unsigned int queue, struct frame *f, size_t bytes)
{
	struct ether_arp *arp = (void *)(f->data + ETH_HLEN);

	if (bytes < ETH_HLEN + sizeof(*arp) || ntohs(arp->ea_hdr.ar_op) != ARPOP_REQUEST ||
	    memcmp(arp->arp_tpa, &g->ip, sizeof(g->ip)))
		return;
	arp->ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(arp->arp_tpa, arp->arp_spa, sizeof(arp->arp_tpa));
	memcpy(arp->arp_tha, arp->arp_sha, sizeof(arp->arp_tha));
	memcpy(arp->arp_spa, &g->ip, sizeof(g->ip));
	memcpy(arp->arp_sha, &g->mac, sizeof(g->mac));
	reply(g, queue, f, bytes);
}

static void take_udp(struct guest *g, unsigned int queue, const struct frame *f,
		     const struct ip *ip)
{
	const struct udphdr *udp = (const void *)((const uint8_t *)ip + ip->ip_hl * 4);
	uint16_t flow = ntohs(udp->source), bytes = ntohs(udp->len);
	uint32_t sum = sum16(&ip->ip_src, 8, IPPROTO_UDP + bytes);

	g->udp++;
	g->queue[queue]++;
	if (!g->flow_queue[flow])
		g->flows++;
	else if (g->flow_queue[flow] != queue + 1)
		g->moved++;
	if (!g->flow_queue[flow])
		g->flow_queue[flow] = (uint8_t)(queue + 1);
	if (udp->check && !(f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    fold(sum16(udp, bytes, sum)))
		g->bad++;
}

static void take_ip(struct guest *g, unsigned int queue, struct frame *f, size_t bytes)
{
	struct ip *ip = (void *)(f->data + ETH_HLEN);
	struct icmphdr *icmp = (void *)((uint8_t *)ip + ip->ip_hl * 4);
	struct in_addr src;

	if (bytes < ETH_HLEN + sizeof(*ip) + 8 || ntohs(ip->ip_len) + ETH_HLEN > (int)bytes ||
	    memcmp(&ip->ip_dst, &g->ip, sizeof(g->ip)))
		return;
	if (fold(sum16(ip, ip->ip_hl * 4, 0)))
		g->bad++;
	if (ip->ip_p == IPPROTO_UDP)
		take_udp(g, queue, f, ip);
	if (ip->ip_p != IPPROTO_ICMP || icmp->type != ICMP_ECHO)
		return;
	icmp->type = ICMP_ECHOREPLY;
	icmp->checksum = 0;
	icmp->checksum = htons(fold(sum16(icmp, ntohs(ip->ip_len) - ip->ip_hl * 4, 0)));
	src = ip->ip_src;
	ip->ip_src = ip->ip_dst;
	ip->ip_dst = src;
	reply(g, queue, f, bytes);
}

static bool take(struct guest *g, unsigned int queue)
{
	static struct frame f;
	ssize_t n = read(g->fd[queue], &f, sizeof(f));
	const struct ether_header *eth = (const void *)f.data;

	if (n < (ssize_t)(sizeof(f.vnet) + ETH_HLEN))
		return false;
	g->frames++;
	n -= sizeof(f.vnet);
	if (ntohs(eth->ether_type) == ETHERTYPE_ARP)
		take_arp(g, queue, &f, (size_t)n);
	else if (ntohs(eth->ether_type) == ETHERTYPE_IP)
		take_ip(g, queue, &f, (size_t)n);
	return true;
}

static void run(struct guest *g)
{
	struct pollfd poll_fd[QUEUES_MAX];
	double end = g->seconds ? now() + g->seconds : 1e18;

	for (unsigned int i = 0; i < g->n_queues; i++)
		poll_fd[i] = (struct pollfd){.fd = g->fd[i], .events = POLLIN};
	while (!stopped && now() < end) {
		if (poll(poll_fd, g->n_queues, 100) < 0)
			continue;
		for (unsigned int i = 0; i < g->n_queues; i++) {
			for (int n = 0; poll_fd[i].revents & POLLIN && n < BURST; n++)
				if (!take(g, i))
					break;
		}
	}
}

static void report(const struct guest *g, double seconds)
{
	printf("{\"frames\":%lu,\"udp\":%lu,\"replies\":%lu,\"bad\":%lu,\"flows\":%lu,"
	       "\"moved\":%lu,\"queues\":[",
	       g->frames, g->udp, g->replies, g->bad, g->flows, g->moved);
	for (unsigned int i = 0; i < g->n_queues; i++)
		printf("%s%lu", i ? "," : "", g->queue[i]);
	printf("],\"seconds\":%.3f}\n", seconds);
}

static void parse(struct guest *g, int argc, char **argv)
{
	static const struct option options[] = {
		{"mac", required_argument, NULL, 'm'},
		{"ip", required_argument, NULL, 'i'},
		{"queues", required_argument, NULL, 'q'},
		{"seconds", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	const struct ether_addr *mac;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'm' && (mac = ether_aton(optarg)))
			g->mac = *mac;
		else if (option == 'q')
			g->n_queues = (unsigned int)atoi(optarg);
		else if (option == 's')
			g->seconds = atof(optarg);
		else if (option != 'i' || !inet_aton(optarg, &g->ip))
			exit(2);
	}
	if (optind != argc - 1 || !g->n_queues || g->n_queues > QUEUES_MAX)
		exit(2);
	g->tap = argv[optind];
}

int main(int argc, char **argv)
{
	static struct guest g = {.n_queues = 1};
	const struct sigaction action = {.sa_handler = on_signal};
	double start;

	parse(&g, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	for (unsigned int i = 0; i < g.n_queues; i++)
		g.fd[i] = open_queue(&g);
	start = now();
	run(&g);
	report(&g, now() - start);
	return 0;
}
