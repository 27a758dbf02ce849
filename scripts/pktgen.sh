#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# pktgen.sh - send UDP frames with the kernel's packet generator (module pktgen)
#
#   pktgen.sh -i DEV [-s FRAME_BYTES] [-d DEST_IP] [-m DEST_MAC] [-p DEST_PORT] [-t THREADS]
#             [-c CLONES] [-n FRAMES] [-b BURST] [-v]
#
# The letters are those of the kernel's sample scripts. -s counts from the Ethernet header to the
# end of the payload, without the checksum of the frame. -n is for each thread; 0 goes on until
# SIGINT or SIGTERM. -c (how often a frame is sent again) and -b (frames a call) work where the
# driver can share frames; virtio_net and veth take 0 and 1. One JSON line:
#   {"dev":"eth0","threads":1,"sent":100000,"errors":0,"seconds":1.234,"pps":81037,"mbit_s":38}
#
# What became of the frames in a vxdp on the way, `account NIC pktgen.sh ...` adds to that line.
#
# Runs in any POSIX shell, busybox too.
set -eu

PG=/proc/net/pktgen
dev='' size=60 ip='' mac='' port=9 threads=1 clones=0 frames=100000 burst=1 verbose=''

die() { echo "pktgen.sh: $*" >&2; exit 1; }
usage() { sed -n '3,/^set/p' "$0" | sed '/^set/d; s/^# \{0,1\}//'; exit "$1"; }

while getopts i:s:d:m:p:t:c:n:b:vh letter; do
	case $letter in
	i) dev=$OPTARG ;;
	s) size=$OPTARG ;;
	d) ip=$OPTARG ;;
	m) mac=$OPTARG ;;
	p) port=$OPTARG ;;
	t) threads=$OPTARG ;;
	c) clones=$OPTARG ;;
	n) frames=$OPTARG ;;
	b) burst=$OPTARG ;;
	v) verbose=1 ;;
	h) usage 0 ;;
	*) usage 2 >&2 ;;
	esac
done
[ -n "$dev" ] || usage 2 >&2
ip link show dev "$dev" >/dev/null 2>&1 || die "no network device '$dev'"
[ -e $PG ] || modprobe pktgen 2>/dev/null || true
[ -e $PG ] || die "this kernel has no pktgen module"

# pg FILE COMMAND: one command; the kernel's answer has to be OK.
pg() {
	[ -z "$verbose" ] || echo "$1: $2" >&2
	echo "$2" >"$PG/$1" 2>/dev/null || die "$2: $(sed -n 's/^Result: //p' "$PG/$1")"
}

# The neighbour's address saves the user from typing it.
if [ -z "$mac" ] && [ -n "$ip" ]; then
	ping -c 1 -W 1 "$ip" >/dev/null 2>&1 || true
	mac=$(ip neigh show "$ip" dev "$dev" | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
fi
[ -n "$mac" ] || die "no destination MAC (-m), and none known for '$ip'"

reset() { [ ! -e $PG/pgctrl ] || echo reset >$PG/pgctrl; }
trap reset EXIT
trap 'echo stop >$PG/pgctrl' INT TERM

reset
thread=0
while [ $thread -lt "$threads" ]; do
	[ -e $PG/kpktgend_$thread ] || die "no CPU for thread $thread"
	name=$dev@$thread
	pg kpktgend_$thread "add_device $name"
	pg "$name" "count $frames"
	pg "$name" "pkt_size $size"
	pg "$name" "clone_skb $clones"
	pg "$name" "burst $burst"
	pg "$name" "delay 0"
	pg "$name" "flag NO_TIMESTAMP" 2>/dev/null || true
	pg "$name" "dst_mac $mac"
	case $ip in
	'') ;;
	*:*) pg "$name" "dst6 $ip" ;;
	*)
		pg "$name" "dst_min $ip"
		pg "$name" "dst_max $ip"
		;;
	esac
	source=$(ip -4 -o addr show dev "$dev" | sed -n '1s/.* inet \([0-9.]*\).*/\1/p')
	if [ -n "$source" ]; then
		pg "$name" "src_min $source"
		pg "$name" "src_max $source"
	fi
	pg "$name" "udp_src_min $((1024 + thread))"
	pg "$name" "udp_src_max $((1024 + thread))"
	pg "$name" "udp_dst_min $port"
	pg "$name" "udp_dst_max $port"
	thread=$((thread + 1))
done

# Returns when all frames are sent; a signal stops it.
echo start >$PG/pgctrl &
wait $! || wait $! || true

cat $PG/"$dev"@* | awk -v dev="$dev" -v threads="$threads" -v size="$size" '
	/pkts-sofar:/ { sent += $2; errors += $4 }
	/^Result: OK:/ { split($3, us, "("); if (us[1] + 0 > time) time = us[1] + 0 }
	END {
		seconds = time / 1000000
		pps = seconds > 0 ? sent / seconds : 0
		printf "{\"dev\":\"%s\",\"threads\":%d,\"sent\":%d,\"errors\":%d,\"seconds\":%.3f,\"pps\":%d,\"mbit_s\":%d}\n",
			dev, threads, sent, errors, seconds, pps, pps * size * 8 / 1000000
	}'
