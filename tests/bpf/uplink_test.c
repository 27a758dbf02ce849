// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uplink_test - a switch with two NICs, on two wires and on one, and with none: each frame arrives
 * where it should, once, nothing goes round, and addresses are followed from wire to wire.
 *
 *	wire0 <-> nic0 [1, host 2]     tap0..2 [3..5]     nic1 [6, host 7] <-> wire1
 *
 * On one wire, wire0 and wire1 are ports of a bridge, and a station is behind a third.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define FRAMES	  20
#define SETTLE_MS 100
#define VNET	  10 /* bytes of header on a tap */

#define ETH_P_ALL_  0x0003
#define ETH_P_RARP_ 0x8035

/* The ends of lab.h, and those of the second NIC. */
enum { AT_WIRE1 = LAB_ENDS, AT_HOST1, AT_STATION, ENDS };

#define T0 (1u << LAB_TAP0)
#define T1 (1u << LAB_TAP1)
#define T2 (1u << LAB_TAP2)
#define W0 (1u << LAB_AT_WIRE)
#define H0 (1u << LAB_AT_HOST)
#define W1 (1u << AT_WIRE1)
#define H1 (1u << AT_HOST1)
#define ST (1u << AT_STATION)

static const uint8_t guest0[6] = GUEST0;
static const uint8_t guest1[6] = GUEST1;
static const uint8_t guest2[6] = GUEST2;
static const uint8_t station0[6] = STATION;
static const uint8_t station1[6] = MAC(0x21);
static const uint8_t stranger[6] = MAC(0x40);
static const uint8_t broadcast[6] = BROADCAST;
static const uint8_t link_local[6] = LINK_LOCAL;
static const uint8_t host0[6] = HOST;
static const uint8_t host1[6] = {0x02, 0, 0, 0, 0, 0x11};

static struct lab lab;
static int fds[ENDS];
static uint32_t up1, up1_host;
static unsigned int slot1;
static uint32_t last_tag;
static unsigned int arrived[ENDS];

static int packet_socket(const char *netdev, uint16_t protocol)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(protocol),
				      .sll_ifindex = (int)if_nametoindex(netdev)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		tap_bail("cannot listen on %s: %s", netdev, strerror(errno));
	return fd;
}

static void send_raw(unsigned int from, const uint8_t dst[6], const uint8_t src[6],
		     uint16_t ethertype)
{
	uint8_t buffer[VNET + PACKET_MAX] = {0};
	struct packet_spec spec = {.tag = last_tag};
	size_t skip = from < LAB_AT_WIRE ? VNET : 0;
	struct packet packet;

	memcpy(spec.dst, dst, 6);
	memcpy(spec.src, src, 6);
	packet_build(&spec, &packet);
	memcpy(buffer + skip, packet.data, packet.bytes);
	if (ethertype) {
		buffer[skip + 12] = (uint8_t)(ethertype >> 8);
		buffer[skip + 13] = (uint8_t)ethertype;
	}
	if (skip ? write(fds[from], buffer, skip + packet.bytes) < 0
		 : send(fds[from], buffer, packet.bytes, 0) < 0)
		tap_diag("sending from end %u: %s", from, strerror(errno));
}

static void collect(void)
{
	uint8_t buffer[VNET + PACKET_MAX];
	struct pollfd polled[ENDS];

	for (int i = 0; i < ENDS; i++)
		polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	memset(arrived, 0, sizeof(arrived));
	while (poll(polled, ENDS, SETTLE_MS) > 0) {
		for (unsigned int i = 0; i < ENDS; i++) {
			size_t skip = i < LAB_AT_WIRE ? VNET : 0;
			ssize_t n;

			while (fds[i] >= 0 && (n = read(fds[i], buffer, sizeof(buffer))) > 0)
				if ((size_t)n > skip &&
				    packet_tag(buffer + skip, (size_t)n - skip) == last_tag)
					arrived[i]++;
		}
	}
}

