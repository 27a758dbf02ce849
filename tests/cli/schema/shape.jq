# SPDX-License-Identifier: GPL-2.0-or-later
#
# What every command prints with -j, as predicates: true for a document of the right shape. Members
# may be added, so only what is promised is looked at.

def natural: type == "number" and . >= 0 and . == floor;
def text: type == "string";
def flag: type == "boolean";
def list(item): type == "array" and all(.[]; item);
def one_of(words): . as $word | words | index($word) != null;
def counter: (.packets | natural) and (.bytes | natural);
def counters: type == "object" and all(.[]; counter);

def error_reply:
	(keys == ["error"]) and (.error | (.code | natural and . >= 1 and . <= 5) and
	(.message | text and . != "") and (.hint | text));

def policy:
	(.vlan | (.mode | one_of(["all", "access", "trunk"])) and (.vlan | . == null or natural) and
	(.trunk | . == null or text) and (.native | . == null or natural)) and (.isolated | flag) and
	(.learning | flag) and (.flood | flag) and (.storm | natural) and (.mac_limit | natural) and
	(.spoof_check | flag) and (.macs | list(text));

def queue_status:
	(.pair | natural) and (.rx_size | natural) and (.tx_size | natural) and (.enabled | flag) and
	(.nic_queue | type == "number");

def port_status:
	(.name | text) and (.id | natural and . >= 3) and (.kind | one_of(["vm"])) and
	(.socket | text) and (.role | one_of(["auto", "client", "server"])) and
	(.state | one_of(["waiting", "connected", "running"])) and (.tap | text) and
	(.lane | one_of(["direct", "shared", "kernel", "none"])) and (.lane_reason | text) and
	(.zerocopy | flag) and (.queue_pairs | natural) and
	(.ring | . == null or one_of(["split", "packed"])) and (.features | list(text)) and
	(.protocol_features | list(text)) and (.mtu | natural) and (.connects | natural) and
	(.memory | (.bytes | natural) and (.regions | natural) and (.pinned_bytes | natural) and
	(.kernel_bytes | natural)) and (.queues | list(queue_status)) and (.policy | policy);

def worker_status:
	(.cpu | type == "number") and (.state | one_of(["polling", "sleeping"])) and
	(.polls | natural) and (.busy_polls | natural) and (.frames | natural) and
	(.busy_cycles | natural) and (.cycles_per_frame | type == "number") and (.sleeps | natural);

def status_nic:
	(.nic | text) and (.version | text) and (.pid | natural and . > 0) and
	(.xdp | one_of(["native", "skb"])) and (.ports | list(port_status)) and
	(.workers | list(worker_status)) and
	(.shared | (.nic_queues | natural) and (.zerocopy | flag) and (.bytes | natural));

def tap_port_status:
	(.name | text) and (.id | natural and . >= 3) and .kind == "tap" and
	(.state | one_of(["waiting", "running", "gone"])) and (.tap | text) and (.lane | text) and
	(.lane_reason | text) and (.queue_pairs | natural) and (.mtu | natural);

def status_standing:
	(.nic | text) and .pid == 0 and (.xdp | one_of(["native", "skb"])) and
	(.ports | list(tap_port_status));

def status_dead:
	(.nic | text) and .pid == 0 and
	(.ports | list((.name | text) and .state == "dead"));

def lanes:
	(.direct | counter) and (.shared | counter) and (.kernel | counter) and (.guest | counter) and
	(.bounced | counter) and (.drops | counters);

def queue_stats:
	(.pair | natural) and (.rx | lanes) and (.tx | lanes) and (.xsk | all(.[]; natural));

def port_stats:
	(.name | text) and (.id | natural) and (.verdicts | counters and length > 10) and
	(.queues // [] | list(queue_stats));

def stats_nic: (.nic | text) and (.ports | list(port_stats));

def fdb_show:
	(.nic | text) and (.entries | list((.mac | test("^([0-9a-f]{2}:){5}[0-9a-f]{2}$")) and
	(.vlan | natural) and (.port | text) and (.port_id | natural) and (.static | flag) and
	(.age_ms | natural)));

def fdb_ageing: (.nic | text) and (.ageing_s | natural);

def port_show: (.nic | text) and (.ports | list((.name | text) and (.id | natural) and policy));

def features_nic:
	(.nic | text) and (.driver | text) and (.mtu | natural) and (.rx_queues | natural) and
	(.features | list((.name | text) and (.answer | one_of(["yes", "no", "unknown"])) and
	(.weight | one_of(["needed", "speed", "info"])) and (.detail | text and . != "") and
	(.fix | text))) and
	(.guest | (.lane | one_of(["direct", "shared", "kernel", "none"])) and (.lane_reason | text));

def version_all: (.version | text) and (.libbpf | text) and (.abi | natural);
