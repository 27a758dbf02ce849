# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# isolation.sh - what is for others never appears in a guest's memory. The wire sends frames with a
# marker to the host and to a second guest on the same NIC; the first guest looks for the marker in
# all of its memory. That it would find one is shown by a dedicated zero-copy card, where the NIC
# does write the host's frames there first: the reason for --dedicated.

OTHER_MAC=02:56:00:00:00:0a
MARKER=0x5ec4e75a

part_isolation() {
	local name
	for name in igb virt; do
		card "$name" || { skip "the machine has no $name" "$name: isolation"; continue; }
		isolation_shared
		isolation_control
	done
}

isolation_shared() {
	local status scan
	vx_start || { not_ok "$CARD: attach"; return; }
	vxdp attach "$NIC" --vm "$SOCKET.other" --name vm1 --role server >/dev/null 2>&1 ||
		not_ok "$CARD: a second port"
	lab_guest follow --socket "$SOCKET.other" --wire "$NS:wire0" --mac $OTHER_MAC --tag $MARKER \
		--count 1 >$WORK/follow.log 2>$WORK/follow.err &
	FOLLOW_PID=$!
	eventually 30 follow_flows || diag "the second guest has no traffic: $(cat $WORK/follow.err)"
	guest scan --count 400 --marker $MARKER --foreign "$HOST_MAC" --hugepages &
	scan=$!
	eventually 20 lane_open
	status=$(vxdp -j status "$NIC")
	wait $scan
	guest=$(cat $WORK/guest.json)
	holds "$CARD: without --dedicated no zero copy into the guest: $(jq -r '.ports[0] | "\(.lane): \(.lane_reason)"' <<<"$status")" \
		'.ports[0] | (.lane != "direct" or .zerocopy == false) and (.lane_reason | length) > 0' "$status"
	holds "$CARD: with 400 frames for the host and those of a second guest, none of them is in the guest's memory" \
		'.own > 0 and .foreign == 0 and .corrupt == 0 and .echoed >= 390'
	check "$CARD: the second guest had its own meanwhile" follow_flows
	check "$CARD: and so had the host" ping_host
	follow_stop
	vx_stop
}

isolation_control() {
	if [ "$(zero_copy_answer)" != yes ]; then
		skip "$(ethtool -i "$NIC" | sed -n 's/^driver: //p') of Linux $RELEASE has no zero copy" \
			"$CARD: the control, by zero copy"
		return
	fi
	vx_start --lane direct --dedicated || { not_ok "$CARD: attach --dedicated"; return; }
	guest scan --count 400 --marker $MARKER --foreign "$HOST_MAC" --hugepages
	holds "$CARD: the control: a dedicated zero-copy card does write the host's frames there" \
		'.own > 0 and .foreign > 0'
	vx_stop
}
