/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight.c - where the in-flight state lives. What is in it is the rings' business.
 */
#include "inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <vxdp/util.h>
#include "inflight_layout.h"
#include "ring.h"

/*
 * The file: a page with its header, then one slot a ring. Slots have room for the largest ring and
 * are sparse: only what a ring's size needs is ever reserved.
 */
#define FILE_MAGIC	  0x31676e6952707876ull /* "vxpRing1" */
#define FILE_HEADER_BYTES 4096ul
#define SLOT_STATE_OFFSET 256ul
#define SLOT_BYTES                                                                                 \
	ALIGN_UP(SLOT_STATE_OFFSET + sizeof(struct inflight_packed) +                              \
			 VU_RING_NUM_MAX * sizeof(struct inflight_desc_packed),                    \
		 4096ul)

_Static_assert(sizeof(struct inflight_owner) <= SLOT_STATE_OFFSET, "the owner comes first");

struct vu_inflight_file {
	int fd;
	unsigned int n_rings;
	char path[PATH_MAX];
};

size_t vu_inflight_region_bytes(uint16_t num, bool packed)
{
	size_t bytes =
		packed ? sizeof(struct inflight_packed) + num * sizeof(struct inflight_desc_packed)
		       : sizeof(struct inflight_split) + num * sizeof(struct inflight_desc_split);

	return ALIGN_UP(bytes, (size_t)INFLIGHT_ALIGN_BYTES);
}

int vu_inflight_region_ring(void *map, size_t map_bytes, unsigned int index, uint16_t queue_size,
			    bool packed, struct vu_inflight_ring *out)
{
	size_t bytes = vu_inflight_region_bytes(queue_size, packed);

	if (queue_size == 0 || queue_size > VU_RING_NUM_MAX || (uintptr_t)map % sizeof(uint64_t) ||
	    index >= map_bytes / bytes)
		return -EINVAL;
	*out = (struct vu_inflight_ring){
		.state = (char *)map + index * bytes,
		.num = queue_size,
		.packed = packed,
	};
	return 0;
}

static off_t slot_offset(unsigned int index)
{
	return (off_t)(FILE_HEADER_BYTES + index * SLOT_BYTES);
}

static int file_prepare(const struct vu_inflight_file *file)
{
	off_t bytes = slot_offset(file->n_rings);
	uint64_t magic = 0;
	struct stat st;

	if (fstat(file->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EPERM;
	if (pread(file->fd, &magic, sizeof(magic), 0) != sizeof(magic) || magic != FILE_MAGIC) {
		magic = FILE_MAGIC;
		st.st_size = 0;
		if (ftruncate(file->fd, 0))
			return -errno;
		if (pwrite(file->fd, &magic, sizeof(magic), 0) != sizeof(magic))
			return errno ? -errno : -EIO;
	}
	if (st.st_size < bytes && ftruncate(file->fd, bytes))
		return -errno;
	return 0;
}

int vu_inflight_file_open(const char *dir, const char *name, unsigned int n_rings,
			  struct vu_inflight_file **out)
{
	_cleanup_free_ struct vu_inflight_file *file = calloc(1, sizeof(*file));
	_cleanup_close_ int fd = -1;
	int err;

	if (!file)
		return -ENOMEM;
	file->n_rings = n_rings;
	err = snprintf(file->path, sizeof(file->path), "%s/%s.rings", dir, name);
	if (err < 0 || (size_t)err >= sizeof(file->path))
		return -ENAMETOOLONG;
	fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	file->fd = fd;
	err = file_prepare(file);
	if (err)
		return err;
	TAKE_FD(fd);
	*out = TAKE_PTR(file);
	return 0;
}

int vu_inflight_file_ring(struct vu_inflight_file *file, unsigned int index, uint16_t num,
			  bool packed, struct vu_inflight_ring *out)
{
	size_t bytes = SLOT_STATE_OFFSET + vu_inflight_region_bytes(num, packed);
	char *slot;
	int err;

	if (index >= file->n_rings || num == 0 || num > VU_RING_NUM_MAX)
		return -EINVAL;
	/* a store to a page the file system has no room for would be a SIGBUS */
	err = posix_fallocate(file->fd, slot_offset(index), (off_t)bytes);
	if (err)
		return -err;
	slot = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, slot_offset(index));
	if (slot == MAP_FAILED)
		return -errno;
	*out = (struct vu_inflight_ring){
		.state = slot + SLOT_STATE_OFFSET,
		.owner = (struct inflight_owner *)(void *)slot,
		.map = slot,
		.map_bytes = bytes,
		.num = num,
		.packed = packed,
	};
	return 0;
}

void vu_inflight_ring_close(struct vu_inflight_ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->map_bytes);
	*ring = (struct vu_inflight_ring){0};
}

void vu_inflight_forget(struct vu_inflight_ring *ring)
{
	struct inflight_split *state = ring->state; /* the version is at one place in both */

	_Static_assert(offsetof(struct inflight_split, version) ==
			       offsetof(struct inflight_packed, version),
		       "one place");
	if (state)
		WRITE_ONCE(state->version, 0);
}

void vu_inflight_file_forget(struct vu_inflight_file *file, unsigned int index)
{
	static const uint16_t none;

	if (index >= file->n_rings)
		return;
	if (pwrite(file->fd, &none, sizeof(none),
		   slot_offset(index) + (off_t)SLOT_STATE_OFFSET +
			   (off_t)offsetof(struct inflight_split, version)) < 0)
		return; /* a page that cannot be had holds no state either */
}

/* Does a successor need what this slot says? */
static bool slot_is_needed(const struct vu_inflight_file *file, unsigned int index)
{
	struct inflight_owner owner;
	uint16_t version = 0;

	if (pread(file->fd, &owner, sizeof(owner), slot_offset(index)) != sizeof(owner))
		return false;
	if (pread(file->fd, &version, sizeof(version),
		  slot_offset(index) + (off_t)SLOT_STATE_OFFSET +
			  (off_t)offsetof(struct inflight_split, version)) != sizeof(version))
		return false;
	return version && owner.ident.packed;
}

void vu_inflight_file_close(struct vu_inflight_file **file)
{
	bool needed = false;

	if (!*file)
		return;
	for (unsigned int i = 0; i < (*file)->n_rings && !needed; i++)
		needed = slot_is_needed(*file, i);
	if (!needed)
		unlink((*file)->path);
	close_fd(&(*file)->fd);
	free_ptr(file);
}
