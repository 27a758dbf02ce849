# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# tapbench.sh - the measurements of tests/bench/taps in a machine that counts instructions
# (LAB_COUNT=1), where the openvswitch module is. Not tests: they say whether all were made.

# bench_says CONDITION TEXT: is what was measured all?
bench_says() {
	[ ! -s $WORK/taps.err ] || diag "$(cat $WORK/taps.err)"
	is "$(jq -s "$1" $WORK/taps.jsonl)" true "$2"
}

part_tapbench() {
	/lab/taps_run --blocks 1 --frames 5120 --bytes 40000000 2>$WORK/taps.err | tee $WORK/taps.jsonl
	bench_says '[.[] | select(.switch != "none")] | length >= 42 and all(.frames == .delivered)' \
		"six switches, seven measurements; no frame lost"
}

# With cards rather than a veth.
part_cardbench() {
	local card
	rm -f $WORK/taps.err
	for card in igb virt; do
		/lab/taps_run --blocks 3 --bytes 40000000 --nic ${card}0 --far w-$card:wire0 \
			--switches "vxdp vxdp_tc bridge bridge_xdp ovs" 2>>$WORK/taps.err
	done | tee $WORK/taps.jsonl
	bench_says 'length >= 30' "two cards, five switches, three times each"
}
