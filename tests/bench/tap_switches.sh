# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# tap_switches.sh - the switches of the tap benchmark, in the host's network namespace. Each connects
# the NIC v0 and the taps tap0 and tap1, and has learnt the guests' addresses when it is ready.
#
#   SWITCH_start     makes the taps
#   SWITCH_stop      and they are gone
#   SWITCH_can       is it there?

tap_make() {
	on_host ip tuntap add "$1" mode tap vnet_hdr
	on_host ip link set "$1" up
}

tap_free() { on_host ip link del "$1" 2>/dev/null; }

# drop_or_pass [pass]: an XDP program on the NIC, until nic_free
drop_or_pass() {
	nsenter --net="/run/netns/$ns_host" sink v0 "$@" >/dev/null &
	xdp_pid=$!
	sleep 0.3
}

nic_free() {
	kill "$xdp_pid"
	wait "$xdp_pid" 2>/dev/null
}

# Nothing between the ends but what drops frames first: what the generators take by themselves. What is
# written into a tap that nobody listens to goes as far as the stack's entrance.
none_can() { true; }
none_start() {
	tap_make tap0
	tap_make tap1
	drop_or_pass
}
none_stop() {
	nic_free
	tap_free tap0
	tap_free tap1
}

# vxdp: no process. $vxdp_args are more options of attach.
vxdp_can() { command -v "$VXDP" >/dev/null; }
vxdp_start() {
	local tap
	for tap in tap0 tap1; do
		# shellcheck disable=SC2086 # options are words
		on_host "$VXDP" attach v0 --tap $tap ${vxdp_args:-} >/dev/null || return 1
	done
}
vxdp_stop() { on_host "$VXDP" detach v0 >/dev/null; }

# The same without XDP on the NIC.
vxdp_tc_can() { vxdp_can; }
vxdp_tc_start() {
	local vxdp_args="${vxdp_args:-} --mode tc"
	vxdp_start
}
vxdp_tc_stop() { vxdp_stop; }

# The same, for guests that finish their checksums.
vxdp_tap_xdp_can() { vxdp_can; }
vxdp_tap_xdp_start() {
	local vxdp_args="${vxdp_args:-} --tap-xdp"
	vxdp_start
}
vxdp_tap_xdp_stop() { vxdp_stop; }

# The bridge, with the taps as vxdp has them: without a queueing discipline, which would cost it more.
bridge_can() { on_host ip link add br0 type bridge 2>/dev/null && on_host ip link del br0; }
bridge_start() {
	local port
	tap_make tap0
	tap_make tap1
	on_host ip link add br0 type bridge
	for port in v0 tap0 tap1; do on_host ip link set $port master br0; done
	for port in tap0 tap1; do on_host tc qdisc replace dev $port root noqueue; done
	on_host ip link set br0 up
}
bridge_stop() {
	on_host ip link set v0 nomaster
	on_host ip link del br0
	tap_free tap0
	tap_free tap1
}

# The bridge, with an XDP program on the NIC that lets all pass. A veth copies each frame that has come
# from a stack before XDP sees it, which no NIC does: for what its far end sends by TCP, this is the
# fair comparison.
bridge_xdp_can() { bridge_can; }
bridge_xdp_start() { bridge_start && drop_or_pass pass; }
bridge_xdp_stop() {
	nic_free
	bridge_stop
}

# Open vSwitch's module, with the flows that its daemon puts there for NORMAL: the port a frame comes
# by, both addresses, the protocol. Such frames never meet the daemon, so there is none.
ovs_can() { command -v ovs-dpctl >/dev/null && [ -e /sys/module/openvswitch ]; }
ovs_start() {
	local port
	tap_make tap0
	tap_make tap1
	on_host ovs-dpctl add-dp dp0
	for port in v0 tap0 tap1; do on_host ovs-dpctl add-if dp0 $port; done
	for port in tap0 tap1; do on_host tc qdisc replace dev $port root noqueue; done
	on_host ip link set dp0 up
	ovs_flows 1 "$wire_mac" && ovs_flows 2 "$tap0_mac" && ovs_flows 3 "$tap1_mac"
}

# ovs_flows NUMBER MAC: from that port to each of the others
ovs_flows() {
	local n=1 mac
	for mac in "$wire_mac" "$tap0_mac" "$tap1_mac"; do
		[ $n = "$1" ] || on_host ovs-dpctl add-flow dp0 \
			"recirc_id(0),in_port($1),eth(src=$2,dst=$mac),eth_type(0x0800),ipv4(frag=no)" $n
		n=$((n + 1))
	done
}
ovs_stop() {
	on_host ovs-dpctl del-dp dp0
	tap_free tap0
	tap_free tap1
}
