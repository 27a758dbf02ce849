// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp_test - what vxdp_uplink_xdp does with a frame, by BPF_PROG_TEST_RUN: to the guest's memory,
 * or on to TC.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "loader/bpf_elf.h"
#include "loader/xdp.h"
#include "loader/xsk.h"
#include "tap.h"

#define UMEM_BYTES   (256 * 1024)
#define CHUNK_BYTES  2048
#define HEADER_BYTES 12

#define HBH  IPPROTO_HOPOPTS
#define RH   IPPROTO_ROUTING
#define FRAG IPPROTO_FRAGMENT
#define OPTS IPPROTO_DSTOPTS
#define AUTH IPPROTO_AH

#define MORE_FRAGMENTS 0x2000
#define OFFSET_185     0x00b9

#define TO_GUEST(...)                                                                              \
	{                                                                                          \
		.dst = GUEST0, .src = STATION, __VA_ARGS__                                         \
	}

/* The programs and what the queue is: a guest's, the same for the bare program, or all guests'. */
enum way { OWNED, BARE, SHARED, N_WAYS };

struct test {
	const char *text;
	struct packet_spec spec;
	int direct;		   /* wanted: to the guest's memory, else XDP_PASS */
	uint16_t flags_off;	   /* flags the port is without */
	bool any_tcp;		   /* the port takes TCP directly too */
	bool not_owner;		   /* the queue belongs to another port */
	bool no_socket;		   /* no AF_XDP socket in the map */
	bool generic;		   /* XDP runs after GRO */
	struct vxdp_policy policy; /* of the guest */
};

#define ACCESS(vlan)                                                                               \
	{                                                                                          \
		.vlan_mode = VXDP_VLAN_ACCESS, .pvid = vlan                                        \
	}
#define TRUNK(native, vlan)                                                                        \
	{                                                                                          \
		.vlan_mode = VXDP_VLAN_TRUNK, .pvid = native, .vlans = { 1ULL << (vlan) }          \
	}

