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
	eventually 60 vx_has_port && vx_alive && return
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
