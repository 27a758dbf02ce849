#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# UDP of every size from a 60-byte frame to the MTU, there and back, payload checked at both ends,
# in each lane, to the wire and to the host. Then the same at MTU 9000, end to end.
LAB_TIMEOUT=400
. "$(dirname "$0")/../lib/lab.sh"

plan 33

# every_size TEXT SIDE ADDRESS-IN-GUEST MIN MAX: echoed by the guest, one of each size.
every_size() {
	local r
	guest_run vm0 'kill $(pidof traffic) 2>/dev/null; traffic udp-echo --port 7200 --timeout 100 --background /tmp/echo' >/dev/null
	r=$("on_$2" "$TRAFFIC" udp-ping --to "$3" --port 7200 --size "$4-$5" --timeout 90)
	is "$(json '"\(.ok) ok, \(.lost) lost, \(.corrupt) corrupt"' <<<"$r")" "$(($5 - $4 + 1)) ok, 0 lost, 0 corrupt" \
		"$1: UDP payloads of $4 to $5 bytes, $2"
	is "$(guest_run vm0 'kill $(pidof traffic); sleep 0.5; cat /tmp/echo' | json .corrupt)" 0 \
		"$1: the guest saw every payload as it was sent, $2"
}

sizes() {
	local text=$1 top=$2
	every_size "$text, IPv4" wire $GUEST_IP 18 $((top - 28))
	every_size "$text, IPv6" wire $GUEST_IP6 8 $((top - 48))
	every_size "$text, IPv4" host $GUEST_IP 18 $((top - 28))
	every_size "$text, IPv6" host $GUEST_IP6 8 $((top - 48))
}

# Frames of the wire that took each lane: direct (or its bounce buffers), and kernel.
lane_counts() {
	echo "$(stat_sum vm0 ".queues[].rx | (.direct, .bounced) | .packets") $(stat_sum vm0 ".queues[].rx.kernel.packets")"
}

# 2900 sizes came from the wire; those of the host always take the kernel lane.
proves_lane() {
	local direct=$((${2% *} - ${1% *})) kernel=$((${2#* } - ${1#* }))
	diag "$lane lane: $direct frames by AF_XDP, $kernel by the tap"
	if [ "$lane" = direct ]; then
		cmp_ok $direct ">=" 2900 "direct lane: every frame from the wire took it"
	else
		is $direct 0 "kernel lane: no frame took another"
	fi
}

lab_begin
for lane in kernel direct; do
	vm_up vm0 lane=$lane || bail "$lane lane: no guest"
	is "$(vxdp -j status eth0 | json .ports[0].lane)" $lane "lane is $lane"
	counted=$(lane_counts)
	sizes "$lane lane" 1500
	proves_lane "$counted" "$(lane_counts)"
	guest_stop vm0
	vxdp_stop
done
net_down

net_up mtu=9000 || bail "no wire with MTU 9000"
vm_up vm0 mtu=9000 || bail "MTU 9000: no guest"
is "$(guest_run vm0 'cat /sys/class/net/eth0/mtu')" 9000 "MTU 9000: the guest takes the MTU it is offered"
is "$(vxdp -j status eth0 | json .ports[0].mtu)" 9000 "MTU 9000: status says so"
check "MTU 9000: a ping of full size to the wire, unfragmented" \
	guest_run vm0 "ping -M do -s 8972 -c 3 -i 0.2 -W 2 -q $WIRE_IP"
check "MTU 9000: a ping of full size to the host, unfragmented" \
	guest_run vm0 "ping -M do -s 8972 -c 3 -i 0.2 -W 2 -q $HOST_IP"
check "MTU 9000: a ping of full size from the wire, unfragmented" \
	on_wire ping -M "do" -s 8972 -c 3 -i 0.2 -W 2 -q $GUEST_IP
every_size "MTU 9000" wire $GUEST_IP 1400 2200
every_size "MTU 9000" wire $GUEST_IP 3300 4200
every_size "MTU 9000" wire $GUEST_IP 8600 8972
tcp_both_ways wire vm0 50000000 7210
tcp_is 50000000 "MTU 9000: 50 MB each way"
guest_stop vm0
vxdp_stop
is $? 0 "vxdp ends with status 0 on SIGTERM"
