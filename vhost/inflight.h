/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHOST_INFLIGHT_H
#define VHOST_INFLIGHT_H

/* The state of one ring, inside a struct of the control plane. */
struct vu_inflight_ring;

#endif /* VHOST_INFLIGHT_H */
