/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack.h - hostile inputs, one case per row of the list in run.sh, each a list of steps.
 *
 * A step gets a fresh front end, connected and brought to the stage it asks for, does one bad
 * thing and reports what came back. What must come of it is said beside it (enum want).
 */
#ifndef TESTS_ATTACK_H
#define TESTS_ATTACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exchange.h"
#include "include/vxdp/util.h"
#include "tests/lib/frontend.h"

/* How far the front end is when the step begins. */
enum stage {
	AT_NOTHING,    /* not even connected */
	AT_CONNECTED,  /* no message sent */
	AT_NEGOTIATED, /* features, protocol features, owner */
	AT_MEMORY,     /* and a memory table */
	AT_RINGS,      /* and rings laid out in memory that the back end has not heard of */
	AT_RUNNING,    /* everything; frames flow */
};

enum want {
	WANT_REFUSE, /* acknowledged with an error, or hung up */
	WANT_CLOSE,  /* hung up */
	WANT_OK,     /* accepted; if it ran, it still does */
	WANT_BROKEN, /* the ring is given up (VRING_ERR) or hung up; if not at once, within seconds
		      */
	WANT_WORKS,  /* frames of the same connection go on, after a loss at most */
	WANT_ANY,    /* any of these, but the back end still answers or has hung up */
};

/* Step flags. */
#define STEP_PACKED  0x01u
#define STEP_NO_ACK  0x02u /* without REPLY_ACK: then a refusal is a hang-up */
#define STEP_NO_MRG  0x04u
#define STEP_SMALL   0x08u  /* rings of 8 */
#define STEP_PAIRS   0x10u  /* two pairs */
#define STEP_OFFLOAD 0x20u  /* ask for CSUM, TSO, USO both ways */
#define STEP_ORDER   0x40u  /* IN_ORDER */
#define STEP_LOG     0x80u  /* LOG_ALL is offered too, not acknowledged before the step */
#define STEP_PLAIN   0x100u /* neither INDIRECT nor EVENT_IDX */
#define STEP_ONE_FD  0x200u /* all regions in one file */
#define STEP_BIG     0x400u /* buffers of 65562 bytes */

struct attack {
	const char *path;
	const char *wire; /* NETNS:IFACE or NULL */
	int wire_fd;
	pid_t victim_pid; /* of the back end, or 0 */
	unsigned int cycles;
	unsigned int race_seconds;

	struct fe *fe; /* this step's */
	struct exchange exchange;
	unsigned int n_steps, n_failed, n_refused;
	uint64_t n_transmitted;
	char note[200]; /* what a step has to say about its failure */
};

struct step {
	const char *name;
	int (*run)(struct attack *a, uint64_t arg);
	uint64_t arg;
	enum stage stage;
	enum want want;
	unsigned int flags;
};

struct attack_case {
	const char *id;
	const struct step *steps;
	unsigned int n_steps;
};

#define STEPS(id, steps)                                                                           \
	{                                                                                          \
		id, steps, ARRAY_SIZE(steps)                                                       \
	}

extern const struct attack_case message_cases[], descriptor_cases[], vring_cases[], memory_cases[],
	log_cases[], session_cases[], state_cases[], ring_cases[], net_cases[], frame_cases[],
	life_cases[], race_cases[];

/** attack_fail() - a step's own assertion failed; use as: return attack_fail(a, ...) */
int attack_fail(struct attack *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** attack_connect() - connect a->fe and bring it to @stage, trying again while somebody hangs up */
int attack_connect(struct attack *a, enum stage stage);

/** attack_open() - a front end configured by step flags, not connected */
int attack_open(unsigned int flags, struct fe **fe);

/** attack_alive() - 0 if the back end answers, -EPIPE if it has hung up, -ETIMEDOUT if neither */
int attack_alive(struct fe *fe);

/** attack_poke() - the wire sends some frames to the guest, and a broadcast */
void attack_poke(struct attack *a, unsigned int n);

/** attack_broken() - has a ring of the front end been given up, or the connection ended? */
bool attack_broken(struct attack *a, int timeout_ms);

/** attack_works() - frames go to the wire and back, after a loss at most: 0 or -EIO */
int attack_works(struct attack *a);

/** attack_wait_sent() - 0 when all that was sent is given back, -EPIPE if the ring was given up */
int attack_wait_sent(struct attack *a);

/** attack_refill() - the receive ring without good buffers, full of this one: how many */
unsigned int attack_refill(struct attack *a, const struct fe_part *parts, unsigned int n_parts);

/** attack_rand() - a pseudo-random number, the same sequence in every run */
uint64_t attack_rand(void);
void attack_seed(uint64_t seed);

/* Raw access to a ring, past the bookkeeping of fe_ring_add(). */
void raw_desc(struct fe_ring *q, unsigned int at, uint64_t gpa, uint32_t bytes, uint16_t flags,
	      uint16_t next_or_id);
void raw_avail(struct fe_ring *q, uint16_t head);

/** raw_go() - let the back end look: publish and kick */
void raw_go(struct fe_ring *q);

#endif /* TESTS_ATTACK_H */
