/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * traffic.h - what the parts of the traffic tool share.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* All options of all commands; each command uses its own. */
struct opts {
	const char *to;
	const char *bind;
	const char *join;
	const char *dev;
	const char *background; /* file for the result: go on in a child once the socket is bound */
	uint16_t port;
	uint32_t size_min, size_max;
	uint64_t count;
	uint64_t bytes;
	uint64_t expect;
	uint64_t rate;
	unsigned int flows;
	double idle, timeout;
};

/* Result of a command, printed as one JSON object by emit(). */
struct result {
	char json[2048];
	size_t len;
};

double now(void);
_Noreturn void fail(const char *what);
bool stopped(void);
void put_u64(struct result *r, const char *name, uint64_t v);
void put_double(struct result *r, const char *name, double v);
void put_text(struct result *r, const char *name, const char *v);
void emit(const struct opts *o, struct result *r);

int open_socket(const struct opts *o, int type, struct sockaddr_storage *sa, socklen_t *len,
		bool listener);
void go_background(const struct opts *o);

int udp_recv(const struct opts *o);
int udp_send(const struct opts *o);
int udp_echo(const struct opts *o);
int udp_ping(const struct opts *o);
int tcp_recv(const struct opts *o);
int tcp_send(const struct opts *o);

#endif /* TRAFFIC_H */
