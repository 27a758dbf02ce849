#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP goes on while the NIC moves between the direct and the shared lane, since a second guest
# comes and goes; what that costs is counted.
LAB_TIMEOUT=200
. "$(dirname "$0")/../lib/lab.sh"

plan 8
BYTES=${VXDP_TEST_BYTES:-60000000}
VISITOR=$ROOT/build/tests/lanes/shared_guest

lane() { vxdp -j status eth0 | json '.ports[] | select(.name == "vm0") | .lane'; }
lane_is() { [ "$(lane)" = "$1" ]; }
changes() { grep -cE 'vm0: (direct|shared) lane:' "$LAB_DIR/vxdp.log"; }

lab_begin
# TCP by the fast lanes too, or the changes would not concern it.
vm_up vm0 vxdp="--tcp-lane direct" || bail "no guest"
vxdp attach eth0 --vm "$LAB_DIR/vm1.sock" --name vm1 --role server >/dev/null
check "the only guest has the direct lane" eventually 10 lane_is direct

"$VISITOR" visit --socket "$LAB_DIR/vm1.sock" --count 100 --ms 500 >/dev/null 2>"$LAB_DIR/visitor.err" &
visitor=$!
eventually 10 lane_is shared
# As many transfers as it takes to see some changes: how fast this machine is decides nothing.
n=0 rounds=0
while [ "$n" -lt 4 ] && [ "$((rounds++))" -lt 10 ]; do
	before=$(changes)
	tcp_both_ways wire vm0 "$BYTES" $((7040 + rounds))
	n=$((n + $(changes) - before))
	diag "$n changes of lane; $(jq -c 'map({seconds, mbit_s, retransmits} | with_entries(select(.value != null)))' <<<"$tcp")"
	tcp_whole "$BYTES" || break
done
kill $visitor 2>/dev/null
wait $visitor 2>/dev/null
tcp_is "$BYTES" "$((BYTES / 1000000)) MB of TCP each way arrive whole"
cmp_ok "$n" '>=' 3 "with changes of lane in between"
cmp_ok "$(stat_sum vm0 '.queues[] | (.rx.shared, .tx.shared) | .packets')" '>' 1000 "frames took the shared lane"
cmp_ok "$(stat_sum vm0 '.queues[] | (.rx.direct, .tx.direct) | .packets')" '>' 1000 "and the direct one"
check "then the guest is alone again, on the direct lane" eventually 10 lane_is direct
check "and is reached" pings $GUEST_IP
check "vxdp says why it is on that lane" grep -q "into the guest's memory" \
	<(vxdp -j status eth0 | json '.ports[0].lane_reason')
