#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# vlans.sh - guests, a tap and the wire in VLANs: each hears those in its own, whole and with the
# right tag, and nobody else, in every lane; and a change holds for the next frame in every lane.
. "$(dirname "$0")/env.sh"
plan 17
cli_begin
MEMBERS=$ROOT/build/tests/cli/members
start --vm "$DIR/vm0.sock" --trunk 10,20
for port in vm1:10 vm2:10 vm3:20; do
	vxdp attach eth0 --vm "$DIR/${port%:*}.sock" --vlan ${port#*:} >/dev/null
done
vxdp attach eth0 --tap vlantap --vlan 20 >/dev/null

everybody=("guest=$DIR/vm0.sock,tag=10,tag=20" "guest=$DIR/vm1.sock,bare=10" "guest=$DIR/vm2.sock,bare=10"
	"guest=$DIR/vm3.sock,bare=20" "tap=vlantap,bare=20" "wire=$NS_WIRE:wire0,tag=10,tag=20,bare=0")

# members ARGS...: what it says in $OUT
members() {
	OUT=$(on_host timeout 60 "$MEMBERS" "$@" 2>"$DIR/members.err")
	[ ! -s "$DIR/members.err" ] || diag "$(<"$DIR/members.err")"
}

holds() { # TEXT CONDITION
	if json_holds "$2" <<<"$OUT" >/dev/null; then ok "$1"; else not_ok "$1"; diag "$OUT"; fi
}

# Frames of a port that took a lane: sum PORT rx|tx LANE
lane() { vxdp stats eth0 -j | jq "[.ports[] | select(.name == \"$1\") | .queues[].$2.$3.packets] | add"; }
drops() { vxdp stats eth0 -j | jq "[.ports[].verdicts.$1.packets // 0] | add"; }

members "${everybody[@]}"
holds "each member of a VLAN hears the others" '.deaf == 0 and .arrived <= .expected and .expected > 2000'
holds "with its tag, or without, as it wants them" '.wrong_tag == 0'
holds "and nobody hears anything of another VLAN" '.leaked == 0'
cmp_ok "$(lane vm1 tx guest)" '>' 100 "guests of one VLAN talk in the guest lane"
cmp_ok "$(lane vm0 tx shared)" '>' 100 "tagged frames reach the wire in the shared lane"
cmp_ok "$(lane vm1 tx kernel)" '>' 100 "and frames whose tag changes go by the programs"

# cuts FROM:TO TEXT PART JOIN REASON: what PART forbids ends at once, and JOIN allows again.
cuts() {
	local before
	before=$(drops "$5")
	members "${everybody[@]}" --cut "$1" "$VXDP port set eth0 $3 >/dev/null" "$VXDP port set eth0 $4 >/dev/null"
	holds "$2" '.together > 100 and .parted == 0 and .again > 100'
	[ "$(drops "$5")" -gt "$before" ] || { not_ok "$2: counted as $5"; }
}
cuts 1:2 "guest lane: another VLAN" "vm2 vlan 20" "vm2 vlan 10" flooded
vxdp port set eth0 vm1 isolated on
cuts 1:2 "guest lane: isolated" "vm2 isolated on" "vm2 isolated off" drop_isolated
cuts 1:2 "guest lane: an address it may not send from" "vm1 spoof-check on mac 52:54:00:00:00:99" \
	"vm1 spoof-check off" drop_spoofed
cuts 0:5 "shared lane, to the wire: not in the VLAN" "vm0 trunk 20" "vm0 trunk 10,20" drop_vlan_in
cuts 5:0 "shared lane, from the wire: not in the VLAN" "vm0 trunk 20" "vm0 trunk 10,20" flooded
cuts 4:3 "kernel lane: another VLAN" "vm3 vlan 10" "vm3 vlan 20" flooded
finish TERM
is "$?" 0 "vxdp ends well"

# A guest that has the NIC's queue for itself.
start --vm "$DIR/vm0.sock" --trunk 10,20 --lane direct
everybody=("guest=$DIR/vm0.sock,tag=10,tag=20" "wire=$NS_WIRE:wire0,tag=10,tag=20,bare=0")
cuts 0:1 "direct lane, to the wire: not in the VLAN" "vm0 trunk 20" "vm0 trunk 10,20" drop_vlan_in
cmp_ok "$(lane vm0 tx direct)" '>' 100 "that was the direct lane"
cuts 1:0 "direct lane, from the wire: not in the VLAN" "vm0 trunk 20" "vm0 trunk 10,20" flooded
cmp_ok "$(lane vm0 rx direct)" '>' 100 "so was that"
finish TERM
