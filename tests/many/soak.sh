#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# soak.sh - guests that sleep and wake up, come and go, served by two workers that do so too: is
# every request answered, and soon?
#
# An hour of traffic that starts and stops ten times a second has 36 000 wake-ups: that many each of
# two runs has, however long it takes, seconds mostly. The workers, whose sleeps are counted too,
# serve six guests each time they are woken: half as many are asked for.
#
#   WAKES=36000       how often guests are woken by an interrupt, in each run
#   SECONDS_EACH=150  how long a run may take
#   SAN=thread        under ThreadSanitizer, if that is built: make SAN=thread
set -u
# shellcheck source=tests/many/lib.sh
. "$(dirname "$0")/lib.sh"

WAKES=${WAKES:-36000}
SECONDS_EACH=${SECONDS_EACH:-150}
[ -z "${SAN:-}" ] || VXDP=$top/build/san-$SAN/vxdp
many_init vxsoak
[ "$(nproc)" -ge 2 ] || skip_all "needs two CPUs"
export TSAN_OPTIONS="halt_on_error=0 exitcode=66 log_path=$tmp/tsan ${TSAN_OPTIONS:-}"

many_start 6 --cpus 0,1 || { not_ok "vxdp starts with two workers"; done_testing; exit 1; }
worker_sleeps() { on_host "$VXDP" status v0 -j | jq '[.workers[].sleeps] | add'; }
sleeps=$(worker_sleeps)
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	many_test "$ring: each request is answered, while guests come and go" \
		"$((SECONDS_EACH + 60)) soak 6 --wakes $WAKES --ms $((SECONDS_EACH * 1000)) --seed ${SEED:-1} $option" \
		'.lost == 0 and .left > 0' ".woken >= $WAKES"
done
sleeps=$(($(worker_sleeps) - sleeps))
if [ $((sleeps * 2)) -ge "$WAKES" ]; then
	ok "the workers fell asleep $sleeps times, and woke up in time"
else
	not_ok "the workers fell asleep $sleeps times only"
fi
vx_stop
if [ -n "${SAN:-}" ]; then
	if compgen -G "$tmp/tsan*" >/dev/null; then
		not_ok "no data race"
		head -n 60 "$tmp"/tsan* | sed 's/^/# /'
	else
		ok "no data race"
	fi
fi
done_testing
