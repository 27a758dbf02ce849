#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# vxdp port: what it sets is in the pinned maps, is what the programs do, and stays where it should,
# with a process and without one.
. "$(dirname "$0")/env.sh"
plan 63
cli_begin
start --vm "$DIR/vm0.sock"
vxdp attach eth0 --vm "$DIR/vm1.sock" --vlan 20 --isolated --mac 52:54:00:00:00:11,52:54:00:00:00:12 >/dev/null
vxdp attach eth0 --vm "$DIR/vm2.sock" --trunk 10,20-30 --native 1 >/dev/null

generation() { on_host bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/config" | jq '.. | .generation? // empty' | head -n 1; }
port() { vxdp port show eth0 "$1"; }
OPEN="vlan all isolated off learning on flood on storm off mac-limit default spoof-check off mac none"

# sets PORT WORDS... -- WHAT IT IS THEN
sets() {
	local port=$1 words=() before
	shift
	while [ "$1" != -- ]; do words+=("$1"); shift; done
	before=$(generation)
	exits 0 "set $port ${words[*]}" vxdp port set eth0 "$port" "${words[@]}"
	is "$(port "$port")" "$port $2" "and shows it"
	cmp_ok "$(generation)" '>' "$before" "and raises the generation"
}

exits 0 "show -j" vxdp port show eth0 -j
fits port_show "has the promised shape"
is "$(jq -c '[.ports[].name]' <<<"$OUT")" '["uplink","host","vm0","vm1","vm2"]' "of all ports"
is "$(port vm0)" "vm0 $OPEN" "a new port may do everything"
is "$(port vm1)" "vm1 vlan 20 isolated on learning on flood on storm off mac-limit default spoof-check on mac 52:54:00:00:00:11,52:54:00:00:00:12" \
	"attach --vlan --isolated --mac"
is "$(port vm2)" "vm2 ${OPEN/vlan all/trunk 10,20-30 native 1}" "attach --trunk --native"
is "$(vxdp port eth0 vm0)" "vm0 $OPEN" "show is what it does without a word"

sets vm0 vlan 10 -- "${OPEN/vlan all/vlan 10}"
is "$(on_host bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/policies" | jq -c '.[3].formatted.value | [.vlan_mode, .pvid]')" '[1,10]' \
	"bpftool sees it by name"
sets vm0 trunk 7 -- "${OPEN/vlan all/trunk 7 native none}"
sets vm0 native 0 trunk all -- "${OPEN/vlan all/trunk 1-4094 native 0}"
sets vm0 vlan all storm 1000 mac-limit 64 learning off flood off isolated on -- \
	"vlan all isolated on learning off flood off storm 1000 mac-limit 64 spoof-check off mac none"
sets vm0 spoof-check on mac 52:54:00:00:00:01 isolated off learning on flood on -- \
	"vlan all isolated off learning on flood on storm 1000 mac-limit 64 spoof-check on mac 52:54:00:00:00:01"
sets vm0 mac 52:54:0:0:0:2 storm off mac-limit default -- "${OPEN/spoof-check off mac none/spoof-check on mac 52:54:00:00:00:02}"
# shellcheck disable=SC2086 # the words
sets vm0 $OPEN -- "$OPEN"
sets uplink trunk 10,20 native 1 storm 5000 -- \
	"trunk 10,20 native 1 isolated off learning on flood on storm 5000 mac-limit default spoof-check off mac none"
vxdp port set eth0 uplink vlan all storm off

