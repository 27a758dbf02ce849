#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nothing stays behind: after SIGTERM, after detach, and after kill -9 with a detach.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 24

# Ids of the BPF programs and maps that this vxdp holds or has pinned. Others on the machine are none
# of this test.
own_objects() {
	{
		cat "/proc/$VXDP_PID/fdinfo/"* 2>/dev/null | sed -n "s/^prog_id:\\t*/prog /p; s/^map_id:\\t*/map /p"
		on_host bpftool -j net show dev eth0 2>/dev/null | jq -r ".. | .id? // empty | \"prog \\(.)\""
	} | sort -u
}

alive_objects() {
	local kind id
	while read -r kind id; do
		bpftool "$kind" show id "$id" >/dev/null 2>&1 && echo "$kind $id"
	done <<<"$objects"
}

no_more_objects() { [ -z "$(alive_objects)" ]; }

same_as_before() {
	local now
	now=$(nic_state)
	if [ "$now" = "$state" ]; then ok "$1: NIC, taps and qdiscs are as before"; else
		not_ok "$1: NIC, taps and qdiscs are as before"
		diag "$(diff <(printf '%s\n' "$state") <(printf '%s\n' "$now"))"
	fi
	is "$(find "$VXDP_BPFFS" -mindepth 1 -not -name "*.debug" | head -n 3)" "" "$1: no pins"
	is "$(find "$VXDP_RUNDIR" -mindepth 1 -not -name 'eth0*.lock' | head -n 3)" "" "$1: nothing in the run directory"
	eventually 5 no_more_objects
	is "$(alive_objects)" "" "$1: its BPF programs and maps are gone"
	check "$1: the host reaches the wire" on_host ping -c 2 -i 0.2 -W 2 -q $WIRE_IP
}

lab_begin queues=2
state=$(nic_state)

vm_up vm0 lane=direct queues=2 || bail "no guest"
objects=$(own_objects)
cmp_ok "$(wc -l <<<"$objects")" ">=" 8 "while attached it has programs and maps"
cmp_ok "$(on_host ip -j link show type tun | jq length)" == 1 "while attached there is one tap"
vxdp_stop
is $? 0 "SIGTERM with a guest connected: exit status 0"
check "SIGTERM: the socket vxdp made is gone" test ! -e "$LAB_DIR/vm0.sock"
same_as_before "after SIGTERM"

vxdp_start vm0 --lane direct
eventually 15 pings $GUEST_IP 1
objects=$(own_objects)
check "detach of the whole NIC" vxdp detach eth0
for ((i = 0; i < 50; i++)); do kill -0 "$VXDP_PID" 2>/dev/null || break; sleep 0.1; done
wait "$VXDP_PID"
is $? 0 "detach ends the process, exit status 0"
VXDP_PID=
same_as_before "after detach"

vxdp_start vm0 --lane direct
eventually 15 pings $GUEST_IP 1
objects=$(own_objects)
vxdp_kill9
check "killed: the host still reaches the wire" on_host ping -c 3 -i 0.2 -W 2 -q $WIRE_IP
check "killed: the wire still reaches the host" on_wire ping -c 3 -i 0.2 -W 2 -q $HOST_IP
check "killed: detach cleans up" vxdp detach eth0
same_as_before "after kill -9 and detach"
