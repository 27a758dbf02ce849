/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * words.h - values that several commands take as words: addresses, VLANs, numbers, lists of them.
 */
#ifndef VXDP_LOADER_WORDS_H
#define VXDP_LOADER_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include <vxdp/abi.h>

#include "error.h"

#define WORDS_MAC_CHARS 18 /* "52:54:00:12:34:56" and its end */

/** words_index() - where @word is in a list that ends with NULL, or -1 */
int words_index(const char *const *list, const char *word);

/** words_next() - for opts_nearest() over such a list */
const char *words_next(const void *list, unsigned int i);

/** words_mac() - the address of one station. Return: 0, or -EINVAL with a usage error. */
int words_mac(const char *text, uint8_t mac[6], struct vx_error *error);

/** words_mac_print() - the reverse */
void words_mac_print(const uint8_t mac[6], char text[WORDS_MAC_CHARS]);

/**
 * words_uint() - a number
 * @what: what it is, for the error: "a storm limit"
 * Return: 0, or -EINVAL with a usage error.
 */
int words_uint(const char *text, const char *what, uint32_t min, uint32_t max, uint32_t *value,
	       struct vx_error *error);

/** words_vlans() - "10,20-30" or "all" as bits. Return: 0, or -EINVAL with a usage error. */
int words_vlans(const char *text, __u64 vlans[64], struct vx_error *error);

/** words_vlans_print() - the reverse: a new string, or NULL without memory */
char *words_vlans_print(const __u64 vlans[64]);

#endif /* VXDP_LOADER_WORDS_H */
