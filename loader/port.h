/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port.h - one guest: its vhost-user device, its tap, its queue pairs, its place in the maps.
 *
 * Main thread only, but for the pairs, which their workers run (pair.h).
 */
#ifndef VXDP_LOADER_PORT_H
#define VXDP_LOADER_PORT_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include <vxdp/abi.h>

#include "bpf.h"
#include "capture.h"
#include "deliver.h"
#include "event.h"
#include "lane_direct.h"
#include "lanes.h"
#include "nic.h"
#include "pair.h"
#include "plan.h"
#include "shared.h"
#include "steer.h"
#include "steer_nic.h"
#include "switch.h"
#include "tap.h"
#include "vhost/dev.h"
#include "worker.h"

#define SW_WORKERS_MAX SW_CPUS_MAX

enum port_tcp_lane { TCP_LANE_AUTO, TCP_LANE_KERNEL, TCP_LANE_DIRECT };

/* The direct lane of one port on one uplink. */
struct direct_uplink {
	unsigned int n_sockets;
	bool zerocopy;
	bool refused;	    /* not for this guest memory any more */
	unsigned int tries; /* at a queue that is still busy */
	char reason[160];   /* why not, if it was looked for one */
};

/* The direct lane of one port; see direct.c. */
struct direct {
	struct direct_socket *socket[VXDP_NIC_QUEUES_MAX]; /* by place; NULL: none */
	unsigned int pair[VXDP_NIC_QUEUES_MAX];		   /* which queue pair it feeds */
	unsigned int n_sockets;				   /* of all uplinks */
	struct direct_uplink on[VXDP_UPLINKS_MAX];
	unsigned int n_bounces; /* sockets that the private area has chunks for */
	bool bounce_taken[VXDP_NIC_QUEUES_MAX];
	uint64_t blocks[VU_REGIONS_MAX]; /* memory the guest's files had when they were pinned */
};

/* What is told of a port's lane on one uplink. */
struct port_uplink {
	char reason[320];    /* why it has the lane it has */
	enum plan_lane told; /* in the log */
};

struct port {
	struct sw *sw;
	uint32_t id;
	char name[16];
	char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	enum port_lane lane;
	enum port_tcp_lane tcp_lane;
	unsigned int queues_max;
	unsigned int mtu;
	uint64_t features; /* negotiated; 0 before */

	struct vu_dev *dev;
	struct event *dev_event;
	struct event *settle_timer;
	struct tap tap;
	unsigned int n_active; /* queue pairs that received when the port was last settled */
	struct pair *pair[VU_PAIRS_MAX]; /* made when first needed, kept until the port goes */
	struct xdp_statistics xsk_past[VU_PAIRS_MAX]; /* of sockets that were closed */
	struct direct direct;
	bool shared;		/* takes part in the shared lane */
	unsigned int shared_on; /* and sends there by these uplinks, as bits */
	bool steerable;		/* when lanes were last settled: it had one address */
	uint8_t steer_mac[6];	/* this one */
	struct port_uplink on[VXDP_UPLINKS_MAX];
	struct vxdp_port entry; /* as it is in the ports map */
	struct capture capture; /* fd -1: nobody listens */
};

struct sw {
	struct event_loop *loop;
	char nic_name[IFNAMSIZ]; /* the switch's: its first NIC's, or one of its own */
	struct uplink *uplink[VXDP_UPLINKS_MAX]; /* as config.uplink[]; NULL: none */
	bool needs_nic;				 /* it began with one */
	bool share_xdp;				 /* leave room for other XDP programs */
	struct vxdp_bpf *bpf;
	const struct vxdp_pins *pins;
	bool dedicated;
	bool want_zerocopy; /* --mode auto or zerocopy */
	bool need_zerocopy; /* --mode zerocopy */
	unsigned int n_workers;
	struct worker *worker[SW_WORKERS_MAX];
	int fault_fd; /* a worker found a pair at fault */
	struct event *fault_event;
	struct event *second_timer;
	struct event *lanes_timer;
	unsigned int seconds;
	unsigned int uneven_seconds;		       /* the load was uneven for so long */
	uint64_t spread_cycles;			       /* when that was looked at */
	struct port *port[VXDP_PORTS_MAX];	       /* by id */
	struct port *queue_owner[VXDP_NIC_QUEUES_MAX]; /* direct lane, by place */
	struct shared_queue *shared_queue[VXDP_NIC_QUEUES_MAX]; /* shared lane, likewise */
	struct deliver_table deliver; /* who receives; read by the workers */
};

/* port.c */

int port_open(struct sw *sw, const struct sw_port_options *options, struct vx_error *error,
	      struct port **out);
void port_close(struct port **port);

/** port_settle_soon() - something changed: look in a moment which lanes it should have */
void port_settle_soon(struct port *port);

/** port_faults() - act upon what the workers found wrong */
void port_faults(struct port *port);

/** port_entry_write() - put port->entry into the ports map */
void port_entry_write(struct port *port);

/** port_mtu_changed() - the NIC's MTU is another one */
void port_mtu_set(struct port *port, unsigned int mtu);

/* Of kernel memory, for each chunk of a UMEM and queue: sizeof(struct xdp_buff_xsk) and more. */
#define DIRECT_KERNEL_BYTES_A_CHUNK 144

/* direct.c */

/*
 * NIC queues go by their place (uplink_place()), but where an uplink is named.
 *
 * direct_private_bytes() - of the area in front of a guest's memory, for a port to be attached
 */
size_t direct_private_bytes(struct port *port);

/**
 * direct_open() - an AF_XDP socket between a NIC queue and @pair, in no map and held
 * @alone: nothing but this guest's frames comes by that queue
 * Return: 0, or -errno; on success and after, direct_close() ends it.
 */
int direct_open(struct port *port, struct uplink *u, unsigned int queue, struct pair *pair,
		bool alone);

/** direct_publish() / direct_unpublish() - let the XDP program send frames there, or no more */
int direct_publish(struct port *port, unsigned int place);
void direct_unpublish(struct port *port, unsigned int place);

/** direct_release() - read what comes there: older frames are through */
void direct_release(struct port *port, unsigned int place);

/** direct_close() - take it away, buffers given back */
void direct_close(struct port *port, unsigned int place);

/** direct_pair_close() - all sockets of @pair, out of the maps first. Return: had it any? */
bool direct_pair_close(struct port *port, unsigned int pair);

/** direct_statistics() - the kernel's counters for one pair, closed sockets included */
struct xdp_statistics direct_statistics(const struct port *port, unsigned int pair);

/** direct_kernel_bytes() - memory the kernel spends on the UMEM beside the pinned pages */
uint64_t direct_kernel_bytes(const struct port *port);

/* direct_check.c */

/** direct_possible() - may the guest's memory be a UMEM there? If not, the reason is noted. */
bool direct_possible(struct port *port, const struct uplink *u);

/** direct_refuse() - it was tried and failed: not again, unless the cause will go away */
void direct_refuse(struct port *port, const struct uplink *u, unsigned int queue, int err);

/** direct_check_memory() - every second: was memory taken away from under the UMEM? */
void direct_check_memory(struct port *port);

#endif /* VXDP_LOADER_PORT_H */
