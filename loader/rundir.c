// SPDX-License-Identifier: GPL-2.0-or-later
#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "vxdp/util.h"

#define LOCK_NAME "lock"
#define WAITS	  600 /* of WAIT_NS each */
#define WAIT_NS	  50000000
#define TRIES	  100 /* a directory can go away under us as often as its owner ends */

const char *rundir_root(void)
{
	const char *root = getenv("VXDP_RUNDIR");

	return root && *root ? root : RUNDIR_DEFAULT;
}

/* As dev_valid_name() of the kernel, and nothing that a terminal or JSON would trip over. */
bool rundir_nic_valid(const char *nic)
{
	if (!*nic || strlen(nic) >= IFNAMSIZ || !strcmp(nic, ".") || !strcmp(nic, ".."))
		return false;
	for (; *nic; nic++) {
		if (*nic <= ' ' || *nic == '/' || *nic == ':' || *nic == 0x7f)
			return false;
	}
	return true;
}

int rundir_path(char *path, size_t bytes, const char *nic, const char *leaf)
{
	int n;

	if (!rundir_nic_valid(nic))
		return -EINVAL;
	n = snprintf(path, bytes, "%s/%s%s%s", rundir_root(), nic, leaf ? "/" : "",
		     leaf ? leaf : "");
	return n >= 0 && (size_t)n < bytes ? 0 : -ENAMETOOLONG;
}

static int make_dirs(const char *nic_dir)
{
	if (mkdir(rundir_root(), 0755) && errno != EEXIST)
		return -errno;
	if (mkdir(nic_dir, 0755) && errno != EEXIST)
		return -errno;
	return 0;
}

/* Is the file that is locked still the one that others would open? */
static bool is_current(int fd, const char *path)
{
	struct stat ours, theirs;

	return !fstat(fd, &ours) && !stat(path, &theirs) && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* Return: a locked descriptor; -EAGAIN to try again; -EBUSY; else -errno */
static int try_lock(const char *dir, const char *path)
{
	_cleanup_close_ int fd = -1;
	int err = make_dirs(dir);

	if (err)
		return err == -ENOENT ? -EAGAIN : err;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return is_current(fd, path) ? TAKE_FD(fd) : -EAGAIN;
}

static int fail_busy(const char *nic, const char *path, struct vx_error *error)
{
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (file) {
		if (fscanf(file, "%d", &pid) != 1)
			pid = 0;
		fclose(file);
	}
	return vx_fail(error, -EBUSY, "%s is in the hands of another vxdp (pid %d)", nic, pid);
}

int rundir_lock(const char *nic, struct vx_error *error, int *fd)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int got = -EAGAIN;

	if (rundir_path(dir, sizeof(dir), nic, NULL) ||
	    rundir_path(path, sizeof(path), nic, LOCK_NAME))
		return vx_fail(error, -EINVAL, "%s/%s is no path to use", rundir_root(), nic);
	for (int i = 0; i < TRIES && got == -EAGAIN; i++)
		got = try_lock(dir, path);
	if (got == -EBUSY)
		return fail_busy(nic, path, error);
	if (got < 0) {
		vx_fail_errno(error, got, "cannot lock %s", path);
		if (got == -EACCES || got == -EPERM || got == -EROFS)
			vx_hint(error,
				"run it as root, or set VXDP_RUNDIR to a directory of yours");
		return got;
	}
	if (ftruncate(got, 0) || dprintf(got, "%d\n", getpid()) < 0) {
		int err = vx_fail_errno(error, -errno, "cannot write %s", path);

		close(got);
		return err;
	}
	*fd = got;
	return 0;
}

int rundir_lock_wait(const char *nic, struct vx_error *error, int *fd)
{
	const struct timespec pause = {.tv_nsec = WAIT_NS};
	int err = -EBUSY;

	for (int i = 0; i < WAITS && err == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = rundir_lock(nic, error, fd);
	}
	return err;
}

void rundir_unlock(const char *nic, int *fd)
{
	char path[PATH_MAX];

	if (*fd < 0)
		return;
	/* Remove before letting go: whoever opens the file meanwhile finds it is not current. */
	if (!rundir_path(path, sizeof(path), nic, LOCK_NAME))
		unlink(path);
	if (!rundir_path(path, sizeof(path), nic, NULL))
		rmdir(path);
	if (!strcmp(rundir_root(), RUNDIR_DEFAULT)) /* any other is the user's own */
		rmdir(RUNDIR_DEFAULT);
	close_fd(fd);
}

int rundir_clear(const char *nic)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir = NULL;
	int n = 0;

	if (!rundir_path(path, sizeof(path), nic, NULL))
		dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, LOCK_NAME) && !unlinkat(dirfd(dir), entry->d_name, 0))
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}
