# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# vhostnet.sh - a tap port whose guest's rings are served by the kernel: testpmd with a virtio-user
# port on /dev/vhost-net, four queues. No vxdp process runs meanwhile.

GUEST_MAC=02:56:00:00:00:0b
WIRE_TEST_MAC=02:57:00:00:00:0b

part_vhostnet() {
	command -v dpdk-testpmd >/dev/null || { skip "testpmd is not installed" "vhost-net"; return; }
	[ -c /dev/vhost-net ] || { not_ok "the machine has /dev/vhost-net"; return; }
	card virt || { skip "the machine has no virt" "vhost-net"; return; }
	GUEST_IP=10.9.$CARD_N.9
	check "vhost-net: attach --tap with four queues" vxdp attach "$NIC" --tap tap0 --queues 4
	vhost_tcp
	if vhost_guest "set fwd macswap"; then
		vhost_echo
		vhost_ping
		vhost_guest_end
		cmp_ok "$(on_queues)" ">=" 2 "vhost-net: the flows are spread over the guest's queues"
	fi
	check "vhost-net: no process runs" no_process
	check "vhost-net: detach" vxdp detach "$NIC"
	check "vhost-net: the host is still there" eventually 10 ping_host 1
}

# vhost_guest COMMAND...: testpmd on tap0, with these commands; its output in $WORK/testpmd.log
vhost_guest() {
	rm -f $WORK/testpmd.in
	mkfifo $WORK/testpmd.in
	dpdk-testpmd -l 0,1 -m 64 --huge-dir /huge --single-file-segments --no-pci --no-telemetry --iova-mode=va \
		--vdev "net_virtio_user0,mac=$GUEST_MAC,path=/dev/vhost-net,iface=tap0,queues=4,queue_size=256" \
		-- -i --nb-cores=1 --total-num-mbufs=8192 --rxq=4 --txq=4 --eth-peer=0,$WIRE_TEST_MAC \
		<$WORK/testpmd.in >$WORK/testpmd.log 2>&1 &
	TESTPMD_PID=$!
	exec 4>$WORK/testpmd.in
	eventually 40 testpmd_ready
	grep -q 'testpmd> ' $WORK/testpmd.log ||
		{ not_ok "testpmd starts on vhost-net"; diag "$(tail -n 8 $WORK/testpmd.log)"; return 1; }
	printf '%s\n' "$@" start >&4
}

testpmd_ready() { ended $TESTPMD_PID || grep -q 'testpmd> ' $WORK/testpmd.log; }

vhost_guest_end() {
	printf '%s\n' stop "show port xstats 0" quit >&4
	exec 4>&-
	eventually 20 ended $TESTPMD_PID || kill -KILL $TESTPMD_PID
	wait $TESTPMD_PID
}

on_queues() { sed -nE 's/^rx_q[0-9]+_good_packets: ([1-9].*)/\1/p' $WORK/testpmd.log | wc -l; }

no_process() { [ "$(vxdp -j status "$NIC" | jq .pid)" = 0 ]; }

vhost_echo() {
	local result
	on_wire ip link set wire0 promisc on # what comes back is for an address that is not its own
	eventually 20 on_wire wire prime wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --timeout 3000
	result=$(on_wire timeout 100 wire echo wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --flows 32 --count 320 \
		--window 16 --size 60-1514 --timeout 2000 2>$WORK/guest.err)
	on_wire ip link set wire0 promisc off
	holds "vhost-net: 320 frames of 32 flows to the guest and back, each byte right, each flow in order" \
		'.received == 320 and .corrupt == 0 and .duplicate == 0 and .reordered == 0' "$result"
}

# testpmd answers ARP and ping by itself: from the wire, and from the host through the tap port.
vhost_ping() {
	printf '%s\n' stop "set fwd icmpecho" start >&4
	check "vhost-net: the guest answers the wire's ping" \
		eventually 20 on_wire ping -c 1 -W 5 -q "$GUEST_IP"
	check "vhost-net: and the host's, whose address stays on $NIC" \
		eventually 20 ping -c 1 -W 5 -q -I "$NIC" "$GUEST_IP"
}

