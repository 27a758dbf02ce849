# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib.sh - what the tests inside a machine of the laboratory have.
#
# Each card has a name, and so have the two ends of its wire:
#
#   card     NIC of vxdp        other machine
#   igb      igb0               wire0 in network namespace w-igb
#   virt     virt0              wire0 in w-virt
#   e1000e   e1000e0            wire0 in w-e1000e
#
# with 10.9.N.1/24 and 10.9.N.2/24. card NAME chooses the one that the other functions use.

CARDS=(igb virt e1000e)
WORK=/tmp/lab
SOCKET=$WORK/vm0.sock
RELEASE=$(uname -r)
VX_PID=
mkdir -p $WORK

say() { echo "lab: $*" >/dev/console; }

# monitor COMMAND: for QEMU's monitor.
monitor() { echo "@$*" >&3; }

ifname_of() {
	local dev
	for dev in /sys/class/net/*; do
		[ "$(cat "$dev/address")" = "$1" ] && { echo "${dev##*/}"; return; }
	done
	return 1
}

# The NICs get their names, and the far ends of the wires a network namespace each.
cards_up() {
	local n name dev
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
	echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
	ip link set lo up
	ip netns attach host $$ # a name for where vxdp runs
	[ -e /etc/passwd ] || echo "root:x:0:0:root:/root:/bin/sh" >/etc/passwd # tcpdump asks for a user
	for n in "${!CARDS[@]}"; do
		name=${CARDS[n]}
		ip netns add "w-$name"
		dev=$(ifname_of "02:00:00:1a:0$n:02") || { say "no wire for $name"; continue; }
		ip link set "$dev" netns "w-$name"
		ip -n "w-$name" link set "$dev" name wire0
		ip -n "w-$name" addr add "10.9.$n.2/24" dev wire0
		ip -n "w-$name" link set wire0 up
		dev=$(ifname_of "02:00:00:1a:0$n:01") || { say "no $name"; continue; }
		ip link set "$dev" name "${name}0"
		card_up "$name" "$n"
	done
}

card_up() {
	ip addr replace "10.9.$2.1/24" dev "${1}0"
	ip link set "${1}0" up
}

# card NAME: false if the machine has none.
card() {
	local n
	CARD=$1 NIC=${1}0 NS=w-$1
	for n in "${!CARDS[@]}"; do [ "${CARDS[n]}" = "$1" ] && CARD_N=$n; done
	HOST_IP=10.9.$CARD_N.1 WIRE_IP=10.9.$CARD_N.2 HOST_MAC=02:00:00:1a:0$CARD_N:01
	[ -e "/sys/class/net/$NIC" ] && eventually 15 carrier
}

carrier() { [ "$(cat "/sys/class/net/$NIC/carrier" 2>/dev/null)" = 1 ]; }

on_wire() { nsenter --net="/run/netns/$NS" -- "$@"; }

# The address that the wire had last is forgotten: the host answers anew.
ping_host() { on_wire ping -c "${1:-3}" -i 0.2 -W 2 -q "$HOST_IP" >/dev/null 2>&1; }

# in_net NAMESPACE COMMAND...
in_net() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

# --- vxdp ---

# zero_copy_answer: yes, no or unknown
zero_copy_answer() {
	vxdp -j features "$NIC" | jq -r '.features[] | select(.name == "zero_copy") | .answer'
}

# vx_start [OPTION]...: the first attach to $NIC, until the port is there.
vx_start() {
	rm -f "$SOCKET"
	vxdp attach "$NIC" --vm "$SOCKET" --name vm0 --role server "$@" >$WORK/vxdp.log 2>&1 &
	VX_PID=$!
	eventually 150 vx_has_port && vx_alive && return
	diag "vxdp attach $NIC $*:" "$(tail -n 12 $WORK/vxdp.log)"
	vx_stop
	return 1
}

vx_alive() { [ -n "$VX_PID" ] && [[ $(sed 's/.*) //; s/ .*//' "/proc/$VX_PID/stat" 2>/dev/null) == [RSDT]* ]]; }
vx_has_port() { vx_alive || return 0; vx_status '.ports[0].name' | grep -q vm0; }

# vx_status FILTER: of the NIC's status.
vx_status() { vxdp -j status "$NIC" 2>/dev/null | jq -r "$@" 2>/dev/null; }

# vx_stop: SIGTERM; false if that does not end it, or with an error.
vx_stop() {
	local status pid=$VX_PID
	[ -n "$pid" ] || return 0
	VX_PID=
	kill -TERM "$pid" 2>/dev/null
	if ! eventually 15 ended "$pid"; then
		kill -KILL "$pid"
		wait "$pid"
		return 1
	fi
	wait "$pid"
	status=$?
	eventually 15 carrier # XDP coming and going resets some cards
	return $status
}

# detaches: not with check(), whose subshell could not wait for it.
detaches() {
	vx_stop
	is $? 0 "$CARD: detach, by SIGTERM"
}

ended() { [[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) != [RSDT]* ]]; }

# --- the guest ---

# guest MODE [OPTION]...: its result in $guest (JSON); what went wrong in $WORK/guest.err. It starts
# when the lane is open, or when that has taken too long.
guest() {
	local pid
	rm -f $WORK/go
	timeout -k 2 60 lab_guest "$1" --socket "$SOCKET" --wire "$NS:wire0" --go $WORK/go "${@:2}" >$WORK/guest.json 2>$WORK/guest.err &
	pid=$!
	eventually 15 lane_open
	touch $WORK/go
	wait $pid
	guest=$(cat $WORK/guest.json)
}

lane_open() { [[ $(vx_status '.ports[0].lane') == @(direct|shared) ]]; }

