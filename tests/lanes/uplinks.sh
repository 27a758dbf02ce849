#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# uplinks.sh - the fast lanes on every uplink of a switch: frames between several guests and
# stations on two wires, each by the AF_XDP sockets of its own NIC and by no other; uplinks that join
# and leave under traffic, and one that takes over from another.
set -u
# shellcheck source=tests/lanes/holds.sh
. "$(dirname "$0")/holds.sh"

guest=$top/build/tests/lanes/wires_guest

# second_wire QUEUES: v1, and its far end g1
second_wire() {
	ip -n "$ns_host" link del v1 2>/dev/null
	ip -n "$ns_host" link add v1 numrxqueues 8 numtxqueues 8 type veth \
		peer name g1 netns "$ns_wire" numrxqueues 8 numtxqueues 8 &&
		on_host ethtool -L v1 rx "$1" tx "$1" && on_wire ethtool -L g1 rx "$1" tx "$1" &&
		on_wire ethtool -K g1 tx off gro on >/dev/null &&
		ip -n "$ns_host" link set v1 up && ip -n "$ns_wire" link set g1 up
}

# switch_start N ARGS...: vxdp with N ports on v0
switch_start() {
	local n=$1 i
	wire_queues 1 || return 1
	shift
	vx_start "$tmp/vm0.sock" --role server "$@" || return 1
	for ((i = 1; i < n; i++)); do
		on_host "$VXDP" attach v0 --vm "$tmp/vm$i.sock" --name vm$i --role server >/dev/null || return 1
	done
}

join() { on_host "$VXDP" attach v1 --switch v0 "$@" >/dev/null; }

# guests N MODE ARGS...: the guests' run, and stats of before and after. guests_begin starts it,
# guests_end waits for it; a stream goes on until then.
guests_begin() {
	local n=$1 i
	local -a sockets=()
	shift
	for ((i = 0; i < n; i++)); do sockets+=(--socket "$tmp/vm$i.sock"); done
	stats before
	: >"$tmp/guest.err"
	timeout -k 5 90 "$guest" "${sockets[@]}" --wire "$ns_wire:g0" --wire "$ns_wire:g1" "$@" \
		<"$tmp/go-on" >"$tmp/guest.json" 2>"$tmp/guest.err" &
	guest_pid=$!
	exec 9>"$tmp/go-on"
}

guests_end() {
	exec 9>&-
	wait "$guest_pid"
	guest_status=$?
	sleep 0.1
	stats after
}

guests() { guests_begin "$@" && guests_end; }

are_ready() { grep -q ready "$tmp/guest.err"; }

# under_traffic N ARGS... -- COMMAND: run it in the middle of a stream of N guests
under_traffic() {
	local n=$1
	local -a args=()
	shift
	while [ "$1" != -- ]; do args+=("$1"); shift; done
	shift
	guests_begin "$n" stream --ring 1024 "${args[@]}"
	until_true 15 are_ready && sleep 0.5
	"$@" || problem="$* failed"
	sleep 0.5
	guests_end
}

# lanes_are PORT NIC=LANE...: as status has it
lanes_are() {
	local port=$1
	shift
	on_host "$VXDP" status v0 -j | json_holds --arg p "$port" --arg l "$*" \
		'.ports[] | select(.name == $p) | [.lanes[] | "\(.nic)=\(.lane)"] | join(" ") == $l' >/dev/null
}

why_is() {
	on_host "$VXDP" status v0 -j | json_holds --arg n "$1" --arg w "$2" \
		'.ports[0].lanes[] | select(.nic == $n) | .lane_reason | test($w)' >/dev/null
}

check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; on_host "$VXDP" status v0 | sed 's/^/# /'; fi
}

sockets_open() { find "/proc/$vx_pid/fd" -lname 'socket:*' | wc -l; }

test_init vxwires
[ -x "$guest" ] || skip_all "$guest is not built (make tests)"
mkfifo "$tmp/go-on" || exit 1
on_wire ethtool -K g0 gro on 2>/dev/null
second_wire 1 || { not_ok "a second wire"; done_testing; exit 1; }

whole='all($flows[]; .received.frames == 1500 and .echoed.frames == 1500)'
in_order='all($flows[]; .received.reordered == 0 and .echoed.reordered == 0)'
closes='$vx.uplink.to_shared + $vx.v1.to_shared ==
	([$vx | .vm0, .vm1, .vm2 | .rx_shared + .queue_drops] | add) + $vx.uplink.all_drops + $vx.v1.all_drops'

# --- several guests: the shared lane on both. The first to come is alone for a moment, and direct. ---
switch_start 3 && join || { not_ok "vxdp starts, and a second NIC joins"; done_testing; exit 1; }
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	# shellcheck disable=SC2086
	guests 3 echo --count 1500 $option
	holds "$ring: three guests and two wires: all frames by the shared lane, in order, by their own wire" \
		"$whole" "$in_order" '$stray == 0' "$closes" \
		'all($vx | .vm0, .vm1, .vm2; .rx_shared >= 3000 and .tx_shared >= 3000 and .tx_drops == 0)' \
		'all($vx | .vm0, .vm1, .vm2; .rx_direct + .tx_direct < 100)' \
		'$vx.uplink.to_shared >= 4500 and $vx.v1.to_shared >= 4500'
done

for options in "--cpus 0,1" "--mode skb"; do
	vx_stop
	# shellcheck disable=SC2086
	switch_start 3 $options && join || { not_ok "vxdp starts with $options"; continue; }
	guests 3 echo --count 1500
	holds "$options: the same" "$whole" "$in_order" '$stray == 0' "$closes" \
		'all($vx | .vm0, .vm1, .vm2; .rx_shared >= 3000 and .tx_shared >= 3000)'
