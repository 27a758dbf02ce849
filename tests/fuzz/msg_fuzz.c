// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * msg_fuzz.c - a front end without manners against the vhost-user library: messages with
 * descriptors, in any order, cut in any place, while rings run and their memory changes.
 *
 * Theory of operation: the input is a list of commands (enum command), one byte and its arguments
 * each. Most messages are nearly right, made from the fields of their kind, because random bytes
 * would seldom come past the header; some are raw bytes. A ring that the library starts is worked
 * on the way a worker would. After each input everything must be gone: descriptors, mappings (the
 * leak checker) and running rings.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "vhost/dev.h"
#include "vhost/proto.h"
#include "vhost/ring.h"
#include "vxdp/util.h"

#define PAIRS	    3
#define RINGS	    (2 * PAIRS)
#define GUEST_BYTES (256u << 10)
#define UADDR	    0x7f0000000000ull
#define GPA	    0x100000ull
#define COMMANDS    64 /* of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum command {
	CMD_MESSAGE,   /* one message, from its fields */
	CMD_RAW,       /* bytes */
	CMD_DISPATCH,  /* let the library work */
	CMD_RINGS,     /* work on all running rings */
	CMD_SCRIBBLE,  /* write into guest memory */
	CMD_RING_UP,   /* a good message sequence for one ring */
	CMD_NEGOTIATE, /* a good beginning */
	CMD_TRUNCATE,  /* cut a memory file short */
	CMD_FAIL,      /* the owner wants no more of it */
	CMD_PUBLISH,   /* good buffers for a ring of 8 at the usual place */
	CMD_RESTART,   /* a new back end for the same guest */
	CMD_INFORM,    /* what `vxdp status` asks */
	N_COMMANDS,
};

enum file { FILE_A, FILE_B, EVENT, PIPE, SOCKET, PLAIN, EPOLL, READ_ONLY, SMALL, OWN, N_FILES };

struct fuzz {
	struct vu_dev *dev;
	int sock;
	struct vu_ring *ring[RINGS];
	bool up;
	bool keeps_state;
};

static int files[N_FILES];
static char state_dir[256];

static void on_link(void *owner, bool up)
{
	struct fuzz *f = owner;

	f->up = up;
}

static void on_features(void *owner, uint64_t features)
{
	struct fuzz *f = owner;

	for (unsigned int i = 0; i < RINGS; i++)
		assert(!f->ring[i]);
}

static void on_ring_start(void *owner, unsigned int index, struct vu_ring *r)
{
	struct fuzz *f = owner;

	assert(index < RINGS && !f->ring[index]);
	f->ring[index] = r;
}

static void on_ring_enable(void *owner, unsigned int index, bool enabled)
{
	assert(index < RINGS);
}

static void on_ring_stop(void *owner, unsigned int index, struct vu_ring *r)
{
	struct fuzz *f = owner;

	assert(index < RINGS && f->ring[index] == r);
	f->ring[index] = NULL;
}

static void on_mem_release(void *owner, struct vu_mem *mem)
{
	on_features(owner, 0);
}

static void on_announce(void *owner, const uint8_t mac[6])
{
}

static int on_set_mtu(void *owner, uint16_t mtu_bytes)
{
	return mtu_bytes >= 68 ? 0 : -EINVAL;
}

static const struct vu_dev_ops ops = {
	.link = on_link,
	.features = on_features,
	.ring_start = on_ring_start,
	.ring_enable = on_ring_enable,
	.ring_stop = on_ring_stop,
	.mem_release = on_mem_release,
	.announce = on_announce,
	.set_mtu = on_set_mtu,
};

static int guest_file(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	assert(fd >= 0 && !ftruncate(fd, GUEST_BYTES));
	return fd;
}

