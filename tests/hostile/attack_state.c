// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_state.c - C22: every message in every state, and messages in any order.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attack.h"

/* --- C22: every message in every state ------------------------------------------------------- */

/* A message that would be good somewhere. Its descriptors belong to the caller's front end. */
static int any_message(struct attack *a, uint32_t request)
{
	struct fe *fe = a->fe;
	struct fe_vring_state state = {.index = attack_rand() % 2, .num = 256};
	uint64_t u64 = attack_rand() % 2;
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err;
	struct fe_vring_addr addr = {.index = state.index};
	struct fe_inflight inflight = {.mmap_bytes = 65536, .n_queues = 2, .queue_num = 256};

	if (fe->ring[state.index].fe)
		addr = fe_dev_ring_addr(&fe->ring[state.index]);
	switch (request) {
	case FE_SET_MEM_TABLE:
		err = fe_dev_mem_table(fe);
		break;
	case FE_ADD_MEM_REG:
		err = fe_dev_mem_add(fe, attack_rand() % 2);
		break;
	case FE_REM_MEM_REG:
		err = fe_dev_mem_remove(fe, attack_rand() % 2);
		break;
	case FE_SET_VRING_ADDR:
		err = fe_sock_ack(fe, request, &addr, sizeof(addr), NULL, 0);
		break;
	case FE_SET_VRING_ENABLE:
		state.num = attack_rand() % 2;
		/* fall through */
	case FE_SET_VRING_NUM:
	case FE_SET_VRING_BASE:
	case FE_GET_VRING_BASE:
		err = fe_sock_ack(fe, request, &state, sizeof(state), NULL, 0);
		break;
	case FE_SET_VRING_KICK:
	case FE_SET_VRING_CALL:
	case FE_SET_VRING_ERR:
		err = fe_sock_ack(fe, request, &u64, 8, &event, 1);
		break;
	case FE_SET_LOG_BASE:
	case FE_SET_LOG_FD:
	case FE_SET_BACKEND_REQ_FD:
		err = fe_sock_ack(fe, request, &u64, 0, &event, 1);
		break;
	case FE_GET_INFLIGHT_FD:
		err = fe_sock_ack(fe, request, &inflight, 20, NULL, 0);
		break;
	case FE_SET_INFLIGHT_FD:
		err = fe_sock_ack(fe, request, &inflight, 20, &fe->region[0].fd, 1);
		break;
	case FE_SET_FEATURES:
		err = fe_sock_ack_u64(fe, request, fe->offered & fe->config.features);
		break;
	case FE_SET_PROTOCOL_FEATURES:
		err = fe_sock_ack_u64(fe, request, fe->protocol_features);
		break;
	case FE_SET_STATUS:
	case FE_SEND_RARP:
	case FE_NET_SET_MTU:
		err = fe_sock_ack_u64(fe, request, request == FE_NET_SET_MTU ? 1500 : u64);
		break;
	default:
		err = fe_sock_ack(fe, request, NULL, 0, NULL, 0);
	}
	close(event);
	/* answers to GET_* are not acknowledgements: whatever came, came */
	return err == -EREMOTEIO || err == -EPROTO ? 0 : err;
}

static const uint8_t all_requests[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
				       16, 17, 18, 19, 20, 21, 31, 32, 34, 36, 37, 38, 39, 40};

/* Each message on a connection of its own, in state @stage; then the rings get work. */
static int each_in(struct attack *a, uint64_t stage)
{
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(all_requests); i++) {
		fe_sock_close(a->fe);
		err = attack_connect(a, stage);
		if (err)
			return attack_fail(a, "before request %u: %s", all_requests[i],
					   strerror(-err));
		err = any_message(a, all_requests[i]);
		if (!err && stage == AT_RUNNING) {
			attack_poke(a, 2);
			fe_ring_kick_always(fe_tx(a->fe, 0));
		}
		if (err == -ETIMEDOUT)
			return attack_fail(a, "request %u is not answered", all_requests[i]);
	}
	a->fe->n_bad = 0; /* replies of the size of another request are meant */
	return 0;
}

/* A random walk: messages in any order, on one connection as long as it lasts. */
static int random_walk(struct attack *a, uint64_t seed)
{
	int err = attack_connect(a, AT_RUNNING);

	attack_seed(seed);
	for (unsigned int i = 0; i < 1500; i++) {
		unsigned int r = attack_rand() % (ARRAY_SIZE(all_requests) + 4);

		if (err == -ETIMEDOUT)
			return err;
		if (err)
			err = attack_connect(a, attack_rand() % 2 ? AT_RUNNING : AT_NEGOTIATED);
		else if (r < ARRAY_SIZE(all_requests))
			err = any_message(a, all_requests[r]);
		else if (a->fe->ring[0].fe)
			exchange_step(&a->exchange, 4);
		if (i % 16 == 0)
			attack_poke(a, 2);
	}
	return 0;
}

static const struct step c22[] = {
	{"connected", each_in, AT_CONNECTED, AT_NOTHING, WANT_ANY, 0},
	{"negotiated", each_in, AT_NEGOTIATED, AT_NOTHING, WANT_ANY, 0},
	{"with memory", each_in, AT_MEMORY, AT_NOTHING, WANT_ANY, 0},
	{"running", each_in, AT_RUNNING, AT_NOTHING, WANT_ANY, 0},
	{"running, packed", each_in, AT_RUNNING, AT_NOTHING, WANT_ANY, STEP_PACKED},
	{"running, without REPLY_ACK", each_in, AT_RUNNING, AT_NOTHING, WANT_ANY, STEP_NO_ACK},
	{"random walk 1", random_walk, 0x1234567, AT_NOTHING, WANT_ANY, 0},
	{"random walk 2, packed", random_walk, 0x89abcdef, AT_NOTHING, WANT_ANY, STEP_PACKED},
};

const struct attack_case state_cases[] = {
	STEPS("C22", c22),
	{NULL, NULL, 0},
};
