// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch_test - frames through the attached programs: each arrives where it should, once, is
 * counted once, and teaches what it should. In native and in generic XDP mode.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define FRAMES 20

#define STATION1  MAC(0x21)
#define CONTAINER MAC(0x30) /* behind the host */
#define STRANGER  MAC(0x40) /* nobody has seen it */
#define MULTICAST                                                                                  \
	{                                                                                          \
		0x33, 0x33, 0, 0, 0, 1                                                             \
	}
#define NOBODY                                                                                     \
	{                                                                                          \
		0                                                                                  \
	}

enum setup {
	SETUP_NONE = 0,
	SETUP_TAP1_DOWN = 1 << 0,
	SETUP_TAP1_GONE = 1 << 1,
	SETUP_TAP1_NO_FLOOD = 1 << 2,
	SETUP_TAP0_NO_LEARN = 1 << 3,
	SETUP_STATIC_GUEST0_AT_TAP1 = 1 << 4,
	SETUP_NOBODY_UP = 1 << 5,
};

#define T0	   (1u << LAB_TAP0)
#define T1	   (1u << LAB_TAP1)
#define T2	   (1u << LAB_TAP2)
#define WIRE	   (1u << LAB_AT_WIRE)
#define HOST_STACK (1u << LAB_AT_HOST)

#define NOT_LEARNT 0xffff

struct test {
	const char *text;
	enum lab_end from;
	uint8_t dst[6];
	uint8_t src[6];
	enum vxdp_verdict verdict;
	unsigned int arrive; /* ends that get each frame once, all others none */
	uint32_t learnt;     /* port of the source afterwards; 0: as before */
	uint16_t vlan;
	enum setup setup;
};

