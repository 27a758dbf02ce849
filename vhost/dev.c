// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dev.c - life cycle of a device: its socket, one connection after the other.
 *
 * Theory of operation: everything a front end says is gone when its connection is; the next one
 * says it again. So a session begins with nothing and ends with nothing, whatever happened in
 * between, and a restarted back end looks to the front end like one that was there all the time.
 * What has to live longer (which buffers are in flight) is in a file (inflight.h).
 *
 *   state      | event                                   | next
 *   -----------+-----------------------------------------+---------------------------------------
 *   WAITING    | somebody connects, or accepts us        | CONNECTED, ops->link(true)
 *   CONNECTED  | a ring has all it needs                 | RUNNING, ops->ring_start()
 *   RUNNING    | the last running ring was stopped       | CONNECTED
 *   CONNECTED, | connection closed, broken rule,         | all rings stopped, memory released,
 *   RUNNING    | vu_dev_fail(), memory cut short         | ops->link(false), WAITING
 *
 * The epoll descriptor that the owner watches holds up to four others: the listening socket, the
 * retry timer, the connection, and an eventfd which says that a file of the peer was cut short.
 *
 * A peer can keep this thread busy only for a bounded time: MESSAGES_MAX messages a round, fewer
 * if they take long (a change of memory under running rings can take tens of milliseconds).
 */
#include "dev.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dev_internal.h"
#include "event.h"
#include "ring_setup.h"
#include "vxdp/util.h"

#define MESSAGES_MAX  64
#define ROUND_MS      5
#define ACCEPTS_MAX   16
#define SHORT_LIFE_MS 1000 /* a connection that ended sooner is not tried again at once */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Sessions
 */

static void vring_init(struct vu_vring *v)
{
	struct vu_ring *ring = v->ring;

	*v = (struct vu_vring){.ring = ring, .kick_fd = -1, .err_fd = -1};
}

static void session_reset(struct vu_dev *dev)
{
	for (unsigned int i = 0; i < dev->n_rings; i++)
		vring_init(&dev->vring[i]);
	memset(dev->again, 0, sizeof(dev->again));
	memset(dev->owed, 0, sizeof(dev->owed));
	dev->features = 0;
	dev->has_features = false;
	dev->features_refused = false;
	dev->protocol_features = 0;
	dev->status = 0;
	dev->peer_pid = 0;
	dev->failed = false;
	dev->waits_for_out = false;
}

static void peer_identify(struct vu_dev *dev)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (!getsockopt(dev->conn.fd, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		dev->peer_pid = cred.pid;
}

static void session_begin(struct vu_dev *dev, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &dev->conn};

	if (epoll_ctl(dev->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		vxdp_log(VXDP_LOG_WARN, &dev->log_limit, "%s: front end not served: %s", dev->name,
			 strerror(errno));
		close(fd);
		return;
	}
	vu_conn_open(&dev->conn, fd);
	peer_identify(dev);
	dev->n_connects++;
	dev->connected_ms = now_ms();
	vu_sock_busy(&dev->sock);
	vxdp_log(VXDP_LOG_INFO, &dev->log_limit, "%s: front end connected (pid %d)", dev->name,
		 (int)dev->peer_pid);
	dev->ops->link(dev->owner, true);
}

static void vring_end(struct vu_vring *v)
{
	close_fd(&v->kick_fd);
	close_fd(&v->err_fd);
	vu_ring_free(&v->ring);
}

/* Everything goes that belonged to the connection. @why NULL: the front end just left. */
static void session_end(struct vu_dev *dev, const char *why)
{
	uint64_t event;

	if (dev->conn.fd < 0 || dev->ending)
		return;
	dev->ending = true;
	if (why)
		vxdp_log(VXDP_LOG_WARN, &dev->log_limit, "%s: front end disconnected: %s",
			 dev->name, why);
	else
		vxdp_log(VXDP_LOG_INFO, &dev->log_limit, "%s: front end went away", dev->name);
	vu_vring_stop_all(dev);
	if (dev->mem && dev->ops->mem_release)
		dev->ops->mem_release(dev->owner, dev->mem);
	vu_mem_free(&dev->mem);
	vu_dirty_free(&dev->dirty);
	vu_inflight_region_drop(dev);
	for (unsigned int i = 0; i < dev->n_rings; i++)
		vring_end(&dev->vring[i]);
	close_fd(&dev->backend_fd);
	close_fd(&dev->log_fd);
	vu_conn_close(&dev->conn);
	if (read(dev->dead_fd, &event, sizeof(event)) < 0)
		event = 0; /* the usual case: nothing was cut short */
	session_reset(dev);
	dev->ending = false;
	dev->ops->link(dev->owner, false);
	vu_sock_idle(&dev->sock, now_ms() - dev->connected_ms >= SHORT_LIFE_MS);
}

/*
 * Events
 */

/*
 * Has the peer gone although its connection is still open? Requests that it sent before it died
 * may wait to be read, and it may have passed us its own end of the connection through
 * SET_BACKEND_REQ_FD, so that it is us who keep it open. Nothing is ever sent there: somebody else
 * who wants to be served is reason enough to let go of it and look again.
 */
static bool peer_is_gone(struct vu_dev *dev)
{
	struct pollfd p = {.fd = dev->conn.fd};

	close_fd(&dev->backend_fd);
	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void on_listen(struct vu_dev *dev)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = vu_sock_accept(&dev->sock);

		if (fd < 0)
			return;
		if (dev->conn.fd >= 0 && peer_is_gone(dev))
			session_end(dev, NULL);
		if (dev->conn.fd < 0) {
			session_begin(dev, fd);
			continue;
		}
		vxdp_log(VXDP_LOG_WARN, &dev->log_limit,
			 "%s: front end refused: another one is connected", dev->name);
		close(fd);
	}
}

