#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# vxdp dump: pcapng that tcpdump and tshark read, with the fate of each frame, from both lanes, and
# nothing switched on any longer than it is read.
. "$(dirname "$0")/env.sh"
GUEST=$ROOT/build/tests/hostile/guest
STATION=$ROOT/build/tests/cli/station
plan 37
cli_begin
start --vm "$DIR/vm0.sock"

# port_flags ID: of a port in the pinned map
flags() { on_host bpftool -j map lookup pinned "$DIR/bpf/vxdp/eth0/ports" key "$1" 0 0 0 | jq '.formatted.value.flags // .value.flags'; }
captures() { (($(flags "$1") & 8)); }
captures_not() { ! captures "$1"; }
capture() { # FILE OPTIONS...: in the background, until it runs
	local file=$1
	shift
	nsenter --net="/run/netns/$NS_HOST" "$VXDP" dump eth0 -w "$file" "$@" 2>>"$DIR/log" >"$DIR/out" &
	DUMP_PID=$!
	eventually 5 captures "${PORT_ID:-3}"
}
ping_host() { on_wire ping -c "${1:-5}" -i 0.05 -W 2 -q $HOST_IP >/dev/null; }
fields() { tshark -r "$DIR/$1" -T fields "${@:2}" 2>/dev/null; }
# tshark of Debian 12 calls the comment frame.comment, newer ones pkt_comment too
comments() { fields "$1" -e frame.comment; }

# --- the uplink: frames the programs forward ---
PORT_ID=1 capture "$DIR/a.pcapng" --port uplink --count 40 -j
ping_host 60
wait $DUMP_PID
is $? 0 "dump --count ends by itself"
is "$(jq .frames "$DIR/out")" 40 "after so many frames, and says so"
check "tcpdump reads it" tcpdump -nr "$DIR/a.pcapng"
is "$(tcpdump -nr "$DIR/a.pcapng" 2>/dev/null | wc -l)" 40 "all of it"
check "tshark reads it" tshark -nr "$DIR/a.pcapng"
is "$(fields a.pcapng -e frame.number | wc -l)" 40 "all of it"
cmp_ok "$(fields a.pcapng -Y icmp.type==8 -e frame.number | wc -l)" '>=' 10 "the pings of the wire are in it"
is "$(comments a.pcapng | grep -c 'verdict=to_host in=uplink out=host')" "$(fields a.pcapng -Y icmp.type==8 -e frame.number | wc -l)" \
	"with what became of them"
is "$(fields a.pcapng -Y icmp.type==8 -e frame.interface_name | sort -u)" uplink "on an interface of the port's name"
is "$(fields a.pcapng -Y icmp.type==8 -e icmp.checksum.status | sort -u)" 1 "whole, byte for byte"
now=$(date +%s)
cmp_ok "$(fields a.pcapng -e frame.time_epoch | head -n 1)" '>=' $((now - 60)) "at the time it is now"
check "the programs record nothing any more" eventually 5 captures_not 1
piped() { nsenter --net="/run/netns/$NS_HOST" "$VXDP" dump eth0 --port uplink 2>>"$DIR/log" | timeout 20 tcpdump -nr - -c 5 icmp; }
piped >"$DIR/piped" 2>&1 &
PIPE_PID=$!
eventually 5 captures 1
ping_host 20
wait $PIPE_PID
is "$(grep -c ICMP "$DIR/piped")" 5 "through a pipe, frame by frame"
ping_host 5
check "and it ends when the reader has gone" eventually 10 captures_not 1

# --- cut ---
PORT_ID=1 capture "$DIR/c.pcapng" --port uplink --snaplen 40 --count 3
on_wire ping -c 5 -i 0.05 -s 1000 -q $HOST_IP >/dev/null
wait $DUMP_PID
is "$(fields c.pcapng -e frame.cap_len | sort -u)" 40 "--snaplen cuts"
is "$(fields c.pcapng -Y icmp -e frame.len | sort -u)" 1042 "and the frame's own length is kept"

# --- too slow a reader: what is lost is counted ---
verdict_sum() { vxdp -j stats eth0 | jq '[.ports[] | select(.name == "uplink" or .name == "host").verdicts[].packets] | add'; }
before=$(verdict_sum)
PORT_ID=1 capture "$DIR/l.pcapng" --port uplink -j
kill -STOP $DUMP_PID
on_wire ping -f -c 2000 -s 1400 -q $HOST_IP >/dev/null
kill -CONT $DUMP_PID
kill -INT $DUMP_PID
wait $DUMP_PID
after=$(verdict_sum)
cmp_ok "$(jq .lost "$DIR/out")" '>' 500 "a reader that is too slow loses frames and says so"
cmp_ok "$((after - before - $(jq '.frames + .lost' "$DIR/out")))" '<=' 10 "read and lost are what the programs counted"
cmp_ok "$(jq '.frames + .lost' "$DIR/out")" '<=' $((after - before)) "and not more"
is "$(fields l.pcapng -e frame.number | wc -l)" "$(jq .frames "$DIR/out")" "as many as it says are in the file"

