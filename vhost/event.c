// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event.c - see event.h.
 *
 * Each signal is one io_submit() of a read from /dev/null, which completes inside the system call;
 * the completion signals the eventfd. The completion records are taken out of the ring that the
 * kernel maps for us (fs/aio.c, struct aio_ring): setting its head to its tail is all there is to
 * it, no second system call.
 */
#include "event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vxdp/util.h"

#define AIO_RING_MAGIC 0xa10a10a1
#define AIO_EVENTS     64 /* completions that may wait in the ring; each signal empties it */

/* The first words of the completion ring (fs/aio.c). */
struct aio_ring_head {
	uint32_t id, nr;
	uint32_t head; /* ours to move */
	uint32_t tail; /* the kernel's */
	uint32_t magic;
};

static __thread aio_context_t context;
static __thread bool no_aio;
static int null_fd = -1;
static pthread_key_t context_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

int vu_event_check(int fd)
{
	char link[64], target[32];
	ssize_t n;
	int flags;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (strcmp(target, "anon_inode:[eventfd]") != 0)
		return -EBADF;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void context_end(void *value)
{
	syscall(SYS_io_destroy, (aio_context_t)(uintptr_t)value);
}

static void prepare_once(void)
{
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pthread_key_create(&context_key, context_end))
		close_fd(&null_fd);
}

void vu_event_prepare(void)
{
	pthread_once(&once, prepare_once);
}

static bool thread_prepare(void)
{
	if (context)
		return true;
	if (no_aio)
		return false;
	vu_event_prepare();
	if (null_fd < 0 || syscall(SYS_io_setup, AIO_EVENTS, &context) < 0) {
		context = 0;
		no_aio = true;
		return false;
	}
	pthread_setspecific(context_key, (void *)(uintptr_t)context);
	return true;
}

static void completions_drop(void)
{
	struct aio_ring_head *ring = (struct aio_ring_head *)(uintptr_t)context;
	struct io_event events[AIO_EVENTS];
	struct timespec now = {0};

	if (ring->magic == AIO_RING_MAGIC)
		WRITE_ONCE(ring->head, load_acquire(&ring->tail));
	else
		syscall(SYS_io_getevents, context, 0, AIO_EVENTS, events, &now);
}

/* Without AIO (a kernel built so, a seccomp filter): the best that write() can do. */
static void signal_by_write(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	uint64_t one = 1;
	ssize_t n;

	vu_event_check(fd);
	if (poll(&p, 1, 0) == 1 && p.revents & POLLOUT) {
		n = write(fd, &one, sizeof(one));
		(void)n; /* a full counter is a raised event */
	}
}

void vu_event_signal(int fd)
{
	char byte;
	struct iocb job = {0}, *jobs[] = {&job};

	if (!thread_prepare()) {
		signal_by_write(fd);
		return;
	}
	job.aio_lio_opcode = IOCB_CMD_PREAD;
	job.aio_fildes = (uint32_t)null_fd;
	job.aio_buf = (uintptr_t)&byte;
	job.aio_nbytes = 1;
	job.aio_flags = IOCB_FLAG_RESFD;
	job.aio_resfd = (uint32_t)fd;
	completions_drop();
	if (syscall(SYS_io_submit, context, 1, jobs) < 0 && errno != EBADF)
		signal_by_write(fd);
}
