// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flows_test - frames of flows that TC remembers (bpf/flows.bpf.h): each is counted, and a change
 * is followed by the very next one.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define FRAMES 5

static const uint8_t guest0[6] = GUEST0, guest1[6] = GUEST1, guest2[6] = GUEST2,
		     station[6] = STATION;
static const struct packet_spec to_guest1 = {.dst = GUEST1, .src = GUEST0};

/* Addresses where they belong, and the flow from the first guest to the second well known. */
static void known_flow(struct lab *lab)
{
	unsigned int arrived[LAB_ENDS];

	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	for (unsigned int i = 0; i < LAB_TAPS; i++) {
		lab_port_reset(lab, i, 0);
		lab_policy(lab, LAB_PORT(i), NULL);
	}
	lab_fdb_add(lab, guest0, 0, LAB_PORT(0), 0);
	lab_fdb_add(lab, guest1, 0, LAB_PORT(1), 0);
	lab_fdb_add(lab, guest2, 0, LAB_PORT(2), 0);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
	lab_send(lab, LAB_TAP0, &to_guest1, FRAMES, arrived);
	if (arrived[LAB_TAP1] != FRAMES)
		tap_bail("%u frames arrived before anything was changed", arrived[LAB_TAP1]);
}

/* FRAMES of them: do they arrive at @end alone (LAB_ENDS: nowhere), counted as @verdict? */
static void follows(struct lab *lab, enum lab_end from, const struct packet_spec *spec,
		    enum lab_end end, enum vxdp_verdict verdict, const char *text)
{
	uint64_t before = lab_counter(lab, LAB_PORT(from), verdict).packets;
	unsigned int arrived[LAB_ENDS], at_others = 0;

	lab_send(lab, from, spec, FRAMES, arrived);
	for (int i = 0; i < LAB_ENDS; i++)
		if (i != (int)end)
			at_others += arrived[i];
	if (end < LAB_ENDS)
		tap_diag("%u of %u arrived", arrived[end], FRAMES);
	tap_ok((end == LAB_ENDS || arrived[end] == FRAMES) && !at_others &&
		       lab_counter(lab, LAB_PORT(from), verdict).packets - before == FRAMES,
	       "%s", text);
}

static void test_policy(struct lab *lab)
{
	const struct vxdp_policy isolated = {.flags = VXDP_POLICY_ISOLATED};
	const struct vxdp_policy checked = {.flags = VXDP_POLICY_SPOOF_CHECK};
	const struct vxdp_policy vlan5 = {.vlan_mode = VXDP_VLAN_ACCESS, .pvid = 5};

	known_flow(lab);
	lab_policy(lab, LAB_PORT(0), &isolated);
	follows(lab, LAB_TAP0, &to_guest1, LAB_TAP1, VXDP_TO_PORT, "one of them is isolated");
	lab_policy(lab, LAB_PORT(1), &isolated);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_ISOLATED, "so is the other");
	lab_policy(lab, LAB_PORT(1), NULL);
	follows(lab, LAB_TAP0, &to_guest1, LAB_TAP1, VXDP_TO_PORT, "no more");
	lab_policy(lab, LAB_PORT(0), &checked);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_SPOOFED, "its address is checked");
	vxdp_port_macs_set(lab->pins, LAB_PORT(0), &guest0, 1);
	follows(lab, LAB_TAP0, &to_guest1, LAB_TAP1, VXDP_TO_PORT, "and is allowed");
	vxdp_port_macs_set(lab->pins, LAB_PORT(0), NULL, 0);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_SPOOFED, "and not any more");

	known_flow(lab);
	lab_policy(lab, LAB_PORT(1), &vlan5);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_VLAN_OUT,
		"the receiver goes into a VLAN");
}

static void test_addresses(struct lab *lab)
{
	const struct packet_spec moves = {.dst = STATION, .src = GUEST1};
	const struct packet_spec to_wire = {.dst = STATION, .src = GUEST0};
	unsigned int arrived[LAB_ENDS];

	known_flow(lab);
	lab_send(lab, LAB_TAP2, &moves, 1, arrived);
	follows(lab, LAB_TAP0, &to_guest1, LAB_TAP2, VXDP_TO_PORT, "the receiver moves");
	known_flow(lab);
	vxdp_fdb_flush(lab->pins, VXDP_PORT_UPLINK, false);
	lab_send(lab, LAB_TAP0, &to_wire, FRAMES, arrived);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
	follows(lab, LAB_TAP0, &to_wire, LAB_AT_WIRE, VXDP_TO_WIRE, "a station becomes known");
}

static void test_ports(struct lab *lab)
{
	struct vxdp_port gone = {.name = "gone"};

	known_flow(lab);
	vxdp_port_flags(lab->pins, LAB_PORT(1), 0, VXDP_PORT_UP);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_PORT_DOWN, "the receiver is down");
	vxdp_port_flags(lab->pins, LAB_PORT(1), VXDP_PORT_UP, 0);
	follows(lab, LAB_TAP0, &to_guest1, LAB_TAP1, VXDP_TO_PORT, "and up");
	vxdp_port_set(lab->pins, LAB_PORT(1), &gone);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_NO_PORT, "and not there");
}

