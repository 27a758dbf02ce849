#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One process a NIC and the control socket to it: joining, leaving, being killed, being shouted at.
. "$(dirname "$0")/env.sh"
plan 74
cli_begin
before=$(nic_state 2>/dev/null)
ctl=$DIR/run/eth0/ctl

# ask TEXT: one packet to the control socket, and the reply
ask() { printf '%s' "$1" | socat -t 2 -b 262144 - "UNIX-CONNECT:$ctl,socktype=5"; }
ports() { vxdp -j status eth0 | jq -r '[.ports[].name] | sort | join(" ")'; }
n_processes() { pgrep -fc "^$VXDP attach eth0.*$DIR"; }
nothing_left() {
	local left
	left=$(ls -A "$DIR/run"; ls -A "$DIR/bpf/vxdp" 2>/dev/null)
	[ -z "$left" ] && [ "$(nic_state 2>/dev/null)" = "$before" ] || { echo "$left"; diff <(echo "$before") <(nic_state 2>/dev/null); }
}

# --- the first, and the ones that join it ---
start --vm "$DIR/vm0.sock"
exits 0 "status -j" vxdp status eth0 -j
fits status_nic "status has the promised shape"
is "$(jq -r .pid <<<"$OUT")" "$(<"$DIR/run/eth0/lock")" "the lock names the process"
exits 0 "status of all" vxdp -j
fits '.nics | length == 1 and (.[0] | status_nic)' "lists this one"
exits 0 "stats -j" vxdp stats eth0 -j
fits stats_nic "stats have the promised shape"
exits 0 "features -j" vxdp features eth0 -j
fits features_nic "features have the promised shape"
fits '.guest.lane == "direct"' "and promise a veth the direct lane"
exits 0 "a second attach joins" vxdp attach eth0 --vm "$DIR/vm1.sock" --name web -j
fits '.port == "web" and (.pid | natural)' "and says where"
is "$(ports)" "vm0 web" "both ports are there"
exits 1 "the same again is refused" vxdp attach eth0 --vm "$DIR/vm1.sock"
exits 0 "unless it may exist" vxdp attach eth0 --vm "$DIR/vm1.sock" --may-exist
exits 1 "another --mode than the process has" vxdp attach eth0 --vm "$DIR/vm2.sock" --mode skb
is "${ERR%%:*}:${ERR#*:}" "vxdp: --mode skb: the running process has auto
      all ports of a NIC share it: leave --mode out, or detach them all first" "is explained"
exits 1 "another --poll" vxdp attach eth0 --vm "$DIR/vm2.sock" --poll busy
exits 0 "the default given in words is no other" vxdp attach eth0 --vm "$DIR/vm2.sock" --mode auto
relative() { (cd "$DIR" && on_host "$VXDP" attach eth0 --vm vm3.sock); }
exits 0 "a relative path" relative
is "$(vxdp -j status eth0 | jq -r '.ports[] | select(.name == "vm3").socket')" "$DIR/vm3.sock" \
	"means the caller's directory"
# socat makes a connected pair and hangs up when its child ends, so that one waits.
cat >"$DIR/with-fd" <<END
nsenter --net=/run/netns/$NS_HOST $VXDP attach eth0 --fd 3 --name by-fd
exec sleep 20
END
socat PIPE "EXEC:bash $DIR/with-fd,fdin=3,fdout=3" >/dev/null 2>&1 &
by_fd_state() { vxdp -j status eth0 | jq -r '.ports[] | select(.name == "by-fd").state'; }
by_fd_there() { [ -n "$(by_fd_state)" ]; }
check "an inherited descriptor is handed over" eventually 10 by_fd_there
is "$(by_fd_state)" connected "with its connection"
exits 0 "detach by name" vxdp detach eth0 by-fd
exits 0 "detach by socket" vxdp detach eth0 "$DIR/vm3.sock"
relative() { (cd "$DIR" && on_host "$VXDP" detach eth0 vm2.sock); }
exits 0 "detach by a relative path" relative
exits 3 "detach of a port that is not there" vxdp detach eth0 nosuch
exits 0 "detach --if-exists does not mind" vxdp detach eth0 nosuch --if-exists -j
fits '.detached == false' "and says that it did nothing"
exits 3 "detach of a name that is no UTF-8" vxdp detach eth0 $'\xff'
is "$(ports)" "vm0 web" "the others stay"
exits 0 "stats of one port" vxdp stats eth0 web -j
fits '[.ports[].name] == ["web"]' "shows that one"
exits 3 "stats of a port that is not there" vxdp stats eth0 nosuch
exits 0 "stats for Prometheus" vxdp stats eth0 --format prometheus
is "$(grep -vcE '^# (HELP|TYPE) vxdp_[a-z_]+_total |^vxdp_[a-z_]+_total\{([a-z_]+="[^"]*",?)+\} [0-9]+$' <<<"$OUT")" 0 \
	"every line is of its format"
