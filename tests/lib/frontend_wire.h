/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frontend_wire.h - formats and numbers of vhost-user and virtio-net, for the front end in tests.
 *
 * Written from the documents (QEMU docs/interop/vhost-user.rst; virtio 1.2), not from vhost/.
 */
#ifndef TESTS_FRONTEND_WIRE_H
#define TESTS_FRONTEND_WIRE_H

#include <stdint.h>

/* vhost-user requests, by their numbers. */
enum fe_request {
	FE_NONE = 0,
	FE_GET_FEATURES = 1,
	FE_SET_FEATURES = 2,
	FE_SET_OWNER = 3,
	FE_RESET_OWNER = 4,
	FE_SET_MEM_TABLE = 5,
	FE_SET_LOG_BASE = 6,
	FE_SET_LOG_FD = 7,
	FE_SET_VRING_NUM = 8,
	FE_SET_VRING_ADDR = 9,
	FE_SET_VRING_BASE = 10,
	FE_GET_VRING_BASE = 11,
	FE_SET_VRING_KICK = 12,
	FE_SET_VRING_CALL = 13,
	FE_SET_VRING_ERR = 14,
	FE_GET_PROTOCOL_FEATURES = 15,
	FE_SET_PROTOCOL_FEATURES = 16,
	FE_GET_QUEUE_NUM = 17,
	FE_SET_VRING_ENABLE = 18,
	FE_SEND_RARP = 19,
	FE_NET_SET_MTU = 20,
	FE_SET_BACKEND_REQ_FD = 21,
	FE_IOTLB_MSG = 22,
	FE_SET_VRING_ENDIAN = 23,
	FE_GET_CONFIG = 24,
	FE_SET_CONFIG = 25,
	FE_POSTCOPY_ADVISE = 28,
	FE_POSTCOPY_LISTEN = 29,
	FE_POSTCOPY_END = 30,
	FE_GET_INFLIGHT_FD = 31,
	FE_SET_INFLIGHT_FD = 32,
	FE_RESET_DEVICE = 34,
	FE_VRING_KICK = 35,
	FE_GET_MAX_MEM_SLOTS = 36,
	FE_ADD_MEM_REG = 37,
	FE_REM_MEM_REG = 38,
	FE_SET_STATUS = 39,
	FE_GET_STATUS = 40,
	FE_REQUEST_END = 46, /* first number the document does not define */
};

/* Header flags. */
#define FE_VERSION    0x1u
#define FE_REPLY      0x4u
#define FE_NEED_REPLY 0x8u

/* Protocol feature bits. */
#define FE_PF(bit) (1ull << (bit))
enum {
	FE_PF_MQ = 0,
	FE_PF_LOG_SHMFD = 1,
	FE_PF_RARP = 2,
	FE_PF_REPLY_ACK = 3,
	FE_PF_MTU = 4,
	FE_PF_BACKEND_REQ = 5,
	FE_PF_PAGEFAULT = 8,
	FE_PF_CONFIG = 9,
	FE_PF_INFLIGHT_SHMFD = 12,
	FE_PF_RESET_DEVICE = 13,
	FE_PF_INBAND = 14,
	FE_PF_MEM_SLOTS = 15,
	FE_PF_STATUS = 16,
};

/* virtio and virtio-net feature bits. */
#define FE_F(bit) (1ull << (bit))
enum {
	FE_F_CSUM = 0,
	FE_F_GUEST_CSUM = 1,
	FE_F_MTU = 3,
	FE_F_GUEST_TSO4 = 7,
	FE_F_GUEST_TSO6 = 8,
	FE_F_GUEST_ECN = 9,
	FE_F_GUEST_UFO = 10,
	FE_F_HOST_TSO4 = 11,
	FE_F_HOST_TSO6 = 12,
	FE_F_HOST_ECN = 13,
	FE_F_HOST_UFO = 14,
	FE_F_MRG_RXBUF = 15,
	FE_F_GUEST_ANNOUNCE = 21,
	FE_F_MQ = 22,
	FE_F_LOG_ALL = 26,
	FE_F_ANY_LAYOUT = 27,
	FE_F_INDIRECT = 28,
	FE_F_EVENT_IDX = 29,
	FE_F_PROTOCOL = 30,
	FE_F_VERSION_1 = 32,
	FE_F_PACKED = 34,
	FE_F_IN_ORDER = 35,
	FE_F_RING_RESET = 40,
	FE_F_GUEST_USO4 = 54,
	FE_F_GUEST_USO6 = 55,
	FE_F_HOST_USO = 56,
};

