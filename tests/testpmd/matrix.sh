#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# matrix.sh - testpmd's virtio-user port as the guest, in every ring layout that it has.
#
# One TAP line per combination of lane, queue pairs, ring layout and ring size; vxdp's socket role
# and the guest's page size alternate. In each, frames with a number and a pattern go to the guest
# and back (no loss, no double, no wrong byte, no reordering within a flow), then as many as the
# wire carries go to the guest, then the guest sends as fast as it can: every frame that did not
# arrive must be one that was counted as dropped.
#
#   matrix.sh [PATTERN]    only the combinations whose name matches
set -u
# shellcheck source=tests/testpmd/lib.sh
. "$(dirname "$0")/lib.sh"

only=${1:-}
n_echo=2000
n_burst=20000

# ring mrg_rxbuf in_order vectorized: what testpmd is asked for
layouts() {
	cat <<-'END'
	split  1 0 0
	split  0 0 0
	split  0 0 1
	split  1 1 0
	split  0 1 0
	packed 1 0 0
	packed 0 0 0
	packed 1 1 0
	packed 0 1 0
	packed 0 1 1
	packed 1 1 1
	END
}

# The receive and transmit functions that testpmd must say it uses. The direct lane completes
# buffers in any order, so a port that may use it does not offer IN_ORDER, and what depends on it
# falls back.
expected_path() {
	local lane=$1 ring=$2 mrg=$3 ino=$4 vec=$5 rx=standard tx=standard
	[ "$lane" = kernel ] || ino=0
	case $ring in
	split)
		[ "$vec" = 0 ] || rx=vectorized
		[ "$mrg" = 0 ] || rx='mergeable buffer'
		[ "$ino" = 0 ] || { rx=inorder tx=inorder; }
		;;
	packed)
		[ "$ino$vec" != 11 ] || ! grep -q avx512vl /proc/cpuinfo || {
			rx=vectorized tx=vectorized
		}
		[ "$mrg" = 0 ] || rx='mergeable buffer'
		;;
	esac
	echo "$rx Rx, $tx Tx"
}

# Not on the direct lane: in-order asked for beyond one row each, for it is not offered there; and
# DPDK's vectorised receive function for split rings, which takes used entries to come in the order
# of the available ones whether or not IN_ORDER was negotiated.
row_wanted() {
	local lane=$1 ring=$2 mrg=$3 ino=$4 vec=$5 size=$6
	[ "$ring-$size" != split-255 ] || return 1
	[ "$lane" = direct ] || return 0
	[ "$ring-$vec" != split-1 ] && { [ "$ino" = 0 ] || [ "$mrg-$size" = 1-256 ]; }
}

table() {
	local lane pairs ring mrg ino vec size n=0 roles=(server client) memories=(4k 2m)
	for lane in kernel direct; do
		for pairs in 1 2 4; do
			while read -r ring mrg ino vec; do
				for size in 255 256 1024; do
					row_wanted "$lane" "$ring" "$mrg" "$ino" "$vec" "$size" || continue
					echo "$lane $pairs ${roles[n / 2 % 2]} ${memories[n % 2]}" \
						"$ring $mrg $ino $vec $size"
					n=$((n + 1))
				done
			done < <(layouts)
		done
	done | sort -s -k1,1r -k2,2n -k3,3r
}

bad() { problems+=("$*"); }

guest_start() {
	local packed=0 server=0 vdev
	local -a eal=(-m 128 --no-huge)
	[ "$memory" = 4k ] || eal=(-m 128 --huge-dir "$tmp/huge" --single-file-segments)
	[ "$ring" = split ] || packed=1
	[ "$role" = server ] || server=1
	vdev="net_virtio_user0,path=$tmp/vm.sock,mac=$guest_mac,queues=$pairs,server=$server"
	vdev+=",queue_size=$size,packed_vq=$packed,mrg_rxbuf=$mrg,in_order=$ino,vectorized=$vec"
	testpmd_start guest "${eal[@]}" --lcores 0@0,1@1 --force-max-simd-bitwidth=512 \
		--log-level=pmd.net.virtio*:info --vdev "$vdev" -- -i --nb-cores=1 \
		--total-num-mbufs=16384 --rxq="$pairs" --txq="$pairs" --rxd="$size" --txd="$size" \
		--eth-peer=0,$wire_mac
}

# check_balance CONDITION...: with what is in $tmp/wire.json and what the guest says now. Frames and
# counters may be on their way still: it has three seconds to come out even.
check_balance() {
	local -a args=(--arg lane "$lane")
	until_true 3 balanced "$@" || while IFS= read -r line; do bad "$line"; done <<<"$lines"
}

balanced() {
	testpmd_say guest "show fwd stats all" "Accumulated"
	snapshot after
	lines=$(balance "$(cat "$tmp/wire.json")" "$(testpmd_counts guest)" "$@" 2>&1)
	[ -z "$lines" ]
}

on_wire_tell() { on_wire "$wire" "$1" g0 --src $wire_mac --dst $guest_mac --flows 16 "${@:2}"; }

