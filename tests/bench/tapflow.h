/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tapflow.h - what tapflow shares with its program in the kernel. */
#ifndef BENCH_TAPFLOW_H
#define BENCH_TAPFLOW_H

/* A burst: once @left is set, the program counts it down, and notes when it began and ended. */
struct burst {
	unsigned long long left;
	unsigned long long began_ns;
	unsigned long long ended_ns;
	unsigned long long runs; /* of the program, whether there was something to send or not */
};

#endif /* BENCH_TAPFLOW_H */
