#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# frontend.sh - the front end of these tests is itself tested against a back end that is not ours:
# testpmd with net_vhost, one port in io mode, which sends every frame back.

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${BOUNDED:-}" ]; then
	BOUNDED=1 exec timeout -k 10 120 bash "$0" "$@"
fi
. "$ROOT/tests/lib/tap.sh"

GUEST=$ROOT/build/tests/hostile/guest
LAYOUTS=(
	"" "--packed" "--no-kick" "--pairs 2" "--pairs 2 --packed" "--no-event-idx"
	"--in-order" "--in-order --packed" "--packed --ring 255" "--ring 4" "--ring 4 --packed"
	"--no-ack --no-event-idx --packed" "--no-indirect --one-file" "--rx-parts 2"
	"--rx-parts 5 --packed" "--restarts 3" "--restarts 3 --packed" "--reconnects 3"
	"--window 256 --no-event-idx"
)

DIR=$(mktemp -d "${TMPDIR:-/tmp}/vxfe.XXXXXX")
NS=vxfe$$
TESTPMD_PID=

end() {
	local status=$?
	trap - EXIT TERM INT HUP
	[ -n "$TESTPMD_PID" ] && kill "$TESTPMD_PID" 2>/dev/null && wait "$TESTPMD_PID" 2>/dev/null
	ip netns del "$NS" 2>/dev/null
	rm -rf "$DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "$TAP_PLAN" ] || status=1
	exit $status
}
trap end EXIT
trap 'exit 143' TERM INT HUP

plan $((${#LAYOUTS[@]} + 1))
command -v dpdk-testpmd >/dev/null || skip_rest "no dpdk-testpmd here"
ip netns add "$NS" || bail "no network namespace"

mkfifo "$DIR/commands"
exec 3<>"$DIR/commands" # testpmd ends when its standard input does
nsenter --net="/run/netns/$NS" -- dpdk-testpmd --no-huge -m 192 --no-pci -l 0,1 \
	--file-prefix="$NS" --vdev "net_vhost0,iface=$DIR/sock,queues=2" -- \
	-i --forward-mode=io --auto-start --rxq=2 --txq=2 --total-num-mbufs=4096 --nb-cores=1 \
	<&3 >"$DIR/log" 2>&1 &
TESTPMD_PID=$!
eventually 30 grep -q 'io packet forwarding' "$DIR/log" || bail "testpmd: $(tail -n 3 "$DIR/log")"

for layout in "${LAYOUTS[@]}"; do
	# shellcheck disable=SC2086 # options are words
	check "every frame comes back${layout:+ with $layout}" \
		"$GUEST" --socket "$DIR/sock" --frames 500 --timeout 10 $layout
done

# What the front end must notice: without MRG_RXBUF num_buffers is 1 (virtio 1.2, 5.1.6.4.1), and
# this testpmd leaves it 0.
if "$GUEST" --socket "$DIR/sock" --frames 32 --timeout 2 --no-mrg 2>&1 | grep -q 'num_buffers is 0'; then
	ok "a back end that breaks a rule is caught"
else
	skip "this testpmd sets num_buffers" "a back end that breaks a rule is caught"
fi
