/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proto.h - vhost-user on the wire (QEMU's docs/interop/vhost-user.rst). Everything is in the
 * byte order of the machine.
 *
 * The list VU_REQUESTS below is the only place that says which requests there are, how large
 * their payload may be, how many descriptors they may carry, what has to be negotiated before
 * and what is answered. request.c makes its table of handlers from it.
 */
#ifndef VHOST_PROTO_H
#define VHOST_PROTO_H

#include <assert.h>
#include <stdint.h>

#define VU_VERSION_MASK 0x3u
#define VU_VERSION	0x1u
#define VU_REPLY	(1u << 2)
#define VU_NEED_REPLY	(1u << 3)
#define VU_FLAGS_KNOWN	(VU_VERSION_MASK | VU_REPLY | VU_NEED_REPLY)

#define VU_FDS_MAX     8    /* descriptors one message may carry */
#define VU_PAYLOAD_MAX 4096 /* larger than any request known; more is not worth reading */

/* Feature bits that vhost takes from the virtio ones. */
#define VU_F_LOG_ALL	       26
#define VU_F_PROTOCOL_FEATURES 30

/* What SET_VRING_KICK, _CALL and _ERR carry. */
#define VU_VRING_INDEX_MASK 0xffull
#define VU_VRING_NO_FD	    (1ull << 8)

#define VU_VRING_F_LOG 1u /* in the flags of SET_VRING_ADDR: log writes to the used ring */

/* Protocol features: bit, name, offered by us. */
#define VU_PROTOCOL_FEATURES(X)                                                                    \
	X(0, MQ, 1)                                                                                \
	X(1, LOG_SHMFD, 1)                                                                         \
	X(2, RARP, 1)                                                                              \
	X(3, REPLY_ACK, 1)                                                                         \
	X(4, NET_MTU, 1)                                                                           \
	X(5, BACKEND_REQ, 1)                                                                       \
	X(6, CROSS_ENDIAN, 0)                                                                      \
	X(7, CRYPTO_SESSION, 0)                                                                    \
	X(8, PAGEFAULT, 0)                                                                         \
	X(9, CONFIG, 0)                                                                            \
	X(10, BACKEND_SEND_FD, 0)                                                                  \
	X(11, HOST_NOTIFIER, 0)                                                                    \
	X(12, INFLIGHT_SHMFD, 1)                                                                   \
	X(13, RESET_DEVICE, 1)                                                                     \
	X(14, INBAND_NOTIFICATIONS, 0)                                                             \
	X(15, CONFIGURE_MEM_SLOTS, 1)                                                              \
	X(16, STATUS, 1)                                                                           \
	X(17, XEN_MMAP, 0)                                                                         \
	X(18, SHARED_OBJECT, 0)                                                                    \
	X(19, DEVICE_STATE, 0)                                                                     \
	X(20, GET_VRING_BASE_INFLIGHT, 0)                                                          \
	X(21, GPA_ADDRESSES, 0)                                                                    \
	X(22, SHMEM, 0)                                                                            \
	X(23, GET_VRING_BASE_SKIP_DRAIN, 0)

#define VU_PROTOCOL_ENUM(bit, name, offered) VU_P_##name = (bit),
enum { VU_PROTOCOL_FEATURES(VU_PROTOCOL_ENUM) };
#undef VU_PROTOCOL_ENUM

#define VU_PROTOCOL_OFFER_BIT(bit, name, offered) | ((uint64_t)(offered) << (bit))
#define VU_PROTOCOL_OFFER			  (0 VU_PROTOCOL_FEATURES(VU_PROTOCOL_OFFER_BIT))

struct vu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t bytes; /* of the payload */
} __attribute__((packed));
static_assert(sizeof(struct vu_header) == 12, "wire format");

struct vu_vring_state {
	uint32_t index;
	uint32_t num;
} __attribute__((packed));
static_assert(sizeof(struct vu_vring_state) == 8, "wire format");

struct vu_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;	/* addresses of the front end */
	uint64_t used;	/* packed: device event suppression */
	uint64_t avail; /* packed: driver event suppression */
	uint64_t log;	/* guest-physical, of the used ring */
} __attribute__((packed));
static_assert(sizeof(struct vu_vring_addr) == 40, "wire format");

struct vu_mem_entry {
	uint64_t gpa;
	uint64_t bytes;
	uint64_t uaddr;
	uint64_t mmap_offset;
} __attribute__((packed));
static_assert(sizeof(struct vu_mem_entry) == 32, "wire format");

struct vu_mem_table {
	uint32_t n_regions;
	uint32_t padding;
	struct vu_mem_entry region[VU_FDS_MAX];
} __attribute__((packed));
static_assert(sizeof(struct vu_mem_table) == 8 + VU_FDS_MAX * 32, "wire format");

struct vu_mem_single {
	uint64_t padding;
	struct vu_mem_entry region;
} __attribute__((packed));
static_assert(sizeof(struct vu_mem_single) == 40, "wire format");

struct vu_log_range {
	uint64_t bytes;
	uint64_t offset;
} __attribute__((packed));
static_assert(sizeof(struct vu_log_range) == 16, "wire format");

/* Some front ends send the 20 bytes of the text, some the 24 of an unpacked C structure. */
struct vu_inflight_desc {
	uint64_t bytes;
	uint64_t offset;
	uint16_t n_queues;
	uint16_t queue_num;
	uint32_t padding;
} __attribute__((packed));
static_assert(sizeof(struct vu_inflight_desc) == 24, "wire format");
#define VU_INFLIGHT_DESC_MIN 20

