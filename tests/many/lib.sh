# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - vxdp with many guests, all of which are one program (many.c)

# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testpmd/lib.sh"
# shellcheck source=tests/lib/first.sh
. "$top/tests/lib/first.sh"
many=$top/build/tests/many/many

# many_init NAME: the wire, and the host's address on it
many_init() {
	test_init "$1"
	[ -x "$many" ] || skip_all "$many is not built (make tests)"
	wire_queues 1
	on_wire ethtool -K g0 gro on 2>/dev/null
	host_mac=$(ip -n "$ns_host" -j link show v0 | jq -r '.[0].address')
}

# many_start N OPTIONS...: vxdp with N ports, vm0 to vmN-1
many_start() {
	local n=$1 i
	shift
	vx_start "$tmp/vm0.sock" --role server "$@" || return 1
	for ((i = 1; i < n; i++)); do
		on_host "$VXDP" attach v0 --vm "$tmp/vm$i.sock" --name "vm$i" --role server \
			>>"$tmp/attach.log" 2>&1 || { sed 's/^/# /' "$tmp/attach.log"; return 1; }
	done
}

# many_run SECONDS MODE N OPTIONS...: sets $result, the JSON it printed
many_run() {
	local limit=$1 mode=$2 n=$3
	shift 3
	result=$(timeout -k 5 "$limit" "${first[@]}" "$many" "$mode" --guests "$n" --sockets "$tmp/vm%u.sock" \
		--wire "$ns_wire:g0" --host "$ns_host:v0" --host-mac "$host_mac" "$@" 2>"$tmp/many.err")
}

# many_test NAME "RUN" CONDITION...: the run, then the conditions: jq, over what it printed
many_test() {
	local name=$1 problems='' condition
	local -a run
	read -ra run <<<"$2"
	shift 2
	many_run "${run[@]}" || problems="failed: $(cat "$tmp/many.err")"
	for condition; do
		json_holds "$condition" <<<"$result" >/dev/null 2>&1 ||
			problems+=" does not hold: $condition"
	done
	if [ -z "$problems" ]; then
		ok "$name"
	else
		not_ok "$name"
		note "$problems"
		tail -n 5 "$tmp/vxdp.log" | sed 's/^/# vxdp: /'
	fi
	note "$result"
}