static const struct test tests[] = {
	{"a frame for the guest", TO_GUEST(.l3 = PACKET_PLAIN), 1},
	{"another guest's frame", {.dst = GUEST1, .src = STATION}, 0},
	{"the host's frame", {.dst = {2, 0, 0, 0, 0, 1}, .src = STATION}, 0},
	{"an unknown address", {.dst = STATION, .src = GUEST1}, 0},
	{"broadcast", {.dst = BROADCAST, .src = STATION}, 0},
	{"the guest is not up", TO_GUEST(.l3 = PACKET_PLAIN), 0, .flags_off = VXDP_PORT_UP},
	{"the port has no direct lane", TO_GUEST(.l3 = PACKET_PLAIN), 0,
	 .flags_off = VXDP_PORT_DIRECT},
	{"the queue belongs to another port", TO_GUEST(.l3 = PACKET_PLAIN), 0, .not_owner = true},
	{"no socket in the map", TO_GUEST(.l3 = PACKET_PLAIN), 0, .no_socket = true},
	{"longest frame for the direct lane", TO_GUEST(.bytes = 1522), 1},
	{"one byte more", TO_GUEST(.bytes = 1523), 0},
	{"IPv4 UDP", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP), 1},
	{"IPv4 TCP", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP), 0},
	{"IPv4 TCP, and TCP is taken directly", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP), 1,
	 .any_tcp = true},
	{"IPv4 TCP taken directly, but after GRO", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP),
	 0, .any_tcp = true, .generic = true},
	{"IPv4 UDP after GRO", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP), 1, .generic = true},
	{"IPv4 ICMP", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_ICMP), 1},
	{"IPv4 UDP, first fragment",
	 TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP, .fragment = MORE_FRAGMENTS), 1},
	{"IPv4 UDP, last fragment",
	 TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP, .fragment = OFFSET_185), 1},
	{"IPv4 TCP, first fragment",
	 TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP, .fragment = MORE_FRAGMENTS), 0},
	{"IPv4 TCP, last fragment",
	 TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP, .fragment = OFFSET_185), 0},
	{"IPv6 UDP", TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP), 1},
	{"IPv6 TCP", TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_TCP), 0},
	{"IPv6 ICMP", TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_ICMPV6), 1},
	{"IPv6 TCP after hop-by-hop and routing",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_TCP, .headers = {HBH, RH}, .n_headers = 2), 0},
	{"IPv6 UDP after hop-by-hop and routing",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {HBH, RH}, .n_headers = 2), 1},
	{"IPv6 TCP fragment",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_TCP, .headers = {FRAG}, .n_headers = 1), 0},
	{"IPv6 UDP fragment",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {FRAG}, .n_headers = 1), 1},
	{"IPv6 UDP fragment after a routing header",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {RH, FRAG}, .n_headers = 2), 1},
	/* An extension header that later fragments do not repeat: the same for the whole flow. */
	{"IPv6 UDP after destination options",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {OPTS}, .n_headers = 1), 0},
	{"IPv6 UDP after destination options, first fragment",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {FRAG, OPTS}, .n_headers = 2),
	 0},
	{"IPv6 UDP after destination options, later fragment",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = OPTS, .headers = {FRAG}, .n_headers = 1), 0},
	{"IPv6 with authentication",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {AUTH}, .n_headers = 1), 0},
	{"IPv6 with more headers than are walked",
	 TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .headers = {HBH, RH, RH, RH, RH, RH},
		  .n_headers = 6),
	 0},
	{"IPv4 cut off in its header", TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP, .bytes = 30),
	 0},
	{"IPv6 cut off in its header", TO_GUEST(.l3 = PACKET_IPV6, .l4 = IPPROTO_UDP, .bytes = 50),
	 0},
	{"VLAN the guest was seen in", TO_GUEST(.vlan = {5}), 1},
	{"VLAN it was not seen in", TO_GUEST(.vlan = {6}), 0},
	{"UDP in a VLAN", TO_GUEST(.vlan = {5}, .l3 = PACKET_IPV4, .l4 = IPPROTO_UDP), 1},
	{"TCP in a VLAN", TO_GUEST(.vlan = {5}, .l3 = PACKET_IPV4, .l4 = IPPROTO_TCP), 0},
	{"UDP in two VLANs", TO_GUEST(.vlan = {5, 8}, .l3 = PACKET_IPV4, .l4 = IPPROTO_UDP), 1},
	{"TCP in two VLANs", TO_GUEST(.vlan = {5, 8}, .l3 = PACKET_IPV6, .l4 = IPPROTO_TCP), 0},
	{"priority tag, which is no VLAN", TO_GUEST(.vlan = {0xe000}), 1},
	{"access port: its tag has to go", TO_GUEST(.vlan = {5}), 0, .policy = ACCESS(5)},
	{"access port: not its VLAN", TO_GUEST(.l3 = PACKET_PLAIN), 0, .policy = ACCESS(5)},
	{"trunk: one of its VLANs", TO_GUEST(.vlan = {5}), 1, .policy = TRUNK(VXDP_VLAN_NONE, 5)},
	{"trunk: another VLAN", TO_GUEST(.vlan = {5}), 0, .policy = TRUNK(VXDP_VLAN_NONE, 6)},
	{"trunk: native VLAN", TO_GUEST(.vlan = {5}), 0, .policy = TRUNK(5, 6)},
	{"trunk: untagged, native VLAN 0", TO_GUEST(.l3 = PACKET_PLAIN), 1, .policy = TRUNK(0, 5)},
	{"isolated: the wire is not", TO_GUEST(.l3 = PACKET_PLAIN), 1,
	 .policy = {.flags = VXDP_POLICY_ISOLATED | VXDP_POLICY_SPOOF_CHECK}},
};

/* Another one for each test, so that no CPU remembers what became of its frames before. */
static uint8_t station[] = STATION;

static struct packet_spec from_station(const struct packet_spec *spec)
{
	static const uint8_t any[] = STATION;
	struct packet_spec s = *spec;

	if (!memcmp(s.src, any, sizeof(any)))
		memcpy(s.src, station, sizeof(station));
	return s;
}

/* As a worker says when the frames of flows that turned to TC are in order. */
static void turns_done(const struct lab *lab)
{
	struct vxdp_turns *turns = &lab->pins->mapped_port_turns[LAB_PORT(0)];

	turns->done = turns->count;
}

