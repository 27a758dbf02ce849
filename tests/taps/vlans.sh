#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# VLANs between all that a switch has: a vhost-user guest, two tap guests, the host, and the wire.
# Every pair talks both ways, by ping and TCP with offloads, once with all of them on access ports,
# and once with trunks among them, on which guests send tagged frames; and a guest in another VLAN
# hears none of it. The guests are network namespaces (tests/lib/nsguest.c), not machines.
LAB_TIMEOUT=170
. "$(dirname "$0")/sides.sh"

plan 48
SIDES=(vm0 tap0 tap1 host wire)
OTHER=tap2 # in another VLAN

vlan_pairs() {
	pairs "$HOW"
	check_not "$HOW: a guest in another VLAN does not reach the wire" ping_from $OTHER wire
	check_not "$HOW: nor the host, nor another guest" reaches_any
	is "$(on $OTHER cat /proc/net/dev | awk '$1 == "eth0:" { print $3 }')" 0 "$HOW: and hears nothing"
}

check_not() { if "${@:2}"; then not_ok "$1"; else ok "$1"; fi; }
reaches_any() { on $OTHER ping -q -c 1 -W 1 "${IP[host]}" >/dev/null || on $OTHER ping -q -c 1 -W 1 "${IP[tap0]}" >/dev/null; }

port_is_there() { [ -n "$(port_state "$1")" ]; }

port_waits() { ! port_running "$1"; }

# port_set PORT WORD...
port_set() { vxdp port set eth0 "$@" >/dev/null; }

lab_begin queues=2
no_ipv6 host && no_ipv6 wire
before=$(nic_state)
for tap in tap0 tap1 tap2; do vxdp attach eth0 --tap $tap >/dev/null || bail "no tap port"; done
vxdp_start vm0 --role server && eventually 10 port_is_there vm0 || bail "vxdp does not start"
for name in vm0 tap0 tap1 tap2; do guest_ns $name; done

HOW=access
for port in vm0 tap0 tap1 host uplink; do port_set $port vlan 10 || bail "no VLAN for $port"; done
port_set $OTHER vlan 20
for name in vm0 tap0 tap1 tap2; do guest_up $name || bail "no guest $name"; done
vlan_pairs

HOW=trunk
for name in vm0 tap0 tap2; do guest_down $name; done
check "a vhost-user guest goes" eventually 10 port_waits vm0
port_set vm0 trunk 10,20
port_set tap0 trunk 10
port_set uplink trunk 10,20 native 10
guest_up vm0 --vlan 10 && guest_up tap0 --vlan 10 && guest_up tap2 || bail "no guests"
vlan_pairs
for name in vm0 tap0 tap1 tap2; do guest_down $name; done
vxdp_stop
vxdp detach eth0 >/dev/null
is "$(nic_state)" "$before" "all is as it was"