static void on_timer(struct vu_dev *dev)
{
	int fd = vu_sock_timer(&dev->sock);

	if (fd >= 0)
		session_begin(dev, fd);
}

static void on_dead(struct vu_dev *dev)
{
	session_end(dev, "it cut short a file that we share");
}

/* Asks to be told when the peer has made room for replies, as long as some wait. */
static void watch_out(struct vu_dev *dev)
{
	bool wants = vu_conn_wants_out(&dev->conn);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &dev->conn};

	if (wants == dev->waits_for_out)
		return;
	if (wants)
		event.events |= EPOLLOUT;
	epoll_ctl(dev->epoll_fd, EPOLL_CTL_MOD, dev->conn.fd, &event);
	dev->waits_for_out = wants;
}

/* Return: 1 if there was a message, 0 if there is none, -errno if the connection was closed. */
static int one_message(struct vu_dev *dev)
{
	const char *why = NULL;
	struct vu_msg msg;
	int got, err;

	got = vu_conn_receive(&dev->conn, &msg, &why);
	if (got == 0)
		return 0;
	if (got < 0) {
		session_end(dev, why);
		return got;
	}
	err = vu_request(dev, &msg);
	vu_msg_end(&msg);
	if (!err && dev->failed)
		err = -ECANCELED; /* by the owner, from within a callback */
	if (err)
		session_end(dev, dev->why);
	return err ? err : 1;
}

static void on_message(struct vu_dev *dev)
{
	uint64_t started_ms = now_ms();

	if (dev->conn.fd < 0)
		return;
	if (vu_conn_flush(&dev->conn)) {
		session_end(dev, NULL);
		return;
	}
	for (int i = 0; i < MESSAGES_MAX && now_ms() - started_ms < ROUND_MS; i++) {
		int got = one_message(dev);

		if (got < 0)
			return;
		if (got == 0)
			break;
	}
	watch_out(dev);
}

void vu_dev_dispatch(struct vu_dev *dev)
{
	struct epoll_event events[4];
	int n = epoll_wait(dev->epoll_fd, events, ARRAY_SIZE(events), 0);

	dev->dispatching = true;
	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == &dev->conn)
			on_message(dev);
		else if (what == &dev->sock.listen_fd)
			on_listen(dev);
		else if (what == &dev->sock.timer_fd)
			on_timer(dev);
		else
			on_dead(dev);
	}
	dev->dispatching = false;
	if (dev->failed)
		session_end(dev, dev->why);
}

/*
 * For the owner
 */

static int dev_descriptors(struct vu_dev *dev)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &dev->dead_fd};

	dev->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (dev->epoll_fd < 0)
		return -errno;
	dev->dead_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->dead_fd < 0)
		return -errno;
	return epoll_ctl(dev->epoll_fd, EPOLL_CTL_ADD, dev->dead_fd, &event) ? -errno : 0;
}