/* Before each: GUESTn is behind TAPn, STATION on the wire, CONTAINER behind the host. */
static const struct test tests[] = {
	/* from the wire */
	{"wire to guest", LAB_AT_WIRE, GUEST0, STATION, VXDP_TO_PORT, T0},
	{"wire to guest, a new station is learnt", LAB_AT_WIRE, GUEST1, STATION1, VXDP_TO_PORT, T1,
	 VXDP_PORT_UPLINK},
	{"wire to host", LAB_AT_WIRE, HOST, STATION, VXDP_TO_HOST, HOST_STACK},
	{"wire to an address behind the host", LAB_AT_WIRE, CONTAINER, STATION, VXDP_TO_HOST,
	 HOST_STACK},
	{"wire to wire: neither flooded nor looped", LAB_AT_WIRE, STATION, STATION1,
	 VXDP_DROP_HAIRPIN, HOST_STACK, VXDP_PORT_UPLINK},
	{"wire to all", LAB_AT_WIRE, BROADCAST, STATION, VXDP_FLOODED, T0 | T1 | T2 | HOST_STACK},
	{"wire to a group", LAB_AT_WIRE, MULTICAST, STATION, VXDP_FLOODED,
	 T0 | T1 | T2 | HOST_STACK},
	{"wire to an unknown address", LAB_AT_WIRE, STRANGER, STATION, VXDP_FLOODED,
	 T0 | T1 | T2 | HOST_STACK},
	{"wire to the link: only the host", LAB_AT_WIRE, LINK_LOCAL, STATION, VXDP_TO_HOST,
	 HOST_STACK},
	{"wire to a guest that is down", LAB_AT_WIRE, GUEST1, STATION, VXDP_DROP_PORT_DOWN, 0,
	 .setup = SETUP_TAP1_DOWN},
	{"wire to a port that is gone", LAB_AT_WIRE, GUEST1, STATION, VXDP_DROP_NO_PORT, 0,
	 .setup = SETUP_TAP1_GONE},
	{"wire to all, a guest that is down gets none", LAB_AT_WIRE, BROADCAST, STATION,
	 VXDP_FLOODED, T0 | T2 | HOST_STACK, .setup = SETUP_TAP1_DOWN},
	{"wire to all, no flooding is about unknown addresses", LAB_AT_WIRE, BROADCAST, STATION,
	 VXDP_FLOODED, T0 | T1 | T2 | HOST_STACK, .setup = SETUP_TAP1_NO_FLOOD},
	{"wire to an unknown address, without a port that wants none", LAB_AT_WIRE, STRANGER,
	 STATION, VXDP_FLOODED, T0 | T2 | HOST_STACK, .setup = SETUP_TAP1_NO_FLOOD},
	{"wire to all while no guest is up", LAB_AT_WIRE, BROADCAST, STATION, VXDP_FLOODED,
	 HOST_STACK, .setup = SETUP_NOBODY_UP},
	{"wire to guest, address taken over from a guest", LAB_AT_WIRE, GUEST1, GUEST0,
	 VXDP_TO_PORT, T1, VXDP_PORT_UPLINK},
	{"wire with the host's address is not learnt", LAB_AT_WIRE, GUEST1, HOST, VXDP_TO_PORT, T1,
	 NOT_LEARNT},
	{"wire with a group's source is not learnt", LAB_AT_WIRE, GUEST1, MULTICAST, VXDP_TO_PORT,
	 T1, NOT_LEARNT},
	{"wire with no source is not learnt", LAB_AT_WIRE, GUEST1, NOBODY, VXDP_TO_PORT, T1,
	 NOT_LEARNT},
	{"wire to guest, another VLAN is another address", LAB_AT_WIRE, GUEST0, STATION,
	 VXDP_FLOODED, T0 | T1 | T2 | HOST_STACK, VXDP_PORT_UPLINK, .vlan = 7},
	/* from the host */
	{"host to guest", LAB_AT_HOST, GUEST0, HOST, VXDP_TO_PORT, T0},
	{"host to wire", LAB_AT_HOST, STATION, HOST, VXDP_TO_WIRE, WIRE},
	{"host to an unknown address", LAB_AT_HOST, STRANGER, HOST, VXDP_FLOODED,
	 T0 | T1 | T2 | WIRE},
	{"host to all", LAB_AT_HOST, BROADCAST, HOST, VXDP_FLOODED, T0 | T1 | T2 | WIRE},
	{"host to the link: only the wire", LAB_AT_HOST, LINK_LOCAL, HOST, VXDP_TO_WIRE, WIRE},
	{"host to a guest that is down", LAB_AT_HOST, GUEST1, HOST, VXDP_DROP_PORT_DOWN, 0,
	 .setup = SETUP_TAP1_DOWN},
	{"behind the host to guest, learnt as the host's", LAB_AT_HOST, GUEST0, STRANGER,
	 VXDP_TO_PORT, T0, VXDP_PORT_HOST},
	/* from a guest */
	{"guest to wire", LAB_TAP0, STATION, GUEST0, VXDP_TO_WIRE, WIRE},
	{"guest to host, at the NIC's address", LAB_TAP0, HOST, GUEST0, VXDP_TO_HOST, HOST_STACK},
	{"guest to an address behind the host", LAB_TAP0, CONTAINER, GUEST0, VXDP_TO_HOST,
	 HOST_STACK},
	{"guest to guest", LAB_TAP0, GUEST1, GUEST0, VXDP_TO_PORT, T1},
	{"guest to itself", LAB_TAP0, GUEST0, STRANGER, VXDP_DROP_HAIRPIN, 0, LAB_PORT(0)},
	{"guest to all", LAB_TAP0, BROADCAST, GUEST0, VXDP_FLOODED, T1 | T2 | WIRE | HOST_STACK},
	{"guest to a group", LAB_TAP1, MULTICAST, GUEST1, VXDP_FLOODED,
	 T0 | T2 | WIRE | HOST_STACK},
	{"guest to an unknown address: not to the host", LAB_TAP0, STRANGER, GUEST0, VXDP_FLOODED,
	 T1 | T2 | WIRE},
	{"guest to the link: not out of the host", LAB_TAP0, LINK_LOCAL, GUEST0, VXDP_TO_HOST,
	 HOST_STACK},
	{"guest with a new address", LAB_TAP2, STATION, STRANGER, VXDP_TO_WIRE, WIRE, LAB_PORT(2)},
	{"guest with an address that moved to it", LAB_TAP2, STATION, GUEST0, VXDP_TO_WIRE, WIRE,
	 LAB_PORT(2)},
	{"guest with an address from the wire", LAB_TAP0, GUEST1, STATION, VXDP_TO_PORT, T1,
	 LAB_PORT(0)},
	{"guest with the host's address is not learnt", LAB_TAP0, STATION, HOST, VXDP_TO_WIRE, WIRE,
	 NOT_LEARNT},
	{"guest that may not teach", LAB_TAP0, STATION, STRANGER, VXDP_TO_WIRE, WIRE, NOT_LEARNT,
	 .setup = SETUP_TAP0_NO_LEARN},
	{"guest with an address that is fixed elsewhere", LAB_TAP0, STATION, GUEST0, VXDP_TO_WIRE,
	 WIRE, LAB_PORT(1), .setup = SETUP_STATIC_GUEST0_AT_TAP1},
	{"guest with a group's source", LAB_TAP0, STATION, MULTICAST, VXDP_DROP_BAD_SOURCE, 0,
	 NOT_LEARNT},
	{"guest with no source", LAB_TAP0, BROADCAST, NOBODY, VXDP_DROP_BAD_SOURCE, 0, NOT_LEARNT},
	{"guest to a guest that is down", LAB_TAP0, GUEST1, GUEST0, VXDP_DROP_PORT_DOWN, 0,
	 .setup = SETUP_TAP1_DOWN},
	{"guest to guest in a VLAN neither was seen in", LAB_TAP0, GUEST1, GUEST0, VXDP_FLOODED,
	 T1 | T2 | WIRE, LAB_PORT(0), .vlan = 9},
};

