/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log_stub.h - vxdp_log() for test programs: keeps the lines instead of printing them.
 *
 * With VXDP_TEST_LOG=1 in the environment they go to standard error as well.
 */
#ifndef TESTS_LOG_STUB_H
#define TESTS_LOG_STUB_H

#include <stdbool.h>

/** log_stub_clear() - forget all lines */
void log_stub_clear(void);

/** log_stub_has() - is there a line that contains @text? */
bool log_stub_has(const char *text);

/** log_stub_lines() - how many lines contain @text? */
unsigned int log_stub_lines(const char *text);

#endif /* TESTS_LOG_STUB_H */
