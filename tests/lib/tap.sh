# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# tap.sh - Test Anything Protocol for shell tests. A script says plan N, then N times one of ok,
# not_ok, skip, is, cmp_ok or check. Diagnostics start with "# ".

# shellcheck source=tests/lib/json.sh
. "$(dirname "${BASH_SOURCE[0]}")/json.sh"

TAP_N=0
TAP_FAILED=0

plan() { echo "1..$1"; TAP_PLAN=$1; }

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

ok() { TAP_N=$((TAP_N + 1)); echo "ok $TAP_N - $*"; }

not_ok() { TAP_N=$((TAP_N + 1)); TAP_FAILED=$((TAP_FAILED + 1)); echo "not ok $TAP_N - $*"; }

# skip REASON TEXT
skip() { TAP_N=$((TAP_N + 1)); echo "ok $TAP_N - $2 # SKIP $1"; }

# skip_rest REASON: all that is left of the plan, and the end.
skip_rest() {
	while [ "$TAP_N" -lt "$TAP_PLAN" ]; do skip "$1" "not run"; done
	exit 0
}

# bail TEXT: what follows cannot run. The plan stays unfulfilled, which counts as failed too.
bail() {
	not_ok "$*"
	exit 1
}

# is GOT WANTED TEXT
is() {
	if [ "$1" = "$2" ]; then ok "$3"; else
		not_ok "$3"
		diag "got:    '$1'" "wanted: '$2'"
	fi
}

# cmp_ok A OP B TEXT: arithmetic comparison, decimal fractions too; OP is one of < <= == != >= >
cmp_ok() {
	if awk -v a="$1" -v b="$3" "BEGIN { exit !(a != \"\" && b != \"\" && a + 0 $2 b + 0) }"; then ok "$4 ($1 $2 $3)"; else
		not_ok "$4"
		diag "'$1' is not $2 '$3'"
	fi
}

# check TEXT COMMAND...: the command succeeds; what it prints is shown when it does not.
check() {
	local text=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$text"; else
		not_ok "$text"
		diag "$* failed with:" "$(printf '%s' "$out" | tail -n 15)"
	fi
}

# eventually SECONDS COMMAND...: tries again until it succeeds or the time is over.
eventually() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -ge $end ] && return 1
		sleep 0.2
	done
}

# json FILTER: the value from standard input, "null" when it is not there.
json() { jq -r "$1" 2>/dev/null || echo null; }
