#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# XDP on the taps (--tap-xdp): guests that finish their checksums, and whose frames so need no skb from
# tap to tap; the same with guests that do not, and send frames of 64 KiB, which must arrive all the
# same; each frame counted once; upgraded and detached without a trace. The guests are network namespaces
# (tests/lib/nsguest.c).
LAB_TIMEOUT=110
. "$(dirname "$0")/sides.sh"

plan 48
SIDES=(tap0 tap1 host wire)

# stack_sees TAP COMMAND...: how many frames of TCP from the guest became skbs meanwhile
stack_sees() {
	local tap=$1 pid
	shift
	exec_host tcpdump -i "$tap" -Q in -w "$LAB_DIR/seen" -U tcp 2>"$LAB_DIR/tcpdump" &
	pid=$!
	eventually 5 grep -q 'listening on' "$LAB_DIR/tcpdump"
	"$@" >/dev/null
	sleep 0.3
	kill -INT $pid
	wait $pid
	tcpdump -r "$LAB_DIR/seen" 2>/dev/null | wc -l
}

# What the switch has counted of the guest's frames, and what its tap has.
counted() { stat_sum "$1" '.verdicts | del(.drop_rx_tap) | .[].packets'; }
came() { net_counter host "$1" rx packets; }
once() { [ "$(counted tap0)" -gt 1000 ] && [ "$(counted tap0)" = "$(came tap0)" ]; }

lab_begin queues=2
no_ipv6 host && no_ipv6 wire
before=$(nic_state)
for name in tap0 tap1; do guest_ns $name; done

# --- the choice ---
vxdp attach eth0 --vm "$LAB_DIR/x.sock" --tap-xdp >/dev/null 2>"$LAB_DIR/err"
is "$?" 2 "for a tap only"
check "and is told so" grep -q 'tap-xdp is for --tap' "$LAB_DIR/err"
check "off by default: attach" vxdp attach eth0 --tap tap0
is "$(xdp_id tap0) $(vxdp -j status eth0 | json '.ports[0].tap_xdp')" "0 false" "no program on the tap, and status says so"
vxdp detach eth0 >/dev/null
for name in tap0 tap1; do check "$name: attach" vxdp attach eth0 --tap $name --tap-xdp; done
cmp_ok "$(xdp_id tap0)" '>' 0 "there is a program on the tap"
is "$(vxdp -j status eth0 | json '[.ports[].tap_xdp] | tostring')" "[true,true]" "and status says so"
is "$(vxdp status eth0 | grep -c 'XDP on the tap')" 2 "in words too"

# --- guests that finish their checksums ---
for name in tap0 tap1; do
	guest_up $name || bail "no guest $name"
	on $name ethtool -K eth0 tx off >/dev/null
done
pairs finished
check "each frame is counted once" eventually 3 once
if command -v tcpdump >/dev/null; then
	cmp_ok "$(stack_sees tap0 talk tap0 tap1)" '<' 20 "from tap to tap no skbs are made"
else
	skip "no tcpdump" "from tap to tap no skbs are made"
fi
on_host timeout 20 "$VXDP" dump eth0 --port tap0 --count 20 -w "$LAB_DIR/dump" 2>/dev/null &
sleep 1
talk tap0 tap1
wait $!
is "$(($(wc -c <"$LAB_DIR/dump") > 1000))" 1 "and vxdp dump has them"

# --- programs come and go ---
id=$(xdp_id tap0)
check "upgrade" vxdp upgrade eth0
cmp_ok "$(xdp_id tap0)" '>' "$id" "replaces the program on the tap"
check "and frames go on" talk tap0 tap1

# --- guests that do not finish them, and send large frames ---
for name in tap0 tap1; do on $name ethtool -K eth0 tx on tso on >/dev/null; done
pairs unfinished
if command -v tcpdump >/dev/null; then
	cmp_ok "$(stack_sees tap0 talk tap0 tap1)" '>' 0 "which is what TC is for"
else
	skip "no tcpdump" "which is what TC is for"
fi
bytes=$(counted tap0)
talk tap0 wire
cmp_ok "$(($(counted tap0) - bytes))" '<' 1600 "large frames are counted by their segments, once"
guests_down
check "detach" vxdp detach eth0
is "$(nic_state)" "$before" "all is as it was"

# --- a tap of somebody else's ---
on_host ip tuntap add tap5 mode tap vnet_hdr
vxdp attach eth0 --tap tap5 --tap-xdp >/dev/null
cmp_ok "$(xdp_id tap5)" '>' 0 "a program on a tap that was there"
vxdp detach eth0 tap5 >/dev/null
is "$(xdp_id tap5)" 0 "is gone with the port"
on_host "$ROOT/build/tests/bench/sink" tap5 pass >"$LAB_DIR/sink" &
sink=$!
eventually 5 grep -q ready "$LAB_DIR/sink"
vxdp attach eth0 --tap tap5 --tap-xdp >/dev/null 2>"$LAB_DIR/err"
is "$?" 1 "another XDP program on it is not touched"
check "but named" grep -q 'another XDP program is attached to tap5' "$LAB_DIR/err"
kill $sink
wait $sink 2>/dev/null
on_host ip link del tap5
is "$(nic_state)" "$before" "nothing is left"
