#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host's own traffic on the NIC goes on, undisturbed, while vxdp and guests come and go.
#
# The flows are paced: a veth drops and reorders by itself when it is flooded, with no vxdp near. A
# first phase without vxdp shows what the wire does to the same flows.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 16
UDP_RATE=1000

# phase_start N: pings, numbered UDP and TCP, each way, until phase_end.
phase_start() {
	local p=$1 d=$LAB_DIR
	on_wire "$TRAFFIC" udp-recv --port 75${p}1 --idle 3 --timeout 150 --background "$d/udp.out" >/dev/null
	on_host "$TRAFFIC" udp-recv --port 75${p}2 --idle 3 --timeout 150 --background "$d/udp.in" >/dev/null
	on_wire "$TRAFFIC" tcp-recv --port 75${p}3 --timeout 150 --background "$d/tcp.got" >/dev/null
	pids=()
	exec_host ping -i 0.02 -W 2 -q $WIRE_IP >"$d/ping.out" 2>&1 &
	pids+=($!)
	exec_wire ping -i 0.02 -W 2 -q $HOST_IP6 >"$d/ping.in" 2>&1 &
	pids+=($!)
	exec_host "$TRAFFIC" udp-send --to $WIRE_IP --port 75${p}1 --size 64-1400 --count 10000000 --rate $UDP_RATE \
		--timeout 150 >"$d/udp.out.sent" &
	pids+=($!)
	exec_wire "$TRAFFIC" udp-send --to $HOST_IP --port 75${p}2 --size 64-1400 --count 10000000 --rate $UDP_RATE \
		--timeout 150 >"$d/udp.in.sent" &
	pids+=($!)
	exec_host "$TRAFFIC" tcp-send --to $WIRE_IP --port 75${p}3 --bytes 100000000000 --rate 4000000 \
		--timeout 150 >"$d/tcp.sent" &
	pids+=($!)
}

phase_end() {
	kill -INT "${pids[0]}" "${pids[1]}"
	kill -TERM "${pids[@]:2}"
	wait "${pids[@]}"
	eventually 10 test -s "$LAB_DIR/udp.out"
	eventually 10 test -s "$LAB_DIR/udp.in"
}

# The last request may be unanswered when ping is stopped.
ping_lost() { sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$1" | awk '{ print ($1 - $2 > 1) ? $1 - $2 : 0 }'; }

# udp_lost WHICH: sent and not received.
udp_lost() { echo $(($(json .sent <"$LAB_DIR/udp.$1.sent") - $(json .received <"$LAB_DIR/udp.$1"))); }

# clean WAY: neither ping nor datagram lost, in order, unchanged.
clean() {
	echo "$(ping_lost "$LAB_DIR/ping.$1") $(udp_lost "$1") $(json '"\(.reordered) \(.duplicate) \(.corrupt)"' <"$LAB_DIR/udp.$1")"
}

results() {
	local way
	for way in out in; do
		cmp_ok "$(json .sent <"$LAB_DIR/udp.$way.sent")" ">" 1000 "$1: there was traffic ($way)"
		if [ "${control[$way]}" != "0 0 0 0 0" ]; then
			skip "the wire loses frames here without vxdp too: ${control[$way]}" "$1: host traffic is undisturbed ($way)"
		else
			is "$(clean $way)" "0 0 0 0 0" \
				"$1: no ping or datagram lost, none reordered, doubled or changed ($way)"
		fi
	done
	# Not the retransmits: a stalled sender probes, with nothing lost, and does so without vxdp too. When
	# the original of such a probe is acknowledged after all, the kernel counts one reordering.
	cmp_ok "$(json .reordering_seen <"$LAB_DIR/tcp.sent")" '<=' 1 "$1: TCP saw no reordering"
	is "$(json .complete <"$LAB_DIR/tcp.sent") $(cmp_bytes)" "0 1" "$1: TCP went on to the end"
}

# It is stopped in the middle, after at least four megabytes.
cmp_bytes() { [ "$(json .bytes <"$LAB_DIR/tcp.sent")" -gt 4000000 ] && echo 1; }

lab_begin queues=2
phase_start 0
guest_start load net=none
guest_wait load
guest_kill9 load
phase_end
# Seconds since the flows began, beside the sequence numbers (one a millisecond).
mark() { diag "$(awk -v a="$(date +%s.%N)" -v b="$phase_began" "BEGIN { printf \"%.2f\", a - b }") s: $*"; }
declare -A control=([out]=$(clean out) [in]=$(clean in))
diag "without vxdp: $(cat "$LAB_DIR/tcp.sent"); lost pings, lost, reordered, doubled, changed datagrams: ${control[*]}"
rm -f "$LAB_DIR"/udp.* "$LAB_DIR"/tcp.* "$LAB_DIR"/ping.*

vxdp_start vm0 || bail "vxdp does not start"
phase_began=$(date +%s.%N)
phase_start 1
sleep 1
for lane in direct kernel direct kernel; do
	vxdp detach eth0 vm0 --if-exists >/dev/null 2>&1
	mark "port is detached"
	[ -n "$(vxdp -j status eth0 2>/dev/null | json '.ports // empty')" ] || vxdp_stop
	if [ -z "$VXDP_PID" ]; then
		vxdp_start vm0 --lane $lane
		mark "vxdp is attached again"
	else
		vxdp attach eth0 --vm "$LAB_DIR/vm0.sock" --name vm0 --lane $lane >/dev/null 2>&1
	fi
	vm_guest_start vm0 client || bail "no guest"
	guest_wait vm0
	if eventually 15 pings $GUEST_IP 1; then ok "a guest in the $lane lane came"; else
		not_ok "a guest in the $lane lane came"
	fi
	guest_kill9 vm0
	mark "the guest in the $lane lane is gone"
done
phase_end
diag "with vxdp:    $(cat "$LAB_DIR/tcp.sent")"
diag "receivers: $(cat "$LAB_DIR/udp.out") $(cat "$LAB_DIR/udp.in")" "sent: $(cat "$LAB_DIR/udp.out.sent") $(cat "$LAB_DIR/udp.in.sent")"
results "guests come and go"
vxdp_stop

# The data path itself comes and goes: adding a clsact qdisc stops the transmit queues of any device
# for a moment, which bare XDP does not.
rm -f "$LAB_DIR"/udp.* "$LAB_DIR"/tcp.* "$LAB_DIR"/ping.*
phase_start 2
for ((i = 0; i < 5; i++)); do
	sleep 0.3
	vxdp_start vm0 || bail "vxdp does not start"
	sleep 0.3
	vxdp_stop
done
phase_end
diag "receivers: $(cat "$LAB_DIR/udp.out") $(cat "$LAB_DIR/udp.in")" "sent: $(cat "$LAB_DIR/udp.out.sent") $(cat "$LAB_DIR/udp.in.sent")"
results "vxdp attaches and detaches five times"
