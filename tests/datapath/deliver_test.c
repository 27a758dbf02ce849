/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deliver_test.c - frames into a guest's receive ring: what the guest finds there.
 */
#include <endian.h>
#include <linux/virtio_net.h>

#include "loader/deliver.h"
#include "loader/worker.h"
#include "tests/unit/ring_driver.h"

#define NUM	   64
#define FRAME_MAX  70000
#define HEAD_BYTES 52

static uint8_t frame[FRAME_MAX], seen[FRAME_MAX + 12];
static struct pair *q;
static struct drv drv;
static bool packed;
static uint64_t data_at; /* where the next receive buffer goes */

void workers_pass(struct worker *const *workers, unsigned int n)
{
}

void worker_wake(struct worker *w)
{
}

static void open_pair(bool mergeable)
{
	q = calloc(1, sizeof(*q));
	drv_open(&drv, NUM, packed, true, F_INDIRECT);
	drv_start(&drv);
	q->rx = drv.ring;
	q->hdr_bytes = 12;
	q->mergeable = mergeable;
	q->frame_bytes_max = 1522;
	q->rx_shared = true;
	for (uint32_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 5 + i / 255);
}

/* Memory that no other receive buffer overlaps. */
static struct drv_part data(uint32_t bytes)
{
	if (data_at + bytes > DRV_DATA_BYTES)
		data_at = 0;
	data_at += bytes;
	return (struct drv_part){drv.data_gpa + data_at - bytes, bytes};
}

static void add_buffer(uint32_t bytes)
{
	struct drv_part part = data(bytes);

	assert_true(drv_add(&drv, &part, 1, 1) >= 0);
}

static void add_scattered(bool indirect)
{
	const struct drv_part parts[] = {data(7), data(40), data(1534)};

	assert_true(drv_add(&drv, parts, 3, indirect ? 0 : 3) >= 0);
}

static void close_pair(void)
{
	window_empty_into(&q->window, q->rx);
	vu_ring_flush(q->rx);
	assert_null(vu_ring_broken(q->rx));
	assert_int_equal(vu_ring_in_flight(q->rx), 0);
	drv_close(&drv);
	free(q);
}

static int split_rings(void **state)
{
	packed = false;
	return 0;
}

static int packed_rings(void **state)
{
	packed = true;
	return 0;
}

/* The next frame the guest finds: header and all into seen[]. Return: bytes, 0 if there is none. */
static uint32_t guest_takes(void)
{
	unsigned int buffers = 0, expected = 1;
	uint32_t total = 0;
	struct drv_used used;

	while (buffers < expected && drv_get_used(&drv, &used)) {
		const struct drv_buf *b = &drv.buf[used.id];
		uint32_t left = used.bytes;

		for (unsigned int i = 0; i < b->n_parts && left; i++) {
			uint32_t n = MIN(left, b->part[i].bytes);

			memcpy(seen + total, drv_va(&drv, b->part[i].gpa), n);
			total += n;
			left -= n;
		}
		assert_int_equal(left, 0);
		if (!buffers++)
			expected = (unsigned int)(seen[10] | seen[11] << 8);
	}
	assert_true(!buffers || buffers == expected);
	return total;
}

static struct deliver_frame frame_of(const struct iovec *iov, unsigned int n, uint32_t bytes,
				     uint16_t head_bytes)
{
	return (struct deliver_frame){
		.bytes = bytes,
		.iov = iov,
		.n_iov = (uint16_t)n,
		.head = frame,
		.head_bytes = head_bytes,
	};
}

static unsigned int deliver_one(const struct deliver_frame *f)
{
	unsigned int n = deliver_burst(q, f, 1, &q->stats.rx_guest);

	assert_false(q->rx_lock.held);
	return n;
}

static void expect_frame(const struct vu_net_hdr *hdr, uint32_t bytes)
{
	struct vu_net_hdr got;

	assert_int_equal(guest_takes(), 12 + bytes);
	memcpy(&got, seen, sizeof(got));
	got.num_buffers = 0;
	assert_memory_equal(&got, hdr, sizeof(got));
	assert_memory_equal(seen + 12, frame, bytes);
}

static const struct vu_net_hdr plain;

