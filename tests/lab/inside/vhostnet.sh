# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# vhostnet.sh - a tap port whose guest's rings are served by the kernel: testpmd with a virtio-user
# port on /dev/vhost-net, four queues. No vxdp process runs meanwhile.

part_vhostnet() {
	command -v dpdk-testpmd >/dev/null || { skip "testpmd is not installed" "vhost-net"; return; }
	[ -c /dev/vhost-net ] || { not_ok "the machine has /dev/vhost-net"; return; }
	card virt || { skip "the machine has no virt" "vhost-net"; return; }
	GUEST_IP=10.9.$CARD_N.9
	check "vhost-net: attach --tap with four queues" vxdp attach "$NIC" --tap tap0 --queues 4
	vhost_tcp
	if testpmd_up "path=/dev/vhost-net,iface=tap0" 4; then
		vhost_echo
		vhost_ping
		testpmd_down
		vhost_queues
	fi
	check "vhost-net: no process runs" no_process
	check "vhost-net: detach" vxdp detach "$NIC"
	check "vhost-net: the host is still there" eventually 10 ping_host 1
}

no_process() { [ "$(vxdp -j status "$NIC" | jq .pid)" = 0 ]; }

vhost_echo() {
	testpmd_echo 320 --flows 32
	holds "vhost-net: 320 frames of 32 flows to the guest and back, each byte right, each flow in order" \
		'.received == 320 and .corrupt == 0 and .duplicate == 0 and .reordered == 0' "$result"
}

vhost_queues() {
	local frames
	frames=$(by_queue 1)
	holds "vhost-net: the flows are spread over the guest's queues: $frames" \
		'length == 4 and add == 320 and (map(select(. > 0)) | length) >= 2' "$frames"
	holds "vhost-net: and each flow, of ten frames, is on one of them" 'all(.[]; . % 10 == 0)' "$frames"
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
	local longest ip=10.9.$CARD_N.40 text="vhost-net: $TCP_BYTES bytes by TCP"
	check "vhost-net: attach --tap for a guest with Linux" vxdp attach "$NIC" --tap tap1
	nsguest_up guest vhost-net:host:tap1 02:56:00:00:00:40 "$ip/24"
	check "vhost-net: the wire's ping is answered" eventually 20 on_wire ping -c 1 -W 5 -q "$ip"
	wire_capture "tcp and src host $ip"
	tcp_between "$text from the guest to the wire" guest "$NS" "$WIRE_IP" $TCP_BYTES
	tcp_between "$text from the wire to the guest" "$NS" guest "$ip" $TCP_BYTES
	tcp_between "$text from the guest to the host" guest host "$HOST_IP" $TCP_BYTES
	wire_captured
	wire_checksums vhost-net $((TCP_BYTES / 1460))
	longest=$(sed -n 's/.*, length \([0-9]*\)$/\1/p' $WORK/wire.txt | sort -n | tail -n 1)
	cmp_ok "${longest:-9999}" "<=" 1500 "vhost-net: none is longer than the wire's MTU"
	cmp_ok "$(ip -s -j link show tap1 | jq '.[0].stats64.rx | .bytes / .packets | floor')" ">" 1600 \
		"vhost-net: the guest handed over more than a segment at a time"
	nsguest_down guest
	vxdp detach "$NIC" tap1 >/dev/null
}
