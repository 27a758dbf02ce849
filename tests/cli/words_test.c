// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * words_test.c - addresses, numbers and lists of VLANs as people type them.
 */
#include <errno.h>

#include "cli_test.h"
#include "loader/words.h"

static struct vx_error error;

static const char *vlans(const char *text)
{
	static char *printed;
	__u64 bits[64];

	free(printed);
	printed = NULL;
	if (words_vlans(text, bits, &error))
		return "refused";
	printed = words_vlans_print(bits);
	return printed;
}

static void lists_of_vlans(void **state)
{
	assert_string_equal(vlans("10"), "10");
	assert_string_equal(vlans("30,10,20-22,23"), "10,20-23,30");
	assert_string_equal(vlans("1-2"), "1-2");
	assert_string_equal(vlans("63-64,127,128"), "63-64,127-128");
	assert_string_equal(vlans("5,5,4-6"), "4-6");
	assert_string_equal(vlans("all"), "1-4094");
	assert_string_equal(vlans("1-4094"), "1-4094");
}

static void lists_that_are_none(void **state)
{
	static const char *const wrong[] = {"",	     "0",    "4095", "1-4095",	    "3-2",  "1,",
					    ",1",    "1,,2", "1-",   "-1",	    "1--2", "1-2-3",
					    "all,1", "x",    "1 2",  "99999999999", "0x10", "none"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_string_equal(vlans(wrong[i]), "refused");
}

/* The longest there is. */
static void every_second_vlan(void **state)
{
	__u64 bits[64], again[64];
	char *text;

	for (int i = 0; i < 64; i++)
		bits[i] = 0xaaaaaaaaaaaaaaaaULL;
	bits[63] &= ~(1ULL << 63); /* 4095 is none */
	text = words_vlans_print(bits);
	assert_int_equal(words_vlans(text, again, &error), 0);
	assert_memory_equal(bits, again, sizeof(bits));
	free(text);
}

static void numbers(void **state)
{
	uint32_t value = 7;

	assert_int_equal(words_uint("10", "it", 1, 10, &value, &error), 0);
	assert_int_equal(value, 10);
	assert_int_equal(words_uint("11", "it", 1, 10, &value, &error), -EINVAL);
	assert_int_equal(words_uint("0", "it", 1, 10, &value, &error), -EINVAL);
	assert_int_equal(words_uint("", "it", 0, 10, &value, &error), -EINVAL);
	assert_int_equal(words_uint("1x", "it", 0, 10, &value, &error), -EINVAL);
	assert_int_equal(words_uint("-1", "it", 0, 10, &value, &error), -EINVAL);
	assert_int_equal(words_uint("4294967306", "it", 0, 10, &value, &error), -EINVAL);
	assert_int_equal(value, 10);
	assert_string_equal(error.message, "it is a number from 0 to 10, not '4294967306'");
}

static void addresses(void **state)
{
	static const char *const wrong[] = {"",
					    "52:54:00:00:00",
					    "52:54:00:00:00:01:02",
					    "52:54:00:00:00:0g",
					    "525400000001",
					    "52:54:00:00:00:001",
					    "01:00:5e:00:00:01",
					    "00:00:00:00:00:00"};
	char text[WORDS_MAC_CHARS];
	uint8_t mac[6];

	assert_int_equal(words_mac("52:54:0:A:bc:1", mac, &error), 0);
	words_mac_print(mac, text);
	assert_string_equal(text, "52:54:00:0a:bc:01");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(words_mac(wrong[i], mac, &error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_vlans),    cmocka_unit_test(lists_that_are_none),
		cmocka_unit_test(every_second_vlan), cmocka_unit_test(numbers),
		cmocka_unit_test(addresses),
	};

	return run_all(tests);
}
