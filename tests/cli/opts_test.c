// SPDX-License-Identifier: GPL-2.0-or-later
/* Command lines: what is understood, what is refused, and what is suggested instead. */
#include "cli_test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

#include "loader/attach_args.h"
#include "loader/fdb_args.h"
#include "loader/opts.h"

#define WORDS_MAX 64

static const struct command attach = {
	.name = "attach",
	.operands = "NIC --vm SOCK",
	.opts = attach_options,
	.defaults = &attach_defaults,
	.args_bytes = sizeof(attach_defaults),
	.n_operands_min = 1,
	.n_operands_max = 1,
};

static struct attach_args args;
static struct operands operands;
static struct opts_global global;
static struct vx_error error;
static char line[1024], *words[WORDS_MAX];

static int split(const char *text)
{
	int n = 0;

	strcpy(line, text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	return n;
}

static int parse(const char *text)
{
	int n = split(text);

	memset(&global, 0, sizeof(global));
	memset(&error, 0, sizeof(error));
	return opts_parse(&attach, n, words, &args, &operands, &global, &error);
}

static void assert_refused(const char *text, const char *message, const char *hint)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(error.code, VX_USAGE);
	assert_string_equal(error.message, message);
	assert_string_equal(error.hint, hint);
}

static void test_all_kinds(void **state)
{
	assert_int_equal(parse("--vm /run/a eth0 --queues=4 --role server --cpus 0,2-4 --may-exist "
			       "-jvv --verbose --mtu 9000"),
			 0);
	assert_string_equal(args.socket_path, "/run/a");
	assert_int_equal(args.queues, 4);
	assert_string_equal(args.role, "server");
	assert_int_equal(args.cpus.n, 4);
	assert_int_equal(args.cpus.cpu[3], 4);
	assert_true(args.may_exist && !args.dedicated);
	assert_int_equal(args.mtu, 9000);
	assert_int_equal(args.fd, -1);
	assert_true(global.json && global.verbose == 3 && !global.pretty);
	assert_int_equal(operands.n, 1);
	assert_string_equal(operands.v[0], "eth0");
}

static void test_end_of_options(void **state)
{
	assert_int_equal(parse("--vm - -- --vm"), 0);
	assert_string_equal(args.socket_path, "-");
	assert_string_equal(operands.v[0], "--vm");
	assert_int_equal(parse("--vm /x -"), 0); /* one dash is a word */
	assert_string_equal(operands.v[0], "-");
}

static void test_refused(void **state)
{
	assert_refused("eth0 --qeues 2", "no option --qeues here", "did you mean --queues?");
	assert_refused("eth0 --completely-else", "no option --completely-else here", "");
	assert_refused("eth0 --que 2", "no option --que here", ""); /* no abbreviations */
	assert_refused("eth0 --jsno", "no option --jsno here", "did you mean --json?");
	assert_refused("eth0 -x", "no option -x here", "");
	assert_refused("eth0 --vm", "--vm needs a value: --vm SOCK", "");
	assert_refused("eth0 --may-exist=1", "--may-exist takes no value", "");
	assert_refused("eth0 --queues 0", "--queues takes a number from 1 to 128, not '0'", "");
	assert_refused("eth0 --queues 129", "--queues takes a number from 1 to 128, not '129'", "");
	assert_refused("eth0 --queues 4294967297",
		       "--queues takes a number from 1 to 128, not '4294967297'", "");
	assert_refused("eth0 --queues 0x2", "--queues takes a number from 1 to 128, not '0x2'", "");
	assert_refused("eth0 --queues=", "--queues takes a number from 1 to 128, not ''", "");
	assert_refused("eth0 --fd -1", "--fd takes a number from 0 to 2147483647, not '-1'", "");
	assert_refused("eth0 --lane dierct", "--lane cannot be 'dierct'",
		       "did you mean 'direct'? It is one of: auto, direct, shared, kernel");
	assert_refused("eth0 --vm a --vm b", "--vm is given twice", "");
	assert_refused("eth0 --vm a --socket-path b",
		       "--vm and --socket-path say the same: give one of them", "");
	assert_refused("eth0 eth1", "attach: 'eth1' is one too many",
		       "usage: vxdp attach NIC --vm SOCK (see: vxdp help attach)");
	assert_refused("--vm a", "attach: something is missing",
		       "usage: vxdp attach NIC --vm SOCK (see: vxdp help attach)");
}