static int xdp_fd(const struct lab *lab)
{
	__u32 id;

	if (bpf_xdp_query_id((int)lab->nic_ifindex, 0, &id) || !id)
		tap_bail("no XDP program on " LAB_NIC);
	return bpf_prog_get_fd_by_id(id);
}

/* The program that writes no headers, on the same maps. It is attached only where it must be. */
static int load_bare(const struct lab *lab, struct bpf_object **object)
{
	struct bpf_program *prog;
	int err = bpf_elf_open(object);

	if (err)
		tap_bail("cannot read the programs: %s", strerror(-err));
	bpf_object__for_each_program(prog, *object)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), XDP_PROG_BARE));
#define SHARE_MAP(name)                                                                            \
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(*object, #name), lab->pins->name))      \
		tap_bail("cannot share " #name);
	VXDP_PINNED_MAPS(SHARE_MAP)
#undef SHARE_MAP
	err = bpf_object__load(*object);
	if (err)
		tap_bail("cannot load the bare program: %s", strerror(-err));
	return bpf_program__fd(bpf_object__find_program_by_name(*object, XDP_PROG_BARE));
}

static void open_socket(const struct lab *lab, struct xsk *xsk)
{
	struct xsk_umem umem = {.bytes = UMEM_BYTES, .chunk_bytes = CHUNK_BYTES};
	int err;

	umem.base =
		mmap(NULL, UMEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	err = xsk_open(lab->nic_ifindex, 0, XSK_BIND_COPY, &umem, NULL, xsk);
	if (err)
		tap_bail("AF_XDP socket: %s", strerror(-err));
}

static void set_up(struct lab *lab, const struct test *t, enum way way, const struct xsk *xsk)
{
	const uint8_t guest[] = GUEST0, other[] = GUEST1;
	const uint16_t lane = way == SHARED ? VXDP_PORT_SHARED : VXDP_PORT_DIRECT;
	const uint16_t flags = lane | (t->any_tcp ? 0 : VXDP_PORT_TCP_KERNEL);

	if (!++station[5])
		station[4]++;
	turns_done(lab);
	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	lab_fdb_add(lab, guest, 0, LAB_PORT(0), 0);
	lab_fdb_add(lab, guest, 5, LAB_PORT(0), 0);
	lab_fdb_add(lab, other, 0, LAB_PORT(1), 0);
	lab_port_reset(lab, 0, flags);
	/* If one port takes TCP past the stack, TCP for another is told from it by its flow. */
	lab_port_reset(lab, 1, way == BARE ? lane : flags);
	lab_policy(lab, LAB_PORT(0), &t->policy);
	vxdp_port_flags(lab->pins, LAB_PORT(0), 0,
			t->flags_off == VXDP_PORT_DIRECT ? lane : t->flags_off);
	lab->pins->mapped_config->uplink[0].generic_xdp = t->generic;
	if (way == SHARED)
		vxdp_queue_owner_set(lab->pins, 0, VXDP_QUEUE_SHARED, 0);
	else
		vxdp_queue_owner_set(lab->pins, 0, LAB_PORT(t->not_owner ? 1 : 0), HEADER_BYTES);
	if (t->no_socket)
		vxdp_xsk_clear(lab->pins, 0);
	else if (vxdp_xsk_set(lab->pins, 0, xsk->fd))
		tap_bail("cannot put the socket into the map");
}

/* Is the frame as it was, behind an empty virtio-net header that says "one buffer"? */
static bool is_framed(const struct packet *packet, const uint8_t *out, size_t bytes)
{
	const uint8_t header[HEADER_BYTES] = {[HEADER_BYTES - 2] = 1};

	return bytes == packet->bytes + sizeof(header) && !memcmp(out, header, sizeof(header)) &&
	       !memcmp(out + sizeof(header), packet->data, packet->bytes);
}

/* Is it, as it was, behind what says whose it is? */
static bool is_headed(const struct packet *packet, const uint8_t *out, size_t bytes, uint16_t port)
{
	const struct vxdp_shared_head head = {.port = port};

	return bytes == packet->bytes + sizeof(head) && !memcmp(out, &head, sizeof(head)) &&
	       !memcmp(out + sizeof(head), packet->data, packet->bytes);
}

static bool is_unchanged(const struct packet *packet, const uint8_t *out, size_t bytes)
{
	return bytes == packet->bytes && !memcmp(out, packet->data, packet->bytes);
}

/* On a queue of all guests the other one's frames, too, go past the stack. */
static bool is_wanted(const struct test *t, enum way way)
{
	const uint8_t other[] = GUEST1;

	return t->direct || (way == SHARED && (t->not_owner || !memcmp(t->spec.dst, other, 6)));
}

static bool is_as_wanted(const struct test *t, enum way way, const struct packet *packet,
			 const uint8_t *out, size_t bytes)
{
	const uint8_t other[] = GUEST1;

	if (!is_wanted(t, way) || way == BARE)
		return is_unchanged(packet, out, bytes);
	if (way == SHARED)
		return is_headed(packet, out, bytes, LAB_PORT(!memcmp(t->spec.dst, other, 6)));
	return is_framed(packet, out, bytes);
}

static void run_test(struct lab *lab, const struct test *t, int prog_fd, enum way way,
		     const struct xsk *xsk)
{
	static const char *const names[] = {"", "bare: ", "shared: "};
	const unsigned int verdict = way == SHARED ? VXDP_TO_SHARED : VXDP_TO_DIRECT;
	const bool wanted = is_wanted(t, way);
	uint8_t out[PACKET_MAX + 64];
	struct packet_spec spec;
	struct packet packet;
	struct xdp_md ctx = {.ingress_ifindex = lab->nic_ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = 1);
	struct vxdp_counter before, after;
	uint32_t learnt;
	bool good;

	set_up(lab, t, way, xsk);
	spec = from_station(&t->spec);
	packet_build(&spec, &packet);
	run.data_size_in = packet.bytes;
	ctx.data_end = packet.bytes;
	before = lab_counter(lab, VXDP_PORT_UPLINK, verdict);
	if (bpf_prog_test_run_opts(prog_fd, &run)) {
		tap_ok(false, "%s (test run: %s)", t->text, strerror(errno));
		return;
	}
	after = lab_counter(lab, VXDP_PORT_UPLINK, verdict);
	learnt = lab_fdb_port(lab, station, t->spec.vlan[0] & 0xfff);
	good = run.retval == (wanted ? XDP_REDIRECT : XDP_PASS) &&
	       after.packets - before.packets == (uint64_t)wanted &&
	       after.bytes - before.bytes == (wanted ? packet.bytes : 0);
	/* Only what it redirects it may change and learn from: TC sees the rest. */
	good &= learnt == (wanted ? VXDP_PORT_UPLINK : VXDP_PORT_NONE);
	good &= is_as_wanted(t, way, &packet, out, run.data_size_out);
	if (!tap_ok(good, "%s%s: %s", names[way], t->text, wanted ? "to the guest" : "on to TC"))
		tap_diag("returned %u, counted %llu, %u bytes out", run.retval,
			 (unsigned long long)(after.packets - before.packets), run.data_size_out);
}

/* Does the program send such a frame for the guest to its socket? */
static bool reaches_guest_as(const struct lab *lab, int prog_fd, const struct packet_spec *spec)
{
	uint8_t out[PACKET_MAX + 64];
	struct xdp_md ctx = {.ingress_ifindex = lab->nic_ifindex};
	struct packet_spec from = from_station(spec);
	struct packet packet;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = 1);

	packet_build(&from, &packet);
	run.data_size_in = packet.bytes;
	ctx.data_end = packet.bytes;
	if (bpf_prog_test_run_opts(prog_fd, &run))
		tap_bail("test run: %s", strerror(errno));
	return run.retval == XDP_REDIRECT;
}

static bool reaches_guest(const struct lab *lab, int prog_fd)
{
	const struct packet_spec spec = TO_GUEST(.l3 = PACKET_PLAIN);

	return reaches_guest_as(lab, prog_fd, &spec);
}

static void unlearn_quietly(struct lab *lab)
{
	const struct vxdp_fdb_key key = {.mac = GUEST0};

	if (bpf_map_delete_elem(lab->pins->fdb, &key))
		tap_bail("the address was not in the table");
}

static void unlearn(struct lab *lab)
{
	vxdp_fdb_flush(lab->pins, LAB_PORT(0), true);
}

static void move_away(struct lab *lab)
{
	const uint8_t guest[] = GUEST0;

	lab_fdb_add(lab, guest, 0, LAB_PORT(1), 0);
}

static void join_vlan(struct lab *lab)
{
	const struct vxdp_policy policy = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 10};

	lab_policy(lab, LAB_PORT(0), &policy);
}

