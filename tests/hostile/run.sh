#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - hostile front ends and guests against a running vxdp, from outside (TAP).
#
#   tests/hostile/run.sh [CASE]...        C1..C26, R1..R20; all of them without arguments
#
# One test for each input, by the number it has in the list below. While one port of vxdp, "victim",
# is attacked (attacker.c), another one of the same process, "other", is used by a well-behaved guest
# that echoes numbered frames with the wire (guest.c). Each test asserts:
#
#   - every step came out as it must: refused, hung up, ring given up, or served on (attack.h)
#   - vxdp runs, and is the same process
#   - the other port lost, duplicated, reordered and corrupted nothing, and frames did flow
#   - a well-behaved guest on the attacked socket is served again
#   - descriptors are as many as before, mappings within 8, resident memory within 24 MiB
#   - the log names the attacked port
#
# The inputs are tried on a victim in the direct lane, and those that a guest makes (R) on one in the
# kernel lane too; the other port is in the other lane. R5 runs against sanitised builds.
#
#   RACE_SECONDS=60     for R5, for each sanitiser
#   CYCLES=100000       connections in C21, hot-plugs in C14, messages / 20 in C20
#   VXDP=build/vxdp     the program for everything but R5
#   VERBOSE=1           what came of every step
#   LANES='direct kernel', SANS='address thread'    which passes

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${BOUNDED:-}" ]; then
	BOUNDED=1 exec timeout -k 15 "${HOSTILE_TIMEOUT:-900}" bash "$0" "$@"
fi
unset BOUNDED
. "$ROOT/tests/lib/tap.sh"
. "$ROOT/tests/lib/net.sh"

VXDP=${VXDP:-$ROOT/build/vxdp}
ATTACKER=$ROOT/build/tests/hostile/attacker
GUEST=$ROOT/build/tests/hostile/guest
RACE_SECONDS=${RACE_SECONDS:-60}
CYCLES=${CYCLES:-100000}
FRAMES=30 # that the other port must have exchanged during each attack

declare -A TITLE=(
	[C1]="messages in pieces"
	[C2]="payload sizes"
	[C3]="version and flags"
	[C4]="unknown requests, and those not negotiated"
	[C5]="too many descriptors, too few, where none belong (CVE-2019-14818, CVE-2022-0669)"
	[C6]="no descriptors left in vxdp"
	[C7]="descriptors of the wrong kind"
	[C8]="descriptors that lead back to vxdp"
	[C9]="ring numbers (CVE-2020-10723)"
	[C10]="ring sizes (CVE-2026-86565)"
	[C11]="ring addresses (CVE-2018-1059)"
	[C12]="ring base"
	[C13]="memory tables (CVE-2026-86561)"
	[C14]="memory that changes while rings run"
	[C15]="memory cut short or punched under vxdp (SIGBUS)"
	[C16]="memory that cannot be pinned"
	[C17]="dirty log (CVE-2020-10722, CVE-2026-86563)"
	[C18]="in-flight regions (CVE-2020-10726, CVE-2021-3839)"
	[C19]="features"
	[C20]="floods of messages, answers not read"
	[C21]="two front ends, ${CYCLES} connections, kill -9, SIGSTOP"
	[C22]="every message in every state"
	[C23]="the channel to the front end"
	[C24]="device status"
	[C25]="MTU"
	[C26]="socket paths"
	[R1]="available index"
	[R2]="available ring entries (CVE-2026-86846)"
	[R3]="chains that loop or lead away (CVE-2019-9547)"
	[R4]="indirect tables (CVE-2018-1059, CVE-2026-93683)"
	[R5]="a racing guest (CVE-2020-14375, CVE-2026-86562, CVE-2026-93683)"
	[R6]="addresses out of range (CVE-2018-1059, CVE-2020-10725)"
	[R7]="descriptors of length 0 (CVE-2020-10725)"
	[R8]="transmit chains of any length (CVE-2022-2132)"
	[R9]="receive buffers too small (CVE-2026-86566)"
	[R10]="receive buffers too many and tiny"
	[R11]="virtio-net headers that lie (CVE-2024-11614)"
	[R12]="buffers over rings and over each other"
	[R13]="frames that change after they were handed over"
	[R14]="buffers taken back: no write afterwards"
	[R15]="packed rings"
	[R16]="notifications"
	[R17]="greed"
	[R18]="resets in the middle of a burst"
	[R19]="orders and features not kept"
	[R20]="addresses of others"
)
ALL_C=(C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23 C24 C25 C26)
ALL_R=(R1 R2 R3 R4 R6 R7 R8 R9 R10 R11 R12 R13 R14 R15 R16 R17 R18 R19 R20)