/* All lengths, one piece and three, into buffers of every shape. */
static void whole_frames(void **state)
{
	for (int mergeable = 0; mergeable < 2; mergeable++) {
		open_pair(mergeable);
		for (uint32_t bytes = 14; bytes <= 1522; bytes += 13) {
			const struct iovec one = {frame, bytes};
			const struct iovec three[] = {
				{frame, 5}, {frame + 5, 8}, {frame + 13, bytes - 13}};
			uint16_t head = (uint16_t)MIN(bytes, (uint32_t)HEAD_BYTES);
			struct deliver_frame burst[] = {frame_of(&one, 1, bytes, head),
							frame_of(three, 3, bytes, head),
							frame_of(&one, 1, bytes, 0)};

			for (int i = 0; i < 3; i++) {
				if (mergeable)
					while (drv.n_fifo < 18)
						add_buffer(300);
				else if (i == 1)
					add_buffer(1534);
				else
					add_scattered(i);
			}
			assert_int_equal(deliver_burst(q, burst, 3, &q->stats.rx_guest), 3);
			for (int i = 0; i < 3; i++)
				expect_frame(&plain, bytes);
			window_empty_into(&q->window, q->rx);
		}
		close_pair();
	}
}

static void short_header(void **state)
{
	const struct iovec iov = {frame, 100};
	struct deliver_frame f = frame_of(&iov, 1, 100, HEAD_BYTES);
	struct drv_used used;

	open_pair(false);
	q->hdr_bytes = 10;
	add_buffer(2000);
	assert_int_equal(deliver_one(&f), 1);
	assert_true(drv_get_used(&drv, &used));
	assert_int_equal(used.bytes, 110);
	assert_memory_equal((uint8_t *)drv_va(&drv, drv.buf[used.id].part[0].gpa) + 10, frame, 100);
	close_pair();
}

/* What does not fit waits, and nothing of it is to be seen; what never fits is dropped. */
static void no_room(void **state)
{
	const struct iovec iov = {frame, 1500};
	struct deliver_frame burst[] = {frame_of(&iov, 1, 1500, HEAD_BYTES),
					frame_of(&iov, 1, 1500, HEAD_BYTES),
					frame_of(&iov, 1, 1500, HEAD_BYTES)};

	open_pair(true);
	assert_int_equal(deliver_burst(q, burst, 3, &q->stats.rx_guest), 0);
	add_buffer(1512);
	add_buffer(1000);
	assert_int_equal(deliver_burst(q, burst, 3, &q->stats.rx_guest), 1);
	assert_true(q->rx_waited);
	expect_frame(&plain, 1500);
	assert_int_equal(guest_takes(), 0);
	add_buffer(1000);
	assert_int_equal(deliver_burst(q, burst, 3, &q->stats.rx_guest), 1);
	expect_frame(&plain, 1500);
	assert_int_equal(q->stats.rx_guest.packets, 2);
	assert_int_equal(q->stats.rx_guest.bytes, 3000);
	q->mergeable = false;
	add_buffer(1000);
	assert_int_equal(deliver_burst(q, burst, 3, &q->stats.rx_guest), 3);
	assert_int_equal(q->stats.drops[VXDP_DROP_RX_BIG].packets, 3);
	assert_int_equal(guest_takes(), 0);
	close_pair();
}

static void longer_than_the_mtu(void **state)
{
	const struct iovec iov = {frame, 1523};
	struct deliver_frame f = frame_of(&iov, 1, 1523, HEAD_BYTES);

	open_pair(true);
	add_buffer(4000);
	assert_int_equal(deliver_one(&f), 1);
	assert_int_equal(q->stats.drops[VXDP_DROP_RX_BIG].packets, 1);
	assert_int_equal(guest_takes(), 0);
	close_pair();
}

static uint32_t ones_sum(const uint8_t *p, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* A checksum is the receiver's to finish if it said so, else it arrives finished. */
static void checksums(void **state)
{
	const struct iovec iov = {frame, 700};
	struct deliver_frame f = frame_of(&iov, 1, 700, HEAD_BYTES);
	struct vu_net_hdr partial = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				     .csum_start = htole16(34),
				     .csum_offset = htole16(16)};

	open_pair(true);
	f.hdr = partial;
	f.hdr.flags |= VIRTIO_NET_HDR_F_DATA_VALID; /* not a sender's to say */
	q->rx_csum = true;
	q->rx_gso = 1;
	add_buffer(2000);
	assert_int_equal(deliver_one(&f), 1);
	expect_frame(&partial, 700);
	q->rx_csum = false;
	add_buffer(300);
	add_buffer(600);
	assert_int_equal(deliver_one(&f), 1);
	assert_int_equal(guest_takes(), 712);
	assert_memory_equal(seen, &plain, 10);
	assert_int_equal((uint16_t)~ones_sum(frame + 34, 666),
			 (uint16_t)(seen[12 + 50] << 8 | seen[12 + 51]));
	close_pair();
}

