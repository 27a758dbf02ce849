# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# testpmd.sh - testpmd's virtio-user port as a guest, on vhost-net or a socket of vxdp.

GUEST_MAC=02:56:00:00:00:0b
WIRE_TEST_MAC=02:57:00:00:00:0b

# testpmd_up OPTIONS QUEUES: with these of virtio-user; its output in $WORK/testpmd.log. It swaps the
# addresses of each frame and sends it back.
testpmd_up() {
	rm -f $WORK/testpmd.in $WORK/testpmd.log
	mkfifo $WORK/testpmd.in
	N_ECHOES=0
	dpdk-testpmd -l 0,1 -m 64 --huge-dir /huge --single-file-segments --no-pci --no-telemetry --iova-mode=va \
		--vdev "net_virtio_user0,mac=$GUEST_MAC,queues=$2,queue_size=256,$1" \
		-- -i --nb-cores=1 --total-num-mbufs=8192 --rxq="$2" --txq="$2" --eth-peer=0,$WIRE_TEST_MAC \
		<$WORK/testpmd.in >$WORK/testpmd.log 2>&1 &
	TESTPMD_PID=$!
	exec 4>$WORK/testpmd.in
	eventually 40 testpmd_ready
	grep -q 'testpmd> ' $WORK/testpmd.log ||
		{ not_ok "testpmd starts with $1"; diag "$(tail -n 8 $WORK/testpmd.log)"; return 1; }
	printf '%s\n' "set fwd macswap" start >&4
}

testpmd_ready() { ended $TESTPMD_PID || grep -q 'testpmd> ' $WORK/testpmd.log; }

testpmd_down() {
	printf '%s\n' stop quit >&4
	exec 4>&-
	eventually 20 ended $TESTPMD_PID || kill -KILL $TESTPMD_PID
	wait $TESTPMD_PID
}

# testpmd_say COMMAND: until it is done, and the next prompt there
testpmd_say() {
	local before
	before=$(testpmd_prompts)
	echo "$1" >&4
	eventually 20 testpmd_prompted "$before"
}

testpmd_prompts() { grep -o 'testpmd> ' $WORK/testpmd.log | wc -l; }
testpmd_prompted() { [ "$(testpmd_prompts)" -gt "$1" ]; }

# testpmd_echo COUNT [OPTION]...: so many frames to the guest and back, by tests/testpmd/wire; the JSON
# in $result; by_queue tells later what testpmd counted. What comes back is for an address that is not the
# wire's own. Nobody may ask for an old neighbour meanwhile: that would be counted too.
testpmd_echo() {
	local count=$1
	shift
	ip neigh flush dev "$NIC"
	on_wire ip neigh flush dev wire0
	on_wire ip link set wire0 promisc on
	eventually 20 on_wire wire prime wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --timeout 3000 "$@"
	sleep 1 # what was sent more than once to find that out
	testpmd_say "show port xstats 0" # to clear them races with the thread that counts
	result=$(on_wire timeout 100 wire echo wire0 --src $WIRE_TEST_MAC --dst $GUEST_MAC --count "$count" \
		--window 16 --size 60-1514 --timeout 2000 "$@" 2>$WORK/guest.err)
	on_wire ip link set wire0 promisc off
	testpmd_say "show port xstats 0"
	N_ECHOES=$((N_ECHOES + 1))
}

# by_queue N: frames that testpmd has received in its Nth echo, for each of its queues, as JSON. It keeps
# what it prints to itself until it has ended.
by_queue() {
	awk -v n="$1" '/NIC extended statistics/ { i++ }
		!sub(/^rx_q[0-9]+_good_packets: /, "") { next }
		i == 2 * n - 1 { before[++queue] = $1 }
		i == 2 * n { print $1 - before[++after] }' $WORK/testpmd.log | jq -cs .
}