# A guest with Linux's stack (tests/lib/nsguest.c): TCP with TSO, whose segments are whole on the wire.
TCP_BYTES=3000000
vhost_tcp() {
	local pid total bad longest ip=10.9.$CARD_N.40
	[ -e /etc/passwd ] || echo "root:x:0:0:root:/root:/bin/sh" >/etc/passwd # tcpdump asks for a user
	ip netns attach lab-host $$ 2>/dev/null
	ip netns add lab-guest
	nsenter --net=/run/netns/lab-guest sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	check "vhost-net: attach --tap for a guest with Linux" vxdp attach "$NIC" --tap tap1
	nsguest vhost-net:lab-host:tap1 lab-guest:eth0 >$WORK/nsguest.log 2>&1 &
	pid=$!
	eventually 20 grep -q ready $WORK/nsguest.log || diag "$(cat $WORK/nsguest.log)"
	ip -n lab-guest link set eth0 address 02:56:00:00:00:40 up
	ip -n lab-guest addr add "$ip/24" dev eth0
	check "vhost-net: the wire's ping is answered" eventually 20 on_wire ping -c 1 -W 5 -q "$ip"
	on_wire ethtool -K wire0 gro off >/dev/null 2>&1
	nsenter --net="/run/netns/$NS" -- tcpdump -Z root -i wire0 -nn --immediate-mode -U -w $WORK/vhost.pcap \
		"tcp and src host $ip" 2>$WORK/tcpdump.err &
	local tcpdump=$!
	eventually 20 test -s $WORK/vhost.pcap
	vhost_tcp_one "from the guest to the wire" lab-guest "$NS" "$WIRE_IP"
	vhost_tcp_one "from the wire to the guest" "$NS" lab-guest "$ip"
	vhost_tcp_one "from the guest to the host" lab-guest lab-host "$HOST_IP"
	kill -INT $tcpdump
	wait $tcpdump
	on_wire ethtool -K wire0 gro on >/dev/null 2>&1
	tcpdump -Z root -r $WORK/vhost.pcap -nn -vv >$WORK/vhost.txt 2>/dev/null
	total=$(grep -c 'cksum .*(correct)' $WORK/vhost.txt)
	bad=$(grep -c 'cksum .*incorrect' $WORK/vhost.txt)
	longest=$(sed -n 's/.*, length \([0-9]*\)$/\1/p' $WORK/vhost.txt | sort -n | tail -n 1)
	[ "$total" -gt 0 ] || diag "$(cat $WORK/tcpdump.err)"
	cmp_ok "$total" ">=" $((TCP_BYTES / 1460)) "vhost-net: segments with a right checksum on the wire"
	is "$bad" 0 "vhost-net: and none with a wrong one"
	cmp_ok "${longest:-9999}" "<=" 1500 "vhost-net: none is longer than the wire's MTU"
	cmp_ok "$(ip -s -j link show tap1 | jq '.[0].stats64.rx | .bytes / .packets | floor')" ">" 2000 \
		"vhost-net: the guest handed over more than a segment at a time"
	kill $pid
	wait $pid 2>/dev/null
	ip netns del lab-guest
	ip netns del lab-host
	vxdp detach "$NIC" tap1 >/dev/null
}

# vhost_tcp_one TEXT FROM TO ADDRESS
vhost_tcp_one() {
	local sent got=$WORK/tcp.got
	rm -f $got
	nsenter --net="/run/netns/$3" -- traffic tcp-recv --bind 0.0.0.0 --port 7000 --timeout 60 --background $got >/dev/null
	sent=$(nsenter --net="/run/netns/$2" -- traffic tcp-send --to "$4" --port 7000 --bytes $TCP_BYTES --timeout 60)
	eventually 10 test -s $got
	is "$(jq -r '"\(.bytes) \(.checksum)"' $got 2>/dev/null)" "$TCP_BYTES $(jq -r .checksum <<<"$sent")" \
		"vhost-net: $TCP_BYTES bytes by TCP $1"
}
