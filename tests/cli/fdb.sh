#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# vxdp fdb: what it shows and changes is what the programs use, with a process and without one.
. "$(dirname "$0")/env.sh"
plan 43
cli_begin
start --vm "$DIR/vm0.sock"

generation() { on_host bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/config" | jq '.. | .generation? // empty' | head -n 1; }
entry() { vxdp fdb show eth0 -j | jq -c ".entries[] | select(.mac == \"$1\" and .vlan == $2) | [.port, .static]"; }
bumps() { # TEXT COMMAND...
	local before text=$1
	shift
	before=$(generation)
	exits 0 "$text" "$@"
	cmp_ok "$(generation)" '>' "$before" "and raises the generation"
}

pings() { on_wire ping -c 1 -W 2 -q $HOST_IP >/dev/null; }
check "the host answers on the wire" pings
exits 0 "show -j" vxdp fdb show eth0 -j
fits fdb_show "has the promised shape"
is "$(entry $WIRE_MAC 0)" '["uplink",false]' "what the wire sent was learnt"

bumps "add" vxdp fdb add eth0 52:54:00:00:00:01 dev vm0
is "$(entry 52:54:00:00:00:01 0)" '["vm0",false]' "it is there"
bumps "add static, in a VLAN" vxdp fdb add eth0 52:54:00:00:00:01 dev vm0 vlan 7 static
is "$(entry 52:54:00:00:00:01 7)" '["vm0",true]' "it is there beside the other"
bumps "add again changes the port" vxdp fdb add eth0 52:54:00:00:00:01 dev uplink
is "$(entry 52:54:00:00:00:01 0)" '["uplink",false]' "it moved"
exits 0 "text" vxdp fdb eth0 vlan 7
is "$OUT" "52:54:00:00:00:01 dev vm0 vlan 7 static" "is bridge's"
is "$(on_host bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/fdb" | jq '[.. | objects | select(.vlan? == 7)] | length')" 1 \
	"bpftool sees it by name"
exits 3 "a port that is not there" vxdp fdb add eth0 52:54:00:00:00:02 dev nosuch
exits 3 "del of what is not there" vxdp fdb del eth0 52:54:00:00:00:02
exits 3 "del behind another port" vxdp fdb del eth0 52:54:00:00:00:01 dev vm0
bumps "del" vxdp fdb del eth0 52:54:00:00:00:01 dev uplink
is "$(entry 52:54:00:00:00:01 0)" "" "it is gone"
exits 0 "flush dynamic" vxdp fdb flush eth0 dynamic
is "$(entry 52:54:00:00:00:01 7)" '["vm0",true]' "spares what is static"

# --- what is not seen any more ---
STATION=$ROOT/build/tests/cli/station
# has MAC, lacks MAC: fdb show; in_map MAC, not_in_map MAC: the map itself
has() { vxdp fdb show eth0 -j | json_holds --arg m "$1" 'any(.entries[]; .mac == $m)'; }
lacks() { vxdp fdb show eth0 -j | json_holds --arg m "$1" 'all(.entries[]; .mac != $m)'; }
map_macs() { on_host bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/fdb" | jq -c '[.[].formatted.key.mac]'; }
bytes_of() { tr : '\n' <<<"$1" | sed 's/^/0x/' | xargs printf '%d\n' | jq -cs .; }
in_map() { map_macs | json_holds --argjson m "$(bytes_of "$1")" 'any(.[]; . == $m)'; }
not_in_map() { map_macs | json_holds --argjson m "$(bytes_of "$1")" 'all(.[]; . != $m)'; }
stays() { has "$1" && in_map "$1"; }
speaks() { while on_wire ping -c 1 -W 1 -q 10.77.0.10 >/dev/null; sleep 0.3; do :; done; }
BUSY=52:54:00:77:00:10 SILENT=52:54:00:77:00:11 PINNED=52:54:00:77:00:12

vxdp attach eth0 --vm "$DIR/vm1.sock" >/dev/null
"$STATION" --socket "$DIR/vm0.sock" --mac $BUSY --ip 10.77.0.10 &
guests=($!)
"$STATION" --socket "$DIR/vm1.sock" --mac $SILENT --ip 10.77.0.11 &
guests+=($!)
check "a guest speaks, and is learnt" eventually 10 has $BUSY
check "so is another one" eventually 10 has $SILENT
vxdp fdb add eth0 $PINNED dev vm1 static >/dev/null
exits 0 "ageing" vxdp fdb ageing eth0 -j
fits 'fdb_ageing and .ageing_s == 300' "is five minutes"
exits 2 "it cannot be shorter than addresses are refreshed" vxdp fdb ageing eth0 1
speaks &
guests+=($!)
bumps "ageing of three seconds" vxdp fdb ageing eth0 3
check "who is silent is not shown any more" eventually 15 lacks $SILENT
check "and then gone from the map" eventually 15 not_in_map $SILENT
check "who speaks stays" stays $BUSY
check "and what is static" stays $PINNED
is "$(vxdp fdb ageing eth0)" "addresses age after 3 s" "ageing in words"
kill "${guests[@]}"
wait "${guests[@]}" 2>/dev/null
vxdp fdb flush eth0 dynamic >/dev/null

# Without a process it works on what is pinned.
finish KILL
exits 0 "add without a process" vxdp fdb add eth0 52:54:00:00:00:03 dev vm0
is "$(entry 52:54:00:00:00:03 0)" '["vm0",false]' "it is there"
exits 0 "flush of one port" vxdp fdb flush eth0 dev vm0 -j
is "$(jq .flushed <<<"$OUT")" 2 "says how many went"
exits 0 "flush of everything" vxdp fdb flush eth0
is "$(vxdp fdb eth0)" "" "leaves nothing"
vxdp detach eth0 >/dev/null
exits 3 "after detach there is no FDB" vxdp fdb eth0