# Published weaknesses of vhost back ends that a network back end can have too. Each is named by the
# steps that try exactly it (attacker CVE-... runs only those).
KNOWN=(
	CVE-2016-5403 CVE-2018-1059 CVE-2018-16880 CVE-2019-9547 CVE-2019-14818 CVE-2019-14835
	CVE-2020-10722 CVE-2020-10723 CVE-2020-10725 CVE-2020-10726 CVE-2020-14375 CVE-2021-3839
	CVE-2022-0669 CVE-2022-2132 CVE-2024-11614 CVE-2026-86561 CVE-2026-86562 CVE-2026-86563
	CVE-2026-86565 CVE-2026-86566 CVE-2026-86567 CVE-2026-86846 CVE-2026-86847 CVE-2026-86848
	CVE-2026-93683 CVE-2026-100236 "qemu 2149" "qemu 3879" "qemu 3974" "qemu 3984" "qemu 4403"
	"SPDK 1183" "vm-memory 98"
)

# ---- vxdp and the two ports ---------------------------------------------------------------------

vxdp() { on_host "$VXDP" "$@"; }

# Memory that vxdp may use, so that an attack on memory costs the test and not the machine.
cage_make() {
	local own
	CAGE=
	if own=$(awk -F: '$2 == "memory" { print $3 }' /proc/self/cgroup) && [ -n "$own" ]; then
		CAGE=/sys/fs/cgroup/memory$own/vxdp-hostile-$$
		mkdir "$CAGE" 2>/dev/null && echo 2G >"$CAGE/memory.limit_in_bytes" 2>/dev/null && return
	elif grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
		CAGE=/sys/fs/cgroup/vxdp-hostile-$$
		mkdir "$CAGE" 2>/dev/null && echo 2G >"$CAGE/memory.max" 2>/dev/null && return
	fi
	[ -n "$CAGE" ] && rmdir "$CAGE" 2>/dev/null
	CAGE=
}

# vxdp_up BINARY VICTIM_LANE OTHER_LANE
vxdp_up() {
	VXDP=$1
	: >"$LOG"
	(
		[ -n "$CAGE" ] && echo "$BASHPID" >"$CAGE/cgroup.procs"
		exec nsenter --net="/run/netns/$NS_HOST" -- "$VXDP" attach eth0 --vm "$DIR/victim.sock" \
			--name victim --role server --lane "$2"
	) </dev/null >>"$LOG" 2>&1 &
	PID=$!
	eventually 20 vxdp_ready || return 1
	vxdp attach eth0 --vm "$DIR/other.sock" --name other --role server --lane "$3" >>"$LOG" 2>&1 || return 1
	other_up && serves >>"$LOG" 2>&1 || return 1 # makes what vxdp makes once
	baseline
}

# What vxdp holds while nobody attacks it: once it does not change any more.
baseline() {
	local i same=0 now
	for ((i = 0; i < 100 && same < 5; i++)); do
		now=$(fds)
		[ "$now" = "${BASE_FDS:-}" ] && same=$((same + 1)) || same=0
		BASE_FDS=$now BASE_MAPS=$(maps) BASE_RSS=$(rss_kib)
		sleep 0.1
	done
	fd_kinds >"$DIR/fds-before"
}

vxdp_ready() { kill -0 "$PID" && vxdp -j status eth0 | json_holds '.ports | length > 0'; }

vxdp_down() {
	local i
	other_down
	[ -n "$PID" ] || return 0
	kill -TERM "$PID" 2>/dev/null
	for ((i = 0; i < 150; i++)); do
		kill -0 "$PID" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$PID" 2>/dev/null
	wait "$PID" 2>/dev/null
	VXDP_STATUS=$?
	PID=
}

