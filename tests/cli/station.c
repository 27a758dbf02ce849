// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * station.c - a guest with an address: it answers ARP and ping, until it is killed.
 *
 *   station --socket PATH --mac MAC --ip IP [--vlan N]
 *
 * It connects to vxdp. With --vlan its frames are tagged, and it hears only such frames.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

#define CONNECT_MS    20000
#define WAIT_MS	      200
#define ANNOUNCEMENTS 5 /* the first may come before the port is up */
#define FRAME_MIN     60
#define FRAME_MAX     2048

#define TYPE_VLAN	  0x8100
#define TYPE_ARP	  0x0806
#define TYPE_IP		  0x0800
#define PROTO_ICMP	  1
#define ICMP_ECHO	  8
#define ICMP_CHECKSUM_ADD 0x0800 /* what type 0 instead of 8 does to the checksum */

struct arp {
	uint16_t htype_be, ptype_be;
	uint8_t hlen, plen;
	uint16_t op_be;
	uint8_t sender_mac[6];
	uint8_t sender_ip[4];
	uint8_t target_mac[6];
	uint8_t target_ip[4];
} __attribute__((packed));

struct ip {
	uint8_t version_words, tos;
	uint16_t bytes_be, id_be, fragment_be;
	uint8_t ttl, proto;
	uint16_t checksum_be;
	uint8_t src[4], dst[4];
} __attribute__((packed));

struct icmp {
	uint8_t type, code;
	uint16_t checksum_be;
} __attribute__((packed));

struct station {
	const char *socket;
	uint8_t mac[6];
	uint8_t ip[4];
	unsigned int vlan; /* 0: untagged */
	struct fe *fe;
};

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Ethernet header, and the tag. Return: its length. */
static size_t put_ethernet(const struct station *s, uint8_t *frame, const uint8_t dst[6],
			   unsigned int type)
{
	size_t n = 12;

	memmove(frame, dst, 6);
	memcpy(frame + 6, s->mac, 6);
	if (s->vlan) {
		put16(frame + n, TYPE_VLAN);
		put16(frame + n + 2, s->vlan);
		n += 4;
	}
	put16(frame + n, type);
	return n + 2;
}

static void send_frame(const struct station *s, const uint8_t *frame, size_t bytes)
{
	fe_net_send(s->fe, 0, NULL, frame, MAX(bytes, (size_t)FRAME_MIN), FE_LAYOUT_ONE, 0);
	fe_net_flush(s->fe, 0);
	fe_net_reclaim(s->fe, 0);
}

static void announce(const struct station *s)
{
	uint8_t frame[FRAME_MIN] = {0};
	size_t n = put_ethernet(s, frame, broadcast, TYPE_ARP);
	struct arp arp = {.htype_be = htons(1),
			  .ptype_be = htons(TYPE_IP),
			  .hlen = 6,
			  .plen = 4,
			  .op_be = htons(1)};

	memcpy(arp.sender_mac, s->mac, 6);
	memcpy(arp.sender_ip, s->ip, 4);
	memcpy(arp.target_ip, s->ip, 4);
	memcpy(frame + n, &arp, sizeof(arp));
	send_frame(s, frame, n + sizeof(arp));
}

static void answer_arp(const struct station *s, uint8_t *frame, size_t header, size_t bytes)
{
	struct arp arp;

	if (bytes < header + sizeof(arp))
		return;
	memcpy(&arp, frame + header, sizeof(arp));
	if (ntohs(arp.op_be) != 1 || memcmp(arp.target_ip, s->ip, 4))
		return;
	arp.op_be = htons(2);
	memcpy(arp.target_mac, arp.sender_mac, 6);
	memcpy(arp.target_ip, arp.sender_ip, 4);
	memcpy(arp.sender_mac, s->mac, 6);
	memcpy(arp.sender_ip, s->ip, 4);
	put_ethernet(s, frame, arp.target_mac, TYPE_ARP);
	memcpy(frame + header, &arp, sizeof(arp));
	send_frame(s, frame, header + sizeof(arp));
}