static void set_up(struct lab *lab, enum setup setup)
{
	const uint8_t macs[][6] = {GUEST0, GUEST1, GUEST2, STATION, CONTAINER};
	const uint32_t ports[] = {LAB_PORT(0), LAB_PORT(1), LAB_PORT(2), VXDP_PORT_UPLINK,
				  VXDP_PORT_HOST};
	const struct vxdp_policy no_learn = {.flags = VXDP_POLICY_NO_LEARN};
	const struct vxdp_policy no_flood = {.flags = VXDP_POLICY_NO_FLOOD};
	struct vxdp_port gone = {0};

	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	for (size_t i = 0; i < ARRAY_SIZE(macs); i++)
		lab_fdb_add(lab, macs[i], 0, ports[i], 0);
	if (setup & SETUP_STATIC_GUEST0_AT_TAP1)
		lab_fdb_add(lab, macs[0], 0, LAB_PORT(1), VXDP_FDB_STATIC);
	for (unsigned int i = 0; i < LAB_TAPS; i++)
		lab_port_reset(lab, i, 0);
	lab_policy(lab, LAB_PORT(0), setup & SETUP_TAP0_NO_LEARN ? &no_learn : NULL);
	lab_policy(lab, LAB_PORT(1), setup & SETUP_TAP1_NO_FLOOD ? &no_flood : NULL);
	if (setup & SETUP_TAP1_DOWN)
		vxdp_port_flags(lab->pins, LAB_PORT(1), 0, VXDP_PORT_UP);
	if (setup & SETUP_TAP1_GONE)
		vxdp_port_set(lab->pins, LAB_PORT(1), &gone);
	for (unsigned int i = 0; setup & SETUP_NOBODY_UP && i < LAB_TAPS; i++)
		vxdp_port_flags(lab->pins, LAB_PORT(i), 0, VXDP_PORT_UP);
}

