# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# nested.sh - a guest in QEMU, in the machine: on vhost-user, and on a tap with vhost-net. It has booted
# elsewhere, and goes on here (tests/lab/nested).

NESTED_BYTES=300000

part_nested() { ! nested_can || nested_socket; }
part_nested_tap() { ! nested_can || nested_tap; }

nested_can() {
	card virt || { skip "the machine has no virt" "QEMU in the machine"; return 1; }
	[ -c /dev/kvm ] || { skip "Linux $RELEASE has no KVM on this processor" "QEMU in the machine"; return 1; }
	NESTED_IP=10.9.$CARD_N.42
}

# nested_up OPTION...: QEMU's, for the network
nested_up() {
	local machine dir=$WORK/nested
	rm -rf "$dir"
	mkdir -p "$dir"
	nested_machine "$dir"
	# shellcheck disable=SC2154 # nested_machine sets it
	qemu-system-x86_64 "${machine[@]}" -L /nested -accel kvm "$@" -incoming "exec:cat /nested/state" \
		>$WORK/qemu.log 2>&1 &
	NESTED_PID=$!
	eventually 60 test -S "$dir/port1"
	if ! nested_run "cd /sys/bus/virtio/drivers/virtio_net && echo virtio1 >bind &&
		ip link set eth0 up && ip addr add $NESTED_IP/24 dev eth0" >$WORK/nested.log 2>&1; then
		diag "$(tail -n 5 $WORK/nested.log $WORK/qemu.log)"
		return 1
	fi
}

nested_down() {
	kill "$NESTED_PID"
	wait "$NESTED_PID" 2>/dev/null
}

# nested_run 'COMMAND': in the guest
nested_run() { timeout -k 2 150 guestrun --run $WORK/nested/port1 -- "$1"; }

# nested_pings TEXT: the guest and the wire, the guest and the host, both ways
nested_pings() {
	check "$1: the wire's ping is answered" eventually 60 on_wire ping -c 1 -W 5 -q "$NESTED_IP"
	check "$1: and the host's" eventually 60 ping -c 1 -W 5 -q "$NESTED_IP"
	check "$1: the wire and the host answer the guest's" \
		nested_run "ping -c 1 -W 20 -q $WIRE_IP && ping -c 1 -W 20 -q $HOST_IP"
}

# nested_tcp TEXT NAMESPACE ADDRESS: to there and back, whole and unchanged
nested_tcp() {
	nested_tcp_from "$@"
	nested_tcp_to "$@"
}

SUM='"\(.bytes) \(.checksum)"'

nested_tcp_from() {
	local sent got=$WORK/tcp.got
	rm -f $got
	in_net "$2" traffic tcp-recv --bind 0.0.0.0 --port 7000 --timeout 120 --background $got >/dev/null
	sent=$(nested_run "traffic tcp-send --to $3 --port 7000 --bytes $NESTED_BYTES --timeout 120" | jq -r "$SUM")
	eventually 20 test -s $got
	nested_sums "$1: $NESTED_BYTES bytes by TCP from the guest" "$sent" "$(jq -r "$SUM" <$got)"
}

nested_tcp_to() {
	local sent got
	nested_run "traffic tcp-recv --port 7000 --timeout 120 --background /tmp/got" >/dev/null
	sent=$(in_net "$2" traffic tcp-send --to "$NESTED_IP" --port 7000 --bytes $NESTED_BYTES --timeout 120 | jq -r "$SUM")
	got=$(nested_run 'for i in 1 2 3 4 5 6 7 8 9; do [ -s /tmp/got ] && break; sleep 1; done; cat /tmp/got' | jq -r "$SUM")
	nested_sums "$1: and to the guest" "$sent" "$got"
}

nested_sums() {
	[[ $2 =~ ^$NESTED_BYTES\ [0-9a-f]{16}$ ]] || diag "sent: '$2'"
	is "$3" "${2:-what was not sent}" "$1"
}

nested_socket() {
	local text="QEMU on vhost-user"
	vx_start || { not_ok "$text: attach"; return; }
	if nested_up -chardev "socket,id=vhost,path=$SOCKET,reconnect=1" -netdev vhost-user,id=net0,chardev=vhost; then
		nested_pings "$text"
		nested_tcp "$text, wire" "$NS" "$WIRE_IP"
		nested_tcp "$text, host" host "$HOST_IP"
		kill -KILL $VX_PID
		wait $VX_PID 2>/dev/null
		vx_start
		is $? 0 "$text: vxdp is killed and comes back"
		if eventually 150 on_wire ping -c 1 -W 5 -q "$NESTED_IP"; then
			ok "$text: and the guest is there again"
		else
			not_ok "$text: and the guest is there again"
			diag "$(tail -n 8 $WORK/vxdp.log)" "$(tail -n 5 $WORK/qemu.log)" "$(vx_status -c '.ports[0] | {lane, state}')" \
				"$(nested_run 'ip -s link show eth0; ip neigh; ping -c 1 -W 5 '"$WIRE_IP" 2>&1)" "$(losses)"
		fi
	else
		not_ok "$text: the guest goes on"
	fi
	nested_down
	detaches
}

nested_tap() {
	local text="QEMU on a tap with vhost-net"
	check "$text: attach --tap" vxdp attach "$NIC" --tap tap0
	eventually 15 carrier
	if nested_up -netdev tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=on; then
		nested_pings "$text"
		nested_tcp_from "$text, wire" "$NS" "$WIRE_IP"
		cmp_ok "$(ip -s -j link show tap0 | jq '.[0].stats64.rx | .bytes / .packets | floor')" ">" 1600 \
			"$text: the guest handed over more than a segment at a time"
		nested_tcp_to "$text, wire" "$NS" "$WIRE_IP"
		nested_tcp "$text, host" host "$HOST_IP"
	else
		not_ok "$text: the guest goes on"
	fi
	nested_down
	check "$text: detach" vxdp detach "$NIC"
}
