#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# attach - what attaching leaves on a NIC, beside whom it runs, and that everything is put back:
# after an end, after kill -9, and by a successor. With two addresses on the wire and traffic.
cd "$(dirname "$0")/../.." || exit 1

# A mount namespace of its own, with its own /run: bpffs and the network namespaces go with it.
if [ -z "${BPF_TEST_INSIDE:-}" ]; then
	BPF_TEST_INSIDE=1 exec timeout -k 10 300 unshare --mount --propagation private "$0" "$@"
fi

. tests/lib/tap.sh
. tests/lib/net.sh

HOLD=$PWD/build/tests/bpf/hold
LAB_ID=vxbpf$$
DIR=
HOLDER=

end() {
	local status=$?
	trap - EXIT
	exec 7>&-
	[ -n "$HOLDER" ] && wait "$HOLDER" 2>/dev/null
	net_down
	[ -n "$DIR" ] && rm -rf "$DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "${TAP_PLAN:-0}" ] || status=1
	exit $status
}
trap end EXIT
trap 'exit 143' TERM INT HUP

plan 47
DIR=$(mktemp -d)
export VXDP_RUNDIR=$DIR/run
mkdir "$VXDP_RUNDIR" "$DIR/fs"
mount -t tmpfs tmpfs /run || bail "cannot mount"
mount -t tmpfs tmpfs /sys/fs/bpf || bail "cannot hide the machine's own bpffs"
PINS=/sys/fs/bpf/vxdp

# attach [MODE [bare]]: hold on to eth0 until detach. Sets $said to what it printed.
attach() {
	mkfifo "$DIR/stop"
	nsenter --net="/run/netns/$NS_HOST" -- "$HOLD" attach eth0 "${@:-auto}" <"$DIR/stop" >"$DIR/said" 2>&1 &
	HOLDER=$!
	exec 7>"$DIR/stop"
	rm "$DIR/stop"
	for _ in $(seq 100); do
		grep -q ': ' "$DIR/said" && break
		kill -0 $HOLDER 2>/dev/null || break
		sleep 0.1
	done
	said=$(grep ': ' "$DIR/said" | grep -v '^# ' | tail -n 1)
	case $said in native:* | skb:*) ;; *) exec 7>&-; wait $HOLDER; HOLDER=; return 1 ;; esac
}

# attaches MODE TEXT: a result
attaches() {
	if attach "$1"; then ok "$2"; else
		not_ok "$2"
		diag "$(cat "$DIR/said")"
	fi
}

detaches() {
	if detach; then ok "$1"; else not_ok "$1"; fi
}

detach() {
	exec 7>&-
	wait $HOLDER
	local status=$?
	HOLDER=
	return $status
}

kill9() {
	kill -KILL $HOLDER
	wait $HOLDER 2>/dev/null
	exec 7>&-
	HOLDER=
}

xdp_mode() { on_host ip -d -j link show dev eth0 | jq -r '.[0].xdp | if . == null then "none" else (.mode | tostring) end'; }
xdp_names() { on_host xdp-loader status eth0 | grep -oE '(other|vxdp_uplink)_xdp' | sort | tr '\n' ' '; }
hooks() { on_host "$HOLD" hooks eth0; }
pins() { ls "$PINS/eth0" 2>/dev/null | tr '\n' ' '; }
promiscuity() { on_host ip -d -j link show dev eth0 | jq '.[0].promiscuity'; }
rxvlan() { on_host ethtool -k eth0 | sed -n 's/^rx-vlan-offload: \([a-z]*\).*/\1/p'; }
left() { find "$VXDP_RUNDIR" "$PINS" -type f 2>/dev/null; }