static void check_wire_sources(struct lab *lab)
{
	const struct vxdp_policy policy = {.flags = VXDP_POLICY_SPOOF_CHECK};

	lab_policy(lab, VXDP_PORT_UPLINK, &policy);
}

static void go_down(struct lab *lab)
{
	vxdp_port_flags(lab->pins, LAB_PORT(0), 0, VXDP_PORT_UP);
}

static void give_queue_away(struct lab *lab)
{
	vxdp_queue_owner_set(lab->pins, 0, LAB_PORT(1), HEADER_BYTES);
}

static const struct {
	const char *text;
	void (*change)(struct lab *lab);
} changes[] = {
	{"its address is removed", unlearn}, {"its address moves", move_away},
	{"it joins a VLAN", join_vlan},	     {"the wire's sources are checked", check_wire_sources},
	{"it goes down", go_down},	     {"the queue is another guest's", give_queue_away},
};

static void learn(struct lab *lab)
{
	const uint8_t guest[] = GUEST0;

	lab_fdb_add(lab, guest, 0, LAB_PORT(0), 0);
}

static void leave_vlan(struct lab *lab)
{
	lab_policy(lab, LAB_PORT(0), NULL);
}

static void come_up(struct lab *lab)
{
	vxdp_port_flags(lab->pins, LAB_PORT(0), VXDP_PORT_UP, 0);
}

