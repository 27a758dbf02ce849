#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest that does nothing costs less than one percent of a core, in each lane; and so does a port
# that waits for its guest.
LAB_TIMEOUT=150
. "$(dirname "$0")/../lib/lab.sh"

plan 6

# Processor time of vxdp in SECONDS, in percent of a core.
cpu_percent() {
	local before after
	before=$(ticks)
	sleep "$1"
	after=$(ticks)
	echo "$before $after" | awk -v hz="$(getconf CLK_TCK)" -v s="$1" '{ printf "%.2f", ($2 - $1) * 100 / hz / s }'
}

ticks() { sed 's/.*) //' "/proc/$VXDP_PID/stat" | awk '{ print $12 + $13 }'; }

lab_begin
vxdp_start vm0 || bail "vxdp does not start"
sleep 1
cmp_ok "$(cpu_percent 5)" '<' 1 "a port without a guest"
vxdp_stop
for lane in kernel direct; do
	vm_up vm0 lane=$lane || bail "$lane lane: no guest"
	exec_wire ping -f -s 1400 -w 4 -q $GUEST_IP >/dev/null &
	sleep 0.5
	cmp_ok "$(cpu_percent 3)" ">" 0 "(traffic in the $lane lane is seen to cost something)"
	wait $!
	sleep 4
	cmp_ok "$(cpu_percent 10)" '<' 1 "an idle guest in the $lane lane"
	[ $lane = kernel ] || check "and it is awake at once" pings $GUEST_IP 3
	guest_stop vm0
	vxdp_stop
done
