/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - the two sides of a vhost-user device for unit tests, in one thread: an owner that notes
 * what its callbacks were told, and a front end that sends exactly what a test wants.
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "vhost/dev.h"
#include "vhost/proto.h"

#define PEER_MEM_BYTES	(4ull << 20)
#define PEER_MEM_GPA	0x100000ull
#define PEER_MEM_UADDR	0x7f0000000000ull
#define PEER_LOG_ALL	(1ull << 26)
#define PEER_F_PROTOCOL (1ull << 30)
#define PEER_F_MODERN	(PEER_F_PROTOCOL | 1ull << 32)
#define PEER_F_PACKED	(1ull << 34)

struct peer {
	/* The device under test and its owner. */
	struct vu_dev *dev;
	char path[108];
	char dir[64];
	unsigned int n_link_up, n_link_down, n_features, n_mem_release, n_announce;
	uint64_t features;
	uint16_t mtu;
	int mtu_result;
	uint8_t mac[6];
	struct vu_ring *ring[2 * VU_PAIRS_MAX]; /* between start and stop */
	bool enabled[2 * VU_PAIRS_MAX];
	unsigned int n_start[2 * VU_PAIRS_MAX], n_stop[2 * VU_PAIRS_MAX];
	bool misuse; /* a callback came when it must not */
	void (*on_start)(struct peer *p, unsigned int index);
	void (*on_stop)(struct peer *p, unsigned int index);

	/* The front end. */
	int fd;
	int mem_fd;
	uint8_t *mem; /* PEER_MEM_BYTES of guest memory */
	int call_fd[4], kick_fd[4];
	uint64_t reply_u64;
};

/** peer_open() - a listening device and a front end connected to it, nothing negotiated */
void peer_open(struct peer *p, unsigned int pairs_max);

/** peer_open_config() - the same with the caller's own configuration, not connected */
void peer_open_config(struct peer *p, const struct vu_dev_config *config);

/** peer_prepare() - memory, directory and default configuration, no device */
void peer_prepare(struct peer *p, struct vu_dev_config *config);

/** peer_connect() - one more connection of the front end (the old descriptor is forgotten) */
void peer_connect(struct peer *p);

/** peer_close() - end everything, and check that nothing was left behind */
void peer_close(struct peer *p);

/** peer_pump() - let the device do all there is to do */
void peer_pump(struct peer *p);

/** peer_wait() - the same, until its state is @state (at most 5 seconds); false if it never is */
bool peer_wait(struct peer *p, enum vu_state state);

/** peer_bytes() - raw bytes, with descriptors */
void peer_bytes(struct peer *p, const void *bytes, size_t n, const int *fds, unsigned int n_fds);

/** peer_send() - one message; @flags beyond the version, e.g. VU_NEED_REPLY. Pumps. */
void peer_send(struct peer *p, uint32_t request, uint32_t flags, const void *payload,
	       uint32_t bytes, const int *fds, unsigned int n_fds);

/**
 * peer_receive() - a reply
 * Return: size of the payload; -1 if there is none; -2 if the connection was closed.
 */
int peer_receive(struct peer *p, struct vu_header *h, void *payload, size_t room, int *fd);

/** peer_ack() - send with NEED_REPLY; Return: the acknowledgement, or -1 none, -2 closed */
int peer_ack(struct peer *p, uint32_t request, const void *payload, uint32_t bytes, const int *fds,
	     unsigned int n_fds);

int peer_ack_u64(struct peer *p, uint32_t request, uint64_t value);
int peer_ack_state(struct peer *p, uint32_t request, uint32_t index, uint32_t num);
int peer_ack_event(struct peer *p, uint32_t request, unsigned int index, int fd);

/** peer_get() - a request with a 64-bit reply */
uint64_t peer_get(struct peer *p, uint32_t request);

/** peer_is_closed() - did the device close the connection? */
bool peer_is_closed(struct peer *p);

/** peer_negotiate() - protocol features (REPLY_ACK and all others), SET_OWNER */
void peer_negotiate(struct peer *p);

/** peer_mem_table() - all of the guest's memory as one region. Return: the acknowledgement. */
int peer_mem_table(struct peer *p);

/** peer_addr() - SET_VRING_ADDR of ring @index at its usual place. Return: acknowledgement. */
int peer_addr(struct peer *p, unsigned int index, uint32_t flags);

/** peer_addr_of() - what peer_addr() sends */
struct vu_vring_addr peer_addr_of(unsigned int index);

/** peer_ring() - all that ring @index needs to run */
void peer_ring(struct peer *p, unsigned int index, uint16_t num, uint32_t base);

/** peer_start() - peer_negotiate(), features, memory, @n_rings rings of 256, enabled */
void peer_start(struct peer *p, uint64_t features, unsigned int n_rings);

/** peer_fds() - descriptors open in this process */
unsigned int peer_fds(void);

/** peer_make_available() - put one buffer of @bytes at guest address @gpa into split ring @index */
void peer_make_available(struct peer *p, unsigned int index, uint64_t gpa, uint32_t bytes,
			 bool writable);

/** peer_event_count() - what an eventfd has counted since it was last asked */
uint64_t peer_event_count(int fd);

/** peer_serve_one() - take the one buffer there is, hand it back with @written bytes in it */
void peer_serve_one(struct vu_ring *r, uint32_t written);

/** peer_get_base() - GET_VRING_BASE */
uint32_t peer_get_base(struct peer *p, unsigned int index);

/** peer_region() - ADD_MEM_REG or REM_MEM_REG of a part of the memory; @fd -1: none */
int peer_region(struct peer *p, uint32_t request, uint64_t at, uint64_t bytes, int fd);

/** peer_check_closed() - the connection was closed, and one line with @line says so; connect anew
 */
void peer_check_closed(struct peer *p, const char *line);

/** peer_check_served() - a well-behaved front end is served */
void peer_check_served(struct peer *p);

#endif /* TESTS_UNIT_PEER_H */
