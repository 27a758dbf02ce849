#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP of a guest behind vxdp against the same guest on a plain QEMU tap in a Linux bridge, in
# turns. The ratio is printed; only a gross difference fails, since machines and moments differ.
LAB_TIMEOUT=300
. "$(dirname "$0")/../lib/lab.sh"

plan 4
ROUNDS=3 BYTES=80000000

# The bridge has namespaces and a wire of its own, beside those of vxdp.
bridge_up() {
	LAB_ID=${LAB_ID}b net_up queues=2 || return 1
	on_host ip link add br0 type bridge
	on_host ip link set eth0 master br0
	on_host ip addr flush dev eth0 scope global
	on_host ip addr add $HOST_IP/24 brd + dev br0
	on_host ip tuntap add tap0 mode tap multi_queue vnet_hdr
	on_host ip link set tap0 master br0 up
	on_host ip link set br0 up
	guest_start plain tap=tap0 queues=2 mac=$GUEST_MAC ip=$GUEST_IP/24 || return 1
	guest_wait plain && eventually 10 pings $GUEST_IP 1
}

use() { NS_HOST=$1-host NS_WIRE=$1-wire; }

# rate: of a list of the results at sender and receiver, the receiver's.
both_rates() {
	tcp_both_ways "$2" "$1" $BYTES "$3"
	[ "$out_sum $in_sum" = "$out_got $in_got" ] || diag "$1: the checksum differs"
	jq -r '"\(.[1].mbit_s // 0) \(.[3].mbit_s // 0)"' <<<"$tcp"
}

lab_begin queues=2
vm_up vm0 queues=2 || bail "no guest"
first=$LAB_ID
bridge_up || bail "no guest on the bridge"
for side in wire host; do
	for ((i = 0; i < ROUNDS; i++)); do
		use "$first"
		vx=$(both_rates vm0 $side $((8000 + i)))
		use "${first}b"
		br=$(both_rates plain $side $((8000 + i)))
		diag "$side, round $i: from and to the guest, Mbit/s: vxdp $vx, bridge $br"
		echo "$vx $br" >>"$LAB_DIR/$side"
	done
	read -r out in <<<"$(awk '{ a += $1; b += $2; c += $3; d += $4 } END { printf "%.2f %.2f", a / c, b / d }' "$LAB_DIR/$side")"
	cmp_ok "$out" '>' 0.5 "TCP from the guest to the $side, vxdp / bridge"
	cmp_ok "$in" '>' 0.5 "TCP from the $side to the guest, vxdp / bridge"
done
