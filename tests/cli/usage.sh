#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The command line by itself: what it refuses and suggests, exit codes, JSON of errors, help,
# completion, manual page. No NIC, no root's work.
. "$(dirname "$0")/env.sh"
plan 50
cli_begin nonet
vxdp() { "$VXDP" "$@"; }

# --- wrong command lines ---
exits 2 "an unknown command is wrong usage" vxdp atach
is "$ERR" "vxdp: no command 'atach'
      did you mean 'attach'?" "the nearest command is suggested"
is "$OUT" "" "nothing of it on standard output"
exits 2 "an unknown option is wrong usage" vxdp attach eth0 --qeues 2
is "${ERR#*did you }" "mean --queues?" "the nearest option is suggested"
exits 2 "options are not abbreviated" vxdp attach eth0 --sock /x
exits 2 "a value that is out of range" vxdp attach eth0 --vm /x --queues 129
exits 2 "attach without a guest" vxdp attach eth0
is "$ERR" "vxdp: which virtual machine? give --vm SOCK or --tap TAP" "it says what is missing"
exits 2 "--vm and --fd exclude each other" vxdp attach eth0 --vm /x --fd 0
exits 2 "--vm and --socket-path are one option" vxdp attach eth0 --vm /x --socket-path /y
exits 2 "a NIC's name cannot be a path" vxdp attach ../etc --vm /x
exits 2 "a socket's path that no socket can have" vxdp attach eth0 --vm "/$(printf 'x%.0s' {1..110})"
exits 2 "a descriptor that is not there" vxdp attach eth0 --fd 77
exits 2 "too many words" vxdp status a b
exits 2 "fdb: not an address" vxdp fdb add eth0 52:54:00 dev vm0
exits 2 "dump to a terminal is refused" script -qec "$VXDP dump lo" /dev/null
exits 2 "--interval needs a number" vxdp stats --interval soon

# --- errors as JSON ---
exits 2 "usage errors with -j" vxdp -j attach eth0 --qeues 2
fits error_reply "an error is a JSON object on standard output"
is "$ERR" "" "and nothing is on standard error"
is "$(jq -r .error.hint <<<"$OUT")" "did you mean --queues?" "with its hint"
exits 2 "-j after what is wrong counts too" vxdp attach --what eth0 -j
fits error_reply "and the error is JSON"
exits 3 "a NIC that is not attached" vxdp status nosuch -p
fits error_reply "-p is JSON too"
is "$(jq .error.code <<<"$OUT")" 3 "the code is the exit status"
exits 2 "a name that is no UTF-8" vxdp -j attach $'\xff' --vm /x
fits error_reply "and still the error is JSON"
[ -e /dev/full ] && exits 1 "a full disk is noticed" sh -c "'$VXDP' help >/dev/full"

# --- not attached ---
exits 0 "status of nothing" vxdp status -j
is "$OUT" '{"nics":[]}' "is an empty list"
exits 0 "no command is status" vxdp
exits 3 "stats of a NIC that is not attached" vxdp stats nosuch
exits 3 "fdb of a NIC that is not attached" vxdp fdb nosuch
exits 3 "dump of a NIC that is not attached" vxdp dump nosuch -w /dev/null
exits 3 "features of a NIC that does not exist" vxdp features nosuch
exits 3 "detach of a NIC that is not attached" vxdp detach nosuch
exits 0 "detach --if-exists does not mind" vxdp detach nosuch --if-exists
exits 3 "attach of a NIC that does not exist" vxdp attach nosuch --vm /x
exits 5 "attach of what is no NIC" vxdp attach lo --vm "$DIR/vm0.sock"

# --- conventions ---
exits 0 "--print-capabilities wins over everything else" vxdp attach --wrong --print-capabilities
is "$(jq -c . <<<"$OUT")" '{"type":"net"}' "it is what QEMU's schema wants"
exits 0 "version -j" vxdp version -j
fits version_all "has the promised members"

# --- help, manual, completion: all from one table ---
undocumented() {
	local word
	for word in $(vxdp help -j | jq -r '.commands[].options[].name, .options[].name' | sort -u); do
		grep -q -e "Fl -$word\\b" -e ", -$word\\b" -e "\\bFl . , -$word" "$ROOT/loader/vxdp.8" || echo "--$word"
	done
	for word in $(vxdp help -j | jq -r '.commands[].name'); do
		grep -q "Cm $word\\b\|^.Ss $word\\b" "$ROOT/loader/vxdp.8" || echo "$word"
	done
}
is "$(undocumented)" "" "the manual page mentions every option and command"

complete_words() { vxdp __complete "$@" | sort | tr '\n' ' '; }
is "$(complete_words attach eth0 --lane '')" "auto direct kernel shared " "completion of an option's words"
is "$(complete_words '' | wc -w)" "$(vxdp help -j | jq '.commands | length')" "completion of commands"
is "$(complete_words attach eth0 --vm '')" ":files " "completion of a path"
bash_completes() {
	# shellcheck disable=SC2317,SC2034
	bash -c '. "$1"; COMP_WORDS=("$2" attach eth0 --role s); COMP_CWORD=4; _vxdp
		[ "${COMPREPLY[*]}" = server ]' - "$ROOT/loader/vxdp.bash" "$VXDP"
}
check "bash completes a word" bash_completes
