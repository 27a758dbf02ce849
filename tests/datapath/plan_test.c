/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_test - which lane guests get, for every kind of NIC. (cmocka wants its four headers first.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loader/plan.h"

#define GUEST                                                                                      \
	{                                                                                          \
		.up = true                                                                         \
	}
#define GUEST_WITH(...)                                                                            \
	{                                                                                          \
		.up = true, __VA_ARGS__                                                            \
	}

static void expect_lane(const struct plan *plan, unsigned int port, enum plan_lane lane,
			enum plan_why why)
{
	assert_int_equal(plan->port[port].lane, lane);
	assert_int_equal(plan->port[port].why, why);
}

static void expect_queues(const struct plan *plan, unsigned int n, const int *owner)
{
	for (unsigned int q = 0; q < n; q++)
		assert_int_equal(plan->queue[q], owner[q]);
	assert_int_equal(plan->queue[n], PLAN_NOBODY);
}

static const struct plan_nic copy_mode = {.n_queues = 2};
static const struct plan_nic zerocopy = {.n_queues = 2, .zerocopy = true};
static const struct plan_nic steering = {.n_queues = 4, .zerocopy = true, .can_steer = true};

static void test_alone(void **state)
{
	const struct plan_port ports[] = {{.up = false}, GUEST};
	struct plan plan;

	plan_lanes(&copy_mode, ports, 2, &plan);
	expect_lane(&plan, 0, PLAN_KERNEL, PLAN_DOWN);
	expect_lane(&plan, 1, PLAN_DIRECT, PLAN_ALONE);
	expect_queues(&plan, 2, (int[]){1, 1});
}

static void test_crowd(void **state)
{
	const struct plan_port ports[] = {GUEST_WITH(.owns = true), GUEST,
					  GUEST_WITH(.asked = LANE_KERNEL)};
	struct plan plan;

	plan_lanes(&copy_mode, ports, 3, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_CROWD);
	expect_lane(&plan, 1, PLAN_SHARED, PLAN_CROWD);
	expect_lane(&plan, 2, PLAN_KERNEL, PLAN_ASKED);
	expect_queues(&plan, 2, (int[]){PLAN_EVERYONE, PLAN_EVERYONE});
}

/* A guest that does without a fast lane leaves the other one alone with the NIC. */
static void test_kernel_is_no_crowd(void **state)
{
	const struct plan_port ports[] = {GUEST, GUEST_WITH(.asked = LANE_KERNEL),
					  GUEST_WITH(.no_fast = true)};
	struct plan plan;

	plan_lanes(&copy_mode, ports, 3, &plan);
	expect_lane(&plan, 0, PLAN_DIRECT, PLAN_ALONE);
	expect_lane(&plan, 2, PLAN_KERNEL, PLAN_IMPOSSIBLE);
}

static void test_stay(void **state)
{
	const struct plan_nic nic = {.n_queues = 1, .stay_shared = true};
	const struct plan_port ports[] = {GUEST};
	struct plan plan;

	plan_lanes(&nic, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_CROWD);
}

static void test_asked_for(void **state)
{
	const struct plan_port ports[] = {GUEST_WITH(.asked = LANE_SHARED), GUEST,
					  GUEST_WITH(.asked = LANE_DIRECT),
					  GUEST_WITH(.asked = LANE_DIRECT, .owns = true)};
	struct plan plan;

	plan_lanes(&copy_mode, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_ASKED);
	plan_lanes(&copy_mode, ports, 3, &plan);
	expect_lane(&plan, 0, PLAN_KERNEL, PLAN_TAKEN);
	expect_lane(&plan, 1, PLAN_KERNEL, PLAN_TAKEN);
	expect_lane(&plan, 2, PLAN_DIRECT, PLAN_ASKED);
	assert_int_equal(plan.taker, 2);
	plan_lanes(&copy_mode, ports, 4, &plan);
	expect_lane(&plan, 2, PLAN_KERNEL, PLAN_TAKEN);
	expect_lane(&plan, 3, PLAN_DIRECT, PLAN_ASKED);
}

static void test_memory_unfit(void **state)
{
	const struct plan_port ports[] = {GUEST_WITH(.no_direct = true),
					  GUEST_WITH(.asked = LANE_DIRECT, .no_direct = true)};
	struct plan plan;

	plan_lanes(&copy_mode, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_FALLBACK);
	/* Who asked for the direct lane gets that one or none. */
	plan_lanes(&copy_mode, &ports[1], 1, &plan);
	expect_lane(&plan, 0, PLAN_KERNEL, PLAN_IMPOSSIBLE);
	expect_queues(&plan, 2, (int[]){PLAN_NOBODY, PLAN_NOBODY});
}

static void test_isolation(void **state)
{
	const struct plan_nic dedicated = {.n_queues = 1, .zerocopy = true, .dedicated = true};
	const struct plan_port ports[] = {GUEST, GUEST};
	struct plan plan;

	plan_lanes(&zerocopy, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_ISOLATED);
	plan_lanes(&dedicated, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_DIRECT, PLAN_ALONE);
	/* It was said that there is one guest, and now there are two. */
	plan_lanes(&dedicated, ports, 2, &plan);
	expect_lane(&plan, 0, PLAN_SHARED, PLAN_CROWD);
}

static void test_nothing_to_share(void **state)
{
	const struct plan_nic nic = {.n_queues = 2, .no_shared = true};
	const struct plan_port ports[] = {GUEST, GUEST_WITH(.owns = true),
					  GUEST_WITH(.asked = LANE_SHARED)};
	struct plan plan;

	plan_lanes(&nic, ports, 3, &plan);
	expect_lane(&plan, 0, PLAN_KERNEL, PLAN_TAKEN);
	expect_lane(&plan, 1, PLAN_DIRECT, PLAN_FIRST);
	expect_lane(&plan, 2, PLAN_KERNEL, PLAN_TAKEN);
	plan_lanes(&nic, &ports[2], 1, &plan);
	expect_lane(&plan, 0, PLAN_KERNEL, PLAN_IMPOSSIBLE);
}

/* A queue each from the last one downwards; the rest share what is left, which is never none. */
static void test_steering(void **state)
{
	const struct plan_port ports[] = {GUEST_WITH(.steerable = true), GUEST,
					  GUEST_WITH(.steerable = true, .asked = LANE_DIRECT),
					  GUEST_WITH(.steerable = true),
					  GUEST_WITH(.steerable = true)};
	struct plan plan;

	plan_lanes(&steering, ports, 1, &plan);
	expect_lane(&plan, 0, PLAN_DIRECT, PLAN_STEERED);
	expect_queues(&plan, 4, (int[]){PLAN_NOBODY, PLAN_NOBODY, PLAN_NOBODY, 0});
	plan_lanes(&steering, ports, 5, &plan);
	expect_lane(&plan, 0, PLAN_DIRECT, PLAN_STEERED);
	expect_lane(&plan, 1, PLAN_SHARED, PLAN_CROWD);
	expect_lane(&plan, 2, PLAN_DIRECT, PLAN_STEERED);
	expect_lane(&plan, 3, PLAN_DIRECT, PLAN_STEERED);
	expect_lane(&plan, 4, PLAN_SHARED, PLAN_CROWD);
	expect_queues(&plan, 4, (int[]){PLAN_EVERYONE, 3, 2, 0});
	assert_int_equal(plan.n_steered, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_kernel_is_no_crowd),
		cmocka_unit_test(test_stay),
		cmocka_unit_test(test_asked_for),
		cmocka_unit_test(test_memory_unfit),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_nothing_to_share),
		cmocka_unit_test(test_steering),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
