// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Theory of operation
 *
 * A frame that a BPF program decided about is a record in the `capture` ring buffer; one that a
 * worker forwarded by itself comes as a datagram with the same header. The process turns both on
 * when asked over the control socket and off again when that connection goes, however it goes.
 * Without a process (only the programs forward) the flags are set here, and stay set if this
 * process is killed: the next capture or detach clears them.
 *
 * The ring buffer has one reader: a lock on the directory of the pinned maps sees to that. What an
 * earlier capture left in it is thrown away first.
 */
#include "dump_source.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <vxdp/util.h>

#include "ctl.h"
#include "rundir.h"

#define SOCKET_BYTES  (4 * 1024 * 1024) /* room for datagrams that were not read yet */
#define DATAGRAM_MAX  (sizeof(struct vxdp_capture) + 65536)
#define READS_A_ROUND 256

struct dump_source {
	const struct vxdp_pins *pins;
	dump_frame_fn on_frame;
	void (*on_end)(void *arg);
	void *arg;
	int lock_fd;
	int ctl_fd;  /* to the process; -1: there is none */
	int recv_fd; /* datagrams from its workers */
	struct ring_buffer *ring;
	bool discard;	      /* what is in the ring is older than this capture */
	uint64_t lost_before; /* config.capture_lost when it began */
	struct event *ring_event, *recv_event, *ctl_event;
	uint8_t datagram[DATAGRAM_MAX];
};

static void deliver(struct dump_source *s, const void *data, size_t bytes)
{
	const struct vxdp_capture *record = data;

	if (bytes >= sizeof(*record) && record->captured_bytes <= bytes - sizeof(*record))
		s->on_frame(s->arg, record);
}

static int take_record(void *ctx, void *data, size_t bytes)
{
	struct dump_source *s = ctx;

	if (!s->discard)
		deliver(s, data, bytes);
	return 0;
}

static void ring_ready(void *arg, uint32_t events)
{
	struct dump_source *s = arg;

	ring_buffer__consume(s->ring);
}

static void recv_ready(void *arg, uint32_t events)
{
	struct dump_source *s = arg;
	ssize_t n;

	for (int i = 0; i < READS_A_ROUND; i++) {
		n = recv(s->recv_fd, s->datagram, sizeof(s->datagram), MSG_DONTWAIT);
		if (n <= 0) {
			if (events & (EPOLLHUP | EPOLLERR))
				event_del(&s->recv_event);
			return;
		}
		deliver(s, s->datagram, n);
	}
}

static void ctl_gone(void *arg, uint32_t events)
{
	struct dump_source *s = arg;

	event_del(&s->ctl_event);
	s->on_end(s->arg);
}

