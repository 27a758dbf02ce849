#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest with two queue pairs, split and packed rings: it reaches the wire and the host, whose
# address stays on the NIC, by IPv4 and IPv6; ARP, DHCP and multicast work.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 44

# reaches WHAT V4 V6
guest_pings() {
	check "$ring: guest reaches $1 by IPv4" guest_run vm0 "ping -c 3 -i 0.2 -W 2 -q $2"
	check "$ring: guest reaches $1 by IPv6" guest_run vm0 "ping -c 3 -i 0.2 -W 2 -q $3"
}

# A multicast group joined in the guest and at SIDE; five datagrams each way, no more, no less.
multicast() {
	local side=$1 group=$2 bind=$3 dev=$4 out=$LAB_DIR/mcast.$1
	guest_run vm0 "traffic udp-recv --bind $bind --join $group --dev eth0 --port 7100 --expect 5 \
		--timeout 20 --background /tmp/mcast" >/dev/null
	sleep 0.5
	"on_$side" "$TRAFFIC" udp-send --to "$group" --dev "$dev" --port 7100 --count 5 --rate 100 >/dev/null
	is "$(guest_run vm0 'sleep 1; cat /tmp/mcast' | json '"\(.received) \(.duplicate) \(.corrupt)"')" "5 0 0" \
		"$ring: multicast $group, $side to guest"
	"on_$side" "$TRAFFIC" udp-recv --bind "$bind" --join "$group" --dev "$dev" --port 7101 --expect 5 \
		--timeout 20 --background "$out" >/dev/null
	sleep 0.5
	guest_run vm0 "traffic udp-send --to $group --dev eth0 --port 7101 --count 5 --rate 100" >/dev/null
	eventually 5 test -s "$out"
	is "$(json '"\(.received) \(.duplicate) \(.corrupt)"' <"$out")" "5 0 0" \
		"$ring: multicast $group, guest to $side"
	rm -f "$out"
}

dhcp() {
	cat >"$LAB_DIR/udhcpd.conf" <<-END
		start 10.77.0.100
		end 10.77.0.109
		interface wire0
		lease_file $LAB_DIR/udhcpd.leases
		pidfile $LAB_DIR/udhcpd.pid
		option subnet 255.255.255.0
		option lease 600
	END
	touch "$LAB_DIR/udhcpd.leases"
	exec_wire busybox udhcpd -f "$LAB_DIR/udhcpd.conf" >"$LAB_DIR/udhcpd.log" 2>&1 &
	local pid=$!
	check "$ring: DHCP from a server on the wire" \
		guest_run vm0 'udhcpc -i eth0 -n -q -f -t 5 -T 2 -s /usr/share/udhcpc/default.script'
	is "$(guest_run vm0 'ip -4 -o addr show dev eth0' | grep -c 'inet 10\.77\.0\.10[0-9]/')" 1 \
		"$ring: the guest has the address it was given"
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	guest_run vm0 "ip addr flush dev eth0 scope global; ip addr add $GUEST_IP/24 brd + dev eth0
		ip addr add $GUEST_IP6/64 dev eth0 nodad"
}

one_ring() {
	local status
	ring=$1
	vm_up vm0 queues=2 packed="$([ "$ring" = packed ] && echo on || echo off)" ||
		bail "$ring: no guest"
	status=$(vxdp -j status eth0 | json '.ports[0] | "\(.state) \(.queue_pairs) \(.ring)"')
	is "$status" "running 2 $ring" "$ring: status shows a running port with two queue pairs"
	is "$(guest_run vm0 'ethtool -l eth0' | awk '/Combined/ { n = $2 } END { print n }')" 2 \
		"$ring: the guest uses two queue pairs"
	is "$(on_host ip -4 -o addr show dev eth0 | awk '{ print $4 }')" "$HOST_IP/24" \
		"$ring: the host's address is on the NIC"
	guest_pings "the wire" $WIRE_IP $WIRE_IP6
	guest_pings "the host" $HOST_IP $HOST_IP6
	check "$ring: the wire reaches the guest by IPv4" on_wire ping -c 3 -i 0.2 -W 2 -q $GUEST_IP
	check "$ring: the wire reaches the guest by IPv6" on_wire ping -c 3 -i 0.2 -W 2 -q $GUEST_IP6
	check "$ring: the host reaches the guest by IPv4" on_host ping -c 3 -i 0.2 -W 2 -q $GUEST_IP
	check "$ring: the host reaches the guest by IPv6" on_host ping -c 3 -i 0.2 -W 2 -q $GUEST_IP6
	guest_run vm0 'ip neigh flush all' >/dev/null
	check "$ring: ARP from the guest finds the wire" guest_run vm0 "busybox arping -c 2 -w 4 -I eth0 $WIRE_IP"
	check "$ring: ARP from the wire finds the guest" on_wire busybox arping -c 2 -w 4 -I wire0 $GUEST_IP
	is "$(vxdp -j fdb show eth0 | json ".entries[] | select(.mac == \"$GUEST_MAC\") | .port")" vm0 \
		"$ring: the guest's address is known to be on its port"
	multicast wire 239.77.0.1 0.0.0.0 wire0
	multicast host ff02::7777 :: eth0
	dhcp
	guest_stop vm0
	vxdp_stop
	is $? 0 "$ring: vxdp ends with status 0 on SIGTERM"
}

lab_begin queues=2
before=$(nic_state)
one_ring split
is "$(nic_state)" "$before" "split: the NIC is as it was before"
one_ring packed
is "$(nic_state)" "$before" "packed: the NIC is as it was before"
