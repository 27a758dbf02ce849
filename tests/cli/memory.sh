#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# memory.sh - the direct lane pins the guest's memory: a process whose control group (MemoryMax= of
# a unit) does not leave enough for that keeps the guest on the kernel lane and says why.
. "$(dirname "$0")/env.sh"
plan 4
STATION=$ROOT/build/tests/cli/station
[ -x "$STATION" ] || skip_rest "build/tests/cli/station is not built"

# A group of our own, of either version; none in most containers.
group_make() {
	local top
	for top in /sys/fs/cgroup/memory /sys/fs/cgroup; do
		GROUP=$top/vxcli$$
		mkdir "$GROUP" 2>/dev/null || continue
		for LIMIT in memory.limit_in_bytes memory.max; do [ -w "$GROUP/$LIMIT" ] && return; done
		rmdir "$GROUP"
	done
	return 1
}
group_make || skip_rest "no control group with a memory limit can be made here"
cli_begin
group_end() {
	local status=$? pid
	[ -z "$VXDP_PID" ] || disown "$VXDP_PID" 2>/dev/null
	for pid in $(<"$GROUP/cgroup.procs"); do kill -KILL "$pid"; done
	eventually 5 rmdir "$GROUP"
	(exit $status)
	cli_end
}
trap group_end EXIT

# start_in MIB: vxdp in the group, with a guest of 32 MiB.
start_in() {
	echo $(($1 << 20)) >"$GROUP/$LIMIT"
	# shellcheck disable=SC2016 # the inner shell expands it
	bash -c 'echo $$ >"$0/cgroup.procs" && exec nsenter --net="$1" "${@:2}"' "$GROUP" "/run/netns/$NS_HOST" \
		"$VXDP" attach eth0 --vm "$DIR/vm0.sock" </dev/null >>"$DIR/log" 2>&1 &
	VXDP_PID=$!
	eventually 15 answers || bail "vxdp does not come up: $(tail -n 3 "$DIR/log")"
	"$STATION" --socket "$DIR/vm0.sock" --mac 52:54:00:00:00:10 --ip 10.77.0.10 2>>"$DIR/log" &
	STATION_PID=$!
}
lane() { vxdp -j status eth0 | jq -r '.ports[0] | .lane'; }
lane_is() { [ "$(lane)" = "$1" ]; }
pings() { on_wire ping -c 1 -W 1 -q 10.77.0.10 >/dev/null; }

start_in 48
eventually 10 pings
check "48 MiB for a guest of 32: the shared lane, which needs none of its memory" eventually 10 lane_is shared
check "which status explains" grep -q 'MiB more, and .* MemoryMax' <(vxdp -j status eth0 | jq -r '.ports[0].lane_reason')
check "the guest is reached all the same" pings
kill $STATION_PID
finish TERM
start_in 512
check "512 MiB: the direct lane" eventually 10 lane_is direct
