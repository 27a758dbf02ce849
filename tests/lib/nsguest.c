// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nsguest - a guest that is a network namespace: Linux's own stack, with no QEMU around it
 *
 *   nsguest PORT NETNS:DEV [--vlan N]
 *
 * What the port gives is written into the tap DEV of the namespace, and back, with the virtio-net
 * headers: frames of 64 KiB and unfinished checksums pass as they do in a guest. PORT is a tap,
 * NETNS:TAP, opened as QEMU opens it; vhost-net:NETNS:TAP, the same with rings that /dev/vhost-net
 * serves; or the path of a vhost-user socket that a back end listens on (frontend.h). Makes DEV.
 * Prints "ready", and ends on SIGTERM or when the back end hangs up.
 *
 * With --vlan the guest's frames are tagged on the port, and it hears only such frames: a VLAN
 * device for kernels that have none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/frontend.h"
#include "tests/lib/netns_tap.h"
#include "tests/lib/vhost_net.h"
#include "include/vxdp/util.h"

#define FRAME_MAX  65600
#define RX_BUFFERS 1024
#define BURST	   64
#define CONNECT_MS 20000
#define RETRY_US   200
#define RETRIES	   1000
#define TAP_HDR	   10 /* bytes of the header that a tap has: without num_buffers */
#define TAG_AT	   12
#define TAG_BYTES  4
#define TYPE_VLAN  0x8100
#define VLAN_MASK  0x0fff
#define NEEDS_CSUM 1
#define VHOST_NET  "vhost-net:"
#define GUEST_MACHINE                                                                              \
	(FE_F(FE_F_CSUM) | FE_F(FE_F_GUEST_CSUM) | FE_F(FE_F_HOST_TSO4) | FE_F(FE_F_GUEST_TSO4))

/* One end: a tap, or a vhost-user device. */
struct end {
	int fd;
	struct fe *fe;
};

struct frame {
	struct fe_hdr hdr;
	uint8_t room[TAG_BYTES]; /* for a tag in front of data */
	uint8_t data[FRAME_MAX];
};

static int connect_and_start(struct fe *fe, const char *path)
{
	return fe_sock_connect(fe, path, CONNECT_MS) ?: fe_net_start(fe);
}

/* @tap: NULL if it is a socket */
static int end_open_rings(struct end *end, const char *path, const char *tap)
{
	struct fe_config config;
	int tap_fd = -1, err;

	fe_config_init(&config);
	config.features |= GUEST_MACHINE;
	config.rx_num = RX_BUFFERS;
	config.tx_buffer_bytes = FRAME_MAX + FE_HDR_BYTES;
	config.region_bytes = 64u << 20;
	err = fe_open(&config, &end->fe);
	if (!err && tap)
		err = MIN(tap_fd = netns_tap_open(tap), 0);
	if (!err)
		err = tap ? vhost_net_start(end->fe, tap_fd) : connect_and_start(end->fe, path);
	if (!err)
		end->fd = fe_rx(end->fe, 0)->call_fd;
	return err;
}

static int end_open(struct end *end, const char *name)
{
	if (*name == '/')
		return end_open_rings(end, name, NULL);
	if (!strncmp(name, VHOST_NET, strlen(VHOST_NET)))
		return end_open_rings(end, NULL, name + strlen(VHOST_NET));
	end->fd = netns_tap_open(name);
	return MIN(end->fd, 0);
}

/* Return: bytes of the frame, 0 if there is none. */
static size_t end_recv(const struct end *end, struct frame *frame)
{
	struct iovec parts[] = {{&frame->hdr, TAP_HDR}, {frame->data, sizeof(frame->data)}};
	ssize_t n;

	if (end->fe) {
		n = fe_net_recv(end->fe, 0, &frame->hdr, frame->data, sizeof(frame->data));
		return n > 0 ? (size_t)n : 0;
	}
	n = readv(end->fd, parts, ARRAY_SIZE(parts));
	return n > TAP_HDR ? (size_t)n - TAP_HDR : 0;
}

/* What cannot be sent is lost, as on any network. */
static void end_send(const struct end *end, struct frame *frame, uint8_t *data, size_t bytes)
{
	struct iovec parts[] = {{&frame->hdr, TAP_HDR}, {data, bytes}};

	frame->hdr.num_buffers = 0;
	if (!end->fe) {
		if (writev(end->fd, parts, ARRAY_SIZE(parts)) < 0 && errno != EIO)
			perror("nsguest: writev");
		return;
	}
	for (int i = 0; i < RETRIES; i++) {
		if (fe_net_send(end->fe, 0, &frame->hdr, data, bytes, FE_LAYOUT_ONE, 0) != -EAGAIN)
			break;
		fe_net_flush(end->fe, 0);
		usleep(RETRY_US);
		fe_net_reclaim(end->fe, 0);
	}
}