/* One row: who gets FRAMES frames, and (twice) who gets 2 * FRAMES; all others none. */
static void expect(const char *text, unsigned int from, const uint8_t dst[6], const uint8_t src[6],
		   uint32_t in_port, enum vxdp_verdict verdict, unsigned int to, unsigned int twice)
{
	uint64_t before = lab_counter(&lab, in_port, verdict).packets, counted;
	bool good = true;

	last_tag++;
	for (int i = 0; i < FRAMES; i++)
		send_raw(from, dst, src, 0);
	collect();
	for (unsigned int i = 0; i < ENDS; i++) {
		unsigned int wanted = twice >> i & 1 ? 2 * FRAMES : to >> i & 1 ? FRAMES : 0;

		if (arrived[i] == wanted || (fds[AT_STATION] >= 0 && (W0 | W1) >> i & 1))
			continue;
		tap_diag("%u frames arrived at end %u, wanted %u", arrived[i], i, wanted);
		good = false;
	}
	counted = lab_counter(&lab, in_port, verdict).packets - before;
	if (counted != FRAMES) {
		tap_diag("%llu frames counted with the verdict", (unsigned long long)counted);
		good = false;
	}
	tap_ok(good, "%s", text);
}

static void pause_ms(unsigned int ms)
{
	const struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static void teach(void)
{
	vxdp_fdb_flush(lab.pins, VXDP_PORT_NONE, true);
	lab_fdb_add(&lab, guest0, 0, LAB_PORT(0), 0);
	lab_fdb_add(&lab, guest1, 0, LAB_PORT(1), 0);
	lab_fdb_add(&lab, guest2, 0, LAB_PORT(2), 0);
	lab_fdb_add(&lab, station0, 0, VXDP_PORT_UPLINK, 0);
	if (up1)
		lab_fdb_add(&lab, station1, 0, up1, 0);
}

static void open_second(bool one_wire)
{
	struct vxdp_bpf_opts opts = {.nic = "nic1"};
	struct vx_error error = {0};

	lab_open(&lab, VXDP_XDP_NATIVE);
	lab_run("ip link add nic1 address 02:00:00:00:00:11 type veth peer name wire1");
	lab_run("ethtool -K wire1 tx off txvlan off gro on >/dev/null");
	lab_run("ip link set nic1 up && ip link set wire1 up");
	for (int i = 0; i < LAB_ENDS; i++)
		fds[i] = lab.end[i].fd;
	fds[AT_WIRE1] = packet_socket("wire1", ETH_P_ALL_);
	fds[AT_HOST1] = packet_socket("nic1", PACKET_ETHERTYPE);
	fds[AT_STATION] = -1;
	if (one_wire) {
		lab_run("ip link add br0 type bridge stp_state 0 mcast_snooping 0 && "
			"ip link add st0 type veth peer name st1");
		lab_run("for i in wire0 wire1 st0; do ip link set $i master br0; done");
		lab_run("ip link set st0 up && ip link set st1 up && ip link set br0 up");
		fds[AT_STATION] = packet_socket("st1", PACKET_ETHERTYPE);
	}
	if (vxdp_bpf_uplink_add(lab.bpf, &opts, &slot1, &error))
		tap_bail("second uplink: %s", error.message);
	up1 = vxdp_bpf_uplink(lab.bpf, slot1)->port;
	up1_host = vxdp_bpf_uplink(lab.bpf, slot1)->host_port;
	/* The bridge's ports may take a moment to forward. */
	pause_ms(one_wire ? 300 : 0);
	teach();
}

static void close_second(void)
{
	lab_close(&lab);
	for (int i = LAB_ENDS; i < ENDS; i++)
		close_fd(&fds[i]);
	up1 = 0;
}

/* ---- Two wires ---- */

static void test_ways(void)
{
	expect("guest to all: the guests, both wires, the host on both NICs", LAB_TAP0, broadcast,
	       guest0, LAB_PORT(0), VXDP_FLOODED, T1 | T2 | W0 | W1 | H0 | H1, 0);
	expect("guest to an unknown address: the guests and both wires", LAB_TAP0, stranger, guest0,
	       LAB_PORT(0), VXDP_FLOODED, T1 | T2 | W0 | W1, 0);
	expect("guest to a station on the first wire", LAB_TAP0, station0, guest0, LAB_PORT(0),
	       VXDP_TO_WIRE, W0, 0);
	expect("guest to a station on the second wire", LAB_TAP0, station1, guest0, LAB_PORT(0),
	       VXDP_TO_WIRE, W1, 0);
	expect("guest to the host by the first NIC", LAB_TAP0, host0, guest0, LAB_PORT(0),
	       VXDP_TO_HOST, H0, 0);
	expect("guest to the host by the second NIC", LAB_TAP0, host1, guest0, LAB_PORT(0),
	       VXDP_TO_HOST, H1, 0);
	expect("guest to guest", LAB_TAP0, guest1, guest0, LAB_PORT(0), VXDP_TO_PORT, T1, 0);
	expect("first wire to all: not to the second", LAB_AT_WIRE, broadcast, station0,
	       VXDP_PORT_UPLINK, VXDP_FLOODED, T0 | T1 | T2 | H0, 0);
	expect("second wire to all: not to the first", AT_WIRE1, broadcast, station1, up1,
	       VXDP_FLOODED, T0 | T1 | T2 | H1, 0);
	expect("second wire to guest", AT_WIRE1, guest0, station1, up1, VXDP_TO_PORT, T0, 0);
	expect("second wire to the host on its NIC", AT_WIRE1, host1, station1, up1, VXDP_TO_HOST,
	       H1, 0);
	expect("wire to an address on the other wire: not forwarded", LAB_AT_WIRE, station1,
	       station0, VXDP_PORT_UPLINK, VXDP_DROP_OTHER_UPLINK, H0, 0);
	expect("wire to the host's address on the other NIC: not forwarded", LAB_AT_WIRE, host1,
	       station0, VXDP_PORT_UPLINK, VXDP_DROP_OTHER_UPLINK, H0, 0);
	expect("host by the second NIC to guest", AT_HOST1, guest0, host1, up1_host, VXDP_TO_PORT,
	       T0, 0);
	expect("host by the second NIC to all: only its own wire", AT_HOST1, broadcast, host1,
	       up1_host, VXDP_FLOODED, T0 | T1 | T2 | W1, 0);
	expect("host to a station elsewhere: by the NIC it chose", AT_HOST1, station0, host1,
	       up1_host, VXDP_TO_WIRE, W1, 0);
}

static void test_moves(void)
{
	teach();
	expect("a station that moves to the second wire", AT_WIRE1, guest0, station0, up1,
	       VXDP_TO_PORT, T0, 0);
	tap_is(lab_fdb_port(&lab, station0, 0), up1, "is learnt there");
	expect("and is reached there", LAB_TAP0, station0, guest0, LAB_PORT(0), VXDP_TO_WIRE, W1,
	       0);
	teach();
	expect("a guest's frame that comes back is dropped", AT_WIRE1, broadcast, guest0, up1,
	       VXDP_DROP_LOOP, 0, 0);
	tap_is(lab_fdb_port(&lab, guest0, 0), LAB_PORT(0), "and moves no address");
	expect("the host's that comes back by its other NIC is its alone", AT_WIRE1, broadcast,
	       host0, up1, VXDP_DROP_LOOP, H1, 0);
	teach();
	last_tag++;
	send_raw(LAB_TAP2, broadcast, guest2, ETH_P_RARP_);
	send_raw(AT_WIRE1, broadcast, guest2, ETH_P_RARP_);
	collect();
	tap_is(lab_fdb_port(&lab, guest2, 0), LAB_PORT(2), "a guest's RARP that comes back, too");
	teach();
	pause_ms(200);
	send_raw(AT_WIRE1, broadcast, guest1, ETH_P_RARP_);
	collect();
	tap_is(lab_fdb_port(&lab, guest1, 0), up1,
	       "a guest that has moved is followed by its RARP");
	pause_ms(1600);
	expect("and one that says nothing after a moment", AT_WIRE1, guest1, guest2, up1,
	       VXDP_DROP_HAIRPIN, H1, 0);
	tap_is(lab_fdb_port(&lab, guest2, 0), up1, "it is learnt on the wire");
}

static void test_standby(void)
{
	teach();
	vxdp_bpf_standby_set(lab.bpf, slot1, true);
	tap_is(lab_fdb_port(&lab, station1, 0), VXDP_PORT_NONE,
	       "standby: what was behind it is forgotten");
	expect("standby: a guest's frame for all goes out by the other", LAB_TAP0, broadcast,
	       guest0, LAB_PORT(0), VXDP_FLOODED, T1 | T2 | W0 | H0 | H1, 0);
	expect("standby: what comes by it is for the host only", AT_WIRE1, broadcast, station1, up1,
	       VXDP_DROP_STANDBY, H1, 0);
	expect("standby: and the host uses it", AT_HOST1, station0, host1, up1_host, VXDP_TO_WIRE,
	       W1, 0);
	vxdp_bpf_standby_set(lab.bpf, slot1, false);
}

static void test_without(void)
{
	teach();
	vxdp_bpf_uplink_del(lab.bpf, slot1);
	up1 = 0;
	expect("without the second: guest to all", LAB_TAP0, broadcast, guest0, LAB_PORT(0),
	       VXDP_FLOODED, T1 | T2 | W0 | H0, 0);
	vxdp_bpf_uplink_del(lab.bpf, 0);
	teach();
	expect("without any: guest to all", LAB_TAP0, broadcast, guest0, LAB_PORT(0), VXDP_FLOODED,
	       T1 | T2, 0);
	expect("without any: guest to guest", LAB_TAP0, guest1, guest0, LAB_PORT(0), VXDP_TO_PORT,
	       T1, 0);
	expect("without any: guest to an unknown address", LAB_TAP0, stranger, guest0, LAB_PORT(0),
	       VXDP_FLOODED, T1 | T2, 0);
	expect("without any: nobody is on the link", LAB_TAP0, link_local, guest0, LAB_PORT(0),
	       VXDP_DROP_NO_PORT, 0, 0);
}

/* ---- One wire ---- */

static void test_one_wire(void)
{
	uint64_t loops = lab_counter(&lab, VXDP_PORT_UPLINK, VXDP_DROP_LOOP).packets +
			 lab_counter(&lab, up1, VXDP_DROP_LOOP).packets;

	expect("one wire, unsaid: guests and host get a guest's frame once, the wire twice",
	       LAB_TAP0, broadcast, guest0, LAB_PORT(0), VXDP_FLOODED, T1 | T2 | H0 | H1, ST);
	loops = lab_counter(&lab, VXDP_PORT_UPLINK, VXDP_DROP_LOOP).packets +
		lab_counter(&lab, up1, VXDP_DROP_LOOP).packets - loops;
	tap_is(loops, 2 * FRAMES, "what came back by both is counted");
	tap_is(lab_fdb_port(&lab, guest0, 0), LAB_PORT(0), "the guest stays where it is");

	vxdp_bpf_standby_set(lab.bpf, slot1, true);
	expect("one wire, said: a guest's frame for all arrives once", LAB_TAP0, broadcast, guest0,
	       LAB_PORT(0), VXDP_FLOODED, T1 | T2 | H0 | H1 | ST, 0);
	expect("a station's frame for all, too", AT_STATION, broadcast, stranger, VXDP_PORT_UPLINK,
	       VXDP_FLOODED, T0 | T1 | T2 | H0 | H1, 0);
	tap_is(lab_fdb_port(&lab, stranger, 0), VXDP_PORT_UPLINK, "and it is learnt once");
	expect("guest to station", LAB_TAP0, stranger, guest0, LAB_PORT(0), VXDP_TO_WIRE, ST, 0);
	expect("station to guest", AT_STATION, guest0, stranger, VXDP_PORT_UPLINK, VXDP_TO_PORT, T0,
	       0);
	vxdp_bpf_standby_set(lab.bpf, 0, true);
	vxdp_bpf_standby_set(lab.bpf, slot1, false);
	expect("the other one takes over", LAB_TAP0, broadcast, guest0, LAB_PORT(0), VXDP_FLOODED,
	       T1 | T2 | H0 | H1 | ST, 0);
	expect("in both directions", AT_STATION, guest0, stranger, up1, VXDP_TO_PORT, T0, 0);
}

int main(int argc, char **argv)
{
	tap_plan(45);
	open_second(false);
	test_ways();
	test_moves();
	test_standby();
	test_without();
	close_second();
	open_second(true);
	test_one_wire();
	close_second();
	return tap_exit();
}
