// SPDX-License-Identifier: GPL-2.0-or-later
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/log_stub.h"
#include "vhost/event.h"
#include "vxdp/util.h"

#define RING_BYTES 0x10000ull /* of guest memory for each ring, from its start */

static unsigned int fds_before;

/*
 * The owner
 */

static void on_link(void *owner, bool up)
{
	struct peer *p = owner;

	p->n_link_up += up;
	p->n_link_down += !up;
	for (unsigned int i = 0; i < ARRAY_SIZE(p->ring); i++)
		p->misuse |= p->ring[i] != NULL;
}

static void on_features(void *owner, uint64_t features)
{
	struct peer *p = owner;

	p->features = features;
	p->n_features++;
	for (unsigned int i = 0; i < ARRAY_SIZE(p->ring); i++)
		p->misuse |= p->ring[i] != NULL;
}

static void on_ring_start(void *owner, unsigned int index, struct vu_ring *r)
{
	struct peer *p = owner;

	p->misuse |= p->ring[index] != NULL;
	p->ring[index] = r;
	p->enabled[index] = false;
	p->n_start[index]++;
	if (p->on_start)
		p->on_start(p, index);
}

static void on_ring_enable(void *owner, unsigned int index, bool enabled)
{
	struct peer *p = owner;

	p->misuse |= p->ring[index] == NULL;
	p->enabled[index] = enabled;
}

static void on_ring_stop(void *owner, unsigned int index, struct vu_ring *r)
{
	struct peer *p = owner;

	p->misuse |= p->ring[index] != r;
	p->ring[index] = NULL;
	p->n_stop[index]++;
	if (p->on_stop)
		p->on_stop(p, index);
}

static void on_mem_release(void *owner, struct vu_mem *mem)
{
	struct peer *p = owner;

	p->n_mem_release++;
	for (unsigned int i = 0; i < ARRAY_SIZE(p->ring); i++)
		p->misuse |= p->ring[i] != NULL;
}

static void on_announce(void *owner, const uint8_t mac[6])
{
	struct peer *p = owner;

	memcpy(p->mac, mac, 6);
	p->n_announce++;
}

static int on_set_mtu(void *owner, uint16_t mtu)
{
	struct peer *p = owner;

	p->mtu = mtu;
	return p->mtu_result;
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

/*
 * Set-up
 */

unsigned int peer_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void peer_prepare(struct peer *p, struct vu_dev_config *config)
{
	memset(p, 0, sizeof(*p));
	log_stub_clear();
	vu_event_prepare();
	fds_before = peer_fds();
	p->fd = -1;
	for (unsigned int i = 0; i < ARRAY_SIZE(p->call_fd); i++)
		p->call_fd[i] = p->kick_fd[i] = -1;
	strcpy(p->dir, "/tmp/vhost-unit-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
	p->mem_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(p->mem_fd, PEER_MEM_BYTES), 0);
	p->mem = mmap(NULL, PEER_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->mem_fd, 0);
	assert_ptr_not_equal(p->mem, MAP_FAILED);
	*config = (struct vu_dev_config){.name = "vm0",
					 .socket_path = p->path,
					 .fd = -1,
					 .role = VU_ROLE_SERVER,
					 .features = vu_features_offer(),
					 .pairs_max = 2,
					 .private_bytes = 0x8000};
}

void peer_open_config(struct peer *p, const struct vu_dev_config *config)
{
	assert_int_equal(vu_dev_open(config, &ops, p, &p->dev), 0);
}

void peer_connect(struct peer *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(a.sun_path, p->path);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	peer_pump(p);
}

void peer_open(struct peer *p, unsigned int pairs_max)
{
	struct vu_dev_config config;

	peer_prepare(p, &config);
	config.pairs_max = pairs_max;
	peer_open_config(p, &config);
	peer_connect(p);
	assert_int_equal(p->n_link_up, 1);
}

void peer_close(struct peer *p)
{
	struct stat st;

	close_fd(&p->fd);
	if (p->dev)
		peer_pump(p);
	vu_dev_close(&p->dev);
	assert_int_equal(p->n_link_up, p->n_link_down);
	for (unsigned int i = 0; i < ARRAY_SIZE(p->ring); i++)
		assert_int_equal(p->n_start[i], p->n_stop[i]);
	assert_false(p->misuse);
	for (unsigned int i = 0; i < ARRAY_SIZE(p->call_fd); i++) {
		close_fd(&p->call_fd[i]);
		close_fd(&p->kick_fd[i]);
	}
	munmap(p->mem, PEER_MEM_BYTES);
	close_fd(&p->mem_fd);
	assert_int_equal(lstat(p->path, &st), -1);
	assert_int_equal(rmdir(p->dir), 0);
	assert_int_equal(peer_fds(), fds_before);
}

void peer_pump(struct peer *p)
{
	struct pollfd poll_fd = {.fd = vu_dev_fd(p->dev), .events = POLLIN};

	for (int i = 0; i < 10000 && poll(&poll_fd, 1, 0) == 1; i++)
		vu_dev_dispatch(p->dev);
}

bool peer_wait(struct peer *p, enum vu_state state)
{
	struct pollfd poll_fd = {.fd = vu_dev_fd(p->dev), .events = POLLIN};
	struct vu_dev_info info;

	for (int i = 0; i < 500; i++) {
		vu_dev_info(p->dev, &info);
		if (info.state == state)
			return true;
		if (poll(&poll_fd, 1, 10) == 1)
			vu_dev_dispatch(p->dev);
	}
	return false;
}

/*
 * The front end
 */

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
