/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight_test.c - what survives the process: files, regions, who may have them, and nonsense in
 * them. inflight_crash_test.c ends the process between any two instructions.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ring_driver.h"

static char dir[] = "/tmp/vxdp-inflight-XXXXXX";

static int dir_make(void **s)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **s)
{
	return rmdir(dir); /* fails if a test left a file */
}

static const char *path_of(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool exists(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

/*
 * Files
 */

static void test_file_life(void **s)
{
	struct vu_inflight_file *file = NULL, *second = NULL;
	struct vu_inflight_ring ring;

	assert_int_equal(vu_inflight_file_open(dir, "vm0", 4, &file), 0);
	assert_true(exists("vm0.rings"));
	assert_int_equal(vu_inflight_file_open(dir, "vm0", 4, &second), -EBUSY);
	assert_null(second);
	assert_int_equal(vu_inflight_file_ring(file, 4, 256, false, &ring), -EINVAL);
	assert_int_equal(vu_inflight_file_ring(file, 0, 0, false, &ring), -EINVAL);
	assert_int_equal(vu_inflight_file_ring(file, 0, 32769, false, &ring), -EINVAL);
	assert_int_equal(vu_inflight_file_ring(file, 3, 32768, true, &ring), 0);
	memset(ring.state, 0xff, vu_inflight_region_bytes(32768, true));
	vu_inflight_forget(&ring);
	vu_inflight_ring_close(&ring);
	vu_inflight_ring_close(&ring);
	vu_inflight_file_close(&file);
	assert_null(file);
	assert_false(exists("vm0.rings"));
	vu_inflight_file_close(&file);
}

/* Slots do not overlap, whatever size and layout their rings have. */
static void test_file_slots(void **s)
{
	struct vu_inflight_file *file = NULL;
	struct vu_inflight_ring ring[3];

	assert_int_equal(vu_inflight_file_open(dir, "vm0", 3, &file), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(vu_inflight_file_ring(file, i, 32768, true, &ring[i]), 0);
		memset(ring[i].map, (int)i + 1, ring[i].map_bytes);
	}
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *bytes = ring[i].map;

		for (size_t n = 0; n < ring[i].map_bytes; n += 61)
			assert_int_equal(bytes[n], i + 1);
		vu_inflight_ring_close(&ring[i]);
		vu_inflight_file_forget(file, i);
	}
	vu_inflight_file_forget(file, 3);
	vu_inflight_file_close(&file);
	assert_false(exists("vm0.rings"));
}

static void test_file_that_is_not_ours(void **s)
{
	struct vu_inflight_file *file = NULL;
	struct vu_inflight_ring ring;
	int fd = open(path_of("vm0.rings"), O_CREAT | O_WRONLY, 0600);
	static const char text[20000] = "not what was expected";

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	assert_int_equal(vu_inflight_file_open(dir, "vm0", 1, &file), 0);
	assert_int_equal(vu_inflight_file_ring(file, 0, 256, false, &ring), 0);
	for (unsigned int i = 0; i < ring.map_bytes; i++)
		assert_int_equal(((uint8_t *)ring.map)[i], 0);
	vu_inflight_ring_close(&ring);
	vu_inflight_file_close(&file);

	assert_int_equal(symlink("/tmp/nowhere", path_of("vm0.rings")), 0);
	assert_int_equal(vu_inflight_file_open(dir, "vm0", 1, &file), -ELOOP);
	unlink(path_of("vm0.rings"));
	assert_int_equal(mkfifo(path_of("vm0.rings"), 0600), 0);
	assert_int_equal(vu_inflight_file_open(dir, "vm0", 1, &file), -EPERM);
	unlink(path_of("vm0.rings"));
	assert_int_equal(vu_inflight_file_open("/nonexistent", "vm0", 1, &file), -ENOENT);
	assert_null(file);
}

/*
 * Whose state
 */

/* A ring of 8 with three buffers, of which the first was used and two are in flight. */
static void in_flight_open(struct drv *d, struct vu_inflight_ring *state, bool packed)
{
	struct vu_chain chains[3];
	struct iovec iov[3];
	struct drv_used used;

	drv_open(d, 8, packed, true, 0);
	d->config.inflight = state;
	drv_start(d);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(drv_add_one(d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d->ring, chains, 3, iov, 3), 3);
	vu_ring_push(d->ring, chains[0].head, 1);
	vu_ring_flush(d->ring);
	assert_true(drv_get_used(d, &used));
	vu_ring_free(&d->ring);
	assert_int_equal(vu_ring_new(&d->ring), 0);
}

static uint32_t recovered(struct drv *d)
{
	drv_start(d);
	return vu_ring_info(d->ring)->n_recovered;
}

/* The file outlives two processes; an orderly end keeps what a packed ring needs. */
static void file_over_processes(bool packed)
{
	struct vu_inflight_file *file = NULL;
	struct vu_inflight_ring state;
	struct drv d;

	assert_int_equal(vu_inflight_file_open(dir, "vm0", 2, &file), 0);
	assert_int_equal(vu_inflight_file_ring(file, 1, 8, packed, &state), 0);
	in_flight_open(&d, &state, packed);
	vu_inflight_ring_close(&state);
	close_fd((int *)file); /* as a sudden end would; the descriptor is its first field */
	free(TAKE_PTR(file));

	assert_int_equal(vu_inflight_file_open(dir, "vm0", 6, &file), 0);
	assert_int_equal(vu_inflight_file_ring(file, 1, 8, packed, &state), 0);
	assert_int_equal(recovered(&d), 2);
	assert_int_equal(vu_ring_stop(d.ring), packed ? 0x80038003 : 3);
	vu_inflight_ring_close(&state);
	vu_inflight_file_close(&file);
	assert_int_equal(exists("vm0.rings"), packed);

	assert_int_equal(vu_inflight_file_open(dir, "vm0", 2, &file), 0);
	assert_int_equal(vu_inflight_file_ring(file, 1, 8, packed, &state), 0);
	d.config.base = packed ? 0x80008000 : 0; /* a front end that was not told any better */
	assert_int_equal(recovered(&d), 0);
	assert_int_equal(vu_ring_stop(d.ring), packed ? 0x80038003 : 3);
	vu_inflight_ring_close(&state);
	vu_inflight_file_forget(file, 1);
	vu_inflight_file_close(&file);
	assert_false(exists("vm0.rings"));
	drv_close(&d);
}

static void test_file_over_processes(void **s)
{
	file_over_processes(false);
	file_over_processes(true);
}

struct heap_state {
	struct vu_inflight_ring ring;
	struct inflight_owner owner;
	uint64_t bytes[512];
};

static void heap_state_init(struct heap_state *h, bool packed, bool owned)
{
	memset(h, 0, sizeof(*h));
	h->ring = (struct vu_inflight_ring){.state = h->bytes, .num = 8, .packed = packed};
	if (owned)
		h->ring.owner = &h->owner;
	assert_true(vu_inflight_region_bytes(8, packed) <= sizeof(h->bytes));
}

/* What makes a ring another one than the state is about. */
static void other_file(struct drv *d)
{
	d->mem.region[0].ino++;
}

static void other_process(struct drv *d)
{
	d->mem.region[0].uaddr += 4096;
}

static void other_place(struct drv *d)
{
	d->mem.region[0].mmap_offset += 4096;
}

static void other_address(struct drv *d)
{
	d->mem.region[0].gpa += 4096;
}

static void other_features(struct drv *d)
{
	d->config.features ^= F_EVENT_IDX;
}

static void other_num(struct drv *d)
{
	d->config.num = 4;
}

static void nothing_else(struct drv *d)
{
}

/* The guest reset the device while nobody was there, and filled its ring again. */
static void guest_reset(struct drv *d)
{
	size_t bytes = d->tables_gpa - DRV_GPA0;

	memset(d->ram[0], 0, bytes);
	d->idx = d->used = 0;
	d->wrap = d->used_wrap = true;
	d->n_fifo = 0;
	for (unsigned int i = 0; i < d->num; i++)
		d->buf[i].out = false;
	d->free_at = 0;
	d->n_free = d->n_free_slots = d->num;
	for (unsigned int i = 0; i < d->num; i++)
		d->free[i] = (uint16_t)i;
	for (unsigned int i = 0; i < 5; i++)
		assert_true(drv_add_one(d, 200) >= 0);
}

static uint32_t after(bool packed, bool owned, void (*change)(struct drv *d))
{
	struct heap_state h;
	struct drv d;
	uint32_t n;

	heap_state_init(&h, packed, owned);
	in_flight_open(&d, &h.ring, packed);
	change(&d);
	n = recovered(&d);
	drv_close(&d);
	return n;
}

static void test_whose_state(void **s)
{
	for (unsigned int packed = 0; packed < 2; packed++) {
		for (unsigned int owned = 0; owned < 2; owned++) {
			assert_int_equal(after(packed, owned, nothing_else), 2);
			assert_int_equal(after(packed, owned, other_num), 0);
			assert_int_equal(after(packed, owned, guest_reset), 0);
		}
		assert_int_equal(after(packed, true, other_file), 0);
		assert_int_equal(after(packed, true, other_process), 0);
		assert_int_equal(after(packed, true, other_place), 0);
		assert_int_equal(after(packed, true, other_address), 0);
		assert_int_equal(after(packed, true, other_features), 0);
	}
}

/* A device that was reset before it used a single buffer: only the avail ring tells. */
static void test_reset_before_the_first_used(void **s)
{
	struct vu_chain chains[4];
	struct iovec iov[4];
	struct heap_state h;
	struct drv d;

	heap_state_init(&h, false, true);
	drv_open(&d, 8, false, true, 0);
	d.config.inflight = &h.ring;
	drv_start(&d);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 4, iov, 4), 4);
	vu_ring_free(&d.ring);
	assert_int_equal(vu_ring_new(&d.ring), 0);
	guest_reset(&d);
	((struct ring_split_avail *)d.config.driver)->ring[1] = 6; /* its own order now */
	assert_int_equal(recovered(&d), 0);
	drv_close(&d);
}

