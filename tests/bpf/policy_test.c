// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy_test - what the switch remembers, limits, forgets and records: learning limits, ageing,
 * GSO and long frames, frames for `vxdp dump`.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "addresses.h"
#include "lab.h"
#include "tap.h"

#define SECOND_NS 1000000000ULL
#define KNOWN_US  600000 /* longer than a flow is remembered: FLOW_NS in bpf/flows.bpf.h */

static const uint8_t guest0[6] = GUEST0, guest1[6] = GUEST1, station[6] = STATION;

static void known_addresses(struct lab *lab)
{
	vxdp_fdb_flush(lab->pins, VXDP_PORT_NONE, true);
	vxdp_fdb_age(lab->pins);
	lab_fdb_add(lab, guest0, 0, LAB_PORT(0), 0);
	lab_fdb_add(lab, guest1, 0, LAB_PORT(1), 0);
	lab_fdb_add(lab, station, 0, VXDP_PORT_UPLINK, 0);
}

/* The guest at tap 0 sends from @n addresses, one frame each. */
static void send_from_many(struct lab *lab, uint8_t first, unsigned int n)
{
	struct packet_spec spec = {.dst = STATION, .src = {0x52, 0x54, 0, 1, 0, 0}};
	unsigned int arrived[LAB_ENDS];

	for (unsigned int i = 0; i < n; i++) {
		spec.src[5] = first + i;
		lab_send(lab, LAB_TAP0, &spec, 1, arrived);
	}
}

static enum vxdp_fdb_next count_entry(void *arg, const struct vxdp_fdb_key *key,
				      const struct vxdp_fdb_entry *entry)
{
	unsigned int *count = arg;

	count[entry->port]++;
	return VXDP_FDB_KEEP;
}

static unsigned int addresses_of(struct lab *lab, uint32_t port)
{
	unsigned int count[VXDP_PORTS_MAX] = {0};

	vxdp_fdb_walk(lab->pins, count_entry, count);
	return count[port];
}

static void test_limit(struct lab *lab)
{
	const struct packet_spec moved = {.dst = STATION, .src = {0x52, 0x54, 0, 1, 0, 0}};
	struct vxdp_config *config = lab->pins->mapped_config;
	unsigned int arrived[LAB_ENDS];

	known_addresses(lab);
	vxdp_fdb_age(lab->pins);
	config->fdb_port_max = 4;
	send_from_many(lab, 0, 8);
	tap_is(addresses_of(lab, LAB_PORT(0)), 4, "limit: a port teaches no more than allowed");
	tap_is(addresses_of(lab, LAB_PORT(1)), 1, "limit: another port's addresses stay");
	lab_send(lab, LAB_TAP1, &moved, 1, arrived);
	send_from_many(lab, 7, 1);
	tap_ok(addresses_of(lab, LAB_PORT(0)) == 4 && addresses_of(lab, LAB_PORT(1)) == 2,
	       "limit: an address that moves away makes room for another");
	vxdp_fdb_flush(lab->pins, LAB_PORT(0), false);
	send_from_many(lab, 0, 8);
	tap_is(addresses_of(lab, LAB_PORT(0)), 0, "limit: still held against the old count");
	vxdp_fdb_age(lab->pins);
	send_from_many(lab, 0, 8);
	tap_is(addresses_of(lab, LAB_PORT(0)), 4, "limit: ageing corrects the count");
	config->fdb_port_max = 0;
	send_from_many(lab, 0, 8);
	tap_is(addresses_of(lab, LAB_PORT(0)), 8, "limit: 0 means none");
}

static uint64_t last_seen(const struct lab *lab, const uint8_t mac[6])
{
	struct vxdp_fdb_key key = {.vlan = 0};
	struct vxdp_fdb_entry entry;

	memcpy(key.mac, mac, sizeof(key.mac));
	return vxdp_fdb_get(lab->pins, &key, &entry) ? 0 : entry.last_seen_ns;
}

static void set_last_seen(const struct lab *lab, const uint8_t mac[6], uint32_t port, uint64_t ns)
{
	struct vxdp_fdb_entry entry = {.last_seen_ns = ns, .port = port};
	struct vxdp_fdb_key key = {.vlan = 0};

	memcpy(key.mac, mac, sizeof(key.mac));
	if (bpf_map_update_elem(lab->pins->fdb, &key, &entry, BPF_ANY))
		tap_bail("cannot change the FDB");
}

