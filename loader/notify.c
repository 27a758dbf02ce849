// SPDX-License-Identifier: GPL-2.0-or-later
/* The protocol is described, and promised to stay, in sd_notify(3). */
#include "notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vxdp/util.h"

int notify(const char *fmt, ...)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_close_ int fd = -1;
	char text[512];
	size_t bytes;
	va_list args;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return 0;
	bytes = strlen(path);
	if (bytes >= sizeof(to.sun_path))
		return -E2BIG;
	memcpy(to.sun_path, path, bytes + 1);
	if (path[0] == '@') /* abstract name */
		to.sun_path[0] = '\0';
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		   offsetof(struct sockaddr_un, sun_path) + bytes) < 0)
		return -errno;
	return 1;
}
