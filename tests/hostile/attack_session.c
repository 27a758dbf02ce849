// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attack_session.c - C19 to C25 but C22: features, floods, several front ends, status, MTU.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* --- C19: features --------------------------------------------------------------------------- */

static int more_features(struct attack *a, uint64_t more)
{
	return fe_sock_ack_u64(a->fe, FE_SET_FEATURES, a->fe->features | more);
}

static int more_protocol_features(struct attack *a, uint64_t more)
{
	return fe_sock_ack_u64(a->fe, FE_SET_PROTOCOL_FEATURES, a->fe->protocol_features | more);
}

static int changed_while_running(struct attack *a, uint64_t change)
{
	int err;

	exchange_step(&a->exchange, 16);
	err = fe_sock_ack_u64(a->fe, FE_SET_FEATURES, a->fe->features ^ change);
	attack_poke(a, 16);
	fe_ring_kick_always(fe_tx(a->fe, 0));
	usleep(20000);
	return err;
}

/* Without bit 30 all rings are enabled at once, and nobody sends SET_VRING_ENABLE. */
static int without_bit_30(struct attack *a, uint64_t arg)
{
	int err;

	a->fe->config.features &= ~FE_F(FE_F_PROTOCOL);
	a->fe->config.protocol_features = 0;
	err = attack_connect(a, AT_RUNNING);
	if (!err)
		err = attack_works(a);
	return err;
}

/* In-band notifications without the channel they need: "should close" says the document. */
static int inband_alone(struct attack *a, uint64_t arg)
{
	int err = fe_sock_ack_u64(a->fe, FE_SET_PROTOCOL_FEATURES, FE_PF(FE_PF_INBAND));

	return err == -EREMOTEIO || err == -EPIPE ? -EPIPE : err;
}

static const struct step c19[] = {
	{"ACCESS_PLATFORM, which was not offered", more_features, FE_F(33), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"bit 63", more_features, FE_F(63), AT_NEGOTIATED, WANT_REFUSE, 0},
	{"all bits", more_features, ~0ull, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"all bits without REPLY_ACK", more_features, ~0ull, AT_NEGOTIATED, WANT_REFUSE,
	 STEP_NO_ACK},
	{"protocol feature PAGEFAULT, not offered", more_protocol_features, FE_PF(8), AT_NEGOTIATED,
	 WANT_REFUSE, 0},
	{"all protocol features", more_protocol_features, ~0ull, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"in-band notifications alone", inband_alone, 0, AT_CONNECTED, WANT_REFUSE, 0},
	{"MRG_RXBUF changed while it runs (qemu 3879)", changed_while_running, FE_F(FE_F_MRG_RXBUF),
	 AT_RUNNING, WANT_ANY, 0},
	{"VERSION_1 changed while it runs", changed_while_running, FE_F(FE_F_VERSION_1), AT_RUNNING,
	 WANT_ANY, 0},
	{"the ring format changed while it runs", changed_while_running, FE_F(FE_F_PACKED),
	 AT_RUNNING, WANT_ANY, 0},
	{"EVENT_IDX and INDIRECT changed while it runs", changed_while_running,
	 FE_F(FE_F_EVENT_IDX) | FE_F(FE_F_INDIRECT), AT_RUNNING, WANT_ANY, 0},
	{"no bit 30: enabled from the start", without_bit_30, 0, AT_NOTHING, WANT_OK, 0},
};

/* --- C20: floods ----------------------------------------------------------------------------- */

/* One message again and again, as fast as it is taken. */
static int flood(struct attack *a, uint64_t request)
{
	unsigned int n = a->cycles * 20;
	struct fe_vring_state state = {.index = 1, .num = 1};
	uint64_t no_fd = 1 | 1u << 8;
	int err = 0;

	for (unsigned int i = 0; !err && i < n; i++) {
		if (request == FE_SET_VRING_CALL)
			err = fe_sock_send(a->fe, request, 0, &no_fd, 8, NULL, 0);
		else if (request == FE_SET_VRING_ENABLE)
			err = fe_sock_send(a->fe, request, 0, &state, 8, NULL, 0);
		else
			err = fe_sock_send(a->fe, request, 0, NULL, 0, NULL, 0);
	}
	return err ? err : attack_alive(a->fe);
}

/* Questions whose answers nobody reads: until the socket is full, or we are hung up on. */
static int unread(struct attack *a, uint64_t request)
{
	struct fe_vring_state state = {.index = 1};
	size_t bytes = request == FE_GET_VRING_BASE ? sizeof(state) : 0;
	int err = 0;

	fcntl(a->fe->sock, F_SETFL, O_NONBLOCK);
	for (unsigned int i = 0; i < 400000 && (!err || err == -EAGAIN); i++) {
		err = fe_sock_send(a->fe, request, 0, &state, bytes, NULL, 0);
		if (err == -EAGAIN && i % 2)
			usleep(100);
	}
	usleep(200000);
	fe_sock_close(a->fe);
	return -EPIPE;
}