phase_echo() {
	testpmd_say guest 'set fwd macswap'
	testpmd_say guest start
	on_wire_tell prime --size 60 --timeout 10000 || { bad "nothing came back"; return 1; }
	testpmd_say guest 'clear fwd stats all'
	snapshot before
	on_wire_tell echo --count $n_echo >"$tmp/wire.json"
	check_balance '$wire.received == $wire.sent and $wire.corrupt + $wire.duplicate == 0' \
		'$guest.rx == $wire.sent and $guest.tx == $wire.sent' \
		'$wire.reordered == 0' \
		'$vx["rx_" + $lane] == $wire.sent and $vx["tx_" + $lane] == $wire.sent' \
		'$vx.rx_bounced + $vx.tx_bounced + $vx.rx_drops + $vx.tx_drops == 0'
	testpmd_say guest stop Done
}

phase_to_guest() {
	testpmd_say guest 'set fwd rxonly'
	testpmd_say guest start
	snapshot before
	on_wire_tell send --count $n_burst >"$tmp/wire.json"
	check_balance '$guest.rx > 0 and $wire.sent == $guest.rx + $vx.rx_drops + $lost.to_guest'
	testpmd_say guest stop Done
}

phase_from_guest() {
	local counter
	testpmd_say guest 'set fwd txonly'
	snapshot before
	: >"$tmp/count.err"
	nsenter --net="/run/netns/$ns_wire" "$wire" count g0 --src $guest_mac >"$tmp/wire.json" \
		2>"$tmp/count.err" &
	counter=$!
	until_true 2 grep -q counting "$tmp/count.err"
	testpmd_say guest start
	sleep 0.1
	testpmd_say guest stop Done
	kill -TERM $counter
	wait $counter
	check_balance '$guest.tx > 0 and $guest.tx == $wire.received + $vx.tx_drops + $lost.from_guest'
}

# What vxdp says about the port must be what the guest asked for.
check_status() {
	on_host "$VXDP" status v0 -j | json_holds --arg ring "$ring" --arg lane "$lane" \
		--arg role "$role" --argjson pairs "$pairs" --argjson size "$size" \
		--argjson mrg "$mrg" --argjson ino "$((lane_kernel & ino))" '
		.ports[] | select(.name == "vm0") |
		.state == "running" and .ring == $ring and .lane == $lane and .role == $role and
		(.queues | length) == $pairs and all(.queues[]; .rx_size == $size and
			.tx_size == $size) and
		(.features | (any(. == "MRG_RXBUF") | if . then 1 else 0 end) == $mrg and
			(any(. == "IN_ORDER") | if . then 1 else 0 end) == $ino)' >/dev/null ||
		bad "status: $(on_host "$VXDP" status v0 -j | jq -c '.ports[] | del(.memory)')"
}

check_path() {
	local said
	said=$(grep -o 'using .* path' "$tmp/guest.log" | sed 's/^using //;s/ path$//;s/packed ring //' |
		sort -r | uniq | paste -sd'|' | sed 's/|/, /')
	said=$(awk -F', ' '{ print ($1 ~ /Rx/ ? $1 ", " $2 : $2 ", " $1) }' <<<"$said")
	[ "$said" = "$(expected_path "$lane" "$ring" "$mrg" "$ino" "$vec")" ] ||
		bad "testpmd used: $said"
}

run_row() {
	local lane_kernel=0 lines
	[ "$lane" != kernel ] || lane_kernel=1
	guest_start || {
		bad "testpmd did not start: $(tail -n 3 "$tmp/guest.log" | paste -sd' ')"
		testpmd_stop guest
		return
	}
	check_path
	phase_echo && check_status && phase_to_guest && phase_from_guest
	kill -0 "$vx_pid" 2>/dev/null || bad "vxdp is gone: $(tail -n 3 "$tmp/vxdp.log")"
	testpmd_stop guest
}

# One vxdp serves all rows of a group: its port must come back by itself each time.
group_start() {
	vx_stop
	rm -f "$tmp/vm.sock"
	wire_queues "$pairs" && vx_start "$tmp/vm.sock" --lane "$lane" --role "$role" --queues "$pairs"
}

test_init vxmatrix dpdk-testpmd
huge_ok=1
hugepages 80 || huge_ok=0
group=
while read -r lane pairs role memory ring mrg ino vec size; do
	name="$lane lane, $pairs pair(s), $role, $memory pages, $ring mrg=$mrg in_order=$ino"
	name+=" vec=$vec size=$size"
	[[ $name =~ $only ]] || continue
	if [ "$memory$huge_ok" = 2m0 ]; then
		skip "$name" "no hugepages to be had"
		continue
	fi
	problems=()
	if [ "$lane $pairs $role" != "$group" ]; then
		group="$lane $pairs $role"
		group_start || { bad "vxdp did not start"; group=; }
	fi
	[ ${#problems[@]} -gt 0 ] || run_row
	if [ ${#problems[@]} -eq 0 ]; then
		ok "$name"
	else
		not_ok "$name"
		printf '# %s\n' "${problems[@]}"
	fi
done < <(table)
done_testing
