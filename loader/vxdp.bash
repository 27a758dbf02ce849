# SPDX-License-Identifier: GPL-2.0-or-later
# Completion for bash: vxdp knows its own options and what is attached, and is asked.

_vxdp()
{
	local cur=${COMP_WORDS[COMP_CWORD]} words

	# bash splits --option=value at the "="; vxdp takes the value as a word of its own.
	[ "$cur" != = ] || cur=''
	local -a typed=()
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" = = ] || typed+=("${COMP_WORDS[i]}")
	done

	words=$("${COMP_WORDS[0]}" __complete "${typed[@]}" "$cur" 2>/dev/null)
	if [ "$words" = :files ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}

complete -F _vxdp vxdp
