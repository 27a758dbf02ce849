#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The README's command lines for QEMU, as they stand there: a guest started by each comes up and is
# reached from the wire and from the host.
LAB_TIMEOUT=200
. "$(dirname "$0")/../lib/lab.sh"
. "$ROOT/tests/lib/readme.sh"

plan 13

# Only what the machine that runs the tests makes necessary: other paths, less memory, no KVM, a
# kernel in place of the dots, and see guest_vectors().
adapted() {
	sed "s|/run/vm0.sock|$LAB_DIR/vm0.sock|; s/1G/256M/g; s/vectors=6/vectors=0/
		$(vhost_net || echo 's/vhost=on/vhost=off/')
		s/-accel kvm/-accel tcg,thread=multi -cpu max/; s/\.\.\.\$/\$REST/"
}

vhost_net() { [ -c /dev/vhost-net ]; }

# start_guest COMMAND
start_guest() {
	REST="-nodefaults -display none -serial file:$LAB_DIR/console -kernel $ROOT/build/guest/vmlinuz
		-initrd $ROOT/build/guest/initramfs.cpio"
	# shellcheck disable=SC2086 # options are words; the command names $REST
	eval "exec_host ${1//$'\\\n'/} -append 'console=ttyS0 panic=-1 quiet vx.ip=$GUEST_IP/24'" \
		</dev/null >"$LAB_DIR/qemu.log" 2>&1 &
	GUEST_PID[readme]=$!
}

# attach_tap: the README's command for it; the owner has to be a user of this machine.
attach_tap() { eval "$(readme_block '^vxdp attach eth0 --tap' | sed 's/--owner vm/--owner root/')"; }

reached() {
	eventually 60 pings $GUEST_IP 1 || diag "$(tail -n 5 "$LAB_DIR/qemu.log" "$LAB_DIR/console")"
	check "$1: the wire reaches the guest" pings $GUEST_IP
	check "$1: the host does" on_host ping -c 3 -i 0.2 -W 2 -q $GUEST_IP
	[ $# -eq 1 ] && return
	is "$(vxdp -j status eth0 | jq -c '.ports[0] | [.state, .queue_pairs, .ring]')" "$2" "$1: with its queues, packed"
}

lab_begin queues=2
server=$(readme_block '^ *qemu-system-x86_64' | adapted)
client=$(readme_block 'reconnect=1' | adapted)
check "the README shows a guest that listens" grep -q 'server=on' <<<"$server"
client=$(sed "s|^ *-chardev .*|$client \\\\|" <<<"$server")

vxdp_start vm0 || bail "vxdp does not come up"
start_guest "$server"
reached "QEMU listens" '["running",2,"packed"]'
guest_stop readme
vxdp_stop

vxdp_start vm0 || bail "vxdp does not come up"
start_guest "$client"
reached "QEMU connects" '["running",2,"packed"]'
vxdp_stop
vxdp_start vm0 || bail "vxdp does not come up again"
eventually 20 port_running vm0
check "and connects again after a restart of vxdp" pings $GUEST_IP
guest_stop readme
vxdp_stop
is $? 0 "and vxdp ends well"

check "a tap port, as the README attaches it" attach_tap
vhost_net || diag "no /dev/vhost-net here: QEMU's own data plane instead"
on_host ip neigh flush dev eth0 # another guest had that address
start_guest "$(readme_block 'netdev tap' | adapted)"
reached "tap"
guest_stop readme
check "tap: detached" vxdp detach eth0