static struct vu_net_hdr gso_frame(uint32_t bytes, uint16_t size)
{
	memcpy(frame + 12, "\x08\x00\x45", 3);
	frame[34 + 12] = 5 << 4;
	frame[34 + 13] = 0x10;
	memset(frame + 34 + 4, 0, 4); /* sequence number */
	return (struct vu_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = htole16(54),
		.gso_size = htole16(size),
		.csum_start = htole16(34),
		.csum_offset = htole16(16),
	};
}

static void gso_whole(void **state)
{
	const struct iovec iov = {frame, 60054};
	struct deliver_frame f = frame_of(&iov, 1, 60054, HEAD_BYTES);

	open_pair(true);
	f.hdr = gso_frame(60054, 1000);
	q->rx_csum = true;
	q->rx_gso = 1 | 1 << VIRTIO_NET_HDR_GSO_TCPV4;
	for (int i = 0; i < 31; i++)
		add_buffer(2000);
	assert_int_equal(deliver_one(&f), 1);
	expect_frame(&f.hdr, 60054);
	assert_int_equal(q->stats.rx_guest.packets, 60);
	close_pair();
}

/* Cut for a guest that takes no GSO frames: all the bytes, in pieces that tell which they are. */
static void gso_segmented(void **state)
{
	const struct iovec iov = {frame, 10054};
	struct deliver_frame f = frame_of(&iov, 1, 10054, HEAD_BYTES);

	open_pair(false);
	f.hdr = gso_frame(10054, 1000);
	for (int i = 0; i < 4; i++)
		add_buffer(1600);
	assert_int_equal(deliver_one(&f), 0); /* waits until all of it fits */
	for (int i = 0; i < 12; i++)
		add_buffer(1600);
	assert_int_equal(deliver_one(&f), 1);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(guest_takes(), 12 + 1054);
		assert_memory_equal(seen, &plain, 10);
		assert_int_equal(seen[12 + 34 + 6] << 8 | seen[12 + 34 + 7], i * 1000);
		assert_memory_equal(seen + 12 + 54, frame + 54 + i * 1000, 1000);
	}
	assert_int_equal(guest_takes(), 0);
	assert_int_equal(q->stats.rx_guest.packets, 10);
	frame[14] = 0x65; /* not what its header says */
	assert_int_equal(deliver_one(&f), 1);
	assert_int_equal(q->stats.drops[VXDP_DROP_RX_OFFLOAD].packets, 1);
	close_pair();
}

/* A guest being migrated is told of each page written. */
static void writes_are_logged(void **state)
{
	const struct iovec iov = {frame, 1500};
	struct deliver_frame burst[] = {frame_of(&iov, 1, 200, HEAD_BYTES),
					frame_of(&iov, 1, 1500, HEAD_BYTES)};
	uint64_t logged = 0;

	open_pair(true);
	drv.mem.dirty = (struct vu_dirty *)&drv; /* never looked at by the test's own log */
	drv_log_ring = &drv;
	drv_n_log = 0;
	add_buffer(1000);
	add_buffer(1000);
	add_buffer(1000);
	assert_int_equal(deliver_burst(q, burst, 2, &q->stats.rx_guest), 2);
	for (unsigned int i = 0; i < drv_n_log; i++)
		if (drv_log[i].gpa < DRV_LOG_GPA)
			logged += drv_log[i].bytes;
	assert_in_range(logged, 200 + 1500 + 24, 3000);
	drv_log_ring = NULL;
	drv.mem.dirty = NULL;
	close_pair();
}

static void the_table(void **state)
{
	struct deliver_table *table = calloc(1, sizeof(*table));
	struct pair a = {}, b = {};
	struct pair *both[] = {&a, &b};

	assert_null(deliver_pair(table, 5, 0));
	assert_int_equal(deliver_publish(table, 5, both, 2, NULL, 0), 0);
	assert_int_equal(deliver_pairs(table, 5), 2);
	assert_ptr_equal(deliver_pair(table, 5, 6), &a);
	assert_ptr_equal(deliver_pair(table, 5, 7), &b);
	assert_int_equal(deliver_publish(table, 5, both + 1, 1, NULL, 0), 0);
	assert_ptr_equal(deliver_pair(table, 5, 6), &b);
	assert_int_equal(deliver_publish(table, 5, both, 0, NULL, 0), 0);
	assert_null(deliver_pair(table, 5, 6));
	free(table);
}

#define BOTH(test)                                                                                 \
	cmocka_unit_test_setup(test, split_rings), cmocka_unit_test_setup(test, packed_rings)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(whole_frames),  BOTH(short_header),	BOTH(no_room),
		BOTH(checksums),     BOTH(longer_than_the_mtu), BOTH(gso_whole),
		BOTH(gso_segmented), BOTH(writes_are_logged),	cmocka_unit_test(the_table),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
