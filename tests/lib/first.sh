# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# first.sh - vxdp and its guests before everything else on this machine, for tests of what only the
# two of them have to do with: beside other load one of them loses its CPU for longer than a ring
# lasts. To be sourced by those who have $vx_pid and note().

first=()

# run_first on|off: vxdp from now on, and what is started by "${first[@]}"
run_first() {
	first=()
	if [ "$1" = off ]; then
		chrt -a -o -p 0 "$vx_pid" >/dev/null
	elif [ "$(nproc)" -ge 2 ] && chrt -a -f -p 1 "$vx_pid" 2>/dev/null; then
		first=(chrt -f 1)
	else
		note "beside other load: there is one CPU, or no right to be first"
	fi
}
