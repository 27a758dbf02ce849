// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp status: what is attached, how it is served, and why so. The text shows nothing that the
 * JSON does not have.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "commands.h"
#include "out.h"
#include "policy.h"
#include "vxdp/util.h"

#define RING_SIZE_GOOD 1024 /* QEMU's default of 256 limits the rate */
#define MIB	       (1024 * 1024)

static const char *plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

/* "MRG_RXBUF CSUM ..." in lines that fit a terminal. */
static void print_words(const char *title, const json_t *words)
{
	const int width_max = 90;
	int width = 0;
	const json_t *word;
	size_t i;

	json_array_foreach((json_t *)words, i, word)
	{
		if (!width || width + (int)json_string_length(word) > width_max) {
			out_text("%s%-14s", width ? "\n" : "", width ? "" : title);
			width = 14;
		}
		out_text(" %s", json_string_value(word));
		width += json_string_length(word) + 1;
	}
	if (width)
		out_text("\n");
}

static void print_memory(const json_t *memory)
{
	if (!out_uint(memory, "regions"))
		return;
	out_text("    memory     %llu MiB in %llu region%s, %llu MiB pinned, %llu MiB of kernel "
		 "memory for it\n",
		 out_uint(memory, "bytes") / MIB, out_uint(memory, "regions"),
		 plural(out_uint(memory, "regions")), out_uint(memory, "pinned_bytes") / MIB,
		 out_uint(memory, "kernel_bytes") / MIB);
}

static void print_queues(const json_t *queues)
{
	const json_t *queue, *nic_queue;
	bool small = false;
	size_t i;

	json_array_foreach((json_t *)queues, i, queue)
	{
		out_text("    queue %-4llu rx ring %llu, tx ring %llu%s", out_uint(queue, "pair"),
			 out_uint(queue, "rx_size"), out_uint(queue, "tx_size"),
			 json_is_false(json_object_get(queue, "enabled")) ? ", off" : "");
		nic_queue = json_object_get(queue, "nic_queue");
		if (json_is_integer(nic_queue) && json_integer_value(nic_queue) >= 0)
			out_text(", NIC queue %llu", out_uint(queue, "nic_queue"));
		out_text("\n");
		small |= out_uint(queue, "rx_size") && out_uint(queue, "rx_size") < RING_SIZE_GOOD;
	}
	if (small)
		out_text(
			"    hint       larger rings carry more: rx_queue_size=%d,tx_queue_size=%d "
			"on QEMU's virtio-net device\n",
			RING_SIZE_GOOD, RING_SIZE_GOOD);
}

/* Where it has another lane than what was said, or for another reason. */
static void print_lanes(const json_t *port)
{
	const json_t *lane;
	size_t i;

	json_array_foreach(json_object_get(port, "lanes"), i, lane)
	{
		if (!strcmp(out_str(lane, "lane"), out_str(port, "lane")) &&
		    !strcmp(out_str(lane, "lane_reason"), out_str(port, "lane_reason")))
			continue;
		out_text("    on %-7s lane %s%s: %s\n", out_str(lane, "nic"), out_str(lane, "lane"),
			 json_is_true(json_object_get(lane, "zerocopy")) ? " (zero copy)" : "",
			 out_str(lane, "lane_reason"));
	}
}

static void print_port(const json_t *port)
{
	const char *why = out_str(port, "lane_reason"), *socket = out_str(port, "socket");
	const json_t *policy = json_object_get(port, "policy");
	unsigned long long pairs = out_uint(port, "queue_pairs");

	out_text("  %s: %s, lane %s%s%s%s", out_str(port, "name"), out_str(port, "state"),
		 out_str(port, "lane"),
		 json_is_true(json_object_get(port, "zerocopy")) ? " (zero copy)" : "",
		 json_is_true(json_object_get(port, "guest_lane")) ? ", guest lane to others" : "",
		 json_is_true(json_object_get(port, "tap_xdp")) ? ", XDP on the tap" : "");
	if (pairs && *out_str(port, "ring"))
		out_text(", %llu %s queue pair%s", pairs, out_str(port, "ring"), plural(pairs));
	else if (pairs)
		out_text(", %llu queue%s open", pairs, plural(pairs));
	out_text("\n");
	if (*why)
		out_text("    why        %s\n", why);
	print_lanes(port);
	if (*socket)
		out_text("    socket     %s (%s), %llu connection%s so far\n", socket,
			 out_str(port, "role"), out_uint(port, "connects"),
			 plural(out_uint(port, "connects")));
	if (*out_str(port, "tap"))
		out_text("    tap        %s, MTU %llu\n", out_str(port, "tap"),
			 out_uint(port, "mtu"));
	if (policy && !policy_is_open(policy)) {
		out_text("    allowed    ");
		policy_print(policy);
		out_text("\n");
	}
	print_memory(json_object_get(port, "memory"));
	print_queues(json_object_get(port, "queues"));
	print_words("    features  ", json_object_get(port, "features"));
	print_words("    protocol  ", json_object_get(port, "protocol_features"));
}

