/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_test.c - which lane a guest's frame takes. The FDB is two addresses of the test's own; how
 * the real one answers is tested in tests/bpf.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "loader/flow.h"

#define GUEST_PORT 7
#define SECOND_NS  1000000000ULL

static const uint8_t guest[6] = {0x52, 0x54, 0, 0, 0, 1}, wire[6] = {2, 0, 0, 0, 0, 2};
static struct vxdp_config config;
static struct vxdp_policy policies[VXDP_PORTS_MAX];
static const struct vxdp_pins pins = {.mapped_config = &config, .mapped_policies = policies};
static bool source_is_allowed;
static uint16_t guest_is_at, wire_is_at, known_vlan;
static unsigned int lookups, refreshes;

int vxdp_fdb_get(const struct vxdp_pins *p, const struct vxdp_fdb_key *key,
		 struct vxdp_fdb_entry *entry)
{
	lookups++;
	if (key->vlan != known_vlan)
		return -ENOENT;
	*entry = (struct vxdp_fdb_entry){0};
	if (!memcmp(key->mac, guest, 6))
		entry->port = guest_is_at;
	else if (!memcmp(key->mac, wire, 6))
		entry->port = wire_is_at;
	return entry->port ? 0 : -ENOENT;
}

int vxdp_fdb_refresh(const struct vxdp_pins *p, const struct vxdp_fdb_key *key, uint16_t port)
{
	assert_memory_equal(key->mac, guest, 6);
	assert_int_equal(port, GUEST_PORT);
	refreshes++;
	return 0;
}

bool vxdp_port_mac_allowed(const struct vxdp_pins *p, uint32_t port, const uint8_t mac[6])
{
	assert_memory_equal(mac, guest, 6);
	assert_int_equal(port, GUEST_PORT);
	return source_is_allowed;
}

static struct flow_cache cache;
static struct flow_tables tables;
static uint64_t now_ns;
static uint16_t port; /* of the last answer */
static bool stays;    /* it was the answer all the time */

static int setup(void **state)
{
	memset(&cache, 0, sizeof(cache));
	memset(policies, 0, sizeof(policies));
	source_is_allowed = true;
	config.generation = 1;
	guest_is_at = GUEST_PORT;
	wire_is_at = VXDP_PORT_UPLINK;
	known_vlan = 0;
	lookups = refreshes = 0;
	now_ns = 100 * SECOND_NS;
	tables = (struct flow_tables){.pins = &pins, .port_id = GUEST_PORT, .tcp_kernel = true};
	return 0;
}

/* What a worker does with a frame, but for the lanes themselves. */
static enum flow_lane flow_lane(const uint8_t *frame, size_t bytes)
{
	struct flow_key key = flow_key_of(frame, bytes, tables.port_id);
	uint32_t generation = flow_generation(&tables);
	struct flow_entry *e = flow_find(&cache, &key, generation, now_ns);

	stays = true;
	if (!e)
		e = flow_look_up(&cache, &tables, &key, generation, now_ns, &stays);
	assert_ptr_equal(flow_find(&cache, &key, generation, now_ns), e);
	port = e->port;
	if (e->lane == FLOW_DIRECT && tables.tcp_kernel && flow_is_tcp_or_unclear(frame, bytes))
		return FLOW_KERNEL;
	return e->lane;
}

/* A frame from the guest to the wire: @type and what follows the Ethernet header. */
static enum flow_lane lane(uint16_t type, const uint8_t *l3, size_t l3_bytes)
{
	uint8_t frame[FLOW_PEEK_BYTES] = {0};

	memcpy(frame, wire, 6);
	memcpy(frame + 6, guest, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	if (l3_bytes)
		memcpy(frame + 14, l3, l3_bytes);
	return flow_lane(frame, 14 + l3_bytes);
}

static enum flow_lane ipv4(uint8_t protocol, uint16_t fragment)
{
	uint8_t ip[20] = {0x45, [6] = (uint8_t)(fragment >> 8), (uint8_t)fragment, [9] = protocol};

	return lane(0x0800, ip, sizeof(ip));
}

/* IPv6 with extension headers of 8 bytes each, and what the last one says comes next. */
static enum flow_lane ipv6(const uint8_t *chain, unsigned int n)
{
	uint8_t ip[40 + 8 * 8] = {0x60, [6] = chain[0]};

