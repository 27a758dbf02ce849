# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# vlans.sh - a wire with tags. VLAN 10: a vhost-user guest and a guest on vhost-net, both on access
# ports, a second guest on vhost-net with a trunk, the host with a VLAN device on the NIC, and the other
# machine with one on the wire. VLAN 20: the trunk's guest, the host and the other machine. All that
# share a VLAN talk, by ping and TCP; nobody hears what is not for them.

VLAN_BYTES=300000
declare -A VLAN_NET=([vm0]=v-vm0 [tap0]=v-tap0 [trunk]=v-trunk [host]=host) # wire: $NS
declare -A VLAN_HOST=([vm0]=10 [tap0]=11 [trunk]=12 [host]=1 [wire]=2)

part_vlans() {
	local name with=. # all pairs once; on another card those that it has a part in
	for name in virt igb; do
		card "$name" || { skip "the machine has no $name" "$name: VLANs"; continue; }
		VLAN_NET[wire]=$NS
		if vlan_up; then
			wire_capture "vlan and tcp and not src host 10.10.10.2 and not src host 10.10.20.2"
			vlan_pairs "$with" 10 vm0 tap0 trunk host wire
			vlan_pairs "$with" 20 trunk host wire
			wire_captured
			wire_checksums "$CARD: VLANs" $((6 * VLAN_BYTES / 1460))
			is "$(grep -o 'vlan [0-9]*' $WORK/wire.txt | sort -u | paste -sd,)" "vlan 10,vlan 20" \
				"$CARD: VLANs: each with its tag"
			vlan_probes
		fi
		vlan_down
		with=wire
	done
}

# vlan_device NAMESPACE DEVICE VLAN ADDRESS: a VLAN device
vlan_device() {
	ip -n "$1" link add link "$2" name "vlan$3" type vlan id "$3" &&
		ip -n "$1" addr add "10.10.$3.$4/24" dev "vlan$3" && ip -n "$1" link set "vlan$3" up
}

vlan_up() {
	local vlan mac=02:56:00:00:01
	vlan_device host "$NIC" 10 1 || { skip "Linux $RELEASE has no VLAN devices" "$CARD: VLANs"; return 1; }
	vlan_device host "$NIC" 20 1
	for vlan in 10 20; do vlan_device "$NS" wire0 $vlan 2; done
	vx_start --vlan 10 || { not_ok "$CARD: VLANs: attach"; return 1; }
	{ vxdp attach "$NIC" --tap tap0 --vlan 10 && vxdp attach "$NIC" --tap tap1 --trunk 10,20 &&
		vxdp port set "$NIC" host trunk 10,20 && vxdp port set "$NIC" uplink trunk 10,20; } >$WORK/vlans.log 2>&1 ||
		{ not_ok "$CARD: VLANs: ports"; diag "$(cat $WORK/vlans.log)"; return 1; }
	nsguest_up v-vm0 "$SOCKET" $mac:10 10.10.10.10/24 && nsguest_up v-tap0 vhost-net:host:tap0 $mac:11 10.10.10.11/24 &&
		nsguest_up v-trunk vhost-net:host:tap1 $mac:12 || { not_ok "$CARD: VLANs: guests"; return 1; }
	for vlan in 10 20; do vlan_device v-trunk eth0 $vlan 12; done
	eventually 15 carrier
}

vlan_down() {
	local name vlan
	for name in v-vm0 v-tap0 v-trunk; do [ -z "${NSGUEST_PID[$name]:-}" ] || nsguest_down $name; done
	vx_stop
	vxdp detach "$NIC" >/dev/null 2>&1
	for vlan in 10 20; do
		ip link del vlan$vlan 2>/dev/null
		on_wire ip link del vlan$vlan 2>/dev/null
	done
}

# vlan_pairs PATTERN VLAN SIDE...: each with each other, of those pairs that match
vlan_pairs() {
	local with=$1 vlan=$2 a b ip
	shift 2
	for a; do
		for b; do
			[ "$a" != "$b" ] && [[ "$a $b" =~ $with ]] || continue
			ip=10.10.$vlan.${VLAN_HOST[$b]}
			if eventually 15 in_net "${VLAN_NET[$a]}" ping -q -c 1 -W 3 "$ip"; then
				tcp_between "$CARD: VLAN $vlan: $a -> $b: ping, and $VLAN_BYTES bytes by TCP" \
					"${VLAN_NET[$a]}" "${VLAN_NET[$b]}" "$ip" $VLAN_BYTES
			else
				not_ok "$CARD: VLAN $vlan: $a -> $b: ping"
			fi
		done
	done
}

# A broadcast in each VLAN, with a tag in none, and in one that is not the sender's: who hears it? It is
# an ARP request for an address that nobody has, and whose last number says which.
vlan_probes() {
	local name dir=$WORK/heard pids=()
	mkdir -p $dir
	for name in vm0 tap0 trunk wire; do
		nsenter --net="/run/netns/${VLAN_NET[$name]}" -- tcpdump -Z root -nn -e -l -Q in \
			-i "$([ $name = wire ] && echo wire0 || echo eth0)" "arp or (vlan and arp)" >$dir/$name 2>$dir/$name.err &
		pids+=($!)
	done
	for name in vm0 tap0 trunk wire; do eventually 20 grep -q listening $dir/$name.err; done
	vlan_device "$NS" wire0 99 2
	vlan_device v-tap0 eth0 20 11
	vlan_device v-trunk eth0 30 12
	vlan_probe "$NS" vlan10 10.10.10.201
	vlan_probe "$NS" vlan20 10.10.20.202
	vlan_probe "$NS" vlan99 10.10.99.203
	vlan_probe "$NS" wire0 "10.9.$CARD_N.204"
	vlan_probe v-tap0 eth0 10.10.10.205
	vlan_probe v-tap0 vlan20 10.10.20.206
	vlan_probe v-trunk vlan30 10.10.30.207
	vlan_probe v-trunk vlan20 10.10.20.208
	sleep 1
	kill "${pids[@]}"
	wait "${pids[@]}"
	on_wire ip link del vlan99
	is "$(heard vm0)" "201 205" "$CARD: the guest in VLAN 10 hears the wire's and its neighbour's broadcast, and no other VLAN's"
	is "$(heard tap0)" "201" "$CARD: so does the one on vhost-net"
	is "$(heard trunk)" "201 202 205" "$CARD: the guest with the trunk hears those of both VLANs"
	is "$(heard wire)" "205 208" "$CARD: the wire hears the guests', and nothing with a tag that is not theirs to send"
}

vlan_probe() { in_net "$1" ping -q -c 1 -W 1 -I "$2" "$3" >/dev/null 2>&1; }

# heard SIDE: the last numbers of the addresses asked for
heard() { sed -nE 's/.*who-has [0-9]+\.[0-9]+\.[0-9]+\.(20[0-9]) .*/\1/p' "$WORK/heard/$1" | sort -un | paste -sd' '; }