static void print_worker(size_t i, const json_t *worker)
{
	const json_t *cpu = json_object_get(worker, "cpu");
	char where[32] = "any CPU";

	if (json_is_integer(cpu) && json_integer_value(cpu) >= 0)
		snprintf(where, sizeof(where), "CPU %llu", out_uint(worker, "cpu"));
	out_text("  worker %zu: %s on %s, %llu frames at %.0f cycles each, slept %llu times\n", i,
		 out_str(worker, "state"), where, out_uint(worker, "frames"),
		 json_number_value(json_object_get(worker, "cycles_per_frame")),
		 out_uint(worker, "sleeps"));
}

/* Are there tap ports only? */
static bool stands(const json_t *ports)
{
	const json_t *port;
	size_t i, n = 0;

	json_array_foreach((json_t *)ports, i, port) n += !strcmp(out_str(port, "kind"), "tap");
	return n && n == json_array_size(ports);
}

/* Where there is only one, all that is to be said of it stands elsewhere. */
static void print_uplinks(const json_t *uplinks)
{
	const json_t *uplink;
	size_t i;

	json_array_foreach((json_t *)uplinks, i, uplink)
	{
		if (json_array_size(uplinks) < 2)
			return;
		out_text("  uplink %s: %s XDP, MTU %llu%s%s\n", out_str(uplink, "nic"),
			 out_xdp(uplink), out_uint(uplink, "mtu"),
			 json_is_true(json_object_get(uplink, "carrier")) ? "" : ", no carrier",
			 json_is_true(json_object_get(uplink, "standby")) ? ", stands by" : "");
		out_text("    lanes      %s\n", out_str(uplink, "lane_reason"));
	}
}

static void print_nic(const json_t *status)
{
	unsigned long long pid = out_uint(status, "pid");
	const json_t *ports = json_object_get(status, "ports"), *entry;
	size_t i;

	out_text("%s: %s XDP, ", out_str(status, "nic"), out_xdp(status));
	if (pid)
		out_text("process %llu, vxdp %s\n", pid, out_str(status, "version"));
	else if (stands(ports))
		out_text("no process, and none is needed\n");
	else
		out_text("no process: it was killed (vxdp detach %s cleans up)\n",
			 out_str(status, "nic"));
	print_uplinks(json_object_get(status, "uplinks"));
	json_array_foreach((json_t *)ports, i, entry) print_port(entry);
	if (!json_array_size(ports))
		out_text("  no ports\n");
	json_array_foreach(json_object_get(status, "workers"), i, entry) print_worker(i, entry);
}

static void print_all(const json_t *document)
{
	const json_t *nics = json_object_get(document, "nics"), *status;
	size_t i;

	json_array_foreach((json_t *)nics, i, status) print_nic(status);
	if (!json_array_size(nics))
		out_text("nothing is attached; vxdp attach NIC --vm SOCK puts a guest on a wire\n");
}

static int run_all(struct vx_error *error)
{
	json_auto_t *names = ask_nics();
	json_auto_t *document = json_pack("{s:[]}", "nics");
	json_t *name, *status;
	size_t i;
	int err;

	json_array_foreach(names, i, name)
	{
		err = ask_status(json_string_value(name), error, &status);
		if (!err)
			json_array_append_new(json_object_get(document, "nics"), status);
		else if (err != -ENOENT) /* it went away while we looked */
			return err;
	}
	out_result(document, print_all);
	return 0;
}

static int run(const void *args, const struct operands *operands, struct vx_error *error)
{
	json_auto_t *status = NULL;
	int err;

	if (!operands->n)
		return run_all(error);
	err = ask_nic_arg(operands->v[0], error);
	if (!err)
		err = ask_status(operands->v[0], error, &status);
	if (!err)
		out_result(status, print_nic);
	return err;
}

const struct command cmd_status = {
	.name = "status",
	.operands = "[NIC]",
	.summary = "show what is attached and which lane each port got, and why",
	.n_operands_max = 1,
	.run = run,
};