/* Descriptors in flight to the back end count for us, not for it; it must take them in turn. */
static int flood_of_fds(struct attack *a, uint64_t n)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), err = 0;
	uint64_t index = 0;

	for (unsigned int i = 0; !err && i < n; i++)
		err = fe_sock_send(a->fe, FE_SET_VRING_CALL, 0, &index, 8, &fd, 1);
	close(fd);
	return err ? err : attack_alive(a->fe);
}

static const struct step c20[] = {
	{"SET_OWNER", flood, FE_SET_OWNER, AT_RUNNING, WANT_WORKS, 0},
	{"SET_VRING_CALL", flood, FE_SET_VRING_CALL, AT_RUNNING, WANT_ANY, 0},
	{"SET_VRING_ENABLE", flood, FE_SET_VRING_ENABLE, AT_RUNNING, WANT_WORKS, 0},
	{"SET_VRING_CALL with descriptors", flood_of_fds, 20000, AT_RUNNING, WANT_ANY, 0},
	{"GET_FEATURES, answers not read", unread, FE_GET_FEATURES, AT_RUNNING, WANT_ANY, 0},
	{"GET_VRING_BASE, answers not read", unread, FE_GET_VRING_BASE, AT_RUNNING, WANT_ANY, 0},
};

/* --- C21: connections ------------------------------------------------------------------------ */

static int second_front_end(struct attack *a, uint64_t arg)
{
	struct fe *other;
	int err = attack_open(0, &other);

	if (err)
		return err;
	for (unsigned int i = 0; !err && i < 5; i++) {
		err = fe_sock_connect(other, a->path, 2000);
		if (!err && attack_alive(other) == 0)
			err = attack_fail(a, "two front ends are served at once");
		else if (!err)
			exchange_step(&a->exchange, 8);
	}
	fe_close(&other);
	return err;
}

static int connect_and_close(struct attack *a, uint64_t arg)
{
	int err = 0;

	fe_sock_close(a->fe);
	for (unsigned int i = 0; i < a->cycles && (!err || err == -EAGAIN); i++) {
		err = fe_sock_connect(a->fe, a->path, 2000);
		if (!err && i % 3 == 0)
			fe_sock_send(a->fe, FE_GET_FEATURES, 0, NULL, 0, NULL, 0);
		fe_sock_close(a->fe);
	}
	return err ? err : attack_connect(a, AT_CONNECTED);
}

static int connect_start_close(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 8);
		fe_sock_close(a->fe);
		err = attack_connect(a, AT_RUNNING);
	}
	exchange_drain(&a->exchange, 500);
	return err;
}

static int silent(struct attack *a, uint64_t arg)
{
	usleep(1500000);
	return attack_alive(a->fe);
}

static int half_closed(struct attack *a, uint64_t how)
{
	exchange_step(&a->exchange, 16);
	shutdown(a->fe->sock, how);
	attack_poke(a, 16);
	return fe_sock_wait_closed(a->fe, 5000) ? -EPIPE : 0;
}

/* A child that serves as front end, and is killed or stopped in the middle of a message. */
static int child(struct attack *a, uint64_t signal_number)
{
	struct fe_header h = {FE_SET_FEATURES, FE_VERSION, 8};
	pid_t pid;
	int status;

	fe_sock_close(a->fe);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		if (attack_connect(a, AT_RUNNING))
			_exit(1);
		exchange_step(&a->exchange, 32);
		fe_sock_raw(a->fe, &h, sizeof(h), NULL, 0);
		for (;;)
			pause();
	}
	usleep(700000);
	kill(pid, signal_number);
	attack_poke(a, 600);
	usleep(signal_number == SIGSTOP ? 2000000 : 50000);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return attack_fail(a, "the child could not start");
	return attack_connect(a, AT_RUNNING);
}

static const struct step c21[] = {
	{"a second front end", second_front_end, 0, AT_RUNNING, WANT_WORKS, 0},
	{"connect and close, many times", connect_and_close, 0, AT_CONNECTED, WANT_OK, 0},
	{"connect, start and close 20 times", connect_start_close, 20, AT_RUNNING, WANT_WORKS, 0},
	{"connect, start and close 20 times, packed", connect_start_close, 20, AT_RUNNING,
	 WANT_WORKS, STEP_PACKED},
	{"connected and silent", silent, 0, AT_CONNECTED, WANT_OK, 0},
	{"half closed for writing", half_closed, SHUT_WR, AT_RUNNING, WANT_CLOSE, 0},
	{"half closed for reading", half_closed, SHUT_RD, AT_RUNNING, WANT_ANY, 0},
	{"kill -9 in the middle of a message", child, SIGKILL, AT_NOTHING, WANT_OK, 0},
	{"SIGSTOP in the middle of a message", child, SIGSTOP, AT_NOTHING, WANT_OK, 0},
};

/* --- C23: the channel to the front end -------------------------------------------------------- */

enum channel { CHANNEL_CLOSED, CHANNEL_GARBAGE, CHANNEL_FULL, CHANNEL_SILENT };

