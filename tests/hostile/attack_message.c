// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_message.c - C1 to C5: the bytes of a message and the descriptors beside them.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attack.h"

/* What a bare message led to: its own reply or acknowledgement, or a hang-up. */
static int send_and_see(struct attack *a, uint32_t request, const void *payload, size_t bytes,
			const int *fds, unsigned int n_fds)
{
	return fe_sock_ack(a->fe, request, payload, bytes, fds, n_fds);
}

/* --- C1: pieces ------------------------------------------------------------------------------ */

static int short_header(struct attack *a, uint64_t bytes)
{
	struct fe_header h = {FE_GET_FEATURES, FE_VERSION, 0};
	int err = fe_sock_raw(a->fe, &h, bytes, NULL, 0);

	fe_sock_close(a->fe);
	return err ? err : -EPIPE;
}

static int payload_never(struct attack *a, uint64_t arg)
{
	struct fe_header h = {FE_SET_FEATURES, FE_VERSION, 8};
	int err = fe_sock_raw(a->fe, &h, sizeof(h), NULL, 0);

	usleep(300000);
	fe_sock_close(a->fe);
	return err ? err : -EPIPE;
}

static int byte_by_byte(struct attack *a, uint64_t arg)
{
	struct fe_msg msg = {.header = {FE_SET_FEATURES, FE_VERSION, 8}};
	const uint8_t *bytes = (const uint8_t *)&msg;
	int err = 0;

	msg.u64 = a->fe->offered & a->fe->config.features;
	for (unsigned int i = 0; !err && i < sizeof(msg.header) + 8; i++) {
		err = fe_sock_raw(a->fe, bytes + i, 1, NULL, 0);
		if (i % 5 == 0)
			usleep(2000);
	}
	return err;
}

static int table_in_pieces(struct attack *a, uint64_t arg)
{
	struct fe_msg msg = {.header = {FE_SET_MEM_TABLE, FE_VERSION, 40}};
	const uint8_t *bytes = (const uint8_t *)&msg;
	int err;

	msg.table = (struct fe_mem_table){.n_regions = 1};
	msg.table.region[0] = fe_mem_describe(a->fe, 0);
	err = fe_sock_raw(a->fe, bytes, 1, &a->fe->region[0].fd, 1); /* with the first byte */
	for (unsigned int i = 1; !err && i < sizeof(msg.header) + 40; i += 3) {
		size_t left = sizeof(msg.header) + 40 - i;

		err = fe_sock_raw(a->fe, bytes + i, left < 3 ? left : 3, NULL, 0);
		usleep(1000);
	}
	return err;
}

static int fds_late(struct attack *a, uint64_t arg)
{
	struct fe_msg msg = {.header = {FE_SET_MEM_TABLE, FE_VERSION, 40}};
	int err;

	msg.table = (struct fe_mem_table){.n_regions = 1};
	msg.table.region[0] = fe_mem_describe(a->fe, 0);
	err = fe_sock_raw(a->fe, &msg, sizeof(msg.header), NULL, 0);
	usleep(20000);
	if (!err)
		err = fe_sock_raw(a->fe, msg.bytes, 40, &a->fe->region[0].fd, 1);
	return err;
}

static int many_at_once(struct attack *a, uint64_t arg)
{
	struct fe_header h[3] = {{FE_GET_FEATURES, FE_VERSION, 0},
				 {FE_GET_PROTOCOL_FEATURES, FE_VERSION, 0},
				 {FE_GET_FEATURES, FE_VERSION, 0}};
	struct fe_msg reply;
	int err = fe_sock_raw(a->fe, h, sizeof(h), NULL, 0);

	for (unsigned int i = 0; !err && i < 3; i++) {
		err = fe_sock_recv(a->fe, &reply, NULL, 5000);
		if (!err && reply.header.request != h[i].request)
			return attack_fail(a, "reply %u is to another request", i);
	}
	return err;
}

