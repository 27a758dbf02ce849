# SPDX-License-Identifier: GPL-2.0-or-later
# guests.jq - the JSON lines of a guest-to-guest run, slurped, as tables in markdown.

def median: sort | if length % 2 == 1 then .[length / 2 | floor]
	else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def quantile($q): sort | .[((length - 1) * $q) | round];
def digits($n): . * pow(10; $n) | round / pow(10; $n) | tostring;
def names: {vxdp: "vxdp", dpdk: "testpmd, io", ovs: "Open vSwitch, NORMAL"};
def mean(f): map(f) | add / length;
def spread: "\(median | digits(0)) % (\(quantile(0.1) | digits(0))-\(quantile(0.9) | digits(0)))";

# Of a block, the mean of a switch's measurements of one kind (a list of labels) at one distance.
def cells(kind): group_by([.block, .distance, kind, .switch]) | map({
	block: .[0].block, distance: .[0].distance, kind: (.[0] | kind), switch: .[0].switch,
	cycles: mean(.cycles_per_frame), per_byte: mean(.cycles_per_frame / .size_bytes),
	rate: mean(.frames_per_second), bits: mean(.frames_per_second * .size_bytes * 8),
	idle: mean(.idle), cpu: mean(.cpu), burst: mean(.burst),
	lost: ((map(.lost) | add) / ([(map(.sent) | add), 1] | max)),
	wrong: (map(.late + .corrupt) | add), p50: mean(.p50_ns), p99: mean(.p99_ns)});

# A row for each kind and switch: columns are of the cells of all blocks.
def rows(columns): group_by([.distance, .kind, .switch]) | .[] |
	"| \(.[0].distance) | \(.[0].kind | map(tostring) | join(" | ")) | \(names[.[0].switch]) | \(columns) |";

# vxdp over another switch, block by block.
def ratios: group_by([.block, .distance, .kind]) | map(
	(map(select(.switch == "vxdp")) | .[0]) as $vxdp | select($vxdp) | .[] |
	select(.switch != "vxdp") | {distance, kind, switch, cycles: ($vxdp.cycles / .cycles * 100),
	rate: ($vxdp.rate / .rate * 100), p50: ($vxdp.p50 / .p50 * 100), p99: ($vxdp.p99 / .p99 * 100)});
def head($columns): "| " + ($columns | join(" | ")) + " |", "|" + ($columns | map(" --- |") | join(""));

def open_tables: map(select(.part == "open")) | select(length > 0) |
	cells([.rings, .buffers, .size_bytes]) |
	head(["CPUs are", "rings", "buffers", "bytes", "switch", "busy cycles a frame", "M frames/s",
		"idle", "frames a burst", "lost", "out of order or damaged"]),
	rows("\(map(.cycles) | median | digits(0)) | \(map(.rate) | median / 1e6 | digits(2)) | \(
		map(.idle) | median * 100 | digits(0)) % | \(map(.burst) | median | digits(0)) | \(
		map(.lost) | median * 100 | digits(1)) % | \(map(.wrong) | add)"),
	"",
	head(["CPUs are", "rings", "buffers", "bytes", "vxdp over", "cycles: median (p10-p90)",
		"rate: median (p10-p90)", "blocks"]),
	(ratios | rows("\(map(.cycles) | spread) | \(map(.rate) | spread) | \(length)"));

def single_tables: map(select(.part == "single")) | select(length > 0) | cells([.rings]) |
	"", "One frame on its way at a time, 64 bytes, from its being written to its being read:", "",
	head(["CPUs are", "rings", "switch", "p50", "p99", "blocks"]),
	rows("\(map(.p50) | median | digits(0)) ns | \(map(.p99) | median | digits(0)) ns | \(length)");

def gso_tables: map(select(.part == "gso")) | select(length > 0) | cells([.rings]) |
	"", "Frames of 64 KiB (44 segments, checksum and segmentation left to the receiver):", "",
	head(["CPUs are", "rings", "switch", "busy cycles a byte", "Gbit/s", "idle", "lost", "blocks"]),
	rows("\(map(.per_byte) | median | digits(3)) | \(map(.bits) | median / 1e9 | digits(0)) | \(
		map(.idle) | median * 100 | digits(0)) % | \(map(.lost) | median * 100 | digits(1)) % | \(length)");

def rates_tables: map(select(.part == "rates")) | select(length > 0) | cells([.rate_wanted]) |
	"", "CPU time of the whole switch (vxdp with `--poll adaptive`; 1 frame a second stands for none):", "",
	head(["CPUs are", "frames/s", "switch", "of a CPU", "p50", "p99", "lost", "blocks"]),
	rows("\(map(.cpu) | median * 100 | digits(1)) % | \(map(.p50) | median / 1000 | digits(1)) us | \(
		map(.p99) | median / 1000 | digits(1)) us | \(map(.lost) | median * 100 | digits(1)) % | \(length)");

def many_tables: map(select(.part == "many")) | select(length > 0) |
	cells([.ports, .macs, .table]) |
	"", "What grows: rings of 256, 64 bytes, 1024 buffers on either side of the switch in all:", "",
	head(["CPUs are", "guests", "addresses used", "addresses known beside them", "switch", "busy cycles a frame",
		"M frames/s", "blocks"]),
	rows("\(map(.cycles) | median | digits(0)) | \(map(.rate) | median / 1e6 | digits(2)) | \(length)");

def workers_tables: map(select(.part == "workers")) | select(length > 0) |
	cells([.workers, .rate_wanted]) |
	"", "Four guests, one worker and two, of which the second shares its CPU with the guests (`--poll adaptive`):", "",
	head(["CPUs are", "workers", "frames/s", "switch", "of a CPU", "p50", "lost", "blocks"]),
	rows("\(map(.cpu) | median * 100 | digits(1)) % | \(map(.p50) | median / 1000 | digits(1)) us | \(
		map(.lost) | median * 100 | digits(1)) % | \(length)");

length as $all | map(select(.valid)) | if length == 0 then "no measurement counts" else
	"\(length) of \($all) measurements count.", "",
	open_tables, single_tables, gso_tables, rates_tables, many_tables, workers_tables
end
