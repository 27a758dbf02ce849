# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# pktgen.sh - the kernel's packet generator on the wire, a veth: what it sent is what the guest got and
# what vxdp counted as dropped, to the frame; and what the generator's letters do.

PKTGEN_MAC=52:54:00:00:00:30 PKTGEN_IP=10.9.9.3 PKTGEN_NOBODY=10.9.9.99

part_pktgen() {
	[ -e /proc/net/pktgen ] || { skip "this kernel has no pktgen" "pktgen"; return; }
	CARD=veth NIC=pk0 NS=w-pk
	ip netns add $NS
	ip link add pk0 type veth peer name wire0 netns $NS
	ip link set pk0 up
	ethtool -K pk0 gro on >/dev/null 2>&1
	on_wire ethtool -K wire0 tx off gro on >/dev/null 2>&1
	on_wire ip addr add 10.9.9.2/24 dev wire0
	on_wire ip link set wire0 up
	eventually 5 carrier
	vx_start || { not_ok "pktgen: attach"; return; }
	station --socket "$SOCKET" --mac $PKTGEN_MAC --ip $PKTGEN_IP 2>$WORK/station.err &
	STATION_PID=$!
	if eventually 30 pktgen_guest_answers; then
		pktgen_account "one thread" 5000 -n 5000
		pktgen_account "two threads, long frames" 5000 -n 2500 -t 2 -s 1514
		pktgen_account "as many as the guest cannot take" 20000 -n 20000 -s 60
	else
		not_ok "pktgen: the guest answers"
		diag "$(cat $WORK/station.err)" "$(tail -n 4 $WORK/vxdp.log)"
	fi
	kill $STATION_PID
	wait $STATION_PID 2>/dev/null
	detaches
	ip netns del $NS
}

pktgen_guest_answers() { on_wire ping -c 1 -W 1 -q $PKTGEN_IP; }

# Frames the wire itself lost: veth's ring was full. Newer kernels tell pktgen, which sends them again.
pktgen_wire_lost() { on_wire ip -s -j link show dev wire0 | jq '.[0].stats64.tx.dropped'; }

# pktgen_account TEXT FRAMES OPTION...: of pktgen.sh
pktgen_account() {
	local text=$1 n=$2 lost result
	shift 2
	lost=$(pktgen_wire_lost)
	result=$(VXDP=vxdp account $NIC nsenter --net=/run/netns/$NS -- pktgen.sh -i wire0 -d $PKTGEN_NOBODY \
		-m $PKTGEN_MAC "$@" 2>$WORK/pktgen.err)
	lost=$(($(pktgen_wire_lost) - lost))
	diag "$result" "lost on the wire: $lost $(cat $WORK/pktgen.err)"
	holds "pktgen, $text: sent = delivered + dropped, by the counters" \
		".sent == $n and .pps > 0 and .delivered > 0 and .lost == .sent - .delivered and
		.unaccounted >= -5 and .unaccounted <= 5 + $lost" "$result"
}
