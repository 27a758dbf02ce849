# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# tapbench.sh - the measurements of tests/bench/taps in a machine that counts instructions
# (LAB_COUNT=1), where the openvswitch module is. Not a test: it says whether all were made.

part_tapbench() {
	local wanted
	/lab/taps_run --blocks 1 --frames 5120 --bytes 40000000 >$WORK/taps.jsonl 2>$WORK/taps.err
	cat $WORK/taps.jsonl
	[ ! -s $WORK/taps.err ] || diag "$(cat $WORK/taps.err)"
	wanted=$(jq -s '[.[] | select(.switch != "none")] | length >= 35 and all(.frames == .delivered)' $WORK/taps.jsonl)
	is "$wanted" true "five switches, seven measurements; no frame lost"
}
