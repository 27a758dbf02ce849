# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - for the tests whose guest is DPDK's testpmd with a virtio-user port: the wire, vxdp on
# it, and testpmd driven through its prompt. Source it, then call test_init NAME PROGRAM...
#
#   netns $ns_host:  v0, the NIC that vxdp serves        netns $ns_wire:  g0, the far end
#   testpmd, the guest: main thread on CPU 0 (sleeps), forwarding thread on CPU 1 (always busy)

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/json.sh
. "$top/tests/lib/json.sh"
VXDP=${VXDP:-$top/build/vxdp}
wire=$top/build/tests/testpmd/wire

wire_mac=02:57:00:00:00:01
# shellcheck disable=SC2034
guest_mac=02:56:00:00:00:01

declare -A tp_pid tp_fd tp_mark
vx_pid=

n_tests=0
n_failed=0

# ok|not_ok TEXT; note TEXT: a line for people
ok() { echo "ok $((++n_tests)) - $1"; }
not_ok() { n_failed=$((n_failed + 1)); echo "not ok $((++n_tests)) - $1"; }
skip() { echo "ok $((++n_tests)) - $1 # SKIP $2"; }
note() { echo "# $*"; }
done_testing() { echo "1..$n_tests"; [ "$n_failed" -eq 0 ]; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

# In the background use nsenter itself: of a function, $! is a shell, which is no use to kill.
on_host() { nsenter --net="/run/netns/$ns_host" "$@"; }
on_wire() { nsenter --net="/run/netns/$ns_wire" "$@"; }

# Try a command every 50 ms for SECONDS: until 5 COMMAND...
until_true() {
	local tries=$(($1 * 20))
	shift
	while ! "$@"; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# test_init NAME PROGRAM...: for a test that needs these programs
test_init() {
	local need
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	for need in jq ethtool "${@:2}"; do
		command -v $need >/dev/null || skip_all "$need is not installed"
	done
	for need in "$VXDP" "$wire"; do
		[ -x "$need" ] || skip_all "$need is not built (make all tests)"
	done
	tmp=$(mktemp -d "/tmp/$1.XXXXXX")
	ns_host=$(basename "$tmp")-h
	ns_wire=$(basename "$tmp")-w
	hugepages_before=$(cat /proc/sys/vm/nr_hugepages)
	export VXDP_RUNDIR=$tmp/run VXDP_BPFFS=$tmp/bpf
	mkdir "$tmp/run" "$tmp/bpf" "$tmp/huge"
	trap test_exit EXIT
	trap 'exit 1' INT TERM
	mount -t bpf bpf "$tmp/bpf" && mount -t hugetlbfs hugetlbfs "$tmp/huge" || exit 1
	wire_make || exit 1
}

test_exit() {
	local name
	for name in "${!tp_pid[@]}"; do
		kill -KILL "${tp_pid[$name]}" 2>/dev/null
	done
	vx_stop
	ip netns del "$ns_host" 2>/dev/null
	ip netns del "$ns_wire" 2>/dev/null
	wait
	umount "$tmp/bpf" "$tmp/huge"
	rm -rf "$tmp"
	sysctl -qw vm.nr_hugepages="$hugepages_before"
}

# No IPv6 on the wire: its own frames would spoil exact counts.
wire_make() {
	local ns
	for ns in "$ns_host" "$ns_wire"; do
		ip netns add "$ns" &&
			nsenter --net="/run/netns/$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
				net.ipv6.conf.default.disable_ipv6=1 || return 1
	done
	ip -n "$ns_host" link add v0 numrxqueues 4 numtxqueues 4 type veth \
		peer name g0 netns "$ns_wire" numrxqueues 4 numtxqueues 4 &&
		ip -n "$ns_host" link set v0 up &&
		ip -n "$ns_wire" link set g0 up address $wire_mac &&
		on_wire ethtool -K g0 tx off >/dev/null
}

# The NIC gets N queues. Nothing may be attached.
wire_queues() {
	on_host ethtool -L v0 rx "$1" tx "$1" 2>/dev/null
	on_wire ethtool -L g0 rx "$1" tx "$1" 2>/dev/null
	until_true 5 wire_has_carrier
}

wire_has_carrier() { ip -n "$ns_wire" link show g0 2>/dev/null | grep -q "state UP"; }

# vx_start SOCKET ARGS...: attach in the foreground, wait for the port
vx_start() {
	local socket=$1
	shift
	nsenter --net="/run/netns/$ns_host" "$VXDP" attach v0 --vm "$socket" --name vm0 "$@" >"$tmp/vxdp.log" 2>&1 &
	vx_pid=$!
	if ! { until_true 10 vx_has_port && kill -0 "$vx_pid" 2>/dev/null; }; then
		sed 's/^/# vxdp: /' "$tmp/vxdp.log"
		vx_stop
		return 1
	fi
}

# True as well when vxdp has died: nothing to wait for.
vx_has_port() {
	is_gone "$vx_pid" && return 0
	on_host "$VXDP" status v0 -j 2>/dev/null | json_holds 'any(.ports[]?; .name == "vm0")' >/dev/null
}

vx_stop() {
	[ -n "$vx_pid" ] || return 0
	kill -TERM "$vx_pid" 2>/dev/null
	until_true 5 is_gone "$vx_pid" || kill -KILL "$vx_pid"
	wait "$vx_pid" 2>/dev/null
	vx_pid=
}

# snapshot NAME: keep vxdp's stats and the wire's own losses, for balance().
snapshot() {
	on_host "$VXDP" stats v0 -j >"$tmp/$1.stats"
	{ on_wire cat /proc/net/dev; on_host cat /proc/net/dev; } | awk '
		$1 == "g0:" { g0 = $13 } $1 == "v0:" { v0 = $13 }
		END { printf "{\"to_guest\":%d,\"from_guest\":%d}\n", g0, v0 }' >"$tmp/$1.lost"
}

# totals: of vxdp's stats, summed over the port's queues. A drop counts under the side it was lost
# on: rx on the way to the guest, tx coming from it.
#
# $lost: what the wire lost, either way: frames that the veth of the sending end could not hand
# over. (The receiving end counts those again that an AF_XDP socket refused, which vxdp does too.)
balance_defs='
	def total(f): [f | to_entries[] | .value.packets] | add // 0;
	def drops(f): f | with_entries(select(.key | startswith("drop_")));
	def drops_rx(f): f | with_entries(select(.key | startswith("drop_rx_")));
	def sum(f): [.queues[] | f] | add // 0;
	def totals:
		(.ports[] | select(.name == "uplink") | total(drops(.verdicts))) as $uplink |
		.ports[] | select(.name == "vm0") | total(drops_rx(.verdicts)) as $port_rx |
		{rx_direct: sum(.rx.direct.packets), rx_shared: sum(.rx.shared.packets),
		 tx_shared: sum(.tx.shared.packets), rx_kernel: sum(.rx.kernel.packets),
		 rx_bounced: sum(.rx.bounced.packets), tx_direct: sum(.tx.direct.packets),
		 tx_kernel: sum(.tx.kernel.packets), tx_bounced: sum(.tx.bounced.packets),
		 rx_drops: ($uplink + $port_rx + sum(total(.rx.drops))),
		 tx_drops: (total(drops(.verdicts)) - $port_rx + sum(total(.tx.drops)))};
	def minus($b): with_entries(.value -= $b[.key]);'

# balance WIRE GUEST CONDITION...: between the snapshots "before" and "after", with the JSON of
# both ends. The conditions are jq, over $wire, $guest, $vx and $lost; prints those that do not
# hold, and the figures. $args: further jq arguments.
balance() {
	local wire_json=$1 guest_json=$2 list='' condition
	shift 2
	for condition; do
		list+="(if $condition then empty else $(jq -n --arg c "$condition" '$c') end),"
	done
	jq -rn "${args[@]}" --argjson wire "$wire_json" --argjson guest "$guest_json" \
		--slurpfile s0 "$tmp/before.stats" --slurpfile s1 "$tmp/after.stats" \
		--slurpfile l0 "$tmp/before.lost" --slurpfile l1 "$tmp/after.lost" "$balance_defs"'
		($s1[0] | totals | minus($s0[0] | totals)) as $vx | ($l1[0] | minus($l0[0])) as $lost |
		['"${list%,}"'] | select(length > 0) | (.[] | "does not hold: " + .),
		({$wire, $guest, $vx, $lost} | tojson)'
}

# testpmd_start NAME EAL-ARGS... -- ARGS...: waits for its prompt. Runs in the network namespace
# $testpmd_netns if that is set.
testpmd_start() {
	local name=$1 fd
	shift
	: >"$tmp/$name.log"
	mkfifo "$tmp/$name.in"
	exec {fd}<>"$tmp/$name.in"
	nsenter --net="${testpmd_netns:-/proc/self/ns/net}" stdbuf -oL dpdk-testpmd --no-pci \
		--no-telemetry --file-prefix="$(basename "$tmp")-$name" "$@" <&"$fd" \
		>"$tmp/$name.log" 2>&1 &
	tp_pid[$name]=$!
	tp_fd[$name]=$fd
	tp_mark[$name]=0
	rm "$tmp/$name.in"
	testpmd_wait "$name" 'testpmd> ' 15
}

# Wait until the output since the last testpmd_say matches: testpmd_wait NAME PATTERN SECONDS
testpmd_wait() { until_true "$3" testpmd_saw "$1" "$2" && kill -0 "${tp_pid[$1]}" 2>/dev/null; }

testpmd_saw() {
	kill -0 "${tp_pid[$1]}" 2>/dev/null || return 0
	testpmd_out "$1" | grep -q "$2"
}

testpmd_out() { tail -c +$((tp_mark[$1] + 1)) "$tmp/$1.log"; }

# testpmd_say NAME COMMAND [PATTERN]: and wait for the pattern (the prompt) in the answer
testpmd_say() {
	tp_mark[$1]=$(stat -c %s "$tmp/$1.log")
	echo "$2" >&"${tp_fd[$1]}"
	testpmd_wait "$1" "${3:-testpmd> }" 5
}

# What `stop` or `show fwd stats all` has just said about port 0: {"rx":N,"rx_dropped":N,"tx":N,"tx_dropped":N}
testpmd_counts() {
	testpmd_out "$1" | awk '/Forward statistics for port 0/ { on = 1 }
		on && /RX-packets/ { rx = $2; rx_dropped = $4 }
		on && /TX-packets/ { printf "{\"rx\":%d,\"rx_dropped\":%d,\"tx\":%d,\"tx_dropped\":%d}\n",
			rx, rx_dropped, $2, $4; exit }'
}

testpmd_stop() {
	[ -n "${tp_pid[$1]:-}" ] || return 0
	kill -CONT "${tp_pid[$1]}" 2>/dev/null # in case a test has stopped it
	local fd=${tp_fd[$1]}
	echo quit >&"$fd"
	until_true 10 is_gone "${tp_pid[$1]}" || kill -KILL "${tp_pid[$1]}"
	wait "${tp_pid[$1]}" 2>/dev/null
	exec {fd}>&-
	unset "tp_pid[$1]" "tp_fd[$1]"
}

# Reserve N 2-MiB pages; fails when the machine has not so many.
hugepages() {
	local free
	free=$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)
	[ "$free" -ge "$1" ] ||
		sysctl -qw vm.nr_hugepages=$(($(cat /proc/sys/vm/nr_hugepages) + $1 - free))
	[ "$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)" -ge "$1" ]
}
