// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap_xdp_test - what vxdp_tap_xdp does with a guest's frame, by BPF_PROG_TEST_RUN: to the other
 * guest's tap, or on to TC; and frames that really go there.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define ETHERNET_BYTES 14
#define TAG_BYTES      4
#define MORE_FRAGMENTS 0x2000
#define FRAMES	       5

/* What stands in the checksum of TCP or UDP. */
enum sum { NONE, OTHER, PSEUDO, PSEUDO_NO_LENGTH };

struct test {
	const char *text;
	struct packet_spec spec;
	int fast; /* wanted: to the tap of the other guest, else XDP_PASS */
	enum sum sum;
	uint16_t flags_off, flags_on; /* of the other guest's port */
	uint16_t kind;		      /* of it, if not a tap */
	struct vxdp_policy from, to;  /* of the two guests */
};

#define TO_OTHER(...)                                                                              \
	{                                                                                          \
		.dst = GUEST1, .src = GUEST0, .src_ip = 0x0a000001, .dst_ip = 0x0a00fffe,          \
		.src_port = 4000, .dst_port = 5000, __VA_ARGS__                                    \
	}
#define UDP4(...) TO_OTHER(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP, __VA_ARGS__)
#define TCP4(...) TO_OTHER(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP, __VA_ARGS__)
#define UDP6(...) TO_OTHER(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, __VA_ARGS__)
#define TCP6(...) TO_OTHER(.l3 = PACKET_IPV6, .l4 = IPPROTO_TCP, __VA_ARGS__)
#define PLAIN(...)                                                                                 \
	{                                                                                          \
		.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP, __VA_ARGS__                                  \
	}

static const struct test tests[] = {
	{"UDP without a checksum", UDP4(), 1},
	{"UDP", UDP4(), 1, OTHER},
	{"TCP", TCP4(), 1, OTHER},
	{"UDP in IPv6", UDP6(), 1, OTHER},
	{"TCP in IPv6", TCP6(), 1, OTHER},
	{"ICMP", TO_OTHER(.l3 = PACKET_IPV4, .l4 = IPPROTO_ICMP), 1},
	{"ICMP in IPv6", TO_OTHER(.l3 = PACKET_IPV6, .l4 = IPPROTO_ICMPV6), 1},
	{"UDP, unfinished", UDP4(), 0, PSEUDO},
	{"TCP, unfinished", TCP4(), 0, PSEUDO},
	{"TCP, unfinished, sum without length", TCP4(), 0, PSEUDO_NO_LENGTH},
	{"UDP in IPv6, unfinished", UDP6(), 0, PSEUDO},
	{"TCP in IPv6, unfinished", TCP6(), 0, PSEUDO},
	{"TCP in IPv6, unfinished, sum without length", TCP6(), 0, PSEUDO_NO_LENGTH},
	{"TCP in a VLAN", TCP4(.vlan = {5}), 1, OTHER},
	{"TCP in a VLAN, unfinished", TCP4(.vlan = {5}), 0, PSEUDO},
	{"a fragment", UDP4(.fragment = MORE_FRAGMENTS), 0, OTHER},
	{"TCP in IPv6 after a header", TCP6(.headers = {IPPROTO_HOPOPTS}, .n_headers = 1), 0},
	{"IP in IP", TO_OTHER(.l3 = PACKET_IPV4, .l4 = IPPROTO_IPIP), 0},
	{"GRE", TO_OTHER(.l3 = PACKET_IPV4, .l4 = IPPROTO_GRE), 0},
	{"an unknown protocol", TO_OTHER(.l3 = PACKET_PLAIN), 0},
	{"cut off in its header", UDP4(.bytes = 40), 0, OTHER},
	{"longest frame", UDP4(.bytes = 1522), 1, OTHER},
	{"one byte more", UDP4(.bytes = 1523), 0, OTHER},
	{"for the host", PLAIN(.dst = HOST, .src = GUEST0), 0},
	{"for the wire", PLAIN(.dst = STATION, .src = GUEST0), 0},
	{"unknown address", PLAIN(.dst = GUEST2, .src = GUEST0), 0},
	{"broadcast", PLAIN(.dst = BROADCAST, .src = GUEST0), 0},
	{"to itself", PLAIN(.dst = GUEST0, .src = GUEST0), 0},
	{"from a group address", PLAIN(.dst = GUEST1, .src = BROADCAST), 0},
	{"from no address", PLAIN(.dst = GUEST1), 0},
	{"to a vhost-user guest", UDP4(), 0, .kind = VXDP_KIND_VM},
	{"to a tap on the kernel lane", UDP4(), 0, .flags_off = VXDP_PORT_DIRECT},
	{"to a guest that is down", UDP4(), 0, .flags_off = VXDP_PORT_UP},
	{"to a tap of many queues", UDP4(), 0, .flags_on = VXDP_PORT_SPREAD},
	{"its addresses are checked", UDP4(), 0, .from = {.flags = VXDP_POLICY_SPOOF_CHECK}},
	{"both are isolated", UDP4(), 0, .from = {.flags = VXDP_POLICY_ISOLATED},
	 .to = {.flags = VXDP_POLICY_ISOLATED}},
	{"one is isolated", UDP4(), 1, .from = {.flags = VXDP_POLICY_ISOLATED}},
	{"in different VLANs", UDP4(), 0, .from = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 5},
	 .to = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 6}},
	{"in one VLAN", UDP4(), 1, .from = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 5},
	 .to = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 5}},
	{"needs a tag", UDP4(), 0, .from = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 5}},
};