# What it means for a frame: the host answers the wire only in a VLAN both are in.
pings() { on_wire ping -c 1 -W 1 -q $HOST_IP >/dev/null; }
no_ping() { ! pings; }
check "the host answers on the wire" pings
vxdp port set eth0 host vlan 10
check "not while it is in a VLAN" no_ping
vxdp port set eth0 uplink vlan 10
check "but when the wire is in that VLAN too" pings
is "$(vxdp fdb eth0 vlan 10 -j | jq -c "[.entries[] | select(.mac == \"$WIRE_MAC\") | .port]")" '["uplink"]' \
	"where its address is learnt"
vxdp port set eth0 host vlan all
vxdp port set eth0 uplink vlan all

# The FDB's entries are in the port's VLAN.
vxdp port set eth0 vm0 vlan 10
exits 0 "fdb add without a VLAN" vxdp fdb add eth0 52:54:00:00:00:01 port vm0
is "$(vxdp fdb eth0 port vm0 vlan 10 -j | jq '.entries | length')" 1 "is in that of the port"

vxdp fdb add eth0 52:54:00:00:00:02 dev vm0 static
vxdp port set eth0 vm0 vlan 11
is "$(vxdp fdb eth0 port vm0)" "52:54:00:00:00:02 dev vm0 vlan 10 static" "what it learnt in a VLAN is forgotten with it"
vxdp port set eth0 vm0 vlan 10
vxdp fdb add eth0 52:54:00:00:00:03 dev vm0
vxdp fdb add eth0 52:54:00:00:00:04 dev vm0
exits 0 "addresses that were used, and may not be" vxdp port set eth0 vm0 spoof-check on mac 52:54:00:00:00:04
is "$(vxdp fdb eth0 port vm0 -j | jq -c '[.entries[].mac] | sort')" '["52:54:00:00:00:02","52:54:00:00:00:04"]' "are forgotten"
vxdp port set eth0 vm0 spoof-check off mac none

is "$(vxdp __complete port set eth0 '' | xargs)" "uplink host vm0 vm1 vm2" "completion of a port"
is "$(vxdp __complete port set eth0 vm0 vlan 10 '' | xargs)" \
	"vlan trunk native isolated learning flood storm mac-limit spoof-check mac" "of what it may have"
is "$(vxdp __complete port set eth0 vm0 isolated '' | xargs)" "on off" "and of a value"

exits 2 "no key" vxdp port set eth0 vm0
exits 2 "no value" vxdp port set eth0 vm0 vlan
exits 2 "a key that is mistyped" vxdp port set eth0 vm0 isolatd on
is "$ERR" "vxdp: a port has no 'isolatd'
      did you mean 'isolated'?" "which is said"
exits 2 "no VLAN" vxdp port set eth0 vm0 vlan 4095
exits 2 "no list of VLANs" vxdp port set eth0 vm0 trunk 10,30-20
exits 2 "both kinds of VLANs" vxdp port set eth0 vm0 vlan 10 trunk 20
exits 2 "a native VLAN without a trunk" vxdp port set eth0 vm0 native 10
exits 2 "no switch" vxdp port set eth0 vm0 isolated yes
exits 2 "checked sources, and none allowed" vxdp port set eth0 vm0 spoof-check on
exits 2 "isolated is not for the wire" vxdp port set eth0 uplink isolated on
exits 3 "a port that is not there" vxdp port set eth0 nosuch vlan 10
exits 3 "a NIC that is not attached" vxdp port show nosuch
is "$(port vm0)" "vm0 ${OPEN/vlan all/vlan 10}" "none of which changed anything"
exits 2 "attach with wrong VLANs" vxdp attach eth0 --vm "$DIR/vm3.sock" --vlan 0

# It stays with the name: not after detach, but when the process was killed.
vxdp detach eth0 vm1 >/dev/null
vxdp attach eth0 --vm "$DIR/vm1.sock" >/dev/null
is "$(port vm1)" "vm1 $OPEN" "a port that is attached anew is a new one"
finish KILL
exits 0 "set without a process" vxdp port set eth0 vm0 isolated on
start --vm "$DIR/vm0.sock"
is "$(port vm0)" "vm0 ${OPEN/vlan all isolated off/vlan 10 isolated on}" "a successor keeps it"
is "$(vxdp status eth0 -j | jq -c '.ports[] | select(.name == "vm0") | .policy | [.vlan.vlan, .isolated]')" '[10,true]' "status -j has it"
finish TERM
