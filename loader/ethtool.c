// SPDX-License-Identifier: GPL-2.0-or-later
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <vxdp/util.h>

#define FEATURES_MAX 256 /* the kernel has 64 today */
#define BLOCKS_MAX   (FEATURES_MAX / 32)

int ethtool_ioctl(const char *nic, void *command)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_data = command};
	int result;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", nic);
	result = ioctl(fd, SIOCETHTOOL, &ifr);
	return result < 0 ? -errno : result;
}

/* Number of a feature: its place in the kernel's list of names. */
static int feature_index(const char *nic, const char *name)
{
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(__u32)];
	} sset = {.room = {0}};
	_cleanup_free_ struct ethtool_gstrings *names = NULL;
	__u32 n;
	int err;

	sset.info.cmd = ETHTOOL_GSSET_INFO;
	sset.info.sset_mask = 1ULL << ETH_SS_FEATURES;
	err = ethtool_ioctl(nic, &sset);
	if (err < 0)
		return err;
	n = sset.info.data[0];
	if (!sset.info.sset_mask || n > FEATURES_MAX)
		return -EOPNOTSUPP;
	names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	err = ethtool_ioctl(nic, names);
	if (err < 0)
		return err;
	for (__u32 i = 0; i < MIN(names->len, n); i++) {
		if (!strncmp((char *)names->data + i * ETH_GSTRING_LEN, name, ETH_GSTRING_LEN))
			return (int)i;
	}
	return -ENOENT;
}

/* State of all features; head.size is how many blocks of 32 this kernel has. */
union features {
	struct ethtool_gfeatures head;
	uint8_t room[sizeof(struct ethtool_gfeatures) +
		     BLOCKS_MAX * sizeof(struct ethtool_get_features_block)];
};

static int features_get(const char *nic, union features *features)
{
	int err;

	memset(features, 0, sizeof(*features));
	features->head.cmd = ETHTOOL_GFEATURES;
	features->head.size = BLOCKS_MAX;
	err = ethtool_ioctl(nic, features);
	if (err < 0)
		return err;
	return features->head.size <= BLOCKS_MAX ? 0 : -EOPNOTSUPP;
}

int ethtool_feature_get(const char *nic, const char *name, struct ethtool_feature *feature)
{
	const struct ethtool_get_features_block *block;
	int i = feature_index(nic, name);
	union features features;
	int err;

	if (i < 0)
		return i;
	err = features_get(nic, &features);
	if (err)
		return err;
	block = &features.head.features[i / 32];
	feature->on = block->active >> (i % 32) & 1;
	feature->fixed =
		(block->never_changed >> (i % 32) & 1) || !(block->available >> (i % 32) & 1);
	return 0;
}

int ethtool_feature_set(const char *nic, const char *name, bool on)
{
	union {
		struct ethtool_sfeatures head;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     BLOCKS_MAX * sizeof(struct ethtool_set_features_block)];
	} set = {.room = {0}};
	int i = feature_index(nic, name);
	struct ethtool_feature now;
	union features features;
	int err;

	if (i < 0)
		return i;
	err = features_get(nic, &features);
	if (err)
		return err;
	set.head.cmd = ETHTOOL_SFEATURES;
	set.head.size = features.head.size;
	set.head.features[i / 32].valid = 1u << (i % 32);
	set.head.features[i / 32].requested = on ? 1u << (i % 32) : 0;
	err = ethtool_ioctl(nic, &set);
	if (err < 0)
		return err;
	err = ethtool_feature_get(nic, name, &now);
	if (err)
		return err;
	return now.on == on ? 0 : -EOPNOTSUPP;
}

void ethtool_driver(const char *nic, char *driver, size_t driver_bytes, char *bus, size_t bus_bytes)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (ethtool_ioctl(nic, &info) < 0) {
		driver[0] = '\0';
		bus[0] = '\0';
		return;
	}
	snprintf(driver, driver_bytes, "%.*s", (int)sizeof(info.driver), info.driver);
	snprintf(bus, bus_bytes, "%.*s", (int)sizeof(info.bus_info), info.bus_info);
}

void ethtool_channels(const char *nic, unsigned int *rx, unsigned int *tx, unsigned int *rx_max)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ethtool_rxnfc rings = {.cmd = ETHTOOL_GRXRINGS};

	*rx = *tx = 1;
	*rx_max = 0;
	if (ethtool_ioctl(nic, &channels) >= 0) {
		*rx = MAX(channels.rx_count + channels.combined_count, 1);
		*tx = MAX(channels.tx_count + channels.combined_count, 1);
		*rx_max = MAX(channels.max_rx, channels.max_combined);
	} else if (ethtool_ioctl(nic, &rings) >= 0 && rings.data) {
		*rx = rings.data;
	}
}
