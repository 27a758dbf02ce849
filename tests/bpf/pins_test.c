// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pins_test - ports and their ids, a predecessor's maps, and that nothing leaks.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

static const uint8_t guest0[6] = GUEST0, guest1[6] = GUEST1, station[6] = STATION;

static void known_addresses(struct lab *lab)
{
	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	lab_fdb_add(lab, guest0, 0, LAB_PORT(0), 0);
	lab_fdb_add(lab, guest1, 0, LAB_PORT(1), 0);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
}

static void test_ports(struct lab *lab)
{
	struct vxdp_port port, gone = {.name = "vm1"};
	uint32_t id = 0, again = 0;

	known_addresses(lab);
	tap_is(READ_ONCE(lab->pins->mapped_config->n_ports_end), LAB_PORT(LAB_TAPS),
	       "ports: the flood loop ends behind the last one");
	tap_ok(!vxdp_port_id(lab->pins, "new", &id) && id == LAB_PORT(LAB_TAPS),
	       "ports: a new name gets an id nobody had");
	vxdp_port_set(lab->pins, LAB_PORT(1), &gone);
	tap_ok(!vxdp_port_id(lab->pins, "vm1", &again) && again == LAB_PORT(1),
	       "ports: a name gets the id it had");
	tap_is(lab_fdb_port(lab, guest1, 0), LAB_PORT(1), "ports: and with it what was learnt");
	vxdp_queue_owner_set(lab->pins, 0, LAB_PORT(1), 12);
	vxdp_port_clear(lab->pins, LAB_PORT(1));
	tap_ok(vxdp_port_get(lab->pins, LAB_PORT(1), &port) == -ENOENT && !port.name[0],
	       "ports: a cleared port has neither netdev nor name");
	tap_is(lab_fdb_port(lab, guest1, 0), VXDP_PORT_NONE, "ports: nor addresses");
	tap_is(lab_counted(lab, LAB_PORT(1)), 0, "ports: nor counters");
	for (unsigned int i = 0; i < LAB_TAPS; i++)
		lab_port_reset(lab, i, 0);
}

/* A port with an id for each that can be had, all absent: the next name takes one over. */
static void test_ids_run_out(struct lab *lab)
{
	struct vxdp_port port = {.name = "absent"};
	uint32_t id;

	for (uint32_t i = LAB_PORT(LAB_TAPS); i < VXDP_PORTS_MAX; i++)
		vxdp_port_set(lab->pins, i, &port);
	lab_fdb_add(lab, station, 9, LAB_PORT(LAB_TAPS), 0);
	tap_ok(!vxdp_port_id(lab->pins, "new", &id) && id == LAB_PORT(LAB_TAPS),
	       "ids: an absent port's is taken over when all are named");
	tap_is(lab_fdb_port(lab, station, 9), VXDP_PORT_NONE, "ids: without its addresses");
	port.ifindex = lab->end[0].ifindex;
	for (uint32_t i = LAB_PORT(LAB_TAPS); i < VXDP_PORTS_MAX; i++)
		vxdp_port_set(lab->pins, i, &port);
	tap_is(vxdp_port_id(lab->pins, "new", &id), -ENOSPC, "ids: none is left");
	for (uint32_t i = LAB_PORT(LAB_TAPS); i < VXDP_PORTS_MAX; i++)
		vxdp_port_clear(lab->pins, i);
	for (unsigned int i = 0; i < LAB_TAPS; i++)
		lab_port_reset(lab, i, 0);
}

/* A child does what a vxdp does that is killed; this process is its successor. */
static void be_killed(void)
{
	struct vxdp_bpf_opts opts = {.nic = LAB_NIC};
	struct vxdp_port port = {.ifindex = 4242,
				 .kind = VXDP_KIND_VM,
				 .flags = VXDP_PORT_UP | VXDP_PORT_DIRECT,
				 .name = "vm7"};
	struct vxdp_fdb_key key = {.mac = GUEST0};
	const struct vxdp_pins *pins;
	struct vxdp_bpf *bpf;

	if (vxdp_bpf_open(&opts, &bpf, NULL))
		_exit(1);
	pins = vxdp_bpf_pins(bpf);
	if (vxdp_port_set(pins, 7, &port) || vxdp_fdb_set(pins, &key, 7, 0) ||
	    vxdp_queue_owner_set(pins, 0, 7, 12))
		_exit(2);
	raise(SIGKILL);
}

static int killed_predecessor(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		be_killed();
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 0 : WEXITSTATUS(status);
}

