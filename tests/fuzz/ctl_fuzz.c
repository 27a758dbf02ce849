// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctl_fuzz.c - any packet on the control socket of a running vxdp: first byte even, with no
 * descriptor, or odd, with a socket; the rest is the packet.
 *
 * The real table of handlers runs, on a switch that only looks at what it is given. Every packet
 * has to be answered by an object with either "ok" or an "error", and no descriptor may stay.
 */
#include <assert.h>

#include "common.h"
#include "loader/ctl.c"
#include "loader/process.c" /* both for what is their own */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The switch: switch.h. */

static int kept_fd = -1;

int sw_open(const struct sw_options *options, struct event_loop *loop, struct vx_error *error,
	    struct sw **out)
{
	return -ENOSYS;
}

void sw_close(struct sw **sw)
{
	*sw = NULL;
}

enum vxdp_xdp_mode sw_xdp_mode(const struct sw *sw)
{
	return VXDP_XDP_NATIVE;
}

int sw_port_add(struct sw *sw, const struct sw_port_options *options, struct vx_error *error)
{
	assert(options->name && *options->name && strlen(options->name) <= ATTACH_NAME_MAX);
	assert(options->role && options->lane);
	assert((options->fd >= 0) != (options->socket_path != NULL));
	assert(!options->socket_path || options->socket_path[0] == '/');
	if (!strcmp(options->name, "refused"))
		return vx_fail(error, -EEXIST, "refused");
	kept_fd = options->fd;
	return 0;
}

int sw_port_del(struct sw *sw, const char *name_or_socket, struct vx_error *error)
{
	assert(name_or_socket);
	return vx_fail(error, -ENOENT, "no port %s", name_or_socket);
}

json_t *sw_status(const struct sw *sw)
{
	return json_pack("{s:s,s:[]}", "xdp", "native", "ports");
}

json_t *sw_stats(const struct sw *sw)
{
	return json_pack("{s:[]}", "ports");
}

int sw_capture_start(struct sw *sw, const char *port, unsigned int snaplen, int fd,
		     struct vx_error *error)
{
	assert(snaplen && fd >= 0);
	return 0;
}

void sw_capture_stop(struct sw *sw)
{
}

static void check_answer(json_t *reply)
{
	assert(json_is_object(reply));
	assert(json_is_true(json_object_get(reply, "ok")) ||
	       json_is_object(json_object_get(reply, "error")));
	json_decref(reply);
}

/* No NIC, so no maps. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return setenv("VXDP_BPFFS", "/nonexistent", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct attach_args args = {.fd = -1};
	struct process p = {.nic = "eth0", .args = &args, .capture_fd = -1};
	int lowest = fds_lowest(), pair[2] = {-1, -1};
	struct ctl_client client = {.fd = -1};

	if (!size || size > CTL_PACKET_MAX)
		return 0;
	if (event_loop_open(&p.loop))
		return 0;
	if (data[0] & 1)
		assert(!socketpair(AF_UNIX, data[0] & 2 ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair));
	check_answer(
		ctl_answer(ctl_commands, &p, &client, (const char *)data + 1, size - 1, pair[0]));
	if (client.on_close) /* it hangs up */
		client.on_close(client.on_close_arg);
	close_fd(&kept_fd);
	close_fd(&pair[1]);
	event_loop_close(&p.loop);
	assert(fds_lowest() == lowest);
	return 0;
}