static void answer_ping(const struct station *s, uint8_t *frame, size_t header, size_t bytes)
{
	uint8_t other[4];
	struct icmp icmp;
	uint32_t sum;
	struct ip ip;

	if (bytes < header + sizeof(ip) + sizeof(icmp))
		return;
	memcpy(&ip, frame + header, sizeof(ip));
	memcpy(&icmp, frame + header + sizeof(ip), sizeof(icmp));
	if (ip.version_words != 0x45 || ip.proto != PROTO_ICMP || icmp.type != ICMP_ECHO ||
	    memcmp(ip.dst, s->ip, 4))
		return;
	memcpy(other, ip.src, 4);
	memcpy(ip.src, ip.dst, 4);
	memcpy(ip.dst, other, 4);
	icmp.type = 0;
	sum = ntohs(icmp.checksum_be) + ICMP_CHECKSUM_ADD;
	icmp.checksum_be = htons((uint16_t)(sum + (sum >> 16)));
	put_ethernet(s, frame, frame + 6, TYPE_IP);
	memcpy(frame + header, &ip, sizeof(ip));
	memcpy(frame + header + sizeof(ip), &icmp, sizeof(icmp));
	send_frame(s, frame, bytes);
}

static void answer(const struct station *s, uint8_t *frame, size_t bytes)
{
	size_t header = s->vlan ? 18 : 14;
	unsigned int type;

	if (bytes < header)
		return;
	if (s->vlan && (get16(frame + 12) != TYPE_VLAN || (get16(frame + 14) & 0xfff) != s->vlan))
		return;
	type = get16(frame + header - 2);
	if (type == TYPE_ARP)
		answer_arp(s, frame, header, bytes);
	else if (type == TYPE_IP && !memcmp(frame, s->mac, 6))
		answer_ping(s, frame, header, bytes);
}

static void serve(const struct station *s)
{
	uint8_t frame[FRAME_MAX];
	unsigned int announced = 0;

	while (!s->fe->closed_by_peer && !s->fe->n_bad) {
		int n;

		if (!fe_ring_wait(fe_rx(s->fe, 0), WAIT_MS) && announced < ANNOUNCEMENTS) {
			announce(s);
			announced++;
		}
		while ((n = fe_net_recv(s->fe, 0, NULL, frame, sizeof(frame))))
			if (n > 0)
				answer(s, frame, (size_t)n);
		fe_net_refill(s->fe, 0);
	}
	if (s->fe->n_bad)
		fprintf(stderr, "station: the back end broke a rule: %s\n", s->fe->bad);
}

static const struct option long_options[] = {
	{"socket", 1, NULL, 's'}, {"mac", 1, NULL, 'm'}, {"ip", 1, NULL, 'i'},
	{"vlan", 1, NULL, 'v'},	  {NULL, 0, NULL, 0},
};

static int parse(struct station *s, int argc, char **argv)
{
	uint8_t *m = s->mac;
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 's')
			s->socket = optarg;
		else if (c == 'm')
			good &= sscanf(optarg, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2,
				       m + 3, m + 4, m + 5) == 6;
		else if (c == 'i')
			good &= inet_pton(AF_INET, optarg, s->ip) == 1;
		else if (c == 'v')
			s->vlan = (unsigned int)strtoul(optarg, NULL, 10);
		else
			good = false;
	}
	return good && s->socket && s->ip[0] ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	struct fe_config config;
	struct station s = {0};
	int err;

	if (parse(&s, argc, argv)) {
		fputs("usage: station --socket PATH --mac MAC --ip IP [--vlan N]\n", stderr);
		return 2;
	}
	fe_config_init(&config);
	err = fe_open(&config, &s.fe);
	if (!err)
		err = fe_sock_connect(s.fe, s.socket, CONNECT_MS);
	if (!err)
		err = fe_net_start(s.fe);
	if (err)
		fprintf(stderr, "station: %s: %s\n", s.socket, strerror(-err));
	else
		serve(&s);
	fe_close(&s.fe);
	return err ? 1 : 0;
}