static void test_refresh(struct lab *lab)
{
	const struct packet_spec spec = {.dst = STATION, .src = GUEST0};
	struct vxdp_fdb_key key = {.mac = GUEST0};
	unsigned int arrived[LAB_ENDS];
	uint64_t before, generation;

	known_addresses(lab);
	before = last_seen(lab, guest0);
	lab_send(lab, LAB_TAP0, &spec, 3, arrived);
	tap_ok(last_seen(lab, guest0) == before, "refresh: not written again within a second");
	set_last_seen(lab, guest0, LAB_PORT(0), before - 2 * SECOND_NS);
	generation = READ_ONCE(lab->pins->mapped_config->generation);
	usleep(KNOWN_US);
	lab_send(lab, LAB_TAP0, &spec, 3, arrived);
	tap_ok(last_seen(lab, guest0) >= before, "refresh: written after a second");
	set_last_seen(lab, guest0, LAB_PORT(0), 1);
	tap_ok(!vxdp_fdb_refresh(lab->pins, &key, LAB_PORT(0)) && last_seen(lab, guest0) >= before,
	       "refresh: by a fast lane");
	set_last_seen(lab, guest0, LAB_PORT(1), 1);
	tap_ok(vxdp_fdb_refresh(lab->pins, &key, LAB_PORT(0)) == -ENOENT &&
		       last_seen(lab, guest0) == 1 && lab_fdb_port(lab, guest0, 0) == LAB_PORT(1),
	       "refresh: a fast lane does not take an address back that has moved");
	tap_ok(READ_ONCE(lab->pins->mapped_config->generation) == generation,
	       "refresh: flow caches are left alone");
}

static void test_ageing(struct lab *lab)
{
	struct vxdp_config *config = lab->pins->mapped_config;
	const uint8_t fixed[6] = {0x52, 0x54, 0, 0, 0, 0x77};
	uint64_t generation;

	known_addresses(lab);
	lab_fdb_add(lab, fixed, 0, LAB_PORT(2), VXDP_FDB_STATIC);
	set_last_seen(lab, guest0, LAB_PORT(0), last_seen(lab, guest0) - 10 * SECOND_NS);
	config->ageing_ns = 0;
	tap_is(vxdp_fdb_age(lab->pins), 0, "ageing: 0 means never");
	config->ageing_ns = 5 * SECOND_NS;
	generation = READ_ONCE(config->generation);
	tap_is(vxdp_fdb_age(lab->pins), 1, "ageing: what was not seen for so long goes");
	tap_ok(lab_fdb_port(lab, guest0, 0) == VXDP_PORT_NONE &&
		       lab_fdb_port(lab, guest1, 0) == LAB_PORT(1),
	       "ageing: that, and nothing else");
	tap_ok(READ_ONCE(config->generation) > generation, "ageing: raises the generation");
	config->ageing_ns = 1;
	tap_is(vxdp_fdb_age(lab->pins), 2, "ageing: all but the static entry");
	tap_is(lab_fdb_port(lab, fixed, 0), LAB_PORT(2), "ageing: a static entry stays");
	config->ageing_ns = 0;
}

static int fill_fdb(struct lab *lab)
{
	const struct vxdp_fdb_entry entry = {.last_seen_ns = 1, .port = LAB_PORT(2)};
	struct vxdp_fdb_key key = {.mac = {0x52, 0x54, 0, 2, 0, 0}};
	unsigned int n;

	for (n = 0; n <= VXDP_FDB_MAX; n++) {
		key.mac[3] = 2 + (n >> 16);
		key.mac[4] = n >> 8;
		key.mac[5] = n;
		if (bpf_map_update_elem(lab->pins->fdb, &key, &entry, BPF_NOEXIST))
			break;
	}
	return (int)n;
}

static void test_full(struct lab *lab)
{
	const struct packet_spec spec = {.dst = GUEST0, .src = {0x52, 0x54, 0, 0, 0, 0x99}};
	struct vxdp_fdb_key key = {.mac = {0x52, 0x54, 0, 0, 0, 0x98}};
	unsigned int arrived[LAB_ENDS];

	known_addresses(lab);
	fill_fdb(lab);
	lab_send(lab, LAB_AT_WIRE, &spec, 2, arrived);
	tap_is(arrived[LAB_TAP0], 2, "full: frames go on when no more addresses fit");
	tap_is(lab_fdb_port(lab, spec.src, 0), VXDP_PORT_NONE, "full: a new address is not learnt");
	tap_is(vxdp_fdb_set(lab->pins, &key, LAB_PORT(0), 0), -ENOSPC, "full: the tool is told");
	tap_is(addresses_of(lab, LAB_PORT(2)), VXDP_FDB_MAX - 3, "full: a walk sees every entry");
	tap_is(vxdp_fdb_flush(lab->pins, LAB_PORT(2), false), VXDP_FDB_MAX - 3,
	       "full: a flush removes every entry of a port");
	tap_is(addresses_of(lab, LAB_PORT(0)), 1, "full: and leaves the others");
}