	for (unsigned int i = 1; i < n; i++)
		ip[40 + 8 * (i - 1)] = chain[i];
	return lane(0x86dd, ip, 40 + 8 * (n - 1));
}

static void udp_goes_direct_and_tcp_does_not(void **state)
{
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(ipv4(6, 0), FLOW_KERNEL);
	tables.tcp_kernel = false;
	assert_int_equal(ipv4(6, 0), FLOW_DIRECT);
}

static void fragments_go_with_their_flow(void **state)
{
	assert_int_equal(ipv4(17, 0x2000), FLOW_DIRECT);
	assert_int_equal(ipv4(17, 0x00b9), FLOW_DIRECT);
	assert_int_equal(ipv4(6, 0x00b9), FLOW_KERNEL);
}

static void ipv6_headers_are_walked(void **state)
{
	assert_int_equal(ipv6((const uint8_t[]){17}, 1), FLOW_DIRECT);
	assert_int_equal(ipv6((const uint8_t[]){6}, 1), FLOW_KERNEL);
	assert_int_equal(ipv6((const uint8_t[]){0, 17}, 2), FLOW_DIRECT);
	assert_int_equal(ipv6((const uint8_t[]){0, 43, 44, 6}, 4), FLOW_KERNEL);
	assert_int_equal(ipv6((const uint8_t[]){44, 17}, 2), FLOW_DIRECT);
	/* what only the first fragment shows, or nobody: on the safe side */
	assert_int_equal(ipv6((const uint8_t[]){60, 17}, 2), FLOW_KERNEL);
	assert_int_equal(ipv6((const uint8_t[]){0, 0, 0, 0, 0, 17}, 6), FLOW_KERNEL);
	assert_int_equal(lane(0x86dd, (const uint8_t[]){0x60}, 1), FLOW_KERNEL);
}

static void both_addresses_have_to_be_known(void **state)
{
	wire_is_at = 0;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	wire_is_at = VXDP_PORT_UPLINK;
	guest_is_at = 0;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	guest_is_at = GUEST_PORT + 1; /* it moved away, or somebody borrows its address */
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	assert_int_equal(refreshes, 0);
}

static void the_host_is_the_programs_business(void **state)
{
	wire_is_at = VXDP_PORT_HOST;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	wire_is_at = GUEST_PORT; /* back to where it came from: they count that */
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
}

/* TCP and all, whatever lane the wire has for it. */
static void other_guests_are_reached_in_their_own_lane(void **state)
{
	wire_is_at = GUEST_PORT + 1;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_int_equal(port, GUEST_PORT + 1);
	assert_int_equal(ipv4(6, 0), FLOW_GUEST);
	policies[GUEST_PORT].flags = policies[GUEST_PORT + 1].flags = VXDP_POLICY_ISOLATED;
	config.generation++;
	assert_int_equal(ipv4(6, 0), FLOW_KERNEL);
	assert_false(stays);
}

/* Whoever sends needs to know whether older frames of the flow may be elsewhere. */
static void a_change_of_lane_is_told(void **state)
{
	wire_is_at = GUEST_PORT + 1;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_false(stays);
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_true(stays);
	now_ns += 2 * SECOND_NS;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_true(stays);
	wire_is_at = GUEST_PORT + 2;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_false(stays);
	guest_is_at = 0;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	guest_is_at = GUEST_PORT;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_GUEST);
	assert_false(stays);
}

/* As many flows as a busy host has are remembered, all at once. */
static void a_thousand_flows_fit(void **state)
{
	unsigned int first, again;
	uint8_t frame[60] = {0};

	wire_is_at = GUEST_PORT + 1;
	for (int round = 0; round < 2; round++) {
		for (unsigned int vid = 1; vid <= 1000; vid++) {
			memcpy(frame, wire, 6);
			memcpy(frame + 6, guest, 6);
			frame[12] = 0x81;
			frame[14] = (uint8_t)(vid >> 8);
			frame[15] = (uint8_t)vid;
			known_vlan = (uint16_t)vid;
			assert_int_equal(flow_lane(frame, sizeof(frame)), FLOW_GUEST);
		}
		first = round ? first : lookups;
	}
	again = lookups - first;
	assert_int_equal(first, 2000);
	assert_in_range(again, 0, 200);
}