static void set_up(void)
{
	char path[64];
	int pair[2];

	files[FILE_A] = guest_file();
	files[FILE_B] = guest_file();
	files[EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(!pipe2(pair, O_CLOEXEC | O_NONBLOCK));
	files[PIPE] = pair[1];
	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	files[SOCKET] = pair[0];
	files[PLAIN] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	files[EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files[FILE_A]);
	files[READ_ONLY] = open(path, O_RDONLY | O_CLOEXEC);
	files[SMALL] = memfd_create("small", MFD_CLOEXEC);
	assert(!ftruncate(files[SMALL], 4096));
	snprintf(state_dir, sizeof(state_dir), "%s/msg_fuzz.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/dev/shm");
	assert(mkdtemp(state_dir));
}

/* Sends what is there, with descriptors; a peer that hung up or does not read ends the input. */
static bool send_bytes(struct fuzz *f, const void *bytes, size_t n, const int *fds,
		       unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds && n) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	return !n || sendmsg(f->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static unsigned int take_fds(struct fuzz *f, struct input *in, int fds[16])
{
	unsigned int n = take_u8(in) % 12;

	files[OWN] = f->sock;
	for (unsigned int i = 0; i < n; i++)
		fds[i] = files[take_u8(in) % N_FILES];
	return n;
}

static struct vu_mem_entry take_region(struct input *in, unsigned int i)
{
	struct vu_mem_entry e = {.gpa = GPA + i * GUEST_BYTES,
				 .bytes = GUEST_BYTES,
				 .uaddr = UADDR + i * GUEST_BYTES};
	uint8_t twist = take_u8(in);

	if (twist & 1)
		e.gpa = take_number(in);
	if (twist & 2)
		e.bytes = take_number(in);
	if (twist & 4)
		e.uaddr = take_number(in);
	if (twist & 8)
		e.mmap_offset = take_number(in);
	return e;
}

/* Where the rings of the good sequence lie: 4 KiB each. */
static uint64_t ring_at(unsigned int index)
{
	return UADDR + index * 4096ull;
}

static struct vu_vring_addr take_addr(struct input *in)
{
	uint8_t index = take_u8(in), twist = take_u8(in);
	uint64_t at = ring_at(index % RINGS);
	struct vu_vring_addr a = {
		.index = index, .desc = at, .avail = at + 2048, .used = at + 3072, .log = GPA};

	if (twist & 1)
		a.desc = UADDR + take_number(in);
	if (twist & 2)
		a.avail = UADDR + take_number(in);
	if (twist & 4)
		a.used = take_number(in);
	if (twist & 8)
		a.log = take_number(in);
	if (twist & 16)
		a.flags = take_u8(in);
	return a;
}

/* A payload of the kind @request takes: its size. */
static size_t take_payload(struct input *in, uint32_t request, union vu_payload *p)
{
	unsigned int n;

	switch (request) {
	case VU_REQ_SET_MEM_TABLE:
		n = take_u8(in);
		p->table.n_regions = n == 255 ? take_u32(in) : n % 10;
		n = MIN(p->table.n_regions, VU_FDS_MAX);
		for (unsigned int i = 0; i < n; i++)
			p->table.region[i] = take_region(in, i);
		return 8 + n * sizeof(p->table.region[0]);
	case VU_REQ_ADD_MEM_REG:
	case VU_REQ_REM_MEM_REG:
		p->single.region = take_region(in, take_u8(in) % 16);
		return sizeof(p->single);
	case VU_REQ_SET_VRING_ADDR:
		p->addr = take_addr(in);
		return sizeof(p->addr);
	case VU_REQ_SET_LOG_BASE:
		p->log.bytes = take_number(in);
		p->log.offset = take_number(in);
		return sizeof(p->log);
	case VU_REQ_GET_INFLIGHT_FD:
	case VU_REQ_SET_INFLIGHT_FD:
		p->inflight.bytes = take_number(in);
		p->inflight.offset = take_number(in);
		p->inflight.n_queues = take_number(in);
		p->inflight.queue_num = take_number(in);
		return VU_INFLIGHT_DESC_MIN;
	case VU_REQ_SET_VRING_NUM:
	case VU_REQ_SET_VRING_BASE:
	case VU_REQ_GET_VRING_BASE:
	case VU_REQ_SET_VRING_ENABLE:
		p->state.index = take_number(in);
		p->state.num = take_number(in);
		return sizeof(p->state);
	case VU_REQ_SET_FEATURES:
		p->u64 = vu_features_offer() & ~(uint64_t)take_u64(in);
		return sizeof(p->u64);
	default:
		p->u64 = take_number(in);
		return sizeof(p->u64);
	}
}

static size_t right_size(uint32_t request, size_t made)
{
	switch (request) {
#define NO_PAYLOAD(id, name, lower, min, max, fds_min, fds_max, needs, reply)                      \
	case id:                                                                                   \
		return MIN((size_t)(max), made);
		VU_REQUESTS(NO_PAYLOAD)
#undef NO_PAYLOAD
	default:
		return made;
	}
}

static bool cmd_message(struct fuzz *f, struct input *in)
{
	struct vu_header header = {.flags = VU_VERSION};
	uint8_t message[sizeof(header) + sizeof(union vu_payload)];
	union vu_payload payload = {0};
	uint8_t twist = take_u8(in);
	int fds[16];
	unsigned int n_fds;
	size_t bytes;

	header.request = take_u8(in) % 48;
	n_fds = take_fds(f, in, fds);
	bytes = right_size(header.request, take_payload(in, header.request, &payload));
	header.bytes = bytes;
	if (twist & 1)
		header.flags |= VU_NEED_REPLY;
	if ((twist & 0xe0) == 0xe0)
		header.flags = take_u32(in);
	if ((twist & 0x1e) == 0x1e)
		header.bytes = take_number(in);
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), &payload, bytes);
	return send_bytes(f, message, sizeof(header) + bytes, fds, n_fds);
}

