# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# generic.sh - a card whose driver has no XDP: it runs in the stack, and says so.

part_generic() {
	local status
	card e1000e || { skip "the machine has no e1000e" "generic XDP"; return; }
	vxdp attach "$NIC" --vm "$SOCKET" --mode native >$WORK/native.log 2>&1
	is $? 5 "$CARD: --mode native is refused as unsupported: $(head -n 1 $WORK/native.log)"
	vx_start || { not_ok "$CARD: attach"; return; }
	follow_start
	status=$(vxdp -j status "$NIC")
	holds "$CARD: status says that XDP runs in the stack: $(jq -r '.xdp_why' <<<"$status")" \
		'.xdp == "skb"' "$status"
	follow_stop
	guest echo --count 600
	holds "$CARD: 600 frames both ways, each byte right" "$WHOLE"
	check "$CARD: the host answers beside it" ping_host
	detaches
}
