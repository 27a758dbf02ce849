// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp dump: the frames of a port with what became of each, as pcapng.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "commands.h"
#include "dump_source.h"
#include "out.h"
#include "pcapng.h"
#include "verdicts.h"
#include "vxdp/log.h"
#include "vxdp/util.h"

#define SNAPLEN_MIN	14
#define SNAPLEN_MAX	16384 /* what the programs record at most */
#define SNAPLEN_DEFAULT 2048  /* a whole frame on most networks */
#define NS_PER_S	1000000000ULL
#define TAG_BYTES	4
#define MACS_BYTES	12 /* a VLAN tag goes behind the addresses */
#define ETH_P_8021Q	0x8100

struct dump_args {
	const char *port;
	const char *file;
	unsigned int snaplen;
	unsigned int count;
};

static const struct opt options[] = {
	OPT("port", 0, TEXT, offsetof(struct dump_args, port), "NAME",
	    "frames from and to this port (default: all guests'); uplink and host are ports too",
	    .complete = COMPLETE_PORT),
	OPT("write", 'w', TEXT, offsetof(struct dump_args, file), "FILE",
	    "where to write, - is standard output (the default)", .complete = COMPLETE_FILE),
	OPT("snaplen", 0, UINT, offsetof(struct dump_args, snaplen), "N",
	    "bytes to keep of each frame (default: 2048)", .min = SNAPLEN_MIN, .max = SNAPLEN_MAX),
	OPT("count", 0, UINT, offsetof(struct dump_args, count), "N", "stop after so many frames",
	    .min = 1, .max = UINT32_MAX),
	OPT_END,
};

static const struct dump_args defaults = {.snaplen = SNAPLEN_DEFAULT};

struct dump {
	const struct dump_args *args;
	const char *nic;
	struct vxdp_pins pins;
	struct event_loop *loop;
	struct event *on_int, *on_term;
	struct pcapng file;
	int fd;			  /* -1: standard output */
	uint64_t clock_offset_ns; /* realtime - monotonic */
	uint64_t n_frames, n_lost;
	int interface[VXDP_PORTS_MAX]; /* pcapng's number for a port id, -1: none yet */
	int err;		       /* of writing */
	uint8_t tagged[SNAPLEN_MAX + TAG_BYTES];
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int write_out(void *arg, const void *data, size_t bytes)
{
	const struct dump *d = arg;
	const char *next = data;
	ssize_t n;

	if (d->fd < 0)
		return out_bytes(data, bytes);
	while (bytes) {
		n = write(d->fd, next, bytes);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			next += n;
			bytes -= n;
		}
	}
	return 0;
}

static const char *port_name(const struct dump *d, uint32_t id, char name[16])
{
	struct vxdp_port port = {0};

	if (id == VXDP_PORT_NONE)
		return "-";
	vxdp_port_get(&d->pins, id, &port);
	if (port.name[0])
		snprintf(name, 16, "%.15s", port.name);
	else
		snprintf(name, 16, "port%u", id);
	return name;
}

/* Number of the interface that stands for a port, described now if it was not yet; or -errno. */
static int interface_of(struct dump *d, uint32_t id)
{
	char name[16];
	int err;

	if (id >= VXDP_PORTS_MAX)
		return -EINVAL;
	if (d->interface[id] < 0) {
		err = pcapng_interface(&d->file, port_name(d, id, name));
		if (err)
			return err;
		d->interface[id] = d->file.n_interfaces - 1;
	}
	return d->interface[id];
}

/* Put a tag that the NIC or the kernel took out of the frame back to where it was on the wire. */
static void put_tag_back(struct dump *d, const struct vxdp_capture *record,
			 struct pcapng_frame *frame)
{
	const uint8_t tag[TAG_BYTES] = {ETH_P_8021Q >> 8, ETH_P_8021Q & 0xff, record->vlan_tci >> 8,
					record->vlan_tci & 0xff};

	if (!record->vlan_tci || frame->captured_bytes < MACS_BYTES)
		return;
	memcpy(d->tagged, frame->data, MACS_BYTES);
	memcpy(d->tagged + MACS_BYTES, tag, TAG_BYTES);
	memcpy(d->tagged + MACS_BYTES + TAG_BYTES, frame->data + MACS_BYTES,
	       frame->captured_bytes - MACS_BYTES);
	frame->data = d->tagged;
	frame->captured_bytes += TAG_BYTES;
}

/*
 * A GSO frame counts as its segments, which are more bytes together than the frame that was seen.
 * One that was recorded whole is shown as what it is.
 */
static uint32_t length_to_show(const struct dump *d, const struct vxdp_capture *record,
			       const struct pcapng_frame *frame)
{
	bool whole = record->captured_bytes < d->args->snaplen;

	return whole ? frame->captured_bytes : MAX(record->frame_bytes, frame->captured_bytes);
}

static int write_frame(struct dump *d, const struct vxdp_capture *record)
{
	char in[16], out[16], comment[128];
	struct pcapng_frame frame = {
		.time_ns = record->time_ns + d->clock_offset_ns,
		.data = (const uint8_t *)(record + 1),
		.captured_bytes = MIN(record->captured_bytes, (uint32_t)SNAPLEN_MAX),
		.comment = comment,
	};
	int interface = interface_of(d, record->port);

	if (interface < 0)
		return interface;
	frame.interface = interface;
	put_tag_back(d, record, &frame);
	frame.frame_bytes = length_to_show(d, record, &frame);
	frame.captured_bytes = MIN(frame.captured_bytes, d->args->snaplen);
	snprintf(comment, sizeof(comment), "verdict=%s in=%s out=%s",
		 record->verdict < VXDP_N_VERDICTS ? verdicts[record->verdict].name : "unknown",
		 port_name(d, record->port, in), port_name(d, record->out_port, out));
	return pcapng_frame(&d->file, &frame);
}

