// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * members.c - guests, taps and a wire that talk in VLANs, and notice whom they hear.
 *
 *   members MEMBER... [--cut FROM:TO COMMAND COMMAND]
 *
 * A MEMBER is KIND=WHERE,VLANS: guest=SOCKET, tap=NETDEV or wire=NETNS:NETDEV, and how it is in
 * each VLAN: bare=N without a tag, tag=N with one.
 *
 * Each member sends to all, and to every other member, in each of its VLANs. What arrives where it
 * should, what does not, what is heard in another VLAN than it was sent in, and what comes with a
 * wrong tag, is printed as JSON. With --cut one member sends to another without a pause, while the
 * first COMMAND is to part the two and the second to bring them together again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

#define MEMBERS_MAX 8
#define VLANS_MAX   4
#define CONNECT_MS  20000
#define FRAME_MIN   60
#define FRAME_MAX   2048
#define TYPE_VLAN   0x8100
#define TYPE	    0x88b5 /* for local experiments (IEEE 802) */
#define MAGIC	    0x76786470

#define HELLOS 5 /* the first may come before a port is up */
#define TO_ALL 5
#define TO_ONE 200

#define MS_NS	 1000000ULL
#define QUIET_NS (300 * MS_NS)

enum kind { GUEST, TAP, WIRE };
enum phase { HELLO, ALL, ONE, STREAM };

struct member {
	enum kind kind;
	uint8_t index;
	uint8_t mac[6];
	struct {
		uint16_t vlan;
		bool tagged;
	} in[VLANS_MAX];
	unsigned int n_in;
	struct fe *fe;
	int fd;
};

struct payload {
	uint32_t magic;
	uint16_t vlan;
	uint8_t phase;
	uint8_t from;
	uint8_t to; /* 0xff: all */
} __attribute__((packed));

static struct member member[MEMBERS_MAX];
static unsigned int n_members;

/* What was heard, and was to be heard. */
static struct {
	unsigned int sent, expected, arrived, leaked, wrong_tag, strays, stream;
} count;

/* By sender, how it is in the VLAN, and receiver. */
static struct {
	int expected, arrived;
} heard[MEMBERS_MAX][VLANS_MAX][MEMBERS_MAX];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS_NS + t.tv_nsec;
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "members: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- Ends ---- */

static void open_guest(struct member *m, const char *socket)
{
	struct fe_config config;
	int err;

	fe_config_init(&config);
	err = fe_open(&config, &m->fe);
	if (!err)
		err = fe_sock_connect(m->fe, socket, CONNECT_MS);
	if (!err)
		err = fe_net_start(m->fe);
	if (err)
		fail(socket, err);
}

static void open_tap(struct member *m, const char *netdev)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", netdev);
	m->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (m->fd < 0 || ioctl(m->fd, TUNSETIFF, &ifr))
		fail(netdev, -errno);
}

