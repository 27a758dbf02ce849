// SPDX-License-Identifier: GPL-2.0-or-later
#include "bpf_pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "pins.h"

/* The kernel adds it to some kinds of maps by itself. */
#define KERNELS_OWN BPF_F_RDONLY_PROG

static const char *const map_names[] = {
#define MAP_NAME(name) #name,
	VXDP_PINNED_MAPS(MAP_NAME)
#undef MAP_NAME
};

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

int bpf_pins_mount(struct vx_error *error)
{
	const char *root = vxdp_bpffs();

	if (is_bpffs(root))
		return 0;
	if (mkdir(root, 0755) && errno != EEXIST)
		return vx_fail_errno(error, -errno, "cannot make %s", root);
	if (mount("bpf", root, "bpf", 0, "mode=0700"))
		return vx_fail_errno(error, -errno, "cannot mount bpffs at %s", root);
	log_info("bpffs mounted at %s", root);
	return 0;
}

static int make_pin_dir(const char *nic, struct vx_error *error)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vxdp", vxdp_bpffs());
	if (mkdir(path, 0700) && errno != EEXIST)
		return vx_fail_errno(error, -errno, "cannot make %s", path);
	vxdp_pins_path(path, sizeof(path), nic, NULL);
	if (mkdir(path, 0700) && errno != EEXIST)
		return vx_fail_errno(error, -errno, "cannot make %s", path);
	return 0;
}

int bpf_pins_remove(const char *nic)
{
	char path[PATH_MAX];
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map_names); i++) {
		if (!vxdp_pins_path(path, sizeof(path), nic, map_names[i]) && !unlink(path))
			n++;
	}
	if (!vxdp_pins_path(path, sizeof(path), nic, NULL))
		rmdir(path);
	snprintf(path, sizeof(path), "%s/vxdp", vxdp_bpffs());
	rmdir(path);
	return n;
}

static bool layout_matches(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &bytes) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       (info.map_flags & ~KERNELS_OWN) == bpf_map__map_flags(map);
}

static int reuse_one(struct bpf_object *object, const char *nic, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = vxdp_pins_path(path, sizeof(path), nic, name);

	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (!layout_matches(map, fd))
		return -EPROTO;
	return bpf_map__reuse_fd(map, fd);
}

int bpf_pins_reuse(struct bpf_object *object, const char *nic)
{
	struct vxdp_pins pins;
	int err = vxdp_pins_open(nic, false, &pins, NULL);

	if (err)
		return err;
	vxdp_pins_close(&pins);
	for (size_t i = 0; i < ARRAY_SIZE(map_names) && !err; i++)
		err = reuse_one(object, nic, map_names[i]);
	return err;
}

int bpf_pins_make(const struct bpf_object *object, const char *nic, struct vx_error *error)
{
	char path[PATH_MAX];
	int err = make_pin_dir(nic, error);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(map_names); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, map_names[i]);

		vxdp_pins_path(path, sizeof(path), nic, map_names[i]);
		if (bpf_obj_pin(bpf_map__fd(map), path))
			return vx_fail_errno(error, -errno, "cannot pin %s", path);
	}
	return 0;
}