static void set_port(const struct lab *lab, unsigned int i, uint16_t kind, uint16_t flags)
{
	struct vxdp_port port = {.ifindex = lab->end[i].ifindex,
				 .kind = kind ? kind : VXDP_KIND_TAP,
				 .flags = flags,
				 .direct_frame_bytes = 1522};

	snprintf(port.name, sizeof(port.name), "tap%u", i);
	if (vxdp_port_set(lab->pins, LAB_PORT(i), &port))
		tap_bail("cannot set port %u", LAB_PORT(i));
}

static void set_up(struct lab *lab, const struct test *t)
{
	const uint16_t flags = VXDP_PORT_UP | VXDP_PORT_DIRECT | VXDP_PORT_TCP_KERNEL;
	const uint8_t other[] = GUEST1, station[] = STATION;

	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	lab_fdb_add(lab, other, 0, LAB_PORT(1), 0);
	lab_fdb_add(lab, other, 5, LAB_PORT(1), 0);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
	set_port(lab, 0, 0, flags | VXDP_PORT_TAP_XDP);
	set_port(lab, 1, t->kind, (flags & ~t->flags_off) | t->flags_on);
	lab_policy(lab, LAB_PORT(0), &t->from);
	lab_policy(lab, LAB_PORT(1), &t->to);
}