static const struct step c1[] = {
	{"1 byte of a header, then close", short_header, 1, AT_CONNECTED, WANT_ANY, 0},
	{"11 bytes of a header, then close", short_header, 11, AT_CONNECTED, WANT_ANY, 0},
	{"header without its payload, then close", payload_never, 0, AT_NEGOTIATED, WANT_ANY, 0},
	{"one byte at a time", byte_by_byte, 0, AT_NEGOTIATED, WANT_OK, 0},
	{"memory table in pieces, descriptor at its first byte", table_in_pieces, 0, AT_NEGOTIATED,
	 WANT_OK, 0},
	{"descriptor with the payload instead of the header", fds_late, 0, AT_NEGOTIATED, WANT_ANY,
	 0},
	{"three messages in one write", many_at_once, 0, AT_CONNECTED, WANT_OK, 0},
};

/* --- C2: sizes ------------------------------------------------------------------------------- */

static int claim_size(struct attack *a, uint64_t bytes)
{
	struct fe_header h = {FE_SET_FEATURES, FE_VERSION | FE_NEED_REPLY, bytes};

	return fe_sock_raw(a->fe, &h, sizeof(h), NULL, 0);
}

static int huge_payload(struct attack *a, uint64_t bytes)
{
	static uint8_t filler[70000];
	struct fe_header h = {FE_SET_MEM_TABLE, FE_VERSION, bytes};
	int err = fe_sock_raw(a->fe, &h, sizeof(h), NULL, 0);

	return err ? err : fe_sock_raw(a->fe, filler, bytes, NULL, 0);
}

#define SIZED(request, bytes) ((uint64_t)(request) << 32 | (bytes))

static int wrong_size(struct attack *a, uint64_t sized)
{
	uint8_t payload[512] = {0};

	return send_and_see(a, sized >> 32, payload, sized & 0xffff, NULL, 0);
}

/* A request with a reply of its own: only a hang-up says no. */
static int wrong_size_get(struct attack *a, uint64_t sized)
{
	uint8_t payload[512] = {0};

	return fe_sock_send(a->fe, sized >> 32, 0, payload, sized & 0xffff, NULL, 0);
}

static int table_too_short(struct attack *a, uint64_t n_regions)
{
	struct fe_mem_table table = {.n_regions = n_regions};
	int fds[2] = {a->fe->region[0].fd, a->fe->region[1].fd};

	table.region[0] = fe_mem_describe(a->fe, 0);
	return send_and_see(a, FE_SET_MEM_TABLE, &table, 40, fds, 2);
}

static const struct step c2[] = {
	{"payload of 4097 bytes claimed", claim_size, 4097, AT_NEGOTIATED, WANT_CLOSE, 0},
	{"payload of 0x7fffffff bytes claimed", claim_size, 0x7fffffff, AT_NEGOTIATED, WANT_CLOSE,
	 0},
	{"payload of 0xffffffff bytes claimed", claim_size, 0xffffffff, AT_NEGOTIATED, WANT_CLOSE,
	 0},
	{"payload of 0xfffffff4 bytes claimed", claim_size, 0xfffffff4, AT_NEGOTIATED, WANT_CLOSE,
	 0},
	{"payload of 65536 bytes sent", huge_payload, 65536, AT_NEGOTIATED, WANT_CLOSE, 0},
	{"SET_FEATURES of 0 bytes", wrong_size, SIZED(FE_SET_FEATURES, 0), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_FEATURES of 4 bytes", wrong_size, SIZED(FE_SET_FEATURES, 4), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_FEATURES of 16 bytes", wrong_size, SIZED(FE_SET_FEATURES, 16), AT_NEGOTIATED,
	 WANT_REFUSE, STEP_NO_ACK},
	{"SET_VRING_NUM of 4 bytes", wrong_size, SIZED(FE_SET_VRING_NUM, 4), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_VRING_ADDR of 8 bytes", wrong_size, SIZED(FE_SET_VRING_ADDR, 8), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_VRING_ADDR of 48 bytes", wrong_size, SIZED(FE_SET_VRING_ADDR, 48), AT_NEGOTIATED,
	 WANT_REFUSE, STEP_NO_ACK},
	{"SET_VRING_KICK of 4 bytes", wrong_size, SIZED(FE_SET_VRING_KICK, 4), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_MEM_TABLE of 0 bytes", wrong_size, SIZED(FE_SET_MEM_TABLE, 0), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_MEM_TABLE of 2 regions with the bytes of 1", table_too_short, 2, AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_MEM_TABLE of 8 regions with the bytes of 1", table_too_short, 8, AT_NEGOTIATED,
	 WANT_REFUSE, STEP_NO_ACK},
	{"ADD_MEM_REG of 32 bytes", wrong_size, SIZED(FE_ADD_MEM_REG, 32), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"NET_SET_MTU of 2 bytes", wrong_size, SIZED(FE_NET_SET_MTU, 2), AT_NEGOTIATED, WANT_REFUSE,
	 0},
	{"GET_VRING_BASE of 4 bytes", wrong_size_get, SIZED(FE_GET_VRING_BASE, 4), AT_NEGOTIATED,
	 WANT_CLOSE, 0},
	{"GET_VRING_BASE of 12 bytes", wrong_size_get, SIZED(FE_GET_VRING_BASE, 12), AT_NEGOTIATED,
	 WANT_CLOSE, 0},
	{"GET_FEATURES of 8 bytes", wrong_size_get, SIZED(FE_GET_FEATURES, 8), AT_NEGOTIATED,
	 WANT_CLOSE, 0},
	{"GET_INFLIGHT_FD of 16 bytes", wrong_size_get, SIZED(FE_GET_INFLIGHT_FD, 16),
	 AT_NEGOTIATED, WANT_CLOSE, 0},
	{"SET_LOG_BASE of 8 bytes", wrong_size_get, SIZED(FE_SET_LOG_BASE, 8), AT_NEGOTIATED,
	 WANT_CLOSE, 0},
};

