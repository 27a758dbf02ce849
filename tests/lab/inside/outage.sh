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

# outage TEXT COMMAND...: the command succeeds with traffic before it, and there is traffic after it.
outage() {
	local status text="$CARD, $HOW: $1"
	shift
	"$@" >$WORK/outage.log 2>&1
	status=$?
	if follow_returns 40 && vx_alive && [ $status = 0 ]; then ok "$text$(sed 's/^/: /' $WORK/outage.log)"; else
		not_ok "$text"
		diag "the command's exit status is $status"
		diag "$(tail -n 5 $WORK/outage.log)" "$(tail -n 10 $WORK/vxdp.log)" \
			"$(vx_status -c '.ports[0] | {lane, lane_reason, state}')"
	fi
}

# stands, stood: traffic is to stop meanwhile; said by the second, when all is as it was.
stands() { eventually 20 follow_stands; STOOD=$?; }
stood() { [ $STOOD = 0 ] || { echo "traffic went on meanwhile"; return 1; }; }

# directly rx|tx: frames that took the direct lane
directly() { vxdp -j stats "$NIC" | jq "[.ports[].queues[]?.$1.direct.packets] | add"; }
has_received() { [ "$(directly rx)" -ge "$1" ]; }

sends_directly() {
	local before
	before=$(directly tx)
	sleep 0.5
	[ "$(directly tx)" -gt "$before" ]
}

# virtio_net keeps what comes while it is down, and receives it before the NIC is IFF_UP: a worker that
# is woken by that finds nothing (wake_all() in loader/uplink.c). Nothing else is to wake it meanwhile,
# so the guest stands still and has nothing on its way: the driver lets go of the last frame it sent
# when the next comes in.
down_up_full() {
	local guest=10.9.$CARD_N.9 mac=02:56:00:00:00:09 before status=0 # lab_guest's
	kill -STOP "$FOLLOW_PID"
	ping_host
	sleep 0.5
	before=$(directly rx)
	on_wire ip neigh replace "$guest" lladdr $mac nud permanent dev wire0
	ip link set "$NIC" down
	on_wire ping -c 300 -i 0.002 -W 1 -q "$guest" >/dev/null
	ip link set "$NIC" up || status=1
	# half of the guest's ring is in the fill ring
	eventually 10 has_received $((before + 100)) || { echo "nobody looks at what came"; status=1; }
	kill -CONT "$FOLLOW_PID"
	on_wire ip neigh del "$guest" dev wire0
	return $status
}

# Who is faster is chance.
down_up_full_often() {
	for _ in 1 2 3; do down_up_full && follow_returns 40 || return; done
}

# queues N: the number is changed, or the kernel refuses, since a queue has a socket on it.
queues() {
	local error
	error=$(ethtool -L "$NIC" combined "$1" 2>&1)
	[ "$(queues_now)" != "$1" ] || return 0
	echo "refused, ${error##*: }"
	grep -qi 'invalid argument\|busy' <<<"$error"
}

queues_now() { ethtool -l "$NIC" | sed -n 's/^Combined:[^0-9]*//p' | tail -n 1; }

outages() {
	HOW=$1
	shift
	vx_start --lane direct "$@" || { not_ok "$CARD, $HOW: attach"; return; }
	follow_start --flows 8 --hugepages || { not_ok "$CARD, $HOW: traffic"; follow_stop; vx_stop; return; }
	pulled() {
		monitor "set_link nic$CARD_N off"
		stands
		monitor "set_link nic$CARD_N on"
		stood
	}
	outage "traffic returns after the plug was out" pulled
	down_up() {
		ip link set "$NIC" down || return
		stands
		ip link set "$NIC" up && stood
	}
	outage "traffic returns after the NIC was down" down_up
	[ "$CARD" != virt ] || outage "and though all the guest's buffers are taken while it goes up" down_up_full_often
	if [ "$CARD" = igb ]; then
		outage "traffic returns when the driver resets (ring size)" ethtool -G "$NIC" rx 512
		outage "traffic goes on when the number of queues is to be 1" queues 1
		outage "traffic goes on when it is to be 2" queues 2
	fi
	check "$CARD, $HOW: what the guest sends takes the direct lane again" eventually 10 sends_directly
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
