#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tap ports under traffic: programs are replaced, vxdp is started, stopped and killed, ports and
# taps come and go, and of a ping every millisecond nothing is lost. Flows keep to one queue of a tap
# and spread over all. The guest is tests/taps/tapguest.c, so neither QEMU nor its speed matter.
LAB_TIMEOUT=220
. "$(dirname "$0")/../lib/lab.sh"

plan 48
TAPGUEST=$ROOT/build/tests/taps/tapguest
IP=10.77.0.30 MAC=02:00:00:77:00:30
declare -A TAPGUEST_PID

# tapguest_start TAP [OPTIONS]...
tapguest_start() {
	local tap=$1
	shift
	exec_host "$TAPGUEST" "$tap" --mac $MAC --ip $IP "$@" >"$LAB_DIR/tapguest.$tap" 2>&1 &
	TAPGUEST_PID[$tap]=$!
	eventually 5 running "$tap"
}

running() { [ "$(vxdp -j status eth0 | json ".ports[] | select(.tap == \"$1\") | .state")" = running ]; }

# tapguest_end TAP: $counted says what it counted.
tapguest_end() {
	kill -TERM "${TAPGUEST_PID[$1]}" 2>/dev/null
	wait "${TAPGUEST_PID[$1]}" 2>/dev/null
	counted=$(<"$LAB_DIR/tapguest.$1")
}

# undisturbed TEXT FROM COMMAND...: of a ping every millisecond none is lost meanwhile. The last one
# may be unanswered when it is stopped.
undisturbed() {
	local text=$1 from=$2 pid sent received done=1
	shift 2
	"exec_$from" ping -i 0.001 -W 2 -q $IP >"$LAB_DIR/ping" 2>&1 &
	pid=$!
	sleep 0.3
	"$@" >"$LAB_DIR/out" 2>&1 || done=
	sleep 0.3
	kill -INT $pid
	wait $pid
	read -r sent received < <(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' "$LAB_DIR/ping")
	if [ -n "$done" ] && [ "$sent" -gt 100 ] && [ $((sent - received)) -le 1 ]; then
		ok "$text: none of $sent pings lost"
	else
		not_ok "$text: of $sent pings $received were answered"
		[ -n "$done" ] || diag "$* failed: $(tail -n 3 "$LAB_DIR/out")"
	fi
}

times() {
	local n=$1 i
	shift
	for ((i = 0; i < n; i++)); do "$@" || return 1; done
}

answers() { vxdp -j status eth0 | json_holds ".pid == $VXDP_PID"; }
come_and_go() { vxdp_start vm0 && eventually 20 answers && { vxdp_signal "$1" || [ "$1" = KILL ]; }; }
another() { vxdp attach eth0 --tap tap9 && vxdp detach eth0 tap9; }

# A tap that is deleted while it is a port's, and one that is there again.
vanish() {
	vxdp attach eth0 --tap tap8 || return 1
	on_host ip link del tap8
	[ "$(port_state tap8)" = gone ] || return 1
	vxdp attach eth0 --tap tap8 && [ "$(port_state tap8)" = waiting ] && vxdp detach eth0 tap8
}

# Sets $sent, less what the tap had no room for because the guest was slow.
send_udp() {
	local full
	full=$(net_counter host tap0 tx dropped)
	sent=$(on_wire "$LIVEGEN" --dev wire0 --src-mac $WIRE_MAC --dst-mac $MAC --src $WIRE_IP --dst $IP \
		--frame 100 --flows 32 --rate 5000 --count 5000 | json .sent)
	sleep 0.3
	full=$(($(net_counter host tap0 tx dropped) - full))
	[ $full -eq 0 ] || diag "the tap was full $full times"
	sent=$((sent - full))
}

# --- one queue, in each lane ---
lab_begin queues=2 2>/dev/null
before=$(nic_state)
for lane in direct kernel; do
	check "$lane: attach" vxdp attach eth0 --tap tap0 --lane $lane -j
	tapguest_start tap0
	is "$(port_state tap0)" running "$lane: the guest opens the tap"
	check "$lane: the wire reaches it" pings $IP
	check "$lane: and so does the host" on_host ping -q -c 2 -i 0.2 -W 2 $IP
	is "$(vxdp -j status eth0 | json '.ports[0].lane')" $lane "$lane: status says so"
	send_udp
	cmp_ok "$(stat_sum uplink .verdicts.to_port.packets)" '>=' "$sent" "$lane: frames from the wire are counted"
	undisturbed "$lane: upgraded five times" wire times 5 vxdp upgrade eth0
	undisturbed "$lane: a process comes, and is killed" wire come_and_go KILL
	undisturbed "$lane: one comes, and is terminated" wire come_and_go TERM
	[ $lane = direct ] || undisturbed "pings of the host: the same" host come_and_go TERM
	[ $lane = direct ] || undisturbed "another tap comes and goes" wire times 2 another
	[ $lane = direct ] || undisturbed "another tap vanishes" wire vanish
	tapguest_end tap0
	is "$(json '"\(.udp) \(.bad)"' <<<"$counted")" "$sent 0" "$lane: every datagram came, unchanged"
	vxdp detach eth0 >/dev/null
done
is "$(nic_state)" "$before" "all is as it was"

# --- another version's programs ---
NEXT=$ROOT/build/tests/taps/next/vxdp
STATIC=52:54:00:99:00:01
tag_of() { on_host bpftool -j prog show id "$(vxdp -j status eth0 | json '.ports[] | select(.kind == "tap") | .program_id')" | jq -r .tag; }
# What is known, less what changes with time.
addresses() { vxdp -j fdb show eth0 | jq -cS '[.entries[] | {mac, vlan, port, static}] | sort_by(.mac)'; }
upgrade_to_next() { on_host "$NEXT" upgrade eth0; }
next_comes_and_goes() {
	local pid there
	exec_host "$NEXT" attach eth0 --vm "$LAB_DIR/vm0.sock" --name vm0 &
	pid=$!
	eventually 20 next_runs
	there=$?
	kill -"$1" $pid
	ended $pid
	wait $pid
	return $there
}
next_runs() { vxdp -j status eth0 | json_holds '.pid > 0 and (.version | endswith("-next"))'; }
for lane in direct kernel; do
	vxdp attach eth0 --tap tap0 --lane $lane >/dev/null
	vxdp fdb add eth0 $STATIC dev tap0 static >/dev/null
	tapguest_start tap0
	pings $IP
	this=$(tag_of) known=$(addresses)
	undisturbed "$lane: upgraded to another version" wire upgrade_to_next
	other=$(tag_of)
	check "$lane: whose programs are there now" [ "$other" != "$this" ]
	is "$(addresses)" "$known" "$lane: all addresses are still known"
	undisturbed "$lane: and back, and there and back again" wire eval 'vxdp upgrade eth0 && upgrade_to_next && vxdp upgrade eth0'
	is "$(tag_of)" "$this" "$lane: the first version's programs are back"
	undisturbed "$lane: a process of the other version comes, and is killed" wire next_comes_and_goes KILL
	is "$(tag_of)" "$other" "$lane: its programs stay"
	undisturbed "$lane: this version takes over from it" wire come_and_go TERM
	is "$(tag_of) $(addresses)" "$this $known" "$lane: with its programs, and all addresses"
	tapguest_end tap0
	vxdp detach eth0 >/dev/null
done

# --- many queues ---
for lane in direct kernel; do
	vxdp attach eth0 --tap tap0 --lane $lane --queues 2 >/dev/null
	tapguest_start tap0 --queues 2
	pings $IP
	send_udp
	tapguest_end tap0
	is "$(json '"\(.udp) \(.flows) \(.moved) \([.queues[] | select(. > 500)] | length)"' <<<"$counted")" "$sent 32 0 2" \
		"$lane: 32 flows, each in one queue, both queues used"
	vxdp detach eth0 >/dev/null
done

# --- the switch goes on when its user does not look ---
vxdp attach eth0 --tap tap0 >/dev/null
tapguest_start tap0
is "$(vxdp -j stats eth0 | json '[.ports[].name] | join(" ")')" "uplink host tap0" "stats without a process"
check "fdb without a process" pings $IP
is "$(vxdp -j fdb eth0 | json ".entries[] | select(.mac == \"$MAC\") | .port")" tap0 "has learnt the guest's address"
tapguest_end tap0
vxdp detach eth0 >/dev/null
is "$(nic_state)" "$before" "nothing is left"
