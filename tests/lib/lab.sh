# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lab.sh - what every end-to-end test starts with:
#
#   LAB_TIMEOUT=300                     # seconds the whole script may take
#   . "$(dirname "$0")/../lib/lab.sh"
#   plan 5
#   lab_begin queues=2                  # namespaces and wire (net.sh); options go to net_up
#   vxdp_start vm0                      # vxdp attach eth0 --vm $LAB_DIR/vm0.sock
#   guest_start vm0 vhost=$LAB_DIR/vm0.sock ip=10.77.0.10/24
#
# All that was started is ended when the script ends, however it ends.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The script runs under timeout, which is one process group: nothing survives it.
if [ -z "${LAB_BOUNDED:-}" ]; then
	LAB_BOUNDED=1 exec timeout -k 15 "${LAB_TIMEOUT:-300}" bash "$0" "$@"
fi
unset LAB_BOUNDED

. "$ROOT/tests/lib/tap.sh"
. "$ROOT/tests/lib/net.sh"
. "$ROOT/tests/lib/guest.sh"

VXDP=${VXDP:-$ROOT/build/vxdp}
# shellcheck disable=SC2034 # for the tests
TRAFFIC=$ROOT/build/tests/lib/traffic
# shellcheck disable=SC2034
LIVEGEN=$ROOT/build/tests/lib/livegen
VXDP_PID=

lab_begin() {
	LAB_ID=vxlab$$
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/vxlab.XXXXXX")
	trap lab_end EXIT
	trap 'exit 143' TERM INT HUP
	mkdir -p "$LAB_DIR/run" "$LAB_DIR/bpf"
	mount -t bpf bpf "$LAB_DIR/bpf" || bail "cannot mount a BPF file system"
	export VXDP_RUNDIR=$LAB_DIR/run VXDP_BPFFS=$LAB_DIR/bpf
	"$ROOT/scripts/guest-image" >&2 || bail "the guest image cannot be made"
	[ "${1:-}" = nonet ] || net_up "$@" || bail "the wire cannot be made"
}

lab_end() {
	local status=$?
	trap - EXIT TERM INT HUP
	guests_end
	if [ -n "$VXDP_PID" ]; then
		vxdp_stop || vxdp_kill9
	fi
	# shellcheck disable=SC2046 # one word a process
	[ -n "$(jobs -p)" ] && kill $(jobs -p) 2>/dev/null
	local ns
	for ns in "${NETS[@]}"; do kill_in_ns "$ns"; done
	if [ "$TAP_FAILED" -gt 0 ] && [ -s "$LAB_DIR/vxdp.log" ]; then
		diag "last lines of vxdp:" "$(tail -n 25 "$LAB_DIR/vxdp.log")"
	fi
	net_down
	umount "$LAB_DIR/bpf" 2>/dev/null
	[ -n "${LAB_KEEP:-}" ] || rm -rf "$LAB_DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "${TAP_PLAN:-0}" ] || status=1
	exit $status
}

# Only what runs in the test's own namespaces.
kill_in_ns() {
	local pids
	pids=$(ip netns pids "$1" 2>/dev/null)
	# shellcheck disable=SC2086 # one word a process
	[ -n "$pids" ] && kill -KILL $pids 2>/dev/null
	return 0
}

vxdp() { on_host "$VXDP" "$@"; }

# vxdp_start NAME [OPTIONS]...: the first attach, in the background; waits until it is ready.
vxdp_start() {
	local name=$1
	shift
	vxdp_launch attach eth0 --vm "$LAB_DIR/$name.sock" --name "$name" "$@"
}

# vxdp_launch ARGUMENTS...
vxdp_launch() {
	exec_host "$VXDP" "$@" </dev/null >>"$LAB_DIR/vxdp.log" 2>&1 &
	VXDP_PID=$!
	eventually 15 vxdp_ready || {
		diag "vxdp does not come up:" "$(tail -n 15 "$LAB_DIR/vxdp.log")"
		return 1
	}
}

vxdp_ready() { vxdp_alive || return 1; vxdp -j status eth0 | json_holds ".ports | length > 0"; }

# A zombie is a process that has ended.
vxdp_alive() { [ -n "$VXDP_PID" ] && [[ $(sed "s/.*) //; s/ .*//" "/proc/$VXDP_PID/stat" 2>/dev/null) != [ZX]* ]] && kill -0 "$VXDP_PID" 2>/dev/null; }

# vxdp_stop: SIGTERM. Return: its exit status, 124 when it did not end within ten seconds.
vxdp_stop() { vxdp_signal TERM; }

vxdp_kill9() { vxdp_signal KILL; }

vxdp_signal() {
	local pid=$VXDP_PID status
	[ -n "$pid" ] || return 0
	kill -"$1" "$pid" 2>/dev/null
	ended "$pid" 2>/dev/null || return 124
	wait "$pid" 2>/dev/null
	status=$?
	VXDP_PID=
	return $status
}

# port_state NAME: waiting, connected or running.
port_state() { vxdp -j status eth0 | json ".ports[] | select(.name == \"$1\") | .state"; }
port_running() { [ "$(port_state "$1")" = running ]; }

