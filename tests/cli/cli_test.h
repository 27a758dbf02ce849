/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli_test.h - what every test program here includes, in the order cmocka wants it. */
#ifndef TESTS_CLI_CLI_TEST_H
#define TESTS_CLI_CLI_TEST_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "vxdp/util.h"

/* run_all() - run an array of tests and print TAP */
#define run_all(tests)                                                                             \
	(setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0), cmocka_run_group_tests(tests, NULL, NULL))

/* fds_open() - descriptors this process has */
static inline unsigned int fds_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif /* TESTS_CLI_CLI_TEST_H */
