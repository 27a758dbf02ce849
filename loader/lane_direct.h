/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane_direct.h - guest rings <-> AF_XDP sockets whose UMEM is the guest's memory.
 *
 * The hot half of the direct lane, run by the pair's worker. Opening and closing the sockets, and
 * deciding who gets one, is direct.h.
 */
#ifndef VXDP_LOADER_LANE_DIRECT_H
#define VXDP_LOADER_LANE_DIRECT_H

#include "pair.h"
#include "xsk.h"

#define BOUNCE_CHUNKS	   64 /* of our own per socket: half to receive, half to send */
#define BOUNCE_CHUNK_BYTES 4096

#define COPY_CHUNK_BYTES 4096
/* A chunk of that size holds the kernel's headroom, the virtio-net header and one frame. */
#define DIRECT_MTU_MAX	    (COPY_CHUNK_BYTES - XSK_PACKET_HEADROOM - VNET_HDR_MAX - ETHERNET_OVERHEAD)
#define DIRECT_MTU_MAX_TEXT "3806"

_Static_assert(DIRECT_MTU_MAX == 3806, "DIRECT_MTU_MAX_TEXT says so too");

enum posted_kind {
	POSTED_DONE,   /* came back before an older one; skipped when its turn comes */
	POSTED_GUEST,  /* a guest buffer */
	POSTED_BOUNCE, /* a chunk of ours */
};

/* What the kernel holds of ours, in the order it was given. */
struct posted {
	uint64_t addr; /* UMEM address as given */
	struct vu_head head;
	uint16_t kind; /* enum posted_kind */
	uint16_t seq;  /* of its guest buffer, see window_take() */
};

struct posted_queue {
	uint32_t head; /* oldest */
	uint32_t tail;
	struct posted entry[XSK_RING_ENTRIES];
};

struct direct_socket {
	struct xsk xsk;
	struct xsk_umem umem;
	struct posted_queue rx;
	struct posted_queue tx;
	unsigned int guest_posted; /* POSTED_GUEST entries in rx */
	unsigned int slot;	   /* of its uplink, in config.uplink[] */
	bool bare;		   /* what arrives is without a virtio-net header (bpf.h) */
	bool held;		   /* not to be read: older frames are on their way by the tap */
	struct turn turn;	   /* flows that come here from now on, and came by the tap */
	bool tx_stuck;		   /* the NIC takes nothing: its frames go to the kernel lane */
	unsigned int bounce;	   /* which part of the private area it has */
	/* Chunks of that not in use, as UMEM addresses. */
	unsigned int n_rx_bounce, n_tx_bounce;
	uint64_t rx_bounce[BOUNCE_CHUNKS / 2];
	uint64_t tx_bounce[BOUNCE_CHUNKS / 2];
};

/** direct_rx() - frames the kernel put into the guest's buffers. Pushes, does not flush. */
unsigned int direct_rx(struct pair *p, struct direct_socket *s, unsigned int budget);

/**
 * direct_share() - how many guest buffers each socket of the pair may hold
 *
 * The quota is shared out evenly: a socket without buffers drops every frame of its NIC queue.
 */
static inline unsigned int direct_share(const struct pair *p)
{
	return p->n_sockets ? MAX(p->posted_max / p->n_sockets, 1u) : 0;
}

/** direct_fill() - give the kernel guest buffers, up to the socket's share */
void direct_fill(struct pair *p, struct direct_socket *s);

/** direct_tx_room() - frames that can be submitted now */
unsigned int direct_tx_room(struct direct_socket *s);

/**
 * direct_tx() - submit one guest frame
 *
 * The buffer is pushed as used when the kernel is done with it; at once if it had to be copied
 * (scattered frame, or a checksum to finish).
 */
void direct_tx(struct pair *p, struct direct_socket *s, const struct vu_net_hdr *hdr,
	       const struct vu_chain *chain);

/** direct_tx_kick() - make the kernel send what was submitted */
void direct_tx_kick(struct direct_socket *s);

/** direct_tx_reap() - push the buffers of frames that were sent. Return: how many. */
unsigned int direct_tx_reap(struct pair *p, struct direct_socket *s);

static inline bool direct_tx_outstanding(const struct direct_socket *s)
{
	return s->tx.head != s->tx.tail;
}

/**
 * direct_abandon() - the socket is closed: take back every guest buffer it held
 *
 * Receive buffers that are the newest of the ring go back as if never taken, the others are
 * handed to the guest as used with nothing but a header in them, which drivers drop and recycle.
 * Transmit buffers are used; frames that were not sent are counted as dropped.
 */
void direct_abandon(struct pair *p, struct direct_socket *s);

#endif /* VXDP_LOADER_LANE_DIRECT_H */
