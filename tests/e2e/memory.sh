#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest memory of every kind: hugepages, several regions, and memory plugged in while it runs.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"

plan 14

memory() { vxdp -j status eth0 | json ".ports[0].memory.$1"; }

works() {
	check "$1: the wire reaches the guest" pings $GUEST_IP
	check "$1: the guest reaches the host" guest_run vm0 "ping -c 3 -i 0.2 -W 2 -q $HOST_IP"
	tcp_both_ways wire vm0 30000000 $((7900 + TAP_N))
	tcp_is 30000000 "$1: 30 MB each way"
}

hugepages=
give_back() {
	[ -n "$hugepages" ] && sysctl -qw vm.nr_hugepages="$hugepages"
	lab_end
}

lab_begin
trap give_back EXIT
hugepages=$(sysctl -n vm.nr_hugepages)
sysctl -qw vm.nr_hugepages=$((hugepages + 128))
if [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -ge 128 ]; then
	vm_up vm0 lane=direct back=hugepages mem=256 || bail "hugepages: no guest"
	is "$(vxdp -j status eth0 | json .ports[0].lane)" direct "hugepages: the direct lane is on"
	works hugepages
	guest_stop vm0
	vxdp_stop
else
	for i in 1 2 3 4; do skip "no hugepages to be had" "hugepages, $i"; done
fi
sysctl -qw vm.nr_hugepages="$hugepages"

GUEST_MAXMEM=1024
vm_up vm0 lane=direct regions=2 mem=256 || bail "two regions: no guest"
cmp_ok "$(memory regions)" '>=' 2 "two regions: status counts them"
works "two regions"

guest_mib() { guest_run vm0 "awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo"; }
mib=$(guest_mib)
before=$(memory bytes)
guest_monitor vm0 'object_add memory-backend-memfd,id=plug,size=128M,share=on' >/dev/null
guest_monitor vm0 'device_add pc-dimm,id=dimm0,memdev=plug' >/dev/null
eventually 10 bash -c "[ \$(nsenter --net=/run/netns/$NS_HOST -- '$VXDP' -j status eth0 | jq .ports[0].memory.bytes) -gt $before ]"
cmp_ok "$(memory bytes)" '>' "$before" "plugged memory: the port has it"
guest_run vm0 'for f in /sys/devices/system/memory/memory*/state; do grep -q offline $f && echo online_movable >$f; done; true'
diag "memory blocks: $(guest_run vm0 "cat /sys/devices/system/memory/memory*/state | sort | uniq -c | xargs"), $mib MiB before, $(guest_mib) after"
cmp_ok $(($(guest_mib) - mib)) ">=" 120 "plugged memory: the guest has 128 MiB more"
guest_run vm0 'memcheck 180 3' >"$LAB_DIR/mem"
is "$(json .bad_words <"$LAB_DIR/mem")" 0 "plugged memory: no stray writes"
works "plugged memory"
