/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt.h - a measurement's clock, and the threads that have the CPUs to themselves meanwhile.
 */
#ifndef BENCH_RT_H
#define BENCH_RT_H

#include <stdint.h>
#include <sys/types.h>

/** rt_now_ns() - CLOCK_MONOTONIC */
uint64_t rt_now_ns(void);

/** rt_sleep_until() - until CLOCK_MONOTONIC is @ns */
void rt_sleep_until(uint64_t ns);

/** rt_set_priority() - real-time @priority for thread @tid (0: this one), or 0 for the default */
int rt_set_priority(pid_t tid, int priority);

/** rt_waited_ns() - how long thread @tid was ready and waited for a CPU; 0 if unknown */
uint64_t rt_waited_ns(pid_t tid);

/** rt_used_ns() - CPU time of all threads of process @pid; 0 if unknown */
uint64_t rt_used_ns(pid_t pid);

#endif /* BENCH_RT_H */
