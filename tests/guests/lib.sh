# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - for the tests whose guests are guests.c: vxdp with several ports, and what it must have
# counted. Source it, then call test_init NAME.

# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testpmd/lib.sh"
# shellcheck source=tests/lib/first.sh
. "$top/tests/lib/first.sh"

guests=$top/build/tests/guests/guests
kicks=$top/build/tests/guests/kicks

guests_there() { [ -x "$guests" ] || skip_all "$guests is not built (make tests)"; }

# ports_start N ARGS...: vxdp with N ports vm0, vm1...
ports_start() {
	local n=$1 i
	shift
	wire_queues 1 && vx_start "$tmp/vm0.sock" --role server "$@" || return 1
	for ((i = 1; i < n; i++)); do
		on_host "$VXDP" attach v0 --vm "$tmp/vm$i.sock" --name "vm$i" --role server \
			>>"$tmp/vxdp.log" 2>&1 || return 1
	done
}

keep_stats() { on_host "$VXDP" stats v0 -j >"$tmp/$1.json"; }

# Everything the ports counted since keep_stats before, by lane and reason, over all of them.
sums='def sums: [.ports[] | select(.queues) | .queues[] | {
		rx_guest: .rx.guest.packets, tx_guest: .tx.guest.packets, tx_kernel: .tx.kernel.packets,
		rx_kernel: .rx.kernel.packets, rx_drops: ([.rx.drops[].packets] | add),
		tx_drops: ([.tx.drops[].packets] | add)}] |
	reduce .[] as $q ({}; reduce ($q | keys[]) as $k (.; .[$k] += $q[$k]));'

# expect NAME CONDITION...: jq, over . (what guests printed) and $vx (what vxdp counted)
expect() {
	local name=$1 condition problems=''
	shift
	keep_stats after
	for condition; do
		json_holds --slurpfile a "$tmp/before.json" --slurpfile b "$tmp/after.json" "$sums"'
			($a[0] | sums) as $a | ($b[0] | sums | with_entries(.value -= ($a[.key] // 0))) as $vx |
			('"$condition"')' "$tmp/guests.json" >/dev/null || problems+="does not hold: $condition"$'\n'
	done
	[ -s "$tmp/guests.err" ] && problems+=$(cat "$tmp/guests.err")
	is_gone "$vx_pid" && problems+=$'vxdp has died\n'
	if [ -z "$problems" ]; then
		ok "$name"
		return
	fi
	not_ok "$name"
	{ echo "$problems"; jq -c . "$tmp/guests.json"; jq -c "$sums sums" "$tmp/before.json" "$tmp/after.json"
	tail -n 5 "$tmp/vxdp.log"; } | sed 's/^/# /'
}

# run_guests OPTIONS... -- ARGS...: the options of vm0, vm1...: "" for none
run_guests() {
	local -a command=("$guests")
	local i=0
	keep_stats before
	for (( ; $# > 0; i++)); do
		[ "$1" = -- ] && break
		command+=(--guest "$tmp/vm$i.sock${1:+,$1}")
		shift
	done
	shift
	timeout -k 5 60 "${command[@]}" "$@" >"$tmp/guests.json" 2>"$tmp/guests.err"
}

# shellcheck disable=SC2034 # for who sources this
whole='all(.streams[]; .received == .sent and .received_bytes == .sent_bytes)'
# A guest that gets no CPU for a tenth of a second loses frames; a lost wake-up loses a run.
# shellcheck disable=SC2034
most='all(.streams[]; .received >= .sent * 0.9)'
# shellcheck disable=SC2034
clean='all(.streams[]; .reordered + .corrupt + .bad_sum == 0) and .bad == ""'
# shellcheck disable=SC2034
in_lane='$vx.tx_guest >= ([.streams[].sent] | add)'
# shellcheck disable=SC2034
both_ways=(--stream 0:1:64 --stream 1:0:1514)
