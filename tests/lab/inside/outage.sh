# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# outage.sh - what happens to a NIC while a guest is on it: carrier lost, taken down, another number
# of queues, a driver that resets, and the NIC gone. Traffic returns, or there is a clear error;
# never a hang.

part_outage() {
	local name
	for name in igb virt; do
		card "$name" || { skip "the machine has no $name" "$name: outages"; continue; }
		if [ "$(zero_copy_answer)" = yes ]; then
			outages "by zero copy" --dedicated
		else
			outages "by copy"
		fi
		removal
	done
}

# outage TEXT COMMAND...: the command runs with traffic before it, and there is traffic after it.
outage() {
	local text="$CARD, $HOW: $1"
	shift
	"$@" >$WORK/outage.log 2>&1
	if follow_returns 20 && vx_alive; then ok "$text"; else
		not_ok "$text"
		diag "$(tail -n 5 $WORK/outage.log)" "$(tail -n 10 $WORK/vxdp.log)" \
			"$(vx_status -c '.ports[0] | {lane, lane_reason, state}')"
	fi
}

outages() {
	HOW=$1
	shift
	vx_start --lane direct "$@" || { not_ok "$CARD, $HOW: attach"; return; }
	follow_start --flows 8 --hugepages || { not_ok "$CARD, $HOW: traffic"; follow_stop; vx_stop; return; }
	pulled() {
		monitor "set_link nic$CARD_N off"
		eventually 10 follow_stands || echo "traffic went on without a carrier"
		monitor "set_link nic$CARD_N on"
	}
	outage "traffic returns after the plug was out" pulled
	down_up() { ip link set "$NIC" down; sleep 0.5; ip link set "$NIC" up; }
	outage "traffic returns after the NIC was down" down_up
	if [ "$CARD" = igb ]; then
		outage "traffic returns when the driver resets (ring size)" ethtool -G "$NIC" rx 512
		outage "traffic goes on when the number of queues is to be 1" ethtool -L "$NIC" combined 1
		outage "traffic goes on when it is to be 2" ethtool -L "$NIC" combined 2
	fi
	follow_stop
	guest echo --count 200 --hugepages
	holds "$CARD, $HOW: after all that, 200 frames both ways, each byte right" \
		'.echoed == 200 and .corrupt == 0 and .lost == 0'
	detaches
}

# The NIC is unplugged while attached, and comes back.
removal() {
	local device status
	vx_start || { not_ok "$CARD: attach"; return; }
	follow_start
	device=$(readlink -f "/sys/class/net/$NIC/device")
	[ -e "$device/remove" ] || device=${device%/*}
	timeout 20 bash -c "echo 1 >$device/remove"
	is $? 0 "$CARD: the NIC can be removed under vxdp"
	if eventually 15 ended "$VX_PID"; then
		wait "$VX_PID"
		status=$?
		VX_PID=
		cmp_ok $status ">" 0 "$CARD: vxdp says so and ends: $(tail -n 1 $WORK/vxdp.log)"
	else
		follow_stop
		not_ok "$CARD: vxdp says so and ends"
		diag "$(tail -n 10 $WORK/vxdp.log)"
	fi
	follow_stop
	vx_stop
	echo 1 >/sys/bus/pci/rescan
	eventually 10 ifname_of "$HOST_MAC" || { not_ok "$CARD: the NIC comes back"; return; }
	ip link set "$(ifname_of "$HOST_MAC")" name "$NIC"
	card_up "$CARD" "$CARD_N"
	eventually 15 carrier
	vx_start --lane direct || { not_ok "$CARD: attach to the NIC that came back"; return; }
	guest echo --count 200
	holds "$CARD: the NIC that came back works" '.echoed == 200 and .corrupt == 0 and .lost == 0'
	detaches
}
