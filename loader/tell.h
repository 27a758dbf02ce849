/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tell.h - the guests that a worker has to look at, whether they want an interrupt.
 *
 * What a guest asks for may only be read once what it was given is visible to it, and that takes a
 * fence, which waits for all stores before it. So that is put off to the end of a pass over all
 * pairs, and done once. Only rings that no other worker touches.
 */
#ifndef VXDP_LOADER_TELL_H
#define VXDP_LOADER_TELL_H

#include <vxdp/util.h>

#include "vhost/ring.h"

#define TELL_MAX 16 /* so long a guest waits at most: for as many bursts */

struct tell {
	unsigned int n;
	struct vu_ring *ring[TELL_MAX];
};

/** tell_all() - now */
static inline void tell_all(struct tell *t)
{
	if (!t->n)
		return;
	full_fence();
	for (unsigned int i = 0; i < t->n; i++)
		vu_ring_notify_fenced(t->ring[i]);
	t->n = 0;
}

/** tell_later() - something was flushed in @r. @t may be NULL: at once */
static inline void tell_later(struct tell *t, struct vu_ring *r)
{
	if (!t) {
		vu_ring_notify(r);
		return;
	}
	t->ring[t->n++] = r;
	if (t->n == TELL_MAX)
		tell_all(t);
}

#endif /* VXDP_LOADER_TELL_H */