static bool cmd_raw(struct fuzz *f, struct input *in)
{
	uint8_t bytes[256];
	int fds[16];
	unsigned int n_fds = take_fds(f, in, fds);
	size_t n = take_bytes(in, bytes, take_u8(in));

	return send_bytes(f, bytes, n, fds, n_fds);
}

static void work_ring(struct fuzz *f, struct input *in, unsigned int index)
{
	static struct vu_chain chains[16];
	static struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_ring *r = f->ring[index];
	uint8_t how = take_u8(in);
	int n = vu_ring_pop(r, chains, 1 + (how & 15), iov, ARRAY_SIZE(iov));

	if (n == -EPROTO) {
		assert(vu_ring_broken(r));
		vu_dev_ring_broken(f->dev, index);
		assert(!f->ring[index]);
		return;
	}
	assert(n >= 0);
	for (int i = 0; i < n; i++)
		for (unsigned int j = 0; j < chains[i].n_iov; j++)
			memset(chains[i].iov[j].iov_base,
			       *(volatile uint8_t *)chains[i].iov[j].iov_base,
			       MIN(chains[i].iov[j].iov_len, 64));
	if (how & 16 && n) {
		vu_ring_unpop(r, &chains[n - 1].head, 1);
		n--;
	}
	for (int i = 0; i < n && !(how & 32 && i == n - 1); i++)
		vu_ring_push(r, chains[i].head, vu_ring_info(r)->is_rx ? chains[i].bytes : 0);
	vu_ring_flush(r);
	vu_ring_notify(r);
	if (how & 64)
		vu_ring_kick_arm(r);
	else
		vu_ring_kick_disarm(r);
}

/* Not through a mapping: the file may be cut short. It does not grow again by this. */
static void guest_write(int file, size_t at, const void *bytes, size_t n)
{
	off_t end = lseek(file, 0, SEEK_END);

	if ((off_t)(at + n) <= end)
		assert(pwrite(file, bytes, n, at) == (ssize_t)n);
}

