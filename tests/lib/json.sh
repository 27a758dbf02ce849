# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# json.sh - questions about JSON, for all tests in shell. scripts/lint wants them to be asked so.

# json_holds [JQ OPTION]... FILTER [FILE]...: is it true of what is there? Prints the answer, like jq
# -e, but without any input the answer is no: jq 1.6 says yes then, whatever the question.
json_holds() {
	local answer
	answer=$(jq -e "$@") && [ -n "$answer" ] && printf '%s\n' "$answer"
}
