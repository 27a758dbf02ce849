# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# switches.sh - the switches that are compared. Each serves v0 and the vhost-user socket $socket,
# one queue, with its polling thread alone on CPU 0 and all else of it on CPU 1.
#
#   SWITCH_start     ready for a guest when it returns
#   SWITCH_stop
#   SWITCH_pid
#   SWITCH_counts    {"frames":N,"cycles":N}: frames it received, and time-stamp counter cycles of
#                    the passes of its polling loop that moved any
#   SWITCH_version

# vxdp: one worker, which never sleeps, as the others never do.

vxdp_start() {
	socket=$tmp/vm.sock
	vx_start "$socket" --lane direct --role server --cpus 0 --poll busy
}
vxdp_stop() { vx_stop; }
vxdp_pid() { echo "$vx_pid"; }
vxdp_counts() {
	on_host "$VXDP" status v0 -j |
		jq -c '{frames: ([.workers[].frames] | add), cycles: ([.workers[].busy_cycles] | add)}'
}
vxdp_version() { "$VXDP" version | head -n 1; }

# dpdk: testpmd takes what comes in on one side to the other without a look at it. No switch, but
# the least that DPDK's drivers for AF_XDP and vhost-user can take.

dpdk_start() {
	socket=$tmp/vm.sock
	# libxdp's dispatcher needs a kernel feature that not all have; a single program serves.
	LIBXDP_SKIP_DISPATCHER=1 testpmd_netns=/run/netns/$ns_host testpmd_start switch \
		--lcores 0@1,1@0 -m 256 --huge-dir "$tmp/huge" \
		--vdev "net_af_xdp0,iface=v0,start_queue=0,queue_count=1,$dpdk_af_xdp_args" \
		--vdev "net_vhost0,iface=$socket,queues=1" -- -i --nb-cores=1 --forward-mode=io \
		--rxd=1024 --txd=1024 --total-num-mbufs=16384 --record-core-cycles &&
		testpmd_say switch start
}
dpdk_af_xdp_args=busy_budget=0 # polling the NIC's queue by system calls does not help a veth
dpdk_stop() { testpmd_stop switch; }
dpdk_pid() { echo "${tp_pid[switch]}"; }
dpdk_counts() {
	local cycles='.*total cycles=\([0-9]*\) .*packets=\([0-9]*\)).*'
	testpmd_say switch 'show fwd stats all' 'CPU cycles\|Accumulated[^$]*+++++$'
	sleep 0.1
	{
		echo 'CPU (total cycles=0 / total io packets=0)'
		testpmd_out switch
	} | sed -n "s/$cycles/{\"frames\":\\2,\"cycles\":\\1}/p" | tail -n 1
}
dpdk_version() { dpkg-query -W -f 'DPDK ${Version}' dpdk; }

# ovs: Open vSwitch with DPDK, an afxdp port and a vhost-user port. The flows name the input port,
# which is the fastest kind; a learning switch (action NORMAL) takes more.

# ovs_daemons [OPTION]...: a database and a switch with nothing in it, other_config as given
ovs_daemons() {
	export OVS_RUNDIR=$tmp/ovs OVS_LOGDIR=$tmp/ovs OVS_DBDIR=$tmp/ovs OVS_SYSCONFDIR=$tmp/ovs
	ovs_db=unix:$tmp/ovs/db.sock
	rm -rf "$tmp/ovs"
	mkdir "$tmp/ovs"
	ovsdb-tool create "$tmp/ovs/conf.db" /usr/share/openvswitch/vswitch.ovsschema || return 1
	ovsdb-server "$tmp/ovs/conf.db" --remote="p$ovs_db" --no-chdir -vconsole:off \
		-vfile:off >"$tmp/ovs/db.log" 2>&1 &
	ovs_pids=($!)
	until_true 5 test -S "$tmp/ovs/db.sock" || return 1
	ovs-vsctl --no-wait --db="$ovs_db" init
	ovs-vsctl --no-wait --db="$ovs_db" set Open_vSwitch . other_config:dpdk-init=true \
		other_config:dpdk-socket-mem=448 other_config:dpdk-socket-limit=512 \
		other_config:pmd-cpu-mask=0x1 \
		other_config:dpdk-lcore-mask=0x2 "$@"
	nsenter --net="/run/netns/$ns_host" /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk "$ovs_db" \
		--no-chdir --log-file="$tmp/ovs/vswitchd.log" -vconsole:off \
		--unixctl="$tmp/ovs/ctl" >"$tmp/ovs/out.log" 2>&1 &
	ovs_pids+=($!)
}

ovs_start() {
	socket=$tmp/ovs/vm0
	ovs_daemons other_config:userspace-tso-enable=false || return 1
	ovs-vsctl --timeout=20 --db="$ovs_db" \
		-- add-br br0 -- set bridge br0 datapath_type=netdev fail-mode=secure \
		-- add-port br0 v0 -- set interface v0 type=afxdp options:n_rxq=1 ofport_request=1 \
		-- add-port br0 vm0 -- set interface vm0 type=dpdkvhostuser ofport_request=2 \
		options:n_rxq_desc=1024 || return 1
	ovs-ofctl add-flow "unix:$tmp/ovs/br0.mgmt" in_port=1,actions=2 &&
		ovs-ofctl add-flow "unix:$tmp/ovs/br0.mgmt" in_port=2,actions=1 &&
		until_true 5 test -S "$socket"
}
ovs_stop() {
	local pid
	for pid in "${ovs_pids[@]}"; do kill -TERM "$pid" 2>/dev/null; done
	for pid in "${ovs_pids[@]}"; do
		until_true 5 is_gone "$pid" || kill -KILL "$pid"
		wait "$pid" 2>/dev/null
	done
	ovs_pids=()
}
ovs_pids=()
ovs_pid() { echo "${ovs_pids[1]}"; }
ovs_counts() {
	ovs-appctl --target="$tmp/ovs/ctl" dpif-netdev/pmd-stats-show | awk '
		/^pmd thread/ { on = 1 } /^main thread/ { on = 0 }
		on && /packets received:/ { frames += $3 } on && /processing cycles:/ { cycles += $3 }
		END { printf "{\"frames\":%.0f,\"cycles\":%.0f}\n", frames, cycles }'
}
ovs_version() { dpkg-query -W -f 'Open vSwitch ${Version}' openvswitch-switch-dpdk; }

# The thread of PID that uses most of a CPU just now.
busiest_thread() {
	local task
	for task in /proc/"$1"/task/*; do
		read -r ran _ <"$task/schedstat" && echo "${task##*/} $ran"
	done >"$tmp/threads"
	sleep 0.2
	for task in /proc/"$1"/task/*; do
		read -r ran _ <"$task/schedstat" && echo "${task##*/} $ran"
	done | awk 'NR == FNR { before[$1] = $2; next } { print $2 - before[$1], $1 }' \
		"$tmp/threads" - | sort -n | awk 'END { print $2 }'
}

# What was measured on, as text.
machine() {
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs" \
		"($(lscpu | sed -n 's/^Hypervisor vendor: *//p' | sed 's/^/under /')), Linux $(uname -r);"
	echo "$(vxdp_version), $(dpdk_version), $(ovs_version);"
}
