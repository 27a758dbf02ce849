/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.h - the Test Anything Protocol, as much as these tests need.
 */
#ifndef VXDP_TESTS_BPF_TAP_H
#define VXDP_TESTS_BPF_TAP_H

#include <stdbool.h>

/** tap_plan() - how many results will follow */
void tap_plan(unsigned int n);

/** tap_ok() - print a result. Return: @passed. */
bool tap_ok(bool passed, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** tap_is() - a result: two numbers are equal */
bool tap_is(long long got, long long wanted, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** tap_diag() - a line for people */
void tap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** tap_bail() - what follows cannot be tested */
void tap_bail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/** tap_exit() - exit status: 0 if all that was planned passed */
int tap_exit(void);

#endif /* VXDP_TESTS_BPF_TAP_H */
