/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * features.h - the questions `vxdp features` answers about a NIC and this machine.
 */
#ifndef VXDP_LOADER_FEATURES_H
#define VXDP_LOADER_FEATURES_H

#include "nic.h"

/* How much an answer matters. */
enum feature_weight {
	FEATURE_NEEDED, /* attach fails without */
	FEATURE_SPEED,	/* it works without, slower */
	FEATURE_INFO,	/* good to know */
};

struct feature {
	const char *name; /* as in the JSON: stays */
	enum feature_weight weight;
	enum vxdp_answer answer;
	char detail[192]; /* what was found */
	char fix[192];	  /* one command that changes the answer, or "" */
};

#define FEATURES_MAX 32

/** features_probe() - answer all questions. Return: how many. */
unsigned int features_probe(const struct nic_info *nic, struct feature features[FEATURES_MAX]);

/** features_find() - the answer called @name; it has to exist */
const struct feature *features_find(const struct feature *features, const char *name);

#endif /* VXDP_LOADER_FEATURES_H */
