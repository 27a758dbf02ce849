/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab.h - a switch to test: a network and a mount namespace of the test's own, a wire, and taps in
 * the place of guests.
 *
 *	wire0 <-veth-> nic0 [uplink]     tap0 [port 3]  tap1 [port 4]  tap2 [port 5]
 *
 * All of it goes with the process. Frames are PACKET_ETHERTYPE, so no stack answers them; a packet
 * socket of that type on nic0 stands for the host's stack, as it gets what TC has let through.
 */
#ifndef VXDP_TESTS_BPF_LAB_H
#define VXDP_TESTS_BPF_LAB_H

#include <stdbool.h>

#include "loader/bpf.h"
#include "packet.h"

#define LAB_NIC	 "nic0"
#define LAB_WIRE "wire0"
#define LAB_TAPS 3

#define LAB_PORT(i) (VXDP_PORT_FIRST + (i))

/* Where frames come from and arrive: taps first, as their ports. */
enum lab_end { LAB_TAP0, LAB_TAP1, LAB_TAP2, LAB_AT_WIRE, LAB_AT_HOST, LAB_ENDS };

struct lab {
	struct vxdp_bpf *bpf;
	const struct vxdp_pins *pins;
	unsigned int nic_ifindex;
	uint8_t host_mac[6];
	struct {
		int fd;
		unsigned int ifindex;
	} end[LAB_ENDS];
	uint32_t last_tag;
	/* Of what arrived last: LAB_VLAN_TAGGED | TCI, or 0. At the host only if it is in a VLAN.
	 */
	uint32_t vlan_tag[LAB_ENDS];
};

#define LAB_VLAN_TAGGED 0x10000u

/** lab_open() - build it, or bail out; @mode of XDP */
void lab_open(struct lab *lab, enum vxdp_xdp_mode mode);

/** lab_isolate() - only the namespaces and the wire, without vxdp */
void lab_isolate(void);

void lab_close(struct lab *lab);

/** lab_run() - run a shell command, bail out if it fails */
void lab_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** lab_port_reset() - port of tap @i, as it was after lab_open(), with more or other flags */
void lab_port_reset(struct lab *lab, unsigned int i, uint16_t flags);

/** lab_policy() - what port @id is allowed; NULL: everything */
void lab_policy(struct lab *lab, uint32_t id, const struct vxdp_policy *policy);

/** lab_send() - send @n frames like @spec from an end, then count what arrives where */
void lab_send(struct lab *lab, enum lab_end from, const struct packet_spec *spec, unsigned int n,
	      unsigned int arrived[LAB_ENDS]);

/** lab_counter() - one verdict of a port now */
struct vxdp_counter lab_counter(const struct lab *lab, uint32_t port, enum vxdp_verdict verdict);

/** lab_counted() - packets of all verdicts of a port now */
uint64_t lab_counted(const struct lab *lab, uint32_t port);

/** lab_fdb_port() - port an address is behind, VXDP_PORT_NONE if not known */
uint32_t lab_fdb_port(const struct lab *lab, const uint8_t mac[6], uint16_t vlan);

/** lab_fdb_add() - put an address into the FDB */
void lab_fdb_add(const struct lab *lab, const uint8_t mac[6], uint16_t vlan, uint32_t port,
		 uint16_t flags);

#endif /* VXDP_TESTS_BPF_LAB_H */
