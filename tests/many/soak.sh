#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# soak.sh - guests that sleep and wake up, come and go, served by two workers that do so too: is
# every request answered, and soon?
#
#   SECONDS_EACH=12   how long each of two runs takes
#   SAN=thread        under ThreadSanitizer, if that is built: make SAN=thread
set -u
# shellcheck source=tests/many/lib.sh
. "$(dirname "$0")/lib.sh"

SECONDS_EACH=${SECONDS_EACH:-12}
[ -z "${SAN:-}" ] || VXDP=$top/build/san-$SAN/vxdp
many_init vxsoak
[ "$(nproc)" -ge 2 ] || skip_all "needs two CPUs"
export TSAN_OPTIONS="halt_on_error=0 exitcode=66 log_path=$tmp/tsan ${TSAN_OPTIONS:-}"

many_start 6 --cpus 0,1 || { not_ok "vxdp starts with two workers"; done_testing; exit 1; }
for ring in split packed; do
	option=
	[ $ring = split ] || option=--packed
	many_test "$ring: each request is answered, while guests come and go" \
		"$((SECONDS_EACH + 60)) soak 6 --ms $((SECONDS_EACH * 1000)) --seed ${SEED:-1} $option" \
		'.lost == 0 and .rounds > 50 and .left > 0'
done
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
