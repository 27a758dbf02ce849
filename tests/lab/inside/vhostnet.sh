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
	eventually 20 on_wire wire prime wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --timeout 3000
	result=$(on_wire timeout 60 wire echo wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --flows 32 --count 320 \
		--window 16 --size 60-1514 --timeout 5000 2>$WORK/guest.err)
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
