#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A second attach hands its port to the running process; two guests reach each other, the wire and
# the host; systemd is told; `dump` is readable; JSON and maps are readable.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 25

dump_first_bytes() {
	local pinger
	( sleep 1; pings $GUEST_IP 10 ) &
	pinger=$!
	timeout 10 nsenter --net="/run/netns/$NS_HOST" -- "$VXDP" dump eth0 --port vm0 -w - --count 2 2>/dev/null |
		head -c 4 | od -An -tx1 | tr -d " \n"
	wait $pinger
}

lab_begin queues=2
socat -u UNIX-RECV:"$LAB_DIR/notify" OPEN:"$LAB_DIR/notify.got",creat,append &
eventually 5 test -S "$LAB_DIR/notify"
NOTIFY_SOCKET=$LAB_DIR/notify vm_up vm0 queues=2 || bail "no guest"
eventually 5 grep -q READY=1 "$LAB_DIR/notify.got"
is "$(grep -ac READY=1 "$LAB_DIR/notify.got")" 1 "READY=1 is sent to the service manager"

pid=$(vxdp -j status eth0 | json .pid)
is "$pid" "$VXDP_PID" "status names the process"
check "a second attach returns" timeout 10 nsenter --net="/run/netns/$NS_HOST" -- \
	"$VXDP" attach eth0 --vm "$LAB_DIR/vm1.sock" --name vm1
is "$(vxdp -j status eth0 | json '"\(.pid) \(.ports | map(.name) | sort | join(" "))"')" "$pid vm0 vm1" \
	"both ports belong to the first process"
nsenter --net="/run/netns/$NS_HOST" -- "$VXDP" attach eth0 --vm "$LAB_DIR/vm1.sock" --name vm1 >/dev/null 2>&1
cmp_ok $? '!=' 0 "the same port a second time is an error"
check "unless it may exist" vxdp attach eth0 --vm "$LAB_DIR/vm1.sock" --name vm1 --may-exist

guest_start vm1 vhost="$LAB_DIR/vm1.sock" role=client mac=52:54:00:77:00:11 ip=10.77.0.11/24 ip=fd77::11/64
guest_wait vm1 || bail "the second guest does not start"
eventually 15 pings 10.77.0.11 1
check "the wire reaches the second guest" pings 10.77.0.11
check "the host reaches the second guest" on_host ping -c 3 -i 0.2 -W 2 -q 10.77.0.11
check "guest to guest, IPv4" guest_run vm0 'ping -c 3 -i 0.2 -W 2 -q 10.77.0.11'
check "guest to guest, IPv6" guest_run vm1 "ping -c 3 -i 0.2 -W 2 -q $GUEST_IP6"
check "the first guest still reaches the wire" guest_run vm0 "ping -c 3 -i 0.2 -W 2 -q $WIRE_IP"
guest_run vm1 'traffic tcp-recv --port 7800 --timeout 60 --background /tmp/r' >/dev/null
sent=$(guest_run vm0 'traffic tcp-send --to 10.77.0.11 --port 7800 --bytes 50000000 --timeout 50')
same_sum "$sent" "$(guest_run vm1 "sleep 1; cat /tmp/r")" "50 MB from guest to guest"
diag "$sent"

exec_host "$VXDP" dump eth0 --port vm0 -w "$LAB_DIR/dump.pcapng" --count 20 >/dev/null 2>"$LAB_DIR/dump.log" &
dump=$!
sleep 1
pings $GUEST_IP 20
for ((i = 0; i < 50; i++)); do kill -0 $dump 2>/dev/null || break; sleep 0.1; done
kill -INT $dump 2>/dev/null
wait $dump
check "tcpdump reads what dump wrote" tcpdump -nn -r "$LAB_DIR/dump.pcapng" icmp
cmp_ok "$(tshark -r "$LAB_DIR/dump.pcapng" -Y icmp 2>/dev/null | wc -l)" '>' 5 "tshark finds the pings in it"
cmp_ok "$(tshark -r "$LAB_DIR/dump.pcapng" -T fields -e frame.comment 2>/dev/null | grep -c '[a-z]')" '>' 0 \
	"and the verdicts"
is "$(dump_first_bytes)" 0a0d0d0a "dump -w - writes pcapng to standard output"

check "stats in JSON" json_holds '.ports | length >= 3' <<<"$(vxdp -j stats eth0)"
check "the address table in JSON" json_holds '.entries | length >= 3' <<<"$(vxdp -j fdb show eth0)"
check "bpftool prints the address table by name" \
	json_holds '.[0].formatted.key.mac, .[0].formatted.value.port' <<<"$(bpftool -j map dump pinned "$VXDP_BPFFS/vxdp/eth0/fdb")"
check "detach of one port" vxdp detach eth0 vm1
is "$(vxdp -j status eth0 | json '.ports | map(.name) | join(" ")')" vm0 "the other one stays"
check "and works" pings $GUEST_IP
vxdp_stop
is $? 0 "the process is told to end"
vxdp status eth0 >/dev/null 2>&1
is $? 3 "then the NIC is not attached: exit status 3"
is "$(vxdp -j status eth0 2>/dev/null | json ".error | has(\"code\") and has(\"message\") and has(\"hint\")")" true \
	"and the error is JSON too, with code, message and hint"
