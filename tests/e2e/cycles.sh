#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ports attached and detached many times through the control socket, while a guest on the same NIC
# works: descriptors, memory and mappings do not grow. 10 000 times, but no longer than
# VXDP_TEST_CYCLES_SECONDS: the kernel takes tens of milliseconds to remove a tap.
LAB_TIMEOUT=$((${VXDP_TEST_CYCLES_SECONDS:-120} + 120))
. "$(dirname "$0")/../lib/lab.sh"

plan 8
CYCLES=${VXDP_TEST_CYCLES:-10000} SECONDS_MAX=${VXDP_TEST_CYCLES_SECONDS:-120} CYCLES_MIN=200

usage() {
	local rss fds maps threads
	fds=$(find "/proc/$VXDP_PID/fd" -mindepth 1 | wc -l)
	maps=$(wc -l <"/proc/$VXDP_PID/maps")
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$VXDP_PID/status")
	threads=$(awk '/^Threads/ { print $2 }' "/proc/$VXDP_PID/status")
	echo "$fds $maps $rss $threads"
}

# cycle N SECONDS: prints how many failed, and how many were made
cycle() {
	local n=$1 i failed=0 end=$((SECONDS + $2))
	for ((i = 0; i < n && SECONDS < end; i++)); do
		"$VXDP" attach eth0 --vm "$LAB_DIR/cycle.sock" --name cycle >/dev/null 2>>"$LAB_DIR/cycle.log" &&
			"$VXDP" detach eth0 cycle >/dev/null 2>>"$LAB_DIR/cycle.log" || failed=$((failed + 1))
	done
	echo $failed $i
}
export -f cycle
export VXDP LAB_DIR

lab_begin
vm_up vm0 || bail "no guest"
cycle_on_host() { on_host bash -c "cycle $1 $2"; }
is "$(cycle_on_host 30 60)" "0 30" "the first thirty cycles"
read -r fds maps rss threads <<<"$(usage)"
start=$(date +%s%N)
read -r failed made <<<"$(cycle_on_host "$CYCLES" "$SECONDS_MAX")"
is "$failed" 0 "each cycle without an error"
cmp_ok "$made" '>=' $((CYCLES < CYCLES_MIN ? CYCLES : CYCLES_MIN)) "$made cycles in the time there was, of $CYCLES"
diag "one cycle: $((($(date +%s%N) - start) / made / 1000)) us" "before: fds $fds, maps $maps, RSS $rss kB" \
	"$(tail -n 3 "$LAB_DIR/cycle.log" 2>/dev/null)"
sleep 1
read -r fds2 maps2 rss2 threads2 <<<"$(usage)"
diag "after:  fds $fds2, maps $maps2, RSS $rss2 kB"
cmp_ok "$fds2" '<=' "$fds" "descriptors did not grow"
cmp_ok "$maps2" '<=' $((maps + 2)) "mappings did not grow"
cmp_ok "$rss2" '<=' $((rss + 512)) "memory did not grow"
is "$threads2" "$threads" "threads did not grow"
check "the guest still answers" pings $GUEST_IP 3
