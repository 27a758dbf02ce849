# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# sides.sh - to be sourced: guests that are network namespaces (tests/lib/nsguest.c) on the ports of a
# switch, and who talks to whom. Of the caller: SIDES, who takes part: ports, host and wire.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/lab.sh"

NSGUEST=$ROOT/build/tests/lib/nsguest
BYTES=${VXDP_TEST_BYTES:-1000000}
PORT=7100 # of the next connection
declare -A IP=([vm0]=10.77.0.10 [tap0]=10.77.0.11 [tap1]=10.77.0.12 [tap2]=10.77.0.13 [host]=$HOST_IP [wire]=$WIRE_IP)
declare -A NSGUEST_PID

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

guests_down() {
	kill "${NSGUEST_PID[@]}" 2>/dev/null
	wait "${NSGUEST_PID[@]}" 2>/dev/null
	NSGUEST_PID=()
}

# xdp_id [DEV]: of the program on it, 0 for none
xdp_id() { on_host ip -j link show dev "${1:-eth0}" | jq -r '.[0].xdp.prog.id // 0'; }

ping_from() { on "$1" ping -q -c 1 -W 3 "${IP[$2]}" >/dev/null; }

# talk A B: ping, and BYTES by TCP, the same at both ends
talk() {
	local file=$LAB_DIR/tcp.$PORT sent received
	eventually 5 ping_from "$1" "$2" || { diag "no ping"; return 1; }
	on "$2" "$TRAFFIC" tcp-recv --bind 0.0.0.0 --port $PORT --timeout 20 --background "$file" >/dev/null
	sent=$(on "$1" "$TRAFFIC" tcp-send --to "${IP[$2]}" --port $PORT --bytes "$BYTES" --timeout 20 |
		json '"\(.bytes) \(.checksum)"')
	PORT=$((PORT + 1))
	eventually 5 test -s "$file"
	received=$(json '"\(.bytes) \(.checksum)"' <"$file")
	[[ $sent =~ ^$BYTES\ [0-9a-f]{16}$ && $received = "$sent" ]] || { diag "sent '$sent', received '$received'"; return 1; }
}

# pairs HOW: each of SIDES talks to each other
pairs() {
	local a b
	for a in "${SIDES[@]}"; do
		for b in "${SIDES[@]}"; do [ "$a" = "$b" ] || check "$1: $a -> $b" talk "$a" "$b"; done
	done
}
