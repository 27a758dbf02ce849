/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steer_test - what is asked of a NIC to give guests queues of their own, and that all of it is
 * undone. The NIC is made up, since none at hand takes such rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "loader/steer.h"
#include "loader/steer_nic.h"

#define PLACES 64

struct nic_model {
	bool used[PLACES];
	struct steer_rule rule[PLACES];
	unsigned int n_spread; /* 0: over all */
	int fail_in;	       /* the n-th request fails; 0: none */
	bool leaked;	       /* a queue with a rule could have got other frames */
};

static bool fails(struct nic_model *nic)
{
	return nic->fail_in && !--nic->fail_in;
}

/* Queues with rules are those that nothing else is spread to. */
static void look(struct nic_model *nic)
{
	for (unsigned int i = 0; i < PLACES; i++)
		if (nic->used[i] && (!nic->n_spread || nic->rule[i].queue < nic->n_spread))
			nic->leaked = true;
}

static int rule_add(void *arg, const struct steer_rule *rule, uint32_t *place)
{
	struct nic_model *nic = arg;

	if (fails(nic))
		return -EOPNOTSUPP;
	for (*place = PLACES - 1; nic->used[*place]; --*place)
		;
	nic->used[*place] = true;
	nic->rule[*place] = *rule;
	look(nic);
	return 0;
}

static int rule_del(void *arg, uint32_t place)
{
	struct nic_model *nic = arg;

	assert_true(nic->used[place]);
	nic->used[place] = false;
	return 0;
}

static int spread(void *arg, unsigned int n_queues)
{
	struct nic_model *nic = arg;

	if (n_queues && fails(nic))
		return -EINVAL;
	nic->n_spread = n_queues;
	if (n_queues)
		look(nic);
	return 0;
}

static const struct steer_ops ops = {rule_add, rule_del, spread};

static const struct steer_rule a3 = {{2, 0, 0, 0, 0, 0xa}, 3}, b2 = {{2, 0, 0, 0, 0, 0xb}, 2},
			       c3 = {{2, 0, 0, 0, 0, 0xc}, 3};

static unsigned int count_rules(const struct nic_model *nic)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PLACES; i++)
		n += nic->used[i];
	return n;
}

static bool has_rule(const struct nic_model *nic, const struct steer_rule *rule)
{
	for (unsigned int i = 0; i < PLACES; i++)
		if (nic->used[i] && !memcmp(&nic->rule[i], rule, sizeof(*rule)))
			return true;
	return false;
}

static void test_guests_come_and_go(void **state)
{
	struct nic_model nic = {};
	struct steer s = {.ops = &ops, .nic = &nic, .n_queues = 4};

	assert_int_equal(steer_set(&s, &a3, 1), 0);
	assert_int_equal(nic.n_spread, 3);
	assert_int_equal(steer_set(&s, (struct steer_rule[]){a3, b2}, 2), 0);
	assert_int_equal(nic.n_spread, 2);
	assert_true(has_rule(&nic, &a3) && has_rule(&nic, &b2));
	/* Another guest in the first one's place. */
	assert_int_equal(steer_set(&s, (struct steer_rule[]){c3, b2}, 2), 0);
	assert_true(has_rule(&nic, &c3) && !has_rule(&nic, &a3));
	assert_int_equal(steer_set(&s, &c3, 1), 0);
	assert_int_equal(nic.n_spread, 3);
	assert_int_equal(count_rules(&nic), 1);
	steer_clear(&s);
	assert_int_equal(count_rules(&nic), 0);
	assert_int_equal(nic.n_spread, 0);
	assert_false(nic.leaked);
}

static void test_nothing_asked_twice(void **state)
{
	struct nic_model nic = {};
	struct steer s = {.ops = &ops, .nic = &nic, .n_queues = 4};

	assert_int_equal(steer_set(&s, &a3, 1), 0);
	nic.fail_in = 1; /* whatever is asked now */
	assert_int_equal(steer_set(&s, &a3, 1), 0);
	assert_int_equal(count_rules(&nic), 1);
	steer_clear(&s);
}

/* Whichever request is refused: nothing is left behind. */
static void test_refused(void **state)
{
	for (int at = 1; at <= 3; at++) {
		struct nic_model nic = {.fail_in = at};
		struct steer s = {.ops = &ops, .nic = &nic, .n_queues = 4};

		assert_true(steer_set(&s, (struct steer_rule[]){a3, b2}, 2) < 0);
		assert_int_equal(count_rules(&nic), 0);
		assert_int_equal(nic.n_spread, 0);
		assert_int_equal(s.n_rules, 0);
		assert_false(nic.leaked);
		/* And it can be tried again. */
		assert_int_equal(steer_set(&s, &a3, 1), 0);
		steer_clear(&s);
	}
}

/* One queue at least is left to what has no rule. */
static void test_last_queue(void **state)
{
	struct nic_model nic = {};
	struct steer s = {.ops = &ops, .nic = &nic, .n_queues = 2};

	assert_int_equal(steer_set(&s, (struct steer_rule[]){a3, b2}, 2), -ENOSPC);
	assert_int_equal(count_rules(&nic), 0);
}

static void test_rule_of_the_kernel(void **state)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	struct ethtool_rx_flow_spec spec = steer_nic_rule(&b2, 17);

	assert_int_equal(spec.flow_type, ETHER_FLOW);
	assert_memory_equal(spec.h_u.ether_spec.h_dest, b2.mac, 6);
	assert_memory_equal(spec.m_u.ether_spec.h_dest, all, 6);
	assert_memory_equal(spec.m_u.ether_spec.h_source, none, 6);
	assert_int_equal(spec.m_u.ether_spec.h_proto, 0);
	assert_int_equal(spec.ring_cookie, 2);
	assert_int_equal(spec.location, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guests_come_and_go),
		cmocka_unit_test(test_nothing_asked_twice),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_last_queue),
		cmocka_unit_test(test_rule_of_the_kernel),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
