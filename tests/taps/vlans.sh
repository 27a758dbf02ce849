#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# VLANs between all that a switch has: a vhost-user guest, two tap guests, the host, and the wire.
# Every pair talks both ways, by ping and TCP with offloads, once with all of them on access ports,
# and once with trunks among them, on which guests send tagged frames; and a guest in another VLAN
# hears none of it. The guests are network namespaces (tests/lib/nsguest.c), not machines.
LAB_TIMEOUT=170
. "$(dirname "$0")/../lib/lab.sh"

plan 48
NSGUEST=$ROOT/build/tests/lib/nsguest
BYTES=${VXDP_TEST_BYTES:-1000000}
SIDES=(vm0 tap0 tap1 host wire)
OTHER=tap2 # in another VLAN
declare -A IP=([vm0]=10.77.0.10 [tap0]=10.77.0.11 [tap1]=10.77.0.12 [tap2]=10.77.0.13 [host]=$HOST_IP [wire]=$WIRE_IP)
declare -A NSGUEST_PID
PORT=7100

# on SIDE COMMAND...
on() {
	case $1 in
	host | wire) "on_$1" "${@:2}" ;;
	*) in_ns "$LAB_ID-$1" "${@:2}" ;;
	esac
}

no_ipv6() { on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; }

# guest_ns NAME: the namespace of a guest
guest_ns() {
	NETS+=("$LAB_ID-$1")
	ip netns add "$LAB_ID-$1" && ip -n "$LAB_ID-$1" link set lo up && no_ipv6 "$1"
}

# guest_up NAME [--vlan N]: on the port of that name
guest_up() {
	local name=$1 port=$NS_HOST:$1 log=$LAB_DIR/nsguest.$1
	shift
	[ "$name" = vm0 ] && port=$LAB_DIR/vm0.sock
	"$NSGUEST" "$port" "$LAB_ID-$name:eth0" "$@" >"$log" 2>&1 &
	NSGUEST_PID[$name]=$!
	eventually 20 grep -q ready "$log" || { diag "$name: $(cat "$log")"; return 1; }
	ip -n "$LAB_ID-$name" link set eth0 address "02:00:00:77:01:${IP[$name]##*.}" up
	ip -n "$LAB_ID-$name" addr add "${IP[$name]}/24" dev eth0
	eventually 15 port_running "$name"
}

guest_down() {
	kill "${NSGUEST_PID[$1]}" 2>/dev/null
	wait "${NSGUEST_PID[$1]}" 2>/dev/null
	unset "NSGUEST_PID[$1]"
}

ping_from() { on "$1" ping -q -c 1 -W 3 "${IP[$2]}" >/dev/null; }

# tcp_from A B: "BYTES CHECKSUM" of both ends
tcp_from() {
	local file=$LAB_DIR/tcp.$PORT
	on "$2" "$TRAFFIC" tcp-recv --bind 0.0.0.0 --port $PORT --timeout 20 --background "$file" >/dev/null
	on "$1" "$TRAFFIC" tcp-send --to "${IP[$2]}" --port $PORT --bytes "$BYTES" --timeout 20 | json '"\(.bytes) \(.checksum)"'
	eventually 5 test -s "$file"
	json '"\(.bytes) \(.checksum)"' <"$file"
}

# pair A B: a result
pair() {
	local sums
	eventually 5 ping_from "$1" "$2" || { not_ok "$HOW: $1 -> $2: ping"; return; }
	mapfile -t sums < <(tcp_from "$1" "$2")
	PORT=$((PORT + 1))
	if [[ ${sums[0]} =~ ^$BYTES\ [0-9a-f]{16}$ && ${sums[1]} = "${sums[0]}" ]]; then
		ok "$HOW: $1 -> $2: ping, and $BYTES bytes by TCP"
	else
		not_ok "$HOW: $1 -> $2: TCP"
		diag "sent '${sums[0]}', received '${sums[1]}'"
	fi
}

pairs() {
	local a b
	for a in "${SIDES[@]}"; do
		for b in "${SIDES[@]}"; do [ "$a" = "$b" ] || pair "$a" "$b"; done
	done
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
pairs

HOW=trunk
for name in vm0 tap0 tap2; do guest_down $name; done
check "a vhost-user guest goes" eventually 10 port_waits vm0
port_set vm0 trunk 10,20
port_set tap0 trunk 10
port_set uplink trunk 10,20 native 10
guest_up vm0 --vlan 10 && guest_up tap0 --vlan 10 && guest_up tap2 || bail "no guests"
pairs
for name in vm0 tap0 tap1 tap2; do guest_down $name; done
vxdp_stop
vxdp detach eth0 >/dev/null
is "$(nic_state)" "$before" "all is as it was"
