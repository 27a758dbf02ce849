// SPDX-License-Identifier: GPL-2.0-or-later
#include "attach_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "rundir.h"
#include "tap_owner.h"
#include "vxdp/util.h"

#define QUEUES_MAX 128 /* pairs; VU_PAIRS_MAX of vhost/dev.h, which request.c checks again */
#define MTU_MIN	   68
#define MTU_MAX	   65535

#define REQUEST_MEMBERS 40 /* of an attach request; more than there are options */

#define AT(field) offsetof(struct attach_args, field)

static const char *const roles[] = {"auto", "client", "server", NULL};
static const char *const lanes[] = {"auto", "direct", "shared", "kernel", NULL};
static const char *const tcp_lanes[] = {"kernel", "direct", NULL};
static const char *const modes[] = {"auto", "zerocopy", "native", "skb", "tc", NULL};
static const char *const polls[] = {"adaptive", "busy", NULL};

const struct opt attach_options[] = {
	OPT("vm", 0, TEXT, AT(socket_path), "SOCK", "vhost-user socket of the virtual machine",
	    .complete = COMPLETE_FILE),
	OPT("socket-path", 0, TEXT, AT(socket_path), "SOCK", "the same, by QEMU's name",
	    .complete = COMPLETE_FILE),
	OPT("fd", 0, FD, AT(fd), "FD", "an inherited vhost-user socket instead of a path"),
	OPT("tap", 0, TEXT, AT(tap), "TAP",
	    "a tap device for QEMU or vhost-net, made if it is not there; needs no process",
	    .complete = COMPLETE_NETDEV),
	OPT("owner", 0, TEXT, AT(owner), "USER", "who may open the tap that is made"),
	OPT("group", 0, TEXT, AT(group), "GROUP", "which group may open the tap that is made"),
	OPT("name", 0, TEXT, AT(name), "NAME",
	    "name of the port (default: from the socket's, or the tap's)"),
	OPT("role", 0, WORD, AT(role), "ROLE",
	    "auto, client (connect, and again for ever) or server (listen)", .words = roles),
	OPT("lane", 0, WORD, AT(lane), "LANE", "auto, direct, shared or kernel: how frames travel",
	    .words = lanes),
	OPT("tcp-lane", 0, WORD, AT(tcp_lane), "LANE",
	    "kernel or direct: how TCP travels beside a direct lane", .words = tcp_lanes),
	OPT("tap-xdp", 0, FLAG, AT(tap_xdp), NULL,
	    "the guest of the tap finishes its checksums: XDP takes its frames to other taps"),
	OPT("queues", 0, UINT, AT(queues), "N",
	    "most queue pairs to offer; more than 1 makes a multi-queue tap", .min = 1,
	    .max = QUEUES_MAX),
	OPT("mtu", 0, UINT, AT(mtu), "N",
	    "MTU to tell the guest, or of the tap that is made (default: the NIC's)",
	    .min = MTU_MIN, .max = MTU_MAX),
	OPT("vlan", 0, TEXT, AT(vlan), "N", "the VLAN the guest is in, without tags"),
	OPT("trunk", 0, TEXT, AT(trunk), "LIST",
	    "the VLANs the guest sees with their tags, as 10,20-30"),
	OPT("native", 0, TEXT, AT(native), "N", "with --trunk: the VLAN of frames without a tag"),
	OPT("mac", 0, TEXT, AT(mac), "LIST", "the only addresses the guest may send from"),
	OPT("isolated", 0, FLAG, AT(isolated), NULL, "keep it from other isolated guests"),
	OPT("may-exist", 0, FLAG, AT(may_exist), NULL, "succeed if the port is there already"),
	OPT("switch", 0, TEXT, AT(switch_name), "NAME",
	    "the switch that NIC or the guest joins (default: NIC's own)",
	    .complete = COMPLETE_SWITCH),
	OPT("uplink", 0, TEXT, AT(uplink), "NIC", "a further NIC for the switch",
	    .complete = COMPLETE_NIC),
	OPT("standby-for", 0, TEXT, AT(standby_for), "NIC",
	    "the further NIC leads to the same wire as this one", .complete = COMPLETE_NIC),
	OPT("mode", 0, WORD, AT(mode), "MODE",
	    "auto, zerocopy, native or skb: XDP on the NIC; tc: none, all frames go by TC",
	    .words = modes),
	OPT("dedicated", 0, FLAG, AT(dedicated), NULL,
	    "the NIC carries this guest's frames only: zero copy is safe"),
	OPT("share-xdp", 0, FLAG, AT(share_xdp), NULL,
	    "leave room for XDP programs that are attached later"),
	OPT("cpus", 0, CPUS, AT(cpus), "LIST", "one worker thread on each of these, as 0,2-5"),
	OPT("poll", 0, WORD, AT(poll), "HOW", "adaptive (sleep when idle) or busy", .words = polls),
	OPT_END,
};

