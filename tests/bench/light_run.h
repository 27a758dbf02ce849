/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * light_run.h - one run of the guest-to-guest benchmark's loop.
 */
#ifndef BENCH_LIGHT_RUN_H
#define BENCH_LIGHT_RUN_H

#include "light_frame.h"
#include "light_latency.h"
#include "light_ring.h"

#define LIGHT_BURST_MAX 64u

struct light_port {
	struct fe *fe;
	struct light_ring tx, rx;
	unsigned int index;
	uint32_t tx_seq;  /* of the next frame */
	uint32_t address; /* tx_seq % addresses */
	uint32_t rx_next; /* the number that should come next */
	uint64_t heard_tsc;
	uint64_t n_received, n_lost, n_late, n_corrupt, n_foreign, n_bursts;
};

struct light_options {
	unsigned int ms;
	uint64_t rate;	  /* frames a second of all ports, or 0: all that goes in */
	uint32_t window;  /* frames of a direction on their way at most; 0: no limit */
	uint32_t burst;	  /* frames added at a time */
	uint32_t check;	  /* one frame out of so many has a pattern; 0: none */
	uint32_t limit;	  /* frames a direction, or 0 */
	bool one_way;	  /* only even ports send */
	bool touch;	  /* the guest writes all of each frame, not just the headers */
	pid_t switch_tid; /* gets real-time priority, like this thread; 0: neither does */
	pid_t switch_pid; /* whose CPU time is wanted */
};

struct light_bench {
	unsigned int n_ports;
	struct light_port *port;
	struct light_format format;
	struct light_options opt;
	uint16_t run;
	double tsc_per_ns;
	uint64_t start_tsc;
	struct latency latency;
};

struct light_result {
	double seconds;
	double waited;	    /* share of the time the switch's thread was ready and did not run */
	double cpu_seconds; /* of the switch */
	uint64_t n_sent;
	uint64_t n_in_time; /* received before the time was over */
};

/** light_run() - send and receive for the time that the options say */
int light_run(struct light_bench *b, struct light_result *result);

#endif /* BENCH_LIGHT_RUN_H */