static uint32_t port_of(enum lab_end end)
{
	if (end == LAB_AT_WIRE)
		return VXDP_PORT_UPLINK;
	return end == LAB_AT_HOST ? VXDP_PORT_HOST : LAB_PORT((uint32_t)end);
}

static bool arrived_as_wanted(const struct test *t, const unsigned int arrived[LAB_ENDS])
{
	bool good = true;

	for (int i = 0; i < LAB_ENDS; i++) {
		unsigned int wanted = t->arrive >> i & 1 ? FRAMES : 0;

		if (arrived[i] == wanted)
			continue;
		tap_diag("%u frames arrived at end %d, wanted %u", arrived[i], i, wanted);
		good = false;
	}
	return good;
}

static bool counted_as_wanted(const struct lab *lab, const struct test *t, const uint64_t before[6],
			      uint64_t verdict_before)
{
	uint64_t got = lab_counter(lab, port_of(t->from), t->verdict).packets - verdict_before;
	bool good = true;

	if (got != FRAMES) {
		tap_diag("%llu frames counted with the verdict", (unsigned long long)got);
		good = false;
	}
	for (uint32_t id = VXDP_PORT_UPLINK; id < 6; id++) {
		uint64_t n = lab_counted(lab, id) - before[id];

		if (n == (id == port_of(t->from) ? FRAMES : 0))
			continue;
		tap_diag("%llu frames counted under port %u", (unsigned long long)n, id);
		good = false;
	}
	return good;
}

static bool learnt_as_wanted(const struct lab *lab, const struct test *t, uint64_t generation)
{
	uint32_t port = lab_fdb_port(lab, t->src, t->vlan);
	bool changes =
		t->learnt && t->learnt != NOT_LEARNT && !(t->setup & SETUP_STATIC_GUEST0_AT_TAP1);
	bool good = true;

	if (t->learnt && port != (t->learnt == NOT_LEARNT ? VXDP_PORT_NONE : t->learnt)) {
		tap_diag("source is at port %u afterwards", port);
		good = false;
	}
	generation = READ_ONCE(lab->pins->mapped_config->generation) - generation;
	if (generation != changes) {
		tap_diag("generation was raised %llu times", (unsigned long long)generation);
		good = false;
	}
	return good;
}

static void run_test(struct lab *lab, const struct test *t, const char *mode)
{
	struct packet_spec spec = {.vlan = {t->vlan}};
	uint64_t before[6], verdict_before, generation;
	unsigned int arrived[LAB_ENDS];
	bool good;

	memcpy(spec.dst, t->dst, sizeof(spec.dst));
	memcpy(spec.src, t->src, sizeof(spec.src));
	set_up(lab, t->setup);
	for (uint32_t id = 0; id < 6; id++)
		before[id] = lab_counted(lab, id);
	verdict_before = lab_counter(lab, port_of(t->from), t->verdict).packets;
	generation = READ_ONCE(lab->pins->mapped_config->generation);
	lab_send(lab, t->from, &spec, FRAMES, arrived);
	good = arrived_as_wanted(t, arrived);
	good &= counted_as_wanted(lab, t, before, verdict_before);
	good &= learnt_as_wanted(lab, t, generation);
	tap_ok(good, "%s: %s", mode, t->text);
}

static void run_mode(enum vxdp_xdp_mode mode)
{
	const char *name = mode == VXDP_XDP_SKB ? "skb" : "native";
	struct lab lab;

	lab_open(&lab, mode);
	tap_ok(vxdp_bpf_xdp_mode(lab.bpf) == mode, "%s: XDP is attached in that mode", name);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], name);
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	tap_plan(2 * (ARRAY_SIZE(tests) + 1));
	run_mode(VXDP_XDP_NATIVE);
	run_mode(VXDP_XDP_SKB);
	return tap_exit();
}
