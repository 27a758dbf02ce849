/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modes.h - what the many guests do; see many.c.
 */
#ifndef TESTS_MODES_H
#define TESTS_MODES_H

#include "station.h"

struct many_options {
	struct stations_config config;
	unsigned int ms; /* how long a part takes */
	unsigned int seed;
	unsigned int rate;  /* hog, storm: frames a second of guest 0 */
	unsigned int wakes; /* soak: that often, but no longer than @ms */
	bool full_rate;	    /* moves: not paced */
};

int mode_reach(struct stations *s, const struct many_options *opt);
int mode_moves(struct stations *s, const struct many_options *opt);
int mode_hog(struct stations *s, const struct many_options *opt);
int mode_storm(struct stations *s, const struct many_options *opt);
int mode_crowd(struct stations *s, const struct many_options *opt);
int mode_soak(struct stations *s, const struct many_options *opt);

/** settle() - broadcasts until each has come everywhere; every address is known then */
int settle(struct stations *s);

/** send_retry() - station_send(), which gets room within a second, and flush */
int send_retry(struct stations *s, unsigned int from, const uint8_t *src, const uint8_t *dst,
	       uint16_t to, uint32_t seq);

#endif /* TESTS_MODES_H */
