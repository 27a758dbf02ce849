#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tap ports: attached, looked at, upgraded and detached without a process, and beside one.
. "$(dirname "$0")/env.sh"
plan 63
cli_begin
before=$(nic_state 2>/dev/null)

port() { vxdp -j status eth0 | jq -r ".ports[] | select(.name == \"$1\") | $2"; }
ports() { vxdp -j status eth0 | jq -r '[.ports[].name] | sort | join(" ")'; }
tap_has() { on_host ip -d -j link show "$1" | jq -r ".[0].linkinfo.info_data | $2"; }
program() { port "$1" .program_id; }
# Whether our program is there, without asking vxdp.
tcx_on() { on_host "$ROOT/build/tests/bpf/hold" hooks "$1" | grep -cv '^none'; }
nothing_left() {
	local left
	left=$(ls -A "$DIR/run"; ls -A "$DIR/bpf/vxdp" 2>/dev/null)
	[ -z "$left" ] && [ "$(nic_state 2>/dev/null)" = "$before" ] || { echo "$left"; diff <(echo "$before") <(nic_state 2>/dev/null); }
}

# --- what cannot be ---
exits 2 "--tap and --vm are two ports" vxdp attach eth0 --tap tap0 --vm "$DIR/vm0.sock"
exits 2 "--owner is for a tap" vxdp attach eth0 --vm "$DIR/vm0.sock" --owner root
exits 2 "an owner that is nobody" vxdp attach eth0 --tap tap0 --owner no-such-user
exits 2 "--cpus is for a process" vxdp attach eth0 --tap tap0 --cpus 0
exits 2 "a name no netdev can have" vxdp attach eth0 --tap a-name-that-is-too-long
exits 5 "a netdev that is no tap" vxdp attach eth0 --tap lo
on_host ip tuntap add in-bridge mode tap
on_host ip link add br0 type bridge && on_host ip link set in-bridge master br0
exits 1 "a tap in a bridge" vxdp attach eth0 --tap in-bridge
is "$ERR" "vxdp: in-bridge is a port of br0
      ip link set dev in-bridge nomaster" "is explained"
on_host ip link del br0
on_host ip link del in-bridge
is "$(nothing_left)" "" "what failed leaves nothing"

# --- without a process ---
exits 0 "a tap that is not there" vxdp attach eth0 --tap tap0 --owner nobody --group daemon -j
fits '.port == "tap0" and .pid == 0' "needs no process"
is "$(tap_has tap0 '"\(.type) \(.vnet_hdr) \(.persist) \(.multi_queue) \(.user) \(.group)"')" \
	"tap true true false nobody daemon" "is made, for that owner"
is "$(on_host tc -j qdisc show dev tap0 root | jq -r '.[0].kind')" noqueue "and has no queueing discipline"
opens() { on_host setpriv --reuid="$1" --regid=daemon --clear-groups "$DIR/tapguest" tap0 --mac 02:00:00:00:00:01 --ip 10.77.0.9 --seconds 0.1; }
install -m 755 "$ROOT/build/tests/taps/tapguest" "$DIR/tapguest"
chmod 755 "$DIR"
exits 0 "who may open it without privileges" opens nobody
exits 1 "and others may not" opens 12345
exits 0 "with several queues" vxdp attach eth0 --tap tap1 --name web --queues 4
is "$(tap_has tap1 .multi_queue)" true "it is multi-queue"
on_host ip tuntap add mine mode tap
exits 0 "a tap that is there" vxdp attach eth0 --tap mine
exits 0 "status" vxdp status eth0 -j
fits status_standing "has the promised shape"
is "$(ports)" "mine tap0 web" "all are there"
is "$(port web .state)" waiting "nobody has opened it"
exits 0 "status in words" vxdp status eth0
is "$(head -n 1 <<<"$OUT")" "eth0: native XDP, no process, and none is needed" "says that no process is needed"
exits 0 "stats" vxdp stats eth0 -j
fits 'stats_nic and ([.ports[].name] | index("web") != null)' "have the promised shape"
exits 1 "the same again is refused" vxdp attach eth0 --tap tap0
exits 0 "unless it may exist" vxdp attach eth0 --tap tap0 --may-exist
exits 1 "a tap that is a port under another name" vxdp attach eth0 --tap tap1 --name other
exits 0 "fdb add" vxdp fdb add eth0 02:00:00:00:00:99 dev web
exits 0 "fdb show" vxdp fdb eth0 dev web -j
fits '.entries[0].port == "web"' "names the port"
is "$(on_host ip -d -j link show eth0 | jq '.[0].promiscuity')" 1 "the NIC takes foreign addresses"