static void scribble(struct input *in)
{
	int file = files[take_u8(in) & 1 ? FILE_B : FILE_A];
	size_t at = take_u16(in) % (RINGS * 4096), n = take_u8(in) % 64;
	uint8_t bytes[64];

	guest_write(file, at, bytes, take_bytes(in, bytes, MIN(n, GUEST_BYTES - at)));
}

static bool request(struct fuzz *f, uint32_t id, const void *payload, size_t bytes, int fd)
{
	struct {
		struct vu_header header;
		uint8_t payload[512];
	} __attribute__((packed)) m = {.header = {id, VU_VERSION, bytes}};

	if (bytes)
		memcpy(m.payload, payload, bytes);
	return send_bytes(f, &m, sizeof(m.header) + bytes, &fd, fd >= 0);
}

static bool cmd_negotiate(struct fuzz *f, struct input *in)
{
	uint64_t protocol = VU_PROTOCOL_OFFER & ~((uint64_t)take_u8(in) << 8);
	uint64_t features = vu_features_offer();
	uint8_t less = take_u8(in);
	struct vu_mem_table table = {.n_regions = 1};

	features &= ~(less & 1 ? 1ull << 34 : 0) & ~(less & 2 ? 1ull << 35 : 0) &
		    ~(less & 4 ? 1ull << 29 : 0) & ~(less & 8 ? 1ull << 28 : 0) &
		    ~(less & 16 ? 0 : 1ull << VU_F_LOG_ALL) &
		    ~(less & 32 ? 1ull << VU_F_PROTOCOL_FEATURES : 0);
	table.region[0] = (struct vu_mem_entry){.gpa = GPA, .bytes = GUEST_BYTES, .uaddr = UADDR};
	return request(f, VU_REQ_SET_PROTOCOL_FEATURES, &protocol, 8, -1) &&
	       request(f, VU_REQ_SET_OWNER, NULL, 0, -1) &&
	       request(f, VU_REQ_SET_FEATURES, &features, 8, -1) &&
	       request(f, VU_REQ_SET_MEM_TABLE, &table, 40, files[FILE_A]);
}

static bool cmd_ring_up(struct fuzz *f, struct input *in)
{
	uint32_t index = take_u8(in) % RINGS;
	uint8_t how = take_u8(in);
	uint64_t at = ring_at(index), u64 = index;
	struct vu_vring_state num = {index, how & 1 ? 64 : 8}, base = {index, 0}, on = {index, 1};
	struct vu_vring_addr addr = {
		.index = index, .desc = at, .avail = at + 2048, .used = at + 3072};

	if (how & 2)
		base.num = 0x80008000;
	if (how & 4)
		base.num = take_u32(in);
	if (how & 8)
		num.num = take_u16(in);
	return request(f, VU_REQ_SET_VRING_NUM, &num, sizeof(num), -1) &&
	       request(f, VU_REQ_SET_VRING_BASE, &base, sizeof(base), -1) &&
	       request(f, VU_REQ_SET_VRING_ADDR, &addr, sizeof(addr), -1) &&
	       request(f, VU_REQ_SET_VRING_CALL, &u64, 8, files[EVENT]) &&
	       request(f, VU_REQ_SET_VRING_KICK, &u64, 8, files[EVENT]) &&
	       request(f, VU_REQ_SET_VRING_ENABLE, &on, sizeof(on), -1);
}

/* Eight good buffers for the ring of 8 that CMD_RING_UP makes: packed, if the index is above 127.
 */
