// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hash_test - what is worked out of a frame's headers twice, in user space and in BPF, comes out
 * the same: the hash that says which queue of a guest carries a flow, and whether it is TCP. If
 * they differed, lanes would not agree on the queue of a flow, and its frames overtake each other.
 *
 * The same frames go through loader/flow.c, the steering program and XDP: of every kind first, then
 * cut off at every length, then with bytes changed at random, from a seed that is printed. And the
 * hash is the same for all frames of a flow and both its directions, and spreads flows.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <linux/limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "loader/flow.h"
#include "tap.h"

#define ETHERNET_BYTES 14
#define CHANGED_FRAMES 4000
#define CHANGED_BYTES  4
#define HEADERS_MAX    96 /* changes further back change nothing */

#define HBH  IPPROTO_HOPOPTS
#define RH   IPPROTO_ROUTING
#define FRAG IPPROTO_FRAGMENT
#define OPTS IPPROTO_DSTOPTS

#define FRAME(...)                                                                                 \
	{                                                                                          \
		.dst = GUEST0, .src = STATION, .src_ip = 0x0a4d0001, .dst_ip = 0x0a4d0002,         \
		.src_port = 40001, .dst_port = 443, __VA_ARGS__                                    \
	}
#define IPV4(proto, ...) FRAME(.l3 = PACKET_IPV4, .l4 = IPPROTO_##proto, __VA_ARGS__)
#define IPV6(proto, ...) FRAME(.l3 = PACKET_IPV6, .l4 = IPPROTO_##proto, __VA_ARGS__)

static const struct {
	const char *text;
	struct packet_spec spec;
} kinds[] = {
	{"no IP", FRAME(.l3 = PACKET_PLAIN)},
	{"IPv4 UDP", IPV4(UDP)},
	{"IPv4 TCP", IPV4(TCP)},
	{"IPv4 ICMP", IPV4(ICMP)},
	{"IPv4 SCTP", IPV4(SCTP)},
	{"IPv4 UDP, first fragment", IPV4(UDP, .fragment = 0x2000)},
	{"IPv4 UDP, last fragment", IPV4(UDP, .fragment = 0x00b9)},
	{"IPv4 TCP, do not fragment", IPV4(TCP, .fragment = 0x4000)},
	{"IPv6 UDP", IPV6(UDP)},
	{"IPv6 TCP", IPV6(TCP)},
	{"IPv6 ICMP", IPV6(ICMPV6)},
	{"IPv6 UDP fragment", IPV6(UDP, .headers = {FRAG}, .n_headers = 1)},
	{"IPv6 TCP fragment", IPV6(TCP, .headers = {FRAG}, .n_headers = 1)},
	{"IPv6 TCP, hop-by-hop and routing", IPV6(TCP, .headers = {HBH, RH}, .n_headers = 2)},
	{"IPv6 UDP, destination options", IPV6(UDP, .headers = {OPTS}, .n_headers = 1)},
	{"IPv6 UDP, routing header and fragment", IPV6(UDP, .headers = {RH, FRAG}, .n_headers = 2)},
	{"IPv6 UDP, more headers than are walked",
	 IPV6(UDP, .headers = {HBH, RH, RH, RH, RH, RH}, .n_headers = 6)},
	{"no IP, in a VLAN", FRAME(.vlan = {5})},
	{"IPv4 TCP, in a VLAN", IPV4(TCP, .vlan = {5})},
	{"IPv6 UDP, in a VLAN", IPV6(UDP, .vlan = {5})},
	{"IPv4 UDP, in two VLANs", IPV4(UDP, .vlan = {5, 8})},
	{"IPv6 TCP, in two VLANs", IPV6(TCP, .vlan = {5, 8})},
	{"IPv4 UDP, in three VLANs", IPV4(UDP, .vlan = {5, 8, 9})},
};

static struct {
	int steering, xdp_hash, xdp_tcp;
} programs;

static uint32_t run_program(int fd, const void *data, size_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = (uint32_t)bytes,
		    .repeat = 1);

	if (bpf_prog_test_run_opts(fd, &run))
		tap_bail("test run with %zu bytes: %s", bytes, strerror(errno));
	return run.retval;
}

/* A test run of a socket filter hides the first 14 bytes. */
static uint32_t run_steering(const struct packet *p)
{
	uint8_t data[ETHERNET_BYTES + PACKET_MAX] = {0};

	memcpy(data + ETHERNET_BYTES, p->data, p->bytes);
	return run_program(programs.steering, data, ETHERNET_BYTES + p->bytes);
}

/* Right behind the frame is what must not be read: here, another value each time. */
static uint32_t in_user_space(const struct packet *p, bool *is_tcp)
{
	static uint8_t poison;
	uint8_t data[PACKET_MAX + 64];

	memset(data, ++poison, sizeof(data));
	memcpy(data, p->data, p->bytes);
	*is_tcp = flow_is_tcp_or_unclear(data, p->bytes);
	return flow_hash(data, p->bytes);
}

