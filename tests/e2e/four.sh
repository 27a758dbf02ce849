#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Four guests on one switch with two NICs: two in VLAN 10 with the one NIC's wire and host, two in
# VLAN 20 with the other's. Each reaches those of its VLAN and nothing of the other one; an address
# that moves from guest to guest, to the wire and back is followed in less than a second.
LAB_TIMEOUT=200
. "$(dirname "$0")/../lib/lab.sh"

plan 23
MOVED_MAC=52:54:00:77:00:99 MOVED_IP=10.77.0.99 # behind whom it is, changes

# The second NIC. Guests of both VLANs have addresses of both networks: what keeps them apart is the
# switch.
second_wire() {
	on_host ip link add eth1 address 02:00:00:78:00:01 type veth peer name wire1 netns "$NS_WIRE" \
		address 02:00:00:78:00:02
	on_host ethtool -K eth1 gro on >/dev/null 2>&1
	on_wire ethtool -K wire1 tx off gro on >/dev/null 2>&1
	on_host ip addr add 10.78.0.1/24 brd + dev eth1
	on_wire ip addr add 10.78.0.2/24 brd + dev wire1
	on_host ip link set eth1 up
	on_wire ip link set wire1 up
	# Each end is asked by its own wire.
	on_host sysctl -qw net.ipv4.conf.all.arp_ignore=1
	on_wire sysctl -qw net.ipv4.conf.all.arp_ignore=1
}

mac_of() { echo "52:54:00:77:00:1${1#vm}"; }
boot() {
	guest_start "$1" vhost="$LAB_DIR/$1.sock" mac="$(mac_of "$1")" mem=160 smp=1 \
		ip="10.77.0.1${1#vm}/24" ip="10.78.0.1${1#vm}/24"
}

# Once in a hundred times or so an emulated machine does not boot at all.
up() {
	guest_wait "$1" 60 && return
	diag "guest $1 is started once more"
	guest_kill9 "$1"
	boot "$1" && guest_wait "$1" 60
}

# reaches FROM ADDRESS...: FROM is a guest, wire or host.
reaches() {
	local from=$1 address
	shift
	for address; do
		if [[ $from = vm* ]]; then
			guest_run "$from" "ping -c 2 -i 0.2 -W 3 -q $address" || return 1
		else
			"on_$from" ping -c 2 -i 0.2 -W 3 -q "$address" || return 1
		fi
	done
}

# Echo requests a guest has got.
heard() { guest_run "$1" "awk '/IcmpMsg/ { for (i = 1; i <= NF; i++) { if (!n[i]) n[i] = \$i; else if (n[i] == \"InType8\") got = \$i } } END { print got + 0 }' /proc/net/snmp"; }

# call FROM NETDEV GUEST...: to guests whose address the caller knows, and to all.
call() {
	local from=$1 dev=$2 name commands=''
	shift 2
	for name; do
		commands+="ip neigh replace 10.77.0.2${name#vm} lladdr $(mac_of "$name") dev $dev;"
		commands+="ip route replace 10.77.0.2${name#vm} dev $dev; ping -c 5 -i 0.1 -W 0.5 -q 10.77.0.2${name#vm};"
	done
	commands+="ping -b -c 5 -i 0.1 -W 0.5 -q $BROADCAST_IP"
	if [[ $from = vm* ]]; then guest_run "$from" "$commands"; else "on_$from" sh -c "$commands"; fi >/dev/null 2>&1
}

lab_begin
second_wire
vxdp_start vm0 --vlan 10 --uplink eth1 || bail "vxdp does not start"
for port in vm1:10 vm2:20 vm3:20; do
	vxdp attach eth0 --vm "$LAB_DIR/${port%:*}.sock" --name "${port%:*}" --vlan "${port#*:}" >/dev/null
done
for port in uplink:10 host:10 eth1:20 host2:20; do vxdp port set eth0 "${port%:*}" vlan "${port#*:}" >/dev/null; done
for name in vm0 vm1 vm2 vm3; do boot $name || bail "$name does not start"; done
for name in vm0 vm1 vm2 vm3; do up $name || bail "$name does not start"; done
for name in vm0 vm1 vm2 vm3; do eventually 15 port_running $name; done
is "$(vxdp -j status eth0 | json '[.ports[] | select(.name | startswith("vm")) | .state] | join(" ")')" \
	"running running running running" "four guests run"

check "vm0 reaches its VLAN, the wire and the host" reaches vm0 10.77.0.11 10.77.0.2 10.77.0.1
check "vm1 too" reaches vm1 10.77.0.10 10.77.0.2 10.77.0.1
check "vm2 in the other VLAN its own" reaches vm2 10.78.0.13 10.78.0.2 10.78.0.1
check "vm3 too" reaches vm3 10.78.0.12 10.78.0.2 10.78.0.1
check "the wires reach all" reaches wire 10.77.0.10 10.77.0.11 10.78.0.12 10.78.0.13
check "the host reaches all" reaches host 10.77.0.10 10.77.0.11 10.78.0.12 10.78.0.13

