// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * learn_test - what is learnt and flooded, and how much of it: limits of a port, moves and
 * addresses that flap, addresses that were not seen for long, storms.
 */
#include <bpf/bpf.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define SECOND_NS 1000000000ULL
#define MS_NS	  1000000ULL

/* As in bpf/fdb.bpf.h and bpf/policy.bpf.h. */
#define MOVE_HOLD_NS (50 * MS_NS)
#define RAISE_NS     (5 * MS_NS)
#define RAISE_BURST  50
#define SLACK	     4 /* of clocks */

static const uint8_t guest0[6] = GUEST0, guest1[6] = GUEST1, station[6] = STATION;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void pause_ns(uint64_t ns)
{
	const struct timespec pause = {ns / SECOND_NS, ns % SECOND_NS};

	nanosleep(&pause, NULL);
}

static void known_addresses(struct lab *lab)
{
	const struct packet_spec none = {0};
	const struct vxdp_meter full = {0};
	unsigned int arrived[LAB_ENDS];

	lab_send(lab, LAB_TAP0, &none, 0, arrived); /* takes away what is still there */
	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	vxdp_fdb_age(lab->pins);
	lab_fdb_add(lab, guest0, 0, LAB_PORT(0), 0);
	lab_fdb_add(lab, guest1, 0, LAB_PORT(1), 0);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
	for (uint32_t id = 0; id < LAB_PORT(LAB_TAPS); id++) {
		lab_policy(lab, id, NULL);
		bpf_map_update_elem(lab->pins->meters, &id, &full, BPF_ANY);
	}
}

/* One frame from a tap, without a look at where it goes. */
static void send_quick(struct lab *lab, unsigned int tap, const uint8_t dst[6], uint32_t source)
{
	struct {
		struct virtio_net_hdr vnet;
		uint8_t frame[60];
	} __attribute__((packed)) m = {.frame = {[6] = 0x52, 0x54, [12] = 0x88, 0xb5}};

	memcpy(m.frame, dst, 6);
	m.frame[8] = source >> 24;
	m.frame[9] = source >> 16;
	m.frame[10] = source >> 8;
	m.frame[11] = source;
	if (write(lab->end[tap].fd, &m, sizeof(m)) != sizeof(m))
		tap_diag("cannot write to tap %u", tap);
}

static enum vxdp_fdb_next count_entry(void *arg, const struct vxdp_fdb_key *key,
				      const struct vxdp_fdb_entry *entry)
{
	unsigned int *count = arg;

	count[entry->port]++;
	return VXDP_FDB_KEEP;
}

static unsigned int addresses_of(struct lab *lab, uint32_t port)
{
	unsigned int count[VXDP_PORTS_MAX] = {0};

	vxdp_fdb_walk(lab->pins, count_entry, count);
	return count[port];
}

static uint64_t generation(const struct lab *lab)
{
	return READ_ONCE(lab->pins->mapped_config->generation);
}

static void test_limit(struct lab *lab)
{
	const struct vxdp_policy few = {.mac_limit = 3};

	known_addresses(lab);
	lab_policy(lab, LAB_PORT(0), &few);
	vxdp_fdb_age(lab->pins);
	for (uint32_t i = 0; i < 8; i++) {
		send_quick(lab, LAB_TAP0, station, 0x10000 + i);
		send_quick(lab, LAB_TAP1, station, 0x20000 + i);
	}
	tap_is(addresses_of(lab, LAB_PORT(0)), 3, "limit: a port has its own");
	tap_is(addresses_of(lab, LAB_PORT(1)), 9, "limit: which is not that of others");
}