/* A TCP frame of several segments, as a guest with TSO hands it over. */
static void send_gso(struct lab *lab, const uint8_t dst[6], uint16_t gso_size, uint16_t payload)
{
	struct {
		struct virtio_net_hdr vnet;
		uint8_t frame[16384];
	} __attribute__((packed)) m = {.vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
						.hdr_len = 54,
						.gso_size = gso_size,
						.csum_start = 34,
						.csum_offset = 16}};
	struct packet_spec spec = {.src = GUEST0,
				   .l3 = PACKET_IPV4,
				   .l4 = IPPROTO_TCP,
				   .src_ip = 0x0a4d0001,
				   .dst_ip = 0x0a4d0002};
	uint16_t ip_bytes = htons(40 + payload);
	struct packet packet;

	memcpy(spec.dst, dst, sizeof(spec.dst));
	packet_build(&spec, &packet);
	memcpy(packet.data + 16, &ip_bytes, sizeof(ip_bytes));
	memcpy(m.frame, packet.data, 54);
	if (write(lab->end[LAB_TAP0].fd, &m, sizeof(m.vnet) + 54 + payload) < 0)
		tap_diag("writing a GSO frame: %s", strerror(errno));
}

static void test_gso(struct lab *lab)
{
	struct vxdp_counter before, after;

	known_addresses(lab);
	before = lab_counter(lab, LAB_PORT(0), VXDP_TO_WIRE);
	send_gso(lab, station, 1000, 5500);
	after = lab_counter(lab, LAB_PORT(0), VXDP_TO_WIRE);
	tap_is(after.packets - before.packets, 6, "GSO: counted as its segments");
	tap_is(after.bytes - before.bytes, 5500 + 6 * 54, "GSO: with the headers of each");
	before = lab_counter(lab, LAB_PORT(0), VXDP_TO_PORT);
	send_gso(lab, guest1, 1400, 14000);
	after = lab_counter(lab, LAB_PORT(0), VXDP_TO_PORT);
	tap_is(after.packets - before.packets, 10, "GSO: to another guest too");
	before = lab_counter(lab, LAB_PORT(0), VXDP_TO_HOST);
	send_gso(lab, lab->host_mac, 1460, 2921);
	after = lab_counter(lab, LAB_PORT(0), VXDP_TO_HOST);
	tap_is(after.packets - before.packets, 3, "GSO: the last segment may be short");
	before = lab_counter(lab, LAB_PORT(0), VXDP_DROP_TX_BIG);
	send_gso(lab, station, 4000, 12000);
	after = lab_counter(lab, LAB_PORT(0), VXDP_DROP_TX_BIG);
	tap_is(after.packets - before.packets, 3,
	       "GSO: segments beyond the wire's MTU are dropped");
}

static void test_long(struct lab *lab)
{
	struct packet_spec spec = {.dst = STATION, .src = GUEST0, .bytes = 1514};
	unsigned int arrived[LAB_ENDS];
	uint64_t before;

	known_addresses(lab);
	lab_send(lab, LAB_TAP0, &spec, 2, arrived);
	tap_is(arrived[LAB_AT_WIRE], 2, "long: a full frame");
	spec.vlan[0] = 7;
	spec.bytes = 1518;
	lab_send(lab, LAB_TAP0, &spec, 2, arrived);
	tap_is(arrived[LAB_AT_WIRE], 2, "long: a full frame with a VLAN tag");
	spec.vlan[0] = 0;
	spec.bytes = 1600;
	before = lab_counter(lab, LAB_PORT(0), VXDP_DROP_TX_BIG).packets;
	lab_send(lab, LAB_TAP0, &spec, 2, arrived);
	tap_is(arrived[LAB_AT_WIRE], 0, "long: more than the wire's MTU does not get there");
	tap_is(lab_counter(lab, LAB_PORT(0), VXDP_DROP_TX_BIG).packets - before, 2,
	       "long: and is counted");
	memcpy(spec.dst, guest1, sizeof(spec.dst));
	lab_send(lab, LAB_TAP0, &spec, 2, arrived);
	tap_is(arrived[LAB_TAP1], 2, "long: to another guest it may go");
}

struct records {
	unsigned int n;
	struct vxdp_capture head;
	uint8_t data[2048];
};

static int take_record(void *arg, void *data, size_t bytes)
{
	struct records *records = arg;

	records->n++;
	memcpy(&records->head, data, sizeof(records->head));
	memcpy(records->data, (uint8_t *)data + sizeof(records->head),
	       MIN(bytes - sizeof(records->head), sizeof(records->data)));
	return 0;
}

