// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_log.c - C17 and C18: the log of written pages, and the region for what is in flight.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attack.h"

#define LOG_BYTES 4096ull /* enough for 128 MiB of guest memory */
#define PAGE	  4096ull

/* --- C17: the log ---------------------------------------------------------------------------- */

struct log_try {
	uint64_t file_bytes, bytes, offset;
};

static const struct log_try log_tries[] = {
	{LOG_BYTES, ~0ull, 0},		      /* 0 */
	{LOG_BYTES, ~0ull - 4095, 8192},      /* 1: bytes + offset overflow (CVE-2020-10722) */
	{LOG_BYTES, LOG_BYTES, ~0ull - 4095}, /* 2 */
	{LOG_BYTES, 0, 0},		      /* 3 */
	{LOG_BYTES, 8, 0},		      /* 4: too small for the guest */
	{LOG_BYTES, 2 * LOG_BYTES, 0},	      /* 5: larger than its file */
	{LOG_BYTES, LOG_BYTES, LOG_BYTES},    /* 6: offset + size larger than its file */
	{2 * LOG_BYTES, LOG_BYTES, 1},	      /* 7: offset in the middle of a page */
	{0, LOG_BYTES, 0},		      /* 8: empty file */
};

static int log_request(struct attack *a, uint64_t which)
{
	const struct log_try *t = &log_tries[which];
	int fd = fe_mem_file(t->file_bytes, 0), err;

	if (fd < 0)
		return fd;
	err = fe_dev_log(a->fe, fd, t->bytes, t->offset);
	close(fd);
	return err;
}

