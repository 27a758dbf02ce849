# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# holds.sh - to be sourced: what a run of guests printed, and what vxdp counted meanwhile, against what
# it should be.
# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../testpmd/lib.sh"

# stats before|after
stats() { on_host "$VXDP" stats v0 -j >"$tmp/$1.stats"; }

# holds NAME CONDITION...: jq, over what the guests printed ($guests, or $flows and $stray), and $vx
# and $uplink: what was counted between before and after, for each port by its name, all queues
# together, and for the first wire. Of the caller: guest_status, and problem, if there was another.
holds() {
	local name=$1 condition list='' problems
	shift
	for condition; do
		list+="(if $condition then empty else $(jq -n --arg c "$condition" '$c') end),"
	done
	problems=$(jq -rn --slurpfile g "$tmp/guest.json" --slurpfile s0 "$tmp/before.stats" \
		--slurpfile s1 "$tmp/after.stats" '
		def total: [.[] | .packets] | add // 0;
		def drops(p): with_entries(select(.key | startswith(p))) | total;
		def sum(f): [.queues[]? | f] | add // 0;
		def lanes(d): [d | (.direct, .shared, .kernel, .bounced) | .packets] | add;
		def ports: .ports | map({(.name): {
			rx: sum(lanes(.rx)), tx: sum(lanes(.tx)),
			rx_shared: sum(.rx.shared.packets), tx_shared: sum(.tx.shared.packets),
			rx_direct: sum(.rx.direct.packets), tx_direct: sum(.tx.direct.packets),
			rx_kernel: sum(.rx.kernel.packets), tx_kernel: sum(.tx.kernel.packets),
			rx_drops: (sum(.rx.drops | total) + (.verdicts | drops("drop_rx_"))),
			queue_drops: sum(.rx.drops | total), tx_drops: sum(.tx.drops | total),
			all_drops: (.verdicts | drops("drop_")),
			to_direct: .verdicts.to_direct.packets, to_shared: .verdicts.to_shared.packets}}) | add;
		def minus($b): with_entries(.value = (.key as $k | .value | with_entries(.value -= ($b[$k][.key] // 0))));
		($s1[0] | ports | minus($s0[0] | ports)) as $vx | $vx.uplink as $uplink |
		$g[0].guests as $guests | $g[0].flows as $flows | $g[0].stray as $stray |
		['"${list%,}"'] | select(length > 0) | (.[] | "does not hold: " + .), ($g[0] + {$vx} | tojson)' 2>&1)
	[ "$guest_status" -eq 0 ] || problems+=$'\n'$(cat "$tmp/guest.err" "$tmp/guest.json")
	[ -z "${problem:-}" ] || problems+=$'\n'$problem
	problem=
	if [ -z "$problems" ]; then
		ok "$name"
	else
		not_ok "$name"
		sed 's/^/# /' <<<"$problems"
		tail -n 25 "$tmp/vxdp.log" | sed 's/^/# vxdp: /'
	fi
}
