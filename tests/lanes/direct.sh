#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# direct.sh - what the direct lane promises, by the port's counters and by a guest that watches
# its own receive ring (lane_guest.c): no copy in user space, used buffers in any order, a share of
# the ring left for the kernel lane, buffers the kernel cannot write to, and a stop after which
# nobody writes.
#
#   CYCLES=1000    how often the last test stops and starts the rings
set -u
# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "$0")/../testpmd/lib.sh"

CYCLES=${CYCLES:-1000}
guest=$top/build/tests/lanes/lane_guest
port_start() { wire_queues 1 && vx_start "$tmp/vm.sock" --lane direct --role server; }

# lane_test NAME "MODE OPTIONS" CONDITION...: the guest's run, then the conditions: jq, over
# $guest, what it printed, and as in balance().
lane_test() {
	local name=$1 problems
	local -a command
	read -ra command <<<"$2"
	shift 2
	snapshot before
	timeout -k 5 240 "$guest" "${command[@]}" --socket "$tmp/vm.sock" \
		--wire "$ns_wire:g0" --ready "bash $tmp/lane-open >/dev/null 2>&1" >"$tmp/guest.json" 2>"$tmp/guest.err" ||
		problems="$(cat "$tmp/guest.err" "$tmp/guest.json")"
	sleep 0.1
	snapshot after
	[ -n "${problems:-}" ] || problems=$(balance null "$(cat "$tmp/guest.json")" "$@" 2>&1)
	if [ -z "$problems" ]; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/# /' <<<"$problems"
	fi
}

# The path is primed with some frames before those that count, the first of which find no guest yet:
# hence "at least" and $guest.primed_lost below.
direct_is_clean='$vx.rx_direct >= $guest.sent and $vx.tx_direct >= $guest.sent and
	$vx.rx_bounced + $vx.tx_bounced + $vx.tx_drops == 0 and $vx.rx_drops <= $guest.primed_lost'

args=()
test_init vxlanes
# However long that takes on a busy machine: frames before it take the kernel lane.
cat >"$tmp/lane-open" <<-END
	. "$top/tests/lib/json.sh"
	nsenter --net=/run/netns/$ns_host "$VXDP" status v0 -j | json_holds 'any(.ports[]; .lane == "direct")'
END
[ -x "$guest" ] || skip_all "$guest is not built (make tests)"
on_wire ethtool -K g0 gro on 2>/dev/null
port_start || { not_ok "vxdp starts"; done_testing; exit 1; }

# lane_tests TEXT: what a guest with either ring sees; TEXT says how it is different this time.
lane_tests() {
	local what=$1 ring option
	for ring in split packed; do
		option=
		[ $ring = split ] || option=--packed
		lane_test "$what$ring: all frames go directly both ways, and none is copied" \
			"echo --count 5000 $option" \
			'$guest.sent == 5000 and $guest.received == 5000 and $guest.echoed == 5000' \
			"$direct_is_clean"
		lane_test "$what$ring, buffers too small: copied, counted as bounced, and whole" \
			"echo --count 2000 --rx-bytes 400 $option" \
			'$guest.received == 2000 and $guest.echoed == 2000' \
			'$vx.rx_direct == 0 and $vx.rx_bounced >= 2000 and $vx.rx_drops <= $guest.primed_lost'
		lane_test "$what$ring, scattered buffers: the same" \
			"echo --count 2000 --rx-parts 3 $option" \
			'$guest.received == 2000 and $guest.echoed == 2000' \
			'$vx.rx_direct == 0 and $vx.rx_bounced >= 2000 and $vx.rx_drops <= $guest.primed_lost'
		lane_test "$what$ring, scattered buffers without MRG_RXBUF: the same" \
			"echo --count 2000 --rx-parts 2 --no-mrg $option" \
			'$guest.received == 2000 and $guest.echoed == 2000' \
			'$vx.rx_direct == 0 and $vx.rx_bounced >= 2000 and $vx.rx_drops <= $guest.primed_lost'
		lane_test "$what$ring: both lanes fill one ring, nothing is lost or doubled" \
			"mixed --count 5000 $option" \
			'$guest.received == 5000' \
			'$vx.rx_direct >= 2500 and $vx.rx_kernel >= 2500 and $vx.rx_drops <= $guest.primed_lost' \
			"(\"$ring\" == \"packed\") or \$guest.out_of_order > 0"
		lane_test "$what$ring: an idle direct lane leaves the kernel lane its share of the buffers" \
			"quota $option" \
			'$guest.received == 200 and $vx.rx_drops <= $guest.primed_lost' \
			'$vx.rx_kernel >= 100 and $vx.rx_direct >= 100'
	done
}

lane_tests ''

descriptors() { find "/proc/$vx_pid/fd" | wc -l; }
n_descriptors=$(descriptors)
n_opened=$(grep -c 'direct lane:' "$tmp/vxdp.log")
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	lane_test "$ring: $((CYCLES / 2)) stops and starts under load, no write after a stop" \
		"cycles --count $((CYCLES / 2)) $option" \
		'$guest.stale == 0 and $guest.received > 0' \
		"\$vx.rx_direct > $CYCLES" \
		'$guest.sent + $guest.primed_lost == $guest.received + $vx.rx_drops + $lost.to_guest'
done
n_opened=$(($(grep -c 'direct lane:' "$tmp/vxdp.log") - n_opened))
# A cycle of 45 ms is long enough to open the lane, unless the machine has much else to do.
if [ "$n_opened" -ge $((CYCLES * 9 / 10)) ] && [ "$(descriptors)" -le "$n_descriptors" ]; then
	ok "the direct lane was opened $n_opened times, and leaves no descriptor behind"
else
	not_ok "opened $n_opened times of $CYCLES; $(descriptors) descriptors, before $n_descriptors"
fi

# As beside another XDP program with an old libxdp: the program leaves the virtio-net header out.
vx_stop
export VXDP_XDP_BARE=1
if port_start && on_host "$VXDP" -j status v0 | json_holds '.xdp_why | test("headers are left")' >/dev/null; then
	lane_tests 'bare, '
	lane_test "bare: $((CYCLES / 10)) stops and starts under load, no write after a stop" \
		"cycles --count $((CYCLES / 10))" \
		'$guest.stale == 0 and $guest.received > 0' \
		'$guest.sent + $guest.primed_lost == $guest.received + $vx.rx_drops + $lost.to_guest'
else
	not_ok "bare: vxdp starts with the program that writes no headers"
fi
done_testing
