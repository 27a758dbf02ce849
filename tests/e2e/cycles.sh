#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ports attached and detached many times through the control socket, while a guest on the same NIC
# works: descriptors, memory and mappings do not grow. VXDP_TEST_CYCLES sets how often.
LAB_TIMEOUT=${VXDP_TEST_CYCLES_TIMEOUT:-400}
. "$(dirname "$0")/../lib/lab.sh"

plan 7
CYCLES=${VXDP_TEST_CYCLES:-1000}

usage() {
	local rss fds maps threads
	fds=$(find "/proc/$VXDP_PID/fd" -mindepth 1 | wc -l)
	maps=$(wc -l <"/proc/$VXDP_PID/maps")
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$VXDP_PID/status")
	threads=$(awk '/^Threads/ { print $2 }' "/proc/$VXDP_PID/status")
	echo "$fds $maps $rss $threads"
}

cycle() {
	local n=$1 i failed=0
	for ((i = 0; i < n; i++)); do
		"$VXDP" attach eth0 --vm "$LAB_DIR/cycle.sock" --name cycle >/dev/null 2>>"$LAB_DIR/cycle.log" &&
			"$VXDP" detach eth0 cycle >/dev/null 2>>"$LAB_DIR/cycle.log" || failed=$((failed + 1))
	done
	echo $failed
}
export -f cycle
export VXDP LAB_DIR

lab_begin
vm_up vm0 || bail "no guest"
cycle_on_host() { on_host bash -c "cycle $1"; }
is "$(cycle_on_host 30)" 0 "the first thirty cycles"
read -r fds maps rss threads <<<"$(usage)"
start=$(date +%s%N)
is "$(cycle_on_host "$CYCLES")" 0 "$CYCLES cycles, each without an error"
diag "one cycle: $((($(date +%s%N) - start) / CYCLES / 1000)) us" "before: fds $fds, maps $maps, RSS $rss kB" \
	"$(tail -n 3 "$LAB_DIR/cycle.log" 2>/dev/null)"
sleep 1
read -r fds2 maps2 rss2 threads2 <<<"$(usage)"
diag "after:  fds $fds2, maps $maps2, RSS $rss2 kB"
cmp_ok "$fds2" '<=' "$fds" "descriptors did not grow"
cmp_ok "$maps2" '<=' $((maps + 2)) "mappings did not grow"
cmp_ok "$rss2" '<=' $((rss + 512)) "memory did not grow"
is "$threads2" "$threads" "threads did not grow"
check "the guest still answers" pings $GUEST_IP 3
