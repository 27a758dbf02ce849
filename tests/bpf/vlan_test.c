// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vlan_test - what a port's policy does to frames in the programs: VLANs with the tags they come
 * and leave with, isolation, allowed source addresses. Each frame arrives where it should, in the
 * form it should have, is counted once, and is learnt in its VLAN.
 */
#include <string.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

/* Form of a frame at an end; 0: it does not get there. */
#define BARE   0x20000u
#define TAG(n) (LAB_VLAN_TAGGED | (n))

#define FRAMES 4

enum setup {
	OPEN,	      /* no policies */
	SAME_VLAN,    /* tap 0 and tap 1 in VLAN 10, tap 2 in VLAN 20 */
	TRUNK,	      /* tap 0 in VLAN 10, tap 1: 10 and 20, untagged 1; tap 2: 20, none untagged */
	HOST_ACCESS,  /* the host's untagged frames are VLAN 10, as tap 0's; tap 1: 20 */
	WIRE_TRUNK,   /* the wire: VLANs 10 and 30, untagged 20; tap 0 in 10, tap 1 in 20 */
	ISOLATED,     /* taps 0 and 1 */
	SPOOF_CHECK,  /* tap 0 */
	TRUNK_NATIVE0 /* tap 0: VLAN 10, untagged frames as they are; tap 1: 10 */
};

struct test {
	const char *text;
	enum setup setup;
	enum lab_end from;
	uint8_t dst[6], src[6];
	uint16_t tci;
	enum vxdp_verdict verdict;
	int learnt; /* VLAN the source is known in afterwards; 0: not looked at; -1: in none */
	uint32_t arrive[LAB_ENDS]; /* tap 0, tap 1, tap 2, wire, host */
};

