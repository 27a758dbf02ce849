# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# env.sh - what the scripts here start with: TAP, time limit, and (cli_begin) a NIC on a wire with
# a runtime directory and a BPF file system of its own.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ -z "${CLI_BOUNDED:-}" ]; then
	CLI_BOUNDED=1 exec timeout -k 10 "${CLI_TIMEOUT:-120}" bash "$0" "$@"
fi
unset CLI_BOUNDED

. "$ROOT/tests/lib/tap.sh"
. "$ROOT/tests/lib/net.sh"

VXDP=${VXDP:-$ROOT/build/vxdp}
SCHEMA=$ROOT/tests/cli/schema
VXDP_PID=

# cli_begin [OPTIONS OF net_up]...
cli_begin() {
	LAB_ID=vxcli$$
	DIR=$(mktemp -d "${TMPDIR:-/tmp}/vxcli.XXXXXX")
	trap cli_end EXIT
	trap 'exit 143' TERM INT HUP
	mkdir "$DIR/run" "$DIR/bpf"
	export VXDP_RUNDIR=$DIR/run VXDP_BPFFS=$DIR/bpf
	[ "${1:-}" = nonet ] && return
	mount -t bpf bpf "$DIR/bpf" || bail "cannot mount a BPF file system"
	net_up "$@" || bail "the wire cannot be made"
}

cli_end() {
	local status=$? ns pid
	trap - EXIT TERM INT HUP
	# Only what this script started: its jobs, and what runs in its own namespaces.
	for pid in $(jobs -p); do
		disown "$pid"
		kill -KILL "$pid"
	done 2>/dev/null
	for ns in "${NETS[@]}"; do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
	done
	[ "$TAP_FAILED" -eq 0 ] || [ ! -s "$DIR/log" ] || diag "vxdp said:" "$(tail -n 20 "$DIR/log")"
	net_down
	umount "$DIR/bpf" 2>/dev/null
	rm -rf "$DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "${TAP_PLAN:-0}" ] || status=1
	exit $status
}

vxdp() { on_host "$VXDP" "$@"; }

# A process answers; status of a killed one comes from its maps.
answers() { vxdp -j status eth0 | json_holds '.pid > 0'; }

# start OPTIONS...: vxdp attach eth0 in the background, until it answers.
start() {
	# Not by a function, which would be a shell around it.
	nsenter --net="/run/netns/$NS_HOST" "$VXDP" attach eth0 "$@" </dev/null >>"$DIR/log" 2>&1 &
	VXDP_PID=$!
	eventually 15 answers || bail "vxdp does not come up: $(tail -n 3 "$DIR/log")"
}

# finish SIGNAL: its exit status.
finish() {
	kill -"$1" "$VXDP_PID"
	wait "$VXDP_PID" 2>/dev/null
}

# exits STATUS TEXT COMMAND...
exits() {
	local wanted=$1 text=$2 got
	shift 2
	OUT=$("$@" 2>"$DIR/err")
	got=$?
	ERR=$(<"$DIR/err")
	is "$got" "$wanted" "$text"
	[ "$got" = "$wanted" ] || diag "$* said: $OUT $ERR"
}

# fits SCHEMA TEXT: the JSON in $OUT is what the schema describes.
fits() { check "$2" json_holds -L "$SCHEMA" "include \"shape\"; $1" <<<"$OUT"; }
