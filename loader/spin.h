/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spin.h - a lock for what two workers meet in, which is short and rare.
 */
#ifndef VXDP_LOADER_SPIN_H
#define VXDP_LOADER_SPIN_H

#include <sched.h>
#include <stdbool.h>

#define SPIN_TRIES 256 /* then the holder may be waiting for this very CPU */

struct spin {
	bool held;
};

static inline bool spin_try(struct spin *s)
{
	return !__atomic_load_n(&s->held, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&s->held, true, __ATOMIC_ACQUIRE);
}

/* For a loop that waits for what another core writes. */
static inline void spin_pause(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static inline void spin_lock(struct spin *s)
{
	unsigned int tries = 0;

	while (!spin_try(s)) {
		if (++tries % SPIN_TRIES == 0)
			sched_yield();
		else
			spin_pause();
	}
}

static inline void spin_unlock(struct spin *s)
{
	__atomic_store_n(&s->held, false, __ATOMIC_RELEASE);
}

#endif /* VXDP_LOADER_SPIN_H */
