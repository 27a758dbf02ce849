/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight_test.c - what survives the process: the file, and whether it is about this ring.
 * inflight_region_test.c is about regions of a front end, inflight_crash_test.c ends the process
 * between any two instructions.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ring_driver.h"
#include "ring_state.h"

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
	drv_open_in_flight(&d, &state, packed);
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
	struct drv_state h;
	struct drv d;
	uint32_t n;

	drv_state_init(&h, packed, owned);
	drv_open_in_flight(&d, &h.ring, packed);
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
	struct drv_state h;
	struct drv d;

	drv_state_init(&h, false, true);
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
	struct drv_state h;
	struct drv d;

	for (unsigned int packed = 0; packed < 2; packed++) {
		drv_state_init(&h, packed, true);
		drv_open_in_flight(&d, &h.ring, packed);
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
	struct drv_state h;
	struct drv d;

	drv_state_init(&h, true, true);
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
	struct drv_state h;
	struct drv d;

	drv_state_init(&h, false, true);
	drv_open_in_flight(&d, &h.ring, false);
	d.config.features = F_IN_ORDER;
	assert_int_equal(recovered(&d), 0);
	assert_int_equal(((struct inflight_split *)h.ring.state)->version, 0);
	assert_int_equal(vu_ring_pop(d.ring, chains, 8, iov, 8), 3);
	drv_close(&d);
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
