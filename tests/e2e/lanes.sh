#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# TCP goes on while the NIC moves between the direct and the shared lane, since a second guest
# comes and goes; what that costs is counted.
LAB_TIMEOUT=200
. "$(dirname "$0")/../lib/lab.sh"

plan 9
BYTES=${VXDP_TEST_BYTES:-60000000}
VISITOR=$ROOT/build/tests/lanes/shared_guest

lane() { vxdp -j status eth0 | json '.ports[] | select(.name == "vm0") | .lane'; }
lane_is() { [ "$(lane)" = "$1" ]; }
changes() { grep -cE 'vm0: (direct|shared) lane:' "$LAB_DIR/vxdp.log"; }

# Bytes of all that vxdp and its programs dropped on the way to vm0 and from it.
dropped_bytes() {
	local own wire
	own=$(stat_sum vm0 "((.queues[] | .rx.drops, .tx.drops), .verdicts) | to_entries[] | select(.key | startswith(\"drop_\")) | .value.bytes")
	wire=$(stat_sum uplink '.verdicts | to_entries[] | select(.key | startswith("drop_rx_")) | .value.bytes')
	echo $((own + wire))
}
# What TCP lost at each change of lane, in milliseconds of what it carries.
lost_ms() { jq -n "$lost / ($carried / $took_ms) / $n"; }

lab_begin
# TCP by the fast lanes too, or the changes would not concern it.
vm_up vm0 vxdp="--tcp-lane direct" || bail "no guest"
vxdp attach eth0 --vm "$LAB_DIR/vm1.sock" --name vm1 --role server >/dev/null
check "the only guest has the direct lane" eventually 10 lane_is direct

"$VISITOR" visit --socket "$LAB_DIR/vm1.sock" --count 100 --ms 500 >/dev/null 2>"$LAB_DIR/visitor.err" &
visitor=$!
eventually 10 lane_is shared
# As many transfers as it takes to see some changes: how fast this machine is decides nothing.
n=0 rounds=0 lost=$(dropped_bytes) carried=0 took_ms=0
while [ "$n" -lt 4 ] && [ "$((rounds++))" -lt 10 ]; do
	before=$(changes)
	tcp_both_ways wire vm0 "$BYTES" $((7040 + rounds))
	n=$((n + $(changes) - before))
	carried=$((carried + 2 * BYTES))
	took_ms=$((took_ms + $(jq '[.[].seconds] | add / 2 * 1000 | floor' <<<"$tcp")))
	diag "$n changes of lane; $(jq -c 'map({seconds, mbit_s, retransmits} | with_entries(select(.value != null)))' <<<"$tcp")"
	tcp_whole "$BYTES" || break
done
kill $visitor 2>/dev/null
wait $visitor 2>/dev/null
tcp_is "$BYTES" "$((BYTES / 1000000)) MB of TCP each way arrive whole"
cmp_ok "$n" '>=' 3 "with changes of lane in between"
lost=$(($(dropped_bytes) - lost))
diag "$lost bytes dropped and counted, of $carried in $took_ms ms: $(lost_ms) ms of traffic a change"
check "what is lost at a change of lane is counted, and under 50 ms of traffic" json_holds '. < 50' <<<"$(lost_ms)"
cmp_ok "$(stat_sum vm0 '.queues[] | (.rx.shared, .tx.shared) | .packets')" '>' 1000 "frames took the shared lane"
cmp_ok "$(stat_sum vm0 '.queues[] | (.rx.direct, .tx.direct) | .packets')" '>' 1000 "and the direct one"
check "then the guest is alone again, on the direct lane" eventually 10 lane_is direct
check "and is reached" pings $GUEST_IP
check "vxdp says why it is on that lane" grep -q "into the guest's memory" \
	<(vxdp -j status eth0 | json '.ports[0].lane_reason')