static void open_packet(struct member *m, const char *netdev)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(0x0003), /* ETH_P_ALL: tags too */
				      .sll_ifindex = (int)if_nametoindex(netdev)};
	int one = 1, room = 8 << 20;

	m->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->fd < 0 || bind(m->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(m->fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(m->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(m->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		fail(netdev, -errno);
}

static void open_wire(struct member *m, char *where)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there;
	char *netdev = strchr(where, ':'), path[64];

	if (!netdev)
		fail(where, -EINVAL);
	*netdev++ = '\0';
	snprintf(path, sizeof(path), "/run/netns/%s", where);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		fail(path, -errno);
	open_packet(m, netdev);
	if (setns(home, CLONE_NEWNET))
		fail("setns", -errno);
	close(home);
	close(there);
}

static void send_frame(struct member *m, const uint8_t *frame, size_t bytes)
{
	bytes = MAX(bytes, (size_t)FRAME_MIN);
	if (m->kind != GUEST) {
		if (write(m->fd, frame, bytes) < 0)
			fail("sending", -errno);
		return;
	}
	fe_net_send(m->fe, 0, NULL, frame, bytes, FE_LAYOUT_ONE, 0);
	fe_net_flush(m->fe, 0);
	fe_net_reclaim(m->fe, 0);
}

/* A packet socket tells the tag beside the data. Return: length, or 0. */
static size_t receive_wire(struct member *m, uint8_t *frame)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = {frame, FRAME_MAX - 4};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(m->fd, &msg, 0);
	struct tpacket_auxdata aux = {0};
	uint16_t tag[2];

	if (n < FRAME_MIN - 4)
		return 0;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return (size_t)n;
	tag[0] = htons(TYPE_VLAN);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(frame + 16, frame + 12, (size_t)n - 12);
	memcpy(frame + 12, tag, sizeof(tag));
	return (size_t)n + 4;
}

static size_t receive(struct member *m, uint8_t *frame)
{
	ssize_t n = 0;

	if (m->kind == WIRE)
		return receive_wire(m, frame);
	if (m->kind == TAP)
		n = read(m->fd, frame, FRAME_MAX);
	else
		n = fe_net_recv(m->fe, 0, NULL, frame, FRAME_MAX);
	if (m->kind == GUEST)
		fe_net_refill(m->fe, 0);
	return n > 0 ? (size_t)n : 0;
}

/* ---- Who is where ---- */

/* Return: how the member is in a VLAN, or -1. */
static int place(const struct member *m, uint16_t vlan)
{
	for (unsigned int i = 0; i < m->n_in; i++)
		if (m->in[i].vlan == vlan)
			return (int)i;
	return -1;
}

static void expect(unsigned int from, unsigned int in, unsigned int to)
{
	heard[from][in][to].expected++;
	count.expected++;
}

/* How many do not hear even half of what they should from somebody. A loaded machine may lose some.
 */
static unsigned int count_deaf(void)
{
	unsigned int deaf = 0;

	for (unsigned int from = 0; from < n_members; from++)
		for (unsigned int in = 0; in < member[from].n_in; in++)
			for (unsigned int to = 0; to < n_members; to++)
				deaf += heard[from][in][to].arrived <
					(heard[from][in][to].expected + 1) / 2;
	return deaf;
}

static void hear(const struct member *m, const struct payload *payload)
{
	int in = payload->from < n_members ? place(&member[payload->from], payload->vlan) : -1;

	if (payload->to != m->index && payload->to != 0xff) {
		count.strays++;
		return;
	}
	count.arrived++;
	if (in >= 0)
		heard[payload->from][in][m->index].arrived++;
}

static void talk(struct member *m, unsigned int in, enum phase phase, const struct member *to)
{
	struct payload payload = {.magic = MAGIC,
				  .vlan = m->in[in].vlan,
				  .phase = phase,
				  .from = m->index,
				  .to = to ? to->index : 0xff};
	uint16_t tag[2] = {htons(TYPE_VLAN), htons(m->in[in].vlan)}, type = htons(TYPE);
	uint8_t frame[FRAME_MIN] = {0};
	size_t n = 12;

	memset(frame, 0xff, 6);
	if (to)
		memcpy(frame, to->mac, 6);
	memcpy(frame + 6, m->mac, 6);
	if (m->in[in].tagged) {
		memcpy(frame + n, tag, sizeof(tag));
		n += sizeof(tag);
	}
	memcpy(frame + n, &type, sizeof(type));
	memcpy(frame + n + 2, &payload, sizeof(payload));
	send_frame(m, frame, sizeof(frame));
	count.sent++;
	for (unsigned int i = 0; phase != HELLO && i < n_members; i++)
		if (i != m->index && place(&member[i], m->in[in].vlan) >= 0 &&
		    (!to || to == &member[i]))
			expect(m->index, in, i);
}

static void listen_to(const struct member *m, const uint8_t *frame, size_t bytes)
{
	struct payload payload;
	uint16_t type, tci = 0;
	size_t n = 12;
	bool tagged;
	int in;

	memcpy(&type, frame + n, sizeof(type));
	tagged = ntohs(type) == TYPE_VLAN;
	if (tagged) {
		memcpy(&tci, frame + 14, sizeof(tci));
		memcpy(&type, frame + 16, sizeof(type));
		n += 4;
	}
	if (ntohs(type) != TYPE || bytes < n + 2 + sizeof(payload))
		return;
	memcpy(&payload, frame + n + 2, sizeof(payload));
	if (payload.magic != MAGIC || payload.from == m->index)
		return;
	in = place(m, payload.vlan);
	if (payload.phase == STREAM)
		count.stream += payload.to == m->index;
	else if (in < 0)
		count.leaked++;
	else if (m->in[in].tagged != tagged || (tagged && (ntohs(tci) & 0xfff) != payload.vlan))
		count.wrong_tag++;
	else if (payload.phase != HELLO)
		hear(m, &payload);
}

/* Until nothing came for so long. */
static void listen_all(uint64_t quiet_ns)
{
	uint64_t last = now_ns();
	uint8_t frame[FRAME_MAX];
	size_t n;

	do {
		for (unsigned int i = 0; i < n_members; i++) {
			while ((n = receive(&member[i], frame))) {
				last = now_ns();
				listen_to(&member[i], frame, n);
			}
		}
	} while (now_ns() - last < quiet_ns);
}

static void talk_all(enum phase phase)
{
	for (unsigned int i = 0; i < n_members; i++) {
		for (unsigned int in = 0; in < member[i].n_in; in++) {
			for (unsigned int to = 0; phase == ONE && to < n_members; to++)
				if (to != i)
					talk(&member[i], in, phase, &member[to]);
			if (phase != ONE)
				talk(&member[i], in, phase, NULL);
		}
	}
}

static void run_all(void)
{
	static const struct {
		enum phase phase;
		unsigned int n;
		uint64_t quiet_ns;
	} phases[] = {{HELLO, HELLOS, 50 * MS_NS}, {ALL, TO_ALL, 5 * MS_NS}, {ONE, TO_ONE, MS_NS}};

	for (size_t p = 0; p < ARRAY_SIZE(phases); p++) {
		for (unsigned int i = 0; i < phases[p].n; i++) {
			talk_all(phases[p].phase);
			listen_all(phases[p].quiet_ns);
		}
		listen_all(QUIET_NS);
	}
}

/* ---- Parting two of them ---- */

static void stream(unsigned int from, unsigned int to, uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end) {
		talk(&member[from], 0, STREAM, &member[to]);
		listen_all(0);
	}
}

