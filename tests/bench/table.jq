# SPDX-License-Identifier: GPL-2.0-or-later
# table.jq - the JSON lines of a benchmark run, slurped, as two tables in markdown.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def quantile($q): sort | .[((length - 1) * $q) | round];
def digits($n): . * pow(10; $n) | round / pow(10; $n) | tostring;
def names: {vxdp: "vxdp, direct lane", dpdk: "testpmd, io", ovs: "Open vSwitch, in_port rules"};
def directions: {"to-guest": "NIC to guest", "from-guest": "guest to NIC"};

# Of a block, the mean of a switch's measurements of one kind at one distance.
def mean(f): map(f) | add / length;
def cells: group_by([.block, .distance, .direction, .size, .switch]) | map({
	block: .[0].block, distance: .[0].distance, direction: .[0].direction, size: .[0].size,
	switch: .[0].switch, cycles: mean(.cycles_per_frame), rate: mean(.frames_per_second),
	idle: mean(.idle), lost: (1 - (map(.delivered) | add) / (map(.offered) | add))});

def absolute: group_by([.distance, (.direction | length), .size, .switch]) | .[] |
	"| \(.[0].distance) | \(directions[.[0].direction]) | \(.[0].size) | \(names[.[0].switch]) | \(
	map(.cycles) | median | digits(0)) | \(map(.rate) | median / 1e6 | digits(2)) | \(
	map(.idle) | median * 100 | digits(0)) % | \(map(.lost) | median * 100 | digits(1)) % |";

# vxdp over the other switch, block by block.
def ratios: group_by([.block, .distance, .direction, .size]) | map(
	(map(select(.switch == "vxdp")) | .[0]) as $vxdp | select($vxdp) | .[] |
	select(.switch != "vxdp") | {distance, direction, size, switch,
	cycles: ($vxdp.cycles / .cycles * 100), rate: ($vxdp.rate / .rate * 100)});
def spread: "\(median | digits(0)) % (\(quantile(0.1) | digits(0))-\(quantile(0.9) | digits(0)))";
def relative: group_by([.distance, (.direction | length), .size, .switch]) | .[] |
	"| \(.[0].distance) | \(directions[.[0].direction]) | \(.[0].size) | \(names[.[0].switch]) | \(
	map(.cycles) | spread) | \(map(.rate) | spread) | \(length) |";

length as $all | map(select(.valid)) | if length == 0 then "no measurement counts" else
	"\(length) of \($all) measurements count.", "",
	(cells | . as $cells |
	"| CPUs are | direction | bytes | switch | busy cycles a frame | M frames/s | idle | lost |",
	"| --- | --- | --- | --- | --- | --- | --- | --- |",
	absolute, "",
	"| CPUs are | direction | bytes | vxdp over | cycles: median (p10-p90) | rate: median (p10-p90) | blocks |",
	"| --- | --- | --- | --- | --- | --- | --- |",
	($cells | ratios | relative))
end
