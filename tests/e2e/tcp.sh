#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 200 MB over TCP each way, to the wire and to the host, split and packed. Checksum and
# segmentation offload are on in the guest without anyone setting them, frames larger than the MTU
# pass the port's tap both ways, and checksums on the wire are right.
LAB_TIMEOUT=400
. "$(dirname "$0")/../lib/lab.sh"

plan 13
BYTES=${VXDP_TEST_BYTES:-200000000}

transfer() {
	tcp_both_ways "$1" vm0 "$BYTES" "$2"
	tcp_is "$BYTES" "$ring: $((BYTES / 1000000)) MB each way between guest and $1"
	diag "$1: $(jq -c 'map({mbit_s, retransmits, reordering_seen, out_of_order} | with_entries(select(.value != null)))' <<<"$tcp")"
}

offload() {
	local features
	features=$(guest_run vm0 'ethtool -k eth0')
	is "$(grep -cE '^(tcp-segmentation-offload|tx-checksumming|rx-checksumming|generic-receive-offload): on' <<<"$features")" 4 \
		"$ring: the guest has checksum and segmentation offload on by itself"
}

# Frames longer than MTU + header on the port's tap: "in" is from the guest.
big_frames() {
	on_host tcpdump -i vx-vm0 --immediate-mode -nn -Q "$1" -c 20 -s 96 'tcp and greater 1515' 2>/dev/null | wc -l
}

# The tap is watched during a transfer of its own, so that the others run unwatched.
watch_tap() {
	big_frames in >"$LAB_DIR/big.in" &
	local in=$!
	big_frames out >"$LAB_DIR/big.out" &
	local out=$!
	sleep 1
	tcp_both_ways "$1" vm0 20000000 7020
	sleep 1.5 # tcpdump passes packets on once a second
	kill_tcpdumps
	wait $in $out
	is "$(cat "$LAB_DIR/big.in")" 20 "$ring: frames larger than the MTU from the guest, $1: twenty seen"
	is "$(cat "$LAB_DIR/big.out")" 20 "$ring: frames larger than the MTU to the guest, $1: twenty seen"
}

kill_tcpdumps() {
	local pid
	for pid in $(ip netns pids "$NS_HOST") $(ip netns pids "$NS_WIRE"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = tcpdump ] && kill -INT "$pid" 2>/dev/null
	done
	return 0
}

# A veth carries unfinished checksums and whole GSO frames, a wire does not. With the offloads of
# the NIC off, the kernel finishes both on the way out, from what the guest asked for.
wire_checksums() {
	local file=$LAB_DIR/wire.pcap bad total
	on_host ethtool -K eth0 tx off >/dev/null 2>&1
	on_wire ethtool -K wire0 gro off >/dev/null 2>&1
	exec_wire tcpdump -i wire0 -nn -w "$file" -c 4000 -s 0 "host $GUEST_IP" 2>/dev/null &
	local pid=$!
	sleep 1
	tcp_both_ways wire vm0 2000000 7030
	guest_run vm0 'traffic udp-echo --port 7031 --timeout 30 --background /tmp/echo' >/dev/null
	on_wire "$TRAFFIC" udp-ping --to $GUEST_IP --port 7031 --size 18-300 >/dev/null
	on_wire ping -c 3 -i 0.2 -q $GUEST_IP >/dev/null
	sleep 1.5 # tcpdump passes packets on once a second
	kill_tcpdumps
	wait $pid
	on_wire ethtool -K wire0 gro on >/dev/null 2>&1
	on_host ethtool -K eth0 tx on >/dev/null 2>&1
	total=$(tshark -r "$file" -Y "ip.src == $GUEST_IP && (tcp || udp)" 2>/dev/null | wc -l)
	bad=$(tshark -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -r "$file" \
		-Y 'ip.checksum.status == Bad || tcp.checksum.status == Bad || udp.checksum.status == Bad' 2>/dev/null | wc -l)
	cmp_ok "$total" '>' 500 "$ring: frames of the guest seen on the wire"
	is "$bad" 0 "$ring: every checksum on the wire is right"
}

one_ring() {
	ring=$1
	vm_up vm0 queues=2 packed="$([ "$ring" = packed ] && echo on || echo off)" ||
		bail "$ring: no guest"
	transfer wire 7010
	transfer host 7011
	if [ "$ring" = split ]; then
		offload
		watch_tap wire
		watch_tap host
		wire_checksums
		is "$(out_of_band)" 0 "no frame dropped because of a wrong offload request"
	else
		offload
	fi
	guest_stop vm0
	vxdp_stop
}

out_of_band() { stat_sum vm0 '.queues[].tx.drops.drop_tx_offload.packets'; }

lab_begin queues=2
one_ring split
one_ring packed