/* Offsets in the header count from the frame's first byte. */
static void shift_offsets(struct fe_hdr *hdr, int bytes)
{
	if (hdr->flags & NEEDS_CSUM)
		hdr->csum_start = (uint16_t)(hdr->csum_start + bytes);
	if (hdr->gso_type)
		hdr->hdr_len = (uint16_t)(hdr->hdr_len + bytes);
}

static uint8_t *tag_push(struct frame *frame, size_t *bytes, unsigned int vlan)
{
	const uint16_t tag[] = {htons(TYPE_VLAN), htons((uint16_t)vlan)};
	uint8_t *data = frame->data - TAG_BYTES;

	memmove(data, frame->data, TAG_AT);
	memcpy(data + TAG_AT, tag, sizeof(tag));
	shift_offsets(&frame->hdr, TAG_BYTES);
	*bytes += TAG_BYTES;
	return data;
}

/* Return: NULL if the frame is not of this VLAN. */
static uint8_t *tag_pop(struct frame *frame, size_t *bytes, unsigned int vlan)
{
	uint16_t tag[2];

	memcpy(tag, frame->data + TAG_AT, sizeof(tag));
	if (*bytes < TAG_AT + TAG_BYTES || tag[0] != htons(TYPE_VLAN) ||
	    (ntohs(tag[1]) & VLAN_MASK) != vlan)
		return NULL;
	memmove(frame->data + TAG_BYTES, frame->data, TAG_AT);
	shift_offsets(&frame->hdr, -TAG_BYTES);
	*bytes -= TAG_BYTES;
	return frame->data + TAG_BYTES;
}

static void move(const struct end *from, const struct end *to, bool to_port, unsigned int vlan)
{
	static struct frame frame;
	uint8_t *data;
	size_t bytes;

	for (int n = 0; n < BURST && (bytes = end_recv(from, &frame)); n++) {
		data = frame.data;
		if (vlan)
			data = to_port ? tag_push(&frame, &bytes, vlan)
				       : tag_pop(&frame, &bytes, vlan);
		if (data)
			end_send(to, &frame, data, bytes);
	}
	if (from->fe)
		fe_net_refill(from->fe, 0);
	if (to->fe)
		fe_net_flush(to->fe, 0);
	if (to->fe)
		fe_net_reclaim(to->fe, 0);
}

/* True if a frame is there already, so that there is nothing to wait for. */
static bool listen_to(const struct end *end)
{
	uint64_t calls;

	if (!end->fe)
		return false;
	if (read(end->fd, &calls, sizeof(calls)) < 0 && errno != EAGAIN)
		perror("nsguest: call");
	fe_ring_call_on(fe_rx(end->fe, 0));
	return fe_ring_has_used(fe_rx(end->fe, 0));
}

static int serve(const struct end *port, const struct end *guest, unsigned int vlan)
{
	struct pollfd fds[] = {{.fd = port->fd, .events = POLLIN},
			       {.fd = guest->fd, .events = POLLIN},
			       {.fd = port->fe ? port->fe->sock : -1, .events = POLLRDHUP}};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), listen_to(port) ? 0 : -1) < 0 && errno != EINTR)
			return -errno;
		if (port->fe && port->fe->n_bad) {
			fprintf(stderr, "nsguest: the back end broke a rule: %s\n", port->fe->bad);
			return -EPROTO;
		}
		if (fds[2].revents)
			return 0;
		move(port, guest, false, vlan);
		if (fds[1].revents & POLLIN)
			move(guest, port, true, vlan);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"vlan", 1, NULL, 'v'}, {0}};
	struct end port = {.fd = -1}, guest = {.fd = -1};
	unsigned int vlan = 0;
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) == 'v')
		vlan = (unsigned int)atoi(optarg) & VLAN_MASK;
	if (c != -1 || argc - optind != 2) {
		fputs("usage: nsguest [vhost-net:]NETNS:TAP|SOCKET NETNS:DEV [--vlan N]\n", stderr);
		return 2;
	}
	err = end_open(&port, argv[optind]);
	if (!err)
		err = end_open(&guest, argv[optind + 1]);
	if (!err) {
		puts("ready");
		fflush(stdout);
		err = serve(&port, &guest, vlan);
	}
	if (err)
		fprintf(stderr, "nsguest: %s: %s\n", argv[optind], strerror(-err));
	return err ? 1 : 0;
}