static int channel(struct attack *a, uint64_t how)
{
	static const uint8_t garbage[4096] = {0xff, 0xff, 0xff, 0xff, 0x05, 0, 0, 0, 0xff, 0xff};
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	if (how == CHANNEL_FULL)
		while (write(pair[0], garbage, sizeof(garbage)) > 0)
			;
	if (how == CHANNEL_CLOSED)
		close(pair[1]);
	err = fe_sock_ack(a->fe, FE_SET_BACKEND_REQ_FD, NULL, 0, &pair[0], 1);
	close(pair[0]);
	if (how == CHANNEL_GARBAGE && write(pair[1], garbage, sizeof(garbage)) < 0)
		return -errno;
	for (unsigned int i = 0; i < 10; i++) {
		exchange_step(&a->exchange, 16);
		usleep(5000);
	}
	exchange_drain(&a->exchange, 1000);
	if (how != CHANNEL_CLOSED)
		close(pair[1]);
	return err;
}

static int channel_often(struct attack *a, uint64_t rounds)
{
	int pair[2], err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return -errno;
		err = fe_sock_ack(a->fe, FE_SET_BACKEND_REQ_FD, NULL, 0, pair, 1);
		close(pair[0]);
		close(pair[1]);
	}
	return err;
}

static const struct step c23[] = {
	{"closed at the other end", channel, CHANNEL_CLOSED, AT_RUNNING, WANT_WORKS, 0},
	{"garbage comes out of it", channel, CHANNEL_GARBAGE, AT_RUNNING, WANT_WORKS, 0},
	{"nothing fits into it", channel, CHANNEL_FULL, AT_RUNNING, WANT_WORKS, 0},
	{"nobody answers", channel, CHANNEL_SILENT, AT_RUNNING, WANT_WORKS, 0},
	{"set 1000 times", channel_often, 1000, AT_NEGOTIATED, WANT_OK, 0},
};

/* --- C24: device status ---------------------------------------------------------------------- */

static int status(struct attack *a, uint64_t value)
{
	return fe_sock_ack_u64(a->fe, FE_SET_STATUS, value);
}

static int status_all(struct attack *a, uint64_t arg)
{
	uint64_t got;
	int err = 0;

	for (unsigned int i = 0; !err && i < 256; i++) {
		err = status(a, i * 89 % 256);
		if (err == -EREMOTEIO)
			err = 0;
		if (!err)
			err = fe_dev_get_u64(a->fe, FE_GET_STATUS, &got);
		if (!err && got > 255)
			return attack_fail(a, "status %#llx", (unsigned long long)got);
	}
	return err;
}

/* Reset in the middle of traffic, then everything from the start. */
static int status_reset(struct attack *a, uint64_t rounds)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < rounds; i++) {
		exchange_step(&a->exchange, 16);
		attack_poke(a, 16);
		err = status(a, 0);
		if (!err)
			err = attack_alive(a->fe);
		if (err == -EPIPE)
			err = 0;
		fe_sock_close(a->fe);
		if (!err)
			err = attack_connect(a, AT_RUNNING);
	}
	exchange_drain(&a->exchange, 500);
	return err;
}

static const struct step c24[] = {
	{"0x100", status, 0x100, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^32", status, 1ull << 32, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^64 - 1", status, ~0ull, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^64 - 1 without REPLY_ACK", status, ~0ull, AT_NEGOTIATED, WANT_REFUSE, STEP_NO_ACK},
	{"DRIVER_OK before anything else", status, FE_STATUS_DRIVER_OK, AT_CONNECTED, WANT_ANY, 0},
	{"every value in turn", status_all, 0, AT_NEGOTIATED, WANT_OK, 0},
	{"every value in turn, running", status_all, 0, AT_RUNNING, WANT_ANY, 0},
	{"reset under traffic", status_reset, 5, AT_RUNNING, WANT_WORKS, 0},
	{"reset under traffic, packed", status_reset, 5, AT_RUNNING, WANT_WORKS, STEP_PACKED},
};

/* --- C25: MTU -------------------------------------------------------------------------------- */

static int mtu(struct attack *a, uint64_t bytes)
{
	return fe_sock_ack_u64(a->fe, FE_NET_SET_MTU, bytes);
}

static const struct step c25[] = {
	{"0", mtu, 0, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"67", mtu, 67, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"65536", mtu, 65536, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^16 + 1500", mtu, 65536 + 1500, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^64 - 1", mtu, ~0ull, AT_NEGOTIATED, WANT_REFUSE, 0},
	{"2^64 - 1 without REPLY_ACK", mtu, ~0ull, AT_NEGOTIATED, WANT_REFUSE, STEP_NO_ACK},
	{"1500", mtu, 1500, AT_NEGOTIATED, WANT_OK, 0},
	{"68, running", mtu, 68, AT_RUNNING, WANT_ANY, 0},
	{"65535, running", mtu, 65535, AT_RUNNING, WANT_ANY, 0},
};

const struct attack_case session_cases[] = {
	STEPS("C19", c19), STEPS("C20", c20), STEPS("C21", c21), STEPS("C23", c23),
	STEPS("C24", c24), STEPS("C25", c25), {NULL, NULL, 0},
};
