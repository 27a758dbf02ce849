#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything may die and come back, and traffic flows again without anyone touching the guest: the
# guest reboots, QEMU is killed, vxdp is killed, in both socket roles. Nobody writes late into the
# guest's memory.
LAB_TIMEOUT=560
. "$(dirname "$0")/../lib/lab.sh"

plan 40

# Traffic both ways that survives whatever happens to the guest's connection.
traffic_start() {
	exec_wire "$LIVEGEN" --dev wire0 --src-mac $WIRE_MAC --dst-mac $GUEST_MAC --src $WIRE_IP --dst $GUEST_IP \
		--port 7400 --frame 600 --rate 3000 --flows 4 --seconds 120 >/dev/null 2>&1 &
	LIVEGEN_PID=$!
	guest_run vm0 "traffic udp-send --to $WIRE_IP --port 7401 --size 18-1472 --count 100000000 \
		--rate 3000 --timeout 100 >/dev/null 2>&1 &"
}

traffic_stop() {
	kill "$LIVEGEN_PID" 2>/dev/null
	wait "$LIVEGEN_PID" 2>/dev/null
	guest_run vm0 'kill $(pidof traffic) 2>/dev/null; true'
}

comes_back() {
	if eventually "${2:-20}" pings $GUEST_IP 2; then ok "$1"; else
		not_ok "$1"
		diag "port is $(port_state vm0)"
	fi
}

reboot_guest() {
	guest_run vm0 'echo b >/proc/sysrq-trigger' >/dev/null 2>&1 &
	sleep 2
	kill $! 2>/dev/null
	guest_wait vm0 60
	comes_back "$text: after a reboot of the guest"
	check "$text: and the host by IPv6" guest_run vm0 "ping -c 2 -i 0.2 -W 2 -q $HOST_IP6"
}

kill_qemu() {
	guest_kill9 vm0
	eventually 10 port_waiting
	is "$(port_state vm0)" waiting "$text: the port waits once QEMU is killed"
	vm_guest_start vm0 "$role" queues=2 packed=$packed || bail "QEMU does not start again"
	guest_wait vm0
	comes_back "$text: after QEMU was killed and came back"
}

port_waiting() { [ "$(port_state vm0)" = waiting ]; }

# Under load, so that buffers are on their way when it happens. The guest recycles its memory
# meanwhile and looks for writes it did not make.
kill_vxdp() {
	local before after mem
	guest_run vm0 'memcheck 90 0 >/tmp/mem 2>&1 &'
	traffic_start
	sleep 2
	before=$(guest_run vm0 'cat /proc/uptime')
	vxdp_kill9
	sleep 2
	vxdp_start vm0 --lane "$lane" || bail "vxdp does not start again"
	comes_back "$text: after vxdp was killed and came back, under traffic"
	check "$text: and the guest reaches the host" guest_run vm0 "ping -c 3 -i 0.2 -W 2 -q $HOST_IP"
	vxdp_kill9
	vxdp_start vm0 --lane "$lane" || bail "vxdp does not start a second time"
	comes_back "$text: killed again, back again"
	traffic_stop
	sleep 1
	after=$(guest_run vm0 'cat /proc/uptime')
	cmp_ok "${after%% *}" '>' "${before%% *}" "$text: it is the same guest, not rebooted"
	mem=$(guest_run vm0 'kill $(pidof memcheck); for i in 1 2 3 4 5 6 7 8 9; do [ -s /tmp/mem ] && break; sleep 1; done; cat /tmp/mem')
	is "$(json .bad_words <<<"$mem")" 0 "$text: no stale write into the guest's memory"
	diag "memory: $mem"
	tcp_both_ways wire vm0 20000000 $((7410 + TAP_N))
	tcp_is 20000000 "$text: 20 MB each way afterwards"
}

# Hung, with the guest's transmit ring full, then killed: QEMU takes the kicks that nobody read, and
# drops what it finds in the ring.
kill_hung() {
	local i sender
	for ((i = 1; i <= 4; i++)); do
		kill -STOP "$VXDP_PID"
		guest_run vm0 "traffic udp-send --to $WIRE_IP --port 7401 --size 18-1472 --count $((400 + 37 * i)) \
			--rate 3000 --timeout 3 >/dev/null 2>&1; true" &
		sender=$!
		sleep 1.5
		vxdp_kill9
		sleep 1
		vxdp_start vm0 --lane "$lane" || bail "vxdp does not start again"
		wait $sender # whose socket is full for as long as nobody takes its frames
		comes_back "$text: hung and killed with a full ring ($i)" 10
	done
}

# lane, QEMU's role, packed
combination() {
	lane=$1 role=$2 packed=$3
	text="$lane lane, $([ "$packed" = on ] && echo packed || echo split) rings, QEMU is $role"
	vm_up vm0 lane="$lane" role="$role" queues=2 packed="$packed" mem=320 || bail "$text: no guest"
	kill_vxdp
	[ "$4" = hang ] && kill_hung
	[ "$4" = all ] && reboot_guest && kill_qemu
	guest_stop vm0
	vxdp_stop
}

lab_begin queues=2
combination direct client off all
combination kernel server off all
combination kernel client on hang
combination direct server on -
# The second of QEMU's ways to come back: a guest on a waiting server socket.
vm_up vm0 role=server || bail "no guest"
before=$(vxdp -j status eth0 | json .ports[0].connects)
vxdp_stop
vxdp_start vm0
comes_back "after a clean restart of vxdp"
is "$(vxdp -j status eth0 | json .ports[0].connects)" "$before" "a clean restart needs one connection"
vxdp_stop
is $? 0 "vxdp ends with status 0 on SIGTERM"
vxdp_start vm0 --lane direct
comes_back "and once more, in the direct lane"
