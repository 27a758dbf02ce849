// SPDX-License-Identifier: GPL-2.0-or-later
/* peer_wire.c - the front end's side of peer.h. */
#include "peer.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vxdp/util.h"

#define RING_BYTES 0x10000ull /* of guest memory for each ring, from its start */

void peer_bytes(struct peer *p, const void *bytes, size_t n, const int *fds, unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		struct cmsghdr *c = &control.align;

		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	/* A connection that the device has closed already is for the test to find out. */
	if (sendmsg(p->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

void peer_send(struct peer *p, uint32_t request, uint32_t flags, const void *payload,
	       uint32_t bytes, const int *fds, unsigned int n_fds)
{
	uint8_t message[sizeof(struct vu_header) + VU_PAYLOAD_MAX];
	struct vu_header h = {.request = request, .flags = VU_VERSION | flags, .bytes = bytes};

	assert_true(bytes <= VU_PAYLOAD_MAX);
	memcpy(message, &h, sizeof(h));
	if (bytes)
		memcpy(message + sizeof(h), payload, bytes);
	peer_bytes(p, message, sizeof(h) + bytes, fds, n_fds);
	peer_pump(p);
}

int peer_receive(struct peer *p, struct vu_header *h, void *payload, size_t room, int *fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = h, .iov_len = sizeof(*h)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	ssize_t n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EAGAIN)
		return -1;
	if (n <= 0)
		return -2;
	assert_int_equal(n, sizeof(*h));
	assert_int_equal(h->flags, VU_VERSION | VU_REPLY);
	assert_true(h->bytes <= room);
	if (m.msg_controllen >= CMSG_LEN(sizeof(int))) {
		assert_non_null(fd);
		memcpy(fd, CMSG_DATA(&control.align), sizeof(int));
	}
	if (h->bytes)
		assert_int_equal(recv(p->fd, payload, h->bytes, MSG_DONTWAIT), h->bytes);
	return (int)h->bytes;
}

int peer_ack(struct peer *p, uint32_t request, const void *payload, uint32_t bytes, const int *fds,
	     unsigned int n_fds)
{
	struct vu_header h;
	uint64_t ack = 0;
	int n;

	peer_send(p, request, VU_NEED_REPLY, payload, bytes, fds, n_fds);
	n = peer_receive(p, &h, &ack, sizeof(ack), NULL);
	if (n < 0)
		return n;
	assert_int_equal(h.request, request);
	assert_int_equal(n, sizeof(ack));
	assert_true(ack <= 1);
	return (int)ack;
}

int peer_ack_u64(struct peer *p, uint32_t request, uint64_t value)
{
	return peer_ack(p, request, &value, sizeof(value), NULL, 0);
}

int peer_ack_state(struct peer *p, uint32_t request, uint32_t index, uint32_t num)
{
	struct vu_vring_state s = {.index = index, .num = num};

	return peer_ack(p, request, &s, sizeof(s), NULL, 0);
}

int peer_ack_event(struct peer *p, uint32_t request, unsigned int index, int fd)
{
	uint64_t what = index | (fd < 0 ? VU_VRING_NO_FD : 0);

	return peer_ack(p, request, &what, sizeof(what), &fd, fd >= 0);
}

uint64_t peer_get(struct peer *p, uint32_t request)
{
	struct vu_header h;
	uint64_t value = 0;

	peer_send(p, request, 0, NULL, 0, NULL, 0);
	assert_int_equal(peer_receive(p, &h, &value, sizeof(value), NULL), sizeof(value));
	assert_int_equal(h.request, request);
	return value;
}

bool peer_is_closed(struct peer *p)
{
	char byte;
	ssize_t n;

	peer_pump(p);
	do {
		n = recv(p->fd, &byte, 1, MSG_DONTWAIT);
	} while (n > 0);
	return n == 0 || errno != EAGAIN;
}

void peer_negotiate(struct peer *p)
{
	uint64_t offer;

	assert_true(peer_get(p, VU_REQ_GET_FEATURES) & PEER_F_PROTOCOL);
	offer = peer_get(p, VU_REQ_GET_PROTOCOL_FEATURES);
	assert_int_equal(peer_ack_u64(p, VU_REQ_SET_PROTOCOL_FEATURES, offer), 0);
	assert_int_equal(peer_ack(p, VU_REQ_SET_OWNER, NULL, 0, NULL, 0), 0);
}

int peer_mem_table(struct peer *p)
{
	struct vu_mem_table t = {.n_regions = 1,
				 .region[0] = {.gpa = PEER_MEM_GPA,
					       .bytes = PEER_MEM_BYTES,
					       .uaddr = PEER_MEM_UADDR}};

	return peer_ack(p, VU_REQ_SET_MEM_TABLE, &t, 8 + 32, &p->mem_fd, 1);
}

struct vu_vring_addr peer_addr_of(unsigned int index)
{
	uint64_t start = PEER_MEM_UADDR + index * RING_BYTES;

	return (struct vu_vring_addr){.index = index,
				      .desc = start,
				      .avail = start + 0x4000,
				      .used = start + 0x8000,
				      .log = PEER_MEM_GPA + index * RING_BYTES + 0x8000};
}

int peer_addr(struct peer *p, unsigned int index, uint32_t flags)
{
	struct vu_vring_addr a = peer_addr_of(index);

	a.flags = flags;
	return peer_ack(p, VU_REQ_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
}

void peer_ring(struct peer *p, unsigned int index, uint16_t num, uint32_t base)
{
	assert_true(index < ARRAY_SIZE(p->call_fd));
	close_fd(&p->call_fd[index]);
	close_fd(&p->kick_fd[index]);
	p->call_fd[index] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->kick_fd[index] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(peer_ack_state(p, VU_REQ_SET_VRING_NUM, index, num), 0);
	assert_int_equal(peer_ack_state(p, VU_REQ_SET_VRING_BASE, index, base), 0);
	assert_int_equal(peer_addr(p, index, 0), 0);
	assert_int_equal(peer_ack_event(p, VU_REQ_SET_VRING_KICK, index, p->kick_fd[index]), 0);
	assert_int_equal(peer_ack_event(p, VU_REQ_SET_VRING_CALL, index, p->call_fd[index]), 0);
	assert_int_equal(peer_ack_state(p, VU_REQ_SET_VRING_ENABLE, index, 1), 0);
}

void peer_start(struct peer *p, uint64_t features, unsigned int n_rings)
{
	peer_negotiate(p);
	assert_int_equal(peer_ack_u64(p, VU_REQ_SET_FEATURES, features), 0);
	assert_int_equal(peer_mem_table(p), 0);
	for (unsigned int i = 0; i < n_rings; i++)
		peer_ring(p, i, 256, 0);
}

void peer_make_available(struct peer *p, unsigned int index, uint64_t gpa, uint32_t bytes,
			 bool writable)
{
	uint8_t *ring = p->mem + index * RING_BYTES;
	uint16_t *avail = (uint16_t *)(ring + 0x4000);
	uint16_t slot = avail[1] % 256;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc = {gpa, bytes, writable ? 2 : 0, 0};

	memcpy(ring + 16 * slot, &desc, sizeof(desc));
	avail[2 + slot] = slot;
	__atomic_store_n(&avail[1], (uint16_t)(avail[1] + 1), __ATOMIC_RELEASE);
}

uint64_t peer_event_count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

void peer_serve_one(struct vu_ring *r, uint32_t written)
{
	struct iovec iov[VU_CHAIN_IOV_MAX];
	struct vu_chain chain;

	assert_int_equal(vu_ring_pop(r, &chain, 1, iov, VU_CHAIN_IOV_MAX), 1);
	if (written) {
		memset(iov[0].iov_base, 0xab, written);
		vu_mem_dirty(vu_ring_info(r)->mem, iov[0].iov_base, written);
	}
	vu_ring_push(r, chain.head, written);
	vu_ring_flush(r);
	vu_ring_notify(r);
}

uint32_t peer_get_base(struct peer *p, unsigned int index)
{
	struct vu_vring_state s = {.index = index};
	struct vu_header h;

	peer_send(p, VU_REQ_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0);
	assert_int_equal(peer_receive(p, &h, &s, sizeof(s), NULL), sizeof(s));
	assert_int_equal(s.index, index);
	return s.num;
}

int peer_region(struct peer *p, uint32_t request, uint64_t at, uint64_t bytes, int fd)
{
	struct vu_mem_single m = {.region = {.gpa = PEER_MEM_GPA + at,
					     .bytes = bytes,
					     .uaddr = PEER_MEM_UADDR + at,
					     .mmap_offset = at}};

	return peer_ack(p, request, &m, sizeof(m), &fd, fd >= 0);
}

void peer_check_closed(struct peer *p, const char *line)
{
	assert_true(peer_is_closed(p));
	assert_int_equal(log_stub_lines("vm0: front end disconnected: "), 1);
	assert_true(log_stub_has(line));
	log_stub_clear();
	close_fd(&p->fd);
	peer_connect(p);
}

void peer_check_served(struct peer *p)
{
	peer_start(p, PEER_F_MODERN, 2);
	assert_non_null(p->ring[0]);
	assert_non_null(p->ring[1]);
}
