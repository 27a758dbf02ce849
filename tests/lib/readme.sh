# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# readme.sh - what the README shows is what the tests run.

# readme_block PATTERN: the first example (indented by four spaces) of README.md with a line that
# matches the extended regular expression, without the indentation.
readme_block() {
	awk -v pattern="$1" '
		/^    / { line = substr($0, 5); block = block line "\n"; if (line ~ pattern) found = 1; next }
		found { exit }
		{ block = "" }
		END { if (found) printf "%s", block; else exit 1 }' "$ROOT/README.md" ||
		bail "README.md has no example with '$1'"
}
