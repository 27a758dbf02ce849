#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guide.sh - the README's table "Instead of Open vSwitch or a bridge", as it stands there: every
# command in its last column is run, in that order, on a NIC with guests that answer ping, and its
# effect is looked at. A line of the table without a check here is a failure.
CLI_TIMEOUT=240
. "$(dirname "$0")/env.sh"

set -o pipefail
STATION=$ROOT/build/tests/cli/station
WEB_MAC=52:54:00:00:00:11 WEB_IP=10.77.0.11
VM0_MAC=52:54:00:00:00:10 VM0_IP=10.77.0.10

# The commands, one a line. In a table a bar is written \|, and code stands in backticks.
guide_commands() {
	awk '/^## / { inside = /Instead of Open vSwitch/ }
		inside && /^\|/ { n++; if (n < 3) next
			sub(/ *\| *$/, ""); sub(/.* \| `/, ""); sub(/`$/, ""); gsub(/\\\|/, "|"); print }' "$ROOT/README.md"
}

# What the table calls by the paths of a real machine is here the test's own. nsenter, not a
# function: of that, $! would be a shell.
vxdp() { nsenter --net="/run/netns/$NS_HOST" "$VXDP" "$@"; }

run_line() {
	local line=${1//\/run\//$DIR/}
	line=${line//\/sys\/fs\/bpf/$DIR/bpf}
	line=${line//web.pcapng/$DIR/web.pcapng}
	eval "$line"
}

# station NAME MAC IP: a guest on that port's socket, which listens.
station() {
	"$STATION" --socket "$DIR/$1.sock" --mac "$2" --ip "$3" >"$DIR/$1.log" 2>&1 &
	STATION_PID=$!
}

port() { vxdp -j status eth0 | json_holds ".ports[] | select(.name == \"$1\") | $2"; }
no_port() { vxdp -j status eth0 | json_holds "all(.ports[]; .name != \"$1\")"; }
ping_once() { on_wire ping -c 1 -W 1 -q "$1" >/dev/null; }
# The machine may have much else to do.
pings() { for _ in 1 2 3 4 5; do ping_once "$1" && return; done; return 1; }
fdb_has() { vxdp -j fdb show eth0 | json_holds ".entries[] | select(.mac == \"$1\" and .port == \"$2\")" >/dev/null; }
fdb_lacks() { vxdp -j fdb show eth0 | json_holds "all(.entries[]; .mac != \"$1\")" >/dev/null; }
said() { grep -Eq -- "$1" "$DIR/out"; }

# Traffic for a command that waits for some, until it has ended.
pinging() {
	while sleep 0.3; do ping_once $WEB_IP; done &
	PINGING_PID=$!
}
PINGING_PID=

has_xdp() { on_host ip -d -j link show dev "$1" | json_holds '.[0].xdp | tojson | contains("id")' >/dev/null; }
uplink() { vxdp -j status eth0 | json_holds "[.. | strings] | any(. == \"$1\")"; }
# runs NAME...: the switch with that name, or else eth0's, has a process.
runs() {
	local switch=eth0
	case $1 in lan*) switch=lan ;; esac
	vxdp -j status $switch | json_holds '.pid > 0'
}

shows() { vxdp port show eth0 "${2:-web}" | grep -Eq -- "$1"; }

# A guest goes; the next one may come once that was noticed.
station_end() {
	kill "$1"
	wait "$1" 2>/dev/null
	eventually 10 port web '.state == "waiting"' >/dev/null
}

# Another address on that port is not heard, and counted.
spoofing_is_dropped() {
	local before after
	before=$(dropped web)
	station_end "$WEB_PID"
	station vm1 52:54:00:00:00:66 $WEB_IP
	sleep 1.5
	on_wire ip neigh flush dev wire0
	ping_once $WEB_IP && { echo "it is heard with another address" >&2; return 1; }
	station_end "$STATION_PID"
	after=$(dropped web)
	[ "$after" -gt "$before" ] || { echo "nothing was counted: $before $after" >&2; return 1; }
	station vm1 $WEB_MAC $WEB_IP
	WEB_PID=$STATION_PID
	eventually 10 pings $WEB_IP
}
dropped() { vxdp -j stats eth0 "$1" | jq '[.. | objects | to_entries[] | select(.key | startswith("drop_")) | .value.packets? // 0] | add // 0'; }

# What has to be there before a line is run.
before() {
	case $1 in
	*' dump eth0 '*) pinging ;;
	*'flush eth0 dynamic') vxdp fdb add eth0 52:54:00:00:00:98 dev vm0 ;;
	*'flush eth0 dev web dynamic')
		vxdp fdb add eth0 52:54:00:00:00:97 dev vm0
		vxdp fdb add eth0 52:54:00:00:00:98 dev web
		;;
	esac
}

