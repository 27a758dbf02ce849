/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - as much of netlink as a NIC's facts need: ask, and be called with each answer.
 */
#ifndef VXDP_LOADER_NETLINK_H
#define VXDP_LOADER_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_REQUEST_MAX 512

/* A request under construction: the header, then a family's own, then attributes. */
struct netlink_request {
	union {
		struct nlmsghdr header;
		uint8_t bytes[NETLINK_REQUEST_MAX];
	};
};

/** netlink_init() - start a request. Return: where the family's own header of @bytes goes. */
void *netlink_init(struct netlink_request *request, uint16_t type, uint16_t flags, size_t bytes);

/** netlink_put() - add an attribute; the caller knows that it fits */
void netlink_put(struct netlink_request *request, uint16_t type, const void *data, size_t bytes);

/** netlink_fn - one message of the answer */
typedef void (*netlink_fn)(void *arg, const struct nlmsghdr *message);

/**
 * netlink_ask() - send a request, call @fn for each message that answers it
 * @protocol: NETLINK_ROUTE...
 * @fn: NULL if only success is of interest
 * Return: 0, or the negative errno the kernel answered with.
 */
int netlink_ask(int protocol, struct netlink_request *request, netlink_fn fn, void *arg);

/**
 * netlink_attrs() - sort a message's attributes into a table
 * @own_bytes: size of the family's own header
 * @table: gets the attributes of types below @n, NULL for those not there
 */
void netlink_attrs(const struct nlmsghdr *message, size_t own_bytes, const struct nlattr **table,
		   size_t n);

/** netlink_nested() - the same for the attributes within an attribute */
void netlink_nested(const struct nlattr *attr, const struct nlattr **table, size_t n);

/* What an attribute holds; 0 or "" if it is NULL or too short. */
uint32_t netlink_u32(const struct nlattr *attr);
uint64_t netlink_u64(const struct nlattr *attr);

/** netlink_text() - copy a string, cut to @bytes with its terminator */
void netlink_text(const struct nlattr *attr, char *text, size_t bytes);

/** netlink_bytes() - copy exactly @bytes. Return: 0, or -ENODATA if it has fewer. */
int netlink_bytes(const struct nlattr *attr, void *data, size_t bytes);

#endif /* VXDP_LOADER_NETLINK_H */