# follow_start [OPTION]...: a guest with traffic both ways all the time; follow_flows: now, too.
follow_start() {
	lab_guest follow --socket "$SOCKET" --wire "$NS:wire0" "$@" >$WORK/follow.log 2>$WORK/follow.err &
	FOLLOW_PID=$!
	eventually 30 follow_flows || { diag "no traffic: $(cat $WORK/follow.err)"; return 1; }
}

follow_flows() { [ "$(tail -n 1 $WORK/follow.log | jq -r '.echoed // 0')" -gt 0 ] 2>/dev/null; }
follow_stands() { [ "$(tail -n 1 $WORK/follow.log | jq -r '.echoed // 0')" -eq 0 ] 2>/dev/null; }

# follow_returns SECONDS: traffic flows for a whole second again.
follow_returns() {
	local end=$((SECONDS + $1)) n=0
	while [ $n -lt 4 ] && [ $SECONDS -lt $end ]; do
		sleep 0.3
		if follow_flows; then n=$((n + 1)); else n=0; fi
	done
	[ $n -ge 4 ]
}

follow_stop() {
	[ -n "${FOLLOW_PID:-}" ] || return 0
	kill -TERM "$FOLLOW_PID" 2>/dev/null
	wait "$FOLLOW_PID" 2>/dev/null
	FOLLOW_PID=
}

# --- guests with Linux's own stack (tests/lib/nsguest.c), each a network namespace ---

declare -A NSGUEST_PID

# nsguest_up NAME PORT MAC [ADDRESS/LEN]: on a socket of vxdp or vhost-net:host:TAP
nsguest_up() {
	ip netns add "$1"
	in_net "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	nsguest "$2" "$1:eth0" >"$WORK/$1.log" 2>&1 &
	NSGUEST_PID[$1]=$!
	eventually 30 grep -q ready "$WORK/$1.log" || { diag "guest $1: $(cat "$WORK/$1.log")"; return 1; }
	ip -n "$1" link set eth0 address "$3" up
	[ -z "${4:-}" ] || ip -n "$1" addr add "$4" dev eth0
}

nsguest_down() {
	kill "${NSGUEST_PID[$1]}" 2>/dev/null
	wait "${NSGUEST_PID[$1]}" 2>/dev/null
	unset "NSGUEST_PID[$1]"
	ip netns del "$1"
}

# tcp_between TEXT FROM TO ADDRESS BYTES: from one namespace to another, whole and unchanged
tcp_between() {
	local sent got=$WORK/tcp.got
	rm -f $got
	in_net "$3" traffic tcp-recv --bind 0.0.0.0 --port 7000 --timeout 60 --background $got >/dev/null
	sent=$(in_net "$2" traffic tcp-send --to "$4" --port 7000 --bytes "$5" --timeout 60)
	eventually 20 test -s $got
	sent=$(jq -r '"\(.bytes) \(.checksum)"' <<<"$sent" 2>/dev/null)
	[[ $sent =~ ^$5\ [0-9a-f]{16}$ ]] || { not_ok "$1"; diag "sent: '$sent'"; return; }
	is "$(jq -r '"\(.bytes) \(.checksum)"' $got 2>/dev/null)" "$sent" "$1"
}

# wire_capture FILTER, wire_captured: the frames on the wire, as text in $WORK/wire.txt
wire_capture() {
	on_wire ethtool -K wire0 gro off >/dev/null 2>&1
	rm -f $WORK/wire.pcap
	nsenter --net="/run/netns/$NS" -- tcpdump -Z root -i wire0 -nn --immediate-mode -U -w $WORK/wire.pcap \
		"$1" 2>$WORK/tcpdump.err &
	TCPDUMP_PID=$!
	eventually 20 test -s $WORK/wire.pcap
}

wire_captured() {
	kill -INT "$TCPDUMP_PID"
	wait "$TCPDUMP_PID"
	on_wire ethtool -K wire0 gro on >/dev/null 2>&1
	tcpdump -Z root -r $WORK/wire.pcap -nn -e -vv >$WORK/wire.txt 2>/dev/null
}

# wire_checksums TEXT COUNT: so many segments were captured at least, and no checksum is wrong
wire_checksums() {
	local total bad
	total=$(grep -c 'cksum .*(correct)' $WORK/wire.txt)
	bad=$(grep -c 'cksum .*incorrect' $WORK/wire.txt)
	[ "$total" -gt 0 ] || diag "$(cat $WORK/tcpdump.err)"
	cmp_ok "$total" ">=" "$2" "$1: segments with a right checksum on the wire"
	is "$bad" 0 "$1: and none with a wrong one"
}

# losses: what vxdp and the card have counted as dropped
losses() {
	vxdp -j stats "$NIC" 2>/dev/null | jq -c '[paths(numbers) as $p | select(getpath($p) > 0) |
		($p | map(tostring) | join(".")) as $name | select($name | test("drop|xsk|miss|invalid|empty")) |
		{($name): getpath($p)}] | add'
	ethtool -S "$NIC" 2>/dev/null | grep -E '(drop|miss|err|fail|no_buf)[a-z_]*: [1-9]' | tr -s ' \n' ' '
}

# holds TEXT CONDITION [JSON]: jq over $guest, or over JSON
holds() {
	local json=${3-$guest}
	if json_holds "$2" <<<"$json" >/dev/null 2>&1; then ok "$1"; else
		not_ok "$1"
		diag "does not hold: $2" "$(cut -c1-600 <<<"$json")" "$(tail -n 3 $WORK/guest.err 2>/dev/null)" \
			"$(tail -n 6 $WORK/vxdp.log 2>/dev/null)" "$(losses)"
	fi
}