static void test_adoption(void)
{
	struct vxdp_bpf_opts opts = {.nic = LAB_NIC};
	struct vx_error error = {0};
	const struct vxdp_pins *pins;
	struct vxdp_queue queue;
	struct vxdp_pins before;
	struct vxdp_port port;
	struct lab lab = {0};
	uint32_t id = 0, zero = 0;
	struct vxdp_bpf *bpf;
	uint64_t generation;

	lab_isolate();
	if (killed_predecessor())
		tap_bail("the predecessor did not get as far as being killed");
	tap_ok(!vxdp_pins_open(LAB_NIC, false, &before, &error),
	       "adoption: a killed vxdp's maps can be looked at");
	tap_ok(vxdp_port_flags(&before, 7, 0, 0) < 0, "adoption: but not changed by a looker-on");
	generation = READ_ONCE(before.mapped_config->generation);
	if (vxdp_bpf_open(&opts, &bpf, &error))
		tap_bail("successor: %s", error.message);
	pins = vxdp_bpf_pins(bpf);
	lab.pins = pins;
	tap_is(lab_fdb_port(&lab, guest0, 0), 7, "adoption: addresses are still known");
	tap_ok(vxdp_port_get(pins, 7, &port) == -ENOENT && !port.flags && !strcmp(port.name, "vm7"),
	       "adoption: a port keeps its name, and is down without a netdev");
	tap_ok(!vxdp_port_id(pins, "vm7", &id) && id == 7, "adoption: and its id");
	tap_ok(!bpf_map_lookup_elem(pins->queues, &zero, &queue) && queue.owner == VXDP_PORT_NONE,
	       "adoption: its queues are nobody's");
	tap_ok(READ_ONCE(pins->mapped_config->generation) > generation,
	       "adoption: flow caches look again");
	tap_ok(READ_ONCE(before.mapped_config->generation) ==
		       READ_ONCE(pins->mapped_config->generation),
	       "adoption: the maps are the same ones");
	vxdp_pins_close(&before);
	vxdp_bpf_close(&bpf);
	tap_is(vxdp_pins_open(LAB_NIC, false, &before, &error), -ENOENT,
	       "adoption: nothing is pinned after the end");
}

static void test_other_layout(void)
{
	struct vxdp_bpf_opts opts = {.nic = LAB_NIC};
	struct vx_error error = {0};
	struct vxdp_pins before;
	struct lab lab = {0};
	struct vxdp_bpf *bpf;

	lab_isolate();
	if (killed_predecessor() || vxdp_pins_open(LAB_NIC, true, &before, &error))
		tap_bail("no predecessor: %s", error.message);
	before.mapped_config->abi_version = VXDP_ABI_VERSION + 1;
	vxdp_pins_close(&before);
	tap_is(vxdp_pins_open(LAB_NIC, false, &before, &error), -EPROTO,
	       "layout: another version's maps are not read");
	if (vxdp_bpf_open(&opts, &bpf, &error))
		tap_bail("successor: %s", error.message);
	lab.pins = vxdp_bpf_pins(bpf);
	tap_is(lab_fdb_port(&lab, guest0, 0), VXDP_PORT_NONE, "layout: they are replaced");
	vxdp_bpf_close(&bpf);
}

static unsigned int n_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_leaks(void)
{
	struct vxdp_bpf_opts opts = {.nic = LAB_NIC};
	unsigned int before = n_descriptors();
	struct vx_error error = {0};
	struct vxdp_bpf *bpf;

	lab_isolate();
	lab_run("ip tuntap add tap9 mode tap && ip link set tap9 up");
	for (int i = 0; i < 10; i++) {
		if (vxdp_bpf_open(&opts, &bpf, &error))
			tap_bail("%s", error.message);
		if (vxdp_bpf_tap_attach(bpf, if_nametoindex("tap9"), &error))
			tap_bail("%s", error.message);
		vxdp_bpf_tap_detach(if_nametoindex("tap9"));
		vxdp_bpf_close(&bpf);
	}
	tap_is(n_descriptors(), before, "leaks: ten attachments leave no descriptor");
	opts.nic = "no-such-nic";
	tap_ok(vxdp_bpf_open(&opts, &bpf, &error) == -ENODEV && n_descriptors() == before,
	       "leaks: nor does one that fails");
}

int main(int argc, char **argv)
{
	struct lab lab;

	tap_plan(23);
	lab_open(&lab, VXDP_XDP_NATIVE);
	test_ports(&lab);
	test_ids_run_out(&lab);
	lab_close(&lab);
	test_adoption();
	test_other_layout();
	test_leaks();
	return tap_exit();
}
