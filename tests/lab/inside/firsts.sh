# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# firsts.sh - what a guest on a NIC is first asked for, on this kernel: frames there and back, counted,
# in split and packed rings (testpmd); ping and TCP with Linux's own stack (tests/lib/nsguest.c); vxdp
# killed and back under a guest that lives on; and the NIC as it was, afterwards.

FIRST_BYTES=1000000

part_firsts() {
	local before
	card virt || { skip "the machine has no virt" "first checks"; return; }
	GUEST_IP=10.9.$CARD_N.9
	before=$(nic_state)
	if command -v dpdk-testpmd >/dev/null; then
		first_ring split 0
		first_ring packed 1
	else
		skip "testpmd is not installed" "first checks: frames there and back"
	fi
	first_tcp
	is "$(nic_state)" "$before" "first checks: the NIC is as it was"
}

# nic_state: what vxdp may change about the NIC, as text
nic_state() {
	ip -d -j link show dev "$NIC" | jq -cS '.[] | {flags: (.flags | sort), mtu, promiscuity, allmulti, xdp, qdisc, address}'
	tc qdisc show dev "$NIC"
	ethtool -k "$NIC" | grep -v '^Features' | sort
	ip -o link show | sed 's/^[0-9]*: //; s/[@:].*//' | sort
	find /sys/fs/bpf -mindepth 1 ! -path /sys/fs/bpf/xdp # libxdp makes itself a folder there
}

first_port() { vxdp -j stats "$NIC" | jq -c '[.ports[] | select(.name == "vm0") | .queues[]] |
	{rx: ([.[].rx | .direct, .shared, .kernel | .packets] | add), tx: ([.[].tx | .direct, .shared, .kernel | .packets] | add),
	 drops: ([.[] | .rx.drops, .tx.drops | .[] | .packets] | add // 0)}'; }

# first_echo TEXT: 400 frames, each byte compared, and vxdp counts as many each way. A second time if a
# lane was opened meanwhile: the NIC loses what it has then.
first_echo() {
	local before after
	before=$(vx_status '.ports[0].lane')
	testpmd_echo 400 --flows 8
	if [ "$(jq .received <<<"$result")" != 400 ]; then
		diag "once more, the lane was $before before: $result"
		testpmd_echo 400 --flows 8
	fi
	whole_echoes+=("$N_ECHOES")
	after=$(first_port)
	holds "$1: 400 frames to the guest and back, each byte right, each flow in order" \
		'.received == 400 and .corrupt == 0 and .duplicate == 0 and .reordered == 0' "$result"
	holds "$1: and vxdp as many each way at least, and drops none: $after" '.rx >= 400 and .tx >= 400 and .drops == 0' "$after"
}

# first_ring NAME PACKED: the guest is the server, and stays when vxdp does not. virtio-user keeps no
# in-flight state, so of a split ring that was in use nobody knows what a killed vxdp had; a packed one
# it makes anew.
first_ring() {
	local n counted='' whole_echoes=() text="first checks, $1 ring" end=TERM ended=stopped
	[ "$2" = 0 ] || end=KILL ended=killed
	vxdp attach "$NIC" --vm "$SOCKET" --name vm0 --role client >$WORK/vxdp.log 2>&1 &
	VX_PID=$!
	eventually 150 vx_has_port && vx_alive || { not_ok "$text: attach"; diag "$(tail -n 5 $WORK/vxdp.log)"; vx_stop; return; }
	if testpmd_up "path=$SOCKET,server=1,packed_vq=$2" 1; then
		first_echo "$text"
		is "$(vx_status '.ports[0].ring')" "$1" "$text: status says so"
		kill -$end $VX_PID
		wait $VX_PID 2>/dev/null
		vxdp attach "$NIC" --vm "$SOCKET" --name vm0 --role client >$WORK/vxdp.log 2>&1 &
		VX_PID=$!
		eventually 150 vx_has_port && eventually 90 lane_open
		first_echo "$text, vxdp $ended and started again"
		printf '%s\n' stop "set fwd icmpecho" start >&4
		check "$text: the guest answers the wire's ping" eventually 20 on_wire ping -c 1 -W 5 -q "$GUEST_IP"
		check "$text: and the host's" eventually 20 ping -c 1 -W 5 -q -I "$NIC" "$GUEST_IP"
		testpmd_down
		for n in "${whole_echoes[@]}"; do counted+=$(by_queue "$n"); done
		is "$counted" "[400][400]" "$text: the guest counted as many, both times"
	fi
	detaches
}

first_tcp() {
	local text="first checks: $FIRST_BYTES bytes by TCP" ip=10.9.$CARD_N.41
	vx_start || { not_ok "first checks: attach"; return; }
	nsguest_up guest "$SOCKET" 02:56:00:00:00:41 "$ip/24"
	check "first checks: the guest answers the wire's ping" eventually 20 on_wire ping -c 1 -W 5 -q "$ip"
	check "first checks: and the host's" eventually 20 ping -c 1 -W 5 -q "$ip"
	check "first checks: the wire answers the guest's" in_net guest ping -c 2 -i 0.3 -W 5 -q "$WIRE_IP"
	check "first checks: and so does the host" in_net guest ping -c 2 -i 0.3 -W 5 -q "$HOST_IP"
	wire_capture "tcp and src host $ip"
	tcp_between "$text from the guest to the wire" guest "$NS" "$WIRE_IP" $FIRST_BYTES
	wire_captured
	wire_checksums "first checks" $((FIRST_BYTES / 1460))
	tcp_between "$text from the wire to the guest" "$NS" guest "$ip" $FIRST_BYTES
	tcp_between "$text from the guest to the host" guest host "$HOST_IP" $FIRST_BYTES
	tcp_between "$text from the host to the guest" host guest "$ip" $FIRST_BYTES
	nsguest_down guest
	detaches
}