# --- ended from outside ---
capture "$DIR/d.pcapng"
exits 1 "one capture at a time" vxdp dump eth0 -w "$DIR/e.pcapng"
kill -INT $DUMP_PID
wait $DUMP_PID
is $? 0 "SIGINT ends it well"
check "what it wrote is whole" tshark -nr "$DIR/d.pcapng"
is "$(captures 3; echo $?)" 1 "nothing is recorded any more"
capture "$DIR/d.pcapng"
disown $DUMP_PID
kill -KILL $DUMP_PID
check "killed: the process ends the capture" eventually 5 captures_not 3
capture "$DIR/d.pcapng"
check "and the next one can start" captures 3
kill -INT $DUMP_PID
wait $DUMP_PID
exits 3 "a port that is not there" vxdp dump eth0 --port nosuch -w "$DIR/e.pcapng"

# --- a guest: its frames go by the direct lane, which no program sees on the way out ---
if [ -x "$GUEST" ]; then
	capture "$DIR/g.pcapng" --port vm0
	"$GUEST" --socket "$DIR/vm0.sock" --wire "$NS_WIRE:wire0" --frames 6000 --window 8 --timeout 60 \
		>>"$DIR/log" 2>&1
	is $? 0 "a guest and the wire exchange frames while being captured"
	sleep 0.5
	kill -INT $DUMP_PID
	wait $DUMP_PID
	check "the capture is whole" tshark -nr "$DIR/g.pcapng"
	cmp_ok "$(comments g.pcapng | grep -c 'verdict=to_wire in=vm0 out=uplink')" '>=' 300 "what the guest sent is in it"
	cmp_ok "$(comments g.pcapng | grep -cE 'verdict=to_(direct|port) in=uplink out=vm0')" '>=' 290 "what the wire sent too"
	# Not the host's own, which multicasts when it likes.
	is "$(fields g.pcapng -Y 'eth.dst.ig == 0' -e frame.interface_name | sort -u | tr '\n' ' ')" "uplink vm0 " "each on its port's interface"
	cmp_ok "$(vxdp -j stats eth0 vm0 | jq '[.ports[].queues[] | .tx.direct.packets] | add')" '>' 0 "the direct lane was in use"
else
	for i in 1 2 3 4 5 6; do skip "build/tests/hostile/guest is not built" "a guest's frames ($i)"; done
fi

# --- flooded frames belong to each port they were meant for ---
if [ -x "$STATION" ]; then
	"$STATION" --socket "$DIR/vm0.sock" --mac 52:54:00:00:00:10 --ip 10.77.0.10 2>>"$DIR/log" &
	eventually 10 on_wire ping -c 1 -W 1 -q 10.77.0.10
	capture "$DIR/f.pcapng" --port vm0
	on_wire ping -c 1 -W 1 -q 10.77.0.98 >/dev/null # whose address nobody has
	sleep 0.3
	kill -INT $DUMP_PID
	wait $DUMP_PID
	is "$(fields f.pcapng -Y 'arp.dst.proto_ipv4 == 10.77.0.98' -e frame.comment | sort -u)" \
		"verdict=flooded in=uplink out=-" "a broadcast is shown for a guest that gets it"
	cmp_ok "$(fields f.pcapng -Y 'arp.dst.proto_ipv4 == 10.77.0.98' -e frame.number | wc -l)" '<=' 3 "once for each"
else
	for i in 1 2; do skip "build/tests/cli/station is not built" "flooded frames ($i)"; done
fi

# --- without a process ---
finish KILL
PORT_ID=1 capture "$DIR/k.pcapng" --port uplink --count 12
ping_host 20
wait $DUMP_PID
# Questions for the address that nobody has may still be asked among them, some times.
cmp_ok "$(comments k.pcapng | grep -cE 'verdict=to_(host|wire) in=(uplink|host) ')" '>=' 8 "the programs' frames can be captured without a process"
is "$(captures 1; echo $?)" 1 "and are let go again"
vxdp detach eth0 >/dev/null