#define T(text, setup, from, dst, src, tci, verdict, learnt, ...)                                  \
	{                                                                                          \
		text, setup, from, dst, src, tci, VXDP_##verdict, learnt,                          \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct test tests[] = {
	T("untagged, no policies", OPEN, LAB_TAP0, BROADCAST, GUEST0, 0, FLOODED, 0, 0, BARE, BARE,
	  BARE, BARE),
	T("tagged, no policies", OPEN, LAB_TAP0, BROADCAST, GUEST0, 0x200a, FLOODED, 10, 0,
	  TAG(0x200a), TAG(0x200a), TAG(0x200a), TAG(0x200a)),
	T("a priority tag, no policies", OPEN, LAB_TAP0, BROADCAST, GUEST0, 0x6000, FLOODED, 0, 0,
	  TAG(0x6000), TAG(0x6000), TAG(0x6000), TAG(0x6000)),

	T("access to all: its VLAN only, tagged where tags are carried", SAME_VLAN, LAB_TAP0,
	  BROADCAST, GUEST0, 0, FLOODED, 10, 0, BARE, 0, TAG(10), TAG(10)),
	T("access to the same VLAN", SAME_VLAN, LAB_TAP0, GUEST1, GUEST0, 0, TO_PORT, 10, 0, BARE),
	T("access to an address of another VLAN: unknown in its own", SAME_VLAN, LAB_TAP0, GUEST2,
	  GUEST0, 0, FLOODED, 10, 0, BARE, 0, TAG(10)),
	T("access to the wire", SAME_VLAN, LAB_TAP0, STATION, GUEST0, 0, TO_WIRE,
	  10, [LAB_AT_WIRE] = TAG(10)),
	T("access to the host", SAME_VLAN, LAB_TAP0, HOST, GUEST0, 0, TO_HOST,
	  10, [LAB_AT_HOST] = TAG(10)),
	T("access, a priority tag becomes part of the VLAN's", SAME_VLAN, LAB_TAP0, BROADCAST,
	  GUEST0, 0x6000, FLOODED, 10, 0, BARE, 0, TAG(0x600a), TAG(0x600a)),
	T("access, tagged with its own VLAN", SAME_VLAN, LAB_TAP0, BROADCAST, GUEST0, 10,
	  DROP_VLAN_IN, 0, 0),
	T("access, tagged with another VLAN", SAME_VLAN, LAB_TAP0, GUEST2, GUEST0, 20, DROP_VLAN_IN,
	  -1, 0),
	T("wire to all of a VLAN", SAME_VLAN, LAB_AT_WIRE, BROADCAST, STATION, 0xa00a, FLOODED, 10,
	  BARE, BARE, 0, 0, TAG(0xa00a)),
	T("wire to all, untagged: in no guest's VLAN", SAME_VLAN, LAB_AT_WIRE, BROADCAST, STATION,
	  0, FLOODED, 0, [LAB_AT_HOST] = BARE),
	T("wire to access", SAME_VLAN, LAB_AT_WIRE, GUEST2, STATION, 20, TO_PORT,
	  20, [LAB_TAP2] = BARE),
	T("wire to access in a VLAN that is not its own", SAME_VLAN, LAB_AT_WIRE, GUEST2, STATION,
	  10, FLOODED, 10, BARE, BARE, 0, 0, TAG(10)),
	T("host to all, untagged", SAME_VLAN, LAB_AT_HOST, BROADCAST, HOST, 0, FLOODED,
	  0, [LAB_AT_WIRE] = BARE),
	T("host to all of a VLAN", SAME_VLAN, LAB_AT_HOST, BROADCAST, HOST, 10, FLOODED, 0, BARE,
	  BARE, 0, TAG(10)),
	T("host to access", SAME_VLAN, LAB_AT_HOST, GUEST0, HOST, 10, TO_PORT, 0, BARE),

	T("access to trunk, broadcast", TRUNK, LAB_TAP0, BROADCAST, GUEST0, 0, FLOODED, 10, 0,
	  TAG(10), 0, TAG(10), TAG(10)),
	T("access to trunk", TRUNK, LAB_TAP0, GUEST1, GUEST0, 0, TO_PORT, 10, 0, TAG(10)),
	T("trunk to access", TRUNK, LAB_TAP1, GUEST0, GUEST1, 0x400a, TO_PORT, 10, BARE),
	T("trunk to all of a VLAN", TRUNK, LAB_TAP1, BROADCAST, GUEST1, 20, FLOODED, 20, 0, 0,
	  TAG(20), TAG(20), TAG(20)),
	T("trunk, untagged: the native VLAN", TRUNK, LAB_TAP1, BROADCAST, GUEST1, 0, FLOODED, 1, 0,
	  0, 0, TAG(1), TAG(1)),
	T("trunk, the native VLAN may come tagged", TRUNK, LAB_TAP1, BROADCAST, GUEST1, 1, FLOODED,
	  1, 0, 0, 0, TAG(1), TAG(1)),
	T("trunk, a VLAN that is not in its list", TRUNK, LAB_TAP1, BROADCAST, GUEST1, 30,
	  DROP_VLAN_IN, -1, 0),
	T("trunk without native VLAN, untagged", TRUNK, LAB_TAP2, BROADCAST, GUEST2, 0,
	  DROP_VLAN_IN, -1, 0),
	T("wire to trunk, native VLAN: untagged", TRUNK, LAB_AT_WIRE, BROADCAST, STATION, 1,
	  FLOODED, 1, [LAB_TAP1] = BARE, [LAB_AT_HOST] = TAG(1)),
	T("wire to a trunk that is not in the VLAN", TRUNK, LAB_AT_WIRE, GUEST2, STATION, 30,
	  DROP_VLAN_OUT, 30, 0),

	T("trunk whose native VLAN is that of untagged frames", TRUNK_NATIVE0, LAB_TAP0, BROADCAST,
	  GUEST0, 0, FLOODED, 0, 0, 0, BARE, BARE, BARE),
	T("and a priority tag there", TRUNK_NATIVE0, LAB_TAP2, BROADCAST, GUEST2, 0x6000, FLOODED,
	  0, BARE, 0, 0, TAG(0x6000), TAG(0x6000)),

	T("host in a VLAN, to all", HOST_ACCESS, LAB_AT_HOST, BROADCAST, HOST, 0, FLOODED, 0, BARE,
	  0, TAG(10), TAG(10)),
	T("host in a VLAN, to the wire", HOST_ACCESS, LAB_AT_HOST, STATION, HOST, 0, TO_WIRE,
	  0, [LAB_AT_WIRE] = TAG(10)),
	T("wire to host in a VLAN", HOST_ACCESS, LAB_AT_WIRE, HOST, STATION, 10, TO_HOST,
	  10, [LAB_AT_HOST] = BARE),
	T("wire to all, untagged, host in a VLAN", HOST_ACCESS, LAB_AT_WIRE, BROADCAST, STATION, 0,
	  FLOODED, 0, [LAB_TAP2] = BARE),
	T("wire to host in another VLAN", HOST_ACCESS, LAB_AT_WIRE, HOST, STATION, 0, DROP_VLAN_OUT,
	  0, 0),
	T("guest to host in its VLAN", HOST_ACCESS, LAB_TAP0, HOST, GUEST0, 0, TO_HOST,
	  10, [LAB_AT_HOST] = BARE),
	T("guest to host in another VLAN", HOST_ACCESS, LAB_TAP1, HOST, GUEST1, 0, DROP_VLAN_OUT,
	  20, 0),
	T("guest to all, host in another VLAN", HOST_ACCESS, LAB_TAP1, BROADCAST, GUEST1, 0,
	  FLOODED, 20, 0, 0, TAG(20), TAG(20)),
	T("link control from the wire knows no VLAN", HOST_ACCESS, LAB_AT_WIRE, LINK_LOCAL, STATION,
	  0, TO_HOST, 0, [LAB_AT_HOST] = BARE),
	T("link control from the host knows no VLAN", HOST_ACCESS, LAB_AT_HOST, LINK_LOCAL, HOST, 0,
	  TO_WIRE, 0, [LAB_AT_WIRE] = BARE),

	T("wire, native VLAN", WIRE_TRUNK, LAB_AT_WIRE, BROADCAST, STATION, 0, FLOODED, 20, 0, BARE,
	  TAG(20), 0, TAG(20)),
	T("wire, a VLAN it does not carry", WIRE_TRUNK, LAB_AT_WIRE, HOST, STATION, 11,
	  DROP_VLAN_IN, -1, 0),
	T("guest to all, the wire's native VLAN", WIRE_TRUNK, LAB_TAP1, BROADCAST, GUEST1, 0,
	  FLOODED, 20, 0, 0, TAG(20), BARE, TAG(20)),
	T("guest in a VLAN the wire does not carry", WIRE_TRUNK, LAB_TAP2, BROADCAST, GUEST2, 40,
	  FLOODED, 40, [LAB_AT_HOST] = TAG(40)),
	T("host in a VLAN the wire does not carry", WIRE_TRUNK, LAB_AT_HOST, STATION, HOST, 40,
	  DROP_VLAN_OUT, 0, 0),

	T("isolated to isolated", ISOLATED, LAB_TAP0, GUEST1, GUEST0, 0, DROP_ISOLATED, 0, 0),
	T("isolated to all", ISOLATED, LAB_TAP0, BROADCAST, GUEST0, 0, FLOODED, 0, 0, 0, BARE, BARE,
	  BARE),
	T("isolated to another guest", ISOLATED, LAB_TAP0, GUEST2, GUEST0, 0, TO_PORT, 0, 0, 0,
	  BARE),
	T("another guest to isolated", ISOLATED, LAB_TAP2, BROADCAST, GUEST2, 0, FLOODED, 0, BARE,
	  BARE, 0, BARE, BARE),
	T("isolated to the wire", ISOLATED, LAB_TAP1, STATION, GUEST1, 0, TO_WIRE,
	  0, [LAB_AT_WIRE] = BARE),

	T("an allowed source", SPOOF_CHECK, LAB_TAP0, STATION, GUEST0, 0, TO_WIRE,
	  0, [LAB_AT_WIRE] = BARE),
	T("a source that is not allowed is neither carried nor learnt", SPOOF_CHECK, LAB_TAP0,
	  BROADCAST, GUEST2, 5, DROP_SPOOFED, -1, 0),
	T("another port may use it", SPOOF_CHECK, LAB_TAP2, STATION, GUEST2, 0, TO_WIRE,
	  0, [LAB_AT_WIRE] = BARE),
};

