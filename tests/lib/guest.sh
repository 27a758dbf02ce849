# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# guest.sh - start, use and stop the test guest (scripts/guest-image makes it).
#
# QEMU runs with TCG, which is everywhere; VXDP_TEST_KVM=1 takes KVM instead. Commands for the
# guest go over virtio-serial ports (tests/lib/guestrun.c), so they work without its network.

GUEST_PORTS=4 # commands in one guest at the same time

# guest_start NAME [KEY=VALUE]...
#   mem=MIB smp=N queues=N packed=on|off mrg=on|off mac=M mtu=N(host_mtu) ring=N
#   back=memfd|hugepages   memory shared with vxdp       regions=1|2
#   vhost=SOCK role=server|client (QEMU's) | tap=IFNAME kernel=on|off (vhost-net) | net=none
#   ip=ADDR/LEN (repeat)   gmtu=N (set in the guest)     dev=OPTIONS (more device options)
#   args='...' (more for QEMU)
# Returns once QEMU runs; guest_wait waits for the guest.
guest_start() {
	local name=$1 arg
	local mem=256 smp=2 queues=1 packed=off mrg=on mac='' mtu='' ring='' back=memfd regions=1
	local vhost='' role=client tap='' kernel=off ips='' gmtu='' dev='' args=''
	shift
	for arg in "$@"; do
		case ${arg%%=*} in
		ip) ips="$ips vx.ip=${arg#*=}" ;;
		mem | smp | queues | packed | mrg | mac | mtu | ring | back | regions | vhost | role | tap | kernel | gmtu | dev | args)
			printf -v "${arg%%=*}" %s "${arg#*=}"
			;;
		net) ;;
		*) echo "guest_start: unknown '$arg'" >&2; return 1 ;;
		esac
	done
	local dir=$LAB_DIR/guest-$name
	mkdir -p "$dir"
	local q=(qemu-system-x86_64 -name "$name" -machine q35 -nodefaults -no-user-config -display none
		-smp "$smp" -pidfile "$dir/pid" -serial "file:$dir/console"
		-monitor "unix:$dir/monitor,server=on,wait=off"
		-kernel "$ROOT/build/guest/vmlinuz" -initrd "$ROOT/build/guest/initramfs.cpio")
	if [ -n "${VXDP_TEST_KVM:-}" ]; then
		q+=(-accel kvm -cpu host)
	else
		q+=(-accel "tcg,thread=multi" -cpu max)
	fi
	guest_memory q "$mem" "$back" "$regions"
	q+=(-device "virtio-serial-pci,max_ports=16")
	local i
	for ((i = 1; i <= GUEST_PORTS; i++)); do
		q+=(-chardev "socket,id=port$i,path=$dir/port$i,server=on,wait=off"
			-device "virtserialport,chardev=port$i,nr=$i")
	done
	local card="virtio-net-pci,netdev=net0,mrg_rxbuf=$mrg,packed=$packed,romfile="
	card+=${mac:+,mac=$mac}${mtu:+,host_mtu=$mtu}${ring:+,rx_queue_size=$ring,tx_queue_size=$ring}
	[ "$queues" -gt 1 ] && card+=",mq=on"
	card+=",vectors=$(guest_vectors "$queues" "$vhost")"
	card+=${dev:+,$dev}
	if [ -n "$vhost" ]; then
		local chr="socket,id=vhost,path=$vhost"
		[ "$role" = server ] && chr+=",server=on,wait=off" || chr+=",reconnect=1"
		q+=(-chardev "$chr" -netdev "vhost-user,id=net0,chardev=vhost,queues=$queues" -device "$card")
	elif [ -n "$tap" ]; then
		local multi=''
		[ "$queues" -gt 1 ] && multi=",queues=$queues"
		q+=(-netdev "tap,id=net0,ifname=$tap,script=no,downscript=no,vhost=$kernel$multi" -device "$card")
	fi
	q+=(-append "console=ttyS0 panic=-1 quiet tsc=reliable no_timer_check mitigations=off$ips${gmtu:+ vx.mtu=$gmtu}")
	# shellcheck disable=SC2206 # options are words
	q+=($args)
	rm -f "$dir"/port* "$dir/monitor"
	[ -n "${NS_HOST:-}" ] && q=(nsenter --net="/run/netns/$NS_HOST" -- "${q[@]}")
	"${q[@]}" </dev/null >"$dir/qemu.log" 2>&1 &
	GUEST_PID[$name]=$!
	eventually 10 test -S "$dir/port$GUEST_PORTS" || { cat "$dir/qemu.log" >&2; return 1; }
}

