# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# guest_switches.sh - the switches of switches.sh again, between guests: no frame goes to the wire.
#
#   SWITCH_serve N [OPTION]   a vhost-user server for each of N guests, its polling thread alone on
#                             CPU 0; sets sockets=(PATH...). The option is busy, adaptive or tso.
#                             Sets light_role=--listen if it connects to the guests instead.
#
# To stop, to count and so on is as it is there.

# vxdp: two guests, or many, of one NIC. Its worker looks up, checks and counts all. vxdp_cpus=LIST:
# a worker on each of these.
vxdp_serve() {
	local i poll=busy
	[ "${2:-}" != adaptive ] || poll=adaptive
	sockets=("$tmp/vm0.sock")
	vx_start "$tmp/vm0.sock" --role server --cpus "${vxdp_cpus:-0}" --poll $poll || return 1
	for ((i = 1; i < $1; i++)); do
		sockets+=("$tmp/vm$i.sock")
		on_host "$VXDP" attach v0 --vm "$tmp/vm$i.sock" --name "vm$i" --role server \
			>>"$tmp/attach.log" 2>&1 || return 1
	done
}

# testpmd, io: port 0 to port 1 and back, without a look at the frames.
dpdk_serve() {
	local i
	local -a vdevs=()
	sockets=()
	for ((i = 0; i < $1; i++)); do
		sockets+=("$tmp/vm$i.sock")
		vdevs+=(--vdev "net_vhost$i,iface=$tmp/vm$i.sock,queues=1")
	done
	testpmd_start switch --lcores 0@1,1@0 -m 256 --huge-dir "$tmp/huge" "${vdevs[@]}" \
		-- -i --nb-cores=1 --forward-mode=io --rxd=1024 --txd=1024 \
		--total-num-mbufs=16384 --record-core-cycles &&
		testpmd_say switch start
}

# Open vSwitch: learns and looks up (NORMAL), as vxdp does.
ovs_serve() {
	local i tso=false kind=dpdkvhostuser
	local -a ports=()
	# Open vSwitch takes large frames only from guests that listen.
	[ "${2:-}" != tso ] || tso=true kind=dpdkvhostuserclient light_role=--listen
	ovs_daemons other_config:userspace-tso-enable=$tso || return 1
	sockets=()
	for ((i = 0; i < $1; i++)); do
		sockets+=("$tmp/ovs/vm$i")
		ports+=(-- add-port br0 "vm$i" -- set interface "vm$i" type=$kind
			options:n_rxq_desc=1024)
		[ $tso = false ] || ports+=("options:vhost-server-path=${sockets[-1]}")
	done
	ovs-vsctl --timeout=30 --db="$ovs_db" \
		-- add-br br0 -- set bridge br0 datapath_type=netdev fail-mode=secure \
		"${ports[@]}" &&
		ovs-ofctl add-flow "unix:$tmp/ovs/br0.mgmt" actions=NORMAL || return 1
	[ $tso = true ] || until_true 5 test -S "${sockets[-1]}"
}
