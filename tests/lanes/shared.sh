#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shared.sh - what the shared lane promises: several guests behind one NIC queue, each getting its
# own frames and no others, an account that closes, and moves between the direct and the shared
# lane that reorder nothing. At full rate: turns.sh.
#
#   VISITS=10     how often a second guest comes and goes
set -u
# shellcheck source=tests/lanes/guests.sh
. "$(dirname "$0")/guests.sh"

VISITS=${VISITS:-10}

test_init vxshared
[ -x "$guest" ] || skip_all "$guest is not built (make tests)"
on_wire ethtool -K g0 gro on 2>/dev/null

whole='all($guests[]; .received.frames == 2000 and .echoed.frames == 2000)'
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
