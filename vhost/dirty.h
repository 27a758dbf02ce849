/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirty.h - the log of pages we wrote, shared with a migrating front end (LOG_SHMFD): one bit for
 * each 4 KiB page of guest-physical memory.
 */
#ifndef VHOST_DIRTY_H
#define VHOST_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#define VU_LOG_PAGE_BYTES 4096

struct vu_dirty;

/**
 * vu_dirty_new() - map a log
 * @fd: its file; stays the caller's
 * @bytes: its size
 * @offset: of its first byte in the file
 * @out: the log, untouched on error; vu_dirty_free() ends it
 * @why: what is wrong when it fails
 * Return: 0 or -errno.
 */
int vu_dirty_new(int fd, uint64_t bytes, uint64_t offset, struct vu_dirty **out, const char **why);

/** vu_dirty_free() - unmap. Nobody may log any more. *d may be NULL. */
void vu_dirty_free(struct vu_dirty **d);

/** vu_dirty_watch() - signal @fd (an eventfd of the caller's) when the log's file is cut short */
void vu_dirty_watch(struct vu_dirty *d, int fd);

/** vu_dirty_event_set() - the front end's eventfd to signal after a change of the log, or -1 */
void vu_dirty_event_set(struct vu_dirty *d, int fd);

/** vu_dirty_covers() - is there a bit for every page below @gpa_end? */
bool vu_dirty_covers(const struct vu_dirty *d, uint64_t gpa_end);

/**
 * vu_dirty_gpa() - [gpa, gpa + bytes) was written. For any thread; pages beyond the log are
 * ignored.
 */
void vu_dirty_gpa(struct vu_dirty *d, uint64_t gpa, uint64_t bytes);

#endif /* VHOST_DIRTY_H */