/* Device status. */
#define FE_STATUS_ACKNOWLEDGE 0x1u
#define FE_STATUS_DRIVER      0x2u
#define FE_STATUS_DRIVER_OK   0x4u
#define FE_STATUS_FEATURES_OK 0x8u

struct fe_header {
	uint32_t request;
	uint32_t flags;
	uint32_t payload_bytes;
};

struct fe_vring_state {
	uint32_t index;
	uint32_t num;
};

struct fe_vring_addr {
	uint32_t index;
	uint32_t flags; /* bit 0: log writes to the used ring at log_gpa */
	uint64_t desc_uaddr;
	uint64_t used_uaddr;
	uint64_t avail_uaddr;
	uint64_t log_gpa;
};

struct fe_mem_desc {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t uaddr;
	uint64_t mmap_offset;
};

#define FE_TABLE_MAX 8 /* regions SET_MEM_TABLE can carry */

struct fe_mem_table {
	uint32_t n_regions;
	uint32_t padding;
	struct fe_mem_desc region[FE_TABLE_MAX];
};

struct fe_mem_single {
	uint64_t padding;
	struct fe_mem_desc region;
};

struct fe_log {
	uint64_t bytes;
	uint64_t mmap_offset;
};

struct fe_inflight {
	uint64_t mmap_bytes;
	uint64_t mmap_offset;
	uint16_t n_queues;
	uint16_t queue_num;
};

#define FE_PAYLOAD_MAX 4096
#define FE_FDS_MAX     253 /* the kernel's limit for one message */

struct fe_msg {
	struct fe_header header;
	union {
		uint64_t u64;
		struct fe_vring_state state;
		struct fe_vring_addr addr;
		struct fe_mem_table table;
		struct fe_mem_single single;
		struct fe_log log;
		struct fe_inflight inflight;
		uint8_t bytes[FE_PAYLOAD_MAX];
	};
} __attribute__((packed, aligned(4)));

/* Virtqueues. */
#define FE_DESC_NEXT	 0x1u
#define FE_DESC_WRITE	 0x2u
#define FE_DESC_INDIRECT 0x4u
#define FE_DESC_AVAIL	 0x80u	 /* packed */
#define FE_DESC_USED	 0x8000u /* packed */

struct fe_desc { /* split, and the tables INDIRECT points to */
	uint64_t gpa;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

struct fe_packed_desc {
	uint64_t gpa;
	uint32_t bytes;
	uint16_t id;
	uint16_t flags;
};

struct fe_avail {
	uint16_t flags; /* 1: do not interrupt */
	uint16_t idx;
	uint16_t ring[];
};

struct fe_used_elem {
	uint32_t id;
	uint32_t bytes;
};

struct fe_used {
	uint16_t flags; /* 1: do not kick */
	uint16_t idx;
	struct fe_used_elem ring[];
};

struct fe_event { /* packed */
	uint16_t off_wrap;
	uint16_t flags; /* 0 always, 1 never, 2 at off_wrap */
};

/* The header in front of each frame (VERSION_1 or MRG_RXBUF: 12 bytes). */
#define FE_HDR_NEEDS_CSUM 0x1u
#define FE_HDR_DATA_VALID 0x2u
#define FE_GSO_NONE	  0u
#define FE_GSO_TCPV4	  1u
#define FE_GSO_UDP	  3u
#define FE_GSO_TCPV6	  4u
#define FE_GSO_UDP_L4	  5u
#define FE_GSO_ECN	  0x80u

struct fe_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers;
};

#define FE_HDR_BYTES 12u

#endif /* TESTS_FRONTEND_WIRE_H */