static void trunk_of(struct vxdp_policy *policy, uint16_t native, uint16_t a, uint16_t b)
{
	*policy = (struct vxdp_policy){.vlan_mode = VXDP_VLAN_TRUNK, .pvid = native};
	policy->vlans[a / 64] |= 1ULL << a % 64;
	policy->vlans[b / 64] |= 1ULL << b % 64;
}

static void set_up_policies(struct lab *lab, enum setup setup)
{
	static const uint8_t guest0[1][6] = {GUEST0};
	const struct vxdp_policy in10 = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 10};
	const struct vxdp_policy in20 = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 20};
	const struct vxdp_policy isolated = {.flags = VXDP_POLICY_ISOLATED};
	const struct vxdp_policy spoof_check = {.flags = VXDP_POLICY_SPOOF_CHECK};
	const struct vxdp_policy *port[LAB_PORT(LAB_TAPS)] = {0};
	struct vxdp_policy wide, narrow;

	trunk_of(&wide, 1, 10, 20);
	trunk_of(&narrow, VXDP_VLAN_NONE, 20, 20);
	if (setup == WIRE_TRUNK)
		trunk_of(&wide, 20, 10, 30);
	if (setup == TRUNK_NATIVE0)
		trunk_of(&wide, 0, 10, 10);
	switch (setup) {
	case SAME_VLAN:
		port[LAB_PORT(0)] = port[LAB_PORT(1)] = &in10;
		port[LAB_PORT(2)] = &in20;
		break;
	case TRUNK:
		port[LAB_PORT(0)] = &in10;
		port[LAB_PORT(1)] = &wide;
		port[LAB_PORT(2)] = &narrow;
		break;
	case TRUNK_NATIVE0:
		port[LAB_PORT(0)] = &wide;
		port[LAB_PORT(1)] = &in10;
		break;
	case HOST_ACCESS:
		port[VXDP_PORT_HOST] = port[LAB_PORT(0)] = &in10;
		port[LAB_PORT(1)] = &in20;
		break;
	case WIRE_TRUNK:
		port[VXDP_PORT_UPLINK] = &wide;
		port[LAB_PORT(0)] = &in10;
		port[LAB_PORT(1)] = &in20;
		break;
	case ISOLATED:
		port[LAB_PORT(0)] = port[LAB_PORT(1)] = &isolated;
		break;
	case SPOOF_CHECK:
		port[LAB_PORT(0)] = &spoof_check;
		break;
	case OPEN:
		break;
	}
	for (uint32_t id = 0; id < ARRAY_SIZE(port); id++)
		lab_policy(lab, id, port[id]);
	vxdp_port_macs_set(lab->pins, LAB_PORT(0), guest0, setup == SPOOF_CHECK);
}