static void test_flapping(struct lab *lab)
{
	const uint8_t flapping[6] = {0x52, 0x54, 0, 3, 0, 0};
	uint64_t raised, begun, allowed;

	known_addresses(lab);
	lab_fdb_add(lab, flapping, 0, LAB_PORT(2), 0);
	raised = generation(lab);
	send_quick(lab, LAB_TAP0, station, 0x30000);
	tap_ok(lab_fdb_port(lab, flapping, 0) == LAB_PORT(0) && generation(lab) == raised + 1,
	       "moves: followed at once");
	begun = now_ns();
	for (unsigned int i = 0; now_ns() - begun < 4 * MOVE_HOLD_NS; i++)
		send_quick(lab, i & 1 ? LAB_TAP0 : LAB_TAP1, station, 0x30000);
	raised = generation(lab) - raised - 1;
	allowed = (now_ns() - begun) / MOVE_HOLD_NS + SLACK;
	tap_ok(raised && raised <= allowed, "moves: an address that flaps does so slowly");
	tap_diag("%llu moves, %llu allowed", (unsigned long long)raised,
		 (unsigned long long)allowed);
	pause_ns(2 * MOVE_HOLD_NS);
	send_quick(lab, LAB_TAP1, station, 0x30000);
	tap_is(lab_fdb_port(lab, flapping, 0), LAB_PORT(1), "moves: and is found where it stays");
}

static void test_raises(struct lab *lab)
{
	uint64_t before, begun, allowed;

	known_addresses(lab);
	before = generation(lab);
	begun = now_ns();
	for (uint32_t i = 0; i < 1000; i++)
		send_quick(lab, LAB_TAP0, station, 0x40000 + i);
	allowed = RAISE_BURST + (now_ns() - begun) / RAISE_NS + SLACK;
	tap_is(addresses_of(lab, LAB_PORT(0)), 1001, "raises: new addresses are all learnt");
	tap_ok(generation(lab) - before >= RAISE_BURST && generation(lab) - before <= allowed,
	       "raises: flow caches are not told of each");
	tap_diag("%llu raises, %llu allowed", (unsigned long long)(generation(lab) - before),
		 (unsigned long long)allowed);
	before = generation(lab);
	send_quick(lab, LAB_TAP1, station, 0x50000);
	tap_is(generation(lab) - before, 1, "raises: other ports are not held back");
}

static void set_last_seen(const struct lab *lab, const uint8_t mac[6], uint32_t port, uint64_t ns)
{
	struct vxdp_fdb_entry entry = {.last_seen_ns = ns, .port = port};
	struct vxdp_fdb_key key = {.vlan = 0};

	memcpy(key.mac, mac, sizeof(key.mac));
	if (bpf_map_update_elem(lab->pins->fdb, &key, &entry, BPF_ANY))
		tap_bail("cannot change the FDB");
}

static void test_ageing(struct lab *lab)
{
	const struct packet_spec to = {.dst = GUEST1, .src = GUEST0};
	const struct packet_spec from = {.dst = GUEST0, .src = GUEST1};
	unsigned int arrived[LAB_ENDS];
	uint64_t before;

	known_addresses(lab);
	lab->pins->mapped_config->ageing_ns = 5 * SECOND_NS;
	set_last_seen(lab, guest1, LAB_PORT(1), now_ns() - 6 * SECOND_NS);
	lab_send(lab, LAB_TAP0, &to, 2, arrived);
	tap_ok(arrived[LAB_TAP1] == 2 && arrived[LAB_TAP2] == 2 && arrived[LAB_AT_WIRE] == 2,
	       "ageing: an address that was not seen for so long is unknown");
	before = generation(lab);
	lab_send(lab, LAB_TAP1, &from, 2, arrived);
	tap_is(generation(lab) - before, 1, "ageing: it is known again when it sends");
	lab_send(lab, LAB_TAP0, &to, 2, arrived);
	tap_ok(arrived[LAB_TAP1] == 2 && !arrived[LAB_TAP2] && !arrived[LAB_AT_WIRE],
	       "ageing: and then reached alone");
	set_last_seen(lab, guest1, LAB_PORT(1), now_ns() + 10 * MS_NS);
	lab_send(lab, LAB_TAP0, &to, 2, arrived);
	tap_ok(arrived[LAB_TAP1] == 2 && !arrived[LAB_TAP2],
	       "ageing: an entry from a clock that is ahead is none");
	lab->pins->mapped_config->ageing_ns = 0;
}

