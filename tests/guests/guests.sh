#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guests.sh - frames from guest to guest: whole, in order, with the offloads the receiver takes, past
# guests that are slow, stop or go away, by one worker and by two. The guests are guests.c.
set -u
# shellcheck source=tests/guests/lib.sh
. "$(dirname "$0")/lib.sh"

layouts() {
	local ring
	for ring in '' packed; do
		run_guests "$ring" "$ring" -- --prime "${both_ways[@]}" --count 20000
		expect "${ring:-split} rings: all arrives, in order" "$whole" "$clean" "$in_lane"
		run_guests "$ring,rx=200" "$ring,indirect" -- --prime "${both_ways[@]}" --count 5000
		expect "${ring:-split} rings, small buffers, indirect tables: the same" "$whole" "$clean" "$in_lane"
		run_guests "$ring,nomrg" "$ring,nomrg,parts=3" -- --prime "${both_ways[@]}" --count 5000
		expect "${ring:-split} rings, one scattered buffer a frame: the same" "$whole" "$clean" "$in_lane"
	done
	run_guests packed '' -- --prime "${both_ways[@]}" --count 20000
	expect "packed to split and back: the same" "$whole" "$clean" "$in_lane"
}

offloads() {
	run_guests csum '' -- --prime --stream 0:1:1000:csum --stream 1:0:1000:csum --count 2000
	expect "checksums: left to who takes that, finished for who does not" "$whole" "$clean" \
		'.streams[1].unfinished == .streams[1].received and .streams[0].unfinished == 0'
	run_guests tso 'packed' -- --prime --stream 0:1:40054:csum --stream 1:0:40054:csum --count 500
	expect "GSO frames: whole for who takes them, cut for who does not" "$clean" \
		'all(.streams[]; .received_bytes == .sent_bytes)' \
		'.streams[1].whole == .streams[1].received and .streams[0].whole == 0' \
		'.streams[0].received == 28 * .streams[0].sent'
	run_guests csum csum,nomrg -- --prime --stream 0:1:9054:csum --stream 1:0:9054:csum --count 500
	expect "cut with the checksum the receiver would finish: the same bytes" "$clean" \
		'all(.streams[]; .received_bytes == .sent_bytes and .whole == 0)'
}

bad_neighbours() {
	run_guests '' '' ring=64 -- --prime --stall 2 --stream 0:1:200 --stream 0:2:200 --stream 2:1:200 --count 30000
	expect "a guest that refills nothing: the other one gets its own, the rest is counted" "$clean" \
		'.streams[0].received >= .streams[0].sent * 0.95' '$vx.rx_drops > 20000' \
		'$vx.tx_guest == $vx.rx_guest + $vx.rx_drops'
	run_guests '' '' '' -- --prime --leave 2 --stream 0:2:600 --stream 0:1:600 --stream 1:0:600 --stream 2:1:60 --count 30000
	expect "a guest that goes away in the middle: the others get theirs" "$clean" \
		'all(.streams[1:3][]; .received >= .sent * 0.95)'
	run_guests '' packed -- --prime --blink 1 "${both_ways[@]}" --count 40000
	# The guest lane is taken again as soon as the rings run: a second later, all would have gone by the tap.
	expect "rings that stop and start again and again: nothing wrong arrives, by the guest lane" "$clean" \
		'.blinks == 100' '$vx.rx_guest >= 0.4 * ([.streams[].sent] | add)'
}

muted() {
	local ring
	for ring in '' packed; do
		run_guests "$ring" '' -- --prime --mute 0 --stream 0:1:64 --count 30000
		expect "${ring:-split} rings: one that is disabled gets its frames back, and they are counted" "$clean" \
			'.streams[0].sent == 30000 and .streams[0].received > 15000' '$vx.tx_drops > 5000' \
			'.streams[0].received + $vx.tx_drops + $vx.rx_drops == 30000'
	done
}