/* --- C3: flags ------------------------------------------------------------------------------- */

static int wrong_flags(struct attack *a, uint64_t flags)
{
	struct fe_header h = {FE_GET_FEATURES, flags, 0};

	return fe_sock_raw(a->fe, &h, sizeof(h), NULL, 0);
}

static const struct step c3[] = {
	{"version 0", wrong_flags, 0x0, AT_CONNECTED, WANT_CLOSE, 0},
	{"version 2", wrong_flags, 0x2, AT_CONNECTED, WANT_CLOSE, 0},
	{"version 3", wrong_flags, 0x3, AT_NEGOTIATED, WANT_CLOSE, 0},
	{"a reply nobody asked for", wrong_flags, 0x5, AT_NEGOTIATED, WANT_CLOSE, 0},
	{"unknown flag 0x10", wrong_flags, 0x11, AT_NEGOTIATED, WANT_CLOSE, 0},
	{"all flags", wrong_flags, 0xffffffff, AT_NEGOTIATED, WANT_CLOSE, 0},
};

/* --- C4: requests ---------------------------------------------------------------------------- */

static int request_of(struct attack *a, uint64_t sized)
{
	uint8_t payload[64] = {0};

	return send_and_see(a, sized >> 32, payload, sized & 0xffff, NULL, 0);
}

/* Every number of a request that is not for this device, on connections of their own. */
static int all_unknown(struct attack *a, uint64_t arg)
{
	static const uint8_t not_for_us[] = {0,	 22, 23, 24, 25, 26, 27, 28, 29, 30, 33,
					     35, 41, 42, 43, 44, 45, 46, 47, 99, 255};
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(not_for_us); i++) {
		err = attack_connect(a, AT_NEGOTIATED);
		if (err)
			return err;
		err = send_and_see(a, not_for_us[i], NULL, 0, NULL, 0);
		if (err != -EPIPE && err != -EREMOTEIO)
			return attack_fail(a, "request %u: %s", not_for_us[i], strerror(-err));
	}
	return err;
}

/* Requests whose feature was offered, but not taken up. */
static int not_negotiated(struct attack *a, uint64_t sized)
{
	uint8_t payload[64] = {0};
	int err;

	a->fe->config.protocol_features = 0;
	err = attack_connect(a, AT_NEGOTIATED);
	if (err)
		return err;
	return fe_sock_send(a->fe, sized >> 32, 0, payload, sized & 0xffff, NULL, 0);
}

