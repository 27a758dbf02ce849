// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dirty.c - see dirty.h. The offset of the log in its file is used once, by vu_peer_map()
 * (CVE-2026-86563 was using it twice).
 *
 * The front end takes bits out of the log with an atomic exchange while we put them in, so a bit
 * is always set with an atomic or, never only looked at first: seeing a bit that is about to be
 * taken would lose the page we just wrote.
 */
#include "dirty.h"

#include <errno.h>
#include <stdlib.h>

#include "event.h"
#include "guard.h"
#include "vxdp/util.h"

struct vu_dirty {
	/* Its data is the first byte of the log: the offset is in there and nowhere else. */
	struct vu_peer_map map;
	int event_fd;
};

int vu_dirty_new(int fd, uint64_t bytes, uint64_t offset, struct vu_dirty **out, const char **why)
{
	struct vu_dirty *d = calloc(1, sizeof(*d));
	int err;

	if (!d) {
		*why = "no memory";
		return -ENOMEM;
	}
	d->event_fd = -1;
	err = vu_peer_map(&d->map, fd, offset, bytes, why);
	if (err) {
		free(d);
		return err;
	}
	*out = d;
	return 0;
}

void vu_dirty_free(struct vu_dirty **d)
{
	if (!*d)
		return;
	vu_peer_unmap(&(*d)->map);
	free(*d);
	*d = NULL;
}

void vu_dirty_watch(struct vu_dirty *d, int fd)
{
	vu_guard_fd_set(d->map.guard, fd);
}

void vu_dirty_event_set(struct vu_dirty *d, int fd)
{
	d->event_fd = fd;
}

bool vu_dirty_covers(const struct vu_dirty *d, uint64_t gpa_end)
{
	return !gpa_end || (gpa_end - 1) / VU_LOG_PAGE_BYTES / 8 < d->map.bytes;
}

void vu_dirty_gpa(struct vu_dirty *d, uint64_t gpa, uint64_t bytes)
{
	uint64_t page, last, end;

	if (!bytes)
		return;
	if (__builtin_add_overflow(gpa, bytes - 1, &end))
		end = UINT64_MAX;
	last = end / VU_LOG_PAGE_BYTES;
	for (page = gpa / VU_LOG_PAGE_BYTES; page <= last && page / 8 < d->map.bytes; page++)
		__atomic_fetch_or(&d->map.data[page / 8], (uint8_t)(1u << page % 8),
				  __ATOMIC_SEQ_CST);
	if (d->event_fd >= 0)
		vu_event_signal(d->event_fd);
}