static void get_lane(struct lab *lab)
{
	vxdp_port_flags(lab->pins, LAB_PORT(0), VXDP_PORT_DIRECT, 0);
}

static void lose_lane(struct lab *lab)
{
	vxdp_port_flags(lab->pins, LAB_PORT(0), 0, VXDP_PORT_DIRECT);
}

static void get_queue(struct lab *lab)
{
	vxdp_queue_owner_set(lab->pins, 0, LAB_PORT(0), HEADER_BYTES);
}

static const struct {
	const char *text;
	void (*change)(struct lab *lab);
	void (*back)(struct lab *lab);
} restored[] = {
	{"its address is known", unlearn, learn},
	{"it leaves its VLAN", join_vlan, leave_vlan},
	{"it comes up", go_down, come_up},
	{"it gets a direct lane", lose_lane, get_lane},
	{"it gets the queue", give_queue_away, get_queue},
};

/* What is left to TC is remembered too, and no longer than it is so. */
static void test_left_to_tc(struct lab *lab, int prog_fd, const struct xsk *xsk)
{
	const struct packet_spec tcp = TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_TCP);
	const struct packet_spec udp = TO_GUEST(.l3 = PACKET_IPV4, .l4 = IPPROTO_UDP);
	const struct test plain = {"", TO_GUEST(.l3 = PACKET_PLAIN), 1};

	for (size_t i = 0; i < ARRAY_SIZE(restored); i++) {
		set_up(lab, &plain, OWNED, xsk);
		restored[i].change(lab);
		tap_ok(!reaches_guest(lab, prog_fd) && !reaches_guest(lab, prog_fd),
		       "on to TC, until %s", restored[i].text);
		restored[i].back(lab);
		tap_ok(reaches_guest(lab, prog_fd), "to the guest at once when %s",
		       restored[i].text);
	}
	set_up(lab, &plain, OWNED, xsk);
	tap_ok(!reaches_guest_as(lab, prog_fd, &tcp) && reaches_guest_as(lab, prog_fd, &udp) &&
		       !reaches_guest_as(lab, prog_fd, &tcp) &&
		       reaches_guest_as(lab, prog_fd, &udp),
	       "TCP on to TC, and UDP between the same addresses to the guest");
	vxdp_port_flags(lab->pins, LAB_PORT(0), 0, VXDP_PORT_TCP_KERNEL);
	tap_ok(reaches_guest_as(lab, prog_fd, &tcp),
	       "TCP to the guest at once when its port takes it");
}