/* Starts to log at @offset into a file of three logs: its descriptor, the whole of it in *map. */
static int start_log(struct attack *a, uint64_t offset, uint64_t log_gpa, uint8_t **map)
{
	int fd = fe_mem_file(3 * LOG_BYTES, 0), err;

	if (fd < 0)
		return fd;
	*map = mmap(NULL, 3 * LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = *map == MAP_FAILED ? -errno : fe_dev_log(a->fe, fd, LOG_BYTES, offset);
	if (!err)
		err = fe_dev_set_features(a->fe, a->fe->features | FE_F(FE_F_LOG_ALL));
	for (unsigned int i = 0; !err && i < a->fe->n_rings; i++) {
		struct fe_vring_addr addr = fe_dev_ring_addr(&a->fe->ring[i]);

		addr.flags = 1;
		addr.log_gpa = log_gpa ?: a->fe->ring[i].device_gpa;
		err = fe_sock_ack(a->fe, FE_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	}
	if (err)
		close(fd);
	return err ? err : fd;
}

static unsigned int bits_in(const uint8_t *map, uint64_t bytes)
{
	unsigned int n = 0;

	for (uint64_t i = 0; i < bytes; i++)
		n += __builtin_popcount(map[i]);
	return n;
}

static bool is_logged(const uint8_t *log, uint64_t gpa)
{
	return log[gpa / PAGE / 8] >> (gpa / PAGE % 8) & 1;
}

/*
 * The log lies in the middle of its file. What is written must be in it, and nothing in front of
 * it or behind it (CVE-2026-86563: the offset was applied twice).
 */
static int log_place(struct attack *a, uint64_t arg)
{
	uint8_t *map, *log;
	int fd = start_log(a, LOG_BYTES, 0, &map), err;

	if (fd < 0)
		return fd;
	log = map + LOG_BYTES;
	err = attack_works(a);
	if (!err && bits_in(map, LOG_BYTES) + bits_in(map + 2 * LOG_BYTES, LOG_BYTES))
		err = attack_fail(a, "bits outside of the log");
	if (!err && a->wire_fd >= 0 && !bits_in(log, LOG_BYTES))
		err = attack_fail(a, "nothing was logged");
	if (!err && a->wire_fd >= 0 && !is_logged(log, fe_rx(a->fe, 0)->device_gpa))
		err = attack_fail(a, "the used ring was not logged");
	for (unsigned int i = 0; !err && a->wire_fd >= 0 && i < 8; i++)
		if (!is_logged(log, fe_rx(a->fe, 0)->pool[fe_rx(a->fe, 0)->pool_n - 1 - i]))
			err = attack_fail(a, "a receive buffer was not logged");
	munmap(map, 3 * LOG_BYTES);
	close(fd);
	return err;
}

/* log_guest_addr anywhere: outside of the log, and of memory. */
static int log_gpa(struct attack *a, uint64_t gpa)
{
	uint8_t *map;
	int fd = start_log(a, LOG_BYTES, gpa, &map);

	if (fd < 0)
		return fd;
	for (unsigned int i = 0; i < 10; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		usleep(5000);
	}
	if (bits_in(map, LOG_BYTES) + bits_in(map + 2 * LOG_BYTES, LOG_BYTES))
		return attack_fail(a, "bits outside of the log");
	munmap(map, 3 * LOG_BYTES);
	close(fd);
	return 0;
}

static int log_replaced(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		uint8_t *map;
		int fd = start_log(a, i % 3 * LOG_BYTES, 0, &map);

		if (fd < 0)
			return fd;
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		munmap(map, 3 * LOG_BYTES);
		close(fd);
	}
	exchange_drain(&a->exchange, 1000);
	return err;
}

/* Guest memory appears above what the log covers. */
static int memory_above_log(struct attack *a, uint64_t arg)
{
	struct fe_mem_single s = {.region = fe_mem_describe(a->fe, 1)};
	struct fe_ring *q = fe_rx(a->fe, 0);
	struct fe_part part = {.bytes = 2048, .writable = true};
	uint8_t *map;
	int fd = start_log(a, LOG_BYTES, 0, &map), err;

	if (fd < 0)
		return fd;
	s.region.gpa = 1ull << 40;
	s.region.uaddr = 1ull << 40;
	err = fe_sock_ack(a->fe, FE_ADD_MEM_REG, &s, sizeof(s), &a->fe->region[1].fd, 1);
	for (unsigned int i = 0; !err && i < 8; i++) {
		part.gpa = s.region.gpa + i * 4096;
		fe_ring_add(q, &part, 1, 0, FE_NO_BUFFER);
	}
	fe_ring_kick_always(q);
	attack_poke(a, 64);
	usleep(50000);
	if (!err && bits_in(map, LOG_BYTES) + bits_in(map + 2 * LOG_BYTES, LOG_BYTES))
		err = attack_fail(a, "bits outside of the log");
	munmap(map, 3 * LOG_BYTES);
	close(fd);
	return err == -EPIPE || err == -EREMOTEIO ? 0 : err;
}

static int log_truncated(struct attack *a, uint64_t arg)
{
	uint8_t *map;
	int fd = start_log(a, 0, 0, &map);

	if (fd < 0)
		return fd;
	munmap(map, 3 * LOG_BYTES);
	if (ftruncate(fd, 0))
		return -errno;
	for (unsigned int i = 0; i < 10; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		usleep(5000);
	}
	close(fd);
	return 0;
}

/* CVE-2019-14835: zero-length receive descriptors while writes are logged. */
static int log_zero_length(struct attack *a, uint64_t arg)
{
	struct fe_ring *q = fe_rx(a->fe, 0);
	uint8_t *map;
	int fd = start_log(a, LOG_BYTES, 0, &map);

	if (fd < 0)
		return fd;
	exchange_run(&a->exchange, 200, 3000); /* so that descriptors are free */
	for (unsigned int i = 0; i < 40; i++) {
		struct fe_part parts[3] = {
			{.gpa = q->pool[0], .writable = true},
			{.gpa = q->pool[0], .bytes = i % 2 ? 2048 : 0, .writable = true},
			{.gpa = q->pool[0], .writable = true},
		};

		if (fe_ring_add(q, parts, 3, 0, FE_NO_BUFFER) < 0)
			break;
	}
	fe_ring_kick_always(q);
	attack_poke(a, 256);
	usleep(50000);
	if (bits_in(map, LOG_BYTES) + bits_in(map + 2 * LOG_BYTES, LOG_BYTES))
		return attack_fail(a, "bits outside of the log");
	munmap(map, 3 * LOG_BYTES);
	close(fd);
	return 0;
}

#define LOG(name, which)                                                                           \
	{                                                                                          \
		name, log_request, which, AT_MEMORY, WANT_REFUSE, 0                                \
	}

static const struct step c17[] = {
	LOG("2^64 - 1 bytes", 0),
	LOG("size + offset overflow (CVE-2020-10722)", 1),
	LOG("offset + size overflow", 2),
	LOG("size 0", 3),
	LOG("too small for the guest", 4),
	LOG("larger than its file", 5),
	LOG("offset + size larger than its file", 6),
	{"offset in the middle of a page", log_request, 7, AT_MEMORY, WANT_ANY, 0},
	LOG("empty file", 8),
	{"in the middle of its file (CVE-2026-86563)", log_place, 0, AT_RUNNING, WANT_OK, 0},
	{"in the middle of its file, packed", log_place, 0, AT_RUNNING, WANT_OK, STEP_PACKED},
	{"used ring logged outside of the log", log_gpa, 1ull << 40, AT_RUNNING, WANT_ANY, 0},
	{"used ring logged just behind the log", log_gpa, LOG_BYTES * 8 * PAGE, AT_RUNNING,
	 WANT_ANY, 0},
	{"used ring logged at 2^64 - 8", log_gpa, ~0ull - 7, AT_RUNNING, WANT_ANY, 0},
	{"used ring logged at 2^64 - 8, packed", log_gpa, ~0ull - 7, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"replaced while logging", log_replaced, 10, AT_RUNNING, WANT_WORKS, 0},
	{"memory added above what it covers", memory_above_log, 0, AT_RUNNING, WANT_ANY, 0},
	{"file cut short while logging", log_truncated, 0, AT_RUNNING, WANT_ANY, 0},
	{"zero-length buffers while logging (CVE-2019-14835)", log_zero_length, 0, AT_RUNNING,
	 WANT_ANY, 0},
	{"zero-length buffers while logging, packed", log_zero_length, 0, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
};

/* --- C18: in flight -------------------------------------------------------------------------- */

static int get_inflight(struct attack *a, uint64_t packed)
{
	struct fe_inflight want = {.n_queues = packed >> 16, .queue_num = packed & 0xffff};
	struct fe_msg reply;
	int fd, err;

	err = fe_sock_call(a->fe, FE_GET_INFLIGHT_FD, &want, 20, &reply, &fd);
	if (fd >= 0)
		close(fd);
	if (!err && fd < 0 && reply.inflight.mmap_bytes == 0)
		return -EREMOTEIO; /* "0 bytes" says no */
	return err;
}

/* CVE-2020-10726, CVE-2022-0669: again and again, keeping none. */
static int get_inflight_often(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++)
		err = get_inflight(a, 2u << 16 | 256);
	return err;
}

struct inflight_try {
	struct fe_inflight d;
	uint64_t file_bytes;
};

static const struct inflight_try inflight_tries[] = {
	{{65536, 0, 0, 256}, 65536},		/* 0 */
	{{65536, 0, 0xffff, 256}, 65536},	/* 1: CVE-2021-3839 */
	{{65536, 0, 2, 0}, 65536},		/* 2 */
	{{65536, 0, 2, 0xffff}, 65536},		/* 3 */
	{{0, 0, 2, 256}, 65536},		/* 4 */
	{{~0ull, 0, 2, 256}, 65536},		/* 5 */
	{{64, 0, 2, 256}, 65536},		/* 6: too small for its rings */
	{{65536, 0, 2, 256}, 4096},		/* 7: larger than its file */
	{{65536, 65536, 2, 256}, 65536},	/* 8: offset + size larger than its file */
	{{65536, ~0ull - 4095, 2, 256}, 65536}, /* 9 */
	{{~0ull - 4095, 8192, 2, 256}, 65536},	/* 10 */
};

static int set_inflight(struct attack *a, uint64_t which)
{
	const struct inflight_try *t = &inflight_tries[which];
	int fd = fe_mem_file(t->file_bytes, 0), err;

	if (fd < 0)
		return fd;
	err = fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &t->d, 20, &fd, 1);
	close(fd);
	return err;
}

