/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * station.h - whoever can send and receive frames: many guests, the wire, the host.
 *
 * Each station has an address and a number; guests come first, then the wire, then the host.
 * Frames say who sent them to whom, and as what.
 */
#ifndef TESTS_STATION_H
#define TESTS_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/frontend.h"

#define STATION_ALL   0xffffu /* a destination: broadcast */
#define STATIONS_MAX  260u
#define STATION_FRAME 64u

struct station {
	unsigned int index;
	uint8_t mac[6];
	struct fe *fe; /* a guest */
	int fd;	       /* the wire or the host: a packet socket, else -1 */
};

struct frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint16_t ethertype_be;
	uint16_t from, to; /* stations; @to may be STATION_ALL */
	uint32_t magic;
	uint32_t round; /* frames of an earlier part of the test are not counted */
	uint32_t seq;
	uint8_t padding[STATION_FRAME - 30];
} __attribute__((packed));

struct stations {
	unsigned int n_guests, n; /* the wire is n_guests, the host n_guests + 1 */
	struct station at[STATIONS_MAX];
	uint32_t round;
};

struct stations_config {
	unsigned int n_guests;
	const char *socket_format; /* "/run/vm%u.sock" */
	const char *wire, *host;   /* NETNS:IFACE */
	uint8_t host_mac[6];
	bool packed;
	uint16_t ring;
};

int64_t now_us(void);

int stations_open(struct stations *s, const struct stations_config *config);
void stations_close(struct stations *s);

/** station_open() / station_close() - one guest comes, or goes without a word */
int station_open(struct stations *s, unsigned int index, const struct stations_config *config);
void station_close(struct stations *s, unsigned int index);

/** station_send() - from @from, with source address @src; -EAGAIN if its ring is full */
int station_send(struct stations *s, unsigned int from, const uint8_t *src, const uint8_t *dst,
		 uint16_t to, uint32_t seq);

/** station_flush() - let the back end see what was sent */
void station_flush(struct stations *s, unsigned int index);

/** station_recv() - a frame of this round that arrived at a station: 1, or 0 if there is none */
int station_recv(struct stations *s, unsigned int index, struct frame *frame);

/** stations_bad() - what the back end did that it must not, or NULL */
const char *stations_bad(const struct stations *s);

extern const uint8_t broadcast_mac[6];

#endif /* TESTS_STATION_H */
