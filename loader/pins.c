// SPDX-License-Identifier: GPL-2.0-or-later
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <vxdp/util.h>

#include "rundir.h"

#define POLICIES_BYTES	  (VXDP_PORTS_MAX * sizeof(struct vxdp_policy))
#define QUEUE_TURNS_BYTES (VXDP_NIC_QUEUES_MAX * sizeof(struct vxdp_turns))
#define PORT_TURNS_BYTES  (VXDP_PORTS_MAX * sizeof(struct vxdp_turns))

const char *vxdp_bpffs(void)
{
	const char *root = getenv("VXDP_BPFFS");

	return root && *root ? root : BPFFS_DEFAULT;
}

int vxdp_pins_path(char *path, size_t bytes, const char *nic, const char *map)
{
	int n;

	if (!rundir_nic_valid(nic))
		return -EINVAL;
	n = snprintf(path, bytes, "%s/vxdp/%s%s%s", vxdp_bpffs(), nic, map ? "/" : "",
		     map ? map : "");
	return n >= 0 && (size_t)n < bytes ? 0 : -ENAMETOOLONG;
}

static int open_pin(const char *nic, const char *map, bool writable, int *fd)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = writable ? 0 : BPF_F_RDONLY);
	char path[PATH_MAX];
	int err = vxdp_pins_path(path, sizeof(path), nic, map);

	if (err)
		return err;
	*fd = bpf_obj_get_opts(path, &opts);
	return *fd < 0 ? -errno : 0;
}

/* Return: the map's memory, or NULL with errno set. */
static void *map_values(int fd, size_t bytes, int prot)
{
	void *map = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

static void unmap_values(const void *map, size_t bytes)
{
	if (map)
		munmap((void *)map, bytes);
}

static int map_tables(struct vxdp_pins *pins)
{
	pins->mapped_policies = map_values(pins->policies, POLICIES_BYTES, PROT_READ);
	if (!pins->mapped_policies)
		return -errno;
	pins->mapped_queue_turns = map_values(pins->queue_turns, QUEUE_TURNS_BYTES, PROT_READ);
	if (!pins->mapped_queue_turns)
		return -errno;
	pins->mapped_port_turns =
		map_values(pins->port_turns, PORT_TURNS_BYTES, PROT_READ | PROT_WRITE);
	return pins->mapped_port_turns ? 0 : -errno;
}

static int map_config(struct vxdp_pins *pins)
{
	int prot = PROT_READ | (pins->writable ? PROT_WRITE : 0);

	pins->mapped_config = map_values(pins->config, sizeof(struct vxdp_config), prot);
	return pins->mapped_config ? 0 : -errno;
}

int vxdp_pins_map(struct vxdp_pins *pins)
{
	int err = map_config(pins);

	return err || !pins->writable ? err : map_tables(pins);
}

/*
 * The configuration is mapped, read-only if need be; but the kernel maps a file that is open for
 * reading only as private, and BPF maps cannot be that.
 */
static int open_all(const char *nic, struct vxdp_pins *pins)
{
	int err = 0;

#define OPEN_PIN(name)                                                                             \
	if (!err)                                                                                  \
		err = open_pin(nic, #name, pins->writable || !strcmp(#name, "config"), &pins->name);
	VXDP_PINNED_MAPS(OPEN_PIN)
#undef OPEN_PIN
	return err ? err : vxdp_pins_map(pins);
}

/* Of the configuration; another version need not have all the other maps. 0: there is none. */
static uint32_t layout_of(struct vxdp_pins *pins)
{
	if (pins->config >= 0 && !pins->mapped_config)
		map_config(pins);
	return pins->mapped_config ? READ_ONCE(pins->mapped_config->abi_version) : 0;
}

int vxdp_pins_open(const char *nic, bool writable, struct vxdp_pins *out, struct vx_error *error)
{
	struct vxdp_pins pins = VXDP_PINS_NONE;
	uint32_t layout;
	int err;

	pins.writable = writable;
	err = open_all(nic, &pins);
	layout = layout_of(&pins);
	if (!err && layout == VXDP_ABI_VERSION) {
		*out = pins;
		return 0;
	}
	if (layout && layout != VXDP_ABI_VERSION) {
		err = vx_fail(error, -EPROTO,
			      "%s is attached by another version of vxdp (map layout %u, not %u)",
			      nic, layout, VXDP_ABI_VERSION);
	} else if (err == -ENOENT) {
		vx_fail(error, err, "%s is not attached", nic);
	} else {
		vx_fail_errno(error, err, "cannot open the maps of %s", nic);
		if (err == -EPERM || err == -EACCES)
			vx_hint(error, "run it as root");
	}
	vxdp_pins_close(&pins);
	return err;
}

void vxdp_pins_close(struct vxdp_pins *pins)
{
	unmap_values(pins->mapped_config, sizeof(struct vxdp_config));
	unmap_values(pins->mapped_policies, POLICIES_BYTES);
	unmap_values(pins->mapped_queue_turns, QUEUE_TURNS_BYTES);
	unmap_values(pins->mapped_port_turns, PORT_TURNS_BYTES);
	pins->mapped_config = NULL;
	pins->mapped_policies = NULL;
	pins->mapped_queue_turns = NULL;
	pins->mapped_port_turns = NULL;
#define CLOSE_PIN(name) close_fd(&pins->name);
	VXDP_PINNED_MAPS(CLOSE_PIN)
#undef CLOSE_PIN
	close_fd(&pins->refresh_prog);
}

void vxdp_generation_bump(const struct vxdp_pins *pins)
{
	__atomic_fetch_add(&pins->mapped_config->generation, 1, __ATOMIC_SEQ_CST);
}
