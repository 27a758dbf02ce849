# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# nested_machine.sh - the machine in the machine, where it boots (tests/lab/nested) and where it goes on
# (nested.sh): the state of one is that of the other only if both have the same devices.
# An interrupt line instead of MSI-X: see guest_vectors in tests/lib/guest.sh.

NESTED_MAC=52:54:00:77:00:10

# nested_machine DIR: sets $machine, QEMU's options; its sockets and console are in DIR.
nested_machine() {
	machine=(-nodefaults -no-user-config -display none -smp 1 -m 128 -cpu qemu64
		-object "memory-backend-memfd,id=mem0,size=128M,share=on" -machine "q35,memory-backend=mem0"
		-serial "file:$1/console" -monitor "unix:$1/monitor,server=on,wait=off"
		-device "virtio-serial-pci,max_ports=4"
		-chardev "socket,id=port1,path=$1/port1,server=on,wait=off" -device "virtserialport,chardev=port1,nr=1"
		-device "virtio-net-pci,netdev=net0,mac=$NESTED_MAC,vectors=0,romfile=")
}
