#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# turns.sh - flows that turn from one lane to another at full rate, and stay in order. The rings are
# full, and much is dropped; what arrives is in order, and comes once.
#
# Which test shows that a flow stays in order while it turns:
#
#   kernel <-> direct      from the wire: addresses that get known, and are forgotten, here
#   kernel <-> shared      the same
#   direct <-> shared      here and in shared.sh, from the wire and to it (by the kernel lane for a moment)
#   kernel <-> guest       guests/guests: addresses forgotten, rings that stop and start; many/many: moved
#   worker to worker       guests/guests: pairs that move
#
#   COLD=8           flows that begin, for each lane
#   FLUSH_MS=3000    for how long all addresses are forgotten, again and again
#   VISITS=3         how often a second guest comes and goes, for each kind of ring
set -u
# shellcheck source=tests/lanes/guests.sh
. "$(dirname "$0")/guests.sh"

COLD=${COLD:-8}
FLUSH_MS=${FLUSH_MS:-3000}
VISITS=${VISITS:-3}

# rx LANE: frames that vm0 got by it, between before and after
rx() {
	jq -n --arg l "$1" --slurpfile a "$tmp/before.stats" --slurpfile b "$tmp/after.stats" '
		def rx: [.ports[] | select(.name == "vm0") | .queues[]? | .rx[$l].packets] | add // 0;
		($b[0] | rx) - ($a[0] | rx)'
}

# Nobody knows the guest's address at first: its frames are flooded, and wait in its tap when XDP begins
# to take them to the guest another way.
begins() {
	local lane=$1 n=$2 i slow=0 fast=0 reordered=0 name
	for ((i = 0; i < COLD; i++)); do
		on_host "$VXDP" fdb flush v0 >/dev/null
		guests stream "$n" --ms 200 --ring 1024 --full-rate --cold
		[ "$guest_status" -eq 0 ] || break
		reordered=$((reordered + $(jq '.guests[0] | .received.reordered + .echoed.reordered' "$tmp/guest.json")))
		slow=$((slow + $(rx kernel))) fast=$((fast + $(rx "$lane")))
	done
	name="flows that begin at full rate in the kernel lane ($slow frames) and go on in the $lane one ($fast): in order"
	if [ "$i $reordered" = "$COLD 0" ] && [ "$slow" -gt "$COLD" ] && [ "$fast" -gt 1000 ]; then
		ok "$name"
	else
		not_ok "$name"
		echo "# $i of $COLD, $reordered reordered"
	fi
}

flush_again_and_again() { while on_host "$VXDP" fdb flush v0 >/dev/null; do sleep 0.4; done; }

forgotten() {
	local lane=$1 n=$2 flusher
	shift 2
	flush_again_and_again 2>/dev/null &
	flusher=$!
	guests stream "$n" --ms "$FLUSH_MS" --ring 1024 --full-rate "$@"
	kill $flusher
	wait $flusher 2>/dev/null
	holds "$lane lane${1:+, packed ring}: all addresses forgotten, again and again: in order" "$in_order" \
		'$guests[0].received.frames > 10000' "$(rx kernel) > 1000" "$(rx "$lane") > 1000"
}

moves() {
	local name=$1 changes
	shift
	changes=$(lane_changes)
	guests moves 2 --count "$VISITS" --ms 300 --ring 1024 --full-rate "$@"
	changes=$(($(lane_changes) - changes))
	holds "$name: from direct to shared and back ($changes changes): in order" \
		"$in_order" "$changes >= 2" \
		'$vx.vm0.rx_direct > 1000 and $vx.vm0.rx_shared > 1000' \
		'$vx.vm0.tx_direct > 1000 and $vx.vm0.tx_shared > 1000' \
		'$guests[0] | .sent + .primed_lost >= .received.frames + $vx.vm0.rx_drops'
}

test_init vxturns
[ -x "$guest" ] || skip_all "$guest is not built (make tests)"
on_wire ethtool -K g0 gro on 2>/dev/null
for cpus in 0 0,1; do
	ports_start 2 1 --cpus $cpus || { not_ok "vxdp starts with --cpus $cpus"; continue; }
	moves "CPUs $cpus, split ring"
	moves "CPUs $cpus, packed ring" --packed
	forgotten direct 1
	forgotten direct 1 --packed
	forgotten shared 2
	forgotten shared 2 --packed
	vx_stop
done
ports_start 2 1 --cpus 0 || { not_ok "vxdp starts"; done_testing; exit 1; }
begins direct 1
begins shared 2
vx_stop
done_testing