# effect LINE: has it done what the table says? What it printed is in $DIR/out.
effect() {
	case $1 in
	'vxdp attach eth0 --vm /run/vm0.sock &')
		station vm0 $VM0_MAC $VM0_IP
		eventually 10 pings $VM0_IP && on_host ping -c 1 -W 1 -q $VM0_IP && pings $HOST_IP
		;;
	'vxdp features eth0') said 'direct' ;;
	'vxdp attach eth0 --vm /run/vm1.sock --name web')
		station vm1 $WEB_MAC $WEB_IP
		WEB_PID=$STATION_PID
		eventually 10 pings $WEB_IP && pings $VM0_IP
		;;
	*--may-exist) [ "$(vxdp -j status eth0 | jq '[.ports[] | select(.name == "web")] | length')" = 1 ] ;;
	'vxdp attach eth0 --tap tap0') port tap0 '.kind == "tap"' && on_host ip link show tap0 ;;
	'vxdp attach eth1 '*) has_xdp eth1 && uplink eth1 && pings $WEB_IP && pings $HOST_IP ;;
	*--standby-for*) has_xdp eth2 && uplink eth2 && pings $WEB_IP ;;
	'vxdp detach eth0 eth2') ! has_xdp eth2 && has_xdp eth1 && pings $VM0_IP ;;
	'vxdp attach --switch lan '*) [ "$(vxdp -j status lan | jq -r '.ports[].name')" = vm0 ] && ! has_xdp eth0 ;;
	'vxdp detach lan') ! vxdp status lan ;;
	*'--queues 2 --mtu 1400') port vm2 '.mtu == 1400' ;;
	*'web vlan 10') shows 'vlan 10' && ! ping_once $WEB_IP && pings $VM0_IP ;;
	*'trunk 10,20-30 native 0') shows 'trunk 10,20-30 native 0' && eventually 5 pings $WEB_IP ;;
	*'web vlan all') shows 'vlan all' && eventually 5 pings $WEB_IP ;;
	*'isolated on') shows 'isolated on' && pings $WEB_IP ;;
	*'web mac 52:54:00:00:00:11 spoof-check on') spoofing_is_dropped && pings $WEB_IP ;;
	*'learning off') shows 'learning off' tap0 ;;
	*'flood off') shows 'flood off' tap0 ;;
	*'storm 1000') shows 'storm 1000' tap0 ;;
	*'mac-limit 64') shows 'mac-limit 64' tap0 ;;
	'vxdp port show eth0') said 'web.* vlan all' && said 'tap0.* storm 1000' && said "web.* mac $WEB_MAC" ;;
	*'--vlan 10 --isolated') vxdp port show eth0 vm3 | grep -q 'vlan 10.* isolated on' ;;
	'vxdp status') said '^eth0' && said web && said tap0 ;;
	*"'.nics[].nic'") [ "$(<"$DIR/out")" = eth0 ] ;;
	*"'.ports[].name'") [ "$(sort "$DIR/out" | xargs)" = "tap0 vm0 vm2 vm3 web" ] ;;
	*'-e '*'select(.name == "web")'"'") json_holds '.name == "web"' "$DIR/out" ;;
	*'{state, lane, lane_reason, queues, features}'*) json_holds '.state == "running" and (.features | length) > 0' "$DIR/out" ;;
	*"'.workers'") json_holds '.[0].busy_polls > 0' "$DIR/out" ;;
	'vxdp fdb show eth0') said "$WEB_MAC.* dev web" && said "$VM0_MAC.* dev vm0" && said "$WIRE_MAC.* dev uplink" ;;
	'vxdp fdb show eth0 dev web') said "$WEB_MAC" && ! said "$VM0_MAC" ;;
	*'.entries | length'*) [ "$(<"$DIR/out")" -ge 3 ] ;;
	'vxdp fdb add '*) fdb_has 52:54:00:00:00:99 web && vxdp fdb show eth0 | grep -q '00:99.* static' ;;
	'vxdp fdb del '*) fdb_lacks 52:54:00:00:00:99 ;;
	'vxdp fdb ageing eth0 60') vxdp fdb ageing eth0 | grep -q ' 60 s' ;;
	'vxdp fdb flush eth0 dynamic') fdb_lacks 52:54:00:00:00:98 && eventually 5 pings $WEB_IP ;;
	'vxdp fdb flush eth0 dev web dynamic') fdb_lacks 52:54:00:00:00:98 && fdb_has 52:54:00:00:00:97 vm0 ;;
	'bpftool map dump '*) said '"mac"' && said '"port"' ;;
	'vxdp stats eth0') said uplink && said web && said to_ ;;
	'vxdp stats eth0 web') said web && ! said vm0 ;;
	'vxdp stats eth0 --drops') ! said to_wire ;;
	*prometheus) said '^vxdp_[a-z_]+\{.*\} [0-9]+$' ;;
	*'-w web.pcapng --count 2') [ "$(tshark -r "$DIR/web.pcapng" 2>/dev/null | wc -l)" = 2 ] ;;
	*'frame.comment') said '^verdict=[a-z_]+ in=[a-z]+ out=' && said 'web|flooded' ;;
	'vxdp detach eth0 web') no_port web && port vm0 . && pings $VM0_IP ;;
	*--if-exists) no_port web ;;
	'vxdp detach eth0 tap0') no_port tap0 && ! on_host ip link show tap0 ;;
	'vxdp detach eth0') [ "$(on_host ip -d -j link show dev eth0 | jq '.[0].xdp')" = null ] && pings $HOST_IP ;;
	'vxdp version') said '^vxdp [0-9]' ;;
	*) echo "no check for this line" >&2; return 1 ;;
	esac
}

