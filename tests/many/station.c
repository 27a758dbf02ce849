/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "station.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "include/vxdp/util.h"
#include "tests/hostile/wire.h"

#define MAGIC	     0x4d414e59u
#define CONNECT_MS   10000
#define GUEST_BYTES  (1u << 20)
#define BUFFER_BYTES 2048u

const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

int station_open(struct stations *s, unsigned int index, const struct stations_config *config)
{
	struct station *st = &s->at[index];
	struct fe_config c;
	char path[128];
	int err;

	fe_config_init(&c);
	if (config->packed)
		c.features |= FE_F(FE_F_PACKED);
	c.rx_num = c.tx_num = config->ring;
	c.n_regions = 1;
	c.region_bytes = GUEST_BYTES + 2u * config->ring * BUFFER_BYTES;
	snprintf(path, sizeof(path), config->socket_format, index);
	err = fe_open(&c, &st->fe) ?: fe_sock_connect(st->fe, path, CONNECT_MS);
	return err ?: fe_net_start(st->fe);
}

void station_close(struct stations *s, unsigned int index)
{
	fe_close(&s->at[index].fe);
}

int stations_open(struct stations *s, const struct stations_config *config)
{
	int err = 0;

	*s = (struct stations){.n_guests = config->n_guests, .n = config->n_guests + 2};
	for (unsigned int i = 0; i < s->n; i++) {
		const uint8_t mac[6] = {0x02, 0x5a, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};

		s->at[i] = (struct station){.index = i, .fd = -1};
		memcpy(s->at[i].mac, mac, sizeof(mac));
	}
	memcpy(s->at[config->n_guests + 1].mac, config->host_mac, 6);
	s->at[config->n_guests].fd = wire_open(config->wire, 0);
	s->at[config->n_guests + 1].fd = wire_open(config->host, 0);
	for (unsigned int i = config->n_guests; i < s->n; i++)
		err = err ?: MIN(s->at[i].fd, 0);
	for (unsigned int i = 0; !err && i < config->n_guests; i++)
		err = station_open(s, i, config);
	return err;
}

void stations_close(struct stations *s)
{
	for (unsigned int i = 0; i < s->n; i++) {
		close_fd(&s->at[i].fd);
		fe_close(&s->at[i].fe);
	}
}

int station_send(struct stations *s, unsigned int from, const uint8_t *src, const uint8_t *dst,
		 uint16_t to, uint32_t seq)
{
	struct frame f = {.ethertype_be = htons(WIRE_ETHERTYPE),
			  .from = (uint16_t)from,
			  .to = to,
			  .magic = MAGIC,
			  .round = s->round,
			  .seq = seq};

	memcpy(f.dst, dst, 6);
	memcpy(f.src, src, 6);
	if (!s->at[from].fe)
		return wire_send(s->at[from].fd, &f, sizeof(f));
	return fe_net_send(s->at[from].fe, 0, NULL, &f, sizeof(f), FE_LAYOUT_ONE, 0);
}

void station_flush(struct stations *s, unsigned int index)
{
	if (s->at[index].fe)
		fe_net_flush(s->at[index].fe, 0);
}

static int recv_any(struct station *st, void *buf, size_t size)
{
	if (!st->fe)
		return wire_recv(st->fd, buf, size);
	/* A length of 0 with a used buffer there: one that came back with nothing in it. */
	while (fe_ring_has_used(fe_rx(st->fe, 0))) {
		int bytes = fe_net_recv(st->fe, 0, NULL, buf, size);

		if (bytes)
			return bytes;
	}
	fe_net_refill(st->fe, 0);
	return 0;
}

int station_recv(struct stations *s, unsigned int index, struct frame *frame)
{
	uint8_t buf[BUFFER_BYTES];
	int bytes;

	while ((bytes = recv_any(&s->at[index], buf, sizeof(buf))) != 0) {
		if (bytes < 0)
			return bytes == -EMSGSIZE ? 0 : bytes;
		memcpy(frame, buf, sizeof(*frame));
		if (bytes < (int)sizeof(*frame) || frame->magic != MAGIC ||
		    frame->round != s->round || frame->from == index)
			continue;
		/* The packet sockets are promiscuous: only what is for its owner counts. */
		if (s->at[index].fd >= 0 && index == s->n_guests + 1 &&
		    memcmp(frame->dst, s->at[index].mac, 6) != 0 &&
		    memcmp(frame->dst, broadcast_mac, 6) != 0)
			continue;
		return 1;
	}
	return 0;
}

const char *stations_bad(const struct stations *s)
{
	for (unsigned int i = 0; i < s->n_guests; i++) {
		if (s->at[i].fe && s->at[i].fe->n_bad)
			return s->at[i].fe->bad;
	}
	return NULL;
}