# apart OWN OTHER NUMBER TEXT BROADCAST: all of one VLAN call, by that wire, and who hears it?
counts() { for name in vm0 vm1 vm2 vm3; do heard $name; done | xargs; }
apart() {
	local own=$1 other=$2 dev=$3 before after i member changed='' callers=()
	read -ra before <<<"$(counts)"
	for member in $own wire host; do
		case $member in wire) i=wire$dev ;; host) i=eth$dev ;; *) i=eth0 ;; esac
		# shellcheck disable=SC2086 # a list
		BROADCAST_IP=$5 call "$member" $i $other &
		callers+=($!)
	done
	wait "${callers[@]}"
	read -ra after <<<"$(counts)"
	for member in $other; do
		i=${member#vm}
		changed+="$((after[i] - before[i])) "
	done
	is "$changed" "0 0 " "$4: the other VLAN hears nothing, neither what is for all nor what is for it"
	for member in $own; do
		i=${member#vm}
		cmp_ok $((after[i] - before[i])) '>=' 5 "$4: but $member does"
	done
}
apart "vm0 vm1" "vm2 vm3" 0 "from VLAN 10" 10.77.0.255
apart "vm2 vm3" "vm0 vm1" 1 "from VLAN 20" 10.78.0.255
is "$(guest_run vm0 'ping -c 2 -i 0.2 -W 1 -q 10.77.0.12 >/dev/null && echo reached; ip neigh show 10.77.0.12 dev eth0' | grep -c "reached\|lladdr")" 0 \
	"nor is a question for its addresses answered"

BYTES=4000000
for pair in vm0:vm1:10.77.0.11 vm2:vm3:10.78.0.13; do
	IFS=: read -r from to address <<<"$pair"
	guest_run "$to" 'traffic tcp-recv --port 7900 --timeout 60 --background /tmp/r' >/dev/null
	guest_run "$from" "traffic tcp-send --to $address --port 7900 --bytes $BYTES --timeout 50" >"$LAB_DIR/sent.$from" &
	senders+=($!)
done
wait "${senders[@]}"
for pair in vm0:vm1 vm2:vm3; do
	got=$(guest_run ${pair#*:} 'for i in 1 2 3 4 5 6 7 8 9; do [ -s /tmp/r ] && break; sleep 0.5; done; cat /tmp/r')
	same_sum "$(cat "$LAB_DIR/sent.${pair%:*}")" "$got" "TCP from ${pair%:*} to ${pair#*:}, both VLANs at once"
done
tcp_both_ways wire vm1 $BYTES 7901 10.77.0.11
tcp_is $BYTES "TCP between vm1 and its wire, both ways"
HOST_IP=10.78.0.1 tcp_both_ways host vm3 $BYTES 7902 10.78.0.13
tcp_is $BYTES "TCP between vm3 and its host, both ways"

# --- An address that moves ---

as() { if [[ $1 = vm* ]]; then guest_run "$1" "$2"; else on_wire sh -c "$2"; fi; }
leave() {
	local dev=eth0 mac
	[ "$1" = wire ] && dev=wire0 mac=$WIRE_MAC || mac=$(mac_of "$1")
	as "$1" "ip addr del $MOVED_IP/32 dev $dev; ip link set $dev address $mac" >/dev/null 2>&1
}

# arrive AT: milliseconds until its first ping is answered, which begins with a question for the
# host's address: the first frame from there.
arrive() {
	local dev=eth0
	[ "$1" = wire ] && dev=wire0
	as "$1" "ip link set $dev address $MOVED_MAC; ip addr add $MOVED_IP/32 dev $dev; ip neigh flush dev $dev
		ping -c 1 -W 5 -I $MOVED_IP $HOST_IP" 2>/dev/null | sed -n 's/.* time=\([0-9.]*\) ms.*/\1/p'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# All the while the host sends there.
on_host ip neigh replace $MOVED_IP lladdr $MOVED_MAC dev eth0
exec_host ping -i 0.02 -q $MOVED_IP >/dev/null 2>&1 &
stream=$!
holder='' followed=0
for round in 1 2 3; do
	for next in vm0 vm1 wire; do
		[ -z "$holder" ] || leave "$holder"
		ms=$(arrive $next)
		echo "${ms:-99999}" >>"$LAB_DIR/move.$next"
		[ "$(vxdp -j fdb show eth0 | json ".entries[] | select(.mac == \"$MOVED_MAC\") | .port")" = "${next/wire/uplink}" ] &&
			followed=$((followed + 1))
		holder=$next
	done
done
kill $stream
leave "$holder"
is $followed 9 "the address table knows each of 9 moves"
cmp_ok "$(median <"$LAB_DIR/move.vm1")" '<' 1000 "from guest to guest: followed in less than a second"
cmp_ok "$(median <"$LAB_DIR/move.wire")" '<' 1000 "from a guest to the wire"
cmp_ok "$(tail -n 2 "$LAB_DIR/move.vm0" | median)" '<' 1000 "from the wire to a guest"
diag "to vm0: $(xargs <"$LAB_DIR/move.vm0") ms; to vm1: $(xargs <"$LAB_DIR/move.vm1"); to the wire: $(xargs <"$LAB_DIR/move.wire")"
vxdp_stop
is $? 0 "the process is told to end"
