#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# many.sh - many guests, the wire and the host: each reaches each other one exactly once, addresses
# that move are followed, and no guest is harmed by another.
#
#   GUESTS=60
set -u
# shellcheck source=tests/many/lib.sh
. "$(dirname "$0")/lib.sh"

GUESTS=${GUESTS:-60}
many_init vxmany

many_start "$GUESTS" || { not_ok "vxdp starts, and takes $GUESTS guests"; done_testing; exit 1; }
n=$(on_host "$VXDP" status v0 -j | jq '[.ports[] | select(.name | startswith("vm"))] | length')
if [ "$n" = "$GUESTS" ]; then ok "$n guests on one NIC"; else not_ok "$n of $GUESTS guests on one NIC"; fi

each_once='(.broadcast, .unicast) | .received == .wanted and .duplicate == 0 and .misplaced == 0'
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	many_test "$ring: $GUESTS guests, the wire and the host reach each other, each once" \
		"100 reach $GUESTS $option" "$each_once"
	many_test "$ring: an address moves to other guests, the wire and back, and its frames follow" \
		"60 moves 6 $option" '.worst_ms < 1000' '.stray == 0 and .elsewhere == 0'
	many_test "$ring: the same at full rate: no frame goes to the old place any more, none overtakes another" \
		"60 moves 6 $option --full-rate" '.worst_ms < 1000' '.stray == 0 and .elsewhere == 0' \
		'.reordered == 0 and .arrived > 10000'
done
done_testing