/* After the reset the ring works from its beginning, and the old state is gone. */
static void test_fresh_after_reset(void **s)
{
	struct vu_chain chains[8];
	struct iovec iov[8];
	struct heap_state h;
	struct drv d;

	for (unsigned int packed = 0; packed < 2; packed++) {
		heap_state_init(&h, packed, true);
		in_flight_open(&d, &h.ring, packed);
		guest_reset(&d);
		assert_int_equal(recovered(&d), 0);
		assert_int_equal(vu_ring_pop(d.ring, chains, 8, iov, 8), 5);
		for (unsigned int i = 0; i < 5; i++)
			drv_check_chain(&d, &chains[i]);
		vu_ring_push(d.ring, chains[4].head, 9);
		vu_ring_flush(d.ring);
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
		vu_ring_free(&d.ring);
		assert_int_equal(vu_ring_new(&d.ring), 0);
		assert_int_equal(recovered(&d), 4);
		drv_close(&d);
	}
}

/* What a process had no time to note after its last flush must not turn up in a later chain. */
static void test_late_note_is_made_up_for(void **s)
{
	struct inflight_packed *state;
	struct vu_chain chains[3];
	struct drv_part part[2];
	struct iovec iov[8];
	struct heap_state h;
	struct drv d;

	heap_state_init(&h, true, true);
	state = h.ring.state;
	drv_open(&d, 8, true, true, 0);
	d.config.inflight = &h.ring;
	drv_start(&d);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(drv_add_one(&d, 100) >= 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 3, iov, 8), 3);
	for (unsigned int i = 0; i < 2; i++)
		vu_ring_push(d.ring, chains[i].head, 1);
	vu_ring_flush(d.ring);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(drv_get_used(&d, &(struct drv_used){0}));
		state->desc[i].entry.inflight = 1;
	}
	vu_ring_free(&d.ring);
	assert_int_equal(vu_ring_new(&d.ring), 0);
	assert_int_equal(recovered(&d), 1);
	part[0] = part[1] = (struct drv_part){d.data_gpa, 10};
	assert_true(drv_add(&d, part, 2, 2) >= 0); /* will be noted in entries 1 and 0 */
	assert_int_equal(vu_ring_pop(d.ring, chains, 3, iov, 8), 1);
	assert_int_equal(vu_ring_pop(d.ring, chains, 3, iov, 8), 1);
	vu_ring_free(&d.ring);
	assert_int_equal(vu_ring_new(&d.ring), 0);
	assert_int_equal(recovered(&d), 2);
	drv_close(&d);
}