other_up() {
	coproc OTHER { exec "$GUEST" --socket "$DIR/other.sock" --wire "$NS_WIRE:wire0" --id 1 --serve 2>&1; }
	other_says 20 serving
}

other_down() {
	[ -n "${OTHER_PID:-}" ] || return 0
	kill "$OTHER_PID" 2>/dev/null
	wait "$OTHER_PID" 2>/dev/null
	OTHER_PID=
}

# other_says SECONDS WORD: the answer begins with it; it is in ANSWER.
other_says() {
	ANSWER=
	read -r -t "$1" ANSWER <&"${OTHER[0]}" 2>/dev/null || return 1
	[[ $ANSWER == "$2"* ]]
}

other_ask() { { echo "$1" >&"${OTHER[1]}"; } 2>/dev/null; }

# ---- one input ----------------------------------------------------------------------------------

fds() { find "/proc/$PID/fd" -mindepth 1 2>/dev/null | wc -l; }
fd_kinds() { find "/proc/$PID/fd" -mindepth 1 -printf '%l\n' 2>/dev/null | sed 's/[0-9][0-9]*//' | sort | uniq -c; }
maps() { wc -l <"/proc/$PID/maps" 2>/dev/null; }
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$PID/status" 2>/dev/null; }
named() { grep -c '\bvictim\b' "$LOG"; }

is_back() {
	NOW="descriptors $(fds), mappings $(maps), $(rss_kib) KiB"
	[ "$(fds)" -eq "$BASE_FDS" ] || return 1
	[ -n "$SANITISED" ] && return 0
	[ "$(maps)" -le $((BASE_MAPS + 8)) ] && [ "$(rss_kib)" -le $((BASE_RSS + 24576)) ]
}

problem() { PROBLEMS+=("$*"); }

# Frames of the victim that vxdp sent or dropped, all reasons together.
sent_or_dropped() {
	vxdp -j stats eth0 victim |
		jq '[.ports[] | select(.name == "victim") | .queues[]?.tx | .. | .packets? | numbers] | add // 0'
}

# Every frame that the guest got its buffer back for was delivered or dropped with a reason. (Cases
# without segmentation, which makes several frames of one.)
accounted() {
	local tx now
	case $1 in
	R8 | R16 | R17 | R20) ;;
	*) return 0 ;;
	esac
	tx=$(sed -n 's/.* tx=\([0-9]*\)$/\1/p' "$DIR/$1.out")
	now=$(($(sent_or_dropped) - SENT_BEFORE))
	ACCOUNT="the guest offered $tx frames, vxdp accounts for $now"
	[ "$tx" = "$now" ]
}

# The victim's socket serves a well-behaved guest.
serves() { "$GUEST" --socket "$DIR/victim.sock" --wire "$NS_WIRE:wire0" --id 2 --frames 64 --timeout 10; }

# attack CASE: what must hold before, during and after.
attack() {
	local id=$1 lines out=$DIR/$1.out start=$SECONDS
	PROBLEMS=()
	lines=$(named)
	SENT_BEFORE=$(sent_or_dropped)
	if ! other_ask mark || ! other_says 10 ok; then
		problem "the other port's guest does not answer before"
	fi
	"attack_$([ "$id" = C26 ] && echo paths || echo program)" "$id" >"$out" 2>&1 ||
		problem "the attack did not end as it must"
	if ! kill -0 "$PID" 2>/dev/null; then
		problem "vxdp is gone"
		return
	fi
	if ! other_ask "check $FRAMES" || ! other_says 30 exact; then
		problem "the other port: ${ANSWER:-no answer}" "$(vxdp stats eth0 --drops 2>&1)"
	fi
	accounted "$id" || problem "$ACCOUNT"
	serves >"$DIR/serves" 2>&1 || problem "a good guest is not served afterwards: $(tail -n 2 "$DIR/serves")"
	eventually 6 is_back ||
		problem "left behind: $NOW; before: $BASE_FDS, $BASE_MAPS, $BASE_RSS KiB" \
			"$(fd_kinds | diff "$DIR/fds-before" -)"
	[ "$id" != R20 ] || pin_addresses add dynamic
	[ "$(named)" -gt "$lines" ] || grep -q 'kept back\|suppressed' "$LOG" || recently_full ||
		problem "the log does not name the port"
	TOOK=$((SECONDS - start))
	LINES+=("$SECONDS:$(($(named) - lines))")
}