/* Where no process runs, nobody else makes room. */
static void test_sweep(struct lab *lab)
{
	const struct vxdp_policy few = {.mac_limit = 3};

	known_addresses(lab);
	lab_policy(lab, LAB_PORT(0), &few);
	vxdp_fdb_age(lab->pins);
	send_quick(lab, LAB_TAP0, station, 0x60000);
	send_quick(lab, LAB_TAP0, station, 0x60001);
	lab->pins->mapped_config->ageing_ns = 5 * SECOND_NS;
	set_last_seen(lab, guest0, LAB_PORT(0), now_ns() - 6 * SECOND_NS);
	set_last_seen(lab, station, VXDP_PORT_UPLINK, now_ns() - 6 * SECOND_NS);
	send_quick(lab, LAB_TAP0, guest1, 0x60002);
	tap_ok(lab_fdb_port(lab, guest0, 0) == VXDP_PORT_NONE &&
		       lab_fdb_port(lab, station, 0) == VXDP_PORT_NONE &&
		       addresses_of(lab, LAB_PORT(0)) == 2 && addresses_of(lab, LAB_PORT(1)) == 1,
	       "sweep: when a port has no room, aged addresses are removed");
	send_quick(lab, LAB_TAP0, guest1, 0x60002);
	tap_is(addresses_of(lab, LAB_PORT(0)), 3, "sweep: which makes room");
	set_last_seen(lab, guest1, LAB_PORT(1), now_ns() - 6 * SECOND_NS);
	send_quick(lab, LAB_TAP0, guest1, 0x60003);
	tap_is(addresses_of(lab, LAB_PORT(1)), 1, "sweep: not again at once");
	lab->pins->mapped_config->ageing_ns = 0;
}

/* @pps 100: ten at once, and one more every 10 ms. */
static void test_storm(struct lab *lab, enum lab_end from, uint32_t port, const uint8_t src[6],
		       const char *who)
{
	const struct vxdp_policy calm = {.storm_pps = 100};
	struct packet_spec spec = {.dst = BROADCAST}, single = {.dst = GUEST1};
	unsigned int arrived[LAB_ENDS];
	uint64_t begun, most, flooded, dropped;

	known_addresses(lab);
	lab_policy(lab, port, &calm);
	memcpy(spec.src, src, sizeof(spec.src));
	memcpy(single.src, src, sizeof(single.src));
	flooded = lab_counter(lab, port, VXDP_FLOODED).packets;
	dropped = lab_counter(lab, port, VXDP_DROP_STORM).packets;
	begun = now_ns();
	lab_send(lab, from, &spec, 100, arrived);
	most = 10 + (now_ns() - begun) / (10 * MS_NS) + SLACK;
	flooded = lab_counter(lab, port, VXDP_FLOODED).packets - flooded;
	dropped = lab_counter(lab, port, VXDP_DROP_STORM).packets - dropped;
	tap_ok(flooded >= 10 && flooded <= most && flooded + dropped == 100,
	       "storm from %s: held to its limit, and every frame counted", who);
	tap_ok(arrived[LAB_TAP2] == flooded && arrived[LAB_TAP1] == flooded,
	       "storm from %s: nobody gets more of it", who);
	lab_send(lab, from, &single, 100, arrived);
	tap_is(arrived[LAB_TAP1], 100, "storm from %s: frames to known addresses go on", who);
	pause_ns(200 * MS_NS);
	lab_send(lab, from, &spec, 5, arrived);
	tap_is(arrived[LAB_TAP1], 5, "storm from %s: over", who);
}

int main(int argc, char **argv)
{
	struct lab lab;

	tap_plan(23);
	lab_open(&lab, VXDP_XDP_NATIVE);
	test_limit(&lab);
	test_flapping(&lab);
	test_raises(&lab);
	test_ageing(&lab);
	test_sweep(&lab);
	test_storm(&lab, LAB_TAP0, LAB_PORT(0), guest0, "a guest");
	test_storm(&lab, LAB_AT_WIRE, VXDP_PORT_UPLINK, station, "the wire");
	lab_close(&lab);
	return tap_exit();
}