static void stop(void *arg)
{
	event_loop_stop(((struct dump *)arg)->loop, 0);
}

static void on_signal(void *arg, uint32_t signo)
{
	stop(arg);
}

static void on_process_gone(void *arg)
{
	const struct dump *d = arg;

	log_info("%s: the vxdp process has gone", d->nic);
	stop(arg);
}

static void on_frame(void *arg, const struct vxdp_capture *record)
{
	struct dump *d = arg;

	if (d->err || (d->args->count && d->n_frames >= d->args->count))
		return;
	d->err = write_frame(d, record);
	if (!d->err)
		d->n_frames++;
	if (d->err || (d->args->count && d->n_frames >= d->args->count))
		stop(d);
}

/* Section and interfaces: one a port that is there now, others when their first frame comes. */
static int start_file(struct dump *d, struct vx_error *error)
{
	struct vxdp_port port;
	int err;

	err = pcapng_start(&d->file, write_out, d, d->args->snaplen);
	for (uint32_t id = 0; id < VXDP_PORTS_MAX; id++) {
		d->interface[id] = -1;
		if (!err && !vxdp_port_get(&d->pins, id, &port) && interface_of(d, id) < 0)
			err = -EIO;
	}
	return err ? vx_fail_errno(error, err, "cannot write") : 0;
}

static int end_file(struct dump *d, struct vx_error *error)
{
	uint64_t time_ns = now_ns(CLOCK_REALTIME);

	for (uint32_t i = 0; i < d->file.n_interfaces && !d->err; i++)
		d->err = pcapng_statistics(&d->file, i, time_ns, d->n_frames, d->n_lost);
	if (d->err == -EPIPE) /* the reader has seen enough */
		d->err = 0;
	return d->err ? vx_fail_errno(error, d->err, "cannot write") : 0;
}

static bool to_stdout(const struct dump *d)
{
	return !d->args->file || !strcmp(d->args->file, "-");
}

static int check_output(const struct dump *d, struct vx_error *error)
{
	int err;

	if (!to_stdout(d) || !out_is_terminal())
		return 0;
	err = vx_fail_usage(error, "pcapng is nothing to read on a terminal");
	vx_hint(error, "vxdp dump %s -w FILE, or: vxdp dump %s | tcpdump -r -", d->nic, d->nic);
	return err;
}

static int open_file(struct dump *d, struct vx_error *error)
{
	if (to_stdout(d))
		return 0;
	d->fd = open(d->args->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return d->fd < 0 ? vx_fail_errno(error, -errno, "cannot write %s", d->args->file) : 0;
}

static int open_loop(struct dump *d, struct vx_error *error)
{
	int err = event_loop_open(&d->loop);

	signal(SIGPIPE, SIG_IGN);
	if (!err)
		err = event_signal_add(d->loop, SIGINT, on_signal, d, &d->on_int);
	if (!err)
		err = event_signal_add(d->loop, SIGTERM, on_signal, d, &d->on_term);
	return err ? vx_fail_errno(error, err, "cannot set up the event loop") : 0;
}

static int capture(struct dump *d, struct vx_error *error)
{
	struct dump_source *source = NULL;
	int err = dump_source_open(d->loop, d->nic, &d->pins, d->args->port, d->args->snaplen,
				   on_frame, on_process_gone, d, error, &source);

	if (err)
		return err;
	log_debug("%s: capturing", d->nic);
	err = event_loop_run(d->loop);
	d->n_lost = dump_source_stop(source);
	dump_source_close(&source);
	return err ? vx_fail_errno(error, err, "cannot wait for frames") : 0;
}

static void print_text(const json_t *result)
{
	log_info("%s: %llu frames captured, %llu lost", out_str(result, "nic"),
		 out_uint(result, "frames"), out_uint(result, "lost"));
}

/* Standard output is the frames', if they do not go to a file. */
static void say_result(const struct dump *d)
{
	json_auto_t *result = json_pack("{s:s,s:I,s:I}", "nic", d->nic, "frames",
					(json_int_t)d->n_frames, "lost", (json_int_t)d->n_lost);

	if (d->fd < 0)
		print_text(result);
	else
		out_result(result, print_text);
}

static int dump(struct dump *d, struct vx_error *error)
{
	int err = open_file(d, error);

	if (!err)
		err = open_loop(d, error);
	if (!err)
		err = start_file(d, error);
	if (!err)
		err = capture(d, error);
	if (!err)
		err = end_file(d, error);
	if (!err)
		say_result(d);
	event_loop_close(&d->loop);
	close_fd(&d->fd);
	return err;
}

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	_cleanup_free_ struct dump *d = calloc(1, sizeof(*d));
	int err = ask_nic_arg(operands->v[0], error);

	if (err || !d)
		return err ? err : vx_fail_errno(error, -ENOMEM, "cannot capture");
	d->args = parsed;
	d->nic = operands->v[0];
	d->fd = -1;
	d->clock_offset_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	err = check_output(d, error);
	if (!err)
		err = vxdp_pins_open(d->nic, true, &d->pins, error);
	if (err)
		return err;
	err = dump(d, error);
	vxdp_pins_close(&d->pins);
	return err;
}

const struct command cmd_dump = {
	.name = "dump",
	.operands = "NIC",
	.summary = "write the frames of a port and what became of them as pcapng",
	.opts = options,
	.defaults = &defaults,
	.args_bytes = sizeof(defaults),
	.n_operands_min = 1,
	.n_operands_max = 1,
	.run = run,
};