# total NAME FILTER: sum of a jq filter's numbers over a port's stats.
stat_sum() { vxdp -j stats eth0 | json "[.ports[] | select(.name == \"$1\") | $2 | numbers] | add // 0"; }

pings() { on_wire ping -c "${3:-3}" -i 0.2 -W 2 -q "$1" >/dev/null; }

# --- one guest on eth0, the way most tests want it ---

GUEST_IP=10.77.0.10 GUEST_IP6=fd77::10 GUEST_MAC=52:54:00:77:00:10

# vm_options NAME ROLE: what guest_start needs for the port; ROLE is QEMU's.
vm_guest_start() {
	local name=$1 role=$2
	shift 2
	guest_start "$name" vhost="$LAB_DIR/$name.sock" role="$role" mac=$GUEST_MAC ip=$GUEST_IP/24 \
		ip=$GUEST_IP6/64 "$@"
}

# vm_up NAME [lane=L] [role=client|server] [vxdp='OPTIONS'] [guest_start options]: vxdp and a guest,
# until the guest answers a ping from the wire. ROLE is QEMU's. Once in a hundred times or so an
# emulated machine does not boot at all: it gets a second chance, which is said.
vm_up() {
	local name=$1 lane=auto role=client options='' arg rest=()
	shift
	for arg in "$@"; do
		case $arg in
		lane=*) lane=${arg#*=} ;;
		role=*) role=${arg#*=} ;;
		vxdp=*) options=${arg#*=} ;;
		*) rest+=("$arg") ;;
		esac
	done
	# shellcheck disable=SC2086 # options are words
	vxdp_start "$name" --lane "$lane" $options || return 1
	vm_guest_start "$name" "$role" "${rest[@]}" || return 1
	if ! guest_wait "$name" 40; then
		diag "guest $name is started once more; its port is $(port_state "$name")"
		guest_kill9 "$name"
		vm_guest_start "$name" "$role" "${rest[@]}" && guest_wait "$name" || return 1
	fi
	eventually 15 port_running "$name" || diag "port $name is $(port_state "$name")"
	eventually 10 pings $GUEST_IP 1 || diag "the guest does not answer a ping from the wire yet"
}

# both_ways SIDE NAME BYTES PORT: TCP from the guest to SIDE (wire or host) and back. Sets
# $out_sum $out_got $in_sum $in_got (checksum and size at both ends) and $tcp (a JSON list of the
# four results).
tcp_both_ways() {
	local side=$1 name=$2 bytes=$3 port=$4 peer=$WIRE_IP sent got file=$LAB_DIR/tcp.$4
	[ "$side" = host ] && peer=$HOST_IP
	"on_$side" "$TRAFFIC" tcp-recv --bind 0.0.0.0 --port "$port" --timeout 100 --background "$file" >/dev/null
	sent=$(GUEST_TIMEOUT=110 guest_run "$name" "traffic tcp-send --to $peer --port $port --bytes $bytes --timeout 100")
	eventually 5 test -s "$file"
	got=$(cat "$file" 2>/dev/null)
	out_sum=$(json '"\(.bytes) \(.checksum)"' <<<"$sent")
	out_got=$(json '"\(.bytes) \(.checksum)"' <<<"$got")
	tcp="$sent $got"
	guest_run "$name" "traffic tcp-recv --port $port --timeout 100 --background /tmp/tcp.$port" >/dev/null
	sent=$("on_$side" timeout 110 "$TRAFFIC" tcp-send --to "${5:-$GUEST_IP}" --port "$port" --bytes "$bytes" --timeout 100)
	got=$(guest_run "$name" "for i in 1 2 3 4 5 6 7 8 9; do [ -s /tmp/tcp.$port ] && break; sleep 0.5; done; cat /tmp/tcp.$port")
	in_sum=$(json '"\(.bytes) \(.checksum)"' <<<"$sent")
	in_got=$(json '"\(.bytes) \(.checksum)"' <<<"$got")
	tcp=$(jq -cs . <<<"$tcp $sent $got" 2>/dev/null || echo '[]')
}

# tcp_whole BYTES: the last tcp_both_ways carried all of it, unchanged, in both directions. A
# transfer that did not happen has no checksum, and is not equal to another that did not.
tcp_whole() {
	[[ $out_sum =~ ^$1\ [0-9a-f]{16}$ && $in_sum =~ ^$1\ [0-9a-f]{16}$ &&
		$out_got = "$out_sum" && $in_got = "$in_sum" ]]
}

# tcp_is BYTES TEXT: the test of that
tcp_is() {
	if tcp_whole "$1"; then
		ok "$2"
	else
		not_ok "$2"
		diag "from the guest: '$out_sum' sent, '$out_got' received; to the guest: '$in_sum', '$in_got'"
	fi
}

# same_sum A B TEXT: two results (JSON) with the same checksum, and there is one.
same_sum() {
	local a b
	a=$(json '.checksum // empty' <<<"$1")
	b=$(json '.checksum // empty' <<<"$2")
	if [[ $a =~ ^[0-9a-f]{16}$ && $a = "$b" ]]; then ok "$3"; else
		not_ok "$3"
		diag "sent '$a', received '$b'"
	fi
}
