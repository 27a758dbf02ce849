#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Accounting closes: every frame offered is delivered or counted as dropped with a reason.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 22

rx_delivered() { stat_sum vm0 '.queues[].rx | (.direct, .kernel, .guest, .bounced) | .packets'; }
tx_taken() { stat_sum vm0 '.queues[].tx | (.direct, .kernel, .guest, .bounced) | .packets'; }
tx_dropped() { stat_sum vm0 '.queues[].tx.drops[].packets'; }
# The counters of the AF_XDP socket are in the drops already: they are shown raw as well.
rx_dropped() {
	vxdp -j stats eth0 | json "[.ports[] | select(.name == \"vm0\") | (.queues[].rx.drops[].packets),
		(.verdicts | to_entries[] | select(.key | startswith(\"drop_rx_\")) | .value.packets)] | add // 0"
}
# All that was meant for the guest, from the wire and from the host. It is the only guest, so what
# goes to a port goes to it, and a flooded frame is one more.
offered_to_guest() {
	vxdp -j stats eth0 | json "[.ports[] | select(.name == \"uplink\" or .name == \"host\") |
		.verdicts | (.to_direct, .to_port, .flooded) | .packets] | add // 0"
}
# The counters are read one after the other, and a neighbour or router solicitation may come between.
STRAY=3
near() { cmp_ok $(($1 > $2 ? $1 - $2 : $2 - $1)) '<=' $STRAY "$3"; }
guest_counter() { guest_run vm0 "cat /sys/class/net/eth0/statistics/$1"; }

# Two readings with nothing in between are the same: all that was on its way has arrived. The guest
# sends a frame of its own now and then, so its counters are in it too.
settle() {
	local last="" now=-
	while [ "$now" != "$last" ]; do
		last=$now
		sleep 0.7
		now="$(guest_run vm0 "cat /sys/class/net/eth0/statistics/[rt]x_packets" | xargs) $(rx_delivered) $(tx_taken) $(rx_dropped) $(offered_to_guest)"
	done
}

# Faster than the guest can take them, so that some are dropped.
wire_to_guest() {
	local n=300000 sent up got drop guest
	settle
	sent=$(net_counter wire wire0 tx packets)
	up=$(offered_to_guest) got=$(rx_delivered) drop=$(rx_dropped) guest=$(guest_counter rx_packets)
	on_wire "$LIVEGEN" --dev wire0 --src-mac $WIRE_MAC --dst-mac $GUEST_MAC --src $WIRE_IP --dst $GUEST_IP \
		--port 7700 --frame "$1" --count $n --flows 4 >/dev/null
	settle
	sent=$(($(net_counter wire wire0 tx packets) - sent))
	up=$(($(offered_to_guest) - up)) got=$(($(rx_delivered) - got))
	drop=$(($(rx_dropped) - drop)) guest=$(($(guest_counter rx_packets) - guest))
	diag "$lane lane, $1 bytes: generator $n, wire $sent, offered $up, delivered $got, dropped $drop, guest $guest"
	cmp_ok "$up" '>' $((n / 10)) "$lane lane, $1 bytes: the uplink saw the frames"
	near $((got + drop)) "$up" "$lane lane, $1 bytes: to the guest = delivered + dropped"
	near "$guest" "$got" "$lane lane, $1 bytes: the guest has what was delivered"
}

# Of an address that nobody has: a receiver would answer with some "port unreachable".
NOBODY=10.77.0.99

# account_of FRAMES TEXT COMMAND...: scripts/account finds all of them delivered or dropped.
account_of() {
	local n=$1 text=$2 result
	shift 2
	result=$(on_host env VXDP="$VXDP" timeout 100 "$ROOT/scripts/account" eth0 "$@")
	if json_holds -s "length == 1 and (.[0] | .sent == $n and .lost == .sent - .delivered and
		.dropped == ([.drops[]] | add // 0) and (.unaccounted | fabs) <= $STRAY)" <<<"$result" >/dev/null; then ok "$text"; else not_ok "$text"; fi
	diag "$result"
}

# The same generator on the wire, where the kernel has it.
pktgen_on_wire() {
	local n=50000 text="$lane lane: pktgen on the wire: the account closes"
	modprobe -q pktgen 2>/dev/null
	if ! on_wire test -e /proc/net/pktgen; then
		skip "this kernel has no pktgen" "$text"
		return
	fi
	settle
	account_of $n "$text" nsenter --net="/run/netns/$NS_WIRE" "$ROOT/scripts/pktgen.sh" -i wire0 \
		-d $NOBODY -m $GUEST_MAC -n $n
}

guest_to_wire() {
	local n=50000 took drop guest wire nic
	settle
	took=$(tx_taken) drop=$(tx_dropped) guest=$(guest_counter tx_packets)
	wire=$(net_counter wire wire0 rx packets) nic=$(net_counter host eth0 tx dropped)
	account_of $n "$lane lane, $1 bytes: pktgen in the guest: the account closes" \
		"$ROOT/build/tests/lib/guestrun" --run "$LAB_DIR"/guest-vm0/port? -- \
		"pktgen.sh -i eth0 -d $NOBODY -m $WIRE_MAC -n $n -s $1"
	settle
	took=$(($(tx_taken) - took)) drop=$(($(tx_dropped) - drop)) guest=$(($(guest_counter tx_packets) - guest))
	wire=$(($(net_counter wire wire0 rx packets) - wire)) nic=$(($(net_counter host eth0 tx dropped) - nic))
	diag "$lane lane, $1 bytes: guest sent $guest, taken $took, dropped $drop; wire has $wire, NIC dropped $nic"
	near $((took + drop)) "$guest" "$lane lane, $1 bytes: sent by the guest = forwarded + dropped"
	cmp_ok "$((took - wire - nic))" "<=" $STRAY "$lane lane, $1 bytes: what was forwarded is on the wire, or the NIC counted its drop"
}

lab_begin
for lane in kernel direct; do
	vm_up vm0 lane=$lane || bail "$lane lane: no guest"
	wire_to_guest 64
	guest_to_wire 64
	guest_to_wire 1514
	pktgen_on_wire
	guest_run vm0 'ip link set eth0 down'
	diag "$(vxdp stats eth0 2>&1 | head -n 40)"
	is "$(vxdp -j status eth0 | json .ports[0].lane)" $lane "the lane was $lane"
	guest_stop vm0
	vxdp_stop
done