const struct attach_args attach_defaults = {.fd = -1};

int attach_absolute(const char *path, char *out, size_t bytes)
{
	char cwd[PATH_MAX];
	int n;

	if (path[0] == '/') {
		n = snprintf(out, bytes, "%s", path);
	} else {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		n = snprintf(out, bytes, "%s/%s", cwd, path);
	}
	return n >= 0 && (size_t)n < bytes ? 0 : -ENAMETOOLONG;
}

static bool name_char_ok(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

/* "uplink", "host", "host2"... are ports of the switch itself. */
static bool is_reserved(const char *name)
{
	return !strcmp(name, "uplink") ||
	       (!strncmp(name, "host", 4) && strspn(name + 4, "0123456789") == strlen(name + 4));
}

static int check_name(const char *name, struct vx_error *error)
{
	size_t bytes = strlen(name);

	if (is_reserved(name))
		return vx_fail_usage(error, "a port cannot be called '%s'", name);
	for (size_t i = 0; i < bytes; i++) {
		if (!name_char_ok(name[i]))
			bytes = 0;
	}
	if (!bytes || bytes > ATTACH_NAME_MAX || name[0] == '.' || name[0] == '-')
		return vx_fail_usage(error, "a port's name is 1 to %d of A-Z a-z 0-9 - _ .",
				     ATTACH_NAME_MAX);
	return 0;
}

static int check_path(const char *path, struct vx_error *error)
{
	const size_t bytes_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	json_auto_t *utf8 = json_string(path);

	if (!*path)
		return vx_fail_usage(error, "the socket's path is empty");
	if (strlen(path) > bytes_max)
		return vx_fail_usage(error, "a socket's path is at most %zu bytes: %s", bytes_max,
				     path);
	if (!utf8) /* it goes into requests and replies */
		return vx_fail_usage(error, "the socket's path is not UTF-8");
	return 0;
}

static int check_fd(int fd, struct vx_error *error)
{
	int domain = 0, type = 0, err;
	socklen_t bytes = sizeof(int);

	if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) &&
	    !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) && domain == AF_UNIX &&
	    type == SOCK_STREAM)
		return 0;
	err = vx_fail_usage(error, "descriptor %d is no Unix stream socket", fd);
	vx_hint(error, "whoever starts vxdp has to hand it down, as in: vxdp attach ... 5<>...");
	return err;
}

