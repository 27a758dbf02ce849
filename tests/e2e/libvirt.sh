#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The README's XML for libvirt, as it stands there: a libvirtd of the test's own defines and starts
# such a domain, and the guest is reached. Its sockets, state and configuration are in a mount
# namespace, so that a libvirtd of the machine's own, its domains and its networks are not touched.
LAB_TIMEOUT=240
. "$(dirname "$0")/../lib/lab.sh"
. "$ROOT/tests/lib/readme.sh"

plan 15
missing=
for program in libvirtd virsh; do command -v $program >/dev/null || missing="$missing $program"; done
[ -z "$missing" ] || skip_rest "not installed:$missing (libvirt-daemon, libvirt-daemon-driver-qemu, libvirt-clients)"

libvirtd_start() {
	local f
	mkdir -p "$LAB_DIR/etc" "$LAB_DIR/huge"
	cat >"$LAB_DIR/etc/qemu.conf" <<-EOF
		user = "root"
		group = "root"
		security_driver = "none"
		cgroup_controllers = []
		namespaces = []
		remember_owner = 0
		stdio_handler = "file"
		max_core = 0
		log_timestamp = 0
		hugetlbfs_mount = "$LAB_DIR/huge"
	EOF
	cat >"$LAB_DIR/etc/libvirtd.conf" <<-EOF
		auth_unix_rw = "none"
		auth_unix_ro = "none"
		log_outputs = "2:file:$LAB_DIR/libvirtd.log"
	EOF
	# QEMU's user, which comes with a package that also starts a daemon.
	for f in passwd group; do
		cp /etc/$f "$LAB_DIR/etc/"
		grep -q '^libvirt-qemu:' "$LAB_DIR/etc/$f" || echo libvirt-qemu:x:64055:64055:::/bin/false >>"$LAB_DIR/etc/$f"
	done
	# The mounts are private to the daemon, and go with it.
	# shellcheck disable=SC2016 # the inner shell expands it
	exec_host unshare --mount sh -c '
		for d in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
			mkdir -p $d && mount -t tmpfs tmpfs $d || exit 1
		done
		mount -t hugetlbfs hugetlbfs "$0/huge" || exit 1
		cp "$0"/etc/*.conf /etc/libvirt/
		for f in passwd group; do mount --bind "$0/etc/$f" /etc/$f || exit 1; done
		exec libvirtd -f /etc/libvirt/libvirtd.conf -p "$0/libvirtd.pid"' "$LAB_DIR" \
		</dev/null >"$LAB_DIR/libvirtd.out" 2>&1 &
	LIBVIRTD_PID=$!
	eventually 20 virsh version && kill -0 $LIBVIRTD_PID 2>/dev/null
}

virsh() {
	timeout 60 nsenter --mount="/proc/$LIBVIRTD_PID/ns/mnt" -- virsh -q -c qemu:///system "$@"
}

# Huge pages where there are some to spare; taking them from the machine is not for this test.
huge_pages() { [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -ge 160 ]; }

# domain_xml NAME PATTERN: the README's example with such a line, in a domain of the test's. What is added
# by <qemu:override> is a way around QEMU 7.2 with TCG (see guest_vectors()).
domain_xml() {
	local example
	example=$(readme_block "$2" | sed "s|/run/vm0.sock|$LAB_DIR/vm0.sock|")
	[ -c /dev/vhost-net ] || example=${example//name=\'vhost\'/name=\'qemu\'}
	cat <<-EOF
		<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>$1</name>
		  <memory unit='MiB'>256</memory>
		  <vcpu>2</vcpu>
		  <cpu mode='maximum'/>
		  <os>
		    <type arch='x86_64' machine='q35'>hvm</type>
		    <kernel>$ROOT/build/guest/vmlinuz</kernel>
		    <initrd>$ROOT/build/guest/initramfs.cpio</initrd>
		    <cmdline>console=ttyS0 panic=-1 quiet vx.ip=$GUEST_IP/24</cmdline>
		  </os>
		  $(sed 's|<devices>|&<serial type="file"><source path="'"$LAB_DIR"'/console"/></serial>|' <<<"$example")
		  <qemu:override>
		    <qemu:device alias='net0'>
		      <qemu:frontend><qemu:property name='vectors' type='unsigned' value='0'/></qemu:frontend>
		    </qemu:device>
		  </qemu:override>
		</domain>
	EOF
}

# domain_test NAME TEXT PATTERN: it starts and is reached.
domain_test() {
	local name=$1 mode=$2
	domain_xml "$name" "$3" >"$LAB_DIR/$name.xml"
	check "$mode: libvirt accepts the XML" virsh define "$LAB_DIR/$name.xml"
	if ! huge_pages; then
		sed -i '/<hugepages\/>/d' "$LAB_DIR/$name.xml"
		virsh undefine "$name" >/dev/null # the XML has no UUID to be known by
		virsh define "$LAB_DIR/$name.xml" >/dev/null
	fi
	check "$mode: the domain starts" virsh start "$name"
	eventually 60 pings $GUEST_IP 1 ||
		diag "$(tail -n 8 "$LAB_DIR/libvirtd.log"; nsenter --mount="/proc/$LIBVIRTD_PID/ns/mnt" -- tail -n 4 "/var/log/libvirt/qemu/$name.log"; tail -n 3 "$LAB_DIR/console")"
	check "$mode: the wire reaches the guest" pings $GUEST_IP
}

queues_are() {
	is "$(vxdp -j status eth0 | jq -c '.ports[0] | [.state, .queue_pairs, .ring]')" "[\"running\",2,\"$2\"]" \
		"$1: with its queues"
}

lab_begin queues=2
vxdp_start vm0 || bail "vxdp does not come up"
libvirtd_start || { diag "$(tail -n 5 "$LAB_DIR/libvirtd.out" "$LAB_DIR/libvirtd.log")"; skip_rest "libvirtd does not start here"; }

domain_test vxdp-a server "mode='server'"
queues_are server packed
virsh destroy vxdp-a >/dev/null
eventually 20 test "$(port_state vm0)" != running
check "server: the domain starts again" virsh start vxdp-a
eventually 60 pings $GUEST_IP 1
check "server: and finds its network again" pings $GUEST_IP
virsh destroy vxdp-a >/dev/null

vxdp_stop # which has become the one that connects
vxdp_start vm0 || bail "vxdp does not come up"
domain_test vxdp-b client "mode='client'"
queues_are client split
virsh destroy vxdp-b >/dev/null
vxdp_stop
is $? 0 "vxdp ends well"

vxdp attach eth0 --tap tap0 --queues 2 >/dev/null
domain_test vxdp-c tap "type='ethernet'"
virsh destroy vxdp-c >/dev/null
vxdp detach eth0 >/dev/null
check "the domains can be undefined" virsh undefine vxdp-a
kill "$LIBVIRTD_PID"
ended "$LIBVIRTD_PID"