static void cmd_publish(struct input *in)
{
	uint8_t which = take_u8(in);
	unsigned int index = (which & 0x7f) % RINGS;
	bool packed = which & 0x80;
	uint16_t flags = index & 1 ? 0 : 2, n = take_u8(in) % 9;
	size_t ring = index * 4096;

	for (uint16_t i = 0; i < (packed ? n : 8); i++) {
		uint64_t gpa = GPA + (64u << 10) + i * 2048;
		uint32_t bytes = 2048;
		uint16_t last[2] = {packed ? i : flags, packed ? flags | 0x80 : 0};

		guest_write(files[FILE_A], ring + i * 16, &gpa, 8);
		guest_write(files[FILE_A], ring + i * 16 + 8, &bytes, 4);
		guest_write(files[FILE_A], ring + i * 16 + 12, last, 4);
		if (!packed)
			guest_write(files[FILE_A], ring + 2048 + 4 + i * 2, &i, 2);
	}
	if (!packed)
		guest_write(files[FILE_A], ring + 2048 + 2, &n, 2);
}

/* The back end is started again, in good order; the guest's memory stays. */
static void session_close(struct fuzz *f)
{
	for (int i = 0; i < 4; i++)
		vu_dev_dispatch(f->dev);
	close(f->sock);
	vu_dev_dispatch(f->dev);
	vu_dev_close(&f->dev);
	for (unsigned int i = 0; i < RINGS; i++)
		assert(!f->ring[i]);
}

static void session_open(struct fuzz *f)
{
	struct vu_dev_config config = {
		.name = "fuzz",
		.role = VU_ROLE_CLIENT,
		.features = vu_features_offer(),
		.pairs_max = PAIRS,
		.private_bytes = 65536,
		.state_dir = f->keeps_state ? state_dir : NULL,
	};
	int pair[2];

	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	f->sock = pair[0];
	f->up = false;
	config.fd = pair[1];
	assert(!vu_dev_open(&config, &ops, f, &f->dev));
	for (int i = 0; !f->up && i < 100; i++) { /* a signal may end a poll() */
		poll(&(struct pollfd){vu_dev_fd(f->dev), POLLIN, 0}, 1, 100);
		vu_dev_dispatch(f->dev);
	}
	assert(f->up);
}

static void drain(struct fuzz *f)
{
	char buffer[4096];

	while (recv(f->sock, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

static bool one_command(struct fuzz *f, struct input *in)
{
	struct vu_dev_info info;

	switch (take_u8(in) % N_COMMANDS) {
	case CMD_MESSAGE:
		return cmd_message(f, in);
	case CMD_RAW:
		return cmd_raw(f, in);
	case CMD_DISPATCH:
		vu_dev_dispatch(f->dev);
		drain(f);
		return true;
	case CMD_RINGS:
		vu_dev_dispatch(f->dev);
		for (unsigned int i = 0; i < RINGS; i++)
			if (f->ring[i])
				work_ring(f, in, i);
		return true;
	case CMD_SCRIBBLE:
		scribble(in);
		return true;
	case CMD_RING_UP:
		return cmd_ring_up(f, in);
	case CMD_NEGOTIATE:
		return cmd_negotiate(f, in);
	case CMD_TRUNCATE:
		return !ftruncate(files[FILE_A], take_u8(in) * 2048);
	case CMD_FAIL:
		if (take_u8(in) < 8)
			vu_dev_fail(f->dev, "enough of it");
		return true;
	case CMD_PUBLISH:
		cmd_publish(in);
		return true;
	case CMD_RESTART:
		session_close(f);
		session_open(f);
		return true;
	default:
		vu_dev_info(f->dev, &info);
		assert(info.n_rings_running <= RINGS);
		return true;
	}
}

static void guest_reset(void)
{
	for (unsigned int i = FILE_A; i <= FILE_B; i++)
		assert(!ftruncate(files[i], 0) && !ftruncate(files[i], GUEST_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_set_up;
	struct input in = {data, size};
	struct fuzz f = {0};
	int lowest;

	if (!is_set_up) {
		set_up();
		is_set_up = true;
	}
	guest_reset();
	lowest = fds_lowest();
	f.keeps_state = take_u8(&in) & 1;
	session_open(&f);
	for (int i = 0; i < COMMANDS && in.left && one_command(&f, &in); i++)
		;
	session_close(&f);
	assert(fds_lowest() == lowest);
	return 0;
}