/* What is alike in all but where it comes from, or its tag, is another flow. */
static void test_likeness(struct lab *lab)
{
	struct packet_spec tagged = to_guest1;
	unsigned int arrived[LAB_ENDS];

	known_flow(lab);
	follows(lab, LAB_TAP2, &to_guest1, LAB_TAP1, VXDP_TO_PORT,
		"the same addresses from another port: counted there");
	known_flow(lab);
	follows(lab, LAB_TAP1, &to_guest1, LAB_ENDS, VXDP_DROP_HAIRPIN,
		"and from the receiver's own");
	known_flow(lab);
	tagged.vlan[0] = 9;
	lab_send(lab, LAB_TAP0, &tagged, FRAMES, arrived);
	tap_ok(arrived[LAB_TAP1] == FRAMES && arrived[LAB_TAP2] == FRAMES &&
		       arrived[LAB_AT_WIRE] == FRAMES,
	       "with a tag it is unknown there, and flooded");
}

/* The map of that name of the program that the tap has; it is nobody else's. */
static int program_map(struct lab *lab, const char *name, struct bpf_map_info *info)
{
	int prog = bpf_prog_get_fd_by_id(vxdp_bpf_tap_program(lab->end[LAB_TAP0].ifindex));
	uint32_t ids[64], bytes;
	struct bpf_prog_info of = {.nr_map_ids = ARRAY_SIZE(ids), .map_ids = (uintptr_t)ids};

	bytes = sizeof(of);
	if (prog < 0 || bpf_obj_get_info_by_fd(prog, &of, &bytes))
		tap_bail("nothing is known of the tap's program");
	close(prog);
	for (uint32_t i = 0; i < of.nr_map_ids && i < ARRAY_SIZE(ids); i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		bytes = sizeof(*info);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, info, &bytes) &&
		    !strcmp(info->name, name))
			return fd;
		close(fd);
	}
	tap_bail("the tap's program has no map %s", name);
	return -1;
}

/* How many places in it have ever been used, by any CPU. */
static unsigned int used_places(int fd, const struct bpf_map_info *info)
{
	size_t bytes = (size_t)info->value_size * libbpf_num_possible_cpus();
	char *values = malloc(bytes), *zeros = calloc(1, bytes);
	unsigned int n = 0;

	for (uint32_t i = 0; values && zeros && i < info->max_entries; i++)
		n += !bpf_map_lookup_elem(fd, &i, values) && memcmp(values, zeros, bytes);
	free(values);
	free(zeros);
	return n;
}

/* As guests have them that were made one after the other: they must not be in each other's place.
 */
static void test_alike_addresses(struct lab *lab)
{
	static const struct packet_spec flows[] = {
		{.dst = GUEST1, .src = GUEST0}, {.dst = GUEST0, .src = GUEST1},
		{.dst = GUEST2, .src = GUEST0}, {.dst = GUEST0, .src = GUEST2},
		{.dst = GUEST2, .src = GUEST1}, {.dst = GUEST1, .src = GUEST2},
	};
	static const enum lab_end from[] = {LAB_TAP0, LAB_TAP1, LAB_TAP0,
					    LAB_TAP2, LAB_TAP1, LAB_TAP2};
	unsigned int arrived[LAB_ENDS];
	struct bpf_map_info info = {};
	int fd = program_map(lab, "tc_flows", &info);

	known_flow(lab);
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++)
		lab_send(lab, from[i], &flows[i], 1, arrived);
	tap_is(used_places(fd, &info), ARRAY_SIZE(flows), "addresses alike but for the last byte");
	close(fd);
}

/* The redirect's target goes without a word to anybody: the frames are counted as lost. */
static void test_tap_goes(struct lab *lab)
{
	char name[IF_NAMESIZE];

	known_flow(lab);
	if (!if_indextoname(lab->end[LAB_TAP1].ifindex, name))
		tap_bail("no tap");
	close(lab->end[LAB_TAP1].fd);
	lab->end[LAB_TAP1].fd = -1;
	if (if_nametoindex(name))
		lab_run("ip link del %s", name);
	follows(lab, LAB_TAP0, &to_guest1, LAB_ENDS, VXDP_DROP_NO_PORT, "its tap has gone");
}

int main(int argc, char **argv)
{
	struct lab lab;

	tap_plan(17);
	lab_open(&lab, VXDP_XDP_NATIVE);
	test_alike_addresses(&lab); /* first, while the map is empty */
	test_policy(&lab);
	test_addresses(&lab);
	test_ports(&lab);
	test_likeness(&lab);
	test_tap_goes(&lab);
	lab_close(&lab);
	return tap_exit();
}
