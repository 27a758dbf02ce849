#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Broadcast, multicast and unknown unicast reach everyone exactly once, and never come back.
LAB_TIMEOUT=150
. "$(dirname "$0")/../lib/lab.sh"

plan 21
N=200

recv() { echo "udp-recv --bind 0.0.0.0 --port $1 --expect $N --idle 1.5 --timeout 20 --background $2"; }

# broadcast FROM: from one, received by all three. The sender's own kernel gives it one copy.
broadcast() {
	local from=$1 port=$2 what dir=$LAB_DIR
	rm -f "$dir"/bc.*
	guest_run vm0 "rm -f /tmp/bc; traffic $(recv "$port" /tmp/bc)" >/dev/null
	# shellcheck disable=SC2046 # words
	on_wire "$TRAFFIC" $(recv "$port" "$dir/bc.wire") >/dev/null
	# shellcheck disable=SC2046
	on_host "$TRAFFIC" $(recv "$port" "$dir/bc.host") >/dev/null
	sleep 0.3
	local send="udp-send --to 10.77.0.255 --port $port --size 200 --count $N --rate 500"
	# shellcheck disable=SC2086
	case $from in
	guest) guest_run vm0 "traffic $send" >/dev/null ;;
	*) "on_$from" "$TRAFFIC" $send >/dev/null ;;
	esac
	eventually 10 test -s "$dir/bc.wire"
	eventually 5 test -s "$dir/bc.host"
	guest_run vm0 'for i in 1 2 3 4 5 6 7 8; do [ -s /tmp/bc ] && break; sleep 0.5; done; cat /tmp/bc' >"$dir/bc.guest"
	for what in guest host wire; do
		is "$(json '"\(.received) \(.duplicate) \(.reordered) \(.corrupt)"' <"$dir/bc.$what")" "$N 0 0 0" \
			"$lane lane: $N broadcasts from the $from, at the $what"
	done
}

lab_begin queues=2
for lane in kernel direct; do
	vm_up vm0 lane=$lane queues=2 || bail "$lane lane: no guest"
	broadcast wire 7301
	broadcast host 7302
	broadcast guest 7303
	guest_stop vm0
	vxdp_stop
done

# An address nobody has: a frame to it goes to the guest once, and does not come back to the wire.
vm_up vm0 || bail "no guest"
on_wire ip neigh replace 10.77.0.99 lladdr 52:54:00:77:00:99 dev wire0
rx_before=$(net_counter wire wire0 rx packets)
guest_before=$(guest_run vm0 "cat /sys/class/net/eth0/statistics/rx_packets")
on_wire "$TRAFFIC" udp-send --to 10.77.0.99 --port 7304 --count $N --rate 500 >/dev/null
sleep 1
rx_after=$(net_counter wire wire0 rx packets)
guest_after=$(guest_run vm0 "cat /sys/class/net/eth0/statistics/rx_packets")
cmp_ok $((guest_after - guest_before)) ">=" $N "frames to an unknown address come to the guest"
cmp_ok "$rx_before" ">" 0 "(the counter of the wire counts)"
cmp_ok $((rx_after - rx_before)) "<" 20 "and do not come back to the wire"