static bool agree(const struct packet *p)
{
	bool is_tcp, again;
	const uint32_t hash = in_user_space(p, &is_tcp);
	const uint32_t steering = run_steering(p);
	const uint32_t xdp = run_program(programs.xdp_hash, p->data, p->bytes);
	const bool xdp_tcp = run_program(programs.xdp_tcp, p->data, p->bytes);

	if (hash == steering && hash == xdp && is_tcp == xdp_tcp &&
	    hash == in_user_space(p, &again) && is_tcp == again)
		return true;
	tap_diag("user space %08x, steering %08x, XDP %08x; TCP: %d, XDP %d; %zu bytes:", hash,
		 steering, xdp, is_tcp, xdp_tcp, p->bytes);
	for (size_t i = 0; i < MIN(p->bytes, (size_t)HEADERS_MAX); i += 32) {
		char text[65] = "";

		for (size_t k = i; k < MIN(p->bytes, i + 32); k++)
			snprintf(text + 2 * (k - i), 3, "%02x", p->data[k]);
		tap_diag("  %s", text);
	}
	return false;
}

static void test_kinds(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct packet p;
		bool good;

		packet_build(&kinds[i].spec, &p);
		good = agree(&p);
		for (p.bytes = ETHERNET_BYTES; good && p.bytes < HEADERS_MAX; p.bytes++)
			good = agree(&p);
		tap_ok(good, "%s, whole and cut off at any byte: the same everywhere",
		       kinds[i].text);
	}
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

/* The ethertype, the header's length, the protocol and fragment bits among them. */
static void test_changed(uint64_t seed)
{
	uint64_t state = seed;
	bool good = true;

	for (int i = 0; good && i < CHANGED_FRAMES; i++) {
		struct packet p;

		packet_build(&kinds[next_random(&state) % ARRAY_SIZE(kinds)].spec, &p);
		for (int k = 0; k < CHANGED_BYTES; k++)
			p.data[next_random(&state) % HEADERS_MAX] = (uint8_t)next_random(&state);
		p.bytes = ETHERNET_BYTES + next_random(&state) % (HEADERS_MAX - ETHERNET_BYTES);
		good = agree(&p);
	}
	tap_ok(good,
	       "%d frames with bytes changed at random (seed %" PRIu64 "): the same everywhere",
	       CHANGED_FRAMES, seed);
}

static uint32_t steered(const struct packet_spec *spec)
{
	struct packet p;

	packet_build(spec, &p);
	return run_steering(&p);
}

static struct packet_spec reversed(const struct packet_spec *spec)
{
	struct packet_spec back = *spec;

	memcpy(back.dst, spec->src, sizeof(back.dst));
	memcpy(back.src, spec->dst, sizeof(back.src));
	back.src_ip = spec->dst_ip;
	back.dst_ip = spec->src_ip;
	back.src_port = spec->dst_port;
	back.dst_port = spec->src_port;
	return back;
}

static const struct {
	const char *text;
	struct packet_spec spec;
	bool by_port; /* do the ports make a difference? */
} flows[] = {
	{"IPv4 UDP", IPV4(UDP), true},
	{"IPv4 TCP", IPV4(TCP), true},
	{"IPv4 UDP fragments", IPV4(UDP, .fragment = 0x2000), false},
	{"IPv4 ICMP", IPV4(ICMP), false},
	{"IPv6 UDP", IPV6(UDP), true},
	{"IPv6 TCP", IPV6(TCP), true},
	{"IPv6 UDP fragments", IPV6(UDP, .headers = {FRAG}, .n_headers = 1), false},
	{"IPv4 TCP in two VLANs", IPV4(TCP, .vlan = {5, 8}), true},
};

#define PORTS_TRIED 64

static void test_steering(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		struct packet_spec spec = flows[i].spec, back, longer;
		uint32_t first, odd = 0, differ = 0;
		bool same = true;

		for (uint16_t port = 0; port < PORTS_TRIED; port++) {
			spec.src_port = 40000 + port;
			back = reversed(&spec);
			longer = spec;
			longer.bytes = 1500;
			if (!port)
				first = steered(&spec);
			same &= steered(&spec) == steered(&back) &&
				steered(&spec) == steered(&longer);
			differ += steered(&spec) != first;
			odd += steered(&spec) & 1;
		}
		tap_ok(same, "steering: %s: one queue for both directions and all sizes",
		       flows[i].text);
		if (flows[i].by_port)
			tap_ok(odd >= PORTS_TRIED / 4 && odd <= PORTS_TRIED * 3 / 4,
			       "steering: %s: flows spread over queues", flows[i].text);
		else
			tap_ok(!differ, "steering: %s: ports make no difference", flows[i].text);
	}
}

/* hash.bpf.o is where this program is. */
static struct bpf_object *load(void)
{
	char self[PATH_MAX], path[PATH_MAX + 16];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct bpf_object *object;

	if (bytes < 0)
		tap_bail("/proc/self/exe: %s", strerror(errno));
	self[bytes] = '\0';
	snprintf(path, sizeof(path), "%s/hash.bpf.o", dirname(self));
	object = bpf_object__open_file(path, NULL);
	if (!object || bpf_object__load(object))
		tap_bail("cannot load %s: %s", path, strerror(errno));
	programs.xdp_hash = bpf_program__fd(bpf_object__find_program_by_name(object, "hash_flow"));
	programs.xdp_tcp = bpf_program__fd(bpf_object__find_program_by_name(object, "hash_is_tcp"));
	return object;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("SEED");
	struct bpf_object *object;
	struct lab lab;

	tap_plan(ARRAY_SIZE(kinds) + 1 + 2 * ARRAY_SIZE(flows));
	lab_open(&lab, VXDP_XDP_NATIVE);
	programs.steering = vxdp_bpf_steering_fd(lab.bpf);
	object = load();
	test_kinds();
	test_changed(seed ? strtoull(seed, NULL, 0) : 1);
	test_steering();
	bpf_object__close(object);
	lab_close(&lab);
	return tap_exit();
}