/* "/run/vm0.sock" -> "vm0" */
static void name_from_path(const char *path, char *name)
{
	const char *base = strrchr(path, '/'), *dot;
	size_t n;

	base = base ? base + 1 : path;
	dot = strrchr(base, '.');
	n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
	n = MIN(n, (size_t)ATTACH_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		name[i] = name_char_ok(base[i]) ? base[i] : '_';
	name[n] = '\0';
	if (name[0] == '.' || name[0] == '-')
		name[0] = '_';
}

int attach_args_policy(const struct attach_args *args, struct policy_change *change,
		       struct vx_error *error)
{
	const struct {
		enum policy_key key;
		const char *value;
	} given[] = {
		{POLICY_VLAN, args->vlan},
		{POLICY_TRUNK, args->trunk},
		{POLICY_NATIVE, args->native},
		{POLICY_MAC, args->mac},
		{POLICY_SPOOF_CHECK, args->mac ? "on" : NULL},
		{POLICY_ISOLATED, args->isolated ? "on" : NULL},
	};
	int err = 0;

	*change = (struct policy_change){0};
	for (size_t i = 0; i < ARRAY_SIZE(given) && !err; i++) {
		if (given[i].value)
			err = policy_change_take(change, policy_keys[given[i].key], given[i].value,
						 error);
	}
	if (!err && args->native && !args->trunk)
		err = vx_fail_usage(error, "--native is for --trunk");
	if (!err && args->mac && !change->n_macs)
		err = vx_fail_usage(error, "--mac takes addresses, not '%s'", args->mac);
	return err ? err : policy_change_check(change, error);
}

static int check_owner(const char *name, bool is_group, struct vx_error *error)
{
	uint32_t id;

	if (!name || !tap_owner_find(name, is_group, &id))
		return 0;
	return vx_fail_usage(error, "there is no %s '%s'", is_group ? "group" : "user", name);
}

/* A tap port is served by the kernel: what tells a process how to serve a guest means nothing. */
static int check_tap(const struct attach_args *args, struct vx_error *error)
{
	const char *other = NULL;
	int err;

	if (args->fd >= 0 || args->socket_path)
		return vx_fail_usage(error,
				     "--tap and --vm are two kinds of port: give one of them");
	if (!rundir_nic_valid(args->tap))
		return vx_fail_usage(error, "'%s' cannot be the name of a tap", args->tap);
	if (args->role)
		other = "role";
	else if (args->poll)
		other = "poll";
	else if (args->cpus.n)
		other = "cpus";
	else if (args->dedicated)
		other = "dedicated";
	else if (args->share_xdp)
		other = "share-xdp";
	if (other)
		return vx_fail_usage(error, "--%s is for --vm: no process serves a tap", other);
	err = check_owner(args->owner, false, error);
	if (!err)
		err = check_owner(args->group, true, error);
	return err ? err : check_name(args->name, error);
}

bool attach_args_guest(const struct attach_args *args)
{
	return args->fd >= 0 || args->socket_path || args->tap;
}

static int check_uplink(const struct attach_args *args, struct vx_error *error)
{
	if (args->standby_for && !args->uplink)
		return vx_fail_usage(error, "--standby-for is about a further NIC: see --uplink");
	if (args->uplink && !rundir_nic_valid(args->uplink))
		return vx_fail_usage(error, "'%s' cannot be the name of a NIC", args->uplink);
	return 0;
}

/* The option that needs an XDP program on the NIC, or NULL. */
static const char *xdp_option(const struct attach_args *args)
{
	if (args->lane && (!strcmp(args->lane, "direct") || !strcmp(args->lane, "shared")))
		return "lane";
	if (args->tcp_lane && !strcmp(args->tcp_lane, "direct"))
		return "tcp-lane";
	if (args->dedicated)
		return "dedicated";
	return args->share_xdp ? "share-xdp" : NULL;
}

static int check_mode(const struct attach_args *args, struct vx_error *error)
{
	const char *option = xdp_option(args);

	if (!option || !args->mode || strcmp(args->mode, "tc"))
		return 0;
	return vx_fail_usage(error, "--%s needs XDP on the NIC, which --mode tc leaves out",
			     option);
}

int attach_args_without_xdp(const struct attach_args *args, enum vxdp_xdp_mode mode,
			    struct vx_error *error)
{
	const char *option = xdp_option(args);

	if (mode != VXDP_XDP_NONE || !option)
		return 0;
	vx_fail(error, -EOPNOTSUPP, "--%s needs XDP on the NIC, which was attached with --mode tc",
		option);
	vx_hint(error, "leave --%s out, or detach all ports and attach them without --mode tc",
		option);
	return -EOPNOTSUPP;
}

/* What can be checked on either side of the control socket. */
static int check_port(const struct attach_args *args, struct vx_error *error)
{
	struct policy_change unused;
	int err = check_uplink(args, error);

	if (!err)
		err = check_mode(args, error);
	if (!err)
		err = attach_args_policy(args, &unused, error);

	if (err)
		return err;
	if (args->tap)
		return check_tap(args, error);
	if (args->owner || args->group)
		return vx_fail_usage(error, "--%s is for --tap", args->owner ? "owner" : "group");
	if (args->tap_xdp)
		return vx_fail_usage(error, "--tap-xdp is for --tap");
	if (!attach_args_guest(args) && args->uplink)
		return 0;
	if (!attach_args_guest(args))
		return vx_fail_usage(error, "which virtual machine? give --vm SOCK or --tap TAP");
	if (args->fd >= 0 && args->socket_path)
		return vx_fail_usage(error, "--fd and --vm say the same: give one of them");
	err = args->fd >= 0 ? check_fd(args->fd, error) : check_path(args->socket_path, error);
	return err ? err : check_name(args->name, error);
}

int attach_args_complete(struct attach_args *args, struct attach_strings *strings,
			 struct vx_error *error)
{
	int err;

	if (args->socket_path && *args->socket_path) {
		err = attach_absolute(args->socket_path, strings->path, sizeof(strings->path));
		if (err)
			return vx_fail_errno(error, err, "%s", args->socket_path);
		args->socket_path = strings->path;
	}
	if (!args->name && attach_args_guest(args)) {
		if (args->tap)
			snprintf(strings->name, sizeof(strings->name), "%.*s", ATTACH_NAME_MAX,
				 args->tap);
		else if (args->socket_path)
			name_from_path(args->socket_path, strings->name);
		else
			snprintf(strings->name, sizeof(strings->name), "fd%d", args->fd);
		args->name = strings->name;
	}
	return check_port(args, error);
}

static json_t *pack_cpus(const struct opt_cpus *cpus)
{
	char list[CPUS_MAX * 6] = "";
	size_t n = 0;

	for (unsigned int i = 0; i < cpus->n; i++)
		n += snprintf(list + n, sizeof(list) - n, "%s%d", i ? "," : "", cpus->cpu[i]);
	return n ? json_string(list) : NULL;
}

/* Value of one option, or NULL if it was not given. */
static json_t *pack_value(const struct opt *opt, const void *value)
{
	const char *text;
	unsigned int number;

	switch (opt->kind) {
	case OPT_TEXT:
	case OPT_WORD:
		text = *(const char *const *)value;
		return text ? json_string(text) : NULL;
	case OPT_UINT:
		number = *(const unsigned int *)value;
		return number ? json_integer(number) : NULL;
	case OPT_FLAG:
		return *(const bool *)value ? json_true() : NULL;
	case OPT_CPUS:
		return pack_cpus(value);
	default: /* a descriptor travels beside the request */
		return NULL;
	}
}

json_t *attach_args_pack(const struct attach_args *args)
{
	json_t *request = json_object(), *value;

	for (const struct opt *opt = attach_options; opt->name; opt++) {
		if (!strcmp(opt->name, "vm") || /* goes by its other name */
		    !strcmp(opt->name, "switch"))
			continue;
		value = pack_value(opt, (const char *)args + opt->offset);
		if (value)
			json_object_set_new(request, opt->name, value);
	}
	return request;
}

/* One member of a request as words of a command line. Return: how many, or -EINVAL. */
static int unpack_member(const char *key, const json_t *value, char *name, size_t name_bytes,
			 char *number, size_t number_bytes, char **words)
{
	snprintf(name, name_bytes, "--%s", key);
	words[0] = name;
	if (json_is_true(value))
		return 1;
	if (json_is_false(value))
		return 0;
	if (json_is_string(value)) {
		words[1] = (char *)json_string_value(value);
		return 2;
	}
	if (!json_is_integer(value))
		return -EINVAL;
	snprintf(number, number_bytes, "%lld", (long long)json_integer_value(value));
	words[1] = number;
	return 2;
}

int attach_args_unpack(struct attach_args *args, const json_t *request, int fd,
		       struct vx_error *error)
{
	const struct command attach = {.name = "attach",
				       .operands = "",
				       .opts = attach_options,
				       .defaults = &attach_defaults,
				       .args_bytes = sizeof(attach_defaults)};
	char names[REQUEST_MEMBERS][40], numbers[REQUEST_MEMBERS][24];
	char *argv[2 * REQUEST_MEMBERS];
	struct opts_global ignored = {0};
	struct operands operands;
	const char *key;
	json_t *value;
	int argc = 0, i = 0, n;

	json_object_foreach((json_t *)request, key, value)
	{
		if (!strcmp(key, "cmd") || !strcmp(key, "netns"))
			continue;
		if (i == REQUEST_MEMBERS)
			return vx_fail_usage(error, "too many members in a request");
		n = unpack_member(key, value, names[i], sizeof(names[i]), numbers[i],
				  sizeof(numbers[i]), argv + argc);
		if (n < 0)
			return vx_fail_usage(error, "'%.64s' has a value of the wrong type", key);
		argc += n;
		i++;
	}
	n = opts_parse(&attach, argc, argv, args, &operands, &ignored, error);
	if (n)
		return n;
	if (args->fd >= 0)
		return vx_fail_usage(error, "a descriptor comes along with the request");
	args->fd = fd;
	if (!args->name && attach_args_guest(args))
		return vx_fail_usage(error, "the port needs a name");
	if (args->socket_path && args->socket_path[0] != '/')
		return vx_fail_usage(error, "the socket's path must be absolute");
	return check_port(args, error);
}

static int conflict(struct vx_error *error, const char *option, const char *wanted,
		    const char *running)
{
	vx_fail(error, -EBUSY, "--%s %s: the running process has %s", option, wanted, running);
	vx_hint(error, "all ports of a NIC share it: leave --%s out, or detach them all first",
		option);
	return -EBUSY;
}

static bool words_differ(const char *wanted, const char *running, const char *by_default)
{
	return wanted && strcmp(wanted, running ? running : by_default);
}

int attach_args_conflict(const struct attach_args *wanted, const struct attach_args *running,
			 struct vx_error *error)
{
	if (words_differ(wanted->mode, running->mode, modes[0]))
		return conflict(error, "mode", wanted->mode,
				running->mode ? running->mode : modes[0]);
	if (words_differ(wanted->poll, running->poll, polls[0]))
		return conflict(error, "poll", wanted->poll,
				running->poll ? running->poll : polls[0]);
	if (wanted->cpus.n && (wanted->cpus.n != running->cpus.n ||
			       memcmp(wanted->cpus.cpu, running->cpus.cpu,
				      wanted->cpus.n * sizeof(wanted->cpus.cpu[0]))))
		return conflict(error, "cpus", "LIST", running->cpus.n ? "others" : "none given");
	if (wanted->dedicated && !running->dedicated)
		return conflict(error, "dedicated", "(given)", "it not");
	if (wanted->share_xdp && !running->share_xdp)
		return conflict(error, "share-xdp", "(given)", "it not");
	return 0;
}