union vu_payload {
	uint64_t u64;
	struct vu_vring_state state;
	struct vu_vring_addr addr;
	struct vu_mem_table table;
	struct vu_mem_single single;
	struct vu_log_range log;
	struct vu_inflight_desc inflight;
	uint8_t raw[VU_PAYLOAD_MAX];
};

/* What answers a request, apart from the acknowledgement of REPLY_ACK. */
enum vu_reply {
	VU_REPLY_NONE,	  /* nothing; so REPLY_ACK applies */
	VU_REPLY_U64,	  /* 8 bytes */
	VU_REPLY_PAYLOAD, /* the payload of the request, filled in; may carry a descriptor */
};

#define VU_NEEDS(name) (1ull << VU_P_##name)

/*
 *        id  name, lower-case name,                      payload     fds   needs           reply
 *                                                        min  max  min max
 */
#define VU_REQUESTS(X)                                                                             \
	X(1, GET_FEATURES, get_features, 0, 0, 0, 0, 0, U64)                                       \
	X(2, SET_FEATURES, set_features, 8, 8, 0, 0, 0, NONE)                                      \
	X(3, SET_OWNER, set_owner, 0, 0, 0, 0, 0, NONE)                                            \
	X(4, RESET_OWNER, reset_owner, 0, 0, 0, 0, 0, NONE)                                        \
	X(5, SET_MEM_TABLE, set_mem_table, 8, sizeof(struct vu_mem_table), 0, VU_FDS_MAX, 0, NONE) \
	X(6, SET_LOG_BASE, set_log_base, 16, 16, 1, 1, VU_NEEDS(LOG_SHMFD), U64)                   \
	X(7, SET_LOG_FD, set_log_fd, 0, 8, 0, 1, 0, NONE)                                          \
	X(8, SET_VRING_NUM, set_vring_num, 8, 8, 0, 0, 0, NONE)                                    \
	X(9, SET_VRING_ADDR, set_vring_addr, 40, 40, 0, 0, 0, NONE)                                \
	X(10, SET_VRING_BASE, set_vring_base, 8, 8, 0, 0, 0, NONE)                                 \
	X(11, GET_VRING_BASE, get_vring_base, 8, 8, 0, 0, 0, PAYLOAD)                              \
	X(12, SET_VRING_KICK, set_vring_kick, 8, 8, 0, 1, 0, NONE)                                 \
	X(13, SET_VRING_CALL, set_vring_call, 8, 8, 0, 1, 0, NONE)                                 \
	X(14, SET_VRING_ERR, set_vring_err, 8, 8, 0, 1, 0, NONE)                                   \
	X(15, GET_PROTOCOL_FEATURES, get_protocol_features, 0, 0, 0, 0, 0, U64)                    \
	X(16, SET_PROTOCOL_FEATURES, set_protocol_features, 8, 8, 0, 0, 0, NONE)                   \
	X(17, GET_QUEUE_NUM, get_queue_num, 0, 0, 0, 0, VU_NEEDS(MQ), U64)                         \
	X(18, SET_VRING_ENABLE, set_vring_enable, 8, 8, 0, 0, 0, NONE)                             \
	X(19, SEND_RARP, send_rarp, 8, 8, 0, 0, VU_NEEDS(RARP), NONE)                              \
	X(20, NET_SET_MTU, net_set_mtu, 8, 8, 0, 0, VU_NEEDS(NET_MTU), NONE)                       \
	X(21, SET_BACKEND_REQ_FD, set_backend_req_fd, 0, 0, 1, 1, VU_NEEDS(BACKEND_REQ), NONE)     \
	X(31, GET_INFLIGHT_FD, get_inflight_fd, VU_INFLIGHT_DESC_MIN, 24, 0, 0,                    \
	  VU_NEEDS(INFLIGHT_SHMFD), PAYLOAD)                                                       \
	X(32, SET_INFLIGHT_FD, set_inflight_fd, VU_INFLIGHT_DESC_MIN, 24, 1, 1,                    \
	  VU_NEEDS(INFLIGHT_SHMFD), NONE)                                                          \
	X(34, RESET_DEVICE, reset_device, 0, 0, 0, 0, VU_NEEDS(RESET_DEVICE), NONE)                \
	X(36, GET_MAX_MEM_SLOTS, get_max_mem_slots, 0, 0, 0, 0, VU_NEEDS(CONFIGURE_MEM_SLOTS),     \
	  U64)                                                                                     \
	X(37, ADD_MEM_REG, add_mem_reg, 40, 40, 1, 1, VU_NEEDS(CONFIGURE_MEM_SLOTS), NONE)         \
	X(38, REM_MEM_REG, rem_mem_reg, 40, 40, 0, 1, VU_NEEDS(CONFIGURE_MEM_SLOTS), NONE)         \
	X(39, SET_STATUS, set_status, 8, 8, 0, 0, VU_NEEDS(STATUS), NONE)                          \
	X(40, GET_STATUS, get_status, 0, 0, 0, 0, VU_NEEDS(STATUS), U64)

#define VU_REQUEST_ENUM(id, name, lower, min, max, fds_min, fds_max, needs, reply)                 \
	VU_REQ_##name = (id),
enum { VU_REQUESTS(VU_REQUEST_ENUM) };
#undef VU_REQUEST_ENUM

#define VU_REQUEST_FITS(id, name, lower, min, max, fds_min, fds_max, needs, reply)                 \
	static_assert((max) <= VU_PAYLOAD_MAX && (fds_max) <= VU_FDS_MAX, #name);
VU_REQUESTS(VU_REQUEST_FITS)
#undef VU_REQUEST_FITS

#endif /* VHOST_PROTO_H */
