// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pins_policy.c - what the user allows each port.
 */
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include <vxdp/util.h>

int vxdp_policy_get(const struct vxdp_pins *pins, uint32_t port, struct vxdp_policy *policy)
{
	return bpf_map_lookup_elem(pins->policies, &port, policy) ? -errno : 0;
}

int vxdp_policy_set(const struct vxdp_pins *pins, uint32_t port, const struct vxdp_policy *policy)
{
	if (bpf_map_update_elem(pins->policies, &port, policy, BPF_ANY))
		return -errno;
	vxdp_generation_bump(pins);
	return 0;
}

static struct vxdp_port_mac mac_key(uint32_t port, const uint8_t mac[6])
{
	struct vxdp_port_mac key = {.port = (uint16_t)port};

	memcpy(key.mac, mac, sizeof(key.mac));
	return key;
}

bool vxdp_port_mac_allowed(const struct vxdp_pins *pins, uint32_t port, const uint8_t mac[6])
{
	const struct vxdp_port_mac key = mac_key(port, mac);
	uint8_t unused;

	return !bpf_map_lookup_elem(pins->port_macs, &key, &unused);
}

int vxdp_port_macs_get(const struct vxdp_pins *pins, uint32_t port, uint8_t (*macs)[6], int max)
{
	struct vxdp_port_mac key, *before = NULL;
	int n = 0;

	while (!bpf_map_get_next_key(pins->port_macs, before, &key)) {
		before = &key;
		if (key.port != port)
			continue;
		if (n < max)
			memcpy(macs[n], key.mac, sizeof(key.mac));
		n++;
	}
	return errno == ENOENT ? n : -errno;
}

static bool among(const uint8_t mac[6], const uint8_t (*macs)[6], int n)
{
	for (int i = 0; i < n; i++)
		if (!memcmp(mac, macs[i], 6))
			return true;
	return false;
}

static int remove_others(const struct vxdp_pins *pins, uint32_t port, const uint8_t (*macs)[6],
			 int n)
{
	int n_old = vxdp_port_macs_get(pins, port, NULL, 0);
	_cleanup_free_ uint8_t(*old)[6] = NULL;

	if (n_old <= 0)
		return n_old;
	old = calloc(n_old, sizeof(*old));
	if (!old)
		return -ENOMEM;
	n_old = MIN(n_old, vxdp_port_macs_get(pins, port, old, n_old));
	for (int i = 0; i < n_old; i++) {
		const struct vxdp_port_mac key = mac_key(port, old[i]);

		if (!among(old[i], macs, n))
			bpf_map_delete_elem(pins->port_macs, &key);
	}
	return n_old < 0 ? n_old : 0;
}

/* What stays is there all the time: a guest that may send goes on sending. */
int vxdp_port_macs_set(const struct vxdp_pins *pins, uint32_t port, const uint8_t (*macs)[6], int n)
{
	const uint8_t yes = 1;
	int err = 0;

	for (int i = 0; i < n && !err; i++) {
		const struct vxdp_port_mac key = mac_key(port, macs[i]);

		if (bpf_map_update_elem(pins->port_macs, &key, &yes, BPF_ANY))
			err = errno == E2BIG ? -ENOSPC : -errno;
	}
	if (!err)
		err = remove_others(pins, port, macs, n);
	vxdp_generation_bump(pins);
	return err;
}