mapfile -t lines < <(guide_commands)
plan $((${#lines[@]} + 1))
cmp_ok ${#lines[@]} '>=' 30 "the README's table has its lines"
for program in jq tshark bpftool; do
	command -v $program >/dev/null || skip_rest "$program is not installed"
done
cli_begin
for i in 1 2; do
	on_host ip link add eth$i type veth peer name wire$i netns "$NS_WIRE"
	on_host ip link set eth$i up
	on_wire ip link set wire$i up
done

for line in "${lines[@]}"; do
	before "$line" >/dev/null 2>&1
	case $line in
	*'&')
		run_line "$line" </dev/null >>"$DIR/log" 2>&1
		eventually 15 runs "${line#*--switch }"
		;;
	*) run_line "$line" </dev/null >"$DIR/out" 2>"$DIR/err" ;;
	esac
	status=$?
	if [ -n "$PINGING_PID" ]; then
		kill "$PINGING_PID"
		wait "$PINGING_PID" 2>/dev/null
		PINGING_PID=
	fi
	if [ $status -ne 0 ]; then
		not_ok "$line"
		diag "exit status $status: $(tail -n 3 "$DIR/out" "$DIR/err")"
	elif effect "$line" >"$DIR/effect" 2>&1; then
		ok "$line"
	else
		not_ok "$line"
		diag "it did not do what it should; it said:" "$(head -n 12 "$DIR/out")" "$(tail -n 3 "$DIR/effect")"
	fi
done
