#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The host's own traffic on the NIC goes on, undisturbed, while guests come and go.
LAB_TIMEOUT=200
. "$(dirname "$0")/../lib/lab.sh"

plan 8

lab_begin queues=2
vxdp_start vm0 || bail "vxdp does not start"
exec_host ping -i 0.01 -W 1 -q $WIRE_IP >"$LAB_DIR/ping4" 2>&1 &
ping4=$!
exec_wire ping -i 0.01 -W 1 -q $HOST_IP6 >"$LAB_DIR/ping6" 2>&1 &
ping6=$!
on_wire "$TRAFFIC" tcp-recv --port 7500 --timeout 150 --background "$LAB_DIR/tcp" >/dev/null
exec_host "$TRAFFIC" tcp-send --to $WIRE_IP --port 7500 --bytes 100000000000 --timeout 120 >"$LAB_DIR/tcp.sent" &
bulk=$!

for round in 1 2; do
	for lane in direct kernel; do
		vxdp detach eth0 vm0 --if-exists >/dev/null 2>&1
		vxdp attach eth0 --vm "$LAB_DIR/vm0.sock" --name vm0 --lane $lane >/dev/null 2>&1
		vm_guest_start vm0 client || bail "no guest"
		guest_wait vm0
		if eventually 15 pings $GUEST_IP 1; then ok "round $round: a guest in the $lane lane came"; else
			not_ok "round $round: a guest in the $lane lane came"
		fi
		guest_kill9 vm0
	done
done
kill -INT $ping4 $ping6
wait $ping4 $ping6
kill -TERM $bulk
wait $bulk
eventually 10 test -s "$LAB_DIR/tcp"
loss() { sed -n 's/.* \([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p; s/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$1" | awk '{ print $1 - $2 }'; }
cmp_ok "$(loss "$LAB_DIR/ping4")" '<=' 1 "pings from the host all answered (the last may be on its way)"
cmp_ok "$(loss "$LAB_DIR/ping6")" '<=' 1 "pings to the host all answered, IPv6"
diag "host to wire: $(cat "$LAB_DIR/tcp.sent")"
cmp_ok "$(json .retransmits <"$LAB_DIR/tcp.sent")" '<=' 0 "no segment of the host's TCP was sent twice"
is "$(json .reordering_seen <"$LAB_DIR/tcp.sent")" 0 "none was reordered"