/* A region of our own making in the hands of the back end, mapped by us too. */
static int share_inflight(struct attack *a, uint8_t **map, uint64_t *bytes, uint8_t fill)
{
	struct fe_inflight want = {.n_queues = 2, .queue_num = 256};
	struct fe_msg reply;
	int fd, err;

	if (!(a->fe->protocol_features & FE_PF(FE_PF_INFLIGHT_SHMFD)))
		return -EREMOTEIO;
	err = fe_sock_call(a->fe, FE_GET_INFLIGHT_FD, &want, 20, &reply, &fd);
	if (err || fd < 0)
		return err ?: -EREMOTEIO;
	*bytes = reply.inflight.mmap_bytes;
	*map = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*map == MAP_FAILED)
		return -errno;
	if (fill)
		memset(*map, fill, *bytes);
	err = fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &reply.inflight, 20, &fd, 1);
	close(fd);
	return err;
}

struct scribbler {
	uint8_t *map;
	uint64_t bytes;
	bool stop;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	uint64_t x = 0x9e3779b97f4a7c15ull;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		for (unsigned int i = 0; i < 64; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			__atomic_store_n(&s->map[x % s->bytes], (uint8_t)(x >> 32),
					 __ATOMIC_RELAXED);
		}
		usleep(200);
	}
	return NULL;
}