/* IN_ORDER on a split ring: the used index says it all, and old notes are not kept. */
static void test_in_order_needs_no_state(void **s)
{
	struct vu_chain chains[8];
	struct iovec iov[8];
	struct heap_state h;
	struct drv d;

	heap_state_init(&h, false, true);
	in_flight_open(&d, &h.ring, false);
	d.config.features = F_IN_ORDER;
	assert_int_equal(recovered(&d), 0);
	assert_int_equal(((struct inflight_split *)h.ring.state)->version, 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 8, iov, 8), 3);
	drv_close(&d);
}

/*
 * Regions of a front end
 */

static void test_region_bounds(void **s)
{
	size_t split = vu_inflight_region_bytes(256, false);
	size_t packed = vu_inflight_region_bytes(256, true);
	uint64_t *map = aligned_alloc(64, 4 * packed);
	struct vu_inflight_ring ring;

	assert_int_equal(split % 64, 0);
	assert_int_equal(split, ALIGN_UP(16 + 16 * 256, 64));
	assert_int_equal(packed, ALIGN_UP(32 + 32 * 256, 64));
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 3, 256, true, &ring), 0);
	assert_ptr_equal(ring.state, (char *)map + 3 * packed);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 4, 256, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed - 1, 3, 256, true, &ring),
			 -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, UINT32_MAX, 256, true, &ring),
			 -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 4 * packed, 0, 0, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, SIZE_MAX, 0, 32769, true, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring(map, 0, 0, 1, false, &ring), -EINVAL);
	assert_int_equal(vu_inflight_region_ring((char *)map + 4, 3 * packed, 0, 256, true, &ring),
			 -EINVAL);
	free(map);
}