/* Where each address was last seen, in every VLAN it may be used in below. */
static void set_up(struct lab *lab, enum setup setup)
{
	const uint8_t macs[][6] = {GUEST0, GUEST1, GUEST2, STATION};
	const uint16_t open_vlans[] = {0, 1, 10, 20, 30, 40};
	const uint32_t ports[] = {LAB_PORT(0), LAB_PORT(1), LAB_PORT(2), VXDP_PORT_UPLINK};

	set_up_policies(lab, setup);
	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	for (size_t v = 0; v < ARRAY_SIZE(open_vlans); v++) {
		lab_fdb_add(lab, macs[3], open_vlans[v], ports[3], 0);
		for (size_t i = 0; setup == OPEN && i < 3; i++)
			lab_fdb_add(lab, macs[i], open_vlans[v], ports[i], 0);
	}
	if (setup == SAME_VLAN || setup == TRUNK) {
		lab_fdb_add(lab, macs[0], 10, ports[0], 0);
		lab_fdb_add(lab, macs[1], 10, ports[1], 0);
		lab_fdb_add(lab, macs[2], 20, ports[2], 0);
	}
	if (setup == TRUNK)
		lab_fdb_add(lab, macs[2], 30, ports[2], VXDP_FDB_STATIC);
	if (setup == ISOLATED || setup == SPOOF_CHECK) {
		for (size_t i = 0; i < 3; i++)
			lab_fdb_add(lab, macs[i], 0, ports[i], 0);
	}
}

