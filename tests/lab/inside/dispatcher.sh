# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# dispatcher.sh - another XDP program on the same NIC, by libxdp's dispatcher (which needs a kernel
# that allows freplace): xdp-filter, attached before and after vxdp, goes on dropping what it is
# told to, and stays when vxdp goes.

part_dispatcher() {
	command -v xdp-filter >/dev/null || { skip "xdp-filter is not installed" "dispatcher"; return; }
	card virt || { skip "the machine has no virt" "dispatcher"; return; }
	WIRE_MAC=02:00:00:1a:0$CARD_N:02
	filter_before
	filter_after
}

programs() { xdp-loader status "$NIC" 2>&1 | sed -n "/^$NIC/,\$p"; }
filters() { programs | grep -q xdpfilt; }
no_ping() { ! ping_host 1; }
filter_load() { xdp-filter load -f ethernet -m native "$NIC" >$WORK/filter.log 2>&1; }

# filter_drops WHEN: it drops the host's frames from the other machine, until told not to.
filter_drops() {
	xdp-filter ether -m src "$WIRE_MAC" >/dev/null 2>&1
	check "xdp-filter, $1: drops what it is told to" no_ping
	xdp-filter ether -m src -r "$WIRE_MAC" >/dev/null 2>&1
	check "xdp-filter, $1: and nothing else" eventually 10 ping_host 1
}

frames_flow() {
	guest echo --count 200
	holds "vxdp, $1: 200 frames both ways, each byte right" \
		'.echoed == 200 and .corrupt == 0 and .lost == 0'
}

filter_before() {
	if ! filter_load; then
		not_ok "xdp-filter loads on $NIC"
		diag "$(tail -n 3 $WORK/filter.log)"
		return
	fi
	filter_drops "alone"
	if vx_start --lane direct; then
		ok "vxdp attaches where xdp-filter is loaded: $(grep -o 'XDP .*' $WORK/vxdp.log | head -n 1)"
		diag "$(programs)"
		frames_flow "beside xdp-filter"
		filter_drops "before vxdp"
		detaches
	else
		not_ok "vxdp attaches where xdp-filter is loaded"
	fi
	check "detach leaves xdp-filter there" filters
	filter_drops "after detach"
	xdp-filter unload "$NIC" >$WORK/filter.log 2>&1 || diag "$(cat $WORK/filter.log)"
}

# Where the kernel's dispatcher takes only the program that writes no headers, vxdp alone is attached
# without a dispatcher; then nothing can be loaded later, and whoever tries is told.
filter_after() {
	vx_start --lane direct || { not_ok "vxdp attaches first"; return; }
	if filter_load; then
		ok "xdp-filter loads after vxdp"
	else
		ok "xdp-filter is refused after a vxdp that is attached alone: $(tail -n 1 $WORK/filter.log)"
		frames_flow "alone"
		detaches
		vx_start --lane direct --share-xdp || { not_ok "vxdp attaches with --share-xdp"; return; }
		if filter_load; then ok "xdp-filter loads after a vxdp with --share-xdp"; else
			not_ok "xdp-filter loads after a vxdp with --share-xdp"
			diag "$(tail -n 3 $WORK/filter.log)" "$(programs)"
		fi
	fi
	filter_drops "after vxdp"
	frames_flow "before xdp-filter"
	detaches
	check "detach leaves xdp-filter there, loaded second" filters
	xdp-filter unload "$NIC" >$WORK/filter.log 2>&1 || diag "$(cat $WORK/filter.log)"
}
