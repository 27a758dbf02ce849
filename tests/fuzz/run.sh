#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - every fuzzer for FUZZ_SECONDS (60), FUZZ_JOBS (2) at a time, from the seeds in corpus/ (TAP).
#
#   tests/fuzz/run.sh [NAME]...      without _fuzz; all of them without arguments
#
# What makes a fuzzer fail is printed, in base64, and kept in FUZZ_ARTIFACTS if that is set. To see
# it again: echo BASE64 | base64 -d >input && build/fuzz/NAME_fuzz input

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
FUZZ_SECONDS=${FUZZ_SECONDS:-${fuzz_seconds:-60}} # tests/run says it in small letters
FUZZ_JOBS=${FUZZ_JOBS:-2}
. "$ROOT/tests/lib/tap.sh"

NAMES=("$@")
if [ ${#NAMES[@]} -eq 0 ]; then
	for source in "$ROOT"/tests/fuzz/*_fuzz.c; do
		source=${source##*/}
		NAMES+=("${source%_fuzz.c}")
	done
fi
plan ${#NAMES[@]}
if ! made=$(make -C "$ROOT" -j"$(nproc)" fuzzers 2>&1); then
	bail "the fuzzers cannot be built: $(tail -n 5 <<<"$made")"
fi

DIR=$(mktemp -d "${TMPDIR:-/tmp}/vxfuzz.XXXXXX")
end() {
	local status=$? pids
	trap - EXIT TERM INT HUP
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # one word each
	[ -n "$pids" ] && kill $pids 2>/dev/null
	rm -rf "$DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "$TAP_PLAN" ] || status=1
	exit $status
}
trap end EXIT
trap 'exit 143' TERM INT HUP

# fuzz NAME: in a directory of its own; its exit status goes to a file.
fuzz() {
	local name=$1 dir=$DIR/$1 seeds=$ROOT/tests/fuzz/corpus/$1_fuzz dictionary=$ROOT/tests/fuzz/$1.dict
	local options=(-max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1
		-artifact_prefix="$dir/artifact-")
	mkdir -p "$dir/corpus" "$dir/tmp"
	[ -e "$dictionary" ] && options+=(-dict="$dictionary")
	[ -d "$seeds" ] || seeds=
	cd "$dir" || return
	TMPDIR=$dir/tmp timeout -k 5 $((FUZZ_SECONDS + 120)) "$ROOT/build/fuzz/${name}_fuzz" "${options[@]}" \
		corpus ${seeds:+"$seeds"} >log 2>&1
	echo $? >status
}

# report NAME
report() {
	local name=$1 dir=$DIR/$1 artifact executions coverage
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/log")
	coverage=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$dir/log" | tail -n 1)
	if [ "$(cat "$dir/status" 2>/dev/null)" = 0 ] && [ "${executions:-0}" -gt 0 ]; then
		ok "$name: ${executions} inputs, ${coverage} edges"
		return
	fi
	not_ok "$name: ${executions:-?} inputs, status $(cat "$dir/status" 2>/dev/null)"
	diag "$(grep -a -A 30 'ERROR\|runtime error\|Assertion' "$dir/log" | head -n 45)"
	for artifact in "$dir"/artifact-*; do
		[ -e "$artifact" ] || continue
		diag "${artifact##*/}: $(base64 -w 0 "$artifact" | head -c 8000)"
		[ -n "${FUZZ_ARTIFACTS:-}" ] && mkdir -p "$FUZZ_ARTIFACTS" &&
			cp "$artifact" "$FUZZ_ARTIFACTS/$name-${artifact##*/}"
	done
}

for name in "${NAMES[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$FUZZ_JOBS" ]; do sleep 0.5; done
	fuzz "$name" &
done
wait
for name in "${NAMES[@]}"; do report "$name"; done