/* A ring larger than the region was made for, or of the other layout, is refused. */
static void test_region_of_another_size(void **s)
{
	struct heap_state h;
	struct drv d;

	heap_state_init(&h, false, false);
	drv_open(&d, 16, false, true, 0);
	d.config.inflight = &h.ring;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	h.ring.num = 16;
	h.ring.packed = true;
	assert_int_equal(vu_ring_start(d.ring, &d.config), -EINVAL);
	d.config.inflight = NULL;
	drv_start(&d);
	drv_close(&d);
}

/* Whatever is in a region, a ring starts on it and pops what it can prove to be buffers. */
static void nonsense(bool packed, bool from_valid)
{
	size_t bytes = vu_inflight_region_bytes(8, packed);
	struct vu_chain chains[16];
	struct iovec iov[64];
	struct heap_state h;
	struct drv d;
	unsigned int n_recovered = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		uint8_t *state;
		int n;

		heap_state_init(&h, packed, false);
		in_flight_open(&d, &h.ring, packed);
		d.random = round * 2654435761u + 1;
		state = h.ring.state;
		for (unsigned int i = 0; i < (from_valid ? 1 + round % 4 : bytes); i++)
			state[from_valid ? drv_random(&d) % bytes : i] =
				drv_random(&d) % 4 ? (uint8_t)(drv_random(&d) % 9)
						   : (uint8_t)drv_random(&d);
		((struct inflight_split *)h.ring.state)->version = 1;
		((struct inflight_split *)h.ring.state)->desc_num = 8;
		if (packed && round % 2)
			((struct inflight_packed *)h.ring.state)->positions.mark = 0;
		if (vu_ring_start(d.ring, &d.config) == 0) {
			n_recovered += vu_ring_info(d.ring)->n_recovered;
			for (unsigned int i = 0; i < 4; i++) {
				n = vu_ring_pop(d.ring, chains, 16, iov, 64);
				for (int c = 0; c < n; c++)
					vu_ring_push(d.ring, chains[c].head, 1);
				vu_ring_flush(d.ring);
			}
			vu_ring_stop(d.ring);
		}
		drv_close(&d);
	}
	if (from_valid)
		assert_true(n_recovered > 0);
}

static void test_c18_nonsense_in_region(void **s)
{
	nonsense(false, false);
	nonsense(false, true);
	nonsense(true, false);
	nonsense(true, true);
}

/* A running ring does not care what the front end does to the region. */
static void test_c18_scribbled_while_running(void **s)
{
	for (unsigned int i = 0; i < 8; i++)
		drv_run_property(&(struct drv_property){
			.num = i & 4 ? 64 : 8,
			.packed = i & 1,
			.is_rx = i & 2,
			.features = F_INDIRECT,
			.steps = 3000,
			.seed = i,
			.state = true,
			.region = true,
			.scribble = true,
		});
}

static void test_sudden_ends_with_region(void **s)
{
	for (unsigned int i = 0; i < 8; i++)
		drv_run_property(&(struct drv_property){
			.num = i & 4 ? 64 : 8,
			.packed = i & 1,
			.is_rx = i & 2,
			.features = F_INDIRECT,
			.steps = 3000,
			.seed = i,
			.state = true,
			.region = true,
		});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_life),
		cmocka_unit_test(test_file_slots),
		cmocka_unit_test(test_file_that_is_not_ours),
		cmocka_unit_test(test_file_over_processes),
		cmocka_unit_test(test_whose_state),
		cmocka_unit_test(test_reset_before_the_first_used),
		cmocka_unit_test(test_fresh_after_reset),
		cmocka_unit_test(test_late_note_is_made_up_for),
		cmocka_unit_test(test_in_order_needs_no_state),
		cmocka_unit_test(test_region_bounds),
		cmocka_unit_test(test_region_of_another_size),
		cmocka_unit_test(test_c18_nonsense_in_region),
		cmocka_unit_test(test_c18_scribbled_while_running),
		cmocka_unit_test(test_sudden_ends_with_region),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
