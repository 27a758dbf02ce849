# The tables of tests/bench/taps, from the lines of taps_run. --arg unit: "ns" or "instructions".
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def round2: . * 100 | round / 100;
def names: {none: "none", vxdp: "vxdp", vxdp_tc: "vxdp, no XDP on the NIC", vxdp_tap_xdp: "vxdp, XDP on the taps", bridge: "bridge", bridge_xdp: "bridge, XDP program on the NIC", ovs: "openvswitch module"};
def paths: {"wire-tap": "wire to tap", "tap-tap": "tap to tap", "tcp-wire-tap": "wire to tap",
	"tcp-tap-wire": "tap to wire", "tcp-tap-tap": "tap to tap", "tcp-igb0-tap": "igb to tap",
	"tcp-virt0-tap": "virtio_net to tap"};
def rank: {vxdp: 1, vxdp_tc: 2, vxdp_tap_xdp: 3, bridge: 4, bridge_xdp: 5, ovs: 6}[.];
def order: {"tcp-tap-wire": 1, "tcp-tap-tap": 2, "tcp-wire-tap": 3, "tcp-igb0-tap": 4, "tcp-virt0-tap": 5}[.];

[group_by([.path, .size, .switch])[] | {path: .[0].path, size: .[0].size, switch: .[0].switch} +
	(if .[0].bytes then {rate: (map(.bytes / .seconds) | median)}
	 else {send: (map(.send_ns) | median), read: (map(.read_ns) | median)} end)] as $all |
([$all[] | select(.switch == "none") | {key: "\(.path) \(.size)", value: .send}] | from_entries) as $none |
[$all[] | select(.switch != "none") | if .send then . + {whole: (.send + .read), part: (.send - $none["\(.path) \(.size)"])} else . end] as $rows |
([$rows[] | select(.switch == "vxdp") | {key: "\(.path) \(.size)", value: .}] | from_entries) as $vxdp |
([$rows[] | select(.send)] | sort_by([-(.path | length), .size, (.switch | rank)])) as $frames |
([$rows[] | select(.rate)] | sort_by([(.path | order), (.switch | rank)])) as $tcp |
"| frames | bytes | switch | \($unit) a frame, all | of it the switch | reading the tap | vxdp: all | vxdp: the switch |",
"| --- | --- | --- | --- | --- | --- | --- | --- |",
($frames[] | $vxdp["\(.path) \(.size)"] as $v |
	"| \(paths[.path]) | \(.size) | \(names[.switch]) | \(.whole | round) | \(if .part < 0 then "" else .part | round end) | \(.read | round) | \(if .switch == "vxdp" then "" else "\(.whole / $v.whole | round2) times" end) | \(if .switch == "vxdp" or .part < 0 then "" else "\(.part / $v.part | round2) times" end) |"),
"",
"| bulk TCP | switch | \(if $unit == "ns" then "Gbit/s" else "instructions a KiB, all" end) | vxdp |",
"| --- | --- | --- | --- |",
($tcp[] | $vxdp["\(.path) 0"] as $v |
	"| \(paths[.path]) | \(names[.switch]) | \(if $unit == "ns" then .rate * 8 / 1e9 | round2 else 1024e9 / .rate | round end) | \(if .switch == "vxdp" then "" else "\($v.rate / .rate | round2) times" end) |")