static int lock_ring(struct dump_source *s, const char *nic, struct vx_error *error)
{
	char path[PATH_MAX];
	int err = vxdp_pins_path(path, sizeof(path), nic, NULL);

	if (!err)
		s->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (err || s->lock_fd < 0)
		return vx_fail_errno(error, err ? err : -errno, "cannot open the maps of %s", nic);
	if (!flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	return vx_fail(error, -EBUSY, "another vxdp dump of %s is running", nic);
}

static int open_ring(struct dump_source *s, const char *nic, struct vx_error *error)
{
	s->ring = ring_buffer__new(s->pins->capture, take_record, s, NULL);
	if (!s->ring)
		return vx_fail_errno(error, -errno, "cannot read the capture buffer of %s", nic);
	s->discard = true;
	ring_buffer__consume(s->ring);
	s->discard = false;
	s->lost_before = READ_ONCE(s->pins->mapped_config->capture_lost);
	return 0;
}

static int ask_to_start(struct dump_source *s, const char *port, unsigned int snaplen, int send_fd,
			struct vx_error *error)
{
	json_auto_t *request = json_pack("{s:s,s:s*,s:i}", "cmd", "capture_start", "port", port,
					 "snaplen", (int)snaplen);

	if (!request) /* which only takes UTF-8 */
		return vx_fail(error, -ENOENT, "there is no port of that name");
	return ctl_exchange(s->ctl_fd, request, send_fd, CTL_TIMEOUT_MS, error, NULL);
}

static int start_process(struct dump_source *s, const char *port, unsigned int snaplen,
			 struct vx_error *error)
{
	const int bytes = SOCKET_BYTES;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return vx_fail_errno(error, -errno, "cannot make a socket");
	s->recv_fd = pair[0];
	/* More than net.core.wmem_max where that is allowed. */
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	err = ask_to_start(s, port, snaplen, pair[1], error);
	close(pair[1]);
	return err;
}

static int start(struct dump_source *s, const char *nic, const char *port, unsigned int snaplen,
		 struct vx_error *error)
{
	char path[PATH_MAX];
	int err = rundir_path(path, sizeof(path), nic, "ctl");

	if (err)
		return vx_fail_errno(error, err, "control socket of %s", nic);
	err = ctl_connect(path, error, &s->ctl_fd);
	if (!err)
		return start_process(s, port, snaplen, error);
	if (err != -ENOENT)
		return err;
	dump_flags_clear(s->pins);
	err = dump_flags_set(s->pins, port, snaplen);
	return err ? vx_fail_errno(error, err, "port '%s' of %s", port ? port : "", nic) : 0;
}

static int add_events(struct dump_source *s, struct event_loop *loop, struct vx_error *error)
{
	int err = event_add(loop, ring_buffer__epoll_fd(s->ring), EPOLLIN, ring_ready, s,
			    &s->ring_event);

	if (!err && s->recv_fd >= 0)
		err = event_add(loop, s->recv_fd, EPOLLIN, recv_ready, s, &s->recv_event);
	/* Nothing is read there but by ctl_exchange(): an event is the end of the connection. */
	if (!err && s->ctl_fd >= 0)
		err = event_add(loop, s->ctl_fd, EPOLLRDHUP, ctl_gone, s, &s->ctl_event);
	return err ? vx_fail_errno(error, err, "cannot wait for frames") : 0;
}

int dump_source_open(struct event_loop *loop, const char *nic, const struct vxdp_pins *pins,
		     const char *port, unsigned int snaplen, dump_frame_fn on_frame,
		     void (*on_end)(void *arg), void *arg, struct vx_error *error,
		     struct dump_source **out)
{
	struct dump_source *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return vx_fail_errno(error, -ENOMEM, "cannot capture");
	s->pins = pins;
	s->on_frame = on_frame;
	s->on_end = on_end;
	s->arg = arg;
	s->lock_fd = s->ctl_fd = s->recv_fd = -1;
	err = lock_ring(s, nic, error);
	if (!err)
		err = open_ring(s, nic, error);
	if (!err)
		err = start(s, nic, port, snaplen, error);
	if (!err)
		err = add_events(s, loop, error);
	if (err) {
		dump_source_close(&s);
		return err;
	}
	*out = s;
	return 0;
}

/* Sum of what the workers could not send; asked for before the capture ends, which resets it. */
static uint64_t workers_lost(struct dump_source *s)
{
	json_auto_t *request = json_pack("{s:s}", "cmd", "stats"), *stats = NULL;
	uint64_t lost = 0;
	json_t *port;
	size_t i;

	if (ctl_exchange(s->ctl_fd, request, -1, CTL_TIMEOUT_MS, NULL, &stats))
		return 0;
	json_array_foreach(json_object_get(stats, "ports"), i, port) lost +=
		json_integer_value(json_object_get(port, "capture_lost"));
	return lost;
}

uint64_t dump_source_stop(struct dump_source *s)
{
	json_auto_t *request = json_pack("{s:s}", "cmd", "capture_stop");
	uint64_t lost = 0;

	if (s->ctl_fd < 0) {
		dump_flags_clear(s->pins);
	} else {
		lost = workers_lost(s);
		ctl_exchange(s->ctl_fd, request, -1, CTL_TIMEOUT_MS, NULL, NULL);
		recv_ready(s, 0);
	}
	ring_buffer__consume(s->ring);
	return lost + READ_ONCE(s->pins->mapped_config->capture_lost) - s->lost_before;
}

void dump_source_close(struct dump_source **source)
{
	struct dump_source *s = TAKE_PTR(*source);

	if (!s)
		return;
	event_del(&s->ring_event);
	event_del(&s->recv_event);
	event_del(&s->ctl_event);
	ring_buffer__free(s->ring);
	close_fd(&s->ctl_fd);
	close_fd(&s->recv_fd);
	close_fd(&s->lock_fd);
	free(s);
}
