# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# net.sh - a host with a NIC, and a wire with another machine on it: two network namespaces with a
# veth between them.
#
#   namespace $NS_HOST: eth0   10.77.0.1/24 fd77::1/64    the NIC vxdp is attached to
#   namespace $NS_WIRE: wire0  10.77.0.2/24 fd77::2/64    the other machine
#
# Commands go through nsenter: `ip netns exec` would mount another /sys and hide the BPF file
# system.
#
# Traps of a veth as a wire, and what is done: frames cross with unfinished checksums, which no
# wire carries, so transmit checksumming is off on the far side. Redirecting into a veth needs NAPI
# on its peer: GRO is on there.

HOST_IP=10.77.0.1 WIRE_IP=10.77.0.2
HOST_IP6=fd77::1 WIRE_IP6=fd77::2
HOST_MAC=02:00:00:77:00:01 WIRE_MAC=02:00:00:77:00:02

NETS=()

in_ns() { local ns=$1; shift; nsenter --net="/run/netns/$ns" -- "$@"; }
on_host() { in_ns "$NS_HOST" "$@"; }
on_wire() { in_ns "$NS_WIRE" "$@"; }

# exec_host COMMAND &, exec_wire COMMAND &: in the background, $! is the command itself. (A function
# in the background is a shell around it, and killing that leaves the command behind.)
exec_host() { exec nsenter --net="/run/netns/$NS_HOST" -- "$@"; }
exec_wire() { exec nsenter --net="/run/netns/$NS_WIRE" -- "$@"; }

# net_up [queues=N] [mtu=N]
net_up() {
	local queues=1 mtu=1500 arg
	for arg in "$@"; do
		case $arg in
		queues=*) queues=${arg#*=} ;;
		mtu=*) mtu=${arg#*=} ;;
		*) echo "net_up: unknown '$arg'" >&2; return 1 ;;
		esac
	done
	NS_HOST=$LAB_ID-host NS_WIRE=$LAB_ID-wire
	NETS+=("$NS_HOST" "$NS_WIRE")
	ip netns add "$NS_HOST" && ip netns add "$NS_WIRE" || return 1
	local ns
	for ns in "$NS_HOST" "$NS_WIRE"; do
		in_ns "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv4.conf.all.rp_filter=0
		in_ns "$ns" ip link set lo up
	done
	on_host ip link add eth0 address $HOST_MAC mtu "$mtu" numrxqueues "$queues" numtxqueues "$queues" \
		type veth peer name wire0 netns "$NS_WIRE" address $WIRE_MAC mtu "$mtu" \
		numrxqueues "$queues" numtxqueues "$queues" || return 1
	on_host ethtool -K eth0 gro on >/dev/null 2>&1
	on_wire ethtool -K wire0 tx off gro on >/dev/null 2>&1
	on_host ip addr add $HOST_IP/24 brd + dev eth0
	on_host ip addr add $HOST_IP6/64 dev eth0 nodad
	on_wire ip addr add $WIRE_IP/24 brd + dev wire0
	on_wire ip addr add $WIRE_IP6/64 dev wire0 nodad
	on_host ip link set eth0 up
	on_wire ip link set wire0 up
}

# All that this script has made, also when it switched between several.
net_down() {
	local ns
	for ns in "${NETS[@]}"; do
		[ -n "$ns" ] && [ -e "/run/netns/$ns" ] && ip netns del "$ns"
	done
	NETS=() NS_HOST='' NS_WIRE=''
}

# nic_state: everything vxdp may change about the NIC and around it, as text to compare.
nic_state() {
	on_host ip -d -j link show dev eth0 2>/dev/null |
		jq -S '.[] | {flags: (.flags | sort), mtu, promiscuity, allmulti, xdp, qdisc, address}'
	on_host tc qdisc show dev eth0
	on_host ethtool -k eth0 2>/dev/null | grep -v '^Features' | sort
	on_host ethtool -l eth0 2>/dev/null
	on_host bridge fdb show dev eth0 2>/dev/null | sort
	on_host ip -o link show 2>/dev/null | sed 's/^[0-9]*: //; s/[@:].*//' | sort
	on_host sysctl net.core.bpf_jit_enable net.ipv4.conf.eth0.forwarding 2>/dev/null
}

# net_counter host|wire DEV rx|tx packets|bytes|dropped. Not from /sys: that is of another namespace.
net_counter() { "on_$1" ip -s -j link show dev "$2" | json_holds ".[0].stats64.$3.$4"; }