static uint32_t port_of(enum lab_end end)
{
	if (end == LAB_AT_WIRE)
		return VXDP_PORT_UPLINK;
	return end == LAB_AT_HOST ? VXDP_PORT_HOST : LAB_PORT((uint32_t)end);
}

/* There only frames in a VLAN can be told from others (lab.h). */
static uint32_t wanted_at_host(const struct test *t)
{
	return t->arrive[LAB_AT_HOST] & VXDP_VLAN_MASK ? LAB_VLAN_TAGGED : BARE;
}

static bool arrived_as_wanted(const struct lab *lab, const struct test *t,
			      const unsigned int arrived[LAB_ENDS])
{
	bool good = true;

	for (int i = 0; i < LAB_ENDS; i++) {
		uint32_t form = lab->vlan_tag[i] ? lab->vlan_tag[i] : BARE;

		if (i == LAB_AT_HOST && t->arrive[i])
			form = form == wanted_at_host(t) ? t->arrive[i] : 0;
		if (arrived[i] == (t->arrive[i] ? FRAMES : 0) &&
		    (!arrived[i] || form == t->arrive[i]))
			continue;
		tap_diag("end %d: %u frames, the last with tag %x; wanted %x", i, arrived[i],
			 lab->vlan_tag[i], t->arrive[i]);
		good = false;
	}
	return good;
}

static bool learnt_as_wanted(const struct lab *lab, const struct test *t)
{
	const uint16_t vlans[] = {0, 1, 5, 10, 11, 20, 30};
	uint32_t wanted = port_of(t->from);

	if (t->learnt > 0 && lab_fdb_port(lab, t->src, t->learnt) != wanted) {
		tap_diag("source is at port %u", lab_fdb_port(lab, t->src, t->learnt));
		return false;
	}
	for (size_t i = 0; t->learnt < 0 && i < ARRAY_SIZE(vlans); i++) {
		if (vlans[i] == (t->tci & VXDP_VLAN_MASK) &&
		    lab_fdb_port(lab, t->src, vlans[i]) == wanted) {
			tap_diag("source was learnt in VLAN %u", vlans[i]);
			return false;
		}
	}
	return true;
}

static void run_test(struct lab *lab, const struct test *t, const char *mode)
{
	struct packet_spec spec = {.vlan = {t->tci}};
	uint64_t before[LAB_PORT(LAB_TAPS)], verdict_before, counted;
	unsigned int arrived[LAB_ENDS];
	bool good;

	memcpy(spec.dst, t->dst, sizeof(spec.dst));
	memcpy(spec.src, t->src, sizeof(spec.src));
	set_up(lab, t->setup);
	for (uint32_t id = 0; id < ARRAY_SIZE(before); id++)
		before[id] = lab_counted(lab, id);
	verdict_before = lab_counter(lab, port_of(t->from), t->verdict).packets;
	lab_send(lab, t->from, &spec, FRAMES, arrived);
	good = arrived_as_wanted(lab, t, arrived);
	counted = lab_counter(lab, port_of(t->from), t->verdict).packets - verdict_before;
	if (counted != FRAMES)
		tap_diag("%llu counted with the verdict", (unsigned long long)counted);
	good &= counted == FRAMES;
	for (uint32_t id = 0; id < ARRAY_SIZE(before); id++) {
		counted = lab_counted(lab, id) - before[id];
		if (counted == (id == port_of(t->from) ? FRAMES : 0))
			continue;
		tap_diag("%llu counted under port %u", (unsigned long long)counted, id);
		good = false;
	}
	good &= learnt_as_wanted(lab, t);
	tap_ok(good, "%s: %s", mode, t->text);
}

static void run_mode(enum vxdp_xdp_mode mode)
{
	struct lab lab;

	lab_open(&lab, mode);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run_test(&lab, &tests[i], mode == VXDP_XDP_SKB ? "skb" : "native");
	lab_close(&lab);
}

int main(int argc, char **argv)
{
	tap_plan(2 * ARRAY_SIZE(tests));
	run_mode(VXDP_XDP_NATIVE);
	run_mode(VXDP_XDP_SKB);
	return tap_exit();
}
