/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng.h - write frames so that tcpdump, tshark and Wireshark read them.
 *
 * One section in this machine's byte order: a section header, an interface description a port, an
 * enhanced packet a frame, and at the end interface statistics. Each call writes whole blocks at
 * once, so a reader at the other end of a pipe never waits for half of one.
 */
#ifndef VXDP_LOADER_PCAPNG_H
#define VXDP_LOADER_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_SNAPLEN_MAX 65535

/* Return: 0, or -errno, which the call that wanted to write returns. */
typedef int (*pcapng_write_fn)(void *arg, const void *data, size_t bytes);

struct pcapng {
	pcapng_write_fn write;
	void *arg;
	uint32_t snaplen;
	uint32_t n_interfaces;
};

struct pcapng_frame {
	uint32_t interface; /* as numbered by pcapng_interface() */
	uint64_t time_ns;   /* since 1970 */
	const uint8_t *data;
	uint32_t captured_bytes; /* of @data; at most the snaplen */
	uint32_t frame_bytes;	 /* before it was cut */
	const char *comment;	 /* or NULL */
};

/** pcapng_start() - write the section header; @p is set up with @write, @arg, @snaplen */
int pcapng_start(struct pcapng *p, pcapng_write_fn write, void *arg, uint32_t snaplen);

/** pcapng_interface() - describe the next interface: they count from 0. Return: 0 or -errno. */
int pcapng_interface(struct pcapng *p, const char *name);

/** pcapng_frame() - write one frame. Return: 0 or -errno. */
int pcapng_frame(struct pcapng *p, const struct pcapng_frame *frame);

/** pcapng_statistics() - say how many frames an interface had and how many were not captured */
int pcapng_statistics(struct pcapng *p, uint32_t interface, uint64_t time_ns, uint64_t received,
		      uint64_t lost);

#endif /* VXDP_LOADER_PCAPNG_H */