static const struct step c4[] = {
	{"request 0", request_of, SIZED(0, 0), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"request 0 without REPLY_ACK", request_of, SIZED(0, 0), AT_CONNECTED, WANT_REFUSE,
	 STEP_NO_ACK},
	{"request 46", request_of, SIZED(46, 8), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"request 0x80000001", request_of, SIZED(0x80000001, 0), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"request 0xffffffff", request_of, SIZED(0xffffffff, 0), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"every other unknown request", all_unknown, 0, AT_NOTHING, WANT_REFUSE, 0},
	{"every other unknown request without REPLY_ACK", all_unknown, 0, AT_NOTHING, WANT_REFUSE,
	 STEP_NO_ACK},
	{"ADD_MEM_REG not negotiated", not_negotiated, SIZED(FE_ADD_MEM_REG, 40), AT_NOTHING,
	 WANT_CLOSE, 0},
	{"GET_QUEUE_NUM not negotiated", not_negotiated, SIZED(FE_GET_QUEUE_NUM, 0), AT_NOTHING,
	 WANT_CLOSE, 0},
	{"GET_STATUS not negotiated", not_negotiated, SIZED(FE_GET_STATUS, 0), AT_NOTHING,
	 WANT_CLOSE, 0},
	{"GET_INFLIGHT_FD not negotiated", not_negotiated, SIZED(FE_GET_INFLIGHT_FD, 20),
	 AT_NOTHING, WANT_CLOSE, 0},
	{"RESET_DEVICE not negotiated", not_negotiated, SIZED(FE_RESET_DEVICE, 0), AT_NOTHING,
	 WANT_CLOSE, 0},
	{"POSTCOPY_ADVISE", request_of, SIZED(FE_POSTCOPY_ADVISE, 0), AT_RUNNING, WANT_REFUSE, 0},
};

/* --- C5: how many descriptors ---------------------------------------------------------------- */

static int with_fds(struct attack *a, uint64_t n_fds)
{
	static const uint16_t takes_none[][2] = {
		{FE_SET_FEATURES, 8},
		{FE_SET_OWNER, 0},
		{FE_SET_VRING_NUM, 8},
		{FE_SET_VRING_ADDR, 40},
		{FE_SET_VRING_BASE, 8},
		{FE_SET_VRING_ENABLE, 8},
		{FE_SEND_RARP, 8},
		{FE_NET_SET_MTU, 8},
		{FE_SET_STATUS, 8},
		{FE_GET_FEATURES, 0},
		{FE_GET_QUEUE_NUM, 0},
		{FE_GET_STATUS, 0},
		{FE_RESET_DEVICE, 0},
		{0, 0},
		{46, 0},
	};
	uint8_t payload[64] = {0};
	int fds[FE_FDS_MAX];
	int err = 0;

	for (unsigned int i = 0; i < n_fds; i++)
		fds[i] = a->fe->region[i % 2].fd;
	for (unsigned int i = 0; i < ARRAY_SIZE(takes_none); i++) {
		err = attack_connect(a, AT_NEGOTIATED);
		if (err)
			return err;
		err = fe_sock_send(a->fe, takes_none[i][0], 0, payload, takes_none[i][1], fds,
				   n_fds);
		if (!err)
			err = attack_alive(a->fe);
		if (err && err != -EPIPE)
			return err;
	}
	return err;
}

static int table_with_fds(struct attack *a, uint64_t n_fds)
{
	struct fe_mem_table table = {.n_regions = 2};
	int fds[FE_FDS_MAX];

	for (unsigned int i = 0; i < n_fds; i++)
		fds[i] = a->fe->region[i % 2].fd;
	table.region[0] = fe_mem_describe(a->fe, 0);
	table.region[1] = fe_mem_describe(a->fe, 1);
	return send_and_see(a, FE_SET_MEM_TABLE, &table, 72, fds, n_fds);
}

static int needs_fd(struct attack *a, uint64_t sized)
{
	uint8_t payload[64] = {0};

	return send_and_see(a, sized >> 32, payload, sized & 0xffff, NULL, 0);
}

static int vring_fds(struct attack *a, uint64_t n_fds)
{
	int fds[8];
	uint64_t payload = n_fds ? 0 : 1u << 8;

	for (unsigned int i = 0; i < 8; i++)
		fds[i] = a->fe->region[0].fd;
	/* bit 8 and yet a descriptor; or two descriptors */
	return send_and_see(a, FE_SET_VRING_CALL, &payload, 8, fds, n_fds ? n_fds : 1);
}

