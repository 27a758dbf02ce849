/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xsk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

#define PROBE_PAGES    4
#define PROBE_CHUNK    4096
#define PROBE_PAUSE_NS (2 * 1000 * 1000)

/* Tell the kernel how long each ring is. */
static int rings_size(int fd, bool with_frames)
{
	static const int all[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
				  XDP_TX_RING};
	int entries = XSK_RING_ENTRIES;
	unsigned int n = with_frames ? ARRAY_SIZE(all) : 2;

	for (unsigned int i = 0; i < n; i++)
		if (setsockopt(fd, SOL_XDP, all[i], &entries, sizeof(entries)))
			return -errno;
	return 0;
}

static int ring_map(int fd, const struct xdp_ring_offset *off, uint64_t page_offset,
		    size_t entry_bytes, struct xsk_ring *r)
{
	size_t bytes = off->desc + XSK_RING_ENTRIES * entry_bytes;
	uint8_t *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			    (off_t)page_offset);

	if (map == MAP_FAILED)
		return -errno;
	*r = (struct xsk_ring){
		.producer = (uint32_t *)(map + off->producer),
		.consumer = (uint32_t *)(map + off->consumer),
		.flags = (uint32_t *)(map + off->flags),
		.entries = map + off->desc,
		.map = map,
		.map_bytes = bytes,
	};
	return 0;
}

static void ring_unmap(struct xsk_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_bytes);
	*r = (struct xsk_ring){};
}

static int rings_map(struct xsk *x)
{
	struct xdp_mmap_offsets off = {};
	socklen_t len = sizeof(off);
	int err;

	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return -errno;
	err = ring_map(x->fd, &off.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t), &x->fill);
	if (!err)
		err = ring_map(x->fd, &off.cr, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t),
			       &x->done);
	if (!err)
		err = ring_map(x->fd, &off.rx, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc), &x->rx);
	if (!err)
		err = ring_map(x->fd, &off.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc), &x->tx);
	return err;
}

static int umem_register(int fd, const struct xsk_umem *umem)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)umem->base,
		.len = umem->bytes,
		.chunk_size = umem->chunk_bytes,
		.headroom = umem->headroom_bytes,
		.flags = umem->aligned ? 0 : XDP_UMEM_UNALIGNED_CHUNK_FLAG,
	};

	return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ? -errno : 0;
}

static int queue_bind(const struct xsk *x, enum xsk_bind_mode mode, const struct xsk *share)
{
	struct sockaddr_xdp sxdp = {
		.sxdp_family = AF_XDP,
		.sxdp_ifindex = x->ifindex,
		.sxdp_queue_id = x->queue,
	};

	/* A shared UMEM takes the mode of the first socket and refuses to be told (xsk_bind()). */
	if (share) {
		sxdp.sxdp_flags = XDP_SHARED_UMEM;
		sxdp.sxdp_shared_umem_fd = (uint32_t)share->fd;
	} else {
		sxdp.sxdp_flags = XDP_USE_NEED_WAKEUP;
		sxdp.sxdp_flags |= mode == XSK_BIND_ZEROCOPY ? XDP_ZEROCOPY : XDP_COPY;
	}
	return bind(x->fd, (struct sockaddr *)&sxdp, sizeof(sxdp)) ? -errno : 0;
}

int xsk_open(unsigned int ifindex, unsigned int queue, enum xsk_bind_mode mode,
	     const struct xsk_umem *umem, const struct xsk *share, struct xsk *out)
{
	struct xsk x = {
		.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0),
		.ifindex = ifindex,
		.queue = queue,
		.zerocopy = share ? share->zerocopy : mode == XSK_BIND_ZEROCOPY,
	};
	int err = 0;

	if (x.fd < 0)
		return -errno;
	if (!share)
		err = umem_register(x.fd, umem);
	if (!err)
		err = rings_size(x.fd, true);
	if (!err)
		err = rings_map(&x);
	if (!err)
		err = queue_bind(&x, mode, share);
	if (err) {
		xsk_close(&x);
		return err;
	}
	*out = x;
	return 0;
}

void xsk_close(struct xsk *x)
{
	ring_unmap(&x->fill);
	ring_unmap(&x->rx);
	ring_unmap(&x->tx);
	ring_unmap(&x->done);
	close_fd(&x->fd);
}

/* Only one UMEM at a time can be bound to a queue: a bind of our own proves that it is free. */
static int queue_probe(unsigned int ifindex, unsigned int queue, const struct xsk_umem *umem)
{
	struct xsk x = {.ifindex = ifindex, .queue = queue};
	_cleanup_close_ int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	x.fd = fd;
	err = umem_register(fd, umem);
	if (!err)
		err = rings_size(fd, true);
	return err ? err : queue_bind(&x, XSK_BIND_COPY, NULL);
}

int xsk_queue_wait_free(unsigned int ifindex, unsigned int queue, unsigned int timeout_ms)
{
	const struct timespec pause = {.tv_nsec = PROBE_PAUSE_NS};
	struct xsk_umem umem = {.bytes = PROBE_PAGES * PROBE_CHUNK, .chunk_bytes = PROBE_CHUNK};
	int err = -EBUSY;

	umem.base =
		mmap(NULL, umem.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (umem.base == MAP_FAILED)
		return -errno;
	for (uint64_t waited_ns = 0; waited_ns <= timeout_ms * 1000000ULL;
	     waited_ns += PROBE_PAUSE_NS) {
		err = queue_probe(ifindex, queue, &umem);
		if (err != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	munmap(umem.base, umem.bytes);
	return err == -EBUSY ? -ETIMEDOUT : 0;
}

int xsk_statistics(const struct xsk *x, struct xdp_statistics *stats)
{
	socklen_t len = sizeof(*stats);

	return getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, stats, &len) ? -errno : 0;
}

void xsk_statistics_add(struct xdp_statistics *sum, const struct xsk *x)
{
	struct xdp_statistics s = {};

	if (xsk_statistics(x, &s))
		return;
	sum->rx_dropped += s.rx_dropped;
	sum->rx_invalid_descs += s.rx_invalid_descs;
	sum->tx_invalid_descs += s.tx_invalid_descs;
	sum->rx_ring_full += s.rx_ring_full;
	sum->rx_fill_ring_empty_descs += s.rx_fill_ring_empty_descs;
	sum->tx_ring_empty_descs += s.tx_ring_empty_descs;
}

int xsk_kick_tx(const struct xsk *x)
{
	return sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

void xsk_kick_fill(const struct xsk *x)
{
	if (unlikely(xsk_ring_needs_wakeup(&x->fill)))
		recvfrom(x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}
