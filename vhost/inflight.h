/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight.h - memory that outlives the process and says which buffers of a ring it holds.
 *
 * It lives either in a region that the front end keeps for us (GET/SET_INFLIGHT_FD) or, since most
 * front ends keep none for a network device, in a file of our own. The control plane makes a
 * struct vu_inflight_ring of either kind and gives it to vu_ring_start(); the ring does the rest.
 *
 *   file       vu_inflight_file_open() -> for each ring that starts: vu_inflight_file_ring()
 *              ring stopped -> vu_inflight_ring_close();  end -> vu_inflight_file_close()
 *   region     vu_inflight_region_ring() on the mapped region, vu_inflight_ring_close() after
 *
 * The state of a stopped ring stays valid, so that an orderly restart of ours can go on with a
 * packed ring: its indices are nowhere in the guest's memory, and a front end only knows those it
 * was told. After answering GET_VRING_BASE, and when the guest resets the device, the front end
 * does know better: call vu_inflight_forget().
 */
#ifndef VHOST_INFLIGHT_H
#define VHOST_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inflight_owner;
struct vu_inflight_file;

/* The state of one ring. The caller keeps the struct; its fields are the ring's. */
struct vu_inflight_ring {
	void *state;		      /* struct inflight_split or inflight_packed, mapped */
	struct inflight_owner *owner; /* own file: whose state that is; region of a peer: NULL */
	void *map;		      /* to unmap in vu_inflight_ring_close(), or NULL */
	size_t map_bytes;
	uint16_t num; /* ring size it has room for */
	bool packed;
};

/**
 * vu_inflight_region_bytes() - size of one ring's part of a region, as the specification has it
 *
 * GET_INFLIGHT_FD answers num_queues times this, of zeros.
 */
size_t vu_inflight_region_bytes(uint16_t num, bool packed);

/**
 * vu_inflight_region_ring() - use ring @index's part of a region mapped by the caller
 * @map: 8-byte aligned; must not be able to shrink (F_SEAL_SHRINK), or touching it can kill us
 * @queue_size: of SET_INFLIGHT_FD; no ring may be larger
 * Return: 0, or -EINVAL if that part is not inside @map.
 */
int vu_inflight_region_ring(void *map, size_t map_bytes, unsigned int index, uint16_t queue_size,
			    bool packed, struct vu_inflight_ring *out);

/**
 * vu_inflight_file_open() - open or make @dir/@name.rings
 * @n_rings: rings the device may have
 *
 * A file that is not one of ours is started afresh. Two processes cannot have it open at once.
 *
 * Return: 0 or -errno; -EBUSY if another process has it.
 */
int vu_inflight_file_open(const char *dir, const char *name, unsigned int n_rings,
			  struct vu_inflight_file **out);

/**
 * vu_inflight_file_ring() - map ring @index's part of the file, with its disk space reserved
 * Return: 0 or -errno; -ENOSPC if the file system is full (run without state, then).
 */
int vu_inflight_file_ring(struct vu_inflight_file *file, unsigned int index, uint16_t num,
			  bool packed, struct vu_inflight_ring *out);

/** vu_inflight_ring_close() - let go of the mapping; the state stays */
void vu_inflight_ring_close(struct vu_inflight_ring *ring);

/** vu_inflight_forget() - the front end knows where this ring stands; drop what we noted */
void vu_inflight_forget(struct vu_inflight_ring *ring);

/** vu_inflight_file_forget() - the same for ring @index whether it is mapped or not */
void vu_inflight_file_forget(struct vu_inflight_file *file, unsigned int index);

/**
 * vu_inflight_file_close() - close, and remove the file if no ring needs it any more
 *
 * A packed ring whose front end was not told where it stands still needs it.
 */
void vu_inflight_file_close(struct vu_inflight_file **file);

#endif /* VHOST_INFLIGHT_H */
