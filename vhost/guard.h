/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - survive a peer that cuts short a file we have mapped.
 *
 * Touching such a page raises SIGBUS. For every guarded mapping the library's handler puts zero
 * pages of our own in the place of the whole mapping, so that whoever touched it goes on, and
 * tells the owner, who then closes the connection.
 */
#ifndef VHOST_GUARD_H
#define VHOST_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct vu_guard;

/**
 * vu_guard_add() - guard the shared file mapping [start, start + bytes)
 * @dead: set to true (atomically) when the file was cut short; must outlive the guard
 * @out: the guard; vu_guard_remove() before the mapping goes away
 *
 * Installs the process's SIGBUS handler the first time; a SIGBUS that is none of ours is passed
 * on to the handler that was there before.
 *
 * Return: 0 or -errno.
 */
int vu_guard_add(void *start, size_t bytes, bool *dead, struct vu_guard **out);

/** vu_guard_fd_set() - an eventfd of our own to signal as well, or -1. Stays the caller's. */
void vu_guard_fd_set(struct vu_guard *g, int fd);

/** vu_guard_remove() - the mapping is about to go away. *g may be NULL. */
void vu_guard_remove(struct vu_guard **g);

/**
 * vu_peer_file_check() - may a peer's file be mapped and its bytes [offset, offset + bytes) used?
 * @st: filled with what fstat() says
 * @page_bytes: page size of the file: 4 KiB, or of its huge pages
 * @why: what is wrong when it fails
 *
 * Refused: what is no regular file, what is shorter than that, and files of a user-space file
 * system, whose page faults would wait for the peer.
 *
 * Return: 0 or -errno.
 */
int vu_peer_file_check(int fd, uint64_t offset, uint64_t bytes, struct stat *st,
		       uint64_t *page_bytes, const char **why);

/* A piece of a peer's file, mapped and guarded. */
struct vu_peer_map {
	uint8_t *data; /* its first byte */
	uint64_t bytes;
	bool dead; /* the file was cut short */
	void *start;
	size_t start_bytes;
	struct vu_guard *guard;
};

/**
 * vu_peer_map() - check and map [offset, offset + bytes) of a peer's file
 * @map: stays where it is until vu_peer_unmap()
 * Return: 0 or -errno, with the reason in @why.
 */
int vu_peer_map(struct vu_peer_map *map, int fd, uint64_t offset, uint64_t bytes, const char **why);

/** vu_peer_unmap() - the end of a mapping; nothing if there is none */
void vu_peer_unmap(struct vu_peer_map *map);

#endif /* VHOST_GUARD_H */
