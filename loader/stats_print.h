/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stats_print.h - counters, as ask_stats() gives them, for people and for Prometheus.
 */
#ifndef VXDP_LOADER_STATS_PRINT_H
#define VXDP_LOADER_STATS_PRINT_H

#include <jansson.h>
#include <stdbool.h>

/**
 * stats_print_text() - every counter of one NIC that is not 0
 * @per_second: say that the figures are rates
 * @drops_only: nothing but drops; says so if there are none
 */
void stats_print_text(const json_t *stats, bool per_second, bool drops_only);

/** stats_print_prometheus() - the text exposition format, for an array of NICs */
void stats_print_prometheus(const json_t *nics);

/** stats_rate() - (now - before) / seconds for every counter; a new reference */
json_t *stats_rate(const json_t *now, const json_t *before, double seconds);

/** stats_keep_drops() - remove the verdicts which are no drops from the stats of one NIC */
void stats_keep_drops(json_t *stats);

/** stats_keep_port() - remove all ports but @port. Return: is there such a port? */
bool stats_keep_port(json_t *stats, const char *port);

#endif /* VXDP_LOADER_STATS_PRINT_H */
