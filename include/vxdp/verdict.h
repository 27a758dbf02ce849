/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * verdict.h - every fate a frame can meet, in one list.
 *
 * The BPF programs and the user-space lanes count each frame exactly once, under the port it came
 * in from (guest TX, wire RX) or, for the "rx_" reasons, under the port it was meant for. The
 * names are what `vxdp stats`, `vxdp dump` and `bpftool map dump` print.
 *
 *   V(NAME, name, is_drop, "text for people")
 *
 * New entries go to the end of their half: the order is the layout of struct vxdp_port_stats.
 */
#ifndef VXDP_VERDICT_H
#define VXDP_VERDICT_H

#define VXDP_VERDICTS(V)                                                                           \
	/* forwarded */                                                                            \
	V(TO_DIRECT, to_direct, 0, "to the guest's memory through AF_XDP")                         \
	V(TO_PORT, to_port, 0, "to another port's tap")                                            \
	V(TO_WIRE, to_wire, 0, "out of the uplink")                                                \
	V(TO_HOST, to_host, 0, "to the host's own stack")                                          \
	V(FLOODED, flooded, 0, "broadcast, multicast or unknown: to all ports")                    \
	V(TO_SHARED, to_shared, 0, "to a guest through vxdp's own AF_XDP memory")                  \
	/* dropped by the BPF programs */                                                          \
	V(DROP_RUNT, drop_runt, 1, "shorter than an Ethernet header")                              \
	V(DROP_BAD_SOURCE, drop_bad_source, 1, "source address is multicast or zero")              \
	V(DROP_HAIRPIN, drop_hairpin, 1, "destination is behind the port it came from")            \
	V(DROP_NO_PORT, drop_no_port, 1, "destination port is gone")                               \
	V(DROP_PORT_DOWN, drop_port_down, 1, "destination guest is not ready")                     \
	V(DROP_REDIRECT, drop_redirect, 1, "the kernel refused the redirect")                      \
	V(DROP_VLAN_IN, drop_vlan_in, 1, "its tag or VLAN is not allowed on the port")             \
	V(DROP_VLAN_OUT, drop_vlan_out, 1, "destination port is not in its VLAN")                  \
	V(DROP_ISOLATED, drop_isolated, 1, "destination port is isolated, as is its own")          \
	V(DROP_SPOOFED, drop_spoofed, 1, "source address is not allowed on the port")              \
	V(DROP_STORM, drop_storm, 1, "port floods more than its storm limit")                      \
	V(DROP_LOOP, drop_loop, 1, "the switch's own frame came back by another uplink")           \
	V(DROP_STANDBY, drop_standby, 1, "came by a standby uplink")                               \
	V(DROP_OTHER_UPLINK, drop_other_uplink, 1, "destination is behind another uplink")         \
	/* dropped by the user-space lanes */                                                      \
	V(DROP_TX_DISABLED, drop_tx_disabled, 1, "guest sent on a ring that is not enabled")       \
	V(DROP_TX_SHORT, drop_tx_short, 1, "guest frame shorter than its headers")                 \
	V(DROP_TX_BIG, drop_tx_big, 1, "guest frame longer than any lane carries")                 \
	V(DROP_TX_OFFLOAD, drop_tx_offload, 1, "guest offload request is wrong or not negotiated") \
	V(DROP_TX_TAP, drop_tx_tap, 1, "the tap refused the guest's frame")                        \
	V(DROP_TX_XSK, drop_tx_xsk, 1, "the NIC's AF_XDP queue refused the guest's frame")         \
	V(DROP_RX_NO_BUFFER, drop_rx_no_buffer, 1, "guest had no receive buffer")                  \
	V(DROP_RX_BIG, drop_rx_big, 1, "frame longer than the guest's receive buffers")            \
	V(DROP_RX_DISABLED, drop_rx_disabled, 1, "guest's receive ring is not enabled")            \
	V(DROP_RX_TAP, drop_rx_tap, 1, "the tap's queue was full")                                 \
	V(DROP_RX_XSK, drop_rx_xsk, 1, "the AF_XDP socket had no room")                            \
	V(DROP_RX_STOP, drop_rx_stop, 1, "guest stopped its ring while the frame was on its way")  \
	V(DROP_RX_OFFLOAD, drop_rx_offload, 1, "GSO frame that cannot be cut for its receiver")

enum vxdp_verdict {
#define VXDP_VERDICT_ENUM(NAME, name, is_drop, text) VXDP_##NAME,
	VXDP_VERDICTS(VXDP_VERDICT_ENUM)
#undef VXDP_VERDICT_ENUM
		VXDP_N_VERDICTS
};

#endif /* VXDP_VERDICT_H */