/* qemu 3974, CVE-2026-86565: what is in the region changes while it is used. */
static int scribbled(struct attack *a, uint64_t arg)
{
	struct scribbler s = {0};
	pthread_t thread;
	int err = share_inflight(a, &s.map, &s.bytes, 0);

	if (err)
		return err == -EREMOTEIO ? 0 : err;
	if (pthread_create(&thread, NULL, scribble, &s))
		return -ENOMEM;
	for (unsigned int i = 0; i < 8; i++) {
		err = fe_sock_connect(a->fe, a->path, 2000);
		if (!err)
			err = fe_dev_negotiate(a->fe);
		if (!err)
			err = fe_net_reconnect(a->fe);
		for (unsigned int j = 0; !err && j < 20; j++) {
			exchange_step(&a->exchange, 16);
			attack_poke(a, 8);
			usleep(2000);
		}
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	munmap(s.map, s.bytes);
	return 0;
}

/* The region is full of one byte when the rings start: a predecessor's state, all of it wrong. */
static int poisoned(struct attack *a, uint64_t fill)
{
	uint64_t bytes;
	uint8_t *map;
	int err = share_inflight(a, &map, &bytes, fill);

	if (err)
		return err == -EREMOTEIO ? 0 : err;
	for (unsigned int i = 0; !err && i < 2; i++) {
		err = fe_dev_ring_start(&a->fe->ring[i]);
		if (!err)
			err = fe_dev_ring_enable(a->fe, i, true);
	}
	attack_poke(a, 16);
	fe_ring_kick_always(fe_tx(a->fe, 0));
	usleep(50000);
	munmap(map, bytes);
	return err;
}

static int inflight_truncated(struct attack *a, uint64_t arg)
{
	struct fe_inflight d = {.mmap_bytes = 65536, .n_queues = 2, .queue_num = 256};
	int fd = fe_mem_file(65536, 0), err;

	if (fd < 0)
		return fd;
	err = fe_sock_ack(a->fe, FE_SET_INFLIGHT_FD, &d, 20, &fd, 1);
	if (ftruncate(fd, 0))
		return -errno;
	for (unsigned int i = 0; !err && i < 2; i++) {
		err = fe_dev_ring_start(&a->fe->ring[i]);
		if (!err)
			err = fe_dev_ring_enable(a->fe, i, true);
	}
	attack_poke(a, 16);
	fe_ring_kick_always(fe_tx(a->fe, 0));
	close(fd);
	return err == -EREMOTEIO ? -EPIPE : err;
}

#define GET(n_queues, num) ((uint64_t)(n_queues) << 16 | (num))
#define SET(name, which)                                                                           \
	{                                                                                          \
		name, set_inflight, which, AT_NEGOTIATED, WANT_REFUSE, 0                           \
	}

static const struct step c18[] = {
	{"GET for 0 rings", get_inflight, GET(0, 256), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"GET for 65535 rings", get_inflight, GET(0xffff, 256), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"GET for rings of 0", get_inflight, GET(2, 0), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"GET for rings of 65535", get_inflight, GET(2, 0xffff), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"GET 2000 times (CVE-2020-10726, CVE-2022-0669)", get_inflight_often, 2000, AT_NEGOTIATED,
	 WANT_OK, 0},
	SET("SET for 0 rings", 0),
	SET("SET for 65535 rings (CVE-2021-3839, qemu 4403)", 1),
	SET("SET for rings of 0", 2),
	SET("SET for rings of 65535", 3),
	SET("SET of 0 bytes", 4),
	SET("SET of 2^64 - 1 bytes", 5),
	SET("SET of 64 bytes for 2 rings of 256", 6),
	SET("SET of more than its file", 7),
	SET("SET with an offset at the end of its file", 8),
	SET("SET with offset + size overflow", 9),
	SET("SET with size + offset overflow", 10),
	{"scribbled over while it is used (qemu 3974)", scribbled, 0, AT_RUNNING, WANT_ANY, 0},
	{"scribbled over while it is used, packed", scribbled, 0, AT_RUNNING, WANT_ANY,
	 STEP_PACKED},
	{"all bytes 0xff when the rings start", poisoned, 0xff, AT_RINGS, WANT_ANY, 0},
	{"all bytes 0x01 when the rings start", poisoned, 0x01, AT_RINGS, WANT_ANY, 0},
	{"all bytes 0x02 when the rings start", poisoned, 0x02, AT_RINGS, WANT_ANY, 0},
	{"all bytes 0xff, packed", poisoned, 0xff, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"all bytes 0x01, packed", poisoned, 0x01, AT_RINGS, WANT_ANY, STEP_PACKED},
	{"cut short when the rings start", inflight_truncated, 0, AT_RINGS, WANT_ANY, 0},
};

const struct attack_case log_cases[] = {
	STEPS("C17", c17),
	STEPS("C18", c18),
	{NULL, NULL, 0},
};
