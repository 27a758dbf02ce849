# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lanes.sh - the direct lane on cards with native XDP: by copy, and by zero copy into guest memory
# when the card is dedicated to the guest. Every byte is compared, both ways.

WHOLE='.echoed == 600 and .corrupt == 0 and .lost == 0 and .bad == ""'

part_lanes() {
	local name
	for name in igb virt; do
		card "$name" || { skip "the machine has no $name" "$name: direct lane"; continue; }
		lane_by_copy
		lane_dedicated
	done
}

# stat_direct FIELD: how many frames vm0 got (rx) or sent (tx) so
stat_sum() { vxdp -j stats "$NIC" | jq "[.ports[] | select(.name == \"vm0\") | .queues[] | $1.packets] | add // 0"; }

lane_by_copy() {
	vx_start --lane direct || { not_ok "$CARD: attach"; return; }
	guest echo --count 600
	holds "$CARD: direct lane by copy: 600 frames both ways, each byte right" "$WHOLE"
	cmp_ok "$(stat_sum .rx.direct)" ">=" 600 "$CARD: they went the direct lane"
	check "$CARD: the host answers beside it" ping_host
	detaches
}

# A kernel whose driver has zero copy gives it to a dedicated card; another says that it has none.
lane_dedicated() {
	local status wanted=false
	[ "$(zero_copy_answer)" = yes ] && wanted=true
	[[ $RELEASE == 7.* ]] && wanted=true # known: since 6.14 and 6.13
	vx_start --lane direct --dedicated || { not_ok "$CARD: attach --dedicated"; return; }
	follow_start --hugepages
	status=$(vxdp -j status "$NIC")
	holds "$CARD: --dedicated: direct lane, zero copy $wanted: $(jq -r '.ports[0].lane_reason' <<<"$status")" \
		".ports[0].lane == \"direct\" and .ports[0].zerocopy == $wanted" "$status"
	follow_stop
	guest echo --count 600 --hugepages
	holds "$CARD: --dedicated: 600 frames into huge pages and back, each byte right" "$WHOLE"
	cmp_ok "$(stat_sum .rx.direct)" ">=" 600 "$CARD: they went the direct lane"
	guest echo --count 600 --rx-bytes 1536
	holds "$CARD: --dedicated: a guest with ordinary pages and buffers as Linux has them" "$WHOLE"
	detaches
}