# A worker that is awake wants no kicks; what came while it got ready to sleep changes nothing.
kicked() {
	local kind
	run_first on
	for kind in '' --no-event-idx --packed; do
		timeout -k 5 60 "${first[@]}" "$kicks" --socket "$tmp/vm0.sock" --socket "$tmp/vm1.sock" $kind >"$tmp/kicks.json" 2>&1
		# If the guest loses its CPU for a moment, then the worker sleeps: a kick each time, or some.
		if json_holds '.lost == 0 and .sent == 100000 and .kicks < .sent / 100' "$tmp/kicks.json" >/dev/null; then
			ok "${kind:-split}: a worker that is awake is not kicked"
		else
			not_ok "${kind:-split}: a worker that is awake is not kicked"
		fi
		note "$(cat "$tmp/kicks.json")"
	done
	run_first off
}

# The addresses are forgotten all the time, so every flow changes lanes all the time.
changes_of_lane() {
	local flusher
	while on_host "$VXDP" fdb flush v0; do
		sleep 0.01
	done >/dev/null 2>&1 &
	flusher=$!
	run_guests '' "$1" -- --stream 0:1:64 --stream 1:0:1000 --count 150000
	kill "$flusher"
	wait "$flusher" 2>/dev/null
	expect "$2: flows that change lanes at full rate stay in order" "$clean" \
		'all(.streams[]; .received > 10000)' '$vx.tx_guest > 1000 and $vx.tx_kernel > 100'
}

# Two guests whose pairs are on one worker, the first one, keep it busy with frames to nobody, while
# the other worker has next to nothing to do. They go on until one has been moved, and for a second.
was_moved() { grep -q "moves from worker" "$tmp/vxdp.log"; }
pairs_move() {
	local mover port
	for port in vm0 vm1 vm2 vm3; do
		on_host "$VXDP" port set v0 $port flood off
	done
	{ until_true 17 was_moved; sleep 1; touch "$tmp/enough"; } &
	mover=$!
	run_guests '' tso '' tso -- --prime --seconds 18 --until "$tmp/enough" --work 0 --work 2 \
		--stream 0:1:60000:csum --stream 2:3:60000:csum --stream 1:0:60 --stream 3:2:60
	expect "pairs under load move to the worker with less to do: all in order" "$clean" \
		'all(.streams[]; .received > 1000)'
	wait "$mover"
	was_moved && ok "a pair was moved" || not_ok "no pair was moved"
	note "$(grep "moves from worker" "$tmp/vxdp.log")"
}

dump_shows_it() {
	on_host timeout 20 "$VXDP" dump v0 --count 20 >"$tmp/dump.pcapng" 2>/dev/null &
	local dump=$!
	sleep 0.5
	run_guests '' '' -- --prime "${both_ways[@]}" --count 500
	wait "$dump"
	if [ "$(stat -c %s "$tmp/dump.pcapng")" -gt 2000 ]; then
		ok "vxdp dump shows frames from guest to guest"
	else
		not_ok "vxdp dump shows frames from guest to guest"
	fi
}

test_init vxguests
guests_there
ports_start 3 || { not_ok "vxdp starts"; done_testing; exit 1; }
layouts
offloads
bad_neighbours
muted
kicked
changes_of_lane '' "one worker"
dump_shows_it
vx_stop

if [ "$(nproc)" -gt 1 ]; then
	ports_start 3 --cpus 0,1 || not_ok "vxdp starts with two workers"
	run_guests '' packed '' -- --prime --stream 0:1:64 --stream 2:1:200 --stream 1:2:1514 --count 20000
	expect "two workers, two senders into one ring: it arrives, in order" "$most" "$clean" "$in_lane"
	run_guests '' '' -- --prime --pause 300 "${both_ways[@]}" --count 8000
	expect "two workers that fall asleep: no wake-up is lost" "$most" "$clean"
	bad_neighbours
	changes_of_lane packed "two workers"
	vx_stop
	ports_start 4 --cpus 0,1 && pairs_move
	vx_stop
else
	skip "two workers" "there is one CPU"
fi
done_testing
