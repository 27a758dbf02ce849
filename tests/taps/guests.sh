#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU guests on plain taps beside one on vhost-user: every pair of {vhost-user guest, tap guest,
# another tap guest, host, wire} talks both ways, by ping and TCP; checksums on the wire are right;
# and the tap guests do not notice that vxdp comes and goes.
LAB_TIMEOUT=230
. "$(dirname "$0")/../lib/lab.sh"

plan 29
BYTES=${VXDP_TEST_BYTES:-2000000}
SIDES=(vm0 tap0 tap1 host wire)
declare -A IP=([vm0]=$GUEST_IP [tap0]=10.77.0.11 [tap1]=10.77.0.12 [host]=$HOST_IP [wire]=$WIRE_IP)

# on SIDE COMMAND: in that machine's shell; traffic is there in the guests.
on() {
	case $1 in
	host | wire) "on_$1" sh -c "traffic() { $TRAFFIC \"\$@\"; }; $2" ;;
	*) guest_run "$1" "$2" ;;
	esac
}

ping_from() { on "$1" "ping -q -c 1 -W 3 ${IP[$2]} >/dev/null"; }

# tcp_from A B: prints "BYTES CHECKSUM" of both ends.
tcp_from() {
	local sent file=/tmp/tcp.$PORT
	PORT=$((PORT + 1))
	[ "$2" = host ] || [ "$2" = wire ] && file=$LAB_DIR/tcp.$PORT
	on "$2" "traffic tcp-recv --port $PORT --timeout 40 --background $file" >/dev/null
	sent=$(on "$1" "traffic tcp-send --to ${IP[$2]} --port $PORT --bytes $BYTES --timeout 40")
	json '"\(.bytes) \(.checksum)"' <<<"$sent"
	on "$2" "for i in 1 2 3 4 5 6 7 8 9; do [ -s $file ] && break; sleep 0.5; done; cat $file" | json '"\(.bytes) \(.checksum)"'
}
PORT=7100

# pair A B: a result
pair() {
	local sums
	ping_from "$1" "$2" || { not_ok "$1 -> $2: ping"; return; }
	mapfile -t sums < <(tcp_from "$1" "$2")
	PORT=$((PORT + 1))
	if [[ ${sums[0]} =~ ^$BYTES\ [0-9a-f]{16}$ && ${sums[1]} = "${sums[0]}" ]]; then
		ok "$1 -> $2: ping, and $BYTES bytes by TCP"
	else
		not_ok "$1 -> $2: TCP"
		diag "sent '${sums[0]}', received '${sums[1]}'"
	fi
}

start_guests() {
	vm_guest_start vm0 client && guest_start tap0 tap=tap0 mac=52:54:00:77:00:11 ip=10.77.0.11/24 &&
		guest_start tap1 tap=tap1 queues=2 mac=52:54:00:77:00:12 ip=10.77.0.12/24 &&
		guest_wait vm0 && guest_wait tap0 && guest_wait tap1
}

# With the offloads of the NIC off the kernel finishes checksums and segments on the way out.
wire_checksums() {
	local file=$LAB_DIR/wire.pcap pid total bad
	on_host ethtool -K eth0 tx off >/dev/null 2>&1
	on_wire ethtool -K wire0 gro off >/dev/null 2>&1
	exec_wire tcpdump -i wire0 -nn --immediate-mode -U -w "$file" -c 3000 -s 0 "src host ${IP[tap0]}" 2>/dev/null &
	pid=$!
	sleep 1
	tcp_from tap0 wire >"$LAB_DIR/sums"
	ping_from tap0 wire
	sleep 0.5
	kill -INT $pid
	wait $pid
	on_wire ethtool -K wire0 gro on >/dev/null 2>&1
	on_host ethtool -K eth0 tx on >/dev/null 2>&1
	total=$(tshark -r "$file" -Y tcp 2>/dev/null | wc -l)
	bad=$(tshark -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -r "$file" \
		-Y 'ip.checksum.status == Bad || tcp.checksum.status == Bad || frame.len > 1514' 2>/dev/null | wc -l)
	cmp_ok "$total" '>' 500 "TCP segments of a tap guest seen on the wire"
	is "$bad" 0 "every checksum is right, and none is too long"
}

come_and_go() {
	vxdp_signal KILL
	vxdp_start vm0 && sleep 1 && vxdp_signal TERM
	vxdp upgrade eth0 >/dev/null && vxdp_start vm0
}

under_tcp() {
	local file=$LAB_DIR/sent
	on wire "traffic tcp-recv --port 7090 --timeout 60 --background $LAB_DIR/got" >/dev/null
	guest_run tap0 "traffic tcp-send --to $WIRE_IP --port 7090 --bytes 1000000000 --rate 4000000 --timeout 12 >/tmp/sent" &
	local pid=$!
	sleep 1
	come_and_go
	wait $pid
	guest_run tap0 'cat /tmp/sent' >"$file"
	eventually 5 test -s "$LAB_DIR/got"
	diag "$(cat "$file" "$LAB_DIR/got")"
	cmp_ok "$(json .bytes <"$LAB_DIR/got")" '>' 1000000 "TCP of a tap guest goes on while vxdp is killed, started, terminated, upgraded"
	cmp_ok "$(json '.retransmits // 0' <"$file")" '<=' 20 "with hardly a segment sent again"
}

lab_begin queues=2
before=$(nic_state)
vxdp attach eth0 --tap tap0 >/dev/null || bail "no tap port"
vxdp attach eth0 --tap tap1 --queues 2 >/dev/null || bail "no tap port with queues"
vxdp_start vm0 || bail "vxdp does not start"
start_guests || bail "no guests"
is "$(port_state tap0) $(port_state tap1)" "running running" "QEMU has opened the taps"
eventually 15 port_running vm0
for a in "${SIDES[@]}"; do
	for b in "${SIDES[@]}"; do
		[ "$a" = "$b" ] || [[ "$a $b" =~ ^(host wire|wire host)$ ]] || pair "$a" "$b"
	done
done
is "$(stat_sum tap0 '.verdicts | to_entries[] | select(.key | startswith("drop_")) | select(.key != "drop_rx_tap") | .value.packets')" 0 \
	"nothing of a tap guest was dropped"
wire_checksums
under_tcp
vxdp_signal KILL
check "no vxdp: tap -> tap" ping_from tap0 tap1
check "no vxdp: wire -> tap" ping_from wire tap1

# vhost-net is a module that many test machines lack.
if [ -c /dev/vhost-net ]; then
	guest_stop tap0
	guest_start tap0 tap=tap0 kernel=on mac=52:54:00:77:00:11 ip=10.77.0.11/24 && guest_wait tap0
	pair tap0 wire
	pair wire tap0
else
	skip "no /dev/vhost-net here" "vhost-net: guest -> wire"
	skip "no /dev/vhost-net here" "vhost-net: wire -> guest"
fi
guests_end
vxdp detach eth0 >/dev/null
is "$(nic_state)" "$before" "all is as it was"
