// SPDX-License-Identifier: GPL-2.0-or-later
#include "words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vxdp/util.h"

#define VLAN_RANGE_CHARS 11 /* "4000-4094," and its end */

int words_index(const char *const *list, const char *word)
{
	for (int i = 0; list[i]; i++) {
		if (!strcmp(list[i], word))
			return i;
	}
	return -1;
}

const char *words_next(const void *list, unsigned int i)
{
	return ((const char *const *)list)[i];
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* "52:54:00:12:34:56", one or two digits a byte */
static bool parse_mac(const char *text, uint8_t mac[6])
{
	int value, digit, n_digits;

	for (int i = 0; i < 6; i++) {
		value = 0;
		for (n_digits = 0; n_digits < 2 && (digit = hex(*text)) >= 0; n_digits++, text++)
			value = value * 16 + digit;
		if (!n_digits || *text != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = value;
		text++;
	}
	return true;
}

int words_mac(const char *text, uint8_t mac[6], struct vx_error *error)
{
	static const uint8_t zero[6];

	if (!parse_mac(text, mac))
		return vx_fail_usage(error, "'%s' is no address such as 52:54:00:12:34:56", text);
	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(zero)))
		return vx_fail_usage(error, "%s is not the address of one station", text);
	return 0;
}

void words_mac_print(const uint8_t mac[6], char text[WORDS_MAC_CHARS])
{
	snprintf(text, WORDS_MAC_CHARS, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

/* Digits at @text. Return: what follows them, or NULL if there are none or too many. */
static const char *take_digits(const char *text, uint64_t *value)
{
	int n = 0;

	*value = 0;
	for (; text[n] >= '0' && text[n] <= '9' && n < 11; n++)
		*value = *value * 10 + (uint64_t)(text[n] - '0');
	return n && n < 11 ? text + n : NULL;
}

int words_uint(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *value,
	       struct vx_error *error)
{
	uint64_t number;
	const char *end = take_digits(text, &number);

	if (!end || *end || number < min || number > max)
		return vx_fail_usage(error, "%s is a number from %u to %u, not '%s'", what, min,
				     max, text);
	*value = (uint32_t)number;
	return 0;
}

/* "20-30" or "10" at @text. Return: what follows it, or NULL. */
static const char *take_range(const char *text, uint64_t *first, uint64_t *last)
{
	text = take_digits(text, first);
	*last = *first;
	if (text && *text == '-')
		text = take_digits(text + 1, last);
	if (!text || !*first || *last < *first || *last > VXDP_VLAN_MAX)
		return NULL;
	return text;
}

int words_vlans(const char *text, __u64 vlans[64], struct vx_error *error)
{
	const char *at = strcmp(text, "all") ? text : "1-4094";
	uint64_t first, last;

	memset(vlans, 0, 64 * sizeof(vlans[0]));
	do {
		at = take_range(at, &first, &last);
		if (!at || (*at && *at != ','))
			return vx_fail_usage(error,
					     "'%s' is no list of VLANs from 1 to %u such as "
					     "10,20-30, nor all",
					     text, VXDP_VLAN_MAX);
		for (; first <= last; first++)
			vlans[first / 64] |= 1ULL << first % 64;
	} while (*at++);
	return 0;
}

static bool has_vlan(const __u64 vlans[64], unsigned int vlan)
{
	return vlan <= VXDP_VLAN_MAX && vlans[vlan / 64] >> vlan % 64 & 1;
}

char *words_vlans_print(const __u64 vlans[64])
{
	size_t bytes = 0, room = VXDP_VLAN_MAX / 2 * VLAN_RANGE_CHARS;
	char *text = malloc(room);

	if (!text)
		return NULL;
	text[0] = '\0';
	for (unsigned int vlan = 1, last; vlan <= VXDP_VLAN_MAX; vlan = last + 1) {
		for (last = vlan; has_vlan(vlans, last); last++)
			;
		if (last == vlan)
			continue;
		bytes += snprintf(text + bytes, room - bytes, "%s%u", bytes ? "," : "", vlan);
		if (last > vlan + 1)
			bytes += snprintf(text + bytes, room - bytes, "-%u", last - 1);
	}
	return text;
}