done
vx_stop
switch_start 3 && join || { not_ok "vxdp starts again"; done_testing; exit 1; }

# --- an uplink leaves and joins under traffic ---
# While it leaves, and until it is back, its station is looked for on the other wire.
leave_and_join() {
	on_host "$VXDP" detach v0 v1 >/dev/null && sleep 1 && join &&
		until_true 10 lanes_are vm1 v0=shared v1=shared
}
opened=$(sockets_open)
under_traffic 2 -- leave_and_join
holds "the second NIC leaves and comes back: the other's frames all arrive, and nothing is out of order" \
	"$in_order" 'all($flows[] | select(.wire == 0); .received.frames == .sent and .echoed.frames == .sent)' \
	'all($flows[] | select(.wire == 1); .received.frames > 1000 and .echoed.frames > 1000)' \
	'all(($vx | .vm0, .vm1); .rx_shared > ([$flows[] | select(.guest == 0 and .wire == 0).sent] | add) + 1000)'
check "it leaves no socket behind" [ "$(sockets_open)" -le "$opened" ]
first_leaves() { on_host "$VXDP" detach v0 v0 >/dev/null && until_true 5 lanes_are vm1 v1=shared; }
under_traffic 2 -- first_leaves
holds "the first NIC leaves: the second's frames all arrive, and nothing is out of order" \
	"$in_order" 'all($flows[] | select(.wire == 1); .received.frames == .sent and .echoed.frames == .sent)'
vx_stop
switch_start 2 && join || { not_ok "vxdp starts with two ports"; done_testing; exit 1; }
remove_nic() { ip -n "$ns_host" link del v1; }
under_traffic 2 -- remove_nic
holds "the second NIC disappears: the other's frames all arrive, and nothing is out of order" \
	"$in_order" 'all($flows[] | select(.wire == 0); .received.frames == .sent and .echoed.frames == .sent)'
vx_stop

# --- one guest: the direct lane on both, as far as there is room ---
second_wire 1
switch_start 1 && join || { not_ok "vxdp starts with one port"; done_testing; exit 1; }
guests 1 echo --count 1500
holds "one guest and two wires: all frames by the direct lane, in order, by their own wire" \
	"$whole" "$in_order" '$stray == 0' \
	'$vx.vm0 | .rx_direct >= 3000 and .tx_direct >= 3000 and .tx_drops == 0 and .rx_shared + .tx_shared == 0' \
	'$vx.uplink.to_direct >= 1500 and $vx.v1.to_direct >= 1500'
# Some frame of the guest's is on its way when the NIC goes down, in one of so many tries.
nic_down_up() {
	local i
	for ((i = 0; i < 20; i++)); do
		ip -n "$ns_host" link set v0 down && sleep 0.05 && ip -n "$ns_host" link set v0 up && sleep 0.05 ||
			return
	done
	sleep 0.5
	stats before
	sleep 0.5
}
under_traffic 1 -- nic_down_up
holds "a NIC was down: what the guest sends takes the direct lane again" \
	'$vx.vm0 | .tx_direct > 1000 and .tx_kernel == 0 and .rx_direct > 1000'
on_host "$VXDP" detach v0 v1 >/dev/null
second_wire 6 && join || not_ok "a NIC of six queues joins"
guests_begin 1 stream --ring 1024
check "a NIC with more queues than the port has room for has the shared lane beside the direct one" \
	until_true 10 lanes_are vm0 v0=direct v1=shared
text_says() { on_host "$VXDP" status v0 | grep -q "on $1  *lane $2: "; }
check "which status says" text_says v1 shared
check "and explains" why_is v1 'more NIC queues than the port has room for'
until_true 15 are_ready && sleep 0.7
guests_end
holds "each of them carries its wire's frames" \
	'all($flows[]; .received.frames == .sent and .echoed.frames == .sent)' '$stray == 0' \
	'$vx.vm0 | .rx_direct > 1000 and .tx_direct > 1000 and .rx_shared > 1000 and .tx_shared > 1000'
vx_stop

# --- two ways to one wire ---
second_wire 1
switch_start 2 && join --standby-for v0 || { not_ok "vxdp starts with a standby"; done_testing; exit 1; }
over_to() { # DOWN UP: the far end of one goes down, the other takes over with its lanes
	ip -n "$ns_wire" link set "g${1#v}" down
	if [ "$1" = v0 ]; then until_true 10 lanes_are vm0 v0=kernel v1=shared
	else until_true 10 lanes_are vm0 v0=shared v1=kernel; fi
}
there_and_back() {
	lanes_are vm0 v0=shared v1=kernel && why_is v1 'another uplink carries' && over_to v0 && sleep 0.5 &&
		ip -n "$ns_wire" link set g0 up && sleep 0.2 && over_to v1
}
under_traffic 2 --one-station -- there_and_back
ip -n "$ns_wire" link set g1 up
holds "the standby takes over, and back: nothing is out of order, and it has the lanes" \
	"$in_order" 'all($flows[]; .received.frames > 2000 and .echoed.frames > 2000)' \
	'all($flows[]; .received.hole_ms < 1000 and .echoed.hole_ms < 1500)' \
	'$vx.uplink.to_shared > 1000 and $vx.v1.to_shared > 500'
note "longest holes: $(jq -c '[.flows[] | [.received.hole_ms, .echoed.hole_ms]]' "$tmp/guest.json") ms"
vx_stop
check "nothing is left on the NICs" [ "$(ip -n "$ns_host" -d -j link show | jq '[.[] | select(.xdp)] | length')" -eq 0 ]
done_testing