static uint16_t sum_of(const uint8_t *data, size_t bytes, uint32_t sum)
{
	for (size_t i = 0; i + 1 < bytes; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Lengths, which packet_build() leaves out, and the checksum. */
static void complete(const struct test *t, struct packet *packet)
{
	const size_t at = ETHERNET_BYTES + (t->spec.vlan[0] ? TAG_BYTES : 0);
	const bool v6 = t->spec.l3 == PACKET_IPV6;
	const size_t l4 = at + (v6 ? 40 : 20);
	const uint16_t bytes = (uint16_t)(packet->bytes - l4);
	uint8_t *ip = packet->data + at, *field = packet->data + l4;
	uint16_t sum = 0x1234;

	if (t->spec.l3 == PACKET_PLAIN)
		return;
	ip[v6 ? 4 : 2] = (uint8_t)((v6 ? bytes : bytes + 20) >> 8);
	ip[v6 ? 5 : 3] = (uint8_t)(v6 ? bytes : bytes + 20);
	if (t->sum == NONE)
		return;
	if (t->sum != OTHER)
		sum = sum_of(v6 ? ip + 8 : ip + 12, v6 ? 32 : 8,
			     t->spec.l4 + (t->sum == PSEUDO ? bytes : 0U));
	sum = htons(sum);
	memcpy(field + (t->spec.l4 == IPPROTO_TCP ? 16 : 6), &sum, sizeof(sum));
}

static void run_test(struct lab *lab, const struct test *t, int prog_fd)
{
	const uint8_t guest[] = GUEST0;
	struct xdp_md ctx = {.ingress_ifindex = lab->end[LAB_TAP0].ifindex};
	const uint16_t vlan = t->from.pvid ? t->from.pvid : t->spec.vlan[0];
	uint8_t out[PACKET_MAX];
	struct packet packet;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = 1);
	struct vxdp_counter before, after;
	bool good;

	set_up(lab, t);
	packet_build(&t->spec, &packet);
	complete(t, &packet);
	run.data_size_in = packet.bytes;
	ctx.data_end = packet.bytes;
	before = lab_counter(lab, LAB_PORT(0), VXDP_TO_PORT);
	if (bpf_prog_test_run_opts(prog_fd, &run))
		tap_bail("test run: %s", strerror(errno));
	after = lab_counter(lab, LAB_PORT(0), VXDP_TO_PORT);
	good = run.retval == (t->fast ? XDP_REDIRECT : XDP_PASS) &&
	       after.packets - before.packets == (uint64_t)t->fast &&
	       after.bytes - before.bytes == (t->fast ? packet.bytes : 0);
	/* What it passes on TC learns from. */
	good &= lab_fdb_port(lab, guest, vlan) == (t->fast ? LAB_PORT(0) : VXDP_PORT_NONE);
	good &= run.data_size_out == packet.bytes && !memcmp(out, packet.data, packet.bytes);
	if (!tap_ok(good, "%s: %s", t->text, t->fast ? "to the other guest" : "on to TC"))
		tap_diag("returned %u, counted %llu", run.retval,
			 (unsigned long long)(after.packets - before.packets));
}

/* Frames that are written into the tap, the way they are really counted: once. */
static void test_arrival(struct lab *lab, const char *text, enum lab_end to,
			 const struct packet_spec *spec)
{
	const uint64_t before = lab_counted(lab, LAB_PORT(0));
	unsigned int arrived[LAB_ENDS];
	uint64_t counted;

	lab_send(lab, LAB_TAP0, spec, FRAMES, arrived);
	counted = lab_counted(lab, LAB_PORT(0)) - before;
	if (!tap_ok(arrived[to] == FRAMES && counted == FRAMES, "%s arrive, each counted once",
		    text))
		tap_diag("%u arrived, %llu counted", arrived[to], (unsigned long long)counted);
}

int main(int argc, char **argv)
{
	static const struct test usual = {.text = ""};
	const struct packet_spec to_tap = UDP4(), to_wire = PLAIN(.dst = STATION, .src = GUEST0),
				 to_tc = TO_OTHER(.l3 = PACKET_PLAIN);
	struct vx_error error = {0};
	struct lab lab;
	__u32 id;
	int fd;

	tap_plan(ARRAY_SIZE(tests) + 6);
	lab_open(&lab, VXDP_XDP_NATIVE);
	if (vxdp_bpf_tap_xdp_attach(lab.bpf, lab.end[LAB_TAP0].ifindex, &error))
		tap_bail("%s", error.message);
	if (bpf_xdp_query_id((int)lab.end[LAB_TAP0].ifindex, 0, &id) || !id)
		tap_bail("no XDP program on the tap");
	fd = bpf_prog_get_fd_by_id(id);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], fd);
	close_fd(&fd);

	set_up(&lab, &usual);
	test_arrival(&lab, "frames to the other tap", LAB_TAP1, &to_tap);
	test_arrival(&lab, "frames to it that TC carries", LAB_TAP1, &to_tc);
	test_arrival(&lab, "frames to the wire", LAB_AT_WIRE, &to_wire);
	tap_ok(!vxdp_bpf_tap_xdp_attach(lab.bpf, lab.end[LAB_TAP0].ifindex, &error),
	       "replaces its predecessor");
	test_arrival(&lab, "frames", LAB_TAP1, &to_tap);
	vxdp_bpf_tap_detach(lab.end[LAB_TAP0].ifindex);
	tap_ok(!bpf_xdp_query_id((int)lab.end[LAB_TAP0].ifindex, 0, &id) && !id,
	       "is gone with the other program");
	lab_close(&lab);
	return tap_exit();
}