static void run(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "members: failed: %s\n", command);
		exit(1);
	}
}

static void cut(const char *pair, const char *part, const char *join)
{
	unsigned int from, to, before, after;

	if (sscanf(pair, "%u:%u", &from, &to) != 2 || MAX(from, to) >= n_members)
		fail(pair, -EINVAL);
	stream(from, to, 300 * MS_NS);
	listen_all(50 * MS_NS);
	before = count.stream;
	run(part);
	/* Not even one frame more is to come from here on. */
	listen_all(QUIET_NS);
	count.stream = 0;
	stream(from, to, 300 * MS_NS);
	listen_all(QUIET_NS);
	after = count.stream;
	run(join);
	stream(from, to, 300 * MS_NS);
	listen_all(QUIET_NS);
	printf("{\"together\":%u,\"parted\":%u,\"again\":%u}\n", before, after,
	       count.stream - after);
}

/* ---- Command line ---- */

static void take_member(char *text)
{
	struct member *m = &member[n_members];
	char *word = strtok(text, ","), *where = word ? strchr(word, '=') : NULL;

	if (!where || n_members == MEMBERS_MAX)
		fail(text, -EINVAL);
	*where++ = '\0';
	m->index = (uint8_t)n_members++;
	memcpy(m->mac, (uint8_t[]){0x52, 0x54, 0, 0, 1, m->index}, 6);
	m->kind = !strcmp(word, "guest") ? GUEST : !strcmp(word, "tap") ? TAP : WIRE;
	while ((word = strtok(NULL, ",")) && m->n_in < VLANS_MAX) {
		m->in[m->n_in].tagged = !strncmp(word, "tag=", 4);
		m->in[m->n_in++].vlan = (uint16_t)atoi(strchr(word, '=') + 1);
	}
	if (m->kind == GUEST)
		open_guest(m, where);
	else if (m->kind == TAP)
		open_tap(m, where);
	else
		open_wire(m, where);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strncmp(argv[i], "--", 2); i++)
		take_member(argv[i]);
	run_all();
	if (i + 3 < argc && !strcmp(argv[i], "--cut"))
		cut(argv[i + 1], argv[i + 2], argv[i + 3]);
	else
		printf("{\"sent\":%u,\"expected\":%u,\"arrived\":%u,\"leaked\":%u,\"wrong_tag\":%u,"
		       "\"strays\":%u,\"deaf\":%u}\n",
		       count.sent, count.expected, count.arrived, count.leaked, count.wrong_tag,
		       count.strays, count_deaf());
	for (unsigned int m = 0; m < n_members; m++) {
		if (member[m].fe && member[m].fe->n_bad)
			fprintf(stderr, "members: the back end broke a rule: %s\n",
				member[m].fe->bad);
		fe_close(&member[m].fe);
	}
	return 0;
}
