#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several uplinks, and a switch without one: joining, looking, leaving, failing over, and what is
# left after a kill.
. "$(dirname "$0")/env.sh"
plan 53
cli_begin

second_nic() {
	on_host ip link add eth1 address 02:00:00:77:01:01 type veth peer name wire1 netns "$NS_WIRE"
	on_host ethtool -K eth1 gro on >/dev/null 2>&1
	on_wire ethtool -K wire1 tx off gro on >/dev/null 2>&1
	on_host ip link set eth1 up
	on_wire ip link set wire1 up
}
state_of() { on_host ip -d -j link show "$1" | jq -c '.[0] | [.promiscuity, .xdp, .flags]'; on_host ethtool -k "$1" | grep -E '^(rx-vlan-offload|large-receive-offload)'; }
uplinks() { vxdp -j status "$1" | jq -c "[.uplinks[] | $2]"; }
programs() { on_host "$ROOT/build/tests/bpf/hold" hooks "$1" | grep -cv '^none'; }
nothing_left() { ls -A "$DIR/run"; ls -A "$DIR/bpf/vxdp" 2>/dev/null; }
lan_answers() { vxdp -j status lan | json_holds '.pid > 0'; }
launch() {
	nsenter --net="/run/netns/$NS_HOST" "$VXDP" attach "$@" </dev/null >>"$DIR/log" 2>&1 &
	VXDP_PID=$!
}
gone() { ! kill -0 "$VXDP_PID" 2>/dev/null; }

GUEST=$ROOT/build/tests/hostile/guest
# talk WIRE: a guest and a station on that wire exchange frames, all of which arrive.
talk() { "$GUEST" --socket "$DIR/vm0.sock" --wire "$NS_WIRE:$1" --frames 3000 --window 8 --timeout 20 >&2; }
sent_to() { vxdp -j stats eth0 "$1" | jq '[.ports[].verdicts | .to_port, .to_direct, .to_shared | .packets // 0] | add'; }

second_nic
before=$(state_of eth1)

# --- what cannot be ---
exits 2 "attach to nothing" vxdp attach --vm "$DIR/vm0.sock"
exits 2 "a switch's name no directory can have" vxdp attach --switch a/b --vm "$DIR/vm0.sock"
exits 2 "a NIC given twice" vxdp attach eth1 --switch eth0 --uplink eth1
exits 2 "standing by, but who?" vxdp attach eth0 --vm "$DIR/vm0.sock" --standby-for eth1
exits 3 "a switch that does not run, and is a NIC" vxdp attach eth1 --switch eth0
exits 2 "a port with the name of one of the switch's own" vxdp attach eth0 --vm "$DIR/x.sock" --name host2
is "$(nothing_left)" "" "what failed leaves nothing"

# --- a second NIC ---
start --vm "$DIR/vm0.sock"
exits 0 "a second NIC joins" vxdp attach eth1 --switch eth0 -j
check "the reply says so" json_holds '.nic == "eth0" and .uplink == "eth1" and .pid > 0' <<<"$OUT"
is "$(uplinks eth0 .nic)" '["eth0","eth1"]' "status shows both"
is "$(uplinks eth0 .standby)" '[false,false]' "both carry frames"
exits 1 "the same again is refused" vxdp attach eth1 --switch eth0
exits 0 "unless it may exist" vxdp attach eth1 --switch eth0 --may-exist
exits 1 "it cannot be a switch of its own" vxdp attach eth1 --vm "$DIR/vm1.sock"
is "$ERR" "vxdp: eth1 is an uplink of switch eth0
      vxdp attach --switch eth0 --vm SOCK" "and that is explained"
