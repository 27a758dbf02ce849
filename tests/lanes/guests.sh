# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# guests.sh - to be sourced: vxdp with some ports, shared_guest as their guests and the wire, and what
# both of them counted.
# shellcheck source=tests/lanes/holds.sh
. "$(dirname "${BASH_SOURCE[0]}")/holds.sh"

guest=$top/build/tests/lanes/shared_guest
# Of holds(): whatever arrived came in order.
# shellcheck disable=SC2034 # it is the sourcing script's
in_order='all($guests[]; .received.reordered == 0 and .echoed.reordered == 0)'

# ports_start N NIC-QUEUES ARGS...: vxdp with N ports, all with the same options
ports_start() {
	local n=$1 i
	wire_queues "$2" || return 1
	shift 2
	vx_start "$tmp/vm0.sock" --role server "$@" || return 1
	for ((i = 1; i < n; i++)); do
		on_host "$VXDP" attach v0 --vm "$tmp/vm$i.sock" --name vm$i --role server "$@" >/dev/null || return 1
	done
}

# guests MODE N ARGS...: run the guests, keep what they print, and stats of before and after
guests() {
	local mode=$1 n=$2 i
	local -a sockets=()
	shift 2
	for ((i = 0; i < n; i++)); do sockets+=(--socket "$tmp/vm$i.sock"); done
	stats before
	timeout -k 5 120 "$guest" "$mode" "${sockets[@]}" --wire "$ns_wire:g0" "$@" \
		>"$tmp/guest.json" 2>"$tmp/guest.err"
	guest_status=$?
	sleep 0.1
	stats after
}

# lane_is PORT LANE PATTERN: as status has it, and why
lane_is() {
	on_host "$VXDP" status v0 -j | json_holds --arg p "$1" --arg l "$2" --arg w "$3" \
		'.ports[] | select(.name == $p) | .lane == $l and (.lane_reason | test($w))' >/dev/null
}

lane_changes() { grep -c "vm0: \(direct\|shared\) lane:" "$tmp/vxdp.log"; }