/* Send one frame and take the records it makes. */
static void record(struct lab *lab, struct ring_buffer *ring, enum lab_end from,
		   const struct packet_spec *spec, struct records *records)
{
	unsigned int arrived[LAB_ENDS];

	memset(records, 0, sizeof(*records));
	lab_send(lab, from, spec, 1, arrived);
	ring_buffer__consume(ring);
}

static bool is_record(const struct records *r, uint16_t port, uint16_t out_port, uint16_t verdict)
{
	if (r->n == 1 && r->head.port == port && r->head.out_port == out_port &&
	    r->head.verdict == verdict && r->head.time_ns)
		return true;
	tap_diag("%u records, the last: port %u to %u, verdict %u", r->n, r->head.port,
		 r->head.out_port, r->head.verdict);
	return false;
}

static void test_capture(struct lab *lab)
{
	struct packet_spec spec = {.dst = STATION, .src = GUEST0, .bytes = 900, .tag = 1};
	struct records records;
	struct ring_buffer *ring =
		ring_buffer__new(lab->pins->capture, take_record, &records, NULL);
	struct packet packet;

	known_addresses(lab);
	record(lab, ring, LAB_TAP0, &spec, &records);
	tap_is(records.n, 0, "capture: nothing while nobody asks");

	lab_port_reset(lab, 0, VXDP_PORT_CAPTURE);
	record(lab, ring, LAB_TAP0, &spec, &records);
	tap_ok(is_record(&records, LAB_PORT(0), VXDP_PORT_UPLINK, VXDP_TO_WIRE),
	       "capture: a frame the guest sends");
	packet_build(&spec, &packet);
	tap_ok(records.head.frame_bytes == 900 && records.head.captured_bytes == 256 &&
		       !memcmp(records.data, packet.data, 256),
	       "capture: as much of the frame as is wanted");

	memcpy(spec.dst, guest0, sizeof(spec.dst));
	memcpy(spec.src, station, sizeof(spec.src));
	spec.bytes = 60;
	record(lab, ring, LAB_AT_WIRE, &spec, &records);
	tap_ok(is_record(&records, VXDP_PORT_UPLINK, LAB_PORT(0), VXDP_TO_PORT) &&
		       records.head.captured_bytes == 60,
	       "capture: a short frame to the guest");

	memcpy(spec.src, guest1, sizeof(spec.src));
	record(lab, ring, LAB_TAP1, &spec, &records);
	tap_ok(is_record(&records, LAB_PORT(1), LAB_PORT(0), VXDP_TO_PORT),
	       "capture: a frame from another guest, once");

	memset(spec.dst, 0xff, sizeof(spec.dst));
	record(lab, ring, LAB_TAP1, &spec, &records);
	tap_ok(is_record(&records, LAB_PORT(1), VXDP_PORT_NONE, VXDP_FLOODED),
	       "capture: a flooded frame the guest gets, once");
	lab_port_reset(lab, 0, VXDP_PORT_CAPTURE);
	vxdp_port_flags(lab->pins, LAB_PORT(0), 0, VXDP_PORT_UP);
	record(lab, ring, LAB_TAP1, &spec, &records);
	tap_is(records.n, 0, "capture: not one it does not get");
	lab_port_reset(lab, 0, VXDP_PORT_CAPTURE);

	memcpy(spec.dst, station, sizeof(spec.dst));
	memcpy(spec.src, guest0, sizeof(spec.src));
	spec.vlan[0] = 0x6005;
	record(lab, ring, LAB_TAP0, &spec, &records);
	tap_ok(records.n == 1 && records.head.vlan_tci == 0x6005 &&
		       records.head.frame_bytes == 60 && records.head.captured_bytes == 56,
	       "capture: a tag that is beside the data is told");

	memset(spec.src, 0, sizeof(spec.src));
	spec.vlan[0] = 0;
	record(lab, ring, LAB_TAP0, &spec, &records);
	tap_ok(is_record(&records, LAB_PORT(0), VXDP_PORT_NONE, VXDP_DROP_BAD_SOURCE),
	       "capture: a dropped frame, with the reason");
	lab_port_reset(lab, 0, 0);
	ring_buffer__free(ring);
}

int main(int argc, char **argv)
{
	struct lab lab;

	tap_plan(42);
	lab_open(&lab, VXDP_XDP_NATIVE);
	test_limit(&lab);
	test_refresh(&lab);
	test_ageing(&lab);
	test_full(&lab);
	test_gso(&lab);
	test_long(&lab);
	test_capture(&lab);
	lab_close(&lab);
	return tap_exit();
}