static void dev_free(struct vu_dev *dev)
{
	vu_inflight_file_close(&dev->inflight_file);
	close_fd(&dev->dead_fd);
	close_fd(&dev->epoll_fd);
	free(dev->name);
	free(dev);
}

static int dev_new(const struct vu_dev_config *config, struct vu_dev **out)
{
	unsigned int n_rings = 2 * config->pairs_max;
	struct vu_dev *dev;

	if (!config->pairs_max || config->pairs_max > VU_PAIRS_MAX)
		return -EINVAL;
	dev = calloc(1, sizeof(*dev) + n_rings * sizeof(dev->vring[0]));
	if (!dev)
		return -ENOMEM;
	dev->name = strdup(config->name);
	dev->n_rings = n_rings;
	dev->offer = config->features & vu_features_offer();
	dev->private_bytes = config->private_bytes;
	dev->epoll_fd = dev->dead_fd = dev->conn.fd = dev->backend_fd = dev->log_fd = -1;
	session_reset(dev);
	if (!dev->name) {
		dev_free(dev);
		return -ENOMEM;
	}
	*out = dev;
	return 0;
}

/* Without the file the device works; only a crash of ours may then cost the guest frames. */
static void inflight_file_open(struct vu_dev *dev, const char *dir)
{
	int err =
		dir ? vu_inflight_file_open(dir, dev->name, dev->n_rings, &dev->inflight_file) : 0;

	if (err)
		log_warn("%s: no record of what is in flight in %s: %s", dev->name, dir,
			 strerror(-err));
}

int vu_dev_open(const struct vu_dev_config *config, const struct vu_dev_ops *ops, void *owner,
		struct vu_dev **out)
{
	struct vu_dev *dev;
	int err;

	err = dev_new(config, &dev);
	if (err)
		return err;
	dev->ops = ops;
	dev->owner = owner;
	vu_event_prepare();
	err = dev_descriptors(dev);
	if (!err)
		err = vu_sock_open(&dev->sock, config, dev->name, dev->epoll_fd);
	if (err) {
		dev_free(dev);
		return err;
	}
	inflight_file_open(dev, config->state_dir);
	*out = dev;
	return 0;
}

void vu_dev_close(struct vu_dev **dev)
{
	if (!*dev)
		return;
	session_end(*dev, NULL);
	vu_sock_close(&(*dev)->sock);
	dev_free(*dev);
	*dev = NULL;
}

int vu_dev_fd(const struct vu_dev *dev)
{
	return dev->epoll_fd;
}

void vu_dev_ring_broken(struct vu_dev *dev, unsigned int index)
{
	bool nested = dev->dispatching;
	struct vu_vring *v;
	const char *why;

	if (!vu_dev_ring(dev, index))
		return;
	dev->dispatching = true;
	v = &dev->vring[index];
	why = vu_ring_broken(v->ring);
	vxdp_log(VXDP_LOG_WARN, &dev->log_limit, "%s: ring %u is broken: %s", dev->name, index,
		 why ? why : "its owner says so");
	vu_vring_stop(dev, v);
	v->broken = true;
	if (v->err_fd >= 0)
		vu_event_signal(v->err_fd);
	dev->dispatching = nested;
	if (!nested && dev->failed)
		session_end(dev, dev->why);
}

void vu_dev_fail(struct vu_dev *dev, const char *reason)
{
	if (dev->conn.fd < 0)
		return;
	if (dev->dispatching) {
		snprintf(dev->why, sizeof(dev->why), "%s", reason);
		dev->failed = true;
	} else {
		session_end(dev, reason);
	}
}

void vu_dev_info(const struct vu_dev *dev, struct vu_dev_info *info)
{
	bool connected = dev->conn.fd >= 0;

	*info = (struct vu_dev_info){
		.state = !connected	  ? VU_WAITING
			 : dev->n_running ? VU_RUNNING
					  : VU_CONNECTED,
		.role = dev->sock.role,
		.features = dev->features,
		.protocol_features = dev->protocol_features,
		.n_rings_running = dev->n_running,
		.n_connects = dev->n_connects,
		.peer_pid = dev->peer_pid,
		.mem = dev->mem,
	};
}

struct vu_ring *vu_dev_ring(const struct vu_dev *dev, unsigned int index)
{
	if (index >= dev->n_rings || !dev->vring[index].running)
		return NULL;
	return dev->vring[index].ring;
}