net_up queues=2 || bail "the wire cannot be made"
before=$(nic_state)
# TCX came with Linux 6.6.
tc=$([ "$(printf '6.6\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.6 ] && echo tcx || echo clsact)

for mode in native skb; do
	attaches $mode "$mode: attaches"
	is "$(xdp_names)" "vxdp_uplink_xdp " "$mode: the program is on the NIC"
	is "$(xdp_mode)" "$([ $mode = native ] && echo 1 || echo 2)" "$mode: in that mode"
	is "$(hooks)" "$tc $tc" "$mode: on both TC hooks"
	is "$(promiscuity) $(rxvlan)" "1 off" "$mode: the NIC takes foreign addresses and leaves tags in"
	is "$(pins)" "capture config cpus fdb learned meters policies port_by_ifindex port_macs port_turns ports queue_turns queues stats taps xsks " "$mode: maps are pinned by name"
	check "$mode: the host and the wire reach each other" on_wire ping -q -c 3 -i 0.2 -W 2 $HOST_IP
	check "$mode: bpftool prints addresses by name" \
		json_holds '.[0].formatted.key.mac | length == 6' <<<"$(bpftool -j map dump pinned "$PINS/eth0/fdb")"
	detaches "$mode: detaches"
	is "$(nic_state)$(left)" "$before" "$mode: all is as it was"
done

# The host's own traffic goes on. Adding a qdisc stops the NIC for a moment, so not without TCX.
pinged() { sed -n 's/.*, \([0-9.]*\)% packet loss.*/\1/p' "$DIR/ping"; }
ping_while() {
	on_host ping -q -i 0.002 -c 1000 -W 2 $WIRE_IP >"$DIR/ping" 2>&1 &
	local pid=$!
	"$@"
	wait $pid
}
come_and_go() {
	local mode
	for mode in native skb native; do
		sleep 0.1
		attach $mode
		sleep 0.2
		detach
	done
}
ping_while sleep 1
if [ "$(pinged)" != 0 ]; then
	skip "the wire loses frames without vxdp too" "the host's traffic is not disturbed"
	come_and_go
elif [ $tc != tcx ]; then
	skip "this kernel has no TCX" "the host's traffic is not disturbed"
	come_and_go
else
	ping_while come_and_go
	is "$(pinged)" 0 "the host's traffic is not disturbed by coming and going"
fi

# kill -9
attach native
kill9
is "$(xdp_names)$(hooks)" "vxdp_uplink_xdp $tc $tc" "killed: the programs stay"
check "killed: the host is still reached" on_wire ping -q -c 2 -i 0.2 -W 2 $HOST_IP
first=$(on_host ip -d -j link show dev eth0 | jq '.[0].xdp.prog.id')
attaches native "killed: a successor attaches"
cmp_ok "$(on_host ip -d -j link show dev eth0 | jq '.[0].xdp.prog.id')" '>' "$first" "killed: its program has replaced the old one"
detaches "killed: the successor detaches"
is "$(nic_state)$(left)" "$before" "killed: the successor puts back what its predecessor changed"
attach skb
kill9
attach native
is "$(xdp_mode)" 1 "killed: a successor may use another mode"
kill9
is "$(on_host "$HOLD" cleanup eth0 | tail -n 1)" "$([ $tc = tcx ] && echo 19 || echo 20) removed, 1 put back" "killed: a clean-up removes everything"
is "$(nic_state)$(left)" "$before" "killed: and all is as it was"
is "$(on_host "$HOLD" cleanup eth0 | tail -n 1)" "0 removed, 0 put back" "cleanup: twice does no harm"

# beside others
other=build/tests/bpf/other.bpf.o
theirs() { on_host tc filter show dev eth0 "$1" | grep -c other_tc; }
add_theirs() { on_host tc filter add dev eth0 "$1" bpf da obj "$other" sec tc; }

on_host tc qdisc add dev eth0 clsact
with_qdisc=$(nic_state)
attach native
detach
is "$(nic_state)" "$with_qdisc" "a qdisc that was there stays"
add_theirs ingress
attach native
is "$(hooks) $(theirs ingress)" "$tc $tc 1" "a foreign filter and ours"
check "and the host is reached" on_wire ping -q -c 2 -i 0.2 -W 2 $HOST_IP
detach
is "$(hooks) $(theirs ingress)" "none none 1" "a foreign filter stays"
on_host tc qdisc del dev eth0 clsact
attach native
on_host tc qdisc add dev eth0 clsact 2>/dev/null # ours is there without TCX
add_theirs egress
detach
is "$(hooks) $(theirs egress)" "none none 1" "a filter that came later, and its qdisc, stay"
on_host tc qdisc del dev eth0 clsact

for mode in xdpgeneric xdpdrv; do
	on_host ip link set dev eth0 $mode obj "$other" sec xdp
	attach native
	case $said in
	EBUSY:*other_xdp*xdp-loader*) ok "beside a foreign program ($mode): refused, with a hint" ;;
	*) not_ok "beside a foreign program ($mode): refused, with a hint"; diag "$said" ;;
	esac
	is "$(xdp_names)" "other_xdp " "and it is left alone"
	on_host ip link set dev eth0 $mode off
done
is "$(nic_state)$(left)" "$before" "what failed leaves nothing"

# Through libxdp's dispatcher, where the kernel lets programs be replaced. Before 1.5.5 it refuses
# programs that move the start of frames, on kernels that check that: then only the bare one runs.
on_host xdp-loader load -m native -s xdp eth0 "$other" >"$DIR/log" 2>&1
if on_host xdp-loader status eth0 | grep -q xdp_dispatcher; then
	if attach native; then
		is "$(xdp_names)" "other_xdp vxdp_uplink_xdp " "dispatcher: both run"
		detach
	else
		case $said in
		EBUSY:*other_xdp*libxdp*) ok "dispatcher: this libxdp cannot, which is said with a hint" ;;
		*) not_ok "dispatcher: this libxdp cannot, which is said with a hint"; diag "$said" ;;
		esac
	fi
	is "$(xdp_names)" "other_xdp " "dispatcher: the other one stays"
	attach native bare || diag "$said"
	is "$(xdp_names)" "other_xdp vxdp_uplink_xdp " "dispatcher: the bare program runs in any case"
	check "dispatcher: traffic passes both" on_wire ping -q -c 2 -i 0.2 -W 2 $HOST_IP
	kill9
	attach native bare
	is "$(xdp_names)" "other_xdp vxdp_uplink_xdp " "dispatcher: a successor takes its predecessor's place"
	detach
	is "$(xdp_names)" "other_xdp " "dispatcher: the other one still stays"
else
	for _ in 1 2 3 4 5 6; do skip "this kernel does not let libxdp's dispatcher run" "dispatcher"; done
fi
exit 0
