// SPDX-License-Identifier: GPL-2.0-or-later
#include "tap_owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

int tap_owner_find(const char *name, bool is_group, uint32_t *id)
{
	const struct passwd *user = is_group ? NULL : getpwnam(name);
	const struct group *group = is_group ? getgrnam(name) : NULL;
	unsigned long number;
	char *end;

	if (user || group) {
		*id = user ? user->pw_uid : group->gr_gid;
		return 0;
	}
	number = strtoul(name, &end, 10);
	if (*name < '0' || *name > '9' || *end || number >= UINT32_MAX)
		return -ENOENT;
	*id = (uint32_t)number;
	return 0;
}