exits 124 "stats --interval goes on" timeout 3 "${VXDP%/*}/vxdp" stats eth0 --interval 1
cmp_ok "$(grep -c '^eth0$' <<<"$OUT")" '>=' 2 "and prints again and again"
is "$(on_host bash -c "complete() { '$VXDP' __complete detach eth0 ''; }; complete" | tr '\n' ' ')" "vm0 web " \
	"completion knows the ports"

# --- shouting at it ---
for text in '{' 'null' '[]' '{"cmd":1}' '{"cmd":"stauts"}' '{"cmd":"attach"}' \
	'{"cmd":"attach","name":"x","socket-path":"relative"}' '{"cmd":"detach","port":7}' \
	'{"cmd":"capture_start","snaplen":10}' '{"cmd":"capture_stop"}' "$(printf '[%.0s' {1..30000})"; do
	OUT=$(ask "$text")
	fits error_reply "refused: ${text:0:60}"
done
OUT=$(ask '{"cmd":"help"}')
fits '.ok and (.commands | has("attach"))' "help lists the commands"
head -c 4096 /dev/urandom | socat -t 1 - "UNIX-CONNECT:$ctl,socktype=5" >/dev/null 2>&1
is "$(ports)" "vm0 web" "it serves as before"
is "$(stat -c %a "$ctl")" 600 "the socket is root's alone"
refused() { on_host setpriv --reuid=65534 --regid=65534 --clear-groups "$DIR/vxdp" "$@"; }
chmod 755 "$DIR"
install -m 755 "$VXDP" "$DIR/vxdp" # where that user finds it
exits 4 "attach without privileges" refused -j attach eth0 --vm /tmp/x.sock
fits '.error.code == 4 and .error.hint != ""' "says so"
exits 4 "status without privileges" refused status eth0
is "$((0x$(sed -n 's/^CapBnd:\t//p' "/proc/$(<"$DIR/run/eth0/lock")/status") & 1 << 19))" 0 \
	"the process gave up capabilities for good (here: ptrace)"
in_other() { in_ns "$NS_WIRE" "$VXDP" "$@"; }
in_ns "$NS_WIRE" ip link add eth0 type veth peer name eth1
exits 1 "a NIC of the same name in another network namespace is not this one" \
	in_other attach eth0 --vm "$DIR/vm9.sock"

# --- the end ---
exits 0 "detach of everything" vxdp detach eth0
is "$(n_processes)" 0 "waits for the process"
wait "$VXDP_PID"
is $? 0 "which ends with status 0"
is "$(nothing_left)" "" "and leaves nothing behind"

for signal in TERM INT; do
	start --vm "$DIR/vm0.sock"
	finish $signal
	is $? 0 "SIG$signal ends it with status 0"
	is "$(nothing_left)" "" "nothing is left"
done

# --- killed ---
start --vm "$DIR/vm0.sock"
finish KILL
exits 0 "status of a killed one" vxdp status eth0 -j
fits status_dead "comes from the maps"
exits 0 "its stats too" vxdp stats eth0 -j
start --vm "$DIR/vm0.sock"
is "$(ports)" vm0 "another takes over"
finish KILL
exits 0 "detach cleans up after a killed one" vxdp detach eth0
is "$(nothing_left)" "" "nothing is left"

# --- all at once ---
for i in 1 2 3 4; do
	on_host "$VXDP" attach eth0 --vm "$DIR/race$i.sock" >>"$DIR/log" 2>&1 &
done
eventually 20 sh -c "[ \"\$(nsenter --net=/run/netns/$NS_HOST $VXDP -j status eth0 | jq '.ports | length')\" = 4 ]"
is "$(ports)/$(n_processes)" "race1 race2 race3 race4/1" "four at once are one process with four ports"
vxdp detach eth0 >/dev/null

# --- systemd ---
socat -u "UNIX-RECV:$DIR/notify" "CREATE:$DIR/notified" &
eventually 5 test -S "$DIR/notify"
NOTIFY_SOCKET=$DIR/notify start --vm "$DIR/vm0.sock"
finish TERM
eventually 5 grep -q STOPPING=1 "$DIR/notified"
is "$(grep -aoE 'READY=1|STOPPING=1|STATUS=eth0: native XDP, 1 port' "$DIR/notified" | tr '\n' ' ')" \
	"STATUS=eth0: native XDP, 1 port READY=1 STOPPING=1 " "systemd is told"
