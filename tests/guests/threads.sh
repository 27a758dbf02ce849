#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# threads.sh - two workers under ThreadSanitizer, while guests come and go, send to each other, stop
# their rings and are asked about: it has nothing to say, and no frame is wrong.
set -u
# shellcheck source=tests/guests/lib.sh
. "$(dirname "$0")/lib.sh"

ROUNDS=${ROUNDS:-2}

VXDP=$top/build/san-thread/vxdp
make -s -C "$top" SAN=thread "${VXDP#"$top"/}" >/dev/null 2>&1 ||
	skip_all "the compiler makes no ThreadSanitizer programs"
[ "$(nproc)" -gt 1 ] || skip_all "there is one CPU"

# ask: status, statistics and the FDB, again and again
ask() {
	while on_host "$VXDP" status v0 -j && on_host "$VXDP" stats v0 -j; do
		on_host "$VXDP" fdb flush v0
		sleep 0.05
	done >/dev/null 2>&1
}

# streams NAME A B ARGS...: guests on vmA and vmB, which send to each other
streams() {
	local name=$1 a=$2 b=$3
	shift 3
	timeout -k 5 100 "$guests" --guest "$tmp/vm$a.sock" --guest "$tmp/vm$b.sock,packed" --stream 0:1:64 \
		--stream 1:0:1000 --count 15000 "$@" >"$tmp/$name.json" 2>"$tmp/$name.err"
}

test_init vxthreads
guests_there
export TSAN_OPTIONS="log_path=$tmp/report exitcode=0"
ports_start 4 --cpus 0,1 || { not_ok "vxdp starts"; done_testing; exit 1; }
ask &
asker=$!
for ((round = 1; round <= ROUNDS; round++)); do
	streams one 0 1 --blink 1 &
	one=$!
	streams two 2 3 --leave 1 &
	two=$!
	wait $one $two
	if json_holds -s "length == 2 and all(.[]; $clean)" "$tmp/one.json" "$tmp/two.json" >/dev/null; then
		ok "round $round: nothing wrong arrives"
	else
		not_ok "round $round: nothing wrong arrives"
		cat "$tmp"/{one,two}.{json,err} | sed 's/^/# /'
	fi
done
kill $asker
wait $asker 2>/dev/null
vx_stop
if compgen -G "$tmp/report.*" >/dev/null; then
	not_ok "ThreadSanitizer has nothing to say"
	cat "$tmp"/report.* | head -n 60 | sed 's/^/# /'
else
	ok "ThreadSanitizer has nothing to say"
fi
done_testing