static int remove_with_fd(struct attack *a, uint64_t arg)
{
	struct fe_mem_single single = {.region = fe_mem_describe(a->fe, 1)};

	return send_and_see(a, FE_REM_MEM_REG, &single, sizeof(single), &a->fe->region[1].fd, 1);
}

/* Everything again and again on connections of one message: what leaks adds up. */
static int leak_loop(struct attack *a, uint64_t rounds)
{
	struct fe_inflight want = {.n_queues = 2, .queue_num = 256};
	int fds[8];

	for (unsigned int i = 0; i < 8; i++)
		fds[i] = a->fe->region[0].fd;
	for (unsigned int i = 0; i < rounds; i++) {
		int err = attack_connect(a, AT_MEMORY);

		if (err)
			return err;
		switch (i % 4) {
		case 0:
			fe_sock_send(a->fe, FE_SET_OWNER, 0, NULL, 0, fds, 8);
			break;
		case 1:
			fe_sock_send(a->fe, FE_GET_INFLIGHT_FD, 0, &want, 20, fds, 2);
			break;
		case 2: /* half a message, its descriptors already there */
			fe_sock_raw(a->fe, "\5\0\0\0\1", 5, fds, 8);
			break;
		case 3:
			fe_sock_send(a->fe, FE_SET_INFLIGHT_FD, 0, &want, 20, fds, 1);
			break;
		}
		usleep(500);
	}
	return 0;
}

static const struct step c5[] = {
	{"1 descriptor where none belongs (CVE-2019-14818)", with_fds, 1, AT_NOTHING, WANT_CLOSE,
	 0},
	{"8 descriptors where none belongs (CVE-2019-14818)", with_fds, 8, AT_NOTHING, WANT_CLOSE,
	 0},
	{"a table of 2 with 1 descriptor", table_with_fds, 1, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"a table of 2 with 0 descriptors", table_with_fds, 0, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"a table of 2 with 3 descriptors", table_with_fds, 3, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"a table of 2 with 8 descriptors", table_with_fds, 8, AT_NEGOTIATED, WANT_REFUSE,
	 STEP_NO_ACK},
	{"9 descriptors (cut off by the kernel)", table_with_fds, 9, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"253 descriptors", table_with_fds, 253, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"SET_VRING_KICK without its descriptor", needs_fd, SIZED(FE_SET_VRING_KICK, 8),
	 AT_NEGOTIATED, WANT_REFUSE, 0},
	{"SET_VRING_CALL without its descriptor", needs_fd, SIZED(FE_SET_VRING_CALL, 8),
	 AT_NEGOTIATED, WANT_REFUSE, 0},
	{"SET_BACKEND_REQ_FD without its descriptor", needs_fd, SIZED(FE_SET_BACKEND_REQ_FD, 0),
	 AT_NEGOTIATED, WANT_REFUSE, 0},
	{"ADD_MEM_REG without its descriptor", needs_fd, SIZED(FE_ADD_MEM_REG, 40), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"SET_INFLIGHT_FD without its descriptor", needs_fd, SIZED(FE_SET_INFLIGHT_FD, 20),
	 AT_NEGOTIATED, WANT_REFUSE, 0},
	{"SET_LOG_BASE without its descriptor", wrong_size_get, SIZED(FE_SET_LOG_BASE, 16),
	 AT_NEGOTIATED, WANT_ANY, 0},
	{"SET_VRING_CALL: 'no descriptor', and one", vring_fds, 0, AT_NEGOTIATED, WANT_ANY, 0},
	{"SET_VRING_CALL with 2 descriptors", vring_fds, 2, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"REM_MEM_REG with a descriptor, which is allowed", remove_with_fd, 0, AT_MEMORY, WANT_OK,
	 0},
	{"all of it 400 times (CVE-2019-14818, CVE-2022-0669)", leak_loop, 400, AT_NOTHING,
	 WANT_ANY, 0},
};

const struct attack_case message_cases[] = {
	STEPS("C1", c1), STEPS("C2", c2), STEPS("C3", c3),
	STEPS("C4", c4), STEPS("C5", c5), {NULL, NULL, 0},
};