#define TRIES	      5
#define REMEMBERED_US 600000 /* longer than fast.bpf.h remembers a flow */

/* What a CPU remembers of a flow it forgets at once when something changes, and with time. */
static void test_memory(struct lab *lab, int prog_fd, const struct xsk *xsk)
{
	const struct test plain = {"", TO_GUEST(.l3 = PACKET_PLAIN), 1};
	bool found = false, remembered = false;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET((unsigned int)sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		set_up(lab, &plain, OWNED, xsk);
		tap_ok(reaches_guest(lab, prog_fd) && reaches_guest(lab, prog_fd),
		       "to the guest, until %s", changes[i].text);
		changes[i].change(lab);
		tap_ok(!reaches_guest(lab, prog_fd), "on to TC at once when %s", changes[i].text);
		lab_policy(lab, VXDP_PORT_UPLINK, NULL);
	}
	/* Some tries: this process may be kept waiting for longer than a flow is remembered. */
	for (unsigned int i = 0; i < TRIES && !remembered; i++) {
		set_up(lab, &plain, OWNED, xsk);
		/* The first one's source is new, which makes what was found out worthless. */
		found = reaches_guest(lab, prog_fd) && reaches_guest(lab, prog_fd);
		unlearn_quietly(lab);
		remembered = reaches_guest(lab, prog_fd);
	}
	tap_ok(found && remembered, "to the guest, remembered");
	usleep(REMEMBERED_US);
	tap_ok(!reaches_guest(lab, prog_fd), "on to TC: not remembered for ever");
}

#define AWAY_US 250000 /* longer than a flow stays with TC for that alone */

/* A flow that turns is counted, and one that has turned to TC stays there for a while. */
static void test_turns(struct lab *lab, int prog_fd, const struct xsk *xsk)
{
	const struct vxdp_turns *to_socket = &lab->pins->mapped_queue_turns[0];
	const struct vxdp_turns *to_tc = &lab->pins->mapped_port_turns[LAB_PORT(0)];
	const struct test plain = {"", TO_GUEST(.l3 = PACKET_PLAIN), 1};
	uint32_t was;

	set_up(lab, &plain, OWNED, xsk);
	unlearn(lab);
	was = to_socket->count;
	reaches_guest(lab, prog_fd);
	learn(lab);
	tap_ok(reaches_guest(lab, prog_fd) && reaches_guest(lab, prog_fd) &&
		       to_socket->count == was + 1,
	       "a flow that turns to the socket is counted, once");
	was = to_tc->count;
	unlearn(lab);
	tap_ok(!reaches_guest(lab, prog_fd) && !reaches_guest(lab, prog_fd) &&
		       to_tc->count == was + 1,
	       "and one that turns to TC");
	learn(lab);
	tap_ok(!reaches_guest(lab, prog_fd), "it stays with TC when its address is known again");
	turns_done(lab);
	tap_ok(!reaches_guest(lab, prog_fd), "for a while at least");
	lab->pins->mapped_port_turns[LAB_PORT(0)].done = was;
	usleep(AWAY_US);
	tap_ok(!reaches_guest(lab, prog_fd), "then until its reader has seen to the order");
	turns_done(lab);
	usleep(AWAY_US);
	tap_ok(reaches_guest(lab, prog_fd) && reaches_guest(lab, prog_fd), "and no longer");
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct lab lab;
	struct xsk xsk;
	int fd, bare_fd;

	tap_plan(N_WAYS * ARRAY_SIZE(tests) + 2 * ARRAY_SIZE(changes) + 2 +
		 2 * ARRAY_SIZE(restored) + 2 + 6);
	lab_open(&lab, VXDP_XDP_NATIVE);
	fd = xdp_fd(&lab);
	bare_fd = load_bare(&lab, &object);
	open_socket(&lab, &xsk);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], fd, OWNED, &xsk);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], bare_fd, BARE, &xsk);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], fd, SHARED, &xsk);
	test_memory(&lab, fd, &xsk);
	test_left_to_tc(&lab, fd, &xsk);
	test_turns(&lab, fd, &xsk);
	xsk_close(&xsk);
	bpf_object__close(object);
	close_fd(&fd);
	lab_close(&lab);
	return tap_exit();
}
