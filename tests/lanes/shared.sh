#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shared.sh - what the shared lane promises: several guests behind one NIC queue, each getting its
# own frames and no others, an account that closes, and moves between the direct and the shared
# lane that reorder nothing.
#
#   VISITS=10     how often a second guest comes and goes
set -u
# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "$0")/../testpmd/lib.sh"

VISITS=${VISITS:-10}
guest=$top/build/tests/lanes/shared_guest

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

stats() { on_host "$VXDP" stats v0 -j >"$tmp/$1.stats"; }

# holds NAME CONDITION...: jq, over $guests, and $vx and $uplink: what was counted between before
# and after, for each port by its name, all queues together, and for the wire
holds() {
	local name=$1 condition list='' problems
	shift
	for condition; do
		list+="(if $condition then empty else $(jq -n --arg c "$condition" '$c') end),"
	done
	problems=$(jq -rn --slurpfile g "$tmp/guest.json" --slurpfile s0 "$tmp/before.stats" \
		--slurpfile s1 "$tmp/after.stats" '
		def total: [.[] | .packets] | add // 0;
		def drops(p): with_entries(select(.key | startswith(p))) | total;
		def sum(f): [.queues[]? | f] | add // 0;
		def lanes(d): [d | (.direct, .shared, .kernel, .bounced) | .packets] | add;
		def ports: .ports | map({(.name): {
			rx: sum(lanes(.rx)), tx: sum(lanes(.tx)),
			rx_shared: sum(.rx.shared.packets), tx_shared: sum(.tx.shared.packets),
			rx_direct: sum(.rx.direct.packets), tx_direct: sum(.tx.direct.packets),
			rx_drops: (sum(.rx.drops | total) + (.verdicts | drops("drop_rx_"))),
			queue_drops: sum(.rx.drops | total), tx_drops: (sum(.tx.drops | total)),
			all_drops: (.verdicts | drops("drop_")),
			to_shared: .verdicts.to_shared.packets}}) | add;
		def minus($b): with_entries(.value = (.key as $k | .value | with_entries(.value -= ($b[$k][.key] // 0))));
		($s1[0] | ports | minus($s0[0] | ports)) as $vx | $g[0].guests as $guests | $vx.uplink as $uplink |
		['"${list%,}"'] | select(length > 0) | (.[] | "does not hold: " + .), ({$guests, $vx} | tojson)' 2>&1)
	[ "$guest_status" -eq 0 ] || problems+=$'\n'$(cat "$tmp/guest.err" "$tmp/guest.json")
	if [ -z "$problems" ]; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/# /' <<<"$problems"
		tail -n 15 "$tmp/vxdp.log" | sed 's/^/# vxdp: /'
	fi
}

# lane_is PORT LANE PATTERN: as status has it, and why
lane_is() {
	on_host "$VXDP" status v0 -j | json_holds --arg p "$1" --arg l "$2" --arg w "$3" \
		'.ports[] | select(.name == $p) | .lane == $l and (.lane_reason | test($w))' >/dev/null
}

lane_changes() { grep -c "vm0: \(direct\|shared\) lane:" "$tmp/vxdp.log"; }

test_init vxshared
[ -x "$guest" ] || skip_all "$guest is not built (make tests)"
on_wire ethtool -K g0 gro on 2>/dev/null

whole='all($guests[]; .received.frames == 2000 and .echoed.frames == 2000)'
in_order='all($guests[]; .received.reordered == 0 and .echoed.reordered == 0)'
# Frames that prepare the path go by the kernel lane at first, or find no guest yet.
shared_only='all($vx | .vm0, .vm1, .vm2; .rx_shared >= 2000 and .tx_shared >= 2000 and
	.rx_direct + .tx_direct + .tx_drops == 0)'
closes='$uplink.to_shared == ([$vx | .vm0, .vm1, .vm2 | .rx_shared + .queue_drops] | add) + $uplink.all_drops'

ports_start 3 1 || { not_ok "vxdp starts"; done_testing; exit 1; }
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	# shellcheck disable=SC2086
	guests echo 3 --count 2000 $option
	holds "$ring: three guests behind one NIC queue have their own frames, in order, and send" \
		"$whole" "$in_order" "$shared_only" "$closes"
done
guests echo 3 --count 2000 --stuck
holds "a guest that takes nothing loses its own frames, counted, and nobody else's" \
	'all($guests[:2][]; .received.frames == 2000 and .echoed.frames == 2000)' \
	'$vx.vm0.rx_drops + $vx.vm1.rx_drops <= ($guests[:2] | map(.primed_lost) | add)' \
	'$vx.vm2.rx_drops > 1000' "$closes"
vx_stop

for cpus in 0 0,1; do
	ports_start 3 2 --cpus $cpus || { not_ok "vxdp starts with --cpus $cpus"; continue; }
	guests echo 3 --count 2000 --pairs 2
	holds "two NIC queues, two queue pairs, CPUs $cpus: the same, but for the order of two queues" \
		"$whole" "$shared_only" "$closes"
	vx_stop
done

ports_start 2 1 --lane shared || { not_ok "vxdp starts with --lane shared"; done_testing; exit 1; }
guests echo 1 --count 2000 &
until_true 5 lane_is vm0 shared 'asked for with --lane shared' && ok "--lane shared: a guest alone has it" ||
	not_ok "--lane shared: a guest alone has it"
wait $!
vx_stop

ports_start 2 1 || { not_ok "vxdp starts with --lane auto"; done_testing; exit 1; }
changes=$(lane_changes)
guests moves 2 --count "$VISITS" --ms 300 --ring 1024
changes=$(($(lane_changes) - changes))
holds "a stream while the lane changes from direct to shared and back: nothing is out of order" \
	'$guests[0] | .received.reordered == 0 and .echoed.reordered == 0' \
	'$vx.vm0.rx_direct > 1000 and $vx.vm0.rx_shared > 1000' \
	'$vx.vm0.tx_direct > 1000 and $vx.vm0.tx_shared > 1000' \
	'$guests[0] | .received.hole_ms < 50 and .echoed.hole_ms < 50' \
	'$guests[0] | .sent + .primed_lost + .primed == .received.frames + .primed + $vx.vm0.rx_drops + $uplink.all_drops'
[ "$changes" -ge "$VISITS" ] && ok "it changed $changes times" || not_ok "only $changes changes of lane"
vx_stop
done_testing