static void broadcast_is_never_looked_up(void **state)
{
	uint8_t frame[64];

	memset(frame, 0xff, 6);
	memcpy(frame + 6, guest, 6);
	memset(frame + 12, 0, sizeof(frame) - 12);
	assert_int_equal(flow_lane(frame, sizeof(frame)), FLOW_KERNEL);
	assert_int_equal(lookups, 0);
}

static void the_cache_answers_until_something_changes(void **state)
{
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(lookups, 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(lookups, 2);
	wire_is_at = VXDP_PORT_HOST;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
}

/* The programs do not see these frames: the guest's address must not age away meanwhile. */
static void a_live_flow_refreshes_its_source(void **state)
{
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(refreshes, 1);
	now_ns += SECOND_NS / 2;
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(refreshes, 1);
	now_ns += SECOND_NS;
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(refreshes, 2);
}

static void vlans_are_networks_of_their_own(void **state)
{
	/* tag 5, then IPv4 and UDP */
	uint8_t tagged[24] = {0x00, 0x05, 0x08, 0x00, 0x45, [4 + 9] = 17};

	assert_int_equal(lane(0x8100, tagged, sizeof(tagged)), FLOW_KERNEL);
	known_vlan = 5;
	config.generation++;
	assert_int_equal(lane(0x8100, tagged, sizeof(tagged)), FLOW_DIRECT);
	assert_int_equal(lane(0x88a8, tagged, sizeof(tagged)), FLOW_DIRECT);
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	tagged[4 + 9] = 6;
	assert_int_equal(lane(0x8100, tagged, sizeof(tagged)), FLOW_KERNEL);
}

static void frames_that_need_another_tag_go_to_the_programs(void **state)
{
	struct vxdp_policy *in = &policies[GUEST_PORT], *out = &policies[VXDP_PORT_UPLINK];
	uint8_t priority[24] = {0x60, 0x00, 0x08, 0x00, 0x45, [4 + 9] = 17};

	in->vlan_mode = VXDP_VLAN_ACCESS;
	in->pvid = known_vlan = 5;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL); /* the wire wants a tag */
	*out = *in;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	assert_int_equal(lane(0x8100, priority, sizeof(priority)), FLOW_KERNEL);
	out->pvid = 6;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
}

static void trunks_carry_their_vlans_as_they_are(void **state)
{
	struct vxdp_policy *in = &policies[GUEST_PORT];
	uint8_t tagged[24] = {0x00, 0x45, 0x08, 0x00, 0x45, [4 + 9] = 17};

	*in = (struct vxdp_policy){.vlan_mode = VXDP_VLAN_TRUNK, .pvid = VXDP_VLAN_NONE};
	known_vlan = 0x45;
	assert_int_equal(lane(0x8100, tagged, sizeof(tagged)), FLOW_KERNEL);
	in->vlans[0x45 / 64] = 1ULL << 0x45 % 64;
	config.generation++;
	assert_int_equal(lane(0x8100, tagged, sizeof(tagged)), FLOW_DIRECT);
	known_vlan = 0;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
}

static void forbidden_frames_go_to_the_programs(void **state)
{
	struct vxdp_policy *in = &policies[GUEST_PORT];

	in->flags = VXDP_POLICY_SPOOF_CHECK;
	assert_int_equal(ipv4(17, 0), FLOW_DIRECT);
	source_is_allowed = false;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
	in->flags = policies[VXDP_PORT_UPLINK].flags = VXDP_POLICY_ISOLATED;
	config.generation++;
	assert_int_equal(ipv4(17, 0), FLOW_KERNEL);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(udp_goes_direct_and_tcp_does_not),
		TEST(fragments_go_with_their_flow),
		TEST(ipv6_headers_are_walked),
		TEST(both_addresses_have_to_be_known),
		TEST(the_host_is_the_programs_business),
		TEST(other_guests_are_reached_in_their_own_lane),
		TEST(a_change_of_lane_is_told),
		TEST(a_thousand_flows_fit),
		TEST(broadcast_is_never_looked_up),
		TEST(the_cache_answers_until_something_changes),
		TEST(a_live_flow_refreshes_its_source),
		TEST(vlans_are_networks_of_their_own),
		TEST(frames_that_need_another_tag_go_to_the_programs),
		TEST(trunks_carry_their_vlans_as_they_are),
		TEST(forbidden_frames_go_to_the_programs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