declare -A GUEST_PID

# QEMU 7.2 with TCG crashes (kvm_irqchip_add_irqfd_notifier_gsi, below vhost_net_start) when a guest
# with MSI-X starts a vhost-user device, whatever the back end: there the guest gets an interrupt
# line instead. VXDP_TEST_MSIX=1 is for a QEMU that can.
guest_vectors() {
	if [ -n "$2" ] && [ -z "${VXDP_TEST_KVM:-}${VXDP_TEST_MSIX:-}" ]; then echo 0; else echo $((2 * $1 + 2)); fi
}

# Memory of the guest, in one or two parts, each one region for vhost-user.
guest_memory() {
	local -n cmd=$1
	local mem=$2 back=$3 regions=$4 i part object
	part=$((mem / regions))
	cmd+=(-m "$mem${GUEST_MAXMEM:+,slots=4,maxmem=${GUEST_MAXMEM}M}")
	for ((i = 0; i < regions; i++)); do
		object="memory-backend-memfd,id=mem$i,size=${part}M,share=on"
		[ "$back" = hugepages ] && object+=",hugetlb=on,hugetlbsize=2M"
		cmd+=(-object "$object" -numa "node,nodeid=$i,memdev=mem$i")
	done
}

# guest_wait NAME [SECONDS]: until it takes commands.
guest_wait() {
	if ! GUEST_TIMEOUT=${2:-60} guest_run "$1" true; then
		diag "guest $1 does not answer" "$(tail -n 20 "$LAB_DIR/guest-$1/console" "$LAB_DIR/guest-$1/qemu.log")"
		return 1
	fi
}

# guest_run NAME 'shell command': output and exit status are the command's.
guest_run() {
	local dir=$LAB_DIR/guest-$1 i ports=()
	for ((i = 1; i <= GUEST_PORTS; i++)); do ports+=("$dir/port$i"); done
	timeout -k 2 "${GUEST_TIMEOUT:-60}" "$ROOT/build/tests/lib/guestrun" --run "${ports[@]}" -- "$2"
}

# guest_monitor NAME 'command': QEMU's human monitor.
guest_monitor() {
	printf '%s\n' "$2" | socat -t1 - "UNIX-CONNECT:$LAB_DIR/guest-$1/monitor" | tr -d '\r'
}

guest_alive() { kill -0 "${GUEST_PID[$1]:-0}" 2>/dev/null; }

# guest_stop NAME: the plug is pulled, politely.
guest_stop() { guest_end "$1" TERM; }
guest_kill9() { guest_end "$1" KILL; }

# ended PID: within ten seconds. A zombie has ended.
ended() {
	local i
	for ((i = 0; i < 100; i++)); do
		[[ $(sed "s/.*) //; s/ .*//" "/proc/$1/stat" 2>/dev/null) == [RSDTt] ]] || return 0
		sleep 0.1
	done
	return 1
}

guest_end() {
	local pid=${GUEST_PID[$1]:-}
	[ -n "$pid" ] || return 0
	kill -"$2" "$pid" 2>/dev/null
	ended "$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	unset "GUEST_PID[$1]"
	return 0
}

guests_end() {
	local name
	for name in "${!GUEST_PID[@]}"; do guest_end "$name" KILL; done
}