static void test_cpu_lists(void **state)
{
	static const char *const bad[] = {"x",	  "1-",	  "-1",	  "2-1", "0,0",	 "0-2,1",
					  "0-64", "9999", "1,,2", "1,",	 "1-2-3"};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "eth0 --cpus %s", bad[i]);
		assert_int_equal(parse(text), -EINVAL);
	}
	assert_int_equal(parse("eth0 --cpus 0-63"), 0);
	assert_int_equal(args.cpus.n, 64);
}

static void test_help_needs_no_operands(void **state)
{
	assert_int_equal(parse("--help"), 0);
	assert_true(global.help);
}

static int complete(const char *text, struct attach_strings *strings)
{
	assert_int_equal(parse(text), 0);
	return attach_args_complete(&args, strings, &error);
}

static void test_attach_name(void **state)
{
	struct attach_strings s;

	assert_int_equal(complete("eth0 --vm /run/vm0.sock", &s), 0);
	assert_string_equal(args.name, "vm0");
	assert_int_equal(complete("eth0 --vm /run/.hidden", &s), 0);
	assert_string_equal(args.name, "_hidden");
	assert_int_equal(complete("eth0 --vm /run/a:b_very-long-name-indeed.sock", &s), 0);
	assert_string_equal(args.name, "a_b_very-long-n");
	assert_int_equal(complete("eth0 --vm /run/x --name uplink", &s), -EINVAL);
	assert_int_equal(complete("eth0 --vm /run/x --name a/b", &s), -EINVAL);
	assert_int_equal(complete("eth0 --vm /run/x --name sixteen-letters-", &s), -EINVAL);
	assert_int_equal(complete("eth0 --vm /run/host.sock", &s), -EINVAL); /* reserved */
}

static void test_attach_socket(void **state)
{
	struct attach_strings s;
	char longer[256] = "eth0 --vm /", expected[PATH_MAX + 16];
	int pair[2];

	assert_int_equal(complete("eth0", &s), -EINVAL);
	assert_int_equal(complete("eth0 --vm vm0.sock", &s), 0); /* relative to here */
	assert_non_null(getcwd(expected, PATH_MAX));
	strcat(expected, "/vm0.sock");
	assert_string_equal(args.socket_path, expected);
	memset(longer + strlen(longer), 'x', 120);
	assert_int_equal(complete(longer, &s), -EINVAL);
	assert_int_equal(complete("eth0 --vm /run/\xff.sock", &s), -EINVAL);
	assert_int_equal(complete("eth0 --fd 0 --vm /x", &s), -EINVAL);
	assert_int_equal(complete("eth0 --fd 999", &s), -EINVAL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(longer, sizeof(longer), "eth0 --fd %d", pair[0]);
	assert_int_equal(complete(longer, &s), 0);
	assert_int_equal(args.name[0], 'f'); /* fdN */
	close(pair[0]);
	close(pair[1]);
}

/* The same checks whether an option comes by command line or by request. */
static void test_attach_request(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"name\":\"a\"}",
		"{\"socket-path\":\"/x\"}",
		"{\"socket-path\":\"x\",\"name\":\"a\"}",
		"{\"socket-path\":\"/x\",\"name\":\"\"}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"queues\":0}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"queues\":\"many\"}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"queues\":[]}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"queues\":1.5}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"lane\":\"fast\"}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"fd\":0}",
		"{\"socket-path\":\"/x\",\"name\":\"a\",\"unheard\":1}",
		"{\"socket-path\":\"/x\",\"vm\":\"/y\",\"name\":\"a\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_auto_t *request = json_loads(bad[i], 0, NULL);

		assert_int_equal(attach_args_unpack(&args, request, -1, &error), -EINVAL);
		assert_int_equal(error.code, VX_USAGE);
	}
}