# vxdp prints ten lines about a port in ten seconds: were they printed just before?
recently_full() {
	local entry n=0
	for entry in "${LINES[@]}"; do
		[ "${entry%%:*}" -ge $((SECONDS - 12)) ] && n=$((n + ${entry#*:}))
	done
	[ "$n" -ge 10 ]
}

# Whose address is learnt can be moved by whoever claims it, as on any learning switch; what the
# administrator wrote down (vxdp fdb add ... static) cannot.
pin_addresses() {
	vxdp fdb "$1" eth0 52:54:00:5a:01:01 dev other "$2" &&
		vxdp fdb "$1" eth0 52:54:00:5a:02:01 dev uplink "$2"
}

attack_program() {
	[ "$1" != R20 ] || pin_addresses add static || return
	timeout -k 5 "$((90 + RACE_SECONDS))" "$ATTACKER" "$1" --socket "$DIR/victim.sock" \
		--wire "$NS_WIRE:wire0" --pid "$PID" --cycles "$CYCLES" --seconds "$RACE_SECONDS" || return
	if [ "$1" = C13 ] && [ -n "$CAGE" ]; then # never without a limit
		grep -q "^$PID\$" "$CAGE/cgroup.procs" || return
		timeout -k 5 90 "$ATTACKER" C13-sparse --socket "$DIR/victim.sock" \
			--wire "$NS_WIRE:wire0" --pid "$PID"
	fi
}

report() {
	local id=$1 where=$2 p
	if [ ${#PROBLEMS[@]} -eq 0 ]; then
		ok "$id ${TITLE[$id]}$where"
		[ -n "${VERBOSE:-}" ] && { diag "took ${TOOK:-0} s"; cat "$DIR/$id.out"; }
		return
	fi
	not_ok "$id ${TITLE[$id]}$where"
	BAD+=" $id "
	for p in "${PROBLEMS[@]}"; do diag "$p"; done
	grep -a 'WRONG\|cannot\|Error\|failed=' "$DIR/$id.out" | head -n 20 | sed 's/^\(# \)*/#   /'
	diag "$(tail -n 5 "$LOG")"
}

# run_cases WHERE VICTIM_LANE OTHER_LANE CASE...
run_cases() {
	local where=$1 victim=$2 other=$3 id
	shift 3
	[ $# -gt 0 ] || return 0
	vxdp_up "$BINARY" "$victim" "$other" || problem "vxdp does not come up"
	LINES=("$SECONDS:$(grep -c 'victim: front end' "$LOG")")
	for id in "$@"; do
		if [ -z "$PID" ] || ! kill -0 "$PID" 2>/dev/null; then
			vxdp_down
			vxdp_up "$BINARY" "$victim" "$other" || diag "vxdp does not come up" "$(tail -n 5 "$LOG")"
		fi
		attack "$id"
		report "$id" "$where"
	done
	vxdp_down
	faults && VXDP_STATUS="$VXDP_STATUS, $FAULTS"
	is "$VXDP_STATUS" 0 "vxdp ends as it should after all that$where"
}

# faults: has a sanitiser something to say?
faults() {
	FAULTS=$(grep -a -A 14 'ERROR: .*Sanitizer\|WARNING: ThreadSanitizer\|runtime error:' "$LOG" | head -n 45)
	[ -n "$FAULTS" ]
}

# ---- C26: the socket's path ---------------------------------------------------------------------

# paths_case TEXT STATUS PATH [COMMAND]: attach there must end with that status (ok or fails).
paths_case() {
	local text=$1 wanted=$2 path=$3 got=ok
	vxdp attach eth0 --vm "$path" --name path26 --role server >"$DIR/path.out" 2>&1 || got=fails
	echo "# C26 $text: $got"
	[ "$got" = "$wanted" ] || { echo "# WRONG: $text: $got, $(tail -n 1 "$DIR/path.out")"; PATHS_BAD=1; }
	[ "$got" = fails ] && ! grep -q . "$DIR/path.out" && { echo "# WRONG: $text: no reason given"; PATHS_BAD=1; }
	vxdp detach eth0 path26 --if-exists >/dev/null 2>&1
}

attack_paths() {
	local d=$DIR/paths name dead
	PATHS_BAD=
	rm -rf "$d"
	mkdir -p "$d/dir"

	# A socket that a dead process left is taken over; one that somebody serves is not.
	"$GUEST" --socket "$d/stale" --listen >/dev/null 2>&1 &
	dead=$!
	eventually 5 test -S "$d/stale"
	kill -KILL $dead
	wait $dead 2>/dev/null
	paths_case "stale socket" ok "$d/stale"
	paths_case "another port's socket, in use" fails "$DIR/other.sock"

	# What is not a socket is not removed.
	echo precious >"$d/file"
	paths_case "a file" fails "$d/file"
	[ "$(cat "$d/file" 2>/dev/null)" = precious ] || { echo "# WRONG: the file is gone"; PATHS_BAD=1; }
	paths_case "a directory" fails "$d/dir"
	[ -d "$d/dir" ] || { echo "# WRONG: the directory is gone"; PATHS_BAD=1; }
	echo precious >"$d/target"
	ln -s "$d/target" "$d/link"
	paths_case "a symbolic link to a file" fails "$d/link"
	[ "$(cat "$d/target" 2>/dev/null)" = precious ] || { echo "# WRONG: the link's target is gone"; PATHS_BAD=1; }
	ln -s "$d/nowhere" "$d/dangling"
	paths_case "a dangling symbolic link" fails "$d/dangling"
	[ -e "$d/nowhere" ] && { echo "# WRONG: made a socket through a link"; PATHS_BAD=1; }

	paths_case "no such directory" fails "$d/missing/sock"
	printf -v name '%0120d' 1
	paths_case "a path too long for a socket" fails "$d/$name"
	paths_case "an empty path" fails ""

	# Nobody but its owner may connect, whatever the umask; and nobody else can.
	chmod 755 "$DIR" "$d"
	(umask 0; vxdp attach eth0 --vm "$d/umask" --name path26 --role server) >/dev/null 2>&1
	case $(stat -c %a "$d/umask" 2>/dev/null) in
	*[2367] | "") echo "# WRONG: the socket's mode is $(stat -c %a "$d/umask" 2>&1)"; PATHS_BAD=1 ;;
	esac
	if command -v setpriv >/dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups \
		socat -u OPEN:/dev/null "UNIX-CONNECT:$d/umask" 2>/dev/null; then
		echo "# WRONG: somebody else can connect"
		PATHS_BAD=1
	fi
	vxdp detach eth0 path26 --if-exists >/dev/null 2>&1
	[ -e "$d/umask" ] && { echo "# WRONG: the socket is left after detach"; PATHS_BAD=1; }

	paths_client "$d/client"
	[ -z "$PATHS_BAD" ]
}

# vxdp connects, to somebody who hangs up on it, and then to one who does not.
paths_client() {
	local path=$1 before server
	vxdp attach eth0 --vm "$path" --name path26 --role client >/dev/null 2>&1
	socat -t 0 -U "UNIX-LISTEN:$path,fork" OPEN:/dev/null 2>/dev/null &
	server=$!
	before=$(cpu_ticks)
	sleep 2
	[ $(($(cpu_ticks) - before)) -lt 150 ] || { echo "# WRONG: it spins"; PATHS_BAD=1; }
	kill $server
	wait $server 2>/dev/null
	rm -f "$path"
	for _ in 1 2; do # it comes back by itself, also to the next one
		if ! "$GUEST" --socket "$path" --listen --wire "$NS_WIRE:wire0" --id 3 --frames 32 --timeout 10; then
			echo "# WRONG: a guest that listens is not served"
			PATHS_BAD=1
		fi
	done
	vxdp detach eth0 path26 --if-exists >/dev/null 2>&1
}

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$PID/stat"; }

# ---- R5: a racing guest, sanitised --------------------------------------------------------------

race() {
	local san=$1 binary=$ROOT/build/san-$1/vxdp made
	SANITISED=$san
	PROBLEMS=()
	LINES=()
	if ! made=$(make -C "$ROOT" -j"$(nproc)" SAN="$san" "build/san-$san/vxdp" 2>&1); then
		not_ok "R5 ${TITLE[R5]}, $san sanitiser"
		diag "make SAN=$san: $(tail -n 5 <<<"$made")"
		return
	fi
	local limit=$CAGE
	CAGE= # sanitisers need more
	if vxdp_up "$binary" auto kernel; then
		attack R5
		vxdp_down
		[ "$VXDP_STATUS" -eq 0 ] || problem "vxdp ended with $VXDP_STATUS"
	else
		problem "vxdp does not come up"
		vxdp_down
	fi
	faults && problem "$FAULTS"
	grep -h 'changes' "$DIR/R5.out" 2>/dev/null
	report R5 ", $san sanitiser"
	CAGE=$limit
	SANITISED=
}

# known ID: the steps that name it ran, came out right, and their cases held altogether.
known() {
	local id=$1 lines cases case good=1
	lines=$(cat "$DIR"/*.out | grep -F "$id" | grep '^# [CR]')
	[ -n "$lines" ] || good=
	grep -q 'WRONG\|cannot get that far' <<<"$lines" && good=
	mapfile -t cases < <(awk '{ print $2 }' <<<"$lines" | sort -u)
	for case in "${cases[@]}"; do
		[[ $BAD == *" $case "* ]] && good=
	done
	if [ -n "$good" ]; then ok "$id: ${cases[*]}"; else
		not_ok "$id: ${cases[*]}"
		diag "$lines"
	fi
}

# ---- all of it ----------------------------------------------------------------------------------

end() {
	local status=$?
	trap - EXIT TERM INT HUP
	vxdp_down
	net_down
	umount "$DIR/bpf" 2>/dev/null || umount -l "$DIR/bpf" 2>/dev/null
	[ -n "$CAGE" ] && rmdir "$CAGE" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$DIR"
	[ "$TAP_FAILED" -eq 0 ] && [ "$TAP_N" -eq "$TAP_PLAN" ] || status=1
	exit $status
}

export ASAN_OPTIONS=quarantine_size_mb=16:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=0:history_size=4
SANITISED='' BAD='' PID='' VXDP_STATUS='' LINES=() BINARY=$VXDP
[[ $VXDP == *san-* ]] && SANITISED=given # its memory says nothing then
LAB_ID=vxhostile$$
DIR=$(mktemp -d "${TMPDIR:-/tmp}/vxhostile.XXXXXX")
LOG=$DIR/vxdp.log
: >"$LOG"

c=() r=() r5=()
SANS=${SANS:-address thread}
[ $# -eq 0 ] || KNOWN=()
[ $# -gt 0 ] || set -- "${ALL_C[@]}" "${ALL_R[@]}" R5
for id; do
	case $id in
	R5) read -ra r5 <<<"$SANS" ;;
	C*) c+=("$id") ;;
	R*) r+=("$id") ;;
	esac
	[ -n "${TITLE[$id]:-}" ] || { echo "run.sh: no case $id" >&2; exit 2; }
done
LANES=${LANES:-direct kernel}
n=0
[[ $LANES == *direct* ]] && n=$((n + ${#c[@]} + ${#r[@]} + (${#c[@]} + ${#r[@]} > 0)))
[[ $LANES == *kernel* ]] && n=$((n + ${#r[@]} + (${#r[@]} > 0)))
plan $((n + ${#r5[@]} + ${#KNOWN[@]}))
trap end EXIT
trap 'exit 143' TERM INT HUP

for tool in "$VXDP" "$ATTACKER" "$GUEST"; do
	[ -x "$tool" ] || bail "$tool is not built"
done
mkdir -p "$DIR/run" "$DIR/bpf"
mount -t bpf bpf "$DIR/bpf" || bail "cannot mount a BPF file system"
export VXDP_RUNDIR=$DIR/run VXDP_BPFFS=$DIR/bpf
net_up || bail "the wire cannot be made"
cage_make

[[ $LANES == *direct* ]] && run_cases "" auto kernel "${c[@]}" "${r[@]}"
[[ $LANES == *kernel* ]] && run_cases ", kernel lane" kernel auto "${r[@]}"
for san in "${r5[@]}"; do race "$san"; done
for id in "${KNOWN[@]}"; do known "$id"; done
