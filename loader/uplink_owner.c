// SPDX-License-Identifier: GPL-2.0-or-later
#include "uplink_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include <vxdp/util.h>

#include "pins.h"
#include "rundir.h"

#define OWNER_NAME "switch"

int uplink_owner_write(const char *nic, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = rundir_path(path, sizeof(path), nic, OWNER_NAME);

	if (err)
		return err;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 || dprintf(fd, "%s\n", name) < 0 ? -errno : 0;
}

int uplink_owner(const char *nic, char name[IFNAMSIZ])
{
	char path[PATH_MAX];
	FILE *file = NULL;
	int n = 0;

	if (!rundir_path(path, sizeof(path), nic, OWNER_NAME))
		file = fopen(path, "re");
	if (file) {
		n = fscanf(file, "%15s", name);
		fclose(file);
	}
	if (n != 1 || vxdp_pins_path(path, sizeof(path), name, "config") || access(path, F_OK))
		return -ENOENT;
	return 0;
}

/* A process that is about to end may have the lock still. */
int uplink_forget(const char *nic)
{
	int lock_fd = -1, n = 0;

	if (rundir_lock_wait(nic, NULL, &lock_fd))
		return 0;
	n = rundir_clear(nic);
	rundir_unlock(nic, &lock_fd);
	return n;
}

void uplink_owner_clear(const char *nic)
{
	char path[PATH_MAX];

	if (!rundir_path(path, sizeof(path), nic, OWNER_NAME))
		unlink(path);
}
