#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ports attached and detached 10 000 times through the control socket: descriptors, memory and
# mappings do not grow. The kernel takes tens of milliseconds to make and remove a tap with a program,
# nearly all of it waiting for RCU: the wait is a short one while this test runs, and four switches
# share the work, that of a NIC where a guest works meanwhile and three without an uplink. On a slow
# machine it ends after VXDP_TEST_CYCLES_SECONDS.
LAB_TIMEOUT=$((${VXDP_TEST_CYCLES_SECONDS:-150} + 120))
. "$(dirname "$0")/../lib/lab.sh"

CYCLES=${VXDP_TEST_CYCLES:-10000} SECONDS_MAX=${VXDP_TEST_CYCLES_SECONDS:-150} CYCLES_MIN=1000
SWITCHES=(eth0 lan1 lan2 lan3)
plan $((3 + 6 * ${#SWITCHES[@]}))

# What the process of a switch has: descriptors, mappings, kB of memory, threads
usage() {
	local pid=${pids[$1]} rss fds maps threads
	fds=$(find "/proc/$pid/fd" -mindepth 1 | wc -l)
	maps=$(wc -l <"/proc/$pid/maps")
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
	threads=$(awk '/^Threads/ { print $2 }' "/proc/$pid/status")
	echo "$fds $maps $rss $threads"
}

# cycle SWITCH N SECONDS: prints how many failed, and how many were made
cycle() {
	local n=$2 i failed=0 end=$((SECONDS + $3))
	for ((i = 0; i < n && SECONDS < end; i++)); do
		"$VXDP" attach "$1" --vm "$LAB_DIR/cycle-$1.sock" --name "cycle-$1" >/dev/null 2>>"$LAB_DIR/cycle.log" &&
			"$VXDP" detach "$1" "cycle-$1" >/dev/null 2>>"$LAB_DIR/cycle.log" || failed=$((failed + 1))
	done
	echo $failed $i >"$LAB_DIR/made-$1"
}
export -f cycle
export VXDP LAB_DIR

# cycle_all N SECONDS: on all switches at a time, N each
cycle_all() {
	local sw makers=()
	for sw in "${SWITCHES[@]}"; do
		on_host bash -c "cycle $sw $1 $2" &
		makers+=($!)
	done
	wait "${makers[@]}"
}

# made SWITCH: "FAILED MADE" of the last cycle_all
made() { cat "$LAB_DIR/made-$1"; }

RCU=/sys/kernel/rcu_expedited
rcu_was=$(cat $RCU 2>/dev/null)
rcu_hurries() { [ -w $RCU ] && echo 1 >$RCU; }
rcu_restore() { [ -w $RCU ] && echo "${rcu_was:-0}" >$RCU; }

switch_is_up() { [ "$(vxdp -j status "$1" 2>/dev/null | json '.ports | length')" = 1 ]; }

# no_growth SWITCH "BEFORE" "AFTER"
no_growth() {
	local fds maps rss threads fds2 maps2 rss2 threads2
	read -r fds maps rss threads <<<"$2"
	read -r fds2 maps2 rss2 threads2 <<<"$3"
	cmp_ok "$fds2" '<=' "$fds" "$1: descriptors did not grow"
	cmp_ok "$maps2" '<=' $((maps + 2)) "$1: mappings did not grow"
	cmp_ok "$rss2" '<=' $((rss + 256)) "$1: memory did not grow, in kB"
	is "$threads2" "$threads" "$1: threads did not grow"
}

lab_begin
trap 'rcu_restore; lab_end' EXIT
vm_up vm0 || bail "no guest"
declare -A pids=([eth0]=$VXDP_PID) before=()
for sw in "${SWITCHES[@]:1}"; do
	exec_host "$VXDP" attach --switch "$sw" --vm "$LAB_DIR/$sw.sock" --name "$sw" </dev/null >>"$LAB_DIR/$sw.log" 2>&1 &
	pids[$sw]=$!
	eventually 15 switch_is_up "$sw" || bail "no switch $sw: $(cat "$LAB_DIR/$sw.log")"
done

cycle_all 50 60
for sw in "${SWITCHES[@]}"; do
	is "$(made "$sw")" "0 50" "$sw: the first fifty cycles"
	before[$sw]=$(usage "$sw")
done
rcu_hurries || diag "$RCU cannot be written: slowly, then"
start=$(date +%s%N)
cycle_all $((CYCLES / ${#SWITCHES[@]})) "$SECONDS_MAX"
end=$(date +%s%N)
rcu_restore
sleep 1
all=0
for sw in "${SWITCHES[@]}"; do
	read -r failed n <<<"$(made "$sw")"
	all=$((all + n))
	is "$failed" 0 "$sw: $n cycles, each without an error"
	diag "descriptors, mappings, kB, threads: ${before[$sw]} before, $(usage "$sw") after"
	no_growth "$sw" "${before[$sw]}" "$(usage "$sw")"
done
cmp_ok "$all" '>=' $((CYCLES < CYCLES_MIN ? CYCLES : CYCLES_MIN)) "$all cycles in the time there was, of $CYCLES"
diag "a cycle every $(((end - start) / all / 1000)) us" "$(tail -n 3 "$LAB_DIR/cycle.log" 2>/dev/null)"
check "the guest still answers" pings $GUEST_IP 3
for sw in "${SWITCHES[@]:1}"; do kill "${pids[$sw]}"; done
status=0
for sw in "${SWITCHES[@]:1}"; do wait "${pids[$sw]}" || status=$?; done
is "$status" 0 "the other switches end well"
