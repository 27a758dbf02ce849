#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No XDP on the NIC (--mode tc): tap guests, a vhost-user guest, the host and the wire by TC alone, each
# frame from the wire counted once, what ports may do included; a guest's broadcasts that come back by a
# further uplink, with XDP too; beside an XDP program of somebody else,
# in the driver and in the stack; a mode that stays until all is detached, and what it cannot do. The
# guests are network namespaces (tests/lib/nsguest.c).
LAB_TIMEOUT=150
. "$(dirname "$0")/sides.sh"

plan 83
SIDES=(wire tap0 vm0 host)
TAP0_MAC=02:00:00:77:01:${IP[tap0]##*.}

no_ping_from() { ! ping_from "$@"; }

bpftool_xdp() { on_host bpftool -j net show | jq '.[0].xdp | length'; }
answers() { status .pid | grep -qx "$VXDP_PID"; }
status() { vxdp -j status eth0 | json "$1"; }

# exits STATUS WORDS TEXT COMMAND...: vxdp ends so and says so
exits() {
	local wanted=$1 words=$2 text=$3 status
	shift 3
	timeout -k 2 10 nsenter --net="/run/netns/$NS_HOST" -- "$VXDP" "$@" >/dev/null 2>"$LAB_DIR/err"
	status=$?
	[ "$status" -eq "$wanted" ] && grep -q -- "$words" "$LAB_DIR/err" && { ok "$text"; return; }
	not_ok "$text"
	diag "exit status $status: $(cat "$LAB_DIR/err")"
}

# foreign_xdp [skb]: somebody else's program, which lets all pass; sets $foreign to its id
foreign_xdp() {
	exec_host "$ROOT/build/tests/bench/sink" eth0 pass "$@" >"$LAB_DIR/sink" 2>&1 &
	sink=$!
	eventually 5 grep -q ready "$LAB_DIR/sink" || diag "$(cat "$LAB_DIR/sink")"
	foreign=$(xdp_id)
}

foreign_end() {
	kill $sink
	wait $sink 2>/dev/null
}

# frames_once TEXT COMMAND...: what comes by the wire meanwhile is what the switch counts of it
wire_counted() { stat_sum uplink '.verdicts | .[].packets'; }
frames_once() {
	local text=$1 came counted
	shift
	came=$(net_counter host eth0 rx packets) counted=$(wire_counted)
	"$@"
	sleep 0.3
	came=$(($(net_counter host eth0 rx packets) - came)) counted=$(($(wire_counted) - counted))
	if [ $came -gt 600 ] && [ $came -eq $counted ]; then ok "$text: $came frames"; else
		not_ok "$text"
		diag "$came came, $counted were counted"
	fi
}

# drops REASON: of what came from the wire
drops() { stat_sum uplink ".verdicts.drop_$1.packets"; }
broadcasts() { on_wire "$LIVEGEN" --dev wire0 --src-mac $WIRE_MAC --dst-mac ff:ff:ff:ff:ff:ff --src $WIRE_IP --dst 10.77.0.255 \
	--frame 100 --rate 2000 --count 200 >/dev/null; }
port_set() { vxdp port set eth0 "$@" >/dev/null; }

further_uplink() {
	on_host ip link add eth1 type veth peer name wire1 netns "$NS_WIRE"
	on_host ip link set eth1 up && on_wire ip link set wire1 up
	check "a further uplink" vxdp attach eth1 --switch eth0
}

# one_wire: what eth0 and eth1 are connected to is the same wire, which they are not told
one_wire() {
	local dev
	on_wire ip link add wbr address $WIRE_MAC type bridge
	on_wire ip addr flush dev wire0
	for dev in wire0 wire1; do on_wire ip link set $dev master wbr; done
	on_wire ip link set wbr up
	on_wire ip addr add $WIRE_IP/24 dev wbr
}
two_wires() {
	on_wire ip link del wbr
	on_wire ip addr add $WIRE_IP/24 brd + dev wire0
}

port_of() { vxdp -j fdb eth0 | json ".entries[] | select(.mac == \"$1\") | .port" | sort -u; }

# comes_back HOW: what a guest sends to all goes out of one uplink and comes in by the other
comes_back() {
	local dropped
	one_wire
	dropped=$(drops loop)
	on tap0 ip neigh flush dev eth0
	check "$1: a guest whose broadcasts come back -> wire" talk tap0 wire
	check "$1: wire -> that guest" talk wire tap0
	cmp_ok "$(($(drops loop) - dropped))" '>' 0 "$1: they are dropped, and counted"
	is "$(port_of "$TAP0_MAC")" tap0 "$1: and do not move it to the wire"
	two_wires
}

lab_begin queues=2
no_ipv6 host && no_ipv6 wire
for name in tap0 vm0; do guest_ns $name; done
before=$(nic_state)

# --- what it leaves out ---
for option in '--lane direct' '--lane shared' '--tcp-lane direct' --dedicated --share-xdp; do
	# shellcheck disable=SC2086 # words
	exits 2 'which --mode tc leaves out' "$option is refused" attach eth0 --vm "$LAB_DIR/x.sock" --mode tc $option
done
exits 2 'which --mode tc leaves out' "and for a tap" attach eth0 --tap tap0 --mode tc --lane direct

# --- without a process, then with one ---
check "attach a tap" vxdp attach eth0 --tap tap0 --mode tc
is "$(xdp_id) $(bpftool_xdp)" "0 0" "no XDP on the NIC"
is "$(status .xdp)" none "status says so"
check "in words too" grep -q '^eth0: no XDP, no process, and none is needed' <(vxdp status eth0)
is "$(status '.ports[0] | "\(.lane) \(.tcp_lane)"')" "kernel kernel" "the tap has the kernel lane"
check "and is told why" grep -q 'why .*no XDP program on the NIC, as asked for with --mode tc' <(vxdp status eth0)
exits 1 'run without XDP' "another mode than that of tap ports" attach eth0 --tap tap1 --mode native
exits 1 'run without XDP' "auto in words is another" attach eth0 --tap tap1 --mode auto
exits 5 'lane needs XDP' "a lane it has not" attach eth0 --tap tap1 --lane direct
exits 1 'run without XDP' "another mode for a process" attach eth0 --vm "$LAB_DIR/x.sock" --mode skb
is "$(xdp_id) $(status '.ports | length')" "0 1" "nothing of that has changed anything"
check "the same mode" vxdp attach eth0 --tap tap0 --mode tc --may-exist
vxdp_start vm0 --role server && eventually 15 answers || bail "no process, with no mode said"
is "$(xdp_id) $(status .xdp)" "0 none" "keeps XDP off the NIC"
is "$(status .xdp_why)" "asked for: all frames from the wire go by TC" "and says why"
exits 1 'running process has tc' "another mode than the process has" attach eth0 --tap tap1 --mode native
exits 5 'lane needs XDP' "a lane that it has not, of a process" attach eth0 --vm "$LAB_DIR/x.sock" --lane shared
for name in tap0 vm0; do guest_up $name || bail "no guest $name"; done
is "$(status '.ports[] | select(.name == "vm0") | "\(.lane) \(.guest_lane)"')" "kernel true" "a vhost-user guest has the kernel lane, and the guest lane"
is "$(status '.ports[] | select(.name == "vm0") | .lane_reason')" \
	"there is no XDP program on the NIC, as asked for with --mode tc" "and status says why"
pairs alone
frames_once "each frame from the wire is counted once" talk wire tap0
frames_once "for the vhost-user guest too" talk wire vm0

# --- what ports may do ---
port_set uplink vlan 10
check "another VLAN is not reached" no_ping_from wire tap0
port_set tap0 vlan 10
check "the same one is" eventually 5 ping_from wire tap0
port_set tap0 vlan all && port_set uplink vlan all
port_set uplink storm 20
dropped=$(drops storm)
broadcasts
cmp_ok "$(($(drops storm) - dropped))" '>' 100 "a storm from the wire is held back, and counted"
port_set uplink storm off
port_set tap0 mac 02:00:00:77:00:99 spoof-check on
check "a guest's source that it may not have is not let out" no_ping_from tap0 wire
cmp_ok "$(stat_sum tap0 .verdicts.drop_spoofed.packets)" '>' 0 "and counted"
port_set tap0 mac none spoof-check off
check "until it may" eventually 5 ping_from tap0 wire
is "$(port_of $WIRE_MAC)" uplink "what is behind the wire is learnt"
on_host timeout 20 "$VXDP" dump eth0 --port uplink --count 20 -w "$LAB_DIR/dump" 2>/dev/null &
dump=$!
sleep 1
talk wire tap0
wait $dump
cmp_ok "$(wc -c <"$LAB_DIR/dump")" '>' 1000 "vxdp dump has frames of the wire"

# --- a further uplink ---
further_uplink
is "$(xdp_id eth1) $(status '[.uplinks[].xdp] | join(" ")')" "0 none none" "has no XDP either"
frames_once "with two uplinks each frame is counted once" talk wire tap0
comes_back "without XDP"
check "detach it" vxdp detach eth0 eth1
on_host ip link del eth1

# --- programs and processes come and go ---
vxdp_kill9
is "$(xdp_id) $(status .xdp)" "0 none" "a killed process changes nothing"
check "nor for the tap guest" talk wire tap0
check "upgrade without a process" vxdp upgrade eth0
is "$(xdp_id) $(status .xdp)" "0 none" "keeps XDP off the NIC, too"
check "and the tap guest does not mind" talk tap0 wire
guests_down
check "detach" vxdp detach eth0
is "$(nic_state)" "$before" "all is as it was"

# --- beside somebody else's program ---
for where in '' skb; do
	# shellcheck disable=SC2086 # none or one
	foreign_xdp $where
	cmp_ok "$foreign" '>' 0 "somebody else's XDP program ${where:-in the driver}"
	vxdp attach eth0 --tap tap0 --mode tc >/dev/null && guest_up tap0 || bail "no tap guest"
	check "${where:-driver}: wire -> tap beside it" talk wire tap0
	check "${where:-driver}: tap -> wire" talk tap0 wire
	frames_once "${where:-driver}: each frame is counted once" talk wire tap0
	guests_down
	vxdp detach eth0 >/dev/null
	is "$(xdp_id)" "$foreign" "${where:-driver}: it has not been touched"
	foreign_end
done
is "$(nic_state)" "$before" "nothing is left"

# --- after another mode ---
vxdp_start vm0 --role server --mode native
vxdp_kill9
cmp_ok "$(xdp_id)" '>' 0 "a killed process leaves its XDP program"
check "attach in this mode" vxdp attach eth0 --tap tap0 --mode tc
is "$(xdp_id)" 0 "takes it off"
vxdp detach eth0 >/dev/null
vxdp attach eth0 --tap tap0 >/dev/null
exits 1 'run with XDP' "not where tap ports run with XDP" attach eth0 --tap tap1 --mode tc
cmp_ok "$(xdp_id)" '>' 0 "which stays"
vxdp_start vm0 --role server
further_uplink
guest_up tap0 || bail "no tap guest"
comes_back "with XDP"
guests_down
vxdp_kill9
vxdp detach eth0 >/dev/null
on_host ip link del eth1
is "$(nic_state)" "$before" "all is as it was in the end"
