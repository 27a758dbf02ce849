// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * features.c - which feature bits there are, what they are called and which ones this library
 * can serve.
 *
 * Not offered, and why:
 *
 *   MAC, STATUS, CTRL_*     belong to the front end, which has the configuration space and the
 *                           control queue
 *   ACCESS_PLATFORM         needs an IOMMU's translations (IOTLB messages)
 *   NOTIFICATION_DATA       an eventfd cannot carry the data
 *   RING_RESET              QEMU tells its vhost-user back end nothing of a queue's reset
 *                           (virtio_net_queue_reset()): we would write into freed buffers
 *   HASH_REPORT, RSS        need a hash of each frame, and the control queue
 */
#include "dev.h"
#include "proto.h"
#include "vxdp/util.h"

/* Bit, name, served here. */
#define VU_FEATURES(X)                                                                             \
	X(0, CSUM, 1)                                                                              \
	X(1, GUEST_CSUM, 1)                                                                        \
	X(2, CTRL_GUEST_OFFLOADS, 0)                                                               \
	X(3, MTU, 1)                                                                               \
	X(5, MAC, 0)                                                                               \
	X(6, GSO, 1)                                                                               \
	X(7, GUEST_TSO4, 1)                                                                        \
	X(8, GUEST_TSO6, 1)                                                                        \
	X(9, GUEST_ECN, 1)                                                                         \
	X(10, GUEST_UFO, 0)                                                                        \
	X(11, HOST_TSO4, 1)                                                                        \
	X(12, HOST_TSO6, 1)                                                                        \
	X(13, HOST_ECN, 1)                                                                         \
	X(14, HOST_UFO, 0)                                                                         \
	X(15, MRG_RXBUF, 1)                                                                        \
	X(16, STATUS, 0)                                                                           \
	X(17, CTRL_VQ, 0)                                                                          \
	X(18, CTRL_RX, 0)                                                                          \
	X(19, CTRL_VLAN, 0)                                                                        \
	X(20, CTRL_RX_EXTRA, 0)                                                                    \
	X(21, GUEST_ANNOUNCE, 1)                                                                   \
	X(22, MQ, 1)                                                                               \
	X(23, CTRL_MAC_ADDR, 0)                                                                    \
	X(24, NOTIFY_ON_EMPTY, 0)                                                                  \
	X(26, LOG_ALL, 1)                                                                          \
	X(27, ANY_LAYOUT, 1)                                                                       \
	X(28, INDIRECT_DESC, 1)                                                                    \
	X(29, EVENT_IDX, 1)                                                                        \
	X(30, PROTOCOL_FEATURES, 1)                                                                \
	X(32, VERSION_1, 1)                                                                        \
	X(33, ACCESS_PLATFORM, 0)                                                                  \
	X(34, RING_PACKED, 1)                                                                      \
	X(35, IN_ORDER, 1)                                                                         \
	X(36, ORDER_PLATFORM, 0)                                                                   \
	X(37, SR_IOV, 0)                                                                           \
	X(38, NOTIFICATION_DATA, 0)                                                                \
	X(40, RING_RESET, 0)                                                                       \
	X(52, HASH_TUNNEL, 0)                                                                      \
	X(53, VQ_NOTF_COAL, 0)                                                                     \
	X(54, GUEST_USO4, 1)                                                                       \
	X(55, GUEST_USO6, 1)                                                                       \
	X(56, HOST_USO, 1)                                                                         \
	X(57, HASH_REPORT, 0)                                                                      \
	X(59, GUEST_HDRLEN, 0)                                                                     \
	X(60, RSS, 0)                                                                              \
	X(61, RSC_EXT, 0)                                                                          \
	X(62, STANDBY, 0)                                                                          \
	X(63, SPEED_DUPLEX, 0)

#define FEATURE_NAME(bit, name, served) [(bit)] = #name,
#define FEATURE_BIT(bit, name, served)	| ((uint64_t)(served) << (bit))

static const char *const feature_names[64] = {VU_FEATURES(FEATURE_NAME)};

#define PROTOCOL_NAME(bit, name, offered) [(bit)] = #name,

static const char *const protocol_feature_names[] = {VU_PROTOCOL_FEATURES(PROTOCOL_NAME)};

uint64_t vu_features_offer(void)
{
	return 0 VU_FEATURES(FEATURE_BIT);
}

const char *vu_feature_name(unsigned int bit)
{
	return bit < ARRAY_SIZE(feature_names) ? feature_names[bit] : NULL;
}

const char *vu_protocol_feature_name(unsigned int bit)
{
	return bit < ARRAY_SIZE(protocol_feature_names) ? protocol_feature_names[bit] : NULL;
}
