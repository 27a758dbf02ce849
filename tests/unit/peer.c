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