exits 3 "nor be asked as one" vxdp status eth1
is "$(vxdp -j status | jq -c '[.nics[].nic]')" '["eth0"]' "nor is it listed"
exits 0 "a guest by the switch's name" vxdp attach --switch eth0 --vm "$DIR/vm1.sock"
is "$(vxdp -j stats eth0 | jq -c '[.ports[].name] | sort')" '["eth1","host","host2","uplink","vm0","vm1"]' "stats has a port for each wire and host"
exits 0 "an address behind it" vxdp fdb add eth0 52:54:00:00:00:77 dev eth1 static
is "$(vxdp -j fdb show eth0 | jq -r '.entries[] | select(.mac == "52:54:00:00:00:77") | .port')" eth1 "is shown by the NIC's name"
if [ -x "$GUEST" ]; then
	first=$(sent_to uplink) second=$(sent_to eth1)
	check "a guest and the second wire" talk wire1
	cmp_ok $(($(sent_to eth1) - second)) '>=' 1500 "frames came from there"
	# A station that has moved without a word is looked for where it was.
	vxdp fdb flush eth0 dynamic >/dev/null
	check "the guest and the first wire" talk wire0
	cmp_ok $(($(sent_to uplink) - first)) '>=' 1500 "and from there"
	cmp_ok "$(vxdp -j stats eth0 eth1 | jq '.ports[0].verdicts | .to_direct.packets + .to_shared.packets')" '>' 0 \
		"past the stack also from the second"
else
	for i in 1 2 3 4 5; do skip "$GUEST is not built" "a guest and both wires ($i)"; done
fi
exits 0 "it leaves" vxdp detach eth0 eth1
is "$(state_of eth1)" "$before" "and is as it was"
is "$(uplinks eth0 .nic)" '["eth0"]' "status shows one"

# --- on the same wire ---
exits 3 "standing by for a NIC that is no uplink" vxdp attach eth1 --switch eth0 --standby-for eth2
exits 0 "standing by" vxdp attach eth1 --switch eth0 --standby-for eth0
is "$(uplinks eth0 '[.nic, .standby]')" '[["eth0",false],["eth1",true]]' "one carries, one waits"
check "status says that it has no fast lanes" grep -q 'lanes      another uplink carries the frames' <(vxdp status eth0)
is "$(vxdp -j status eth0 | jq -c '[.ports[0].lanes[] | [.nic, .lane, .nic_queues]]')" \
	'[["eth0","none",0],["eth1","none",0]]' "a port has a lane for each"
on_wire ip link set wire0 down
takes_over() { [ "$(uplinks eth0 .standby)" = '[true,false]' ]; }
check "without a link the other takes over" eventually 5 takes_over

# --- killed ---
finish KILL
exits 1 "after a kill its further NIC is still its own" vxdp attach eth1 --vm "$DIR/vm1.sock"
on_wire ip link set wire0 up
start --vm "$DIR/vm0.sock"
is "$(uplinks eth0 .nic)" '["eth0","eth1"]' "a successor takes both over"
is "$(uplinks eth0 '.standby_for // "-"')" '["-","eth0"]' "with what they are to each other"
finish KILL
cmp_ok "$(programs eth1)" '>' 0 "the programs stay when it is killed"
exits 0 "detach" vxdp detach eth0
is "$(programs eth1)" 0 "takes them off"
is "$(state_of eth1)" "$before" "the NIC is as it was"
is "$(nothing_left)" "" "nothing is left"

# --- NICs that go ---
start --vm "$DIR/vm0.sock" --uplink eth1
is "$(uplinks eth0 .nic)" '["eth0","eth1"]' "two uplinks with the first command"
on_host ip link del eth1
lost() { [ "$(uplinks eth0 .nic)" = '["eth0"]' ]; }
check "a NIC that goes is an uplink less" eventually 5 lost
exits 0 "the end" vxdp detach eth0
is "$(nothing_left)" "" "leaves nothing"

# --- no uplink ---
second_nic
launch --switch lan --vm "$DIR/vm0.sock"
check "a switch without a NIC" eventually 15 lan_answers
is "$(uplinks lan .nic; vxdp -j status lan | jq -r .xdp)" $'[]\nnone' "status says so"
exits 0 "it gets one" vxdp attach eth1 --switch lan
exits 0 "and loses it" vxdp detach lan eth1
exits 0 "detach" vxdp detach lan
eventually 5 gone
is "$(nothing_left; state_of eth1 | tail -n +2)" "$(tail -n +2 <<<"$before")" "nothing is left"
