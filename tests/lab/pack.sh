# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# pack.sh - what image and nested have in common: archives for initramfs of what is in $work.

# add_libraries FILE: each to where the loader looks for it.
add_libraries() {
	local lib
	{ ldd "$1" 2>/dev/null || true; } | sed -nE 's/^[^/]*(\/[^ ]*).*/\1/p' | while read -r lib; do
		mkdir -p "$work$(dirname "$lib")"
		cp -nL "$lib" "$work$lib"
	done
}

# pack NAME: what is in $work, and $work is empty again.
pack() {
	(cd "$work" && find . | LC_ALL=C sort | cpio -o -H newc --quiet --owner 0:0) >"$1.new"
	mv "$1.new" "$1"
	rm -rf "${work:?}"/*
}
