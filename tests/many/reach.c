/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reach.c - does each station reach each other one, exactly once?
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

#define PATIENCE_US   2000000
#define SETTLE_US     30000000
#define QUIET_US      20000
#define UNICAST_TIMES 3

struct counts {
	uint64_t n_expected, n_received, n_duplicate, n_misplaced;
	uint8_t seen[STATIONS_MAX][STATIONS_MAX]; /* [from][at] */
};

int send_retry(struct stations *s, unsigned int from, const uint8_t *src, const uint8_t *dst,
	       uint16_t to, uint32_t seq)
{
	const int64_t end = now_us() + PATIENCE_US;
	int err;

	while ((err = station_send(s, from, src, dst, to, seq)) == -EAGAIN || err == -ENOBUFS) {
		station_flush(s, from);
		if (now_us() > end)
			break;
		poll(NULL, 0, 1);
	}
	station_flush(s, from);
	return err;
}

static void count(struct counts *c, unsigned int at, const struct frame *f)
{
	if (f->to != STATION_ALL && f->to != at)
		c->n_misplaced++;
	else if (f->from >= STATIONS_MAX || c->seen[f->from][at]++)
		c->n_duplicate++;
	else
		c->n_received++;
}

/* Take what has come. Return: frames. */
static unsigned int take_all(struct stations *s, struct counts *c)
{
	unsigned int n = 0;
	struct frame f;

	for (unsigned int i = 0; i < s->n; i++) {
		while (station_recv(s, i, &f) > 0) {
			count(c, i, &f);
			n++;
		}
	}
	return n;
}

/* Until all that is expected has come, or nothing comes any more. */
static void take_expected(struct stations *s, struct counts *c)
{
	int64_t end = now_us() + PATIENCE_US;

	while (c->n_received < c->n_expected && now_us() < end) {
		if (take_all(s, c))
			end = now_us() + PATIENCE_US;
		else
			poll(NULL, 0, 1);
	}
}

static void forget(struct counts *c)
{
	memset(c->seen, 0, sizeof(c->seen));
}

/* For some time, in which doubles would come. */
static void take_doubles(struct stations *s, struct counts *c)
{
	for (int64_t end = now_us() + QUIET_US; now_us() < end;) {
		if (take_all(s, c))
			end = now_us() + QUIET_US;
		poll(NULL, 0, 1);
	}
}

static int broadcast_each(struct stations *s, struct counts *c)
{
	for (unsigned int i = 0; i < s->n; i++) {
		int err = send_retry(s, i, s->at[i].mac, broadcast_mac, STATION_ALL, 0);

		if (err)
			return err;
		c->n_expected += s->n - 1;
		take_expected(s, c);
		c->n_expected =
			c->n_received; /* what has not come by now does not hold up the rest */
	}
	take_doubles(s, c);
	return 0;
}

int settle(struct stations *s)
{
	const int64_t end = now_us() + SETTLE_US;
	static struct counts c;
	uint64_t wanted = (uint64_t)s->n * (s->n - 1);

	do {
		memset(&c, 0, sizeof(c));
		s->round++;
		for (unsigned int i = 0; i < s->n; i++) {
			int err = send_retry(s, i, s->at[i].mac, broadcast_mac, STATION_ALL, 0);

			if (err)
				return err;
			take_all(s, &c);
		}
		take_doubles(s, &c);
	} while (c.n_received < wanted && now_us() < end);
	s->round++;
	return c.n_received < wanted ? -ETIMEDOUT : 0;
}

/* One frame from each to each; to the next one first, so that all receive at once. */
static int unicast_each(struct stations *s, struct counts *c, uint32_t seq)
{
	forget(c);
	for (unsigned int k = 1; k < s->n; k++) {
		for (unsigned int i = 0; i < s->n; i++) {
			const unsigned int to = (i + k) % s->n;
			int err = send_retry(s, i, s->at[i].mac, s->at[to].mac, (uint16_t)to, seq);

			if (err)
				return err;
		}
		c->n_expected += s->n;
		take_expected(s, c);
	}
	take_doubles(s, c);
	return 0;
}

static void print(const char *name, const struct counts *c, uint64_t wanted)
{
	printf("\"%s\":{\"wanted\":%" PRIu64 ",\"received\":%" PRIu64 ",\"duplicate\":%" PRIu64
	       ",\"misplaced\":%" PRIu64 "}",
	       name, wanted, c->n_received, c->n_duplicate, c->n_misplaced);
}

int mode_reach(struct stations *s, const struct many_options *opt)
{
	static struct counts broadcast, unicast;
	const uint64_t pairs = (uint64_t)s->n * (s->n - 1);
	int err = settle(s);

	if (!err)
		err = broadcast_each(s, &broadcast);
	s->round++;
	for (uint32_t i = 0; !err && i < UNICAST_TIMES; i++)
		err = unicast_each(s, &unicast, i);
	printf("{\"stations\":%u,", s->n);
	print("broadcast", &broadcast, pairs);
	printf(",");
	print("unicast", &unicast, UNICAST_TIMES * pairs);
	printf("}\n");
	return err;
}
