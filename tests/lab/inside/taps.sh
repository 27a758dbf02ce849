# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# taps.sh - tap ports on real drivers, with no process: frames go on, and the NIC is not reset, while
# another tap comes and goes and the programs are replaced.

part_taps() {
	local name
	for name in igb virt e1000e; do
		card "$name" || { skip "the machine has no $name" "$name: tap ports"; continue; }
		TAP_IP=10.9.$CARD_N.30 TAP_MAC=02:00:00:1a:0$CARD_N:30
		tap_port
		vxdp detach "$NIC" >/dev/null 2>&1
		eventually 15 carrier
	done
}

ping_tap() { on_wire ping -c "${1:-3}" -i 0.2 -W 2 -q "$TAP_IP" >/dev/null 2>&1; }
resets() { cat "/sys/class/net/$NIC/carrier_changes"; }

tap_guest_start() {
	tapguest tap0 --mac "$TAP_MAC" --ip "$TAP_IP" "$@" >$WORK/tapguest.json 2>$WORK/tapguest.err &
	TAP_GUEST=$!
	eventually 15 ping_tap 1
}

tap_guest_end() {
	kill -TERM "$TAP_GUEST"
	wait "$TAP_GUEST"
	counted=$(cat $WORK/tapguest.json)
}

tap_port() {
	local before ping_pid sent received
	if ! vxdp attach "$NIC" --tap tap0 >$WORK/vxdp.log 2>&1 || ! eventually 15 carrier; then
		not_ok "$CARD: attach --tap"
		diag "$(tail -n 3 $WORK/vxdp.log)"
		return
	fi
	is "$(vx_status '.pid, .ports[0].state' | tr '\n' ' ')" "0 waiting " "$CARD: attach --tap needs no process"
	diag "$(vx_status -c '{xdp, port: .ports[0] | {lane, lane_reason}}')"
	tap_guest_start
	is $? 0 "$CARD: the wire reaches a guest on the tap"
	before=$(resets)
	nsenter --net="/run/netns/$NS" -- ping -i 0.05 -W 2 -q "$TAP_IP" >$WORK/ping.log 2>&1 & # no function: $! is ping
	ping_pid=$!
	sleep 0.3
	{ vxdp attach "$NIC" --tap tap1 && vxdp upgrade "$NIC" && vxdp detach "$NIC" tap1; } >$WORK/vxdp.log 2>&1 ||
		diag "$(tail -n 3 $WORK/vxdp.log)"
	sleep 0.3
	kill -INT $ping_pid
	wait $ping_pid
	read -r sent received <<<"$(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' $WORK/ping.log)"
	cmp_ok "$((${sent:-99} - ${received:-0}))" '<=' 1 "$CARD: another tap, an upgrade: none of ${sent:-0} pings lost"
	is "$(resets)" "$before" "$CARD: and the card is not reset"
	on_wire traffic udp-send --to "$TAP_IP" --port 7000 --size 64-1400 --count 300 --rate 200 --timeout 20 >/dev/null 2>&1
	tap_guest_end
	is "$(jq -c '[.udp, .bad]' <<<"$counted")" "[300,0]" "$CARD: 300 datagrams, every checksum right"
}