# --- upgrade ---
old=$(program web)
exits 0 "upgrade" vxdp upgrade eth0 -j
fits '.tap_ports == 3' "counts the ports"
cmp_ok "$(program web)" '!=' "$old" "the programs are others"
is "$(port web .state) $(vxdp -j fdb eth0 dev web | jq '.entries | length')" "waiting 1" "ports and addresses stay"

# --- beside a process ---
start --vm "$DIR/vm0.sock"
is "$(ports)" "mine tap0 vm0 web" "a process takes the tap ports over"
exits 1 "upgrade leaves that to its successor" vxdp upgrade eth0
exits 1 "a guest's port cannot have a tap port's name" vxdp attach eth0 --vm "$DIR/vm1.sock" --name web
exits 0 "a tap joins through the process" vxdp attach eth0 --tap tap2 -j
fits ".pid == $VXDP_PID" "which says so"
exits 0 "and leaves through it" vxdp detach eth0 tap2
is "$(ports) $(on_host ip link show tap2 2>/dev/null)" "mine tap0 vm0 web " "the tap it made is gone"
dump_of() {
	timeout 5 nsenter --net="/run/netns/$NS_HOST" "$VXDP" dump eth0 --count 1 -w "$DIR/dump" "$@" 2>/dev/null &
	sleep 0.5
	on_wire ping -c 3 -i 0.1 -W 1 -q 10.77.0.99 >/dev/null
	wait $!
}
dump_of --port tap0
is "$? $(tcpdump -nr "$DIR/dump" 2>/dev/null | wc -l)" "0 1" "dump of a tap port beside a process"
finish TERM
is "$? $(ports)" "0 mine tap0 web" "SIGTERM leaves the tap ports"
dump_of
is "$? $(tcpdump -nr "$DIR/dump" 2>/dev/null | wc -l)" "0 1" "dump without a process"
start --vm "$DIR/vm0.sock"
finish KILL
is "$(ports)" "mine tap0 vm0 web" "and so does kill -9"
exits 0 "detach one" vxdp detach eth0 tap0
is "$(ports | tr ' ' '\n' | grep -v vm0 | tr '\n' ' ')" "mine web " "the others stay"

# --- a tap that goes ---
on_host ip link del tap1
is "$(port web .state)" gone "a tap that was deleted"
on_wire ip neigh replace 10.77.0.88 lladdr 02:00:00:00:00:99 dev wire0
on_wire ping -c 3 -i 0.1 -W 1 -q 10.77.0.88 >/dev/null
on_host ip neigh replace 10.77.0.88 lladdr 02:00:00:00:00:99 dev eth0
on_host ping -c 3 -i 0.1 -W 1 -q 10.77.0.88 >/dev/null
is "$(vxdp -j stats eth0 | jq -c '[.ports[] | select(.name == "uplink" or .name == "host") | .verdicts.drop_no_port.packets >= 3]')" "[true,true]" \
	"what is for it is dropped, and counted"
exits 0 "can be attached again" vxdp attach eth0 --tap tap1 --name web
is "$(port web .state) $(vxdp -j fdb eth0 dev web | jq '.entries | length')" "waiting 1" "with what it had"

# --- another layout of the maps ---
read -ra bytes < <(bpftool -j map dump pinned "$DIR/bpf/vxdp/eth0/config" | jq -r '.[0].value | .[8] = "0x63" | join(" ")')
bpftool map update pinned "$DIR/bpf/vxdp/eth0/config" key 0 0 0 0 value "${bytes[@]}" 2>"$DIR/err" || diag "$(cat "$DIR/err")"
exits 1 "upgrade of maps it does not know" vxdp upgrade eth0
is "${ERR%%(*}" "vxdp: eth0 is attached by another version of vxdp " "says so"
exits 1 "a further tap is refused" vxdp attach eth0 --tap tap3
is "$(tcx_on mine)" 1 "what is attached goes on"

# --- the end ---
exits 0 "detach of everything" vxdp detach eth0
is "$(on_host ip -o link show mine | grep -c mine) $(tcx_on mine)" "1 0" "leaves the tap that was there"
on_host ip link del mine
is "$(nothing_left)" "" "and nothing else"
vxdp attach eth0 --tap tap0 >/dev/null 2>&1
exits 0 "the last port" vxdp detach eth0 tap0
is "$(nothing_left)" "" "takes everything with it"
