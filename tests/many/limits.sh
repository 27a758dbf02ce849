#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# limits.sh - what a guest can do to others, and what is done about it: a storm of broadcasts, a
# receive ring that is never refilled, more addresses than it may have. The rings are long: a worker
# that is always busy is kept from its CPU for some milliseconds now and then, and that is not what
# is looked at here.
#
#   RATE=20000    frames a second between two guests, while a third one does that
#   FAST=200000   the same, before all else on the machine, and with no limit to the storm, too
set -u
# shellcheck source=tests/many/lib.sh
. "$(dirname "$0")/lib.sh"

RATE=${RATE:-20000}
FAST=${FAST:-200000}
many_init vxlimits
many_start 6 || { not_ok "vxdp starts"; done_testing; exit 1; }

keeps='.trouble > 1000 and .alone.received > 500 and .median >= 0.9'
# counted NAME WHAT TEXT: by that port, whichever counts it, the programs or the lanes
counted() {
	if on_host "$VXDP" stats v0 -j | json_holds --arg n "$1" --arg what "$2" 'any(.ports[]; .name == $n and
		([.verdicts[$what], .queues[]?.rx.drops[$what]] | map(.packets // 0) | add) > 100)' >/dev/null; then ok "$3"; else not_ok "$3"; fi
}
# What a guest taught the switch.
taught() { on_host "$VXDP" fdb show v0 dev "$1" -j | jq '.entries | length'; }

limit_storm() { on_host "$VXDP" port set v0 vm2 storm "$1"; }
# fast RING OPTION: at the higher rate
fast() {
	run_first on
	many_test "$1, $FAST frames/s: beside a storm, cut off" \
		"60 storm 6 --ms 100 --rate $FAST --ring 1024 $2" "$keeps"
	many_test "$1, $FAST frames/s: beside a guest that never refills its ring" \
		"60 hog 6 --ms 100 --rate $FAST --ring 1024 $2" "$keeps"
	limit_storm off
	many_test "$1, $FAST frames/s: beside a storm that nobody limits" \
		"60 storm 6 --ms 100 --rate $FAST --ring 1024 $2" "$keeps"
	limit_storm 1000
	run_first off
}

limit_storm 1000
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	many_test "$ring: beside a storm of broadcasts others keep their rate" \
		"60 storm 6 --ms 100 --rate $RATE --ring 1024 $option" "$keeps"
	many_test "$ring: and beside a guest that never refills its receive ring" \
		"60 hog 6 --ms 100 --rate $RATE --ring 1024 $option" "$keeps"
	fast $ring "$option"
done
counted vm2 drop_storm "the storm is cut off, and counted"
counted vm2 flooded "what is allowed of it goes on"
counted vm3 drop_rx_no_buffer "as is what finds no receive buffer"
on_host "$VXDP" port set v0 vm2 storm off mac-limit 20

many_test "from more addresses than a guest may have all arrives" "60 crowd 6" '.received == .sent'
n=$(taught vm2)
if [ "$n" = 20 ]; then ok "but only so many are learnt"; else not_ok "but only so many are learnt: $n of 20"; fi
on_host "$VXDP" port set v0 vm2 mac-limit default
many_test "with the limit gone" "60 crowd 6" '.received == .sent'
n=$(taught vm2)
if [ "$n" -gt 200 ]; then ok "they are learnt"; else not_ok "they are learnt: $n"; fi
done_testing