static void test_attach_conflicts(void **state)
{
	struct attach_args running = {.mode = "skb", .cpus = {.cpu = {1, 2}, .n = 2}};
	struct attach_args wanted = {0};

	assert_int_equal(attach_args_conflict(&wanted, &running, &error), 0);
	wanted.mode = "skb";
	wanted.poll = "adaptive"; /* is the default */
	wanted.cpus = running.cpus;
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), 0);
	wanted.poll = "busy";
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), -EBUSY);
	wanted.poll = NULL;
	wanted.cpus.n = 1;
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), -EBUSY);
	wanted.cpus.n = 0;
	wanted.dedicated = true;
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), -EBUSY);
	wanted.dedicated = false;
	wanted.share_xdp = true;
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), -EBUSY);
	running.share_xdp = true;
	assert_int_equal(attach_args_conflict(&wanted, &running, &error), 0);
}

static int fdb(const char *text, struct fdb_args *parsed)
{
	operands.n = 0;
	for (int i = 0, n = split(text); i < n; i++)
		operands.v[operands.n++] = words[i];
	return fdb_args_parse(&operands, parsed, &error);
}

static void test_fdb(void **state)
{
	static const uint8_t mac[] = {0x52, 0x54, 0, 0, 0xa, 0xff};
	struct fdb_args f;

	assert_int_equal(fdb("eth0", &f), 0);
	assert_int_equal(f.action, FDB_SHOW);
	assert_int_equal(f.vlan, FDB_VLAN_ANY);
	assert_int_equal(fdb("show show vlan 0", &f), 0); /* a NIC of that name */
	assert_string_equal(f.nic, "show");
	assert_int_equal(f.vlan, 0);
	assert_int_equal(fdb("add eth0 52:54:0:0:a:FF dev vm0 vlan 4094 static", &f), 0);
	assert_memory_equal(f.mac, mac, 6);
	assert_true(f.is_static && f.vlan == 4094);
	assert_string_equal(f.port, "vm0");
	assert_int_equal(fdb("flush eth0 dynamic dev dev", &f), 0);
	assert_string_equal(f.port, "dev");
	assert_int_equal(fdb("ageing eth0", &f), 0);
	assert_true(f.action == FDB_AGEING && !f.sets_ageing);
	assert_int_equal(fdb("ageing eth0 0", &f), 0);
	assert_true(f.sets_ageing && f.ageing_s == 0);
	assert_int_equal(fdb("ageing eth0 30", &f), 0);
	assert_true(f.sets_ageing && f.ageing_s == 30);
}

static void test_fdb_refused(void **state)
{
	static const char *const bad[] = {
		"add",
		"add eth0",
		"add eth0 52:54:00:00:00:01",
		"add eth0 52:54:00:00:00 dev a",
		"add eth0 52:54:00:00:00:01:02 dev a",
		"add eth0 52:54:00:00:00:0g dev a",
		"add eth0 5:::: dev a",
		"add eth0 01:00:5e:00:00:01 dev a",
		"add eth0 00:00:00:00:00:00 dev a",
		"add eth0 52:54:00:00:00:01 dev a vlan 4095",
		"add eth0 52:54:00:00:00:01 dev a vlan -1",
		"add eth0 52:54:00:00:00:01 dev a vlan 1x",
		"add eth0 52:54:00:00:00:01 dev a vlan",
		"add eth0 52:54:00:00:00:01 dev a static dynamic",
		"del eth0 52:54:00:00:00:01 static",
		"show eth0 static",
		"flush eth0 static",
		"eth0 eth1",
		"ageing",
		"ageing eth0 1",
		"ageing eth0 1000001",
		"ageing eth0 -1",
		"ageing eth0 5s",
		"ageing eth0 5 dev vm0",
		"ageing eth0 dev vm0",
	};
	struct fdb_args f;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		error.code = VX_OK;
		assert_int_equal(fdb(bad[i], &f), -EINVAL);
		assert_int_equal(error.code, VX_USAGE);
	}
	assert_int_equal(fdb("show eth0 dve vm0", &f), -EINVAL);
	assert_string_equal(error.hint, "did you mean 'dev'?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_help_needs_no_operands),
		cmocka_unit_test(test_attach_name),
		cmocka_unit_test(test_attach_socket),
		cmocka_unit_test(test_attach_request),
		cmocka_unit_test(test_attach_conflicts),
		cmocka_unit_test(test_fdb),
		cmocka_unit_test(test_fdb_refused),
	};

	return run_all(tests);
}
